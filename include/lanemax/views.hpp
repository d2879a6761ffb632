// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_VIEWS_HPP
#define LANEMAX_VIEWS_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>

#pragma GCC visibility push(default)
namespace lanemax {

/// A matrix that somebody else owns. Strides count elements. A D x C weight matrix is passed as `view.transposed()`.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_stride = 0;
  std::size_t col_stride = 1;

  constexpr MatrixView() = default;
  constexpr MatrixView(T* data_, std::size_t rows_, std::size_t cols_) noexcept
      : data(data_), rows(rows_), cols(cols_), row_stride(cols_) {}
  constexpr MatrixView(T* data_, std::size_t rows_, std::size_t cols_, std::size_t row_stride_,
                       std::size_t col_stride_ = 1) noexcept
      : data(data_), rows(rows_), cols(cols_), row_stride(row_stride_), col_stride(col_stride_) {}
  /// A view of mutable elements is also a view of const ones.
  template <class U>
    requires(sizeof(U) == sizeof(T) && requires(U* u) { static_cast<T*>(u); })
  constexpr MatrixView(const MatrixView<U>& other) noexcept
      : data(other.data),
        rows(other.rows),
        cols(other.cols),
        row_stride(other.row_stride),
        col_stride(other.col_stride) {}

  [[nodiscard]] constexpr MatrixView transposed() const noexcept { return {data, cols, rows, col_stride, row_stride}; }
  [[nodiscard]] constexpr T& at(std::size_t row, std::size_t col) const noexcept {
    return data[row * row_stride + col * col_stride];
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return data == nullptr; }
};

/// How one feature value is stored. All but f64 convert exactly to the f32 the kernels compute in; f64 is rounded to
/// nearest in an f32 pass and kept in an f64 pass.
enum class FeatureType : std::uint8_t { f32, f64, u8, f16, bf16 };

/// Bytes of one value.
[[nodiscard]] constexpr std::size_t size_of(FeatureType type) noexcept {
  switch (type) {
    case FeatureType::f64: return 8;
    case FeatureType::u8: return 1;
    case FeatureType::f16:
    case FeatureType::bf16: return 2;
    case FeatureType::f32: break;
  }
  return 4;
}

/// Samples: N x D values. Strides count elements: row-major features have a column stride of 1, column-major ones
/// (pandas, Fortran, R) a row stride of 1. Both are read in place, the latter by way of small tiles. Any alignment of
/// the elements' own type will do; nothing beyond the samples' own values is read.
struct FeaturesView {
  const void* data = nullptr;
  FeatureType type = FeatureType::f32;
  std::size_t samples = 0;
  std::size_t features = 0;
  std::size_t row_stride = 0;
  std::size_t col_stride = 1;

  constexpr FeaturesView() = default;
  /// f16 and bf16 are given as the addresses of their 16 bits.
  constexpr FeaturesView(const void* data_, FeatureType type_, std::size_t samples_, std::size_t features_,
                         std::size_t row_stride_, std::size_t col_stride_ = 1) noexcept
      : data(data_),
        type(type_),
        samples(samples_),
        features(features_),
        row_stride(row_stride_),
        col_stride(col_stride_) {}
  /// Row-major, one row right after the other.
  constexpr FeaturesView(const float* data_, std::size_t samples_, std::size_t features_) noexcept
      : FeaturesView(data_, FeatureType::f32, samples_, features_, features_) {}
  constexpr FeaturesView(const double* data_, std::size_t samples_, std::size_t features_) noexcept
      : FeaturesView(data_, FeatureType::f64, samples_, features_, features_) {}
  constexpr FeaturesView(const std::uint8_t* data_, std::size_t samples_, std::size_t features_) noexcept
      : FeaturesView(data_, FeatureType::u8, samples_, features_, features_) {}

  /// Some of the samples, or of the features.
  [[nodiscard]] FeaturesView rows(std::size_t first, std::size_t count) const noexcept {
    return {at(first * row_stride), type, count, features, row_stride, col_stride};
  }
  [[nodiscard]] FeaturesView columns(std::size_t first, std::size_t count) const noexcept {
    return {at(first * col_stride), type, samples, count, row_stride, col_stride};
  }
  /// The same numbers in memory, taken to lie one column right after the other: of a view just made, not of a part.
  [[nodiscard]] constexpr FeaturesView column_major() const noexcept {
    return {data, type, samples, features, 1, samples};
  }

 private:
  [[nodiscard]] const void* at(std::size_t element) const noexcept {
    return static_cast<const char*>(data) + element * size_of(type);
  }
};

/// How one label is stored.
enum class LabelType : std::uint8_t { i8, u8, i16, u16, i32, u32, i64, u64 };

/// Labels of any integer type, one per sample.
class LabelsView {
 public:
  constexpr LabelsView() = default;
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  constexpr LabelsView(const T* data, std::size_t size) noexcept : data_(data), size_(size), type_(type_of<T>()) {}
  /// Whatever has its labels in a row: a vector, an array, a span.
  template <std::ranges::contiguous_range Range>
    requires(std::ranges::sized_range<Range> && std::integral<std::ranges::range_value_t<Range>> &&
             !std::same_as<std::ranges::range_value_t<Range>, bool>)
  constexpr LabelsView(const Range& labels) noexcept
      : LabelsView(std::ranges::data(labels), std::ranges::size(labels)) {}

  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  /// None are given.
  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
  /// One label; of u64 beyond the range of the result, its largest number.
  [[nodiscard]] std::int64_t operator[](std::size_t i) const noexcept {
    switch (type_) {
      case LabelType::i8: return static_cast<const std::int8_t*>(data_)[i];
      case LabelType::u8: return static_cast<const std::uint8_t*>(data_)[i];
      case LabelType::i16: return static_cast<const std::int16_t*>(data_)[i];
      case LabelType::u16: return static_cast<const std::uint16_t*>(data_)[i];
      case LabelType::u32: return static_cast<const std::uint32_t*>(data_)[i];
      case LabelType::i64: return static_cast<const std::int64_t*>(data_)[i];
      case LabelType::u64: {
        constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
        const std::uint64_t label = static_cast<const std::uint64_t*>(data_)[i];
        return static_cast<std::int64_t>(label < kMost ? label : kMost);
      }
      case LabelType::i32: break;
    }
    return static_cast<const std::int32_t*>(data_)[i];
  }

 private:
  template <class T>
  static constexpr LabelType type_of() noexcept {
    constexpr bool kSigned = std::signed_integral<T>;
    if constexpr (sizeof(T) == 1) return kSigned ? LabelType::i8 : LabelType::u8;
    if constexpr (sizeof(T) == 2) return kSigned ? LabelType::i16 : LabelType::u16;
    if constexpr (sizeof(T) == 4) return kSigned ? LabelType::i32 : LabelType::u32;
    return kSigned ? LabelType::i64 : LabelType::u64;
  }

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  LabelType type_ = LabelType::i32;
};

/// An affine map of each feature, applied as rows are loaded: `T(x - centre[d]) * factor[d]`. The difference is taken
/// in f64 whatever x is stored as, and rounded to the scalar T of the pass. Both have one entry per feature, or are
/// empty: centre 0, factor 1. Centres are finite; factors too, and neither 0 nor subnormal.
struct FeatureScaling {
  std::span<const double> centre = {};
  std::span<const float> factor = {};

  [[nodiscard]] constexpr bool empty() const noexcept { return centre.empty() && factor.empty(); }
};

/// Samples with their targets. Views, here as everywhere: what they show must outlive them. Exactly one of `labels` and
/// `target_probabilities` is given where a loss is wanted. Arrays of another length than the samples have are refused.
struct Batch {
  FeaturesView features = {};
  LabelsView labels = {};                             ///< N class indices, or Objective::ignored_label
  MatrixView<const float> target_probabilities = {};  ///< N x C (logistic: N x 1), every entry finite and >= 0
  std::span<const float> sample_weights = {};         ///< N finite numbers >= 0; empty: all 1
  std::optional<std::span<const std::uint32_t>> selection =
      {};  ///< rows to use, in this order; unset: all rows in order
  FeatureScaling scaling = {};

  /// Rows that are used.
  [[nodiscard]] constexpr std::size_t rows() const noexcept { return selection ? selection->size() : features.samples; }
  /// Which of the samples the i-th of them is.
  [[nodiscard]] constexpr std::size_t row(std::size_t i) const noexcept { return selection ? (*selection)[i] : i; }
  [[nodiscard]] constexpr float weight(std::size_t row) const noexcept {
    return sample_weights.empty() ? 1.0F : sample_weights[row];
  }
};

/// Weights W (C x D; rows are classes; logistic: one row) and bias b (C); or the gradient by them.
template <class T>
struct WeightsView {
  MatrixView<T> weights = {};
  std::span<T> bias = {};

  constexpr operator WeightsView<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {weights, bias};
  }
};

}  // namespace lanemax
#pragma GCC visibility pop

#endif
