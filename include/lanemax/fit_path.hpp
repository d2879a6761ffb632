// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_FIT_PATH_HPP
#define LANEMAX_FIT_PATH_HPP

#include <lanemax/fit.hpp>

#pragma GCC visibility push(default)
namespace lanemax {

/// The same fit with one penalty after the other, and what each is worth on rows that it has not seen.
struct PathOptions {
  /// lbfgs or newton (or automatic); early_stopping must be unset, and l2 where there are penalties.
  FitOptions fit = {};
  /// The penalties, in any order, each once (`const double l2[] = {1e-2, 1e-3}`); none: the one that `fit` has, or 1/S.
  std::span<const double> l2 = {};
  /// 2 or more: cross-validation. 0, and no folds of the caller's: the loss on `fit.validation`, which is then needed.
  std::size_t folds = 0;
  /// Folds of the caller's instead (groups, blocks of time), and `folds` stays 0: for every sample which fold holds it
  /// out, from 0, without a gap; -1: none does, and all train on it.
  LabelsView fold_of_sample = {};
  /// A fold's penalty is that of all rows times S / (the fold's S), as if 1 / (l2 S) stayed the same: scikit-learn's C.
  bool scale_l2 = false;
};

/// What the rows that a fold holds out say.
struct FoldScore {
  double loss = 0;      ///< weighted mean of the data loss; NaN if no row can judge
  double accuracy = 0;  ///< by weight; NaN for target probabilities, and if no row can judge
  double weight = 0;    ///< of the rows that judge
};

/// What else to write, where there is room for it; of a point that is not finished, nothing. On an error what `weights`
/// hold is undefined.
struct PathOutputs {
  FitScaling scaling = {};
  MatrixView<FoldScore> folds = {};  ///< penalties, in their order, x folds (1 without folds: validation)
  std::span<const WeightsView<float>> weights = {};  ///< of each penalty, over all rows: see FitResult::centred
};

/// Of one penalty.
struct PathPoint {
  double l2 = 0;
  FitResult fit = {};              ///< over all rows
  double held_out_loss = 0;        ///< mean data loss, each row by the fit that has not seen it
  double held_out_loss_error = 0;  ///< standard error of it over the folds; NaN with fewer than two
  double held_out_accuracy = 0;    ///< by weight; NaN for target probabilities
  bool converged = false;          ///< the fit over all rows and those of all folds
  bool finished = false;           ///< false: the path ended before; of the point only `l2` counts
};

struct PathResult {
  /// The finished point with the least held-out loss; of equal ones, that of the largest penalty. Without a finished
  /// point, the largest penalty.
  std::size_t best = 0;
  /// Rows that were held out and judge nothing, because no row of their class trained the fit that they would judge.
  std::size_t left_out = 0;
  /// At the returned weights. Where the path ended early, `reason` says why, and `converged` is false.
  FitResult fit = {};
  double passes = 0;  ///< of everything, folds included, in passes over all rows
  double seconds = 0;
};

/// Fits every penalty, from the largest down: all rows from the weights of the penalty before (the first from 0 or,
/// with `fit.warm_start`, the weights passed in), then every fold from its own weights at the penalty before. A fold
/// begins at 0 whatever is passed in, but for masked classes: other weights may have seen what it holds out. Curvature
/// is shared by all of them where that changes the way to the optimum and not the optimum, which then is the only one.
/// `points` has an entry per penalty and is written in the order of options.l2; `weights` are those of the best point,
/// over all rows.
///
/// Folds, unless they are the caller's: rows that take part are shuffled by `fit.seed`, sorted by class (of target
/// probabilities: the largest) and dealt out in turn, so that each fold has its share of every class, and a class of
/// two rows or more is in every training part; a row that is selected twice is dealt as one. A class that a training
/// part lacks takes no part in that fit, and rows with such a class in their target are left out of the held-out loss,
/// its standard error and the accuracy, as are validation rows of a class that no row trains. no_rows if that is all of
/// them. X is read in place. With `standardise`, all folds share the map of all rows.
///
/// A checkpoint holds all that is finished and the fit at work: a path that is resumed gives the same bits as if there
/// had been no interruption. What ends each fit, tolerance and max_iterations, must then be the same, too.
///
/// A path that is interrupted, out of time or diverges ends there and hands over what is finished; if that is not even
/// the largest penalty, its weights so far. StatusCode::diverged: some fit did; all outputs are set. Other errors are
/// those of fit(), and leave the outputs untouched; an option that does not fit is invalid_argument.
[[nodiscard]] Status fit_path(const Batch& data, const PathOptions& options, std::span<PathPoint> points,
                              const WeightsView<float>& weights, PathResult& result,
                              const PathOutputs& outputs = {}) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
