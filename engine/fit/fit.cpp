// SPDX-License-Identifier: BSD-3-Clause
//
// check -> scale -> solve -> bound the gap -> weights for the caller -> measure
#include <lanemax/fit.hpp>

#include "engine/fail.hpp"
#include "engine/fit/caller_side.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/descent.hpp"
#include "engine/fit/mini_batch.hpp"
#include "engine/fit/row_space.hpp"

#include <new>
#include <utility>

namespace lanemax {
namespace {

/// What is found: the point, and a number that the objective is nowhere below.
struct Solution {
  Vector x;
  double bound = 0;
};

/// lbfgs and newton.
Status descend(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
               Solution& solution, FitResult& result) {
  PreconditionerMatrix preconditioner(problem, choose_preconditioner(problem, options));
  const Status status =
      fit_by_descent(problem, options, validation_weight, control, preconditioner, solution.x, result);
  if (status.ok() || status.code == StatusCode::diverged) solution.bound = lower_bound(problem, solution.x, true);
  return status;
}

/// The same on the coordinates of few rows of many features.
Status descend_in_row_space(FitProblem& problem, const FitOptions& options, std::vector<double> weight_of_penalty,
                            double validation_weight, Control& control, Solution& solution, FitResult& result) {
  RowSpace space(problem, std::move(weight_of_penalty));
  Status status = space.find(control);
  if (status.code == StatusCode::interrupted) {
    result.reason = control.was_cancelled() ? StopReason::interrupted : StopReason::time_limit;
    solution.bound = lower_bound(problem, solution.x, true);
    return {};
  }
  if (!status.ok()) return status;
  FitOptions inside = options;
  if (options.validation != nullptr) inside.validation = &space.coordinates_of(*options.validation);
  FitProblem coordinates(space.data(), options.objective, problem.classes(), problem.table(), problem.threads(),
                         {problem.rows(), problem.total_weight()},
                         {options.objective.l2 / (space.unit() * space.unit())});
  coordinates.measure_lengths(space.unit());
  Solution found{Vector(coordinates.parameters())};
  space.restrict(solution.x, found.x);
  coordinates.set_masked(found.x);
  status = descend(coordinates, inside, validation_weight, control, found, result);
  space.expand(found.x, solution.x);
  solution.bound = found.bound;
  problem.count_passes((space.flops() + coordinates.passes() * coordinates.pass_flops()) / problem.pass_flops());
  return status;
}

template <class T>
Status solve(CallerSide<T>& caller, const FitSizes& sizes, FitResult& given) {
  Status status = caller.map_features(*sizes.table);
  if (!status.ok()) return status;
  const FitOptions& options = caller.options();
  FitProblem problem(caller.data(), options.objective, caller.classes(), *sizes.table, options.execution.threads,
                     sizes.training, caller.penalties(options.objective.l2));
  Solution solution{Vector(problem.parameters())};
  const Vector& x = solution.x;
  status = caller.initial_point(problem, x);
  if (!status.ok()) return status;
  FitIdentity identity;
  if (options.checkpoint != nullptr) {
    identity =
        identity_of(caller.data(), options, caller.classes(), sizes.table->name, options.warm_start ? &x : nullptr);
  }
  Control control(options, std::move(identity));

  FitResult result;
  result.solver = options.solver;
  const double validation_weight = sizes.validation.total_weight;
  if (!is_over_all_rows(options.solver)) {
    status = fit_by_mini_batches(problem, options, validation_weight, control, x, result);
    if (status.ok() || status.code == StatusCode::diverged) solution.bound = lower_bound(problem, x, false);
  } else if (options.preconditioner == Preconditioner::automatic &&
             RowSpace::pays(problem.rows(), problem.features(), problem.classes())) {
    status = descend_in_row_space(problem, options, caller.penalties(1), validation_weight, control, solution, result);
  } else {
    status = descend(problem, options, validation_weight, control, solution, result);
  }
  if (!status.ok() && status.code != StatusCode::diverged) return status;
  caller.round(problem, x);
  const Status measured = measure(problem, x, solution.bound, options.tolerance, result);
  if (!measured.ok()) return measured;
  result.passes = problem.passes();
  result.seconds = control.seconds();
  caller.give_back();
  given = result;
  return status;
}

template <class T>
Status checked_fit(const Batch& data, const FitOptions& options, MatrixView<T> weights, T* bias, FitResult& result) {
  if (weights.empty() || bias == nullptr) {
    return fail(StatusCode::invalid_argument, "weights", "room for the weights and the bias");
  }
  FitSizes sizes;
  const Status status = check_fit(data, options, weights.cols, weights.rows, sizes);
  if (!status.ok()) return status;
  try {
    CallerSide<T> caller(data, options, weights, bias);
    return solve(caller, sizes, result);
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
