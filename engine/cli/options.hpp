// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_OPTIONS_HPP
#define LANEMAX_ENGINE_CLI_OPTIONS_HPP

#include "engine/data/dataset.hpp"

#include <lanemax/fit.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lanemax::cli {

/// How a command runs and reports.
struct RunOptions {
  int threads = 1;
  std::string isa;  ///< empty: the process default
  bool json = false;
  bool quiet = false;
};

/// Where samples come from.
struct InputOptions {
  std::vector<std::string> data;
  std::string labels;
  ReadOptions read;
};

enum class Scaling : std::uint8_t { none, unit, standard };
[[nodiscard]] const char* name_of(Scaling scaling) noexcept;

struct TrainOptions {
  std::vector<std::string> command_line;  ///< as it was given, the program first
  RunOptions run;
  InputOptions input;
  std::string model;
  std::string test_data;
  std::string test_labels;
  std::string history;
  Scaling scaling = Scaling::none;
  double validation_fraction = 0;  ///< 0: none
  std::optional<double> l2;        ///< none: 1 / (total sample weight)
  std::vector<double> l2_path;     ///< empty: one fit
  std::size_t folds = 0;           ///< 0: none
  std::string checkpoint;          ///< empty: none
  std::string class_weight;        ///< "balanced", a file, or empty
  std::string sample_weight;       ///< a column, a file, or empty
  std::string mini_batch_option;   ///< one that was given, or empty
  FitOptions fit;                  ///< everything that goes to the solver as it is
};

struct EvaluateOptions {
  RunOptions run;
  InputOptions input;
  std::string model;
};

struct PredictOptions {
  RunOptions run;
  InputOptions input;
  std::string model;
  std::string output;  ///< empty: stdout
  bool probabilities = false;
  bool logits = false;
  std::size_t top_k = 0;  ///< 0: not asked for
};

struct InfoOptions {
  RunOptions run;
};

struct SelfcheckOptions {
  RunOptions run;
  std::string data;  ///< directory of data files; empty: only what is embedded
};

/// Text asked for with --help or --version.
struct PrintText {
  std::string text;
};

using Command = std::variant<TrainOptions, EvaluateOptions, PredictOptions, InfoOptions, SelfcheckOptions, PrintText>;

/// Reads and range-checks the command line. Throws CommandError with exit code 2 and a one-line text.
[[nodiscard]] Command parse_command_line(int argc, char** argv);

}  // namespace lanemax::cli

#endif
