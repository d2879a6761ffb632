// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_OUTPUT_HPP
#define LANEMAX_ENGINE_CLI_OUTPUT_HPP

#include "engine/data/dataset.hpp"
#include "engine/model/atomic_file.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lanemax::cli {

/// Writes all of `text` to stdout. A failure is a CommandError with exit code 5; a reader that closed the pipe gets no
/// words about it.
void write_stdout(std::string_view text);

/// One line of words to stderr.
void say(std::string_view line);

/// Warnings, and unless `quiet` notes, about data that were read.
void say_remarks(const std::vector<Remark>& remarks, bool quiet);

/// Line breaks and other control characters become blanks.
[[nodiscard]] std::string one_line(std::string_view text);

/// Shortest decimal text that reads back as the same number; empty if it is not finite.
[[nodiscard]] std::string number_text(double value);
[[nodiscard]] std::string number_text(float value);

/// For people: up to so many significant digits, "-" if not finite.
[[nodiscard]] std::string readable(double value, int digits = 6);

/// A CSV field (RFC 4180), in quotes where a reader might otherwise take it for something else: for several fields, a
/// comment, a missing value, a text without the blanks around it.
[[nodiscard]] std::string csv_field(std::string_view text);

/// A place for results: stdout, or a file that finish() makes appear, whole.
class ResultStream {
 public:
  /// Empty path: stdout.
  explicit ResultStream(std::string path);

  void write(std::string_view text);
  void finish();

 private:
  std::string path_;
  AtomicFile file_;
};

/// Refuses an output path before the work begins: it must not be one of `inputs` and must be a regular file or new, in
/// a directory that can be written to. `option` is named in the message.
void check_output_path(const char* option, const std::string& path, const std::vector<std::string>& inputs);

/// Whether both paths name the same file, existing or not.
[[nodiscard]] bool same_file(const std::string& first, const std::string& second);

}  // namespace lanemax::cli

#endif
