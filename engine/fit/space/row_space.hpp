// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SPACE_ROW_SPACE_HPP
#define LANEMAX_ENGINE_FIT_SPACE_ROW_SPACE_HPP

#include "engine/fit/control.hpp"
#include "engine/fit/problem.hpp"
#include "engine/pass/row_source.hpp"

#include <vector>

namespace lanemax {

/// Data with fewer rows than features, seen from its rows.
///
/// The weights that a penalised fit looks for are combinations of the rows: whatever else they held would cost penalty
/// and change no score. So with X = L Q, the rows of Q an orthonormal basis of what the rows of X span, the fit of X is
/// that of L, the rows' coordinates: as many features as there are independent rows, the same losses, the same penalty,
/// the same optimum. L comes from the rows' inner products X X' (in double, half of N^2 D multiply-adds, once) by
/// Cholesky's factorisation, the largest remainder first, until what is left is rounding.
///
/// "Inner product", "orthonormal" and "length" are those of the penalty: where it weighs features differently, sum_d
/// x_d y_d / w_d with w_d the penalty of feature d's weights over l2.
class RowSpace {
 public:
  /// Whether a problem of this shape is better solved from its rows: by operations and memory.
  [[nodiscard]] static bool pays(std::size_t rows, std::size_t features, std::size_t classes) noexcept;

  /// Of the rows of the problem's data that take part. `weight_of_penalty`: w, one per feature or one for all. Throws
  /// std::bad_alloc; `data` must outlive this.
  RowSpace(const FitProblem& problem, std::vector<double> weight_of_penalty);
  RowSpace(const RowSpace&) = delete;  // views point into it
  RowSpace& operator=(const RowSpace&) = delete;

  /// Finds L. StatusCode::interrupted if the caller wants to stop or the time limit has passed, not_finite where a
  /// value of X is not.
  [[nodiscard]] Status find(const Control& control);

  /// The rows that take part, in order: their coordinates, labels or targets, and weights.
  [[nodiscard]] const Batch& data() const noexcept { return own_.view; }
  /// What data().features are to be multiplied with for lengths to be those of X.
  [[nodiscard]] double unit() const noexcept { return unit_; }
  /// Multiply-adds of find(), twice.
  [[nodiscard]] double flops() const noexcept;

  /// The coordinates of other rows, with everything else that `other` says of them. What of a row lies outside of the
  /// span has no part in any score. Valid as long as this and `other` are.
  [[nodiscard]] const Batch& coordinates_of(const Batch& other);

  /// A point of the fit of X as one of the fit of L (what lies outside of the span is dropped), and back.
  void restrict(const Vector& x, const Vector& u) const;
  void expand(const Vector& u, const Vector& x) const;

 private:
  /// Rows and what a batch says of them, in memory of its own.
  struct OwnedBatch {
    Buffer<double> coordinates;
    std::vector<std::int32_t> labels;
    std::vector<float> weights, targets;
    Batch view;
  };

  [[nodiscard]] std::size_t rank() const noexcept { return pivots_.size(); }
  [[nodiscard]] int team_size(std::size_t items, double flops) const;
  bool sum_products(Buffer<double>& gram, const Control& control) const;
  void factor(const Buffer<double>& gram);
  void copy_targets(const Batch& from, const std::vector<std::uint32_t>& rows, OwnedBatch& to) const;
  void project(const Batch& rows, const Buffer<double>& out) const;
  void load_columns(const Batch& rows, std::size_t first, std::size_t end, std::size_t begin, std::size_t columns,
                    const RowBuffers<double>& buffers) const;

  const FitProblem& problem_;
  std::vector<double> inverse_;            // 1 / w
  std::vector<std::uint32_t> rows_;        // of the features, that take part
  std::vector<std::uint32_t> pivots_;      // rows that span all others, of rows_
  std::vector<std::uint32_t> pivot_rows_;  // of the features
  Buffer<double> triangle_;                // rank x rank: the pivots' coordinates, lower, by rows
  double unit_ = 1;
  OwnedBatch own_, other_;
};

}  // namespace lanemax

#endif
