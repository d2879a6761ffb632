// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SOLVERS_LEARNING_RATE_HPP
#define LANEMAX_ENGINE_FIT_SOLVERS_LEARNING_RATE_HPP

#include <lanemax/fit.hpp>

#include "engine/fit/problem.hpp"

#include <vector>

namespace lanemax {

/// 1 / L for an estimate L of the largest curvature of the mean loss plus penalty: b * lambda_max(X'X / n) + l2 over a
/// sample of `rows`, those of the problem's data that take part; X with a column of ones for the bias; b = 1/2 for
/// softmax (Boehning's bound), 1/4 for logistic. The hinge loss has no curvature; it is given that of a loss whose
/// gradient changes as much (C - 1). `drawn` > 0: for descent without momentum, so many rows a step, at a rate that
/// comes down to 0: more than 1 / L where steps stay stable. May throw std::bad_alloc.
[[nodiscard]] double estimate_learning_rate(const FitProblem& problem, double l2,
                                            const std::vector<std::uint32_t>& rows, std::size_t drawn);

/// The rate of step `step` of `steps` by the schedule.
[[nodiscard]] double scheduled_rate(Schedule schedule, double rate, std::size_t step, std::size_t steps) noexcept;

}  // namespace lanemax

#endif
