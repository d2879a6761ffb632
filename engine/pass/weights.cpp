// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/weights.hpp"

#include "engine/fail.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace lanemax {
namespace {

// Rows of W are copied in tiles of 4 x 4, four of them a line of cache of each of 16 rows, to the 16 lines that they
// are of a panel.
constexpr std::size_t kTile = 4;

template <class T>
using Four [[gnu::vector_size(kTile * sizeof(T))]] = T;
template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// Whether all numbers that it has seen are finite: an exponent of ones that is raised by one carries into the sign.
template <class T>
class FiniteCheck {
 public:
  template <class V>
  [[gnu::always_inline]] void see_lanes(const V& four) noexcept {
    lanes_ |= ((Lanes)four & kMagnitude) + kOne;
  }
  void see(T value) noexcept { any_ |= (std::bit_cast<BitsOf<T>>(value) & kMagnitude) + kOne; }
  [[nodiscard]] bool passed() const noexcept {
    return (any_ | lanes_[0] | lanes_[1] | lanes_[2] | lanes_[3]) <= kMagnitude;
  }

 private:
  using Lanes [[gnu::vector_size(kTile * sizeof(T))]] = BitsOf<T>;
  static constexpr BitsOf<T> kMagnitude = std::numeric_limits<BitsOf<T>>::max() / 2;
  static constexpr BitsOf<T> kOne = BitsOf<T>{1} << (std::numeric_limits<T>::digits - 1);  // of the exponent
  Lanes lanes_ = {};
  BitsOf<T> any_ = 0;
};

/// to[j][i] = from[i][j] for 4 x 4 elements; see() is shown the rows.
template <class T, class See>
[[gnu::always_inline]] inline void transpose_tile(const T* from, std::size_t from_stride, T* to, std::size_t to_stride,
                                                  const See& see) noexcept {
  using V = Four<T>;
  V a, b, c, d;
  __builtin_memcpy(&a, from, sizeof(V));
  __builtin_memcpy(&b, from + from_stride, sizeof(V));
  __builtin_memcpy(&c, from + 2 * from_stride, sizeof(V));
  __builtin_memcpy(&d, from + 3 * from_stride, sizeof(V));
  see(a);
  see(b);
  see(c);
  see(d);
  const V low_ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), high_ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const V low_cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), high_cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(low_ab, low_cd, 0, 1, 4, 5);
  b = __builtin_shufflevector(low_ab, low_cd, 2, 3, 6, 7);
  c = __builtin_shufflevector(high_ab, high_cd, 0, 1, 4, 5);
  d = __builtin_shufflevector(high_ab, high_cd, 2, 3, 6, 7);
  __builtin_memcpy(to, &a, sizeof(V));
  __builtin_memcpy(to + to_stride, &b, sizeof(V));
  __builtin_memcpy(to + 2 * to_stride, &c, sizeof(V));
  __builtin_memcpy(to + 3 * to_stride, &d, sizeof(V));
}

/// A feature's numbers of a panel; see() is shown them.
template <class T, class See>
[[gnu::always_inline]] inline void copy_lanes(const T* from, T* to, const See& see) noexcept {
  for (std::size_t c = 0; c < kPanel; c += kTile) {
    Four<T> four;
    __builtin_memcpy(&four, from + c, sizeof(four));
    see(four);
    __builtin_memcpy(to + c, &four, sizeof(four));
  }
}

/// Four rows of the caller's, to be read (0) or written (1) soon. Sixteen of them at once are more than the processor
/// foresees by itself: loss and gradient of 64 x 768 x 1000 through matrices takes 1.26 times a step instead of 1.35.
template <int kWrite, class T>
[[gnu::always_inline]] inline void ask_for_rows(const T* from, std::size_t stride) noexcept {
  constexpr std::size_t kAhead = 128;
  for (std::size_t i = 0; i < kTile; ++i) __builtin_prefetch(from + i * stride + kAhead, kWrite);
}

/// The same of weights that lie feature by feature, as far apart as there are classes: of the two lines that a panel's
/// part of a feature may lie in, the second, the first being the panel's before.
template <int kWrite, class T>
[[gnu::always_inline]] inline void ask_for_features(const T* from, std::size_t stride) noexcept {
  constexpr std::size_t kAhead = 16;
  const auto at = reinterpret_cast<std::uintptr_t>(from + kPanel - 1) + kAhead * stride * sizeof(T);
  __builtin_prefetch(reinterpret_cast<const void*>(at), kWrite);
}

/// Calls tile(i, j) for the whole 4 x 4 tiles of rows x columns, four tiles of a row of tiles at a time, and
/// element(i, j) for what is left over.
template <class Tile, class Element>
[[gnu::always_inline]] inline void for_each_tile(std::size_t rows, std::size_t columns, const Tile& tile,
                                                 const Element& element) noexcept {
  const std::size_t whole_rows = rows / kTile * kTile, whole_columns = columns / kTile * kTile;
  for (std::size_t begin = 0; begin < whole_columns; begin += kPanel) {
    const std::size_t end = std::min(begin + kPanel, whole_columns);
    for (std::size_t i = 0; i < whole_rows; i += kTile) {
      for (std::size_t j = begin; j < end; j += kTile) tile(i, j);
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) element(i, j);
  }
}

/// Calls f(first, count) for each panel of some rows of W.
template <class F>
[[gnu::always_inline]] inline void for_each_panel(std::size_t rows, const F& f) noexcept {
  for (std::size_t first = 0; first < rows; first += kPanel) f(first, std::min(kPanel, rows - first));
}
template <class F>
[[gnu::always_inline]] inline void for_each_element(std::size_t rows, std::size_t columns, const F& f) noexcept {
  for (std::size_t j = 0; j < columns; ++j) {
    for (std::size_t i = 0; i < rows; ++i) f(i, j);
  }
}

/// A class of the class-major layout.
template <class T>
bool import_class(const MatrixView<const T>& w, T* row) noexcept {
  FiniteCheck<T> check;
  for (std::size_t d = 0; d < w.cols; ++d) check.see(row[d] = w.at(0, d));
  std::fill(row + w.cols, row + round_up(w.cols, kPanel), T(0));
  return check.passed();
}

}  // namespace

template <class T>
bool import_panels(const MatrixView<const T>& w, T* panels) noexcept {
  FiniteCheck<T> check;
  const auto see = [&](const auto& lanes) { check.see_lanes(lanes); };
  if (w.row_stride == 1) {
    for (std::size_t d = 0; d < w.cols; ++d) {
      for_each_panel(w.rows, [&](std::size_t first, std::size_t count) {
        const T* const from = &w.at(first, d);
        T* const to = panels + first * w.cols + d * kPanel;
        if (count == kPanel) {
          ask_for_features<0>(from, w.col_stride);
          return copy_lanes(from, to, see);
        }
        std::fill_n(to, kPanel, T(0));
        for (std::size_t c = 0; c < count; ++c) check.see(to[c] = from[c]);
      });
    }
    return check.passed();
  }
  for_each_panel(w.rows, [&](std::size_t first, std::size_t count) {
    T* const panel = panels + first * w.cols;
    if (count < kPanel) std::fill_n(panel, w.cols * kPanel, T(0));
    const auto element = [&](std::size_t c, std::size_t d) { check.see(panel[d * kPanel + c] = w.at(first + c, d)); };
    if (w.col_stride != 1) return for_each_element(count, w.cols, element);
    for_each_tile(
        count, w.cols,
        [&](std::size_t c, std::size_t d) {
          if (d % kPanel == 0) ask_for_rows<0>(&w.at(first + c, d), w.row_stride);
          transpose_tile(&w.at(first + c, d), w.row_stride, panel + d * kPanel + c, kPanel, see);
        },
        element);
  });
  return check.passed();
}

template <class T>
bool import_piece(const MatrixView<const T>& w, std::size_t piece, T* weights) noexcept {
  const WeightPieces pieces(w.cols, w.rows);
  const MatrixView<const T> rows = pieces.rows_of(w, piece);
  T* const to = weights + pieces.place(piece);
  return is_class_major(w.rows) ? import_class(rows, to) : import_panels(rows, to);
}

template <class T>
bool import_bias(std::span<const T> given, std::size_t classes, T* bias) noexcept {
  std::fill_n(bias, bias_count(classes), -std::numeric_limits<T>::infinity());
  if (given.empty()) {
    std::fill_n(bias, classes, T(0));
    return true;
  }
  if (given.size() != classes) return false;
  std::ranges::copy(given, bias);
  return std::ranges::all_of(given, [](T b) { return b <= std::numeric_limits<T>::max(); });
}

template <class T>
void export_panels(const T* panels, const MatrixView<T>& w) noexcept {
  const auto nothing = [](const auto&) {};
  if (w.row_stride == 1) {
    for (std::size_t d = 0; d < w.cols; ++d) {
      for_each_panel(w.rows, [&](std::size_t first, std::size_t count) {
        T* const to = &w.at(first, d);
        const T* const from = panels + first * w.cols + d * kPanel;
        if (count < kPanel) {
          std::copy_n(from, count, to);
        } else {
          ask_for_features<1>(to, w.col_stride);
          copy_lanes(from, to, nothing);
        }
      });
    }
    return;
  }
  for_each_panel(w.rows, [&](std::size_t first, std::size_t count) {
    const T* const panel = panels + first * w.cols;
    const auto element = [&](std::size_t c, std::size_t d) { w.at(first + c, d) = panel[d * kPanel + c]; };
    if (w.col_stride != 1) return for_each_element(count, w.cols, element);
    for_each_tile(
        count, w.cols,
        [&](std::size_t c, std::size_t d) {
          if (d % kPanel == 0) ask_for_rows<1>(&w.at(first + c, d), w.row_stride);
          transpose_tile(panel + d * kPanel + c, kPanel, &w.at(first + c, d), w.row_stride, nothing);
        },
        element);
  });
}

template <class T>
void export_piece(const T* weights, std::size_t piece, const MatrixView<T>& w) noexcept {
  const WeightPieces pieces(w.cols, w.rows);
  const MatrixView<T> rows = pieces.rows_of(w, piece);
  const T* const from = weights + pieces.place(piece);
  if (!is_class_major(w.rows)) return export_panels(from, rows);
  for (std::size_t d = 0; d < w.cols; ++d) rows.at(0, d) = from[d];
}

template <class T>
Status check_bias_size(const WeightsView<const T>& view) noexcept {
  if (view.bias.empty() || view.bias.size() == view.weights.rows) return {};
  return fail(StatusCode::shape_mismatch, "bias", "an entry per row of the weights, or none");
}

template <class T>
Status check_weights(const WeightsView<const T>& view) noexcept {
  const MatrixView<const T>& w = view.weights;
  if (const Status status = check_bias_size(view); !status.ok()) return status;
  for (std::size_t c = 0; c < w.rows; ++c) {
    for (std::size_t d = 0; d < w.cols; ++d) {
      if (std::isfinite(w.at(c, d))) continue;
      return fail_at(StatusCode::not_finite, "weights", "finite numbers", at(c, d), static_cast<double>(w.at(c, d)));
    }
    if (!view.bias.empty() && !(view.bias[c] <= std::numeric_limits<T>::max())) {
      return fail_at(StatusCode::not_finite, "bias", "finite numbers, or -infinity for a masked class", at_row(c),
                     static_cast<double>(view.bias[c]));
    }
  }
  return {};
}

template <class T>
Status import_weights(const WeightsView<const T>& view, T* weights, T* bias) noexcept {
  const MatrixView<const T>& w = view.weights;
  bool good = import_bias(view.bias, w.rows, bias);
  for (std::size_t piece = 0; good && piece < WeightPieces(w.cols, w.rows).count(); ++piece) {
    good = import_piece(w, piece, weights);
  }
  return good ? Status{} : check_weights(view);
}

template <class T>
void export_weights(const T* weights, const T* bias, const WeightsView<T>& view) noexcept {
  const MatrixView<T>& w = view.weights;
  for (std::size_t piece = 0; piece < WeightPieces(w.cols, w.rows).count(); ++piece) export_piece(weights, piece, w);
  std::copy_n(bias, view.bias.size(), view.bias.data());
}

template <class T>
double squared_norm(const T* weights, std::size_t count) noexcept {
  double sum[8] = {};
  for (std::size_t i = 0; i < count; i += 8) {  // count is a multiple of 16; padding is 0
    for (std::size_t j = 0; j < 8; ++j) {
      sum[j] += static_cast<double>(weights[i + j]) * static_cast<double>(weights[i + j]);
    }
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

template bool import_panels<float>(const MatrixView<const float>&, float*) noexcept;
template bool import_piece<float>(const MatrixView<const float>&, std::size_t, float*) noexcept;
template bool import_bias<float>(std::span<const float>, std::size_t, float*) noexcept;
template Status import_weights<float>(const WeightsView<const float>&, float*, float*) noexcept;
template Status check_bias_size<float>(const WeightsView<const float>&) noexcept;
template Status check_weights<float>(const WeightsView<const float>&) noexcept;
template void export_panels<float>(const float*, const MatrixView<float>&) noexcept;
template void export_piece<float>(const float*, std::size_t, const MatrixView<float>&) noexcept;
template void export_weights<float>(const float*, const float*, const WeightsView<float>&) noexcept;
template bool import_panels<double>(const MatrixView<const double>&, double*) noexcept;
template bool import_piece<double>(const MatrixView<const double>&, std::size_t, double*) noexcept;
template bool import_bias<double>(std::span<const double>, std::size_t, double*) noexcept;
template Status import_weights<double>(const WeightsView<const double>&, double*, double*) noexcept;
template Status check_bias_size<double>(const WeightsView<const double>&) noexcept;
template Status check_weights<double>(const WeightsView<const double>&) noexcept;
template void export_panels<double>(const double*, const MatrixView<double>&) noexcept;
template void export_piece<double>(const double*, std::size_t, const MatrixView<double>&) noexcept;
template void export_weights<double>(const double*, const double*, const WeightsView<double>&) noexcept;
template double squared_norm<float>(const float*, std::size_t) noexcept;
template double squared_norm<double>(const double*, std::size_t) noexcept;

}  // namespace lanemax
