// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/standardise.hpp"

#include "engine/fit/row_buffers.hpp"
#include "engine/pass.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {
namespace {

// Calls use(values) for the rows that take part, in order, whatever their type.
template <class Use>
void for_each_values(const Batch& data, const Objective& objective, const KernelTable& table, const Use& use) {
  constexpr std::size_t kRows = 64;
  const RowSource<double> source(data, objective, table.f64);
  const OwnedRowBuffers<double> rows(kRows, round_up(data.features.features, kPanel));
  for (std::size_t begin = 0; begin < data.rows(); begin += kRows) {
    const RowBlock<double> x = source.load(begin, std::min(begin + kRows, data.rows()), rows.at(0));
    for (std::size_t n = 0; n < x.count; ++n) use(x.data + n * x.stride);
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

Status standardise(const Batch& data, const Objective& objective, const KernelTable& table, FeatureMap& map) {
  if (const Status status = find_bad_feature(data, objective.ignored_label); !status.ok()) return status;
  const std::size_t features = data.features.features;
  std::vector<double> mean(features), square(features), low(features, INFINITY), high(features, -INFINITY);
  double rows = 0;
  for_each_values(data, objective, table, [&](const double* x) {
    rows += 1;
    for (std::size_t d = 0; d < features; ++d) {
      mean[d] += x[d];
      low[d] = std::min(low[d], x[d]);
      high[d] = std::max(high[d], x[d]);
    }
  });
  for (double& m : mean) m /= rows;
  for_each_values(data, objective, table, [&](const double* x) {
    for (std::size_t d = 0; d < features; ++d) square[d] += (x[d] - mean[d]) * (x[d] - mean[d]);
  });

  map.centre.resize(features);
  map.factor.resize(features);
  map.exact_factor.resize(features);
  for (std::size_t d = 0; d < features; ++d) {
    // The rounded mean of equal values need not be that value.
    const bool constant = low[d] == high[d];
    map.centre[d] = constant ? low[d] : mean[d];
    if (data.features.type != FeatureType::f64) map.centre[d] = static_cast<double>(static_cast<float>(map.centre[d]));
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
