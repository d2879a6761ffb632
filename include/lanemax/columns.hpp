// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_COLUMNS_HPP
#define LANEMAX_COLUMNS_HPP

#include <cstdint>
#include <string>

namespace lanemax {

/// What a column of a table is for. `id` names or numbers the rows; `dropped` is for nothing.
enum class ColumnRole : std::uint8_t { feature, label, weight, id, dropped };

struct Column {
  std::string name = {};  ///< from the header, or empty
  ColumnRole role = ColumnRole::feature;
  bool operator==(const Column&) const = default;
};

}  // namespace lanemax

#endif
