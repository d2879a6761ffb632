// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_CHECKS_HPP
#define LANEMAX_ENGINE_PASS_CHECKS_HPP

#include <lanemax/objective.hpp>
#include <lanemax/status.hpp>

namespace lanemax {

/// Of a problem: what check_problem() counts.
struct ProblemSize {
  std::size_t rows = 0;  ///< that take part
  double total_weight = 0;
};
/// Whether no two elements share memory.
[[nodiscard]] Status check_strides(const FeaturesView& features) noexcept;
/// Centres are finite; factors too, and neither 0 nor subnormal, so that there is a way back.
[[nodiscard]] Status check_scaling(const FeatureScaling& scaling, std::size_t features) noexcept;
/// Everything a pass takes for granted about its objective and batch, the values of the features excepted.
[[nodiscard]] Status check_problem(const Objective& objective, const Batch& batch, std::size_t features,
                                   std::size_t classes, ProblemSize& size) noexcept;
/// The first NaN or infinity of the features that a pass would read, as a status; ok if there is none.
[[nodiscard]] Status find_bad_feature(const Batch& batch, std::int32_t ignored_label) noexcept;

}  // namespace lanemax

#endif
