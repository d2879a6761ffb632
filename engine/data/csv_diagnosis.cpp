// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_diagnosis.hpp"

#include <algorithm>
#include <vector>

#include "engine/data/csv_separator.hpp"
#include "engine/fail.hpp"
#include "engine/utf8.hpp"

namespace lanemax {

namespace {

// What is wrong in a column.
struct ColumnFault {
  CellFault first = CellFault::none;
  std::int64_t line = 0;  // of the first
  std::size_t rows = 0;
};

class Diagnosis {
 public:
  Diagnosis(const CsvColumns& columns, const CellRules& rules, std::size_t rows_before)
      : columns_(columns),
        rules_(rules),
        rows_before_(rows_before),
        rows_(rows_before),
        faults_(columns.roles.size()) {}

  Status run(FieldScanner scanner);
  [[nodiscard]] std::string note() const;

 private:
  struct BadCell {
    std::size_t column;
    CellFault fault;
  };

  Status read_row(FieldScanner& scanner, std::vector<BadCell>& bad, std::size_t& fields);
  [[nodiscard]] CellFault judge(ColumnRole role, const Field& field) const;
  [[nodiscard]] Status refuse_length(std::size_t fields, std::int64_t line) const;
  [[nodiscard]] bool has(CellFault fault) const;
  [[nodiscard]] bool is_header_taken_for_values() const;
  [[nodiscard]] std::string list() const;
  [[nodiscard]] std::string advice() const;

  const CsvColumns& columns_;
  const CellRules& rules_;
  std::size_t rows_before_;
  std::size_t rows_;
  std::vector<ColumnFault> faults_;
  std::vector<std::size_t> faulty_;  // columns, in order
  Status first_;                     // of the first cell that cannot be read
  std::int64_t other_length_line_ = -1;
  std::size_t other_length_ = 0;
};

CellFault Diagnosis::judge(ColumnRole role, const Field& field) const {
  double value = 0;
  float weight = 0;
  CellFault fault = CellFault::none;
  switch (role) {
    case ColumnRole::feature: fault = read_feature(field, rules_, value); break;
    case ColumnRole::weight: fault = read_weight(field, rules_, weight); break;
    case ColumnRole::label:
      if (rules_.labels_optional) return CellFault::none;
      return is_utf8(field.text) ? read_label(field) : CellFault::not_utf8;
    case ColumnRole::id:
    case ColumnRole::dropped: return CellFault::none;
  }
  return fault == CellFault::decimal_comma && rules_.commas_may_begin ? CellFault::none : fault;
}

Status Diagnosis::read_row(FieldScanner& scanner, std::vector<BadCell>& bad, std::size_t& fields) {
  bad.clear();
  fields = 0;
  for (bool last = false; !last; ++fields) {
    Field field;
    if (Status status = scanner.read_field(field, last); !status.ok()) return status;
    if (fields >= faults_.size()) continue;
    const ColumnRole role = columns_.roles[fields];
    const CellFault fault = judge(role, field);
    if (fault == CellFault::none) continue;
    bad.push_back({fields, fault});
    if (!first_.ok()) continue;
    first_ = refuse_cell(fault, field, rules_, role == ColumnRole::weight);
    first_.column = static_cast<std::int64_t>(fields);
    first_.line = scanner.row_line();
  }
  return {};
}

Status Diagnosis::refuse_length(std::size_t fields, std::int64_t line) const {
  Status status = fail(StatusCode::bad_data, "number of columns", "as many in every row as in the first",
                       std::to_string(fields) + ", not " + std::to_string(faults_.size()));
  status.line = line;
  return status;
}

// A row of another length explains a strange cell better than the cell does: what is in it does not count.
Status Diagnosis::run(FieldScanner scanner) {
  Status refusal;
  std::vector<BadCell> bad;
  do {
    std::size_t fields = 0;
    const Status before = first_;
    if (Status status = read_row(scanner, bad, fields); !status.ok()) {
      if (refusal.ok()) refusal = status;
      break;
    }
    if (fields != faults_.size()) {
      first_ = before;
      if (refusal.ok()) refusal = refuse_length(fields, scanner.row_line());
      if (other_length_line_ < 0) other_length_line_ = scanner.row_line(), other_length_ = fields;
      continue;
    }
    ++rows_;
    for (const BadCell& cell : bad) {
      ColumnFault& fault = faults_[cell.column];
      if (fault.rows++ == 0) fault.first = cell.fault, fault.line = scanner.row_line();
    }
    if (refusal.ok()) refusal = first_;
  } while (scanner.next_row(false));
  for (std::size_t c = 0; c < faults_.size(); ++c) {
    if (faults_[c].rows > 0) faulty_.push_back(c);
  }
  return refusal;
}

bool Diagnosis::has(CellFault fault) const {
  return std::any_of(faulty_.begin(), faulty_.end(), [&](std::size_t c) { return faults_[c].first == fault; });
}

bool Diagnosis::is_header_taken_for_values() const {
  if (columns_.has_header || rows_before_ > 0 || rows_ < 2) return false;
  return std::all_of(faulty_.begin(), faulty_.end(), [&](std::size_t c) {
    return faults_[c].rows == 1 && faults_[c].first == CellFault::text && faults_[c].line == first_.line;
  });
}

constexpr std::size_t kMostListed = 10;

std::string Diagnosis::list() const {
  std::string text;
  const std::size_t listed = std::min(faulty_.size(), kMostListed);
  for (std::size_t i = 0; i < listed; ++i) {
    const ColumnFault& fault = faults_[faulty_[i]];
    text += (i > 0 ? ", " : "") + columns_.title(faulty_[i]) + ": " + name_of(fault.first) + " in " +
            std::to_string(fault.rows) + " of " + std::to_string(rows_) + " rows";
    if (i > 0) text += " from line " + std::to_string(fault.line);
  }
  if (faulty_.size() > listed) text += ", and " + std::to_string(faulty_.size() - listed) + " more";
  return text;
}

std::string Diagnosis::advice() const {
  if (is_header_taken_for_values()) return "--header yes takes the first line for names";
  std::string text;
  const auto add = [&text](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (has(CellFault::decimal_comma)) {
    add(rules_.separator == ',' ? "--separator , --decimal , reads commas in quotes" : "--decimal , reads commas");
  }
  if (has(CellFault::decimal_point)) add("--decimal . reads points");
  std::string dropped;
  std::size_t droppable = 0;
  for (const std::size_t c : faulty_) {
    if (columns_.roles[c] != ColumnRole::feature) continue;
    if (++droppable <= kMostListed) dropped += (dropped.empty() ? "" : ",") + columns_.option_word(c);
  }
  if (droppable > 0 && droppable < columns_.features) {
    add("--drop " + (droppable <= kMostListed ? dropped : std::string("COLUMNS")) + " leaves " +
        (droppable == 1 ? "it" : "them") + " out");
  } else if (droppable > 0) {
    add("--separator says what is between fields");
  }
  if (has(CellFault::text)) add("--label-column says which column holds classes");
  return text;
}

std::string Diagnosis::note() const {
  const std::string separated = std::string("fields are separated by ") + name_of_separator(rules_.separator);
  if (faulty_.empty()) return separated;
  std::string text = faulty_.size() == 1 ? "column " : std::to_string(faulty_.size()) + " columns cannot be read: ";
  text += list();
  if (other_length_line_ >= 0) {
    text += "; line " + std::to_string(other_length_line_) + " has " + std::to_string(other_length_) +
            " columns, not " + std::to_string(faults_.size()) + ", " + separated;
  }
  const std::string options = advice();
  return options.empty() ? text : text + "; " + options;
}

}  // namespace

Status diagnose(FieldScanner scanner, const CsvColumns& columns, const CellRules& rules, std::size_t rows_before,
                std::string& note) {
  Diagnosis diagnosis(columns, rules, rows_before);
  const Status refusal = diagnosis.run(std::move(scanner));
  note = diagnosis.note();
  return refusal;
}

}  // namespace lanemax
