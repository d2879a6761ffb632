// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/feature_rows.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lanemax {

void FeatureRows::set_features(std::size_t features) {
  constexpr std::size_t kBlockValues = 1024;
  features_ = features;
  block_.resize(features * std::max<std::size_t>(kBlockValues / features, 1));
  if (precision_ != TextPrecision::as_needed) return;
  for (auto* const of_columns : {&first_, &sum_, &squares_, &largest_}) of_columns->resize(features);
}

void FeatureRows::reserve(std::size_t more_rows) {
  const std::size_t more = more_rows * features_;
  if (precision_ == TextPrecision::f64) {
    doubles_.reserve(doubles_.size() + more);
  } else {
    values_.reserve(values_.size() + more);
  }
}

void FeatureRows::flush() {
  const auto end = block_.begin() + static_cast<std::ptrdiff_t>(filled_);
  if (precision_ == TextPrecision::f64) {
    doubles_.insert(doubles_.end(), block_.begin(), end);
  } else {
    values_.resize(values_.size() + filled_);
    std::transform(block_.begin(), end, values_.end() - static_cast<std::ptrdiff_t>(filled_),
                   [](double value) { return static_cast<float>(value); });
  }
  if (precision_ == TextPrecision::as_needed) watch();
  rows_ += filled_ / features_;
  filled_ = 0;
}

// Sums around the first value: those of a constant column are exactly 0.
void FeatureRows::watch() {
  if (rows_ == 0) std::copy_n(block_.begin(), features_, first_.begin());
  const double* const first = first_.data();
  double *const sum = sum_.data(), *const squares = squares_.data(), *const largest = largest_.data();
  for (const double* row = block_.data(); row != block_.data() + filled_; row += features_) {
    for (std::size_t d = 0; d < features_; ++d) {
      const double x = row[d] - first[d];
      sum[d] += x;
      squares[d] += x * x;
      largest[d] = std::max(largest[d], std::fabs(row[d]));
    }
  }
}

bool FeatureRows::too_coarse() {
  if (filled_ > 0) flush();
  const auto rows = static_cast<double>(rows_);
  for (std::size_t d = 0; d < squares_.size(); ++d) {
    const double mean = sum_[d] / rows;
    const double deviation = std::sqrt(std::max(squares_[d] / rows - mean * mean, 0.0));
    if (squares_[d] > 0 && 0x1p-24 * largest_[d] > 1e-4 * deviation) return true;
  }
  return false;
}

bool FeatureRows::counts_rows(std::size_t d) {
  if (filled_ > 0) flush();
  const bool wide = precision_ == TextPrecision::f64;
  const auto value = [&](std::size_t row) {
    const std::size_t at = row * features_ + d;
    return wide ? doubles_[at] : static_cast<double>(values_[at]);
  };
  const double first = rows_ > 0 ? value(0) : -1;
  if (first != 0 && first != 1) return false;
  for (std::size_t row = 1; row < rows_; ++row) {
    const double count = first + static_cast<double>(row);
    if (value(row) != (wide ? count : static_cast<double>(static_cast<float>(count)))) return false;
  }
  return true;
}

void FeatureRows::move_to(Dataset& dataset) {
  if (filled_ > 0) flush();
  dataset.type = precision_ == TextPrecision::f64 ? FeatureType::f64 : FeatureType::f32;
  dataset.values = std::move(values_);
  dataset.doubles = std::move(doubles_);
}

}  // namespace lanemax
