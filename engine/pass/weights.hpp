// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_WEIGHTS_HPP
#define LANEMAX_ENGINE_PASS_WEIGHTS_HPP

#include <lanemax/parameters.hpp>

#include "engine/layout.hpp"

#include <algorithm>
#include <span>

namespace lanemax {

/// What weights are copied by, one after the other or by several threads: some panels, or, class-major, a class.
class WeightPieces {
 public:
  /// Panels: so many lines of memory side by side where weights lie feature by feature.
  static constexpr std::size_t kPanels = 4;

  WeightPieces(std::size_t features, std::size_t classes) noexcept
      : features_(features), classes_(classes), rows_(is_class_major(classes) ? 1 : kPanels * kPanel) {}
  [[nodiscard]] std::size_t count() const noexcept { return (classes_ + rows_ - 1) / rows_; }
  /// Where a piece is in the engine's layout.
  [[nodiscard]] std::size_t place(std::size_t piece) const noexcept {
    return piece * rows_ * (rows_ == 1 ? round_up(features_, kPanel) : features_);
  }
  /// Its rows of C x D weights.
  template <class T>
  [[nodiscard]] MatrixView<T> rows_of(const MatrixView<T>& w, std::size_t piece) const noexcept {
    const std::size_t first = piece * rows_;
    return {&w.at(first, 0), std::min(rows_, classes_ - first), w.cols, w.row_stride, w.col_stride};
  }

 private:
  std::size_t features_, classes_, rows_;
};

/// Rows of W into panels of the engine's layout; those that the last one lacks are 0. False if a number is not finite.
template <class T>
[[nodiscard]] bool import_panels(const MatrixView<const T>& w, T* panels) noexcept;
/// Copies one piece to its place in the engine's layout. False as above.
template <class T>
[[nodiscard]] bool import_piece(const MatrixView<const T>& w, std::size_t piece, T* weights) noexcept;
/// The bias, 0 where there is none. False if it is of the wrong length, or a number neither finite nor -infinity.
template <class T>
[[nodiscard]] bool import_bias(std::span<const T> given, std::size_t classes, T* bias) noexcept;
/// Both. What was written is of no use if it fails: weights must be finite, biases finite or -infinity.
template <class T>
[[nodiscard]] Status import_weights(const WeightsView<const T>& view, T* weights, T* bias) noexcept;
/// Whether import_weights() will take them; else what is wrong, and where. Of the bias, its length alone.
template <class T>
[[nodiscard]] Status check_bias_size(const WeightsView<const T>& view) noexcept;
template <class T>
[[nodiscard]] Status check_weights(const WeightsView<const T>& view) noexcept;

/// Panels of as many classes and features as `w` has out of the engine's layout.
template <class T>
void export_panels(const T* panels, const MatrixView<T>& w) noexcept;
/// One piece, out of its place.
template <class T>
void export_piece(const T* weights, std::size_t piece, const MatrixView<T>& w) noexcept;
/// All of them. Without room for a bias, the weights alone.
template <class T>
void export_weights(const T* weights, const T* bias, const WeightsView<T>& view) noexcept;

template <class T>
[[nodiscard]] T* weights_of(Parameters<T>& parameters) noexcept {
  return parameters.values().data();
}
template <class T>
[[nodiscard]] const T* weights_of(const Parameters<T>& parameters) noexcept {
  return parameters.values().data();
}
template <class T>
[[nodiscard]] T* bias_of(Parameters<T>& parameters) noexcept {
  return parameters.values().data() + weight_count(parameters.features(), parameters.classes());
}
template <class T>
[[nodiscard]] const T* bias_of(const Parameters<T>& parameters) noexcept {
  return parameters.values().data() + weight_count(parameters.features(), parameters.classes());
}

/// Sum of squares of the weights, in double, in one fixed order.
template <class T>
[[nodiscard]] double squared_norm(const T* weights, std::size_t count) noexcept;

}  // namespace lanemax

#endif
