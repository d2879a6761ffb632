// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CLASS_BLOCKS_HPP
#define LANEMAX_ENGINE_FIT_CLASS_BLOCKS_HPP

#include "engine/fit/pair_sample.hpp"
#include "engine/fit/symmetric.hpp"

namespace lanemax {

/// The inverse of each class's own block of the Hessian, from a sample of pairs of a row and a class: of D + 1 rows
/// each, at any number of classes.
///
///     B = A'A + penalty          the rows of A: sqrt(max(w, tau) / S) x', one for each of the class's pairs
///     B = 0.8 A'A + G            of a class with fewer pairs than twice the rows of its block: they say nothing of
///     most
///                                directions. G = 0.2 k (Gram matrix of some rows) + penalty; k is the class's
///                                curvature by the mean one's, to the nearest power of 4: classes share a few G
///
/// Of a class with many pairs B is summed and inverted. Of one with n < D pairs all that is kept is what sets its
/// inverse apart from that of G (Woodbury), n (D + n) numbers instead of D^2:
///
///     B^-1 = G^-1 - U' (I + A U')^-1 U,    U = A G^-1
///
/// 5000 x 256 x 250, passes to relative gaps of 2.3e-4 and 1e-7: one Gram matrix for all classes 67 and 176; n = D / 10
/// for each class 40 and 55, D / 4: 30 and 48, D: 26 and 41, 2.5 D: 21 and 34; without G, D / 10: 49 and 58. Without
/// k Fashion-MNIST takes 80 passes to a tolerance of 1e-6 instead of 65.
class ClassBlocks {
 public:
  /// `keep`: penalty_changed() will be called.
  ClassBlocks(const FitProblem& problem, bool keep) : problem_(problem), keep_(keep) {}

  /// From the Hessian at x and about so many pairs. False if the result cannot be inverted or the caller wants to stop:
  /// what it had before may be gone then. May throw std::bad_alloc, as all members do.
  bool refresh(const Vector& x, std::size_t pairs, const Control* control);
  /// The problem has another penalty now: the curvature stays, the inverses are made anew.
  bool penalty_changed();
  /// out = (the inverses) v, class by class.
  void apply(const Vector& v, const Vector& out) const;
  [[nodiscard]] bool empty() const noexcept { return inverses_.blocks.empty(); }

  /// Floating-point operations of a refresh.
  [[nodiscard]] static double flops(const FitProblem& problem, std::size_t pairs) noexcept;
  /// As many as there is memory for, and the fewest that are good for something.
  [[nodiscard]] static std::size_t most_pairs(const FitProblem& problem) noexcept;
  [[nodiscard]] static std::size_t fewest_pairs(const FitProblem& problem) noexcept;

 private:
  struct Block {
    bool is_dual = false;
    double shared = 0;           ///< of the Gram matrix, in the block; 0 of a class with many pairs
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
