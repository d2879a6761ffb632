// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/weights.hpp"

#include "engine/fail.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace lanemax {
namespace {

// Rows of W are copied in tiles of 4 x 4, four of them a line of cache of each of 16 rows, to the 16 lines that they
// are of a panel.
constexpr std::size_t kTile = 4;

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
  using V [[gnu::vector_size(kTile * sizeof(T))]] = T;
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

/// Four rows of the caller's, to be read (0) or written (1) soon. Sixteen of them at once are more than the processor
/// foresees by itself: loss and gradient of 64 x 768 x 1000 through matrices takes 1.26 times a step instead of 1.35.
template <int kWrite, class T>
[[gnu::always_inline]] inline void ask_for_rows(const T* from, std::size_t stride) noexcept {
  constexpr std::size_t kAhead = 128;
  for (std::size_t i = 0; i < kTile; ++i) __builtin_prefetch(from + i * stride + kAhead, kWrite);
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

/// What the weights are copied by: panels, or classes.
struct Pieces {
  std::size_t classes, features, count, rows;
  Pieces(std::size_t the_classes, std::size_t the_features) noexcept
      : classes(the_classes),
        features(the_features),
        count(is_class_major(classes) ? classes : panel_count(classes)),
        rows(is_class_major(classes) ? 1 : kPanel) {}
  [[nodiscard]] std::size_t first(std::size_t piece) const noexcept { return piece * rows; }
  [[nodiscard]] std::size_t size(std::size_t piece) const noexcept { return std::min(rows, classes - first(piece)); }
  [[nodiscard]] std::size_t place(std::size_t piece) const noexcept {
    return piece * rows * (rows == 1 ? round_up(features, kPanel) : features);
  }
};

/// Calls f(0) to f(count - 1), on several threads where there is much to copy.
template <class F>
void for_each_in_parallel(const Pieces& pieces, int threads, std::size_t count, const F& f) noexcept {
  constexpr std::size_t kWorthIt = std::size_t{1} << 16;
  const bool pays = pieces.classes * pieces.features >= kWorthIt;
  parallel(pays ? usable_threads(threads, 1, 0) : 1, [&](const Team& team) { team.for_each(count, f); });
}

template <class T>
bool import_piece(const MatrixView<const T>& w, const Pieces& pieces, std::size_t piece, T* out) noexcept {
  const std::size_t first = pieces.first(piece), rows = pieces.size(piece), features = pieces.features;
  FiniteCheck<T> check;
  if (pieces.rows == 1) {
    for (std::size_t d = 0; d < features; ++d) check.see(out[d] = w.at(first, d));
    std::fill(out + features, out + round_up(features, kPanel), T(0));
    return check.passed();
  }
  if (rows < kPanel) std::fill_n(out, features * kPanel, T(0));
  const auto element = [&](std::size_t r, std::size_t d) { check.see(out[d * kPanel + r] = w.at(first + r, d)); };
  const auto tile = [&](std::size_t r, std::size_t d) {
    if (d % kPanel == 0) ask_for_rows<0>(&w.at(first + r, d), w.row_stride);
    transpose_tile(&w.at(first + r, d), w.row_stride, out + d * kPanel + r, kPanel,
                   [&](const auto& lanes) { check.see_lanes(lanes); });
  };
  if (w.col_stride == 1) {
    for_each_tile(rows, features, tile, element);
  } else {
    for (std::size_t d = 0; d < features; ++d) {
      for (std::size_t r = 0; r < rows; ++r) element(r, d);
    }
  }
  return check.passed();
}

/// Weights that lie feature by feature, of some features: panels take 16 numbers of each in turn.
template <class T>
bool import_features(const MatrixView<const T>& w, std::size_t begin, std::size_t end, T* out) noexcept {
  FiniteCheck<T> check;
  for (std::size_t d = begin; d < end; ++d) {
    const T* const from = &w.at(0, d);
    for (std::size_t c = 0; c < w.rows; ++c) check.see(from[c]);
    for (std::size_t c = 0; c < w.rows; c += kPanel) {
      T* const to = out + weight_index(w.cols, w.rows, c, d);
      const std::size_t count = std::min(kPanel, w.rows - c);
      std::copy_n(from + c, count, to);
      std::fill(to + count, to + kPanel, T(0));
    }
  }
  return check.passed();
}

template <class T>
void export_piece(const T* in, const Pieces& pieces, std::size_t piece, const MatrixView<T>& w) noexcept {
  const std::size_t first = pieces.first(piece), rows = pieces.size(piece), features = pieces.features;
  if (pieces.rows == 1) {
    for (std::size_t d = 0; d < features; ++d) w.at(first, d) = in[d];
    return;
  }
  const auto element = [&](std::size_t r, std::size_t d) { w.at(first + r, d) = in[d * kPanel + r]; };
  if (w.col_stride == 1) {
    for_each_tile(
        rows, features,
        [&](std::size_t r, std::size_t d) {
          if (d % kPanel == 0) ask_for_rows<1>(&w.at(first + r, d), w.row_stride);
          transpose_tile(in + d * kPanel + r, kPanel, &w.at(first + r, d), w.row_stride, [](const auto&) {});
        },
        element);
  } else if (w.row_stride == 1 && rows == kPanel) {
    for (std::size_t d = 0; d < features; ++d) std::copy_n(in + d * kPanel, kPanel, &w.at(first, d));
  } else {
    for (std::size_t d = 0; d < features; ++d) {
      for (std::size_t r = 0; r < rows; ++r) element(r, d);
    }
  }
}

}  // namespace

template <class T>
Status check_weights(const WeightsView<const T>& view) noexcept {
  const MatrixView<const T>& w = view.weights;
  if (!view.bias.empty() && view.bias.size() != w.rows) {
    return fail(StatusCode::shape_mismatch, "bias", "an entry per row of the weights, or none");
  }
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
Status import_weights(const WeightsView<const T>& view, T* weights, T* bias, int threads) noexcept {
  const MatrixView<const T>& w = view.weights;
  const Pieces pieces(w.rows, w.cols);
  std::atomic<bool> good{view.bias.empty() || view.bias.size() == w.rows};
  if (good) {
    std::fill_n(bias, bias_count(w.rows), -std::numeric_limits<T>::infinity());
    for (std::size_t c = 0; c < w.rows; ++c) {
      bias[c] = view.bias.empty() ? T(0) : view.bias[c];
      if (!(bias[c] <= std::numeric_limits<T>::max())) good = false;
    }
    if (w.row_stride == 1 && pieces.rows > 1) {
      constexpr std::size_t kFeatures = 16;
      for_each_in_parallel(pieces, threads, (w.cols + kFeatures - 1) / kFeatures, [&](std::size_t part) {
        const std::size_t begin = part * kFeatures, end = std::min(begin + kFeatures, w.cols);
        if (!import_features(w, begin, end, weights)) good.store(false);
      });
    } else {
      for_each_in_parallel(pieces, threads, pieces.count, [&](std::size_t piece) {
        if (!import_piece(w, pieces, piece, weights + pieces.place(piece))) good.store(false);
      });
    }
  }
  return good ? Status{} : check_weights(view);
}

template <class T>
void export_weights(const T* weights, const T* bias, const WeightsView<T>& view, int threads) noexcept {
  const Pieces pieces(view.weights.rows, view.weights.cols);
  for_each_in_parallel(pieces, threads, pieces.count, [&](std::size_t piece) {
    export_piece(weights + pieces.place(piece), pieces, piece, view.weights);
  });
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

template Status import_weights<float>(const WeightsView<const float>&, float*, float*, int) noexcept;
template Status import_weights<double>(const WeightsView<const double>&, double*, double*, int) noexcept;
template Status check_weights<float>(const WeightsView<const float>&) noexcept;
template Status check_weights<double>(const WeightsView<const double>&) noexcept;
template void export_weights<float>(const float*, const float*, const WeightsView<float>&, int) noexcept;
template void export_weights<double>(const double*, const double*, const WeightsView<double>&, int) noexcept;
template double squared_norm<float>(const float*, std::size_t) noexcept;
template double squared_norm<double>(const double*, std::size_t) noexcept;

}  // namespace lanemax
