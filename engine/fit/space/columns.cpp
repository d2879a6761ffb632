// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/space/columns.hpp"

#include "engine/fail.hpp"
#include "engine/fit/row_buffers.hpp"

#include <cstdio>

namespace lanemax {
namespace {

constexpr double kSmallest = 1e-30, kLargest = 1e30;

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

std::vector<ColumnSpread> look_at_columns(const Batch& data, const Objective& objective, const KernelTable& table,
                                          std::size_t first, std::size_t end) {
  Batch part = data;
  part.scaling = {};
  part.features = data.features.columns(first, end - first);
  const std::size_t count = end - first;
  std::vector<double> mean(count), square(count), low(count, INFINITY), high(count, -INFINITY);
  double rows = 0;
  for_each_values(part, objective, table, [&](const double* x) {
    rows += 1;
    for (std::size_t d = 0; d < count; ++d) {
      mean[d] += x[d];
      low[d] = std::min(low[d], x[d]);
      high[d] = std::max(high[d], x[d]);
    }
  });
  for (double& m : mean) m /= rows;
  for_each_values(part, objective, table, [&](const double* x) {
    for (std::size_t d = 0; d < count; ++d) square[d] += (x[d] - mean[d]) * (x[d] - mean[d]);
  });
  std::vector<ColumnSpread> columns(count);
  for (std::size_t d = 0; d < count; ++d) columns[d] = {mean[d], std::sqrt(square[d] / rows), low[d], high[d]};
  return columns;
}

Status column_out_of_range(std::size_t d, double found, const char* expected) noexcept {
  return fail_at(StatusCode::out_of_range, "features", expected, at_column(d), found);
}

Status check_range(const ColumnSpread& column, std::size_t d) noexcept {
  const double largest = column.largest();
  if (column.is_constant() ? std::isfinite(static_cast<float>(largest)) : largest >= kSmallest && largest <= kLargest) {
    return {};
  }
  return column_out_of_range(d, largest, "numbers whose largest is from 1e-30 to 1e30: another unit for this column");
}

}  // namespace lanemax
