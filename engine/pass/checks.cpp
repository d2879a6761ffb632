// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/checks.hpp"

#include "engine/fail.hpp"
#include "engine/pass/plan.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {
namespace {

// Of a number that is not what is allowed, or none at all.
StatusCode code_of_bad(double value) {
  return std::isfinite(value) ? StatusCode::invalid_argument : StatusCode::not_finite;
}

Status check_objective(const Objective& o, const Batch& batch, std::size_t classes) {
  if (const double l2 = o.l2.value_or(0); !(l2 >= 0) || !std::isfinite(l2)) {
    return fail(StatusCode::invalid_argument, "l2", "a finite number >= 0");
  }
  if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1)) {
    return fail(StatusCode::invalid_argument, "label_smoothing", "a number from 0 to 1");
  }
  if (o.ignored_label >= 0) {
    return fail(StatusCode::invalid_argument, "ignored_label", "a negative number, which is no class index");
  }
  const bool labels = !batch.labels.empty(), targets = !batch.target_probabilities.empty();
  if (labels == targets) {
    return fail(StatusCode::invalid_argument, "targets", "either labels or target probabilities");
  }
  if (o.label_smoothing > 0 && (o.loss != Loss::softmax || targets)) {
    return fail(StatusCode::invalid_argument, "label_smoothing", "softmax with labels");
  }
  if (o.loss == Loss::hinge && targets) {
    return fail(StatusCode::invalid_argument, "target_probabilities", "labels: the hinge loss takes no other target");
  }
  if (o.loss == Loss::logistic && classes != 1) {
    return fail(StatusCode::shape_mismatch, "weights", "one row for the logistic loss");
  }
  if (o.loss == Loss::hinge && classes < 2) {
    return fail(StatusCode::shape_mismatch, "weights", "two rows or more for the hinge loss");
  }
  return {};
}

// The rows' labels, targets and weights.
Status check_rows(const Objective& o, const Batch& batch, std::size_t classes, ProblemSize& size) {
  const std::size_t label_end = o.loss == Loss::logistic ? 2 : classes;
  double total = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch.rows(); ++i) {
    const std::size_t row = batch.row(i);
    if (row >= batch.features.samples) {
      return fail_at(StatusCode::invalid_argument, "selection", "indices of rows", at_row(i), static_cast<double>(row));
    }
    const double weight = static_cast<double>(batch.weight(row));
    if (!(weight >= 0) || !std::isfinite(weight)) {
      return fail_at(code_of_bad(weight), "sample_weights", "finite numbers >= 0", at_row(row), weight);
    }
    bool ignored = false;
    if (!batch.labels.empty()) {
      const std::int64_t label = batch.labels[row];
      ignored = label == o.ignored_label;
      if (!ignored && (label < 0 || static_cast<std::uint64_t>(label) >= label_end)) {
        return fail_at(StatusCode::label_out_of_range, "labels", "class indices from 0, below the number of classes",
                       at_row(row), static_cast<double>(label));
      }
    } else {
      for (std::size_t c = 0; c < classes; ++c) {
        const double t = static_cast<double>(batch.target_probabilities.at(row, c));
        if (!(t >= 0) || !std::isfinite(t) || (o.loss == Loss::logistic && t > 1)) {
          return fail_at(code_of_bad(t), "target_probabilities",
                         o.loss == Loss::logistic ? "numbers from 0 to 1" : "finite numbers >= 0", at(row, c), t);
        }
      }
    }
    if (weight > 0 && !ignored) {
      total += weight;
      ++kept;
    }
  }
  if (kept == 0)
    return fail(StatusCode::no_rows, "batch", "a row whose weight is not 0 and whose label is not ignored");
  if (!std::isfinite(total)) return fail(StatusCode::overflow, "sample_weights", "a finite sum");
  size.rows = kept;
  size.total_weight = total;
  return {};
}

}  // namespace

Status check_strides(const FeaturesView& x) noexcept {
  const std::size_t rows = std::max<std::size_t>(x.samples, 1), columns = std::max<std::size_t>(x.features, 1);
  std::size_t across = 0, down = 0;
  const bool wraps = __builtin_mul_overflow(columns - 1, x.col_stride, &across) ||
                     __builtin_mul_overflow(rows - 1, x.row_stride, &down);
  const bool rows_apart = rows == 1 || x.row_stride > across, columns_apart = columns == 1 || x.col_stride > down;
  const bool some_stride = (rows == 1 || x.row_stride > 0) && (columns == 1 || x.col_stride > 0);
  if (!wraps && some_stride && (rows_apart || columns_apart)) return {};
  return fail(StatusCode::shape_mismatch, "features", "strides that keep rows apart, or columns");
}

Status check_scaling(const FeatureScaling& scaling, std::size_t features) noexcept {
  for (const std::size_t size : {scaling.centre.size(), scaling.factor.size()}) {
    if (size != 0 && size != features) return fail(StatusCode::shape_mismatch, "scaling", "an entry per feature");
  }
  for (std::size_t d = 0; d < scaling.centre.size(); ++d) {
    const double centre = scaling.centre[d];
    if (!std::isfinite(centre))
      return fail_at(code_of_bad(centre), "scaling centre", "finite numbers", at_column(d), centre);
  }
  for (std::size_t d = 0; d < scaling.factor.size(); ++d) {
    const float factor = scaling.factor[d];
    if (!std::isnormal(factor)) {
      const auto found = static_cast<double>(factor);
      return fail_at(code_of_bad(found), "scaling factor", "finite numbers, neither 0 nor subnormal", at_column(d),
                     found);
    }
  }
  return {};
}

Status check_problem(const Objective& objective, const Batch& batch, std::size_t features, std::size_t classes,
                     ProblemSize& size) noexcept {
  const FeaturesView& x = batch.features;
  if (features == 0 || classes == 0) return fail(StatusCode::shape_mismatch, "weights", "at least one row and column");
  if (x.features != features) return fail(StatusCode::shape_mismatch, "features", "as many columns as the weights");
  if (batch.rows() == 0) return fail(StatusCode::no_rows, "batch", "at least one row");
  if (x.data == nullptr) return fail(StatusCode::invalid_argument, "features", "data");
  Status status = check_strides(x);
  if (!status.ok()) return status;
  if (classes > (std::size_t{1} << 24)) {
    return fail(StatusCode::shape_mismatch, "weights", "at most 16777216 classes");
  }
  if (!sizes_fit(batch.rows(), features, classes)) {
    return fail(StatusCode::shape_mismatch, "weights", "sizes whose product fits the address space");
  }
  const MatrixView<const float>& t = batch.target_probabilities;
  if (!t.empty() && (t.rows != x.samples || t.cols != classes)) {
    return fail(StatusCode::shape_mismatch, "target_probabilities", "one row per sample and one column per score");
  }
  if (!batch.labels.empty() && batch.labels.size() != x.samples) {
    return fail(StatusCode::shape_mismatch, "labels", "one per sample");
  }
  if (!batch.sample_weights.empty() && batch.sample_weights.size() != x.samples) {
    return fail(StatusCode::shape_mismatch, "sample_weights", "one per sample, or none");
  }
  status = check_scaling(batch.scaling, features);
  if (status.ok()) status = check_objective(objective, batch, classes);
  if (status.ok()) status = check_rows(objective, batch, classes, size);
  return status;
}

namespace {

double feature_value(const FeaturesView& x, std::size_t row, std::size_t d) {
  const std::size_t at = row * x.row_stride + d * x.col_stride;
  switch (x.type) {
    case FeatureType::f32: return static_cast<double>(static_cast<const float*>(x.data)[at]);
    case FeatureType::f64: return static_cast<const double*>(x.data)[at];
    case FeatureType::u8: return static_cast<const std::uint8_t*>(x.data)[at];
    case FeatureType::f16: return (static_cast<const std::uint16_t*>(x.data)[at] & 0x7c00U) == 0x7c00U ? NAN : 0.0;
    case FeatureType::bf16: return (static_cast<const std::uint16_t*>(x.data)[at] & 0x7f80U) == 0x7f80U ? NAN : 0.0;
  }
  return 0;
}

}  // namespace

Status find_bad_feature(const Batch& batch, std::int32_t ignored_label) noexcept {
  for (std::size_t i = 0; i < batch.rows(); ++i) {
    const std::size_t row = batch.row(i);
    if (batch.weight(row) == 0.0f) continue;
    if (!batch.labels.empty() && batch.labels[row] == ignored_label) continue;
    for (std::size_t d = 0; d < batch.features.features; ++d) {
      const double value = feature_value(batch.features, row, d);
      if (std::isfinite(value)) continue;
      return fail_at(StatusCode::not_finite, "features", "finite numbers", at(row, d), value);
    }
  }
  return {};
}

}  // namespace lanemax
