// SPDX-License-Identifier: BSD-3-Clause
//
// check -> standardise -> solve -> certify -> weights for raw features
#include <lanemax/fit.hpp>

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/lbfgs.hpp"
#include "engine/fit/mini_batch.hpp"
#include "engine/fit/newton.hpp"
#include "engine/fit/standardise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

namespace lanemax {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool over_all_rows(Solver solver) {
  return solver == Solver::lbfgs || solver == Solver::newton;
}

Status check_options(const FitOptions& o) {
  const auto finite_at_least = [](double value, double least) { return value >= least && std::isfinite(value); };
  const auto decay = [](double value) { return value >= 0 && value < 1; };
  if (o.batch_size < 1) return fail(StatusCode::invalid_argument, "batch_size", "at least 1");
  if (!(o.learning_rate >= 0 && o.learning_rate <= static_cast<double>(std::numeric_limits<float>::max()))) {
    return fail(StatusCode::invalid_argument, "learning_rate", "a finite number > 0, or 0 to have it estimated");
  }
  if (!decay(o.momentum)) return fail(StatusCode::invalid_argument, "momentum", "a number from 0, below 1");
  if (!decay(o.second_moment_decay)) {
    return fail(StatusCode::invalid_argument, "second_moment_decay", "a number from 0, below 1");
  }
  if (!finite_at_least(o.tolerance, 0)) return fail(StatusCode::invalid_argument, "tolerance", "a finite number >= 0");
  if (!finite_at_least(o.time_limit, 0))
    return fail(StatusCode::invalid_argument, "time_limit", "a finite number >= 0");
  if (o.early_stopping > 0 && o.validation == nullptr) {
    return fail(StatusCode::invalid_argument, "early_stopping", "a validation batch to watch");
  }
  if (o.execution.threads < 1) return fail(StatusCode::invalid_argument, "threads", "at least 1");
  if (o.objective.reduction != Reduction::mean) {
    return fail(StatusCode::invalid_argument, "reduction", "the mean: a fit minimises the mean loss");
  }
  if (o.objective.loss == Loss::hinge && over_all_rows(o.solver)) {
    return fail(StatusCode::invalid_argument, "solver", "sgd, momentum or adam: the hinge loss has kinks");
  }
  if (!finite_at_least(o.checkpoint_seconds, 0)) {
    return fail(StatusCode::invalid_argument, "checkpoint_seconds", "a finite number >= 0");
  }
  if (o.resume && o.checkpoint == nullptr) return fail(StatusCode::invalid_argument, "resume", "a checkpoint file");
  return {};
}

Status check_scaling(const Batch& data, const FitOptions& o) {
  const auto is_scaled = [](const Batch& b) { return b.scaling.centre != nullptr || b.scaling.factor != nullptr; };
  if (o.standardise && (is_scaled(data) || (o.validation != nullptr && is_scaled(*o.validation)))) {
    return fail(StatusCode::invalid_argument, "standardise", "data without a scaling of its own");
  }
  return {};
}

Solver choose_solver(const FitOptions& options) {
  if (options.solver != Solver::automatic) return options.solver;
  return options.objective.loss == Loss::hinge ? Solver::momentum : Solver::lbfgs;
}

/// One call of fit(). T is the scalar of the weights that the caller wants.
template <class T>
class Fit {
 public:
  Fit(const Batch& data, const FitOptions& options, const KernelTable& table, MatrixView<T> weights, T* bias)
      : data_(data), options_(options), table_(table), weights_(weights), bias_(bias) {
    options_.solver = choose_solver(options);
  }

  Status run(const ProblemSize& size, double validation_weight, FitResult& result) {
    Status status = map_features();
    if (!status.ok()) return status;
    FitProblem problem(data_, options_.objective, weights_.rows, table_, options_.execution.threads, size,
                       map_.penalties(options_.objective.l2));
    Vector x(problem.parameters());
    status = initial_point(problem, x);
    if (!status.ok()) return status;
    FitIdentity identity;
    if (options_.checkpoint != nullptr) {
      identity = identity_of(data_, options_, weights_.rows, table_.name, options_.warm_start ? &x : nullptr);
    }
    Control control(options_, std::move(identity));
    result_.solver = options_.solver;
    status = over_all_rows(options_.solver)
                 ? descend(problem, validation_weight, control, x)
                 : fit_by_mini_batches(problem, options_, validation_weight, control, x, result_);
    if (!status.ok() && status.code != StatusCode::diverged) return status;
    const Status certified = certify(problem, x);
    if (!certified.ok()) return certified;
    result_.passes = problem.passes();
    result_.seconds = control.seconds();
    for (std::size_t c = 0; c < weights_.rows; ++c) {
      for (std::size_t d = 0; d < weights_.cols; ++d) weights_.at(c, d) = returned_.weights[c * weights_.cols + d];
      bias_[c] = returned_.bias[c];
    }
    if (options_.centre_used != nullptr) std::copy(map_.centre.begin(), map_.centre.end(), options_.centre_used);
    if (options_.factor_used != nullptr) std::copy(map_.factor.begin(), map_.factor.end(), options_.factor_used);
    result = result_;
    return status;
  }

 private:
  [[nodiscard]] bool folds() const { return options_.standardise || options_.fold_scaling; }

  Status map_features() {
    map_ = map_of(data_);
    if (!options_.standardise) return {};
    const Status status = standardise(data_, options_.objective, map_);
    data_.scaling = map_.view();
    if (options_.validation != nullptr) {
      validation_ = *options_.validation;
      validation_.scaling = map_.view();
      options_.validation = &validation_;
    }
    return status;
  }

  // ---- weights: the caller's, in rows of classes, and a point of the problem ----

  Status initial_point(FitProblem& problem, const Vector& x) const {
    std::fill_n(x.data() + problem.weights(), bias_count(weights_.rows), -std::numeric_limits<double>::infinity());
    std::fill_n(x.data() + problem.weights(), weights_.rows, 0.0);
    if (options_.warm_start) {
      OwnedWorkspace memory((problem.parameters()) * sizeof(T));
      if (memory.empty()) throw std::bad_alloc();
      T* checked = static_cast<T*>(memory.view().data);
      const Status status = import_weights<T>({weights_, bias_}, checked, checked + problem.weights());
      if (!status.ok()) return status;
      to_point(
          problem, [&](std::size_t c, std::size_t d) { return static_cast<double>(weights_.at(c, d)); },
          [&](std::size_t c) { return static_cast<double>(bias_[c]); }, x);
    }
    problem.set_masked(x);
    return {};
  }

  // W x + b for raw features is (W / factor) x' + (b + sum_d W centre) for scaled ones.
  template <class Weight, class Bias>
  void to_point(const FitProblem& problem, const Weight& weight, const Bias& bias, const Vector& x) const {
    for (std::size_t c = 0; c < weights_.rows; ++c) {
      double shift = 0;
      for (std::size_t d = 0; d < weights_.cols; ++d) {
        const double w = weight(c, d);
        if (folds()) shift += w * map_.centre_of(d);
        x[weight_index(weights_.cols, weights_.rows, c, d)] = folds() ? w / map_.factor_of(d) : w;
      }
      x[problem.weights() + c] = bias(c) + shift;
    }
  }
  void from_point(const FitProblem& problem, const Vector& x) {
    returned_.weights = Buffer<T>(weights_.rows * weights_.cols);
    returned_.bias = Buffer<T>(weights_.rows);
    for (std::size_t c = 0; c < weights_.rows; ++c) {
      double shift = 0;
      for (std::size_t d = 0; d < weights_.cols; ++d) {
        const double w = x[weight_index(weights_.cols, weights_.rows, c, d)];
        const double raw = folds() ? w * map_.factor_of(d) : w;
        if (folds()) shift += raw * map_.centre_of(d);
        returned_.weights[c * weights_.cols + d] = static_cast<T>(raw);
      }
      returned_.bias[c] = static_cast<T>(x[problem.weights() + c] - shift);
    }
  }

  // ---- the solvers over all rows ----

  Status descend(FitProblem& problem, double validation_weight, Control& control, const Vector& x) {
    Preconditioner kind = options_.preconditioner;
    if (kind == Preconditioner::automatic) kind = choose_preconditioner(problem, options_.solver);
    if (problem.has_gauge()) problem.centre(x);  // the loss does not change, the penalty does not grow
    Lbfgs lbfgs(options_.solver == Solver::lbfgs ? problem.parameters() : 0);
    Newton newton(problem, control, kind == Preconditioner::full);
    DirectionRule& rule = options_.solver == Solver::lbfgs ? static_cast<DirectionRule&>(lbfgs) : newton;
    Descent descent(problem, options_, validation_weight, control, rule, kind);
    const Status status = descent.run(x, result_);
    if (status.code != StatusCode::overflow) return status;
    const Status cause = find_bad_feature(data_, options_.objective.ignored_label);
    if (!cause.ok()) return cause;
    result_.reason = StopReason::diverged;
    return fail(StatusCode::diverged, "training", "scaled features, or smaller initial weights");
  }

  // ---- what is known of the weights that are returned ----

  Status certify(FitProblem& problem, const Vector& x) {
    double bound = 0;
    Status status = lower_bound(problem, x, over_all_rows(options_.solver), bound);
    if (!status.ok()) bound = -std::numeric_limits<double>::infinity();
    from_point(problem, x);
    to_point(
        problem,
        [&](std::size_t c, std::size_t d) { return static_cast<double>(returned_.weights[c * weights_.cols + d]); },
        [&](std::size_t c) { return static_cast<double>(returned_.bias[c]); }, x);
    Vector gradient(problem.parameters());
    Value value;
    status = problem.evaluate(x, Precision::f64, value, &gradient);
    if (!status.ok()) {
      const Status cause = find_bad_feature(data_, options_.objective.ignored_label);
      if (!cause.ok()) return cause;
      result_.objective = result_.data_loss = result_.gradient_norm = result_.gap_bound = kNaN;
      return {};
    }
    result_.objective = value.objective;
    result_.data_loss = value.data_loss;
    result_.gradient_norm = largest_entry(gradient);
    result_.gap_bound = std::isfinite(bound) ? std::max(value.objective - bound, 0.0) : kNaN;
    result_.converged = options_.tolerance > 0 && result_.gradient_norm <= options_.tolerance;
    return {};
  }

  Batch data_, validation_;
  FitOptions options_;
  const KernelTable& table_;
  MatrixView<T> weights_;
  T* bias_;
  FeatureMap map_;
  struct {
    Buffer<T> weights, bias;
  } returned_;
  FitResult result_;
};

template <class T>
Status checked_fit(const Batch& data, const FitOptions& options, MatrixView<T> weights, T* bias, FitResult& result) {
  Status status = check_options(options);
  if (status.ok()) status = check_scaling(data, options);
  if (status.ok() && (weights.empty() || bias == nullptr)) {
    status = fail(StatusCode::invalid_argument, "weights", "room for the weights and the bias");
  }
  ProblemSize size, validation_size;
  if (status.ok()) status = check_problem(options.objective, data, weights.cols, weights.rows, size);
  if (status.ok() && data.features.samples > std::size_t{0xffffffff}) {
    status = fail(StatusCode::shape_mismatch, "features", "at most 4294967295 rows");
  }
  if (status.ok() && options.validation != nullptr) {
    status = check_problem(options.objective, *options.validation, weights.cols, weights.rows, validation_size);
  }
  const KernelTable* table = nullptr;
  if (status.ok()) status = select_kernels(options.execution.isa, table);
  if (!status.ok()) return status;
  try {
    return Fit<T>(data, options, *table, weights, bias).run(size, validation_size.total_weight, result);
  } catch (const std::bad_alloc&) {
    return fail(StatusCode::out_of_memory, "fit", "memory for the parameters and a few row blocks");
  }
}

}  // namespace

Status fit(const Batch& data, const FitOptions& options, MatrixView<float> weights, float* bias,
           FitResult& result) noexcept {
  return checked_fit(data, options, weights, bias, result);
}
Status fit(const Batch& data, const FitOptions& options, MatrixView<double> weights, double* bias,
           FitResult& result) noexcept {
  return checked_fit(data, options, weights, bias, result);
}

}  // namespace lanemax
