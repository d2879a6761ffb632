// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_FEATURE_ROWS_HPP
#define LANEMAX_ENGINE_DATA_FEATURE_ROWS_HPP

#include <cstddef>
#include <vector>

#include "engine/data/dataset.hpp"

namespace lanemax {

/// The features of decimal text, row after row, kept as f32 or f64. With TextPrecision::as_needed they are kept as f32
/// while every column's range and spread are watched, which tell at the end whether that was enough.
class FeatureRows {
 public:
  explicit FeatureRows(TextPrecision precision) noexcept : precision_(precision) {}

  /// Called once, before the first row. Throws std::bad_alloc, as do the other calls.
  void set_features(std::size_t features);
  [[nodiscard]] std::size_t features() const noexcept { return features_; }

  void reserve(std::size_t more_rows);

  /// Where the next row is written, before push_row() keeps it. Every value must be within the range of f32.
  [[nodiscard]] double* row() noexcept { return block_.data() + filled_; }
  void push_row() {
    filled_ += features_;
    if (filled_ == block_.size()) flush();
  }

  /// Of all rows pushed so far: whether a column that is not constant has a rounding to f32 of 2^-24 max|x| above 1e-4
  /// of its population deviation.
  [[nodiscard]] bool too_coarse();

  /// Whether feature `d` of the rows so far counts them: 0, 1, 2... or 1, 2, 3...
  [[nodiscard]] bool counts_rows(std::size_t d);

  /// Moves the rows into `dataset` and sets its type.
  void move_to(Dataset& dataset);

 private:
  void flush();
  void watch();

  TextPrecision precision_;
  std::size_t features_ = 0;
  std::vector<double> block_;  // rows that wait to be kept: the first `filled_` values of it
  std::size_t filled_ = 0;
  LargeVector<float> values_;    // unless f64
  LargeVector<double> doubles_;  // f64
  std::size_t rows_ = 0;         // of these
  // as_needed: of every column the first value, the sums of x - first and of its square, the largest |x|
  std::vector<double> first_, sum_, squares_, largest_;
};

}  // namespace lanemax

#endif
