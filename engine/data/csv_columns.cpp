// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_columns.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "engine/data/csv_cells.hpp"
#include "engine/data/number.hpp"
#include "engine/fail.hpp"

namespace lanemax {

namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool begins_like_a_number(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  if (!text.empty() && text.front() == '.') text.remove_prefix(1);
  return !text.empty() && is_digit(text.front());
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

Status usage(const char* what, const char* expected, std::string_view found) {
  return fail(StatusCode::invalid_argument, what, expected, found);
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

// In a file with numbered names, "1" may be meant as either.
Status refuse_name_of_another(const std::string& wanted, const std::vector<std::string>& names, const char* what,
                              std::size_t at) {
  std::int64_t index = 0;
  if (!is_index(wanted, index)) return {};
  const auto named = std::find(names.begin(), names.end(), wanted);
  if (named == names.end() || names[at] == wanted) return {};
  return usage(what, "an index that is not also the name of another column (count from the end: -1 is the last)",
               wanted);
}

bool counts_up(const std::vector<std::string>& row, const std::vector<ColumnRole>& roles, bool labels_too,
               std::size_t at_least) {
  double expected = -1;
  std::size_t count = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!labels_too && roles[i] != ColumnRole::feature && roles[i] != ColumnRole::weight) continue;
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

bool is_name(std::string_view text) {
  double value = 0;
  return !is_missing_mark(text) && !begins_like_a_number(text) && parse_number(text, value) != NumberError::not_finite;
}

std::vector<std::string> header_names(const std::vector<std::string>& row) {
  std::vector<std::string> names;
  names.reserve(row.size());
  for (const std::string& field : row) names.push_back(without_single_quotes(field));
  return names;
}

Status check_header_names(const std::vector<std::string>& names) {
  const auto bad = std::find_if_not(names.begin(), names.end(), is_utf8);
  if (bad == names.end()) return {};
  Status status = fail(StatusCode::bad_data, "header name", kExpectedUtf8, *bad);
  status.column = bad - names.begin();
  return status;
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

Status decide_header(const std::vector<std::string>& row, const std::vector<ColumnRole>& roles, bool& is_header) {
  std::size_t names = 0, numbers = 0, first_name = kNone;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (roles[i] != ColumnRole::feature && roles[i] != ColumnRole::weight) continue;
    if (is_name(row[i])) {
      if (names++ == 0) first_name = i;
    } else if (begins_like_a_number(row[i])) {
      ++numbers;
    }
  }
  is_header = names > 0;
  if (names == 0 || names >= numbers) return {};
  Status status = fail(StatusCode::bad_data, "first row has names and numbers",
                       "only numbers (beside the label), or --header yes or no", row[first_name]);
  status.column = static_cast<std::int64_t>(first_name);
  return status;
}

ColumnChoices::ColumnChoices(const ReadOptions& options)
    : no_label(options.label_column == "none" || (options.label_column.empty() && options.labels_optional)) {
  const auto add = [this](const std::string& column, const char* what, ColumnRole role) {
    std::int64_t ignored = 0;
    if (column.empty()) return;
    list.push_back({column, what, role, kNone});
    by_name = by_name || !is_index(column, ignored);
  };
  for (const std::string& column : options.drop) add(column, "column to drop", ColumnRole::dropped);
  if (!no_label) add(options.label_column, "label column", ColumnRole::label);
  add(options.weight_column, "weight column", ColumnRole::weight);
  add(options.id_column, "id column", ColumnRole::id);
}

Status ColumnChoices::apply(const std::vector<std::string>& row, HeaderMode header, std::vector<ColumnRole>& roles) {
  for (Choice& choice : list) {
    std::int64_t ignored = 0;
    if (header == HeaderMode::no && !is_index(choice.column, ignored)) {
      return usage(choice.what, "a 0-based index where there is no header", choice.column);
    }
  }
  for (Choice& choice : list) {
    Status status = find_column(choice.column, row, choice.what, choice.at);
    if (!status.ok()) return status;
    ColumnRole& role = roles[choice.at];
    if (role != ColumnRole::feature && role != choice.role) {
      return usage(choice.what, "a column that no other option names", choice.column);
    }
    role = choice.role;
  }
  return {};
}

Status ColumnChoices::check_header(const std::vector<std::string>& names) const {
  for (const Choice& choice : list) {
    Status status = refuse_name_of_another(choice.column, names, choice.what, choice.at);
    if (!status.ok()) return status;
  }
  return {};
}

bool CsvColumns::has(ColumnRole role) const noexcept {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

Status CsvColumns::number_features() {
  features = 0;
  feature_of.assign(roles.size(), 0);
  for (std::size_t c = 0; c < roles.size(); ++c) {
    if (roles[c] == ColumnRole::feature) feature_of[c] = features++;
  }
  if (features > 0) return {};
  return fail(StatusCode::bad_data, "no feature columns",
              "features beside the label (--separator says what is between them)",
              std::to_string(roles.size()) + (roles.size() == 1 ? " column" : " columns"));
}

std::string CsvColumns::title(std::size_t column) const {
  std::string text = std::to_string(column);
  if (has_header && !names[column].empty()) text += " '" + shown(names[column]) + "'";
  return text;
}

std::string CsvColumns::option_word(std::size_t column) const {
  const auto is_plain = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
  };
  constexpr std::size_t kLongest = 39;
  const std::string name = has_header ? names[column] : "";
  const bool usable = !name.empty() && name.size() <= kLongest && !is_digit(name[0]) &&
                      std::all_of(name.begin(), name.end(), is_plain) &&
                      std::count(names.begin(), names.end(), name) == 1;
  return usable ? name : std::to_string(column);
}

Status choose_columns(const std::vector<std::string>& first_row, const ReadOptions& options, bool last_is_empty,
                      CsvColumns& columns, std::string& note) {
  ColumnChoices choices(options);
  const bool header_known = options.header == HeaderMode::yes || choices.by_name;
  note = list_of_columns(first_row, header_known);
  columns = {};
  columns.roles.assign(first_row.size(), ColumnRole::feature);
  if (last_is_empty) columns.roles.back() = ColumnRole::dropped;
  if (Status status = choices.apply(first_row, options.header, columns.roles); !status.ok()) return status;
  if (!choices.no_label && options.label_column.empty()) {
    const auto last = std::find(columns.roles.rbegin(), columns.roles.rend(), ColumnRole::feature);
    if (last != columns.roles.rend()) *last = ColumnRole::label;
  }
  if (Status status = columns.number_features(); !status.ok()) return status;

  columns.has_header = header_known;
  if (!header_known && options.header == HeaderMode::automatic) {
    if (Status status = decide_header(first_row, columns.roles, columns.has_header); !status.ok()) return status;
    columns.header_guessed_absent = !columns.has_header;
  }
  if (columns.has_header) {
    columns.names = header_names(first_row);
    if (Status status = check_header_names(columns.names); !status.ok()) return status;
    if (Status status = choices.check_header(columns.names); !status.ok()) return status;
  }
  note.clear();
  return {};
}

bool rows_end_with_separators(FieldScanner rows) {
  do {
    Field field;
    for (bool last = false; !last;) {
      if (!rows.read_field(field, last).ok()) return false;
    }
    if (!field.text.empty() || field.quoted) return false;
  } while (rows.next_row(false));
  return true;
}

bool numbers_rows(FieldScanner rows) {
  std::vector<double> numbers;
  do {
    Field field;
    bool last = false;
    double number = 0;
    if (!rows.read_field(field, last).ok() || parse_number(field.text, number) != NumberError::none) return false;
    if (!(number >= 0 && number < 0x1p53) || number != std::floor(number)) return false;
    numbers.push_back(number);
    std::size_t others = 0;
    if (!last && !rows.count_fields(others).ok()) return false;
  } while (rows.next_row(false));
  std::sort(numbers.begin(), numbers.end());
  return std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end();
}

Status match_columns(const std::vector<std::string>& first_row, HeaderMode mode, const CsvColumns& columns,
                     bool& is_header) {
  is_header = false;
  if (first_row.size() != columns.roles.size()) {
    return fail(StatusCode::shape_mismatch, "number of columns", "the same columns in every data file",
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
    return fail(StatusCode::shape_mismatch, "header", "none, as in the first data file", names.front());
  }
  const auto differs = std::mismatch(names.begin(), names.end(), columns.names.begin()).first;
  Status status = fail(StatusCode::shape_mismatch, "header", "the same names as in the first data file", *differs);
  status.column = differs - names.begin();
  return status;
}

NumberedNames numbered_names(const std::vector<std::string>& first_row, const CsvColumns& columns) {
  return {counts_up(first_row, columns.roles, false, 3), counts_up(first_row, columns.roles, true, 8)};
}

}  // namespace lanemax
