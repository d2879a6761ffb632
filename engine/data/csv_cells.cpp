// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_cells.hpp"

#include <algorithm>
#include <array>

#include "engine/data/number.hpp"
#include "engine/fail.hpp"

namespace lanemax {

namespace {

CellFault fault_of_text(std::string_view text, char decimal) {
  if (is_missing_mark(text)) return CellFault::missing;
  double value = 0;
  if (decimal == ',' && parse_number(text, value) == NumberError::none) return CellFault::decimal_point;
  return decimal != ',' && has_decimal_comma(text) ? CellFault::decimal_comma : CellFault::text;
}

}  // namespace

bool is_missing_mark(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 9> kMarks = {"", "?", "-", "NA", "N/A", "na", "n/a", "null", "NULL"};
  return std::find(kMarks.begin(), kMarks.end(), text) != kMarks.end();
}

bool is_missing_label_mark(std::string_view text) noexcept {
  return (is_missing_mark(text) && text != "-") || text == "nan" || text == "NaN";
}

CellFault read_feature(const Field& field, const CellRules& rules, double& value) {
  float rounded = 0;
  switch (parse_number(field.text, rules.decimal, value)) {
    case NumberError::none: return round_to_float(value, rounded) ? CellFault::none : CellFault::too_large;
    case NumberError::out_of_range: return CellFault::too_large;
    case NumberError::not_finite: return CellFault::not_finite;
    case NumberError::not_a_number: break;
  }
  return fault_of_text(field.text, rules.decimal);
}

CellFault read_weight(const Field& field, const CellRules& rules, float& weight) {
  double value = 0;
  const CellFault fault = read_feature(field, rules, value);
  if (fault != CellFault::none) return fault;
  if (value < 0) return CellFault::weight;
  weight = static_cast<float>(value);
  return CellFault::none;
}

CellFault read_label(const Field& field) noexcept {
  const bool missing = field.text.empty() || (!field.quoted && is_missing_label_mark(field.text));
  return missing ? CellFault::missing_label : CellFault::none;
}

Status refuse_cell(CellFault fault, const Field& field, const CellRules& rules, bool weight) noexcept {
  const auto bad = [&](const char* what, const char* expected) {
    return fail(fault == CellFault::not_finite ? StatusCode::not_finite : StatusCode::bad_data, what, expected,
                field.text);
  };
  if (fault == CellFault::missing_label) return bad("missing label", "a label in every row (in quotes if it is one)");
  if (fault == CellFault::not_utf8) return bad("label", kExpectedUtf8);
  if (weight) return bad("sample weight", "a finite number, at least 0");
  switch (fault) {
    case CellFault::missing: return bad("missing value", "a number in every cell");
    case CellFault::not_finite: return bad("value", "a finite number");
    case CellFault::too_large: return bad("value too large", "magnitudes up to 3.4e38 (32-bit float)");
    case CellFault::decimal_point: return bad("value", "a number with a decimal comma (--decimal . reads points)");
    case CellFault::decimal_comma:
      return bad("value", rules.separator == ','
                              ? "a number with a decimal point (--separator , --decimal , reads quoted commas)"
                              : "a number with a decimal point (--decimal , reads commas)");
    default: return bad("value", "a number");
  }
}

const char* name_of(CellFault fault) noexcept {
  switch (fault) {
    case CellFault::none: return "nothing";
    case CellFault::text: return "text";
    case CellFault::decimal_comma: return "decimal comma";
    case CellFault::decimal_point: return "decimal point";
    case CellFault::missing: return "missing value";
    case CellFault::not_finite: return "value not finite";
    case CellFault::too_large: return "value too large";
    case CellFault::weight: return "negative weight";
    case CellFault::missing_label: return "missing label";
    case CellFault::not_utf8: return "label not UTF-8";
  }
  return "";
}

}  // namespace lanemax
