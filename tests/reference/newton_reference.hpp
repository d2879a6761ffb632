// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_REFERENCE_NEWTON_REFERENCE_HPP
#define LANEMAX_TESTS_REFERENCE_NEWTON_REFERENCE_HPP

#include <cstddef>
#include <vector>

// The optimum of a softmax fit, by Newton's method in extended precision, written down plainly. For small problems: of
// many features, those of few rows.
namespace lanemax::reference {

struct NewtonProblem {
  std::size_t rows = 0, features = 0, classes = 0;
  std::vector<double> x;        ///< rows x features
  std::vector<int> labels;      ///< one per row
  std::vector<double> weights;  ///< one per row, or none: all 1
  std::vector<double> penalty;  ///< one per feature, > 0: sum_d penalty_d / 2 sum_c W_cd^2; the bias is free
};

struct NewtonResult {
  long double objective = 0;  ///< mean loss and penalty
  /// How much lower the objective could still be, by Newton's own model.
  long double left = 0;
  std::vector<long double> scores;  ///< rows x classes, at the optimum
};
[[nodiscard]] NewtonResult newton_optimum(const NewtonProblem& problem);

}  // namespace lanemax::reference

#endif
