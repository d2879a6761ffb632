// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CURVATURE_SYMMETRIC_HPP
#define LANEMAX_ENGINE_FIT_CURVATURE_SYMMETRIC_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/dispatch/products.hpp"
#include "engine/fit/vectors.hpp"
#include "engine/parallel.hpp"

#include <algorithm>

namespace lanemax {

/// Where a symmetric n x n matrix keeps its entries: panels of 16 columns, as W does, so that the engine's products
/// work on it. Columns are padded with zeros.
struct SymmetricShape {
  /// Columns that are worked on together. What lies above a group's first row is not kept up to date.
  static constexpr std::size_t kGroup = 64;

  std::size_t n = 0;

  [[nodiscard]] std::size_t columns() const noexcept { return round_up(n, kPanel); }
  [[nodiscard]] std::size_t groups() const noexcept { return (n + kGroup - 1) / kGroup; }
  [[nodiscard]] std::size_t count() const noexcept { return columns() * n; }
  [[nodiscard]] std::size_t index(std::size_t row, std::size_t column) const noexcept {
    return (column / kPanel * n + row) * kPanel + column % kPanel;
  }
  /// The entry that stands for (i, j) and (j, i): the one that is kept.
  [[nodiscard]] std::size_t kept(std::size_t i, std::size_t j) const noexcept {
    return i >= j ? index(i, j) : index(j, i);
  }
  [[nodiscard]] std::size_t group_begin(std::size_t group) const noexcept { return group * kGroup; }
  [[nodiscard]] std::size_t group_end(std::size_t group) const noexcept {
    return group * kGroup + kGroup < n ? group * kGroup + kGroup : n;
  }
};

/// Scratch for invert().
template <class T>
struct InverseScratch {
  explicit InverseScratch(std::size_t n);
  Buffer<double> scaling;  // n
  Buffer<T> rows;          // kGroup rows of n, then of the padded length
  Buffer<T> row_panels;
  Buffer<T> scaled_rows;
  Buffer<double> pivot;  // kGroup x kGroup: minus the inverse of the diagonal block
  Buffer<T> pivot_rows;  // the same
  Buffer<T> zeros;
  bool positive = true;
};

/// Replaces a positive definite matrix (of which the entries at kept() count) by its inverse, likewise kept. Block by
/// block, each swept out of the rest (Gauss-Jordan on the diagonal, which a positive definite matrix allows), after
/// scaling the diagonal to 1; n^3 operations, all but 1/64 of them in the gradient product. False if a pivot block is
/// not positive definite beyond rounding: the matrix is lost then. Every thread of the team calls this; the bits do not
/// depend on the team.
template <class T>
[[nodiscard]] bool invert(const Kernels<T>& kernels, const SymmetricShape& shape, T* matrix, InverseScratch<T>& scratch,
                          const Team& team) noexcept;

/// The same for a matrix that `assemble(ridge)` writes, one thread of the team at a time: with as much more on its
/// diagonal as it takes to be positive definite, relatively, beginning with 0. False if nothing below 1 is enough.
template <class T, class Assemble>
[[nodiscard]] bool invert_with_ridge(const Kernels<T>& kernels, const SymmetricShape& shape, T* matrix,
                                     InverseScratch<T>& scratch, const Team& team, const Assemble& assemble) {
  constexpr double kFirstRidge = sizeof(T) == sizeof(float) ? 1e-6 : 1e-12;
  for (double ridge = 0; ridge < 1; ridge = std::max(ridge * 100, kFirstRidge)) {
    team.once([&] { assemble(ridge); });
    if (invert(kernels, shape, matrix, scratch, team)) return true;
  }
  return false;
}

/// The whole matrix, of the entries that are kept.
template <class T>
void spread(const SymmetricShape& shape, const T* kept, T* whole) noexcept {
  for (std::size_t j = 0; j < shape.n; ++j) {
    for (std::size_t i = 0; i < shape.n; ++i) whole[shape.index(i, j)] = kept[shape.kept(i, j)];
  }
}

/// Where a thread keeps a group of columns of weighted rows.
template <class T>
struct WeightedTile {
  T* data;
  std::size_t capacity;  ///< rows, odd
};

/// A group of columns of a matrix (+)= sum_n weight_of(n) x_n x_n': the gradient product with weighted rows for
/// dlogits.
template <class T, class WeightOf>
void add_weighted_group(const Kernels<T>& kernels, const SymmetricShape& shape, std::size_t group, const RowBlock<T>& x,
                        const WeightOf& weight_of, const WeightedTile<T>& tile, T* matrix, bool accumulate) {
  const std::size_t begin = shape.group_begin(group);
  const std::size_t width = std::min(SymmetricShape::kGroup, shape.columns() - begin);
  for (std::size_t n = 0; n < x.count; ++n) {
    const T a = weight_of(n);
    const T* row = x.data + n * x.stride + begin;
    for (std::size_t panel = 0; panel < width / kPanel; ++panel) {
      T* to = tile.data + (panel * tile.capacity + n) * kPanel;
      for (std::size_t lane = 0; lane < kPanel; ++lane) to[lane] = a * row[panel * kPanel + lane];
    }
  }
  GradientArgs<T> args =
      gradient_product<T>(x, tile.data, tile.capacity, shape.n, width, matrix + begin * shape.n, accumulate);
  args.feature_begin = begin;
  kernels.gradient(args);
}

/// Rows [begin, end) of a row-major matrix, into their panels.
template <class T>
void fill_panels(const RowBlock<T>& rows, std::size_t begin, std::size_t end, std::size_t columns, T* panels) noexcept {
  for (std::size_t n = begin; n < end; ++n) {
    const T* row = rows.data + n * rows.stride;
    T* to = panels + n / kPanel * columns * kPanel + n % kPanel;
    for (std::size_t d = 0; d < columns; ++d) to[d * kPanel] = row[d];
  }
}

/// Some lines of numbers times a matrix, in panels of 16 columns (a multiple of 16): lines of so many columns, one
/// after the other. `panels`: scratch for as many numbers, which has the products too, in panels; `zeros`: columns of
/// them.
template <class T>
void multiply_lines(const Kernels<T>& kernels, std::size_t rows, std::size_t columns, const T* matrix,
                    const RowBlock<T>& lines, const T* zeros, T* panels, T* out) noexcept {
  kernels.logits(panel_product(lines, rows, columns, matrix, zeros, panels, lines.count));
  for (std::size_t i = 0; i < lines.count; ++i) {
    for (std::size_t d = 0; d < columns; ++d) {
      out[i * columns + d] = panels[(d / kPanel * lines.count + i) * kPanel + d % kPanel];
    }
  }
}

}  // namespace lanemax

#endif
