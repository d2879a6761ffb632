// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SPACE_FEATURE_MAP_HPP
#define LANEMAX_ENGINE_FIT_SPACE_FEATURE_MAP_HPP

#include <lanemax/fit.hpp>

#include "engine/dispatch/kernel_table.hpp"

#include <vector>

namespace lanemax {

/// The affine map of each feature that a fit runs on, x' = (x - centre) * factor, and its way back.
struct FeatureMap {
  std::vector<double> centre;  ///< empty: 0
  std::vector<float> factor;   ///< empty: 1
  /// The penalty acts on the weights of features scaled by these; empty: by `factor`.
  std::vector<double> penalised_factor;

  [[nodiscard]] FeatureScaling view() const noexcept { return {centre, factor}; }
  [[nodiscard]] double centre_of(std::size_t d) const noexcept { return centre.empty() ? 0.0 : centre[d]; }
  [[nodiscard]] double factor_of(std::size_t d) const noexcept {
    return factor.empty() ? 1.0 : static_cast<double>(factor[d]);
  }
  /// The penalty of each feature's weights, or one for all.
  [[nodiscard]] std::vector<double> penalties(double l2) const;
};

/// The batch's own scaling.
[[nodiscard]] FeatureMap map_of(const Batch& data);

/// (x - mean) / deviation over the rows that take part, not weighted; constant columns are only centred. The mean is
/// rounded to f32 unless the features are f64: theirs may lie far closer to it than f32 can tell. Throws
/// std::bad_alloc; not_finite if a value is, out_of_range for a column that f32 cannot hold.
[[nodiscard]] Status standardise(const Batch& data, const Objective& objective, const KernelTable& table,
                                 FeatureMap& map);

/// The batch's own scaling, and beyond it what changes nothing but the rounding:
/// - a column whose mean is so large beside its deviation that f32 loses 1e-4 of that is centred, where the bias is
/// free;
/// - a column whose largest value is beyond 2^40, or below 2^-40 and hardly penalised, is scaled by a power of two, and
///   its penalty with it. Not for mini-batches, whose penalty is one for all: there the large one is out_of_range.
/// Which columns these may be is found out from at most 1024 of the `rows` that take part; only those are looked at as
/// a whole. Throws std::bad_alloc; not_finite, out_of_range as above.
[[nodiscard]] Status find_map(const Batch& data, const Objective& objective, const KernelTable& table, std::size_t rows,
                              bool mini_batches, bool has_bias, FeatureMap& map);

/// What the scaling of other rows must be when `from`, that of the data, was changed to `to`.
[[nodiscard]] FeatureMap follow(const Batch& other, const FeatureMap& from, const FeatureMap& to);

}  // namespace lanemax

#endif
