// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/space/caller_side.hpp"

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/space/columns.hpp"
#include "engine/pass/weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

Status refuse(const char* option, const char* expected) {
  return fail(StatusCode::invalid_argument, option, expected);
}

bool is_any_set(const MiniBatches& m) {
  return m.epochs || m.batch_size || m.learning_rate || m.schedule || m.momentum || m.second_moment_decay;
}

// What the solver has no use for must not be asked of it.
Status check_use(const FitOptions& o) {
  const MiniBatches& m = o.mini_batches;
  const Solver solver = choose_solver(o);
  if (!is_over_all_rows(solver)) {
    if (o.preconditioner != Preconditioner::automatic) return refuse("preconditioner", "lbfgs or newton");
    if (m.momentum && solver != Solver::momentum && solver != Solver::adam)
      return refuse("momentum", "momentum or adam");
    if (m.second_moment_decay && solver != Solver::adam) return refuse("second_moment_decay", "adam");
    return {};
  }
  if (o.objective.loss == Loss::hinge)
    return refuse("solver", "sgd, momentum, adam or adagrad: the hinge loss has kinks");
  const char* const unused = m.epochs          ? "epochs"
                             : m.batch_size    ? "batch_size"
                             : m.learning_rate ? "learning_rate"
                             : m.schedule      ? "schedule"
                             : m.momentum      ? "momentum"
                                               : "second_moment_decay";
  return is_any_set(m) ? refuse(unused, "sgd, momentum, adam or adagrad") : Status{};
}

Status check_options(const FitOptions& o) {
  const auto at_least_0 = [](double value) { return value >= 0 && std::isfinite(value); };
  const auto is_decay = [](double value) { return value >= 0 && value < 1; };
  const MiniBatches& m = o.mini_batches;
  if (m.batch_size == 0) return refuse("batch_size", "at least 1");
  const double rate = m.learning_rate.value_or(1);
  if (!(rate >= static_cast<double>(std::numeric_limits<float>::denorm_min()) &&
        rate <= static_cast<double>(std::numeric_limits<float>::max()))) {
    return refuse("learning_rate", "a finite number > 0 in f32, or unset to have it chosen");
  }
  if (!is_decay(m.momentum.value_or(0))) return refuse("momentum", "a number from 0, below 1");
  if (!is_decay(m.second_moment_decay.value_or(0))) return refuse("second_moment_decay", "a number from 0, below 1");
  if (!at_least_0(o.stopping.tolerance)) return refuse("tolerance", "a finite number >= 0");
  if (!at_least_0(o.stopping.time_limit)) return refuse("time_limit", "a finite number >= 0");
  if (!at_least_0(o.checkpoint.seconds)) return refuse("checkpoint seconds", "a finite number >= 0");
  if (o.checkpoint.resume && o.checkpoint.file.empty()) return refuse("resume", "a checkpoint file");
  if (o.checkpoint.file.find('\0') != std::string::npos) return refuse("checkpoint file", "a path without NUL");
  if (o.stopping.early_stopping > 0 && o.validation == nullptr) {
    return refuse("early_stopping", "a validation batch to watch");
  }
  if (o.execution.threads < 1) return refuse("threads", "at least 1");
  if (o.objective.reduction != Reduction::mean) return refuse("reduction", "the mean: a fit minimises the mean loss");
  return check_use(o);
}

// A part of the objective that is not worth a word.
constexpr double kNextToNothing = 1e-7;

}  // namespace

Solver choose_solver(const FitOptions& options) noexcept {
  if (options.solver != Solver::automatic) return options.solver;
  const bool by_mini_batches = options.objective.loss == Loss::hinge || is_any_set(options.mini_batches);
  return by_mini_batches ? Solver::momentum : Solver::lbfgs;
}

FitOptions resolve(const FitOptions& options, const ProblemSize& training) {
  FitOptions all = options;
  all.solver = choose_solver(options);
  if (!all.objective.l2) all.objective.l2 = 1 / training.total_weight;
  MiniBatches& m = all.mini_batches;
  if (!m.epochs) m.epochs = 20;
  if (!m.batch_size) m.batch_size = 128;
  if (!m.schedule) m.schedule = Schedule::cosine;
  if (!m.momentum) m.momentum = 0.9;
  if (!m.second_moment_decay) m.second_moment_decay = 0.999;
  return all;
}

template <class T>
Status check_fit(const Batch& data, const FitOptions& options, const WeightsView<T>& weights, const FitScaling& scaling,
                 FitSizes& sizes) noexcept {
  const std::size_t features = weights.weights.cols, classes = weights.weights.rows;
  const bool needs_bias = options.bias || options.standardise || !data.scaling.centre.empty();
  if (weights.weights.empty() || (needs_bias && weights.bias.empty())) {
    return fail(StatusCode::invalid_argument, "weights", "room for the weights and the bias");
  }
  if (!weights.bias.empty() && weights.bias.size() != classes)
    return fail(StatusCode::shape_mismatch, "bias", "room for an entry per class");
  for (const std::size_t size : {scaling.centre_used.size(), scaling.factor_used.size(), scaling.model_centre.size()}) {
    if (size != 0 && size != features)
      return fail(StatusCode::shape_mismatch, "scaling", "room for an entry per feature");
  }
  Status status = check_options(options);
  const bool scaled = !data.scaling.empty() || (options.validation != nullptr && !options.validation->scaling.empty());
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
  if (status.ok() && !options.objective.l2 && !std::isfinite(1 / sizes.training.total_weight)) {
    status = fail(StatusCode::overflow, "l2", "one that is given, where the weights' sum has no inverse");
  }
  return status.ok() ? select_kernels(options.execution, sizes.table) : status;
}

template <class T>
CallerSide<T>::CallerSide(const Batch& data, const FitOptions& options, const FitSizes& sizes,
                          const WeightsView<T>& weights, const FitScaling& scaling)
    : data_(data),
      options_(resolve(options, sizes.training)),
      given_(weights),
      weights_(weights.weights),
      scaling_(scaling) {}

template <class T>
Status CallerSide<T>::map_features(const KernelTable& table, std::size_t rows) {
  const FeatureMap own = map_of(data_);
  const Status status = options_.standardise ? standardise(data_, options_.objective, table, map_)
                                             : find_map(data_, options_.objective, table, rows,
                                                        !is_over_all_rows(options_.solver), options_.bias, map_);
  if (!status.ok()) return status;
  if (options_.validation != nullptr && (map_.centre != own.centre || map_.factor != own.factor)) {
    validation_ = *options_.validation;
    validation_map_ = follow(validation_, own, map_);
    validation_.scaling = validation_map_.view();
    options_.validation = &validation_;
  }
  data_.scaling = map_.view();
  return {};
}

template <class T>
Status CallerSide<T>::check_columns(const KernelTable& table) const {
  const std::size_t features = data_.features.features;
  const std::vector<ColumnSpread> columns = look_at_columns(data_, options_.objective, table, 0, features);
  Status status;
  for (std::size_t d = 0; d < features && status.ok(); ++d) status = check_range(columns[d], d);
  return status;
}

template <class T>
Status CallerSide<T>::initial_point(FitProblem& problem, const Vector& x) const {
  std::fill(x.data() + problem.weights(), x.data() + problem.parameters(), -std::numeric_limits<double>::infinity());
  std::fill_n(x.data() + problem.weights(), classes(), 0.0);
  if (options_.warm_start) {
    const Buffer<T> checked(problem.parameters());
    const Status status = import_weights<T>(given_, checked.data(), checked.data() + problem.weights());
    if (!status.ok()) return status;
    to_point(problem, weights_, given_.bias, x);
    for (std::size_t c = 0; !options_.bias && c < classes(); ++c) {
      double& b = x[problem.weights() + c];
      b = std::isinf(b) ? b : 0;
    }
  }
  problem.set_masked(x);
  return {};
}

// W (x - c) + b is (W / factor) x' + (b + W (centre - c)); c is 0 or the centre itself.
template <class T>
void CallerSide<T>::to_point(const FitProblem& problem, MatrixView<const T> weights, std::span<const T> bias,
                             const Vector& x) const {
  for (std::size_t c = 0; c < weights.rows; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < weights.cols; ++d) {
      const double w = static_cast<double>(weights.at(c, d));
      shift += w * folded_centre(d);
      x[weight_index(weights.cols, weights.rows, c, d)] = w / map_.factor_of(d);
    }
    x[problem.weights() + c] = (bias.empty() ? 0.0 : static_cast<double>(bias[c])) + shift;
  }
}

// `rounded`: what the rounded weights stand for.
template <class T>
Status CallerSide<T>::round(const FitProblem& problem, const Vector& x, const Vector& rounded) {
  const std::size_t features = weights_.cols;
  rounded_weights_ = Buffer<T>(classes() * features);
  rounded_bias_ = Buffer<T>(classes());
  for (std::size_t c = 0; c < classes(); ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < features; ++d) {
      const double raw = x[weight_index(features, classes(), c, d)] * map_.factor_of(d);
      shift += raw * folded_centre(d);
      const T weight = static_cast<T>(raw);
      if (!std::isfinite(weight))
        return column_out_of_range(d, raw, "weights within f32: another unit for this column");
      rounded_weights_[c * features + d] = weight;
    }
    rounded_bias_[c] = static_cast<T>(x[problem.weights() + c] - shift);
  }
  copy(rounded, x);  // the padding
  to_point(problem, {rounded_weights_.data(), classes(), features}, {rounded_bias_.data(), classes()}, rounded);
  return {};
}

// The objective is convex: rounding raised it by no more than the gradient after it times the change.
template <class T>
Status CallerSide<T>::measure_rounded(FitProblem& problem, const Vector& x, double bound, FitResult& result) {
  const Vector rounded(x.size()), gradient(x.size());
  Status status = round(problem, x, rounded);
  if (status.ok()) status = measure(problem, rounded, bound, options_.stopping.tolerance, result, gradient);
  if (!status.ok()) return status;
  double cost = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isfinite(x[i])) cost += gradient[i] * (rounded[i] - x[i]);
  }
  result.centred = centred_;
  result.rounding_cost = std::isfinite(result.objective) ? std::max(cost, 0.0) : result.objective;
  result.rounded_feature = -1;
  if (result.rounding_cost > kNextToNothing * result.objective) {
    result.rounded_feature = most_sensitive(problem, rounded, gradient);
    result.converged = result.converged && result.gradient_norm <= options_.stopping.tolerance;
  }
  return {};
}

// The feature to whose weights' relative rounding the objective answers most.
template <class T>
std::ptrdiff_t CallerSide<T>::most_sensitive(const FitProblem& problem, const Vector& x, const Vector& gradient) const {
  double most = -1;
  std::ptrdiff_t feature = -1;
  for (std::size_t d = 0; d < weights_.cols; ++d) {
    double answer = 0;
    for (std::size_t c = 0; c < classes(); ++c) {
      const std::size_t at = weight_index(weights_.cols, classes(), c, d);
      const double by_bias = gradient[problem.weights() + c] * folded_centre(d) * map_.factor_of(d);
      answer += std::abs(x[at] * (gradient[at] + by_bias));
    }
    if (answer > most) {
      most = answer;
      feature = static_cast<std::ptrdiff_t>(d);
    }
  }
  return feature;
}

template <class T>
Status CallerSide<T>::finish(FitProblem& problem, const Vector& x, double bound, FitResult& result) {
  if (std::isfinite(bound)) bound = std::max(bound, 0.0);  // as the objective is
  FitResult folded = result;
  Status status = measure_rounded(problem, x, bound, folded);
  if (status.ok() && folded.rounded_feature >= 0 && !scaling_.model_centre.empty() && !map_.centre.empty()) {
    FitResult around = result;
    centred_ = true;
    status = measure_rounded(problem, x, bound, around);
    if (status.ok() && around.rounding_cost < folded.rounding_cost / 2) {
      result = around;
      return {};
    }
    centred_ = false;  // then it is not for the centre that rounding costs so much
    if (status.ok()) status = measure_rounded(problem, x, bound, folded);
  }
  if (status.ok()) result = folded;
  return status;
}

template <class T>
void CallerSide<T>::give(const WeightsView<T>& to) const {
  for (std::size_t c = 0; c < classes(); ++c) {
    for (std::size_t d = 0; d < weights_.cols; ++d) to.weights.at(c, d) = rounded_weights_[c * weights_.cols + d];
    if (!to.bias.empty()) to.bias[c] = rounded_bias_[c];
  }
}

template <class T>
void CallerSide<T>::give_back() const {
  give(given_);
  if (centred_) std::ranges::copy(map_.centre, scaling_.model_centre.begin());
  if (!options_.standardise) return;
  if (!scaling_.centre_used.empty()) std::ranges::copy(map_.centre, scaling_.centre_used.begin());
  if (!scaling_.factor_used.empty()) std::ranges::copy(map_.factor, scaling_.factor_used.begin());
}

template Status check_fit<float>(const Batch&, const FitOptions&, const WeightsView<float>&, const FitScaling&,
                                 FitSizes&) noexcept;
template Status check_fit<double>(const Batch&, const FitOptions&, const WeightsView<double>&, const FitScaling&,
                                  FitSizes&) noexcept;
template class CallerSide<float>;
template class CallerSide<double>;

}  // namespace lanemax
