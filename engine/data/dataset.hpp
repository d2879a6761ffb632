// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_DATASET_HPP
#define LANEMAX_ENGINE_DATA_DATASET_HPP

#include <lanemax/columns.hpp>
#include <lanemax/status.hpp>
#include <lanemax/views.hpp>

#include "engine/large_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lanemax {

/// What whoever trains on the data may want to know about how they were read. One line, beginning with the file.
struct Remark {
  bool warning = false;  ///< else a note
  std::string text;
};

/// Samples read from files: features as the files store them (bytes stay bytes, decimal text becomes f32 or f64),
/// labels as indices into the sorted list of class names.
struct Dataset {
  std::size_t samples = 0;
  std::size_t features = 0;
  FeatureType type = FeatureType::f32;
  LargeVector<std::uint8_t> bytes;         ///< type u8: samples x features, row-major
  LargeVector<float> values;               ///< type f32: samples x features, row-major
  LargeVector<double> doubles;             ///< type f64: samples x features, row-major
  std::vector<std::int32_t> labels;        ///< one per sample, or none; kUnknownLabel: not a known class
  std::vector<std::string> class_labels;   ///< sorted: numerically if every label is a number, else by bytes
  std::vector<std::string> feature_names;  ///< from a CSV header, or empty
  std::vector<Column> columns;             ///< those of the first CSV file, in its order
  std::vector<std::string> ids;            ///< one per sample if they are wanted and there, else empty
  std::vector<float> sample_weights;       ///< one per sample, or empty
  std::size_t unknown_labels = 0;          ///< how many labels are kUnknownLabel
  std::vector<Remark> remarks;

  static constexpr std::int32_t kUnknownLabel = -1;

  [[nodiscard]] FeaturesView view() const noexcept {
    const void* data = type == FeatureType::u8    ? static_cast<const void*>(bytes.data())
                       : type == FeatureType::f64 ? static_cast<const void*>(doubles.data())
                                                  : values.data();
    return {data, type, samples, features, features};
  }
};

enum class FileFormat : std::uint8_t { automatic, idx, csv };
enum class HeaderMode : std::uint8_t { automatic, yes, no };

/// What decimal text is rounded to, all features of a data set alike. as_needed, for training: f32, unless that is too
/// coarse for a column that is not constant: its rounding of 2^-24 max|x| is above 1e-4 of the column's population
/// deviation. Both are taken over every row of all files, whatever its weight and whether or not it will be held out.
enum class TextPrecision : std::uint8_t { f32, f64, as_needed };

struct ReadOptions {
  FileFormat format = FileFormat::automatic;
  HeaderMode header = HeaderMode::automatic;
  char separator = 0;  ///< CSV; 0: found from the first lines (find_separator)
  char decimal = 0;    ///< CSV: '.' or ','; 0: a point, or a comma from the first number that has one on (CsvReader)
  /// CSV: a header name, a 0-based index (negative from the end) or "none"; empty: the last.
  std::string label_column = {};
  std::string weight_column = {};      ///< CSV: name or index of a column of sample weights; empty: none
  std::vector<std::string> drop = {};  ///< CSV: names or indices of columns to leave out
  std::string id_column = {};          ///< CSV: name or index of a column that names the rows; empty: none
  bool keep_ids = false;               ///< fill Dataset::ids
  /// Of a model: features are found by these, in its order, whatever the order of the file (choose_known_columns).
  const std::vector<Column>* known_columns = nullptr;
  TextPrecision precision = TextPrecision::f32;
  bool labels_optional = false;                             ///< predict: without `label_column` no column is a label
  const std::vector<std::string>* known_classes = nullptr;  ///< map labels onto these; others are kUnknownLabel
};

/// A status and the file it is about.
struct FileStatus {
  Status status;
  std::string file;  ///< empty if it is about no single file
  std::string note;  ///< one line that may be added to the message: columns of the file, and what would help; or empty
  [[nodiscard]] bool ok() const noexcept { return status.ok(); }
};

/// Reads one data set from several files, rows in order. `labels_file` is an IDX label file or empty (CSV carries its
/// labels). Files may be gzip-compressed; that is recognised by content. Files that turn out to need f64 are read
/// twice. On an error `dataset` is left as it was.
[[nodiscard]] FileStatus read_dataset(const std::vector<std::string>& data_files, const std::string& labels_file,
                                      const ReadOptions& options, Dataset& dataset) noexcept;

}  // namespace lanemax

#endif
