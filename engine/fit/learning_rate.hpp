// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_LEARNING_RATE_HPP
#define LANEMAX_ENGINE_FIT_LEARNING_RATE_HPP

#include <lanemax/fit.hpp>

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {

/// 1 / L for an estimate L of the largest curvature of the mean loss plus penalty: c * lambda_max(X'X / n) + l2 over a
/// sample of the rows, X with a column of ones for the bias; c = 1/2 for softmax (Boehning's bound), 1/4 for logistic.
/// The hinge loss has no curvature; it is given that of a loss whose gradient changes as much (C - 1). Out of memory:
/// 0.
[[nodiscard]] double estimate_learning_rate(const Batch& batch, const Objective& objective, std::size_t classes,
                                            const Kernels<float>& kernels, LogitsForm form) noexcept;

/// The rate of step `step` of `steps` by the schedule.
[[nodiscard]] double scheduled_rate(Schedule schedule, double rate, std::size_t step, std::size_t steps) noexcept;

}  // namespace lanemax

#endif
