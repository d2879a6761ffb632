// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lanemax {
namespace {

template <class T, class Use>
void for_each_row(const FeaturesView& features, std::span<const std::uint32_t> rows, const Use& use) {
  const T* data = static_cast<const T*>(features.data);
  const std::size_t count = rows.empty() ? features.samples : rows.size();
  for (std::size_t i = 0; i < count; ++i) {
    use(data + (rows.empty() ? i : rows[i]) * features.row_stride);
  }
}

template <class T>
FeatureStatistics statistics_of(const FeaturesView& features, std::span<const std::uint32_t> rows) {
  const std::size_t count = rows.empty() ? features.samples : rows.size();
  const std::size_t width = features.features;
  FeatureStatistics result{std::vector<double>(width), std::vector<double>(width)};
  if (count == 0) return result;

  const T* first = static_cast<const T*>(features.data) + (rows.empty() ? 0 : rows[0]) * features.row_stride;
  std::vector<T> low(first, first + width);
  std::vector<T> high = low;
  for_each_row<T>(features, rows, [&](const T* row) {
    for (std::size_t d = 0; d < width; ++d) {
      result.mean[d] += static_cast<double>(row[d]);
      low[d] = std::min(low[d], row[d]);
      high[d] = std::max(high[d], row[d]);
    }
  });
  for (double& mean : result.mean) mean /= static_cast<double>(count);

  for_each_row<T>(features, rows, [&](const T* row) {
    for (std::size_t d = 0; d < width; ++d) {
      const double difference = static_cast<double>(row[d]) - result.mean[d];
      result.deviation[d] += difference * difference;
    }
  });
  for (std::size_t d = 0; d < width; ++d) {
    // The rounded mean of equal values need not be that value; a constant column must still come out as one.
    const bool constant = low[d] == high[d];
    if (constant) result.mean[d] = static_cast<double>(low[d]);
    result.deviation[d] = constant ? 0 : std::sqrt(result.deviation[d] / static_cast<double>(count));
  }
  return result;
}

}  // namespace

FeatureStatistics feature_statistics(const FeaturesView& features, std::span<const std::uint32_t> rows) {
  switch (features.type) {
    case FeatureType::u8: return statistics_of<std::uint8_t>(features, rows);
    case FeatureType::f64: return statistics_of<double>(features, rows);
    default: return statistics_of<float>(features, rows);
  }
}

}  // namespace lanemax
