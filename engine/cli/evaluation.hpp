// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_EVALUATION_HPP
#define LANEMAX_ENGINE_CLI_EVALUATION_HPP

#include "engine/cli/options.hpp"
#include "engine/dispatch/kernel_table.hpp"

#include <lanemax/predictor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lanemax::cli {

/// The variant to run: --isa, or the process default. A wrong LANEMAX_ISA is an error in either case.
[[nodiscard]] Isa chosen_isa(const RunOptions& run);

/// A model read from a file, ready to predict.
struct LoadedModel {
  Model model;
  Predictor predictor;
  const KernelTable* kernels = nullptr;  ///< of its variant
};
[[nodiscard]] LoadedModel load_predictor(const std::string& file, Isa isa);

/// The columns of the tables that a model was trained on. One that does not say has its features, and perhaps a label
/// behind them.
[[nodiscard]] std::vector<Column> columns_of(const Model& model);

/// Samples for a model: labels are mapped onto its classes, and its features must fit.
[[nodiscard]] Dataset read_for_model(const InputOptions& input, const Model& model);

/// Refuses data whose features are not those a model (or a training set) has. `file` is named in the message.
void check_features(const std::string& file, const Dataset& data, std::size_t features);

/// Refuses data without labels; `option` would name their file.
void check_labels(const std::string& file, const Dataset& data, const char* option);

/// What to predict beside the class.
struct Wanted {
  bool logits = false;
  bool probabilities = false;
  std::size_t top_k = 0;
};

/// Predicts chunk after chunk in memory of bounded size; use(first row, rows, predictions of these rows).
void predict_in_chunks(const LoadedModel& loaded, const FeaturesView& features, int threads, const Wanted& wanted,
                       const std::function<void(std::size_t, std::size_t, const Predictions&)>& use);

/// How a model does on labelled samples. Rows are weighted by the data's sample weights, where there are any.
struct Evaluation {
  std::size_t samples = 0;
  double weight = 0;               ///< of all rows
  double correct = 0;              ///< of those whose class is predicted
  std::size_t unknown_labels = 0;  ///< labels that are no class of the model: count as wrong
  std::size_t not_finite = 0;      ///< rows without a finite score: count as wrong
  double finite = 0;               ///< weight of the rows with one
  double abstained = 0;            ///< of those, weight of the rows that the model does not answer
  double log_loss = 0;             ///< mean in nats over the other rows, answered or not; NaN for hinge or no weight
  /// (true, predicted) -> rows that are answered.
  std::map<std::pair<std::int32_t, std::int32_t>, std::uint64_t> confusion;

  /// Over all rows but those that the model abstains from.
  [[nodiscard]] double accuracy() const noexcept;
  /// The share of the rows with a finite score that are answered.
  [[nodiscard]] double coverage() const noexcept;
};

/// Evaluates the rows, all or (if `rows` is not empty) only these, which ascend.
[[nodiscard]] Evaluation evaluate(const LoadedModel& loaded, const Dataset& data, int threads,
                                  const std::vector<std::uint32_t>& rows = {});

/// To follow an accuracy: what it is about, and how much that is. Empty without a threshold.
[[nodiscard]] std::string coverage_text(const Evaluation& evaluation, double threshold);

/// Says on stderr what `evaluation` had to leave out, if anything. `what` names the data.
void warn_about(const char* what, const Evaluation& evaluation);

}  // namespace lanemax::cli

#endif
