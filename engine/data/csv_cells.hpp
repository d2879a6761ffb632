// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_CELLS_HPP
#define LANEMAX_ENGINE_DATA_CSV_CELLS_HPP

#include <lanemax/status.hpp>

#include <cstdint>
#include <string_view>

#include "engine/data/csv_fields.hpp"

namespace lanemax {

/// How the cells of a file are written, beyond its separator.
struct CellRules {
  char separator = ',';
  char decimal = '.';
  bool commas_may_begin = false;  ///< the first number with a decimal comma will make it the comma
  bool labels_optional = false;
};

/// Why a cell cannot be read.
enum class CellFault : std::uint8_t {
  none,
  text,           ///< not a number
  decimal_comma,  ///< a number with a decimal comma where points are read
  decimal_point,  ///< the reverse
  missing,
  not_finite,
  too_large,  ///< for f32
  weight,     ///< a number, but not one for a sample weight: negative
  missing_label,
  not_utf8,
};

/// The marks that stand for a value that is not there: empty, ? - NA N/A null.
[[nodiscard]] bool is_missing_mark(std::string_view text) noexcept;

/// The marks that stand for a label that is not there, where they are not in quotes; '-' is a label.
[[nodiscard]] bool is_missing_label_mark(std::string_view text) noexcept;

[[nodiscard]] CellFault read_feature(const Field& field, const CellRules& rules, double& value);
[[nodiscard]] CellFault read_weight(const Field& field, const CellRules& rules, float& weight);

/// missing_label, also where labels are optional, or none.
[[nodiscard]] CellFault read_label(const Field& field) noexcept;

/// The refusal of a cell for a fault that it has; `weight`: of a sample weight. Line and column are the caller's.
[[nodiscard]] Status refuse_cell(CellFault fault, const Field& field, const CellRules& rules, bool weight) noexcept;

/// A few words: "text", "missing value".
[[nodiscard]] const char* name_of(CellFault fault) noexcept;

/// What is expected of names: class labels and those of the header.
inline constexpr const char* kExpectedUtf8 = "UTF-8 text (iconv -f LATIN1 -t UTF-8 converts a file in Latin-1)";

}  // namespace lanemax

#endif
