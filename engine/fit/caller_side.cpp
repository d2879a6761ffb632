// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/caller_side.hpp"

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

Status refuse(const char* option, const char* expected) {
  return fail(StatusCode::invalid_argument, option, expected);
}

Status check_options(const FitOptions& o) {
  const auto at_least_0 = [](double value) { return value >= 0 && std::isfinite(value); };
  const auto is_decay = [](double value) { return value >= 0 && value < 1; };
  if (o.batch_size < 1) return refuse("batch_size", "at least 1");
  if (!(o.learning_rate >= 0 && o.learning_rate <= static_cast<double>(std::numeric_limits<float>::max()))) {
    return refuse("learning_rate", "a finite number > 0, or 0 to have it chosen");
  }
  if (!is_decay(o.momentum)) return refuse("momentum", "a number from 0, below 1");
  if (!is_decay(o.second_moment_decay)) return refuse("second_moment_decay", "a number from 0, below 1");
  if (!at_least_0(o.tolerance)) return refuse("tolerance", "a finite number >= 0");
  if (!at_least_0(o.time_limit)) return refuse("time_limit", "a finite number >= 0");
  if (!at_least_0(o.checkpoint_seconds)) return refuse("checkpoint_seconds", "a finite number >= 0");
  if (o.resume && o.checkpoint == nullptr) return refuse("resume", "a checkpoint file");
  if (o.early_stopping > 0 && o.validation == nullptr) return refuse("early_stopping", "a validation batch to watch");
  if (o.execution.threads < 1) return refuse("threads", "at least 1");
  if (o.objective.reduction != Reduction::mean) return refuse("reduction", "the mean: a fit minimises the mean loss");
  if (o.objective.loss == Loss::hinge && is_over_all_rows(o.solver)) {
    return refuse("solver", "sgd, momentum or adam: the hinge loss has kinks");
  }
  return {};
}

bool is_scaled(const Batch& batch) {
  return batch.scaling.centre != nullptr || batch.scaling.factor != nullptr;
}

}  // namespace

Solver choose_solver(const FitOptions& options) noexcept {
  if (options.solver != Solver::automatic) return options.solver;
  return options.objective.loss == Loss::hinge ? Solver::momentum : Solver::lbfgs;
}

Status check_fit(const Batch& data, const FitOptions& options, std::size_t features, std::size_t classes,
                 FitSizes& sizes) noexcept {
  Status status = check_options(options);
  const bool scaled = is_scaled(data) || (options.validation != nullptr && is_scaled(*options.validation));
  if (status.ok() && options.standardise && scaled) {
    status = refuse("standardise", "data without a scaling of its own");
  }
  if (status.ok()) status = check_problem(options.objective, data, features, classes, sizes.training);
  if (status.ok() && data.features.samples > std::size_t{0xffffffff}) {
    status = fail(StatusCode::shape_mismatch, "features", "at most 4294967295 rows");
  }
  if (status.ok() && options.validation != nullptr) {
    status = check_problem(options.objective, *options.validation, features, classes, sizes.validation);
  }
  return status.ok() ? select_kernels(options.execution.isa, sizes.table) : status;
}

template <class T>
CallerSide<T>::CallerSide(const Batch& data, const FitOptions& options, MatrixView<T> weights, T* bias)
    : data_(data), options_(options), weights_(weights), bias_(bias), map_(map_of(data)) {
  options_.solver = choose_solver(options);
}

template <class T>
Status CallerSide<T>::map_features(const KernelTable& table) {
  if (!options_.standardise) return {};
  const Status status = standardise(data_, options_.objective, table, map_);
  data_.scaling = map_.view();
  if (options_.validation != nullptr) {
    validation_ = *options_.validation;
    validation_.scaling = map_.view();
    options_.validation = &validation_;
  }
  return status;
}

template <class T>
Status CallerSide<T>::initial_point(FitProblem& problem, const Vector& x) const {
  std::fill(x.data() + problem.weights(), x.data() + problem.parameters(), -std::numeric_limits<double>::infinity());
  std::fill_n(x.data() + problem.weights(), classes(), 0.0);
  if (options_.warm_start) {
    const Buffer<T> checked(problem.parameters());
    const Status status = import_weights<T>({weights_, bias_}, checked.data(), checked.data() + problem.weights());
    if (!status.ok()) return status;
    to_point(problem, weights_, bias_, x);
  }
  problem.set_masked(x);
  return {};
}

// W x + b for raw features is (W / factor) x' + (b + sum_d W centre) for scaled ones.
template <class T>
void CallerSide<T>::to_point(const FitProblem& problem, MatrixView<const T> weights, const T* bias,
                             const Vector& x) const {
  for (std::size_t c = 0; c < weights.rows; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < weights.cols; ++d) {
      const double w = static_cast<double>(weights.at(c, d));
      if (folds()) shift += w * map_.centre_of(d);
      x[weight_index(weights.cols, weights.rows, c, d)] = folds() ? w / map_.factor_of(d) : w;
    }
    x[problem.weights() + c] = static_cast<double>(bias[c]) + shift;
  }
}

template <class T>
void CallerSide<T>::round(const FitProblem& problem, const Vector& x) {
  const std::size_t features = weights_.cols;
  kept_weights_ = Buffer<T>(classes() * features);
  kept_bias_ = Buffer<T>(classes());
  for (std::size_t c = 0; c < classes(); ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < features; ++d) {
      const double w = x[weight_index(features, classes(), c, d)], raw = folds() ? w * map_.factor_of(d) : w;
      if (folds()) shift += raw * map_.centre_of(d);
      kept_weights_[c * features + d] = static_cast<T>(raw);
    }
    kept_bias_[c] = static_cast<T>(x[problem.weights() + c] - shift);
  }
  to_point(problem, {kept_weights_.data(), classes(), features}, kept_bias_.data(), x);
}

template <class T>
void CallerSide<T>::give_back() const {
  for (std::size_t c = 0; c < classes(); ++c) {
    for (std::size_t d = 0; d < weights_.cols; ++d) weights_.at(c, d) = kept_weights_[c * weights_.cols + d];
    bias_[c] = kept_bias_[c];
  }
  if (options_.centre_used != nullptr) std::copy(map_.centre.begin(), map_.centre.end(), options_.centre_used);
  if (options_.factor_used != nullptr) std::copy(map_.factor.begin(), map_.factor.end(), options_.factor_used);
}

template class CallerSide<float>;
template class CallerSide<double>;

}  // namespace lanemax
