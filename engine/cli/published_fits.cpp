// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_fits.hpp"

#include "engine/cli/command_error.hpp"

#include <lanemax/objective.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <numeric>

namespace lanemax::cli {
namespace {

double loss_of_scores(const std::vector<double>& scores, const Batch& data, Loss kind, Isa isa) {
  Objective objective;
  objective.loss = kind;
  const std::size_t bytes = loss_workspace_bytes<double>(1, 1, scores.size(), 1);
  std::vector<std::byte> memory(bytes + kWorkspaceAlignment);
  void* aligned = memory.data();
  std::size_t room = memory.size();
  if (std::align(kWorkspaceAlignment, bytes, aligned, room) == nullptr) throw std::bad_alloc();
  LossResult result;
  check(
      loss<double>(objective, {{scores.data(), scores.size(), 1}, nullptr}, data, {1, isa}, {aligned, bytes}, result));
  return result.data_loss;
}

double value_of(const Dataset& data, std::size_t row, std::size_t feature) {
  const std::size_t at = row * data.features + feature;
  switch (data.type) {
    case FeatureType::u8: return static_cast<double>(data.bytes[at]);
    case FeatureType::f64: return data.doubles[at];
    default: return static_cast<double>(data.values[at]);
  }
}

double weight_of(const Solution& solution, std::size_t c, std::size_t feature) {
  if (feature == kConstant) return solution.bias[c];
  return solution.weights[c * (solution.weights.size() / solution.bias.size()) + feature];
}

// One per class, or per row of weights.
std::vector<double> scores_of(const Solution& solution, const Dataset& data, std::size_t row) {
  std::vector<double> z = solution.bias;
  for (std::size_t c = 0; c < z.size(); ++c) {
    for (std::size_t d = 0; d < data.features; ++d) z[c] += weight_of(solution, c, d) * value_of(data, row, d);
  }
  return z;
}

std::size_t class_of(const Solution& solution, const Dataset& data, std::size_t row) {
  const std::vector<double> z = scores_of(solution, data, row);
  if (z.size() == 1) return z[0] > 0 ? 1 : 0;
  return static_cast<std::size_t>(std::max_element(z.begin(), z.end()) - z.begin());
}

double count_correct(const Solution& solution, const Dataset& data) {
  double count = 0;
  for (std::size_t row = 0; row < data.samples; ++row) {
    if (class_of(solution, data, row) == static_cast<std::size_t>(data.labels[row])) ++count;
  }
  return count;
}

}  // namespace

Solution solve(const Problem& problem, Samples samples, const Execution& execution) {
  Solution solution;
  solution.samples = std::move(samples);
  const Dataset& data = solution.samples.training;
  Batch batch;
  batch.features = data.view();
  batch.labels = data.labels.data();
  if (!data.sample_weights.empty()) batch.sample_weights = data.sample_weights.data();
  if (!problem.scores.empty()) {
    solution.result.data_loss = loss_of_scores(problem.scores, batch, problem.loss, execution.isa);
    return solution;
  }
  std::vector<float> factor;
  if (data.type == FeatureType::u8) factor.assign(data.features, 1.0F / 255.0F);
  if (!factor.empty()) batch.scaling.factor = factor.data();
  FitOptions options;
  options.objective.loss = problem.loss;
  options.objective.l2 = problem.penalised ? 1 / static_cast<double>(data.samples) : 0;
  options.solver = problem.tolerance == 0 ? Solver::newton : Solver::automatic;
  options.tolerance = problem.tolerance;
  options.standardise = problem.standardise;
  options.execution = execution;
  const std::size_t rows = problem.loss == Loss::logistic ? 1 : data.class_labels.size();
  solution.weights.resize(rows * data.features);
  solution.bias.resize(rows);
  check(fit(batch, options, {solution.weights.data(), rows, data.features}, solution.bias.data(), solution.result));
  return solution;
}

double objective(const Solution& solution) {
  return solution.result.objective;
}
double sum_objective(const Solution& solution) {
  return static_cast<double>(solution.samples.training.samples) * solution.result.objective;
}
double data_loss(const Solution& solution) {
  return solution.result.data_loss;
}
double data_loss_log10(const Solution& solution) {
  return solution.result.data_loss / std::log(10.0);
}
double exp_data_loss(const Solution& solution) {
  return std::exp(solution.result.data_loss);
}
double log_likelihood(const Solution& solution) {
  const Dataset& data = solution.samples.training;
  const std::vector<float>& weights = data.sample_weights;
  const double total =
      weights.empty() ? static_cast<double>(data.samples) : std::accumulate(weights.begin(), weights.end(), 0.0);
  return -total * solution.result.data_loss;
}
double deviance(const Solution& solution) {
  return -2 * log_likelihood(solution);
}
double correct(const Solution& solution) {
  return count_correct(solution, solution.samples.training);
}
double test_accuracy(const Solution& solution) {
  return count_correct(solution, solution.samples.unseen) / static_cast<double>(solution.samples.unseen.samples);
}

Quantity predicted(std::size_t predicted, std::size_t truth) {
  return [=](const Solution& solution) {
    const Dataset& data = solution.samples.training;
    double count = 0;
    for (std::size_t row = 0; row < data.samples; ++row) {
      const bool is_of_class = static_cast<std::size_t>(data.labels[row]) == truth;
      if (is_of_class && class_of(solution, data, row) == predicted) ++count;
    }
    return count;
  };
}

Quantity probability(std::size_t c) {
  return [=](const Solution& solution) {
    std::vector<double> p = scores_of(solution, solution.samples.training, 0);
    const double most = *std::max_element(p.begin(), p.end());
    for (double& value : p) value = std::exp(value - most);
    return p[c] / std::accumulate(p.begin(), p.end(), 0.0);
  };
}

Quantity coefficient(std::size_t feature) {
  return [=](const Solution& solution) { return weight_of(solution, 0, feature); };
}
Quantity contrast(std::size_t c, std::size_t against, std::size_t feature) {
  return
      [=](const Solution& solution) { return weight_of(solution, c, feature) - weight_of(solution, against, feature); };
}

}  // namespace lanemax::cli
