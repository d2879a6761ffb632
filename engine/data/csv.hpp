// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_HPP
#define LANEMAX_ENGINE_DATA_CSV_HPP

#include <lanemax/status.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/csv_columns.hpp"
#include "engine/data/csv_fields.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/feature_rows.hpp"
#include "engine/data/file_bytes.hpp"
#include "engine/data/labels.hpp"

namespace lanemax {

/// Reads decimal text in columns. Fields and lines: FieldScanner; header and columns: choose_columns. Beyond those:
///
/// - The text is UTF-8; a byte order mark is skipped. UTF-16 and NUL bytes are refused.
/// - Lines that begin with '#' before the first row of values are comments. Later ones are rows like any other.
/// - Every feature is a finite decimal number (parse_number), in quotes or not, rounded to f32 or f64. Too large for
/// f32
///   is refused, too small is 0. There are no missing values: their marks are refused where they stand.
/// - The decimal mark is a point, or as ReadOptions::decimal says. Where it says nothing and the separator is not a
/// comma,
///   the first number with a comma between digits makes it the comma for that file, with a remark; if numbers with a
///   point came before, it is refused.
/// - A label is any text, kept as it is but for blanks around it. Missing labels (an empty field, and ? NA N/A na n/a
///   null NULL nan NaN without quotes) are refused, or unknown with `labels_optional`. '-' is a label.
/// - Sample weights are finite and not negative.
/// - Without a header, a first row that looks like numbered names is refused: a header has to be declared then, and so
///   has its absence. See refuse_numbered_names.
class CsvReader {
 public:
  /// `options` must outlive the reader; `precision` takes the place of theirs.
  CsvReader(const ReadOptions& options, TextPrecision precision) noexcept : options_(options), features_(precision) {}

  /// Appends the rows of one file; remarks call it `name`. Throws std::bad_alloc.
  [[nodiscard]] Status append(const FileText& file, const std::string& name);

  /// Whether the rows so far need f64 and were kept as f32: TextPrecision::as_needed.
  [[nodiscard]] bool too_coarse() { return features_.too_coarse(); }

  /// Moves everything into `dataset`. A failure is about the first file. Throws std::bad_alloc.
  [[nodiscard]] Status finish(Dataset& dataset);

  /// What can be added to the last failure: the columns of the file.
  [[nodiscard]] const std::string& note() const noexcept { return note_; }

 private:
  [[nodiscard]] Status begin_text(const char*& text);
  [[nodiscard]] Status read_first_row(FieldScanner& scanner, std::vector<std::string>& row);
  [[nodiscard]] Status begin_file(const std::vector<std::string>& first_row, bool& is_header);
  [[nodiscard]] Status read_rows(FieldScanner& scanner);
  [[nodiscard]] Status read_row(FieldScanner& scanner);
  [[nodiscard]] Status read_cell(FieldScanner& scanner, std::size_t column, double*& feature, bool& last);
  [[nodiscard]] Status begin_decimal_commas(FieldScanner& scanner, const Field& field);
  [[nodiscard]] Status read_label(const Field& field);
  [[nodiscard]] Status read_weight(const Field& field);
  [[nodiscard]] Status read_feature(const Field& field, double& value) const;
  [[nodiscard]] Status refuse_columns(std::size_t found) const;
  [[nodiscard]] Status refuse_numbered_names() const;
  void reserve_rows(const char* begin, std::size_t size);

  const ReadOptions& options_;
  CsvColumns columns_;
  NumberedNames numbered_;
  std::string name_;      // of the file at work
  char separator_ = ',';  // in it
  char decimal_ = '.';
  bool commas_may_begin_ = false;
  std::optional<FieldScanner> values_;  // at its first row of values
  std::int64_t first_line_ = 1;         // of the first row of the first file
  std::size_t samples_ = 0;
  FeatureRows features_;
  std::vector<std::int32_t> labels_;  // numbers of label_table_
  LabelTable label_table_;
  std::vector<float> weights_;
  std::vector<Remark> remarks_;
  std::string note_;
};

}  // namespace lanemax

#endif
