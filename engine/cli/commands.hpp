// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_COMMANDS_HPP
#define LANEMAX_ENGINE_CLI_COMMANDS_HPP

#include "engine/cli/option_table.hpp"

namespace lanemax::cli {

/// Each runs one command and returns its exit code; failures are thrown as CommandError.
[[nodiscard]] int run_train(const CommandLine& line);
[[nodiscard]] int run_evaluate(const CommandLine& line);
[[nodiscard]] int run_predict(const CommandLine& line);
[[nodiscard]] int run_info(const CommandLine& line);
[[nodiscard]] int run_selfcheck(const CommandLine& line);

}  // namespace lanemax::cli

#endif
