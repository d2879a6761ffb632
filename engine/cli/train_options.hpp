// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_TRAIN_OPTIONS_HPP
#define LANEMAX_ENGINE_CLI_TRAIN_OPTIONS_HPP

#include "engine/cli/options.hpp"

#include <lanemax/fit.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lanemax::cli {

enum class Scaling : std::uint8_t { none, unit, standard };
[[nodiscard]] const char* name_of(Scaling scaling) noexcept;

struct TrainOptions {
  CommandLine command_line;  ///< as it was given
  RunOptions run;
  InputOptions input;
  std::string model;
  std::string test_data;
  std::string test_labels;
  std::string history;
  Scaling scaling = Scaling::none;
  double validation_fraction = 0;  ///< 0: none
  std::vector<double> l2_path;     ///< empty: one fit
  std::size_t folds = 0;           ///< 0: none
  double threshold = 0;            ///< below which the model abstains; 0: none
  std::string init;                ///< a model file, or empty
  std::string class_weight;        ///< "balanced", a file, or empty
  std::string sample_weight;       ///< a column, a file, or empty
  FitOptions fit;                  ///< everything that goes to the solver as it is
};

/// False if only the help was asked for. Combinations that mean nothing are refused.
[[nodiscard]] bool read_train_options(const CommandLine& line, TrainOptions& options);

}  // namespace lanemax::cli

#endif
