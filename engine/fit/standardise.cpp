// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/standardise.hpp"

#include "engine/pass.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace lanemax {
namespace {

double half(std::uint16_t bits) {
  const double magnitude = (bits & 0x7c00U) == 0 ? std::ldexp(bits & 0x3ffU, -24)
                                                 : std::ldexp((bits & 0x3ffU) | 0x400U, ((bits >> 10) & 0x1f) - 25);
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

// Calls use(d, value) for every value of every row that takes part.
template <class T, class Value, class Use>
void for_each_value(const Batch& data, const Objective& objective, const Value& value, const Use& use) {
  const FeaturesView& x = data.features;
  for (std::size_t i = 0; i < data.rows(); ++i) {
    const std::size_t row = data.selection == nullptr ? i : data.selection[i];
    if (data.sample_weights != nullptr && data.sample_weights[row] == 0.0f) continue;
    if (data.labels != nullptr && data.labels[row] == objective.ignored_label) continue;
    const T* values = static_cast<const T*>(x.data) + row * x.row_stride;
    for (std::size_t d = 0; d < x.features; ++d) use(d, value(values[d]));
  }
}

template <class Use>
void for_each_value(const Batch& data, const Objective& objective, const Use& use) {
  const auto widen = [](auto v) { return static_cast<double>(v); };
  switch (data.features.type) {
    case FeatureType::f32: return for_each_value<float>(data, objective, widen, use);
    case FeatureType::f64: return for_each_value<double>(data, objective, widen, use);
    case FeatureType::u8: return for_each_value<std::uint8_t>(data, objective, widen, use);
    case FeatureType::f16: return for_each_value<std::uint16_t>(data, objective, half, use);
    case FeatureType::bf16:
      return for_each_value<std::uint16_t>(
          data, objective,
          [](std::uint16_t v) {
            return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(v) << 16));
          },
          use);
  }
}

}  // namespace

std::vector<double> FeatureMap::penalties(double l2) const {
  if (exact_factor.empty()) return {l2};
  std::vector<double> each(exact_factor.size());
  for (std::size_t d = 0; d < each.size(); ++d) {
    const double ratio = factor_of(d) / exact_factor[d];
    each[d] = l2 * ratio * ratio;
  }
  return each;
}

Status standardise(const Batch& data, const Objective& objective, FeatureMap& map) {
  if (const Status status = find_bad_feature(data, objective.ignored_label); !status.ok()) return status;
  const std::size_t features = data.features.features;
  std::vector<double> mean(features), square(features), low(features, INFINITY), high(features, -INFINITY);
  double rows = 0;
  for_each_value(data, objective, [&](std::size_t d, double v) {
    rows += d == 0 ? 1 : 0;
    mean[d] += v;
    low[d] = std::min(low[d], v);
    high[d] = std::max(high[d], v);
  });
  for (double& m : mean) m /= rows;
  for_each_value(data, objective, [&](std::size_t d, double v) { square[d] += (v - mean[d]) * (v - mean[d]); });

  map.centre.resize(features);
  map.factor.resize(features);
  map.exact_factor.resize(features);
  for (std::size_t d = 0; d < features; ++d) {
    // The rounded mean of equal values need not be that value.
    const bool constant = low[d] == high[d];
    map.centre[d] = static_cast<float>(constant ? low[d] : mean[d]);
    const double exact = 1 / std::sqrt(square[d] / rows);
    const float rounded = static_cast<float>(exact);
    const bool usable = !constant && std::isnormal(rounded);
    map.factor[d] = usable ? rounded : 1.0f;
    map.exact_factor[d] = usable ? exact : 1.0;
  }
  return {};
}

FeatureMap map_of(const Batch& data) {
  FeatureMap map;
  const std::size_t features = data.features.features;
  if (data.scaling.centre != nullptr) map.centre.assign(data.scaling.centre, data.scaling.centre + features);
  if (data.scaling.factor != nullptr) map.factor.assign(data.scaling.factor, data.scaling.factor + features);
  return map;
}

}  // namespace lanemax
