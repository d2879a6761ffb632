// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/dataset.hpp"

#include <array>
#include <optional>
#include <utility>

#include "engine/data/csv.hpp"
#include "engine/data/file_bytes.hpp"
#include "engine/data/idx.hpp"
#include "engine/data/labels.hpp"
#include "engine/fail.hpp"

namespace lanemax {

namespace {

// Reads the files of one data set, one after the other; `file` is the one at work.
class DatasetReader {
 public:
  DatasetReader(const ReadOptions& options, TextPrecision precision) : options_(options), csv_(options, precision) {}

  // `too_coarse`: all is well but for the precision, and `dataset` as it was.
  Status read(const std::vector<std::string>& data_files, const std::string& labels_file, Dataset& dataset,
              bool& too_coarse);

  const std::string* file = nullptr;
  std::string note;

 private:
  Status append_file(bool with_labels_file);
  Status check_format(FileFormat format, bool with_labels_file);
  Status append_csv(ByteSource& source);
  Status read_labels(const std::string& labels_file);
  Status judge_labels();

  const ReadOptions& options_;
  std::optional<FileFormat> format_;  // of the files read so far
  CsvReader csv_;
  Dataset data_;
};

Status open_data(const std::string& path, ByteSource& source, std::span<const std::uint8_t>& head) {
  if (Status status = source.open(path); !status.ok()) return status;
  if (Status status = source.peek(head); !status.ok()) return status;
  return refuse_foreign_content(head);
}

Status DatasetReader::check_format(FileFormat format, bool with_labels_file) {
  if (format_.has_value() && *format_ != format) {
    return fail(StatusCode::bad_data, "file format", "the same format for every data file",
                format == FileFormat::idx ? "IDX after CSV" : "CSV after IDX");
  }
  if (format == FileFormat::csv && with_labels_file) {
    return fail(StatusCode::invalid_argument, "labels file", "none: a CSV file carries its labels in a column");
  }
  if (format == FileFormat::idx && !options_.weight_column.empty()) {
    return fail(StatusCode::invalid_argument, "weight column", "CSV data: an IDX file has no columns",
                options_.weight_column);
  }
  if (format == FileFormat::idx && !options_.id_column.empty()) {
    return fail(StatusCode::invalid_argument, "id column", "CSV data: an IDX file has no columns", options_.id_column);
  }
  if (format == FileFormat::idx && !options_.drop.empty()) {
    return fail(StatusCode::invalid_argument, "column to drop", "CSV data: an IDX file has no columns",
                options_.drop.front());
  }
  format_ = format;
  return {};
}

Status DatasetReader::append_file(bool with_labels_file) {
  ByteSource source;
  std::span<const std::uint8_t> head;
  if (Status status = open_data(*file, source, head); !status.ok()) return status;
  FileFormat format = options_.format;
  if (format == FileFormat::automatic) format = looks_like_idx(head) ? FileFormat::idx : FileFormat::csv;
  if (Status status = check_format(format, with_labels_file); !status.ok()) return status;
  return format == FileFormat::idx ? append_idx_samples(source, data_) : append_csv(source);
}

Status DatasetReader::append_csv(ByteSource& source) {
  FileText text;
  if (Status status = read_text(source, text); !status.ok()) return status;
  Status status = csv_.append(text, *file);
  if (!status.ok()) note = csv_.note();
  return status;
}

// Class names of IDX labels are the decimal numbers of the bytes that occur.
Status DatasetReader::read_labels(const std::string& labels_file) {
  file = &labels_file;
  ByteSource source;
  std::span<const std::uint8_t> head;
  if (Status status = open_data(labels_file, source, head); !status.ok()) return status;
  LargeVector<std::uint8_t> bytes;
  if (Status status = read_idx_labels(source, bytes); !status.ok()) return status;
  if (bytes.size() != data_.samples) {
    return fail(StatusCode::shape_mismatch, "number of labels", "one label for each sample",
                std::to_string(bytes.size()) + " labels, " + std::to_string(data_.samples) + " samples");
  }
  LabelTable table;
  std::array<std::int32_t, 256> number_of{};
  number_of.fill(Dataset::kUnknownLabel);
  data_.labels.reserve(bytes.size());
  for (const std::uint8_t byte : bytes) {
    std::int32_t& number = number_of[byte];
    if (number == Dataset::kUnknownLabel) number = table.number_of(std::to_string(byte));
    data_.labels.push_back(number);
  }
  assign_classes(table, options_.known_classes, data_);
  return {};
}

Status DatasetReader::read(const std::vector<std::string>& data_files, const std::string& labels_file, Dataset& dataset,
                           bool& too_coarse) {
  if (data_files.empty()) return fail(StatusCode::invalid_argument, "data files", "at least one");
  for (const std::string& path : data_files) {
    file = &path;
    if (Status status = append_file(!labels_file.empty()); !status.ok()) return status;
  }
  file = &data_files.front();
  too_coarse = csv_.too_coarse();
  if (too_coarse) return {};
  if (*format_ == FileFormat::csv) {
    if (Status status = csv_.finish(data_); !status.ok()) return status;
  } else if (!labels_file.empty()) {
    if (Status status = read_labels(labels_file); !status.ok()) return status;
  }
  if (options_.known_classes == nullptr && !options_.labels_optional && !data_.labels.empty()) {
    if (Status status = judge_labels(); !status.ok()) return status;
  }
  dataset = std::move(data_);
  return {};
}

Status DatasetReader::judge_labels() {
  const std::string place = *format_ == FileFormat::csv ? csv_.label_title() : "the labels file";
  Status status = judge_classes(*file, place, data_);
  if (!status.ok()) note = "they are in " + place;
  return status;
}

template <class Body>
Status with_memory(const Body& body) noexcept {
  return without_exceptions("data set", "more memory or less data", body);
}

FileStatus read_once(const std::vector<std::string>& data_files, const std::string& labels_file,
                     const ReadOptions& options, TextPrecision precision, Dataset& dataset, bool& too_coarse) noexcept {
  FileStatus result;
  too_coarse = false;
  result.status = with_memory([&] {
    DatasetReader reader(options, precision);
    Status status = with_memory([&] { return reader.read(data_files, labels_file, dataset, too_coarse); });
    if (!status.ok() && reader.file != nullptr) {
      result.file = *reader.file;
      result.note = reader.note;
    }
    return status;
  });
  return result;
}

}  // namespace

FileStatus read_dataset(const std::vector<std::string>& data_files, const std::string& labels_file,
                        const ReadOptions& options, Dataset& dataset) noexcept {
  bool too_coarse = false;
  FileStatus result = read_once(data_files, labels_file, options, options.precision, dataset, too_coarse);
  if (too_coarse) result = read_once(data_files, labels_file, options, TextPrecision::f64, dataset, too_coarse);
  return result;
}

}  // namespace lanemax
