// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SOLVERS_MINI_BATCH_HPP
#define LANEMAX_ENGINE_FIT_SOLVERS_MINI_BATCH_HPP

#include "engine/fit/control.hpp"
#include "engine/fit/problem.hpp"

namespace lanemax {

/// sgd, momentum, adam and adagrad: a fused step of the engine per mini-batch of shuffled rows, in f32. Begins at `x`
/// and leaves it at the weights that the fit is to return. `options.validation` weighs `validation_weight`. Sets the
/// result's reason, learning_rate and iterations. StatusCode::diverged: see fit().
[[nodiscard]] Status fit_by_mini_batches(FitProblem& problem, const FitOptions& options, double validation_weight,
                                         Control& control, const Vector& x, FitResult& result);

}  // namespace lanemax

#endif
