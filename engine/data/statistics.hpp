// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_STATISTICS_HPP
#define LANEMAX_ENGINE_DATA_STATISTICS_HPP

#include <lanemax/views.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace lanemax {

/// Of each feature over some rows.
struct FeatureStatistics {
  std::vector<double> mean;
  std::vector<double> deviation;  ///< of the population (divided by the number of rows); exactly 0 for constant columns
};

/// Two passes in double, rows in order, unweighted: the same bits for any number of threads. `rows` empty: all rows.
/// Types f32, f64 and u8. May throw std::bad_alloc.
[[nodiscard]] FeatureStatistics feature_statistics(const FeaturesView& features, std::span<const std::uint32_t> rows);

}  // namespace lanemax

#endif
