// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_VIEWS_HPP
#define LANEMAX_VIEWS_HPP

#include <cstddef>
#include <cstdint>

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

/// Samples: N x D values, row-major, with a row stride in elements. Any alignment of the elements' own type will do;
/// nothing past a row's last feature is read.
struct FeaturesView {
  const void* data = nullptr;
  FeatureType type = FeatureType::f32;
  std::size_t samples = 0;
  std::size_t features = 0;
  std::size_t row_stride = 0;

  constexpr FeaturesView() = default;
  constexpr FeaturesView(const void* data_, FeatureType type_, std::size_t samples_, std::size_t features_,
                         std::size_t row_stride_) noexcept
      : data(data_), type(type_), samples(samples_), features(features_), row_stride(row_stride_) {}
  constexpr FeaturesView(const float* data_, std::size_t samples_, std::size_t features_) noexcept
      : FeaturesView(data_, FeatureType::f32, samples_, features_, features_) {}
  constexpr FeaturesView(const double* data_, std::size_t samples_, std::size_t features_) noexcept
      : FeaturesView(data_, FeatureType::f64, samples_, features_, features_) {}
  constexpr FeaturesView(const std::uint8_t* data_, std::size_t samples_, std::size_t features_) noexcept
      : FeaturesView(data_, FeatureType::u8, samples_, features_, features_) {}
};

/// An affine map of each feature, applied as rows are loaded: `T(x - centre[d]) * factor[d]`. The difference is taken
/// in f64 whatever x is stored as, and rounded to the scalar T of the pass. Both arrays have one entry per feature;
/// null stands for centre 0 or factor 1. Centres are finite; factors too, and neither 0 nor subnormal.
struct FeatureScaling {
  const double* centre = nullptr;
  const float* factor = nullptr;
};

/// Samples with their targets. Exactly one of `labels` and `target_probabilities` is given where a loss is wanted.
struct Batch {
  FeaturesView features;
  FeatureScaling scaling;
  const std::int32_t* labels = nullptr;          ///< N class indices, or Objective::ignored_label
  MatrixView<const float> target_probabilities;  ///< N x C (logistic: N x 1), every entry finite and >= 0
  const float* sample_weights = nullptr;         ///< N finite numbers >= 0; null: all 1
  const std::uint32_t* selection = nullptr;      ///< rows to use, in this order; null: all rows in order
  std::size_t selected = 0;                      ///< how many entries `selection` has

  /// Rows that take part.
  [[nodiscard]] constexpr std::size_t rows() const noexcept {
    return selection != nullptr ? selected : features.samples;
  }
};

/// Scratch memory that the caller owns, aligned to kWorkspaceAlignment. It carries nothing from call to call.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};
inline constexpr std::size_t kWorkspaceAlignment = 64;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
