// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/data/csv_diagnosis.hpp"
#include "engine/data/csv_known_columns.hpp"
#include "engine/data/csv_separator.hpp"
#include "engine/data/number.hpp"
#include "engine/fail.hpp"

namespace lanemax {

namespace {

Status at_line(Status status, std::int64_t line) {
  if (!status.ok()) status.line = line;
  return status;
}

Status refuse_no_rows(bool header) {
  return fail(StatusCode::bad_data, "no data rows", header ? "a row of values after the header" : "a row of values");
}

// Where rows have one field more than the first, which may be a header: the first row with an empty name for it. Else
// the first row.
std::vector<std::string> with_name_for_all(const std::vector<std::string>& first_row, const FieldScanner* rows) {
  std::vector<std::string> names = first_row;
  if (rows == nullptr) return names;
  FieldScanner scanner = *rows;
  Field field;
  std::size_t fields = 0;
  for (bool last = false; !last; ++fields) {
    if (!scanner.read_field(field, last).ok()) return names;
  }
  if (fields != names.size() + 1) return names;
  const bool ends_with_separator = field.text.empty() && !field.quoted;
  names.insert(ends_with_separator ? names.end() : names.begin(), "");
  return names;
}

}  // namespace

Status CsvReader::append(const FileText& file, const std::string& name) {
  name_ = name;
  note_.clear();
  CsvText text;
  if (Status status = begin_csv(file, options_.separator, options_.decimal, text); !status.ok()) return status;
  const bool commas_may_begin = options_.decimal == 0 && text.separator != ',';
  rules_ = {text.separator, options_.decimal == ',' ? ',' : '.', commas_may_begin, options_.labels_optional};
  FieldScanner scanner(text.begin, text.separator);
  scanner.set_decimal(rules_.decimal);
  if (!scanner.next_row(true)) return refuse_no_rows(false);
  const FieldScanner begin = scanner;
  if (samples_ == 0) first_line_ = scanner.row_line();
  std::vector<std::string> first_row;
  if (Status status = read_first_row(scanner, first_row); !status.ok()) return status;
  const bool has_more = scanner.next_row(true);  // behind what may be a header
  bool is_header = false;
  if (Status status = begin_file(first_row, has_more ? &scanner : nullptr, is_header); !status.ok()) {
    return status.code == StatusCode::invalid_argument ? status : at_line(status, begin.row_line());
  }
  if (!is_header) {
    scanner = begin;
  } else if (!has_more) {
    return refuse_no_rows(true);
  }
  reserve_rows(scanner.position(), static_cast<std::size_t>(file.data.get() + file.size - scanner.position()));
  values_ = scanner;
  const bool is_first = samples_ == 0;
  Status status = read_rows(scanner);
  if (status.ok() && is_first) remark_counts();
  return status;
}

Status CsvReader::read_first_row(FieldScanner& scanner, std::vector<std::string>& row) {
  bool last = false;
  do {
    Field field;
    if (Status status = scanner.read_field(field, last); !status.ok()) return status;
    if (row.size() == CsvColumns::kMaxColumns) {
      return at_line(fail(StatusCode::bad_data, "number of columns", "at most 1048576"), scanner.row_line());
    }
    row.emplace_back(field.text);
  } while (!last);
  return {};
}

// `rows` stands at the second row; null: there is none.
Status CsvReader::begin_file(const std::vector<std::string>& first_row, const FieldScanner* rows, bool& is_header) {
  const std::vector<std::string> longer = with_name_for_all(first_row, rows);
  if (options_.known_columns != nullptr) return begin_known_file(longer, rows, is_header);
  if (samples_ > 0) {
    const bool fits = longer.size() == columns_.roles.size();
    return match_columns(fits ? longer : first_row, options_.header, columns_, is_header);
  }
  const auto choose = [&](const std::vector<std::string>& names) {
    const bool last_is_empty =
        names.size() > 1 && names.back().empty() && (rows == nullptr || rows_end_with_separators(*rows));
    Status status = choose_columns(names, options_, last_is_empty, columns_, note_);
    if (status.ok() && last_is_empty) {
      remarks_.push_back({false, name_ + ": all lines end with a separator (" + name_of_separator(rules_.separator) +
                                     "): the empty last column is left out"});
    }
    return status;
  };
  Status status;
  const bool is_short = longer.size() > first_row.size();
  if (is_short) status = choose(longer);
  if (!is_short || !status.ok() || !columns_.has_header) {
    remarks_.clear();
    status = choose(first_row);
  }
  if (!status.ok()) return status;
  is_header = columns_.has_header;
  if (columns_.header_guessed_absent) numbered_ = numbered_names(first_row, columns_);
  if (is_header && rows != nullptr) status = leave_out_row_numbers(*rows, first_row.size());
  if (status.ok()) features_.set_features(columns_.features);
  return status;
}

// Each file of a model's columns by itself.
Status CsvReader::begin_known_file(const std::vector<std::string>& first_row, const FieldScanner* rows,
                                   bool& is_header) {
  const CsvColumns before = std::move(columns_);
  const bool last_is_empty =
      first_row.size() > 1 && first_row.back().empty() && rows != nullptr && rows_end_with_separators(*rows);
  std::vector<std::string> remarks;
  Status status = choose_known_columns(first_row, options_, last_is_empty, columns_, remarks, note_);
  if (!status.ok()) return status;
  for (const std::string& remark : remarks) remarks_.push_back({false, name_ + ": " + remark});
  is_header = columns_.has_header;
  if (samples_ == 0) {
    if (columns_.header_guessed_absent) numbered_ = numbered_names(first_row, columns_);
    features_.set_features(columns_.features);
    return {};
  }
  for (const ColumnRole role : {ColumnRole::label, ColumnRole::weight, ColumnRole::id}) {
    if (columns_.has(role) == before.has(role)) continue;
    return fail(StatusCode::shape_mismatch, "columns", "a label, weights and an id in every data file, or in none");
  }
  return {};
}

// Row numbers have no name: the column's is empty, or the header one field short. (A column that is empty in the first
// row of values is there because of separators at the ends of lines.)
Status CsvReader::leave_out_row_numbers(const FieldScanner& rows, std::size_t names) {
  if (!columns_.names[0].empty() || columns_.roles[0] != ColumnRole::feature) return {};
  if (numbers_rows(rows)) {
    columns_.roles[0] = columns_.has(ColumnRole::id) ? ColumnRole::dropped : ColumnRole::id;
    remarks_.push_back({false, name_ + ": column 0 has no name and numbers the rows: left out"});
    return columns_.number_features();
  }
  if (names == columns_.roles.size()) return {};
  note_ = "--drop 0 leaves out the column without a name";
  return fail(StatusCode::bad_data, "number of columns in the header", "a name for every column but row numbers",
              std::to_string(names) + ", not " + std::to_string(columns_.roles.size()));
}

// Row numbers that go by a name, or by none in a file without names, may be meant as a feature, but seldom are.
void CsvReader::remark_counts() {
  constexpr std::size_t kFewRows = 10;
  if (options_.known_classes != nullptr || options_.labels_optional || samples_ < kFewRows) return;
  for (std::size_t c = 0; c < columns_.roles.size(); ++c) {
    if (columns_.roles[c] != ColumnRole::feature || !features_.counts_rows(columns_.feature_of[c])) continue;
    remarks_.push_back({true, name_ + ": column " + columns_.title(c) +
                                  " counts the rows and is kept as a feature (--drop " + columns_.option_word(c) +
                                  " leaves it out)"});
  }
}

// One allocation for the rows of a file, and never more than its bytes can hold: each value needs two.
void CsvReader::reserve_rows(const char* begin, std::size_t size) {
  const char line_end = std::memchr(begin, '\n', size) != nullptr ? '\n' : '\r';
  const auto lines = static_cast<std::size_t>(std::count(begin, begin + size, line_end)) + 1;
  const std::size_t most_values = size / 2 + 1;
  const std::size_t rows = std::min(lines, most_values / columns_.features + 1);
  features_.reserve(rows);
  if (columns_.has(ColumnRole::label)) labels_.reserve(labels_.size() + rows);
  if (columns_.has(ColumnRole::weight)) weights_.reserve(weights_.size() + rows);
}

// The scanner stands at the beginning of the first row of values.
Status CsvReader::read_rows(FieldScanner& scanner) {
  const std::size_t before = samples_;
  do {
    const char* const row = scanner.position();
    if (!read_row(scanner)) {
      if (!refusal_.ok()) return refusal_;
      scanner.rewind_row(row);
      return diagnose(scanner, columns_, rules_, samples_ - before, note_);
    }
    ++samples_;
  } while (scanner.next_row(false));
  return {};
}

bool CsvReader::read_row(FieldScanner& scanner) {
  double* const features = features_.row();
  bool last = false;
  for (std::size_t c = 0; c < columns_.roles.size(); ++c) {
    if (last) return false;
    const ColumnRole role = columns_.roles[c];
    double& feature = features[columns_.feature_of[c]];
    if (role == ColumnRole::feature && scanner.read_number(feature, last)) continue;
    if (!read_cell(scanner, role, feature, last)) return false;
  }
  if (last) features_.push_row();
  return last;
}

bool CsvReader::read_cell(FieldScanner& scanner, ColumnRole role, double& feature, bool& last) {
  Field field;
  if (!scanner.read_field(field, last).ok()) return false;
  const bool number = role == ColumnRole::feature || role == ColumnRole::weight;
  if (number && rules_.commas_may_begin && has_decimal_comma(field.text)) {
    refusal_ = begin_decimal_commas(scanner, field);
    if (!refusal_.ok()) return false;
  }
  switch (role) {
    case ColumnRole::feature: return read_feature(field, rules_, feature) == CellFault::none;
    case ColumnRole::weight: return read_weight(field, rules_, weights_.emplace_back()) == CellFault::none;
    case ColumnRole::label: return keep_label(field);
    case ColumnRole::id:
      if (options_.keep_ids) ids_.emplace_back(field.text);
      break;
    case ColumnRole::dropped: break;
  }
  return true;
}

bool CsvReader::keep_label(const Field& field) {
  if (read_label(field) == CellFault::missing_label) {
    labels_.push_back(Dataset::kUnknownLabel);
    return options_.labels_optional;
  }
  const std::size_t known = label_table_.size();
  labels_.push_back(label_table_.number_of(field.text));
  return label_table_.size() == known || options_.labels_optional || is_utf8(field.text);
}

// At the first number with a decimal comma: none before it may have a point.
Status CsvReader::begin_decimal_commas(FieldScanner& scanner, const Field& field) {
  const std::string line = std::to_string(scanner.row_line());
  FieldScanner before = *values_;
  do {
    bool last = false;
    for (std::size_t c = 0; c < columns_.roles.size() && !last; ++c) {
      Field cell;
      double value = 0;
      if (!before.read_field(cell, last).ok()) break;
      const ColumnRole role = columns_.roles[c];
      const bool number = role == ColumnRole::feature || role == ColumnRole::weight;
      if (!number || cell.text.find('.') == std::string_view::npos ||
          parse_number(cell.text, value) != NumberError::none) {
        continue;
      }
      note_ = "line " + line + " has '" + shown(field.text) + "'";
      Status status = fail(StatusCode::bad_data, "decimal point and decimal commas",
                           "one mark in all numbers (--decimal says which)", cell.text);
      status.column = static_cast<std::int64_t>(c);
      return at_line(status, before.row_line());
    }
  } while (before.row_line() < scanner.row_line() && before.next_row(false));
  rules_.commas_may_begin = false;
  rules_.decimal = ',';
  scanner.set_decimal(',');
  std::string pointed = shown(field.text);
  std::replace(pointed.begin(), pointed.end(), ',', '.');
  remarks_.push_back({false, name_ + ":" + line + ": decimal commas: '" + shown(field.text) + "' is read as " +
                                 pointed + " (--decimal . refuses them)"});
  return {};
}

// A header like "Letter,1,2,3" or "0,1,2,...,9" has no name in a feature column and would become a sample, and its
// label a class. So a first row that was taken for values is refused
// - if its label occurs once and is the only one that is not a number,
// - if its features count up from 0 or 1 and its label is not a number and occurs once, while other labels repeat,
// - if all of its eight or more columns count up from 0 or 1.
Status CsvReader::refuse_numbered_names() const {
  const Status refusal = at_line(
      fail(StatusCode::bad_data, "first row may be a header of numbers", "to be told: --header yes or --header no"),
      first_line_);
  if (numbered_.all) return refusal;
  if (labels_.empty() || labels_.front() == Dataset::kUnknownLabel) return {};
  const std::string& label = label_table_.text(static_cast<std::size_t>(labels_.front()));
  if (is_number(label) || std::count(labels_.begin(), labels_.end(), labels_.front()) != 1) return {};
  const auto* const known = options_.known_classes;
  if (known != nullptr && std::find(known->begin(), known->end(), label) != known->end()) return {};
  bool others_are_numbers = label_table_.size() > 1;
  for (std::size_t i = 1; i < label_table_.size() && others_are_numbers; ++i) {
    others_are_numbers = is_number(label_table_.text(i));
  }
  const bool others_repeat = label_table_.size() > 1 && samples_ - 1 >= 2 * (label_table_.size() - 1);
  if (others_are_numbers || (numbered_.features && others_repeat)) {
    Status status = refusal;
    set_found(status, label);
    return status;
  }
  return {};
}

std::string CsvReader::label_title() const {
  const auto label = std::find(columns_.roles.begin(), columns_.roles.end(), ColumnRole::label);
  return "column " + columns_.title(static_cast<std::size_t>(label - columns_.roles.begin()));
}

Status CsvReader::finish(Dataset& dataset) {
  if (columns_.header_guessed_absent) {
    if (Status status = refuse_numbered_names(); !status.ok()) return status;
  }
  dataset.samples = samples_;
  dataset.features = columns_.features;
  features_.move_to(dataset);
  dataset.labels = std::move(labels_);
  dataset.sample_weights = std::move(weights_);
  dataset.remarks = std::move(remarks_);
  dataset.ids = std::move(ids_);
  if (columns_.has_header) dataset.feature_names.resize(columns_.features);
  for (std::size_t c = 0; c < columns_.roles.size(); ++c) {
    const ColumnRole role = columns_.roles[c];
    dataset.columns.push_back({columns_.has_header ? columns_.names[c] : "", role});
    if (columns_.has_header && role == ColumnRole::feature) {
      dataset.feature_names[columns_.feature_of[c]] = columns_.names[c];
    }
  }
  if (!dataset.labels.empty()) assign_classes(label_table_, options_.known_classes, dataset);
  return {};
}

}  // namespace lanemax
