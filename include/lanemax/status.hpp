// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_STATUS_HPP
#define LANEMAX_STATUS_HPP

#include <cstdint>
#include <string>

#pragma GCC visibility push(default)
namespace lanemax {

/// What kind of thing went wrong. The command's exit codes follow from these.
enum class StatusCode : std::uint8_t {
  ok,
  // usage
  invalid_argument,   ///< an option or a combination of options that has no meaning
  isa_unknown,        ///< no variant has this name
  isa_not_compiled,   ///< the variant is not part of this build
  isa_not_supported,  ///< this processor or operating system cannot run the variant
  workspace_too_small,
  // data
  shape_mismatch,
  label_out_of_range,
  not_finite,    ///< NaN or infinity where a finite number is needed
  out_of_range,  ///< a feature whose values are too large or too small to train on
  no_rows,       ///< nothing is left to average: no rows, or the kept weights sum to 0
  bad_data,      ///< a data file breaks the rules of its format
  // model
  bad_model,       ///< a model file breaks the rules of its format
  bad_checkpoint,  ///< a checkpoint is damaged, or of another fit
  // numbers
  overflow,  ///< finite inputs, but a logit, loss or gradient left the range of the scalar type
  diverged,  ///< training produced a non-finite loss or gradient; the weights are the last good ones
  // control and system
  interrupted,  ///< of a fit that was to go on from its checkpoint, before it could; any other ends ok, for a
                ///< StopReason
  missing_file,
  io_error,
  out_of_memory,
};

/// The outcome of a call: plain data, cheap to return, nothing owned. Its text is made on demand by message().
///
/// `what` names the argument, field or token; `expected` says what would have been right. Both are static strings.
/// A position that does not apply is -1. Rows, columns and bytes count from 0, lines from 1.
struct [[nodiscard]] Status {
  StatusCode code = StatusCode::ok;
  const char* what = "";
  const char* expected = "";
  std::int64_t line = -1;
  std::int64_t row = -1;
  std::int64_t column = -1;
  std::int64_t byte = -1;
  int system_error = 0;  ///< errno of a failed system call, else 0
  char found[64] = {};   ///< the offending text, cut to fit; empty if there is none
  char file[96] = {};    ///< the path of the file that could not be read or written; of a long one "..." and its end

  [[nodiscard]] constexpr bool ok() const noexcept { return code == StatusCode::ok; }
};

/// One line that says where (the file first), what, and what was expected. Never contains a line break.
[[nodiscard]] std::string message(const Status& status);

/// The name of the code, as written in the enumeration.
[[nodiscard]] const char* name_of(StatusCode code) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
