// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_COMMANDS_HPP
#define LANEMAX_ENGINE_CLI_COMMANDS_HPP

#include "engine/cli/options.hpp"

namespace lanemax::cli {

/// Each runs one command and returns its exit code; failures are thrown as CommandError.
[[nodiscard]] int run(const TrainOptions& options);
[[nodiscard]] int run(const EvaluateOptions& options);
[[nodiscard]] int run(const PredictOptions& options);
[[nodiscard]] int run(const InfoOptions& options);
[[nodiscard]] int run(const SelfcheckOptions& options);
[[nodiscard]] int run(const PrintText& text);

}  // namespace lanemax::cli

#endif
