// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/space/feature_map.hpp"

#include "engine/fit/space/columns.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/row_source.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lanemax {
namespace {

constexpr double kUnit = 0x1p-24;  // of f32's rounding
constexpr double kLost = 1e-4;     // of a column's deviation: no more than this may be lost to it
constexpr int kComfort = 40;       // powers of two, up or down, within which sums of squares are no trouble to f32
constexpr double kMostForMiniBatches = 0x1p53;  // sums of a few thousand squares are within f32
constexpr std::size_t kSampleRows = 1024;
constexpr const char* kSpread = "a spread whose inverse is a normal f32: another unit for this column";

double centre_for(const Batch& data, const ColumnSpread& column) {
  const double centre = column.is_constant() ? column.low : column.mean;
  return data.features.type == FeatureType::f64 ? centre : static_cast<double>(static_cast<float>(centre));
}
bool is_off_centre(const ColumnSpread& column, double centre, double lost) {
  return kUnit * std::abs(column.mean - centre) > lost * column.deviation;
}
bool is_comfortable(double size) {
  return size == 0 || (size >= std::ldexp(1.0, -kComfort) && size <= std::ldexp(1.0, kComfort));
}

// Rows evenly spaced over those that take part.
std::vector<std::uint32_t> sample_of(const Batch& data, const Objective& objective, std::size_t rows) {
  const std::size_t wanted = std::min(rows, kSampleRows);
  std::vector<std::uint32_t> sample;
  std::size_t kept = 0;
  for_each_kept_row(data, objective.ignored_label, [&](std::size_t row, double) {
    if ((kept + 1) * wanted / rows > kept * wanted / rows) sample.push_back(static_cast<std::uint32_t>(row));
    ++kept;
  });
  return sample;
}

// The power of two that brings values of this size near 1. Small ones have nothing to say where there is a penalty: the
// objective gains at most size^2 / (2 l2). Where that is hardly one, they are lifted to a penalty of 1 at most.
int exponent_for(double size, double l2) {
  constexpr double kHardlyAny = 0x1p-50;
  const int exponent = -std::ilogb(size);
  if (exponent < 0 || l2 == 0) return exponent;
  return l2 < kHardlyAny ? std::min(exponent, -std::ilogb(l2) / 2) : 0;
}

// What find_map() does about one column.
Status adjust(const Batch& data, const Objective& objective, const ColumnSpread& column, std::size_t d,
              bool mini_batches, bool has_bias, FeatureMap& map) {
  if (const Status status = check_range(column, d); !status.ok()) return status;
  const double factor = std::abs(map.factor_of(d));
  double centre = map.centre_of(d);
  const bool gains = column.is_constant() ? !is_comfortable(factor * column.largest_from(centre))
                                          : is_off_centre(column, centre, kLost);
  if (has_bias && gains) {
    centre = centre_for(data, column);
    if (map.centre.empty()) map.centre.resize(data.features.features);
    map.centre[d] = centre;
  }
  const double size = factor * column.largest_from(centre);
  if (is_comfortable(size)) return {};
  if (mini_batches) {
    if (size <= kMostForMiniBatches) return {};
    return column_out_of_range(d, size, "columns up to 9e15 for mini-batches: standardised ones, or lbfgs");
  }
  const int exponent = exponent_for(size, *objective.l2);
  if (exponent == 0) return {};
  if (map.factor.empty()) map.factor.assign(data.features.features, 1.0F);
  if (map.penalised_factor.empty()) map.penalised_factor.assign(map.factor.begin(), map.factor.end());
  map.factor[d] = std::ldexp(map.factor[d], exponent);
  return std::isnormal(map.factor[d]) ? Status{} : column_out_of_range(d, column.deviation, kSpread);
}

}  // namespace

std::vector<double> FeatureMap::penalties(double l2) const {
  if (penalised_factor.empty()) return {l2};
  std::vector<double> each(penalised_factor.size());
  for (std::size_t d = 0; d < each.size(); ++d) {
    const double ratio = factor_of(d) / penalised_factor[d];
    each[d] = l2 * ratio * ratio;
  }
  return each;
}

FeatureMap map_of(const Batch& data) {
  FeatureMap map;
  map.centre.assign(data.scaling.centre.begin(), data.scaling.centre.end());
  map.factor.assign(data.scaling.factor.begin(), data.scaling.factor.end());
  return map;
}

Status standardise(const Batch& data, const Objective& objective, const KernelTable& table, FeatureMap& map) {
  if (const Status status = find_bad_feature(data, objective.ignored_label); !status.ok()) return status;
  const std::vector<ColumnSpread> columns = look_at_columns(data, objective, table, 0, data.features.features);
  map.centre.resize(columns.size());
  map.factor.resize(columns.size());
  map.penalised_factor.resize(columns.size());
  for (std::size_t d = 0; d < columns.size(); ++d) {
    const ColumnSpread& column = columns[d];
    if (const Status status = check_range(column, d); !status.ok()) return status;
    map.centre[d] = centre_for(data, column);
    map.penalised_factor[d] = column.is_constant() ? 1 : 1 / column.deviation;
    map.factor[d] = static_cast<float>(map.penalised_factor[d]);
    if (!std::isnormal(map.factor[d])) return column_out_of_range(d, column.deviation, kSpread);
  }
  return {};
}

Status find_map(const Batch& data, const Objective& objective, const KernelTable& table, std::size_t rows,
                bool mini_batches, bool has_bias, FeatureMap& map) {
  map = map_of(data);
  const std::vector<std::uint32_t> sample = sample_of(data, objective, rows);
  Batch sampled = data;
  sampled.selection = sample;
  const std::size_t features = data.features.features;
  const std::vector<ColumnSpread> seen = look_at_columns(sampled, objective, table, 0, features);
  const auto may_need_it = [&](std::size_t d) {
    const double centre = map.centre_of(d);
    return is_off_centre(seen[d], centre, kLost / 4) ||
           !is_comfortable(std::abs(map.factor_of(d)) * seen[d].largest_from(centre));
  };
  for (std::size_t first = 0, end = 0; first < features; first = end + 1) {
    for (end = first; end < features && may_need_it(end);) ++end;
    if (end == first) continue;
    const std::vector<ColumnSpread> columns = look_at_columns(data, objective, table, first, end);
    for (std::size_t d = first; d < end; ++d) {
      const ColumnSpread& column = columns[d - first];
      Status status;
      if (!std::isfinite(column.mean)) status = find_bad_feature(data, objective.ignored_label);
      if (status.ok()) status = adjust(data, objective, column, d, mini_batches, has_bias, map);
      if (!status.ok()) return status;
    }
  }
  return {};
}

FeatureMap follow(const Batch& other, const FeatureMap& from, const FeatureMap& to) {
  FeatureMap map = map_of(other);
  const std::size_t features = other.features.features;
  map.centre.resize(features);
  map.factor.resize(features, 1.0F);
  for (std::size_t d = 0; d < features; ++d) {
    map.centre[d] += (to.centre_of(d) - from.centre_of(d)) * (from.factor_of(d) / map.factor_of(d));
    map.factor[d] = static_cast<float>(map.factor_of(d) * (to.factor_of(d) / from.factor_of(d)));
  }
  return map;
}

}  // namespace lanemax
