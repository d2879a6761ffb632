// SPDX-License-Identifier: BSD-3-Clause
//
// The fits that give a model: what a caller would else lay out, fold and record by hand.
#include "engine/fit/fit_model.hpp"

#include "engine/fail.hpp"
#include "engine/fit/training_record.hpp"
#include "engine/float_environment.hpp"
#include "engine/model/centre.hpp"

#include <algorithm>
#include <limits>

namespace lanemax {
namespace {

// 0, 1, ... up to the largest label.
std::vector<std::string> numbered_classes(const Batch& data, const Objective& objective) {
  std::size_t classes = objective.loss == Loss::logistic ? 2 : data.target_probabilities.cols;
  if (!data.labels.empty() && objective.loss != Loss::logistic) {
    classes = 0;
    for (std::size_t i = 0; i < data.rows(); ++i) {
      // One that is out of range is the fit's to refuse, and to name.
      const std::int64_t label = data.row(i) < data.labels.size() ? data.labels[data.row(i)] : 0;
      constexpr std::int64_t kMost = std::int64_t{1} << 24;
      if (label >= 0 && label < kMost) classes = std::max(classes, static_cast<std::size_t>(label) + 1);
    }
  }
  std::vector<std::string> names(classes);
  for (std::size_t c = 0; c < classes; ++c) names[c] = std::to_string(c);
  return names;
}

/// `run(weights, scaling, result)` is the fit itself, of weights.
template <class Run>
Status fit_to_model(const Batch& data, const FitOptions& options, const std::vector<std::string>& class_labels,
                    Model& model, FitResult& result, const Run& run) {
  const std::size_t features = data.features.features;
  Model made;
  made.loss = options.objective.loss;
  made.features = features;
  made.class_labels = class_labels.empty() ? numbered_classes(data, options.objective) : class_labels;
  const std::size_t rows = made.loss == Loss::logistic ? 1 : made.class_labels.size();
  if (rows == 0 || features == 0) return fail(StatusCode::no_rows, "batch", "at least one row, feature and class");
  if (rows > std::numeric_limits<std::size_t>::max() / sizeof(double) / features) throw std::bad_alloc();
  if (options.warm_start) {
    if (model.loss != made.loss || model.rows() != rows || model.features != features) {
      return fail(StatusCode::shape_mismatch, "model", "one of as many classes and features, to begin from");
    }
    made = model;
    if (!class_labels.empty()) made.class_labels = class_labels;
    fold_centre(made);
    made.scaling_centre.clear();
    made.scaling_factor.clear();
  } else {
    made.weight.assign(rows * features, 0.0F);
    made.bias.assign(rows, 0.0F);
  }
  Status status = check_model(made);
  if (!status.ok()) return status;

  made.centre.resize(features);
  std::vector<double> centre(data.scaling.centre.begin(), data.scaling.centre.end());
  made.scaling_factor.assign(data.scaling.factor.begin(), data.scaling.factor.end());
  FitScaling scaling;
  scaling.model_centre = made.centre;
  if (options.standardise) {
    centre.resize(features);
    made.scaling_factor.resize(features);
    scaling.centre_used = centre;
    scaling.factor_used = made.scaling_factor;
  }
  FitResult of_fit;
  status = run(made.view(), scaling, of_fit);
  if (!status.ok() && status.code != StatusCode::diverged) return status;
  if (!of_fit.centred) made.centre.clear();
  if (!centre.empty() || !made.scaling_factor.empty()) {
    centre.resize(features);
    made.scaling_factor.resize(features, 1.0F);
    made.scaling_centre.assign(features, 0.0F);
    for (std::size_t d = 0; d < features; ++d) made.scaling_centre[d] = static_cast<float>(centre[d]);
  }
  made.training = training_record(options, of_fit, data.rows());
  model = std::move(made);
  result = of_fit;
  return status;
}

}  // namespace

Status fit(const Batch& data, const FitOptions& options, const std::vector<std::string>& class_labels, Model& model,
           FitResult& result) noexcept {
  const FloatEnvironment environment;
  const auto run = [&](const WeightsView<float>& weights, const FitScaling& scaling, FitResult& of_fit) {
    return fit(data, options, weights, of_fit, scaling);
  };
  return without_exceptions("fit", "memory for the model",
                            [&] { return fit_to_model(data, options, class_labels, model, result, run); });
}

Status fit_path(const Batch& data, const PathOptions& options, const std::vector<std::string>& class_labels,
                std::span<PathPoint> points, Model& model, PathResult& result,
                const MatrixView<FoldScore>& folds) noexcept {
  const FloatEnvironment environment;
  PathResult of_path;
  const auto run = [&](const WeightsView<float>& weights, const FitScaling& scaling, FitResult& of_fit) {
    const Status status =
        fit_path(data, options, points, weights, of_path, {.scaling = scaling, .folds = folds, .weights = {}});
    of_fit = of_path.fit;
    return status;
  };
  FitResult of_fit;
  const Status status = without_exceptions("fit_path", "memory for the model", [&] {
    return fit_to_model(data, options.fit, class_labels, model, of_fit, run);
  });
  if (status.ok() || status.code == StatusCode::diverged) result = of_path;
  return status;
}

}  // namespace lanemax
