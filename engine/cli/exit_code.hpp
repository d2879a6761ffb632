// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_EXIT_CODE_HPP
#define LANEMAX_ENGINE_CLI_EXIT_CODE_HPP

#include <lanemax/status.hpp>

namespace lanemax::cli {

/// What the command's exit codes mean. A run ended by a signal returns 128 + its number: 130 for SIGINT, 143 for
/// SIGTERM.
enum ExitCode : int {
  kDone = 0,
  kFailure = 1,  ///< diverged (the last good model is saved) or any failure without a code of its own
  kUsage = 2,
  kBadData = 3,
  kBadModel = 4,
  kInputOutput = 5,
  kOutOfMemory = 6,
  kInterrupted = 130,
};

[[nodiscard]] constexpr int exit_code_of(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::ok: return kDone;
    case StatusCode::invalid_argument:
    case StatusCode::isa_unknown:
    case StatusCode::isa_not_compiled:
    case StatusCode::isa_not_supported: return kUsage;
    case StatusCode::shape_mismatch:
    case StatusCode::label_out_of_range:
    case StatusCode::not_finite:
    case StatusCode::out_of_range:
    case StatusCode::no_rows:
    case StatusCode::bad_data: return kBadData;
    case StatusCode::bad_model:
    case StatusCode::bad_checkpoint: return kBadModel;
    case StatusCode::missing_file:
    case StatusCode::io_error: return kInputOutput;
    case StatusCode::out_of_memory: return kOutOfMemory;
    case StatusCode::interrupted: return kInterrupted;
    case StatusCode::workspace_too_small:
    case StatusCode::overflow:
    case StatusCode::diverged: return kFailure;
  }
  return kFailure;
}

}  // namespace lanemax::cli

#endif
