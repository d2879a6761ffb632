// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_HPP
#define LANEMAX_ENGINE_DATA_CSV_HPP

#include <lanemax/status.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/csv_cells.hpp"
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
/// - Every feature is a finite decimal number, in quotes or not, rounded to f32 or f64. Too large for f32 is refused,
///   too small is 0. There are no missing values.
/// - The decimal mark is a point, or what ReadOptions::decimal says. Where that says nothing and the separator is not a
///   comma, the first number with a comma between digits makes it the comma for its file, with a remark; if a number
///   with a point came before, it is refused.
/// - A label is any text, kept as it is but for blanks around it. Missing labels (an empty field, and ? NA N/A na n/a
///   null NULL nan NaN without quotes) are refused, or unknown with `labels_optional`. '-' is a label.
/// - Sample weights are finite and not negative.
/// - The first file decides the columns, or a model: choose_known_columns(). The first file's first column is an id and
///   left out, with a remark, if the header has no name for it (an empty one, or one too few) and it numbers the rows:
///   whole numbers, none twice. A column that counts 0, 1, 2... or 1, 2, 3... otherwise is a feature, with a warning
///   where it is read to train.
/// - A last column without a name and without anything in it is left out, with a remark: all lines end with a
///   separator.
/// - What cannot be read is refused at the first place, with a note about all of it: diagnose().
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

  /// The column of the labels, if there is one: column 3 'price'.
  [[nodiscard]] std::string label_title() const;

  /// What can be added to the last failure: the columns of the file, or those that cannot be read.
  [[nodiscard]] const std::string& note() const noexcept { return note_; }

 private:
  [[nodiscard]] Status read_first_row(FieldScanner& scanner, std::vector<std::string>& row);
  [[nodiscard]] Status begin_file(const std::vector<std::string>& first_row, const FieldScanner* rows, bool& is_header);
  [[nodiscard]] Status begin_known_file(const std::vector<std::string>& first_row, const FieldScanner* rows,
                                        bool& is_header);
  [[nodiscard]] Status leave_out_row_numbers(const FieldScanner& rows, std::size_t names);
  void remark_counts();
  [[nodiscard]] Status read_rows(FieldScanner& scanner);
  [[nodiscard]] bool read_row(FieldScanner& scanner);
  [[nodiscard]] bool read_cell(FieldScanner& scanner, ColumnRole role, double& feature, bool& last);
  [[nodiscard]] bool keep_label(const Field& field);
  [[nodiscard]] Status begin_decimal_commas(FieldScanner& scanner, const Field& field);
  [[nodiscard]] Status refuse_numbered_names() const;
  void reserve_rows(const char* begin, std::size_t size);

  const ReadOptions& options_;
  CsvColumns columns_;
  NumberedNames numbered_;
  std::string name_;                    // of the file at work
  CellRules rules_;                     // in it
  std::optional<FieldScanner> values_;  // at its first row of values
  Status refusal_;                      // why a row was not read, if that is not for diagnose() to say
  std::int64_t first_line_ = 1;         // of the first row of the first file
  std::size_t samples_ = 0;
  FeatureRows features_;
  std::vector<std::int32_t> labels_;  // numbers of label_table_
  LabelTable label_table_;
  std::vector<float> weights_;
  std::vector<std::string> ids_;
  std::vector<Remark> remarks_;
  std::string note_;
};

}  // namespace lanemax

#endif
