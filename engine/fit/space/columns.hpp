// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SPACE_COLUMNS_HPP
#define LANEMAX_ENGINE_FIT_SPACE_COLUMNS_HPP

#include <lanemax/objective.hpp>

#include "engine/dispatch/kernel_table.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lanemax {

/// Of one column, over the rows that take part, not weighted and not scaled. (A Column is one of a model's table.)
struct ColumnSpread {
  double mean = 0;
  double deviation = 0;  ///< of the population
  double low = 0, high = 0;

  /// The rounded mean of equal values need not be that value.
  [[nodiscard]] bool is_constant() const noexcept { return low == high; }
  [[nodiscard]] double largest() const noexcept { return largest_from(0); }
  [[nodiscard]] double largest_from(double centre) const noexcept {
    return std::max(std::abs(low - centre), std::abs(high - centre));
  }
};

/// Looks at columns [first, end) in two passes in double, rows in order. The values must be finite. Throws
/// std::bad_alloc.
[[nodiscard]] std::vector<ColumnSpread> look_at_columns(const Batch& data, const Objective& objective,
                                                        const KernelTable& table, std::size_t first, std::size_t end);

/// out_of_range, naming column `d`, unless the largest of its values is from 1e-30 to 1e30, well within f32, or all of
/// them are equal.
[[nodiscard]] Status check_range(const ColumnSpread& column, std::size_t d) noexcept;

/// The same refusal for another reason: `found` is no good.
[[nodiscard]] Status column_out_of_range(std::size_t d, double found, const char* expected) noexcept;

}  // namespace lanemax

#endif
