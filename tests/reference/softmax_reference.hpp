// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_REFERENCE_SOFTMAX_REFERENCE_HPP
#define LANEMAX_TESTS_REFERENCE_SOFTMAX_REFERENCE_HPP

#include <cstddef>
#include <limits>
#include <vector>

// The oracle: the formulas of the softmax, hinge and logistic classifiers written down plainly, in long double, sharing
// nothing with the engine. Every value comes with the error that a correct computation in a given arithmetic may have,
// so that a test compares each element with a bound of its own.
//
// Matrices are dense and row-major: X [rows][features], W [classes][features], logits and dlogits [rows][classes].
namespace lanemax::reference {

using Real = long double;

struct Estimate {
  Real value = 0;
  Real bound = 0;  ///< largest error of a correct result
};

/// The arithmetic whose rounding errors are bounded.
struct Arithmetic {
  Real u = 0;  ///< unit roundoff: half the distance from 1 to the next number
  Real min_normal = 0;
  Real max = 0;
};
template <class T>
[[nodiscard]] Arithmetic arithmetic_of() {
  using Limits = std::numeric_limits<T>;
  return {static_cast<Real>(Limits::epsilon()) / 2, static_cast<Real>(Limits::min()), static_cast<Real>(Limits::max())};
}

/// A sum of products with its bound: (terms + 2) u sum |a b|, plus what errors of the factors bring in.
class ProductSum {
 public:
  void add(const Estimate& a, const Estimate& b);
  void add(Real a, Real b) { add(Estimate{a, 0}, Estimate{b, 0}); }
  [[nodiscard]] Estimate sum(const Arithmetic& arithmetic) const;

 private:
  Real sum_ = 0, magnitude_ = 0, inherited_ = 0;
  std::size_t terms_ = 0;
};

// ---- one row ----

struct RowTarget {
  int label = 0;                          ///< used if there are no probabilities
  const double* probabilities = nullptr;  ///< one per class
  double smoothing = 0;                   ///< with labels: t = (1 - e) onehot + e / (unmasked classes)
  double weight = 1;                      ///< s_i; part of dlogits, not of the loss
};

struct RowLoss {
  Estimate loss;
  std::vector<Estimate> dlogits;        ///< s_i times the derivative of the loss
  std::vector<Estimate> probabilities;  ///< softmax and logistic
};

/// Each takes the row's logits with the errors they already have (0 if they are the very numbers the engine is given).
/// At least one logit is finite and none is NaN or +infinity.
[[nodiscard]] RowLoss softmax_row(const std::vector<Estimate>& logits, const RowTarget& target, const Arithmetic& a);
[[nodiscard]] RowLoss hinge_row(const std::vector<Estimate>& logits, const RowTarget& target, const Arithmetic& a);
/// One logit; the target is probabilities[0], or the label 0 or 1.
[[nodiscard]] RowLoss logistic_row(const std::vector<Estimate>& logits, const RowTarget& target, const Arithmetic& a);

// ---- a whole batch ----

enum class Loss { softmax, hinge, logistic };

struct Problem {
  Loss loss = Loss::softmax;
  std::size_t rows = 0, features = 0, classes = 0;  ///< classes = rows of W: 1 for logistic
  std::vector<double> x, w, b;
  std::vector<int> labels;
  std::vector<double> targets;         ///< instead of labels
  std::vector<double> sample_weights;  ///< empty: all 1
  int ignored_label = -1;
  double smoothing = 0;
  double l2 = 0;
  bool sum_reduction = false;
};

struct Solution {
  std::size_t kept = 0;   ///< rows with weight > 0 and a label that counts
  Real total_weight = 0;  ///< S
  Estimate data_loss, objective;
  std::vector<Estimate> logits, sample_losses, probabilities;  ///< of every row; losses of rows left out are 0
  std::vector<Estimate> dlogits;                               ///< reduced: with the factor 1/S unless sum_reduction
  std::vector<Estimate> dweights, dbias, dfeatures;            ///< of the objective, penalty included
};

[[nodiscard]] std::vector<Estimate> logits(const Problem& problem, const Arithmetic& a);
[[nodiscard]] Solution solve(const Problem& problem, const Arithmetic& a);

// ---- one step of the optimiser ----
//
// Below the smallest normal number these count as 0: moments, what a gradient adds to the means, the direction of a
// step, the step itself; and the pull of the penalty in a gradient.

/// w - rate * gradient.
[[nodiscard]] Estimate descent_step(const Estimate& w, const Estimate& gradient, Real rate, const Arithmetic& a);

struct MomentumStep {
  Estimate velocity;  ///< momentum * velocity + gradient
  Estimate weight;    ///< w - rate * velocity, or w - rate * (gradient + momentum * velocity) with Nesterov's rule
};
[[nodiscard]] MomentumStep momentum_step(const Estimate& w, const Estimate& velocity, const Estimate& gradient,
                                         Real rate, Real momentum, bool nesterov, const Arithmetic& a);

struct AdamRule {
  Real rate = 0, mean_decay = 0, square_decay = 0;  ///< numbers of the arithmetic
  Estimate mean_correction{1, 0}, square_correction{1, 0};
};
/// 1 / (1 - decay^steps), computed in double and rounded to the arithmetic.
[[nodiscard]] Estimate adam_correction(Real decay, std::size_t steps, const Arithmetic& a);

struct AdamStep {
  Estimate mean;    ///< decay * mean + (1 - decay) * gradient
  Estimate square;  ///< decay * square + (1 - decay) * gradient^2
  Estimate weight;  ///< w - rate * corrected mean / (sqrt(corrected square) + 1e-8)
};
/// A gradient beyond half the root of the largest number counts as that.
[[nodiscard]] AdamStep adam_step(const Estimate& w, const Estimate& mean, const Estimate& square,
                                 const Estimate& gradient, const AdamRule& rule, const Arithmetic& a);

struct AdagradStep {
  Estimate weight, square;
};
[[nodiscard]] AdagradStep adagrad_step(const Estimate& w, const Estimate& square, const Estimate& gradient, Real rate,
                                       const Arithmetic& a);

}  // namespace lanemax::reference

#endif
