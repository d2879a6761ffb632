// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/data/csv_separator.hpp"
#include "engine/data/number.hpp"
#include "engine/data/refuse.hpp"

namespace lanemax {

namespace {

Status check_encoding(const FileText& file, std::size_t& skipped) {
  const std::string_view text(file.data.get(), file.size);
  skipped = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  Status status;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    status = refuse(StatusCode::bad_data, "text encoding", "UTF-8 text", "UTF-16");
    status.byte = 0;
  } else if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    status = refuse(StatusCode::bad_data, "NUL byte in text", "UTF-8 text (neither binary data nor UTF-16)");
    status.byte = static_cast<std::int64_t>(nul);
  }
  return status;
}

bool is_missing_label(const Field& field) {
  if (field.text.empty()) return true;
  if (field.quoted || field.text == "-") return false;
  return is_missing_mark(field.text) || field.text == "nan" || field.text == "NaN";
}

Status at_line(Status status, std::int64_t line) {
  if (!status.ok()) status.line = line;
  return status;
}

Status refuse_no_rows(bool header) {
  return refuse(StatusCode::bad_data, "no data rows", header ? "a row of values after the header" : "a row of values");
}

}  // namespace

// Behind a line that names the separator, if there is one.
Status CsvReader::begin_text(const char*& text) {
  char named = 0;
  text = skip_separator_line(text, named);
  FieldScanner finder(text, ',');
  if (!finder.next_row(true)) return refuse_no_rows(false);
  separator_ = options_.separator != 0 ? options_.separator : named;
  if (separator_ != 0) return {};
  return at_line(find_separator(text, options_.decimal, separator_), finder.row_line());
}

Status CsvReader::append(const FileText& file, const std::string& name) {
  name_ = name;
  note_.clear();
  if (options_.separator != 0 && !is_separator(options_.separator)) {
    return refuse(StatusCode::invalid_argument, "separator", "a comma, semicolon, tab, blank or other punctuation",
                  {&options_.separator, 1});
  }
  std::size_t skipped = 0;
  if (Status status = check_encoding(file, skipped); !status.ok()) return status;
  const char* text = file.data.get() + skipped;
  if (Status status = begin_text(text); !status.ok()) return status;

  FieldScanner scanner(text, separator_);
  if (!scanner.next_row(true)) return refuse_no_rows(false);
  const char* const row_begin = scanner.position();
  const std::int64_t line = scanner.row_line();
  if (samples_ == 0) first_line_ = line;
  std::vector<std::string> first_row;
  if (Status status = read_first_row(scanner, first_row); !status.ok()) return status;
  bool is_header = false;
  if (Status status = begin_file(first_row, is_header); !status.ok()) {
    return status.code == StatusCode::invalid_argument ? status : at_line(status, line);
  }
  if (is_header) {
    if (!scanner.next_row(true)) return refuse_no_rows(true);
  } else {
    scanner.rewind_row(row_begin);
  }
  reserve_rows(scanner.position(), static_cast<std::size_t>(file.data.get() + file.size - scanner.position()));
  decimal_ = options_.decimal == ',' ? ',' : '.';
  commas_may_begin_ = options_.decimal == 0 && separator_ != ',';
  scanner.set_decimal(decimal_);
  values_ = scanner;
  return read_rows(scanner);
}

Status CsvReader::read_first_row(FieldScanner& scanner, std::vector<std::string>& row) {
  bool last = false;
  do {
    Field field;
    if (Status status = scanner.read_field(field, last); !status.ok()) return status;
    if (row.size() == CsvColumns::kMaxColumns) {
      return at_line(refuse(StatusCode::bad_data, "number of columns", "at most 1048576"), scanner.row_line());
    }
    row.emplace_back(field.text);
  } while (!last);
  return {};
}

Status CsvReader::begin_file(const std::vector<std::string>& first_row, bool& is_header) {
  if (samples_ > 0) return match_columns(first_row, options_.header, columns_, is_header);
  Status status = choose_columns(first_row, options_, columns_, note_);
  if (!status.ok()) return status;
  is_header = columns_.has_header;
  features_.set_features(columns_.features);
  if (columns_.header_guessed_absent) numbered_ = numbered_names(first_row, columns_);
  return {};
}

// One allocation for the rows of a file, and never more than its bytes can hold: each value needs two.
void CsvReader::reserve_rows(const char* begin, std::size_t size) {
  const char line_end = std::memchr(begin, '\n', size) != nullptr ? '\n' : '\r';
  const auto lines = static_cast<std::size_t>(std::count(begin, begin + size, line_end)) + 1;
  const std::size_t most_values = size / 2 + 1;
  const std::size_t rows = std::min(lines, most_values / columns_.features + 1);
  features_.reserve(rows);
  if (columns_.has(ColumnRole::label)) labels_.reserve(labels_.size() + rows);
  if (columns_.has(ColumnRole::sample_weight)) weights_.reserve(weights_.size() + rows);
}

// The scanner stands at the beginning of the first row of values.
Status CsvReader::read_rows(FieldScanner& scanner) {
  do {
    const char* const row = scanner.position();
    Status status = read_row(scanner);
    if (!status.ok()) {
      // A row of another length explains a strange cell better than the cell does.
      if (status.column >= 0) {
        std::size_t count = 0;
        scanner.rewind_row(row);
        if (Status broken = scanner.count_fields(count); !broken.ok()) return broken;
        if (count != columns_.roles.size()) status = refuse_columns(count);
      }
      return status.line < 0 ? at_line(status, scanner.row_line()) : status;
    }
    ++samples_;
  } while (scanner.next_row(false));
  return {};
}

Status CsvReader::read_row(FieldScanner& scanner) {
  const std::size_t columns = columns_.roles.size();
  double* feature = features_.row();
  bool last = false;
  for (std::size_t c = 0; c < columns; ++c) {
    if (last) return refuse_columns(c);
    double value = 0;
    if (columns_.roles[c] == ColumnRole::feature && scanner.read_number(value, last)) {
      *feature++ = value;
    } else if (Status status = read_cell(scanner, c, feature, last); !status.ok()) {
      return status;
    }
  }
  if (last) {
    features_.push_row();
    return {};
  }
  std::size_t more = 0;
  if (Status status = scanner.count_fields(more); !status.ok()) return status;
  return refuse_columns(columns + more);
}

Status CsvReader::refuse_columns(std::size_t found) const {
  return refuse(StatusCode::bad_data, "number of columns", "as many in every row as in the first",
                std::to_string(found) + ", not " + std::to_string(columns_.roles.size()));
}

Status CsvReader::read_cell(FieldScanner& scanner, std::size_t column, double*& feature, bool& last) {
  Field field;
  if (Status status = scanner.read_field(field, last); !status.ok()) return status;
  const ColumnRole role = columns_.roles[column];
  Status status;
  if (commas_may_begin_ && role != ColumnRole::label && has_decimal_comma(field.text)) {
    status = begin_decimal_commas(scanner, field);
    if (!status.ok()) return status;
  }
  switch (role) {
    case ColumnRole::feature: status = read_feature(field, *feature++); break;
    case ColumnRole::label: status = read_label(field); break;
    case ColumnRole::sample_weight: status = read_weight(field); break;
  }
  if (!status.ok()) status.column = static_cast<std::int64_t>(column);
  return status;
}

// At the first number with a decimal comma.
Status CsvReader::begin_decimal_commas(FieldScanner& scanner, const Field& field) {
  const std::string line = std::to_string(scanner.row_line());
  FieldScanner before = *values_;
  do {
    bool last = false;
    for (std::size_t c = 0; c < columns_.roles.size() && !last; ++c) {
      Field cell;
      double value = 0;
      if (!before.read_field(cell, last).ok()) break;
      if (columns_.roles[c] == ColumnRole::label || cell.text.find('.') == std::string_view::npos ||
          parse_number(cell.text, value) != NumberError::none) {
        continue;
      }
      note_ = "line " + line + " has '" + shown(field.text) + "'";
      Status status = refuse(StatusCode::bad_data, "decimal point and decimal commas",
                             "one mark in all numbers (--decimal says which)", cell.text);
      status.column = static_cast<std::int64_t>(c);
      return at_line(status, before.row_line());
    }
  } while (before.row_line() < scanner.row_line() && before.next_row(false));
  commas_may_begin_ = false;
  decimal_ = ',';
  scanner.set_decimal(decimal_);
  std::string pointed = shown(field.text);
  std::replace(pointed.begin(), pointed.end(), ',', '.');
  remarks_.push_back({false, name_ + ":" + line + ": decimal commas: '" + shown(field.text) + "' is read as " +
                                 pointed + " (--decimal . refuses them)"});
  return {};
}

Status CsvReader::read_feature(const Field& field, double& value) const {
  float rounded = 0;
  switch (parse_number(field.text, decimal_, value)) {
    case NumberError::none:
      if (round_to_float(value, rounded)) return {};
      [[fallthrough]];
    case NumberError::out_of_range:
      return refuse(StatusCode::bad_data, "value too large", "magnitudes up to 3.4e38 (32-bit float)", field.text);
    case NumberError::not_finite: return refuse(StatusCode::not_finite, "value", "a finite number", field.text);
    case NumberError::not_a_number: break;
  }
  if (is_missing_mark(field.text)) {
    return refuse(StatusCode::bad_data, "missing value", "a number in every cell", field.text);
  }
  const char* expected = "a number";
  if (columns_.roles.size() == 1) expected = "a number (is the separator right?)";
  if (decimal_ == ',' && field.text.find('.') != std::string_view::npos) {
    expected = "a number with a decimal comma (--decimal . reads points)";
  } else if (decimal_ != ',' && has_decimal_comma(field.text)) {
    expected = separator_ == ',' ? "a number with a decimal point (--separator , --decimal , reads quoted commas)"
                                 : "a number with a decimal point (--decimal , reads commas)";
  }
  return refuse(StatusCode::bad_data, "value", expected, field.text);
}

Status CsvReader::read_label(const Field& field) {
  if (!is_missing_label(field)) {
    const std::size_t known = label_table_.size();
    labels_.push_back(label_table_.number_of(field.text));
    if (label_table_.size() > known && !options_.labels_optional && !is_utf8(field.text)) {
      return refuse(StatusCode::bad_data, "label", kExpectedUtf8, field.text);
    }
  } else if (options_.labels_optional) {
    labels_.push_back(Dataset::kUnknownLabel);
  } else {
    return refuse(StatusCode::bad_data, "missing label", "a label in every row (in quotes if it is one)", field.text);
  }
  return {};
}

Status CsvReader::read_weight(const Field& field) {
  constexpr const char* kExpected = "a finite number, at least 0";
  double number = 0;
  float weight = 0;
  const NumberError error = parse_number(field.text, decimal_, number);
  if (error == NumberError::not_finite) return refuse(StatusCode::not_finite, "sample weight", kExpected, field.text);
  if (error != NumberError::none || number < 0 || !round_to_float(number, weight)) {
    return refuse(StatusCode::bad_data, "sample weight", kExpected, field.text);
  }
  weights_.push_back(weight);
  return {};
}

// A header like "Letter,1,2,3" or "0,1,2,...,9" has no name in a feature column and would become a sample, and its
// label a class. So a first row that was taken for values is refused
// - if its label occurs once and is the only one that is not a number,
// - if its features count up from 0 or 1 and its label is not a number and occurs once, while other labels repeat,
// - if all of its eight or more columns count up from 0 or 1.
Status CsvReader::refuse_numbered_names() const {
  const Status refusal = at_line(
      refuse(StatusCode::bad_data, "first row may be a header of numbers", "to be told whether it is a header or not"),
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
  for (std::size_t c = 0; c < columns_.names.size(); ++c) {
    if (columns_.roles[c] == ColumnRole::feature) dataset.feature_names.push_back(columns_.names[c]);
  }
  if (!dataset.labels.empty()) assign_classes(label_table_, options_.known_classes, dataset);
  return {};
}

}  // namespace lanemax
