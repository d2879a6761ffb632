// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CLASS_BLOCKS_HPP
#define LANEMAX_ENGINE_FIT_CLASS_BLOCKS_HPP

#include "engine/fit/class_lines.hpp"
#include "engine/fit/pair_sample.hpp"
#include "engine/fit/symmetric.hpp"

#include <span>

namespace lanemax {

/// The inverse of each class's own block of the Hessian, of D + 1 rows, at any number of classes: from a sample of
/// pairs of a row and a class, and from the Gram matrix of some rows. Of
///
///     B = A'A + G,   G = k Gram + penalty,   the rows of A: sqrt(weight / S) x', one for each of the class's pairs
///
/// pairs that were kept for certain have their own weight. What was drawn for those that were not stands for many; of a
/// class with fewer pairs than twice the rows of its block it says little of most directions. There, n drawn pairs have
/// n / (n + (D + 1) / 2) of their weight, and the curvature that this leaves is the Gram matrix's part, k, to the
/// nearest power of 2: classes share a few G. Elsewhere k is 0.
///
/// Of a class with many pairs B is summed and inverted. Of one with n < D pairs all that is kept is what sets its
/// inverse apart from that of G (Woodbury), n (D + n) numbers instead of D^2:
///
///     B^-1 = G^-1 - U' (I + A U')^-1 U,    U = A G^-1
///
/// 5000 x 256 x 250, passes to relative gaps of 2.3e-4 and 1e-7: one Gram matrix for all classes 67 and 176; D / 4
/// pairs for each class 35 and 64, D: 24 and 38.
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
    bool is_dual = false;
    double drawn = 0;            ///< of their weight that drawn pairs have
    double shared = 0;           ///< k
    SymmetricShape inner_shape;  ///< dual: of as many rows as the class has pairs, rounded up
    Buffer<float> curvature;     ///< 0.8 A'A + 0.2 Gram, if it is kept
    Buffer<float> matrix;        ///< the inverse; dual: U, laid out as W of so many classes
    Buffer<float> inner;         ///< dual: (I + A U')^-1
  };
  /// A G of dual blocks.
  struct Base {
    double shared = 0;
    std::vector<std::size_t> classes;  ///< whose it is
    Buffer<float> inverse;
  };
  /// What is made of a sample.
  struct Inverses {
    std::vector<Block> blocks;
    std::vector<Base> bases;
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
