// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/output.hpp"

#include <csignal>
#include <exception>
#include <new>

namespace lanemax::cli {

int run(const PrintText& text) {
  write_stdout(text.text);
  return kDone;
}

namespace {

int report(int exit_code, const std::string& text) {
  if (!text.empty()) say("lanemax: " + text);
  return exit_code;
}

int run_command_line(int argc, char** argv) {
  try {
    const Command command = parse_command_line(argc, argv);
    return std::visit([](const auto& options) { return run(options); }, command);
  } catch (const CommandError& error) {
    return report(error.exit_code, error.text);
  } catch (const std::bad_alloc&) {
    return report(kOutOfMemory, "out of memory");
  } catch (const std::exception& error) {
    return report(kFailure, one_line(error.what()));
  }
}

}  // namespace
}  // namespace lanemax::cli

int main(int argc, char** argv) {
  // A closed pipe or a file at its size limit then shows as a failed write, which has an exit code of its own.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return lanemax::cli::run_command_line(argc, argv);
}
