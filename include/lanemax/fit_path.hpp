// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_FIT_PATH_HPP
#define LANEMAX_FIT_PATH_HPP

#include <lanemax/fit.hpp>

#pragma GCC visibility push(default)
namespace lanemax {

/// The same fit with one penalty after the other, and what each is worth on rows that it has not seen.
struct PathOptions {
  FitOptions fit;              ///< lbfgs or newton (or automatic); l2, checkpoint and early_stopping are not used
  const double* l2 = nullptr;  ///< the penalties, in any order, each once
  std::size_t points = 0;
  /// 2 or more: cross-validation. 0: the loss on `fit.validation`, which is then needed.
  std::size_t folds = 0;
};

/// Of one penalty.
struct PathPoint {
  double l2 = 0;
  FitResult fit;                   ///< over all rows
  double held_out_loss = 0;        ///< mean data loss, each row by the fit that has not seen it
  double held_out_loss_error = 0;  ///< standard error of it over the folds; NaN without folds
  double held_out_accuracy = 0;    ///< by weight; NaN for target probabilities
  bool converged = false;          ///< the fit over all rows and those of all folds
  bool finished = false;           ///< false: interrupted or out of time before; `held_out...` mean nothing
};

struct PathResult {
  std::size_t best = 0;  ///< the point with the least held-out loss; of equal ones, that of the largest penalty
  FitResult fit;         ///< at the returned weights
  double passes = 0;     ///< of everything, folds included, in passes over all rows
  double seconds = 0;
};

/// Fits every penalty, from the largest down, each from the weights of the last, and every fold from the weights of all
/// rows; curvature is shared by all of them. `points` has room for options.points entries and is written in the order
/// of options.l2; `weights` and `bias` are those of the best point, over all rows.
///
/// Folds: rows that take part are shuffled by `fit.seed`, sorted by label (if there are labels) and dealt out in turn,
/// so that each fold has its share of every class; X is read in place. With `standardise`, all folds share the map of
/// all rows. Errors are those of fit(); an option that does not fit is invalid_argument.
[[nodiscard]] Status fit_path(const Batch& data, const PathOptions& options, PathPoint* points,
                              MatrixView<float> weights, float* bias, PathResult& result) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
