// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/statistics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace {

using namespace lanemax;

TEST(Statistics, MeanAndPopulationDeviation) {
  const std::array<float, 8> values{1, 10, 2, 10, 3, 10, 6, 10};
  const FeatureStatistics result = feature_statistics({values.data(), 4, 2}, {});
  EXPECT_DOUBLE_EQ(result.mean[0], 3);
  EXPECT_DOUBLE_EQ(result.deviation[0], std::sqrt(3.5));
  EXPECT_EQ(result.mean[1], 10);
  EXPECT_EQ(result.deviation[1], 0);
}

TEST(Statistics, OnlyTheGivenRowsCount) {
  const std::array<std::uint8_t, 6> values{0, 100, 255, 4, 8, 12};
  const std::array<std::uint32_t, 2> rows{3, 5};
  const FeatureStatistics result = feature_statistics({values.data(), 6, 1}, rows);
  EXPECT_EQ(result.mean[0], 8);
  EXPECT_EQ(result.deviation[0], 4);
}

// The sum of a thousand times 0.1F over a thousand is not 0.1F.
TEST(Statistics, ConstantColumnsHaveNoDeviation) {
  const std::vector<float> values(1001, 0.1F);
  const FeatureStatistics result = feature_statistics({values.data(), 1001, 1}, {});
  EXPECT_EQ(result.mean[0], static_cast<double>(0.1F));
  EXPECT_EQ(result.deviation[0], 0);
}

TEST(Statistics, AFarOffsetKeepsTheDeviation) {
  const std::array<double, 4> values{1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 6};
  EXPECT_NEAR(feature_statistics({values.data(), 4, 1}, {}).deviation[0], std::sqrt(3.5), 1e-9);
}

}  // namespace
