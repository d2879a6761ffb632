// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CURVATURE_CLASS_BLOCKS_HPP
#define LANEMAX_ENGINE_FIT_CURVATURE_CLASS_BLOCKS_HPP

#include "engine/fit/curvature/class_lines.hpp"
#include "engine/fit/curvature/pair_sample.hpp"
#include "engine/fit/curvature/symmetric.hpp"

#include <span>

namespace lanemax {

/// The inverse of each class's own block of the Hessian, of D + 1 rows, at any number of classes: from a sample of
/// pairs of a row and a class, and from the Gram matrix of some rows. Of
///
///     B = A'A + G,   G = k Gram + penalty,   the rows of A: sqrt(weight / S) x', one for each of the class's pairs
///
/// pairs that were kept for certain have their own weight. What was drawn for those that were not stands for many; of a
/// class with fewer pairs than twice the rows of its block it says little of most directions. There, n drawn pairs have
/// n / (n + (D + 1) / 2) of their weight, and the curvature that this leaves is the Gram matrix's part, k. Elsewhere k
/// is 0.
///
/// A block of many pairs is summed and inverted. Of a class with n <= D pairs all that is kept is what sets its inverse
/// apart from one that all of them share, with the mean of their k (Woodbury):
///
///     B^-1 = G^-1 - U' (I + A U')^-1 U,    U = A G^-1
///
/// The rows of U are those of Y = X G^-1, weighted: they are kept once for all classes, with n^2 numbers for each
/// instead of D^2; 20,000 x 768 x 1000 with 250 pairs a class take 310 MB instead of 2.4 GB, and 2 passes instead
/// of 15.
///
/// 5000 x 256 x 250, passes to relative gaps of 2.3e-4 and 1e-7: one Gram matrix for all classes 67 and 176; D / 4
/// pairs for each class 41 and 70, D: 26 and 44. 12,000 x 192 x 150, overlapping: 104 and more than 210, D: 23 and 34.
class ClassBlocks {
 public:
  /// `keep`: penalty_changed() will be called.
  ClassBlocks(const FitProblem& problem, bool keep) : problem_(problem), keep_(keep) {}

  /// From the Hessian at x and about so many pairs. False if the result cannot be inverted or the caller wants to stop:
  /// what it had before may be gone then. May throw std::bad_alloc, as all members do.
  bool refresh(const Vector& x, std::size_t pairs, const Control* control);
  /// The problem has another penalty now: the curvature stays, the inverses are made anew.
  bool penalty_changed();
  /// The inverses times vectors, class by class.
  void apply(const std::span<const Product>& products) const;
  [[nodiscard]] bool empty() const noexcept { return inverses_.blocks.empty(); }

  /// Floating-point operations of a refresh.
  [[nodiscard]] static double flops(const FitProblem& problem, std::size_t pairs) noexcept;
  /// As many as there is memory for, and the fewest that are good for something.
  [[nodiscard]] static std::size_t most_pairs(const FitProblem& problem) noexcept;
  [[nodiscard]] static std::size_t fewest_pairs(const FitProblem& problem) noexcept;

 private:
  struct Block {
    double drawn = 0;                 ///< of their weight that drawn pairs have
    double shared = 0;                ///< k
    Buffer<float> curvature;          ///< A'A + k Gram, if it is kept
    Buffer<float> inverse;            ///< B^-1
    std::vector<std::uint32_t> rows;  ///< or, of few pairs: those of Y, ...
    SymmetricShape inner_shape;       ///< ... their number, rounded up, and
    Buffer<float> inner;              ///< R (I + A U')^-1 R, R the diagonal matrix of the roots in A
    [[nodiscard]] bool is_dual() const noexcept { return inverse.empty(); }
  };
  /// What is made of a sample.
  struct Inverses {
    std::vector<Block> blocks;
    double shared = 0;                  ///< k of the dual blocks
    Buffer<float> base;                 ///< their G^-1
    Buffer<float> y;                    ///< a line for each row in which one of them has a pair
    std::vector<std::uint32_t> y_rows;  ///< which row that is
  };
  class Maker;

  const FitProblem& problem_;
  bool keep_;
  PairSample sample_;   // if it is kept
  Buffer<float> gram_;  // likewise
  Inverses inverses_;
};

}  // namespace lanemax

#endif
