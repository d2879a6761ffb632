// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_PATH_HELD_OUT_HPP
#define LANEMAX_ENGINE_FIT_PATH_HELD_OUT_HPP

#include <lanemax/fit_path.hpp>

#include "engine/fit/problem.hpp"

#include <cstdint>
#include <vector>

namespace lanemax {

/// What rows that a fit has not seen say of it.
struct HeldOut {
  double loss = 0;     ///< mean
  double correct = 0;  ///< weight of the rows whose class is the most probable one; NaN for target probabilities
  double weight = 0;   ///< of all of them; 0: there are none
};

/// These rows of the batch; both must outlive it. Not for no rows.
[[nodiscard]] Batch selected(Batch batch, const std::vector<std::uint32_t>& rows) noexcept;
[[nodiscard]] ProblemSize size_of(const Batch& batch, const std::vector<std::uint32_t>& rows) noexcept;

/// What these rows of the batch say of the weights x of a problem of this shape. Runs an f64 pass. A loss that is not
/// finite is infinite; not_finite if a feature is to blame. Throws std::bad_alloc.
[[nodiscard]] Status judge(const FitProblem& problem, const Batch& batch, const std::vector<std::uint32_t>& rows,
                           const Vector& x, HeldOut& held);

/// The point's held-out numbers. The mean over all rows is a ratio of two sums over the folds, and its standard error
/// that of such a ratio.
void summarise(const std::vector<HeldOut>& folds, PathPoint& point) noexcept;

}  // namespace lanemax

#endif
