// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_COMMAND_ERROR_HPP
#define LANEMAX_ENGINE_CLI_COMMAND_ERROR_HPP

#include "engine/cli/exit_code.hpp"
#include "engine/data/dataset.hpp"

#include <string>
#include <utility>

namespace lanemax::cli {

/// Ends the command: main() prints `lanemax: text` (nothing if it is empty) and exits with the code. Only the command
/// uses exceptions; the library below it returns statuses.
struct CommandError {
  int exit_code;
  std::string text;
};

[[noreturn]] inline void give_up(int exit_code, std::string text) {
  throw CommandError{exit_code, std::move(text)};
}
[[noreturn]] inline void give_up_usage(std::string text) {
  give_up(kUsage, std::move(text));
}

/// `file:line: what; expected ...`, without the parts that are not known. `file` is the whole path, unlike
/// Status::file.
[[nodiscard]] inline std::string located_message(const std::string& file, const Status& status) {
  if (file.empty()) return message(status);
  std::string text = file;
  if (status.line >= 0) text += ':' + std::to_string(status.line);
  Status rest = status;
  rest.line = -1;
  rest.file[0] = '\0';
  return text + ": " + message(rest);
}

inline void check(const Status& status, const std::string& file = {}) {
  if (!status.ok()) give_up(exit_code_of(status.code), located_message(file, status));
}
inline void check(const FileStatus& result) {
  if (result.ok()) return;
  const std::string note = result.note.empty() ? "" : " (" + result.note + ")";
  give_up(exit_code_of(result.status.code), located_message(result.file, result.status) + note);
}

}  // namespace lanemax::cli

#endif
