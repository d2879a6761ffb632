// SPDX-License-Identifier: BSD-3-Clause
//
// check -> scale -> solve -> bound the gap -> weights for the caller -> measure
#include <lanemax/fit.hpp>

#include "engine/fail.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/solvers/descent.hpp"
#include "engine/fit/solvers/mini_batch.hpp"
#include "engine/fit/space/caller_side.hpp"
#include "engine/fit/space/fit_space.hpp"
#include "engine/float_environment.hpp"

#include <limits>
#include <new>
#include <utility>

namespace lanemax {
namespace {

/// lbfgs and newton, in the space that was found (or not: `status`): x becomes the optimum, `bound` a number that the
/// objective is nowhere below. After an early end nothing is left but to measure what there is, and `bound` stays as it
/// was.
Status descend(FitSpace& space, Status status, double validation_weight, Control& control, const Vector& x,
               double& bound, FitResult& result) {
  // Of a fit that is to go on there is nothing yet that could be handed over.
  if (!status.ok() && space.options().checkpoint.resume) return status;
  if (!status.ok()) {
    result.reason = control.was_cancelled() ? StopReason::interrupted : StopReason::time_limit;
    return status.code == StatusCode::interrupted ? Status{} : status;
  }
  FitProblem& problem = space.problem();
  const FitOptions& options = space.options();
  const Vector point = space.enter(x);
  PreconditionerMatrix preconditioner(problem, choose_preconditioner(problem, options));
  status = SolverDescent(problem, options, validation_weight, control, preconditioner).run(point, result);
  if (!status.ok() && status.code != StatusCode::diverged) return status;
  if (!is_early_end(result.reason)) bound = lower_bound(problem, point, true, control);
  space.leave(point, x);
  return status;
}

template <class T>
Status solve(CallerSide<T>& caller, const FitSizes& sizes, FitResult& given) {
  Status status = caller.map_features(*sizes.table, sizes.training.rows);
  if (!status.ok()) return status;
  const FitOptions& options = caller.options();
  FitProblem problem(caller.data(), options.objective, caller.classes(), *sizes.table, options.execution.threads,
                     sizes.training, caller.penalties(*options.objective.l2), options.bias);
  const Vector x(problem.parameters());
  status = caller.initial_point(problem, x);
  if (!status.ok()) return status;
  Control control(options);
  FitSpace space(problem, options, [&caller](double l2) { return caller.penalties(l2); });
  if (is_over_all_rows(options.solver)) status = space.find(control);
  caller.set_solver(space.options().solver);
  if (status.ok() && !options.checkpoint.file.empty()) {
    control.identify(
        identity_of(caller.data(), options, caller.classes(), sizes.table->name, options.warm_start ? &x : nullptr));
  }

  FitResult result;
  result.solver = options.solver;
  result.l2 = *options.objective.l2;
  const double validation_weight = sizes.validation.total_weight;
  double bound = -std::numeric_limits<double>::infinity();
  if (is_over_all_rows(options.solver)) {
    status = descend(space, status, validation_weight, control, x, bound, result);
  } else {
    status = fit_by_mini_batches(problem, options, validation_weight, control, x, result);
    const bool has_end = status.ok() || status.code == StatusCode::diverged;
    if (has_end && !is_early_end(result.reason)) bound = lower_bound(problem, x, false, control);
  }
  if (!status.ok() && status.code != StatusCode::diverged) return status;
  if (!status.ok() || result.reason == StopReason::no_progress) {
    const Status cause = caller.check_columns(*sizes.table);
    if (!cause.ok()) return cause;
  }
  const Status measured = caller.finish(problem, x, bound, result);
  if (!measured.ok()) return measured;
  result.passes = space.passes();
  result.seconds = control.seconds();
  result.checkpoint_error = control.checkpoint_error();
  caller.give_back();
  given = result;
  return status;
}

template <class T>
Status checked_fit(const Batch& data, const FitOptions& options, const WeightsView<T>& weights, FitResult& result,
                   const FitScaling& scaling) {
  const FloatEnvironment environment;
  FitSizes sizes;
  const Status status = check_fit(data, options, weights, scaling, sizes);
  if (!status.ok()) return status;
  return without_exceptions("fit", "memory for the parameters and a few row blocks", [&] {
    CallerSide<T> caller(data, options, sizes, weights, scaling);
    return solve(caller, sizes, result);
  });
}

}  // namespace

Status fit(const Batch& data, const FitOptions& options, const WeightsView<float>& weights, FitResult& result,
           const FitScaling& scaling) noexcept {
  return checked_fit(data, options, weights, result, scaling);
}
Status fit(const Batch& data, const FitOptions& options, const WeightsView<double>& weights, FitResult& result,
           const FitScaling& scaling) noexcept {
  return checked_fit(data, options, weights, result, scaling);
}

}  // namespace lanemax
