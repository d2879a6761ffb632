// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CURVATURE_BIAS_STEP_HPP
#define LANEMAX_ENGINE_FIT_CURVATURE_BIAS_STEP_HPP

#include "engine/fit/problem.hpp"

#include <vector>

namespace lanemax {

/// A Newton step in the bias alone, with the Hessian of a sample of the rows: sum_i s_i (diag(p_i) - p_i p_i'). What is
/// left of the bias's gradient after it is the sample's error, so the more classes, the more rows. False if there is
/// none.
[[nodiscard]] bool bias_newton_step(const FitProblem& problem, const Vector& x, const Vector& gradient,
                                    std::vector<double>& step);

}  // namespace lanemax

#endif
