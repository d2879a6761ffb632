// SPDX-License-Identifier: BSD-3-Clause
//
// check -> scale -> solve -> bound the gap -> weights for the caller -> measure
#include <lanemax/fit.hpp>

#include "engine/fail.hpp"
#include "engine/fit/caller_side.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/descent.hpp"
#include "engine/fit/mini_batch.hpp"

#include <new>
#include <utility>

namespace lanemax {
namespace {

template <class T>
Status solve(CallerSide<T>& caller, const FitSizes& sizes, FitResult& given) {
  Status status = caller.map_features(*sizes.table, sizes.training.rows);
  if (!status.ok()) return status;
  const FitOptions& options = caller.options();
  FitProblem problem(caller.data(), options.objective, caller.classes(), *sizes.table, options.execution.threads,
                     sizes.training, caller.penalties(options.objective.l2));
  Vector x(problem.parameters());
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
  const bool over_all_rows = is_over_all_rows(options.solver);
  const double validation_weight = sizes.validation.total_weight;
  if (over_all_rows) {
    PreconditionerMatrix preconditioner(problem, choose_preconditioner(problem, options));
    status = fit_by_descent(problem, options, validation_weight, control, preconditioner, x, result);
  } else {
    status = fit_by_mini_batches(problem, options, validation_weight, control, x, result);
  }
  if (!status.ok() && status.code != StatusCode::diverged) return status;
  if (!status.ok() || result.reason == StopReason::no_progress) {
    const Status cause = caller.check_columns(*sizes.table);
    if (!cause.ok()) return cause;
  }
  const double bound = lower_bound(problem, x, over_all_rows);
  const Status measured = caller.finish(problem, x, bound, result);
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
