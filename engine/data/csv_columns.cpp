// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_columns.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "engine/data/number.hpp"
#include "engine/data/refuse.hpp"

namespace lanemax {

namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool begins_like_a_number(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  if (!text.empty() && text.front() == '.') text.remove_prefix(1);
  return !text.empty() && is_digit(text.front());
}

bool is_name(std::string_view text) {
  double value = 0;
  return !is_missing_mark(text) && !begins_like_a_number(text) && parse_number(text, value) != NumberError::not_finite;
}

bool is_index(std::string_view text, std::int64_t& index) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc{} && stop == text.data() + text.size();
}

// Some files quote names in single quotes, which are not quotes to this reader.
std::string without_single_quotes(const std::string& name) {
  const bool quoted = name.size() >= 2 && name.front() == '\'' && name.back() == '\'';
  return quoted ? name.substr(1, name.size() - 2) : name;
}

std::vector<std::string> header_names(const std::vector<std::string>& row) {
  std::vector<std::string> names;
  names.reserve(row.size());
  for (const std::string& field : row) names.push_back(without_single_quotes(field));
  return names;
}

std::string list_of_columns(const std::vector<std::string>& row, bool named) {
  constexpr std::size_t kLongest = 200;
  std::string text = "the file has " + std::to_string(row.size()) + (row.size() == 1 ? " column" : " columns");
  if (!named) return text;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string entry = (i == 0 ? ": " : ", ") + std::to_string(i) + ' ' + shown(without_single_quotes(row[i]));
    if (text.size() + entry.size() > kLongest) return text + ", ...";
    text += entry;
  }
  return text;
}

Status usage(const char* what, const char* expected, std::string_view found) {
  return refuse(StatusCode::invalid_argument, what, expected, found);
}

Status find_by_name(const std::string& name, const std::vector<std::string>& row, const char* what, std::size_t& at) {
  at = kNone;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (without_single_quotes(row[i]) != name) continue;
    if (at != kNone) return usage(what, "a name that only one column has, or an index", name);
    at = i;
  }
  return at != kNone ? Status{} : usage(what, "the name or 0-based index of a column of the file", name);
}

Status find_column(const std::string& wanted, const std::vector<std::string>& row, const char* what, std::size_t& at) {
  std::int64_t index = 0;
  if (!is_index(wanted, index)) return find_by_name(wanted, row, what, at);
  const auto count = static_cast<std::int64_t>(row.size());
  if (index < -count || index >= count) return usage(what, "an index within the columns of the file", wanted);
  at = static_cast<std::size_t>(index < 0 ? index + count : index);
  return {};
}

Status check_names(const std::vector<std::string>& names) {
  const auto bad = std::find_if_not(names.begin(), names.end(), is_utf8);
  if (bad == names.end()) return {};
  Status status = refuse(StatusCode::bad_data, "header name", kExpectedUtf8, *bad);
  status.column = bad - names.begin();
  return status;
}

// In a file with numbered names, "1" may be meant as either.
Status refuse_name_of_another(const std::string& wanted, const std::vector<std::string>& names, const char* what,
                              std::size_t at) {
  std::int64_t index = 0;
  if (at == kNone || !is_index(wanted, index)) return {};
  const auto named = std::find(names.begin(), names.end(), wanted);
  if (named == names.end() || names[at] == wanted) return {};
  return usage(what, "an index that is not also the name of another column (count from the end: -1 is the last)",
               wanted);
}

Status decide_header(const std::vector<std::string>& row, const std::vector<ColumnRole>& roles, bool& is_header) {
  std::size_t names = 0, numbers = 0, first_name = kNone;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (roles[i] == ColumnRole::label) continue;
    if (is_name(row[i])) {
      if (names++ == 0) first_name = i;
    } else if (begins_like_a_number(row[i])) {
      ++numbers;
    }
  }
  is_header = names > 0;
  if (names == 0 || names >= numbers) return {};
  Status status = refuse(StatusCode::bad_data, "first row has names and numbers",
                         "only numbers (beside the label), or to be told whether it is a header", row[first_name]);
  status.column = static_cast<std::int64_t>(first_name);
  return status;
}

bool counts_up(const std::vector<std::string>& row, const std::vector<ColumnRole>& roles, bool labels_too,
               std::size_t at_least) {
  double expected = -1;
  std::size_t count = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!labels_too && roles[i] == ColumnRole::label) continue;
    double value = 0;
    if (parse_number(row[i], value) != NumberError::none) return false;
    const bool fits = count == 0 ? value == 0 || value == 1 : value == expected;
    if (!fits) return false;
    expected = value + 1;
    ++count;
  }
  return count >= at_least;
}

}  // namespace

bool CsvColumns::has(ColumnRole role) const noexcept {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

bool is_missing_mark(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 9> kMarks = {"", "?", "-", "NA", "N/A", "na", "n/a", "null", "NULL"};
  return std::find(kMarks.begin(), kMarks.end(), text) != kMarks.end();
}

Status choose_columns(const std::vector<std::string>& first_row, const ReadOptions& options, CsvColumns& columns,
                      std::string& note) {
  const std::string& wanted_label = options.label_column;
  const bool default_label = wanted_label.empty();
  const bool no_label = wanted_label == "none" || (default_label && options.labels_optional);
  std::int64_t ignored = 0;
  const bool label_by_name = !default_label && !no_label && !is_index(wanted_label, ignored);
  const bool weight_by_name = !options.weight_column.empty() && !is_index(options.weight_column, ignored);
  const bool by_name = label_by_name || weight_by_name;
  const bool header_known = options.header == HeaderMode::yes || by_name;
  note = list_of_columns(first_row, header_known);
  if (by_name && options.header == HeaderMode::no) {
    return usage(label_by_name ? "label column" : "weight column", "a 0-based index where there is no header",
                 label_by_name ? wanted_label : options.weight_column);
  }

  std::size_t label = kNone, weight = kNone;
  if (!options.weight_column.empty()) {
    Status status = find_column(options.weight_column, first_row, "weight column", weight);
    if (!status.ok()) return status;
  }
  if (!default_label && !no_label) {
    if (Status status = find_column(wanted_label, first_row, "label column", label); !status.ok()) return status;
  } else if (!no_label) {
    const std::size_t last = first_row.size() - 1;
    label = weight == last && last > 0 ? last - 1 : last;
  }
  if (label != kNone && label == weight) {
    return usage("weight column", "a column other than the label's", options.weight_column);
  }

  columns.roles.assign(first_row.size(), ColumnRole::feature);
  if (label != kNone) columns.roles[label] = ColumnRole::label;
  if (weight != kNone) columns.roles[weight] = ColumnRole::sample_weight;
  columns.features =
      static_cast<std::size_t>(std::count(columns.roles.begin(), columns.roles.end(), ColumnRole::feature));
  if (columns.features == 0) {
    return refuse(StatusCode::bad_data, "no feature columns", "features beside the label (is the separator right?)",
                  std::to_string(first_row.size()) + (first_row.size() == 1 ? " column" : " columns"));
  }

  columns.has_header = header_known;
  if (!header_known && options.header == HeaderMode::automatic) {
    if (Status status = decide_header(first_row, columns.roles, columns.has_header); !status.ok()) return status;
    columns.header_guessed_absent = !columns.has_header;
  }
  if (columns.has_header) {
    columns.names = header_names(first_row);
    if (Status status = check_names(columns.names); !status.ok()) return status;
    Status status = refuse_name_of_another(wanted_label, columns.names, "label column", label);
    if (status.ok()) status = refuse_name_of_another(options.weight_column, columns.names, "weight column", weight);
    if (!status.ok()) return status;
  }
  note.clear();
  return {};
}

Status match_columns(const std::vector<std::string>& first_row, HeaderMode mode, const CsvColumns& columns,
                     bool& is_header) {
  is_header = false;
  if (first_row.size() != columns.roles.size()) {
    return refuse(StatusCode::shape_mismatch, "number of columns", "the same columns in every data file",
                  std::to_string(first_row.size()) + ", not " + std::to_string(columns.roles.size()));
  }
  if (mode == HeaderMode::no) return {};
  const std::vector<std::string> names = header_names(first_row);
  if (columns.has_header && names == columns.names) {
    is_header = true;
    return {};
  }
  if (mode == HeaderMode::automatic) {
    if (Status status = decide_header(first_row, columns.roles, is_header); !status.ok() || !is_header) return status;
  }
  if (!columns.has_header) {
    return refuse(StatusCode::shape_mismatch, "header", "none, as in the first data file", names.front());
  }
  const auto differs = std::mismatch(names.begin(), names.end(), columns.names.begin()).first;
  Status status = refuse(StatusCode::shape_mismatch, "header", "the same names as in the first data file", *differs);
  status.column = differs - names.begin();
  return status;
}

NumberedNames numbered_names(const std::vector<std::string>& first_row, const CsvColumns& columns) {
  return {counts_up(first_row, columns.roles, false, 3), counts_up(first_row, columns.roles, true, 8)};
}

}  // namespace lanemax
