// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SYMMETRIC_HPP
#define LANEMAX_ENGINE_FIT_SYMMETRIC_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/fit/vectors.hpp"
#include "engine/parallel.hpp"

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

}  // namespace lanemax

#endif
