// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_STANDARDISE_HPP
#define LANEMAX_ENGINE_FIT_STANDARDISE_HPP

#include <lanemax/fit.hpp>

#include "engine/dispatch/kernel_table.hpp"

#include <vector>

namespace lanemax {

/// The affine map of each feature that a fit runs on, x' = (x - centre) * factor, and its way back.
struct FeatureMap {
  std::vector<double> centre;  ///< empty: 0
  std::vector<float> factor;   ///< empty: 1
  /// In double, what `factor` is the rounding of; the penalty acts on weights of features scaled by these.
  std::vector<double> exact_factor;

  [[nodiscard]] FeatureScaling view() const noexcept {
    return {centre.empty() ? nullptr : centre.data(), factor.empty() ? nullptr : factor.data()};
  }
  [[nodiscard]] double centre_of(std::size_t d) const noexcept { return centre.empty() ? 0.0 : centre[d]; }
  [[nodiscard]] double factor_of(std::size_t d) const noexcept {
    return factor.empty() ? 1.0 : static_cast<double>(factor[d]);
  }
  [[nodiscard]] bool is_identity() const noexcept { return centre.empty() && factor.empty(); }
  /// The penalty of each feature's weights, or one for all.
  [[nodiscard]] std::vector<double> penalties(double l2) const;
};

/// (x - mean) / deviation over the rows that take part (not weighted), in two passes in double, rows in order; constant
/// columns, and those whose deviation has no inverse in f32, are only centred. The mean is rounded to f32 unless the
/// features are f64: theirs may lie far closer to it than f32 can tell. Throws std::bad_alloc; not_finite if a value
/// is.
[[nodiscard]] Status standardise(const Batch& data, const Objective& objective, const KernelTable& table,
                                 FeatureMap& map);

/// The batch's own scaling.
[[nodiscard]] FeatureMap map_of(const Batch& data);

}  // namespace lanemax

#endif
