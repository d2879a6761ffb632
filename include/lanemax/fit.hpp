// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_FIT_HPP
#define LANEMAX_FIT_HPP

#include <lanemax/model.hpp>
#include <lanemax/objective.hpp>
#include <lanemax/train_step.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace lanemax {

enum class Solver : std::uint8_t {
  automatic,  ///< picks from the loss and the shape; FitResult::solver says what
  lbfgs,      ///< preconditioned L-BFGS over all rows; softmax and logistic
  /// Newton's method, the whole Hessian inverted for every step, where that is small ((D + 1) C at most 1024, and the
  /// work of 16 passes) or Preconditioner::full asks for it; else lbfgs, as FitResult::solver then says; softmax and
  /// logistic
  newton,
  sgd,       ///< mini-batch gradient descent
  momentum,  ///< the same with Nesterov momentum
  adam,      ///< the same with Adam's scaling of each weight's steps
  adagrad,   ///< gradient descent with AdaGrad's: the root of the sum of squares so far
};
/// What lbfgs and newton know of the curvature beside the gradients: (approximate) inverses of parts of the Hessian,
/// summed over a sample of the rows and refreshed as the fit goes on.
enum class Preconditioner : std::uint8_t {
  /// By operations and memory, from the shape; FitResult::preconditioner says what. Of fewer rows than features (up to
  /// some thousands of rows) the fit is then one of the rows' coordinates in the space that they span: the same optimum
  /// and bound, curvature of all rows, no step that depends on D.
  automatic,
  none,
  diagonal,  ///< the Hessian's diagonal
  gram,      ///< one (D + 1) x (D + 1) matrix for all classes: the rows' Gram matrix, weighted by their mean curvature
  blocks,    ///< such a matrix per class
  full,      ///< the whole Hessian; with it newton is Newton's method, whatever the size
};
enum class Schedule : std::uint8_t {
  constant,
  cosine,  ///< from the rate to 0 along half a cosine over all the steps
  step,    ///< a tenth of the rate after half, a hundredth after three quarters of the epochs
};
enum class StopReason : std::uint8_t {
  none,  ///< has not stopped: never begun, or not yet at its end
  tolerance,
  epochs,
  max_iterations,
  time_limit,
  early_stopping,
  no_progress,
  interrupted,
  diverged,
};
[[nodiscard]] const char* name_of(Solver solver) noexcept;
[[nodiscard]] const char* name_of(Preconditioner preconditioner) noexcept;
[[nodiscard]] const char* name_of(Schedule schedule) noexcept;
[[nodiscard]] const char* name_of(StopReason reason) noexcept;
[[nodiscard]] const char* name_of(Loss loss) noexcept;

/// What a fit tells while it runs: once per epoch (sgd, momentum, adam, adagrad) or iteration (lbfgs, newton).
struct FitProgress {
  std::size_t epoch = 0;       ///< finished epochs, from 1; 0 where there are none
  std::size_t epochs = 0;      ///< epochs asked for
  std::size_t iterations = 0;  ///< weight updates so far
  double passes = 0;           ///< full-data equivalents so far
  double loss = 0;  ///< mean data loss; of an epoch: over its batches, each at the weights it was computed with
  double validation_loss = 0;  ///< mean data loss on the validation batch; NaN without one
  double objective = 0;        ///< lbfgs, newton; else NaN
  double gradient_norm = 0;    ///< lbfgs, newton; else NaN
  double learning_rate = 0;    ///< of the epoch's last step; lbfgs, newton: the step length
  double samples_per_second = 0;
  double seconds = 0;              ///< since the fit began
  double seconds_left = 0;         ///< estimate for the epochs that remain; NaN where unknown
  double l2 = 0;                   ///< the penalty at work
  std::size_t fold = 0;            ///< fit_path: from 1; 0: all rows
  double resumed_passes = 0;       ///< done before by the runs that this one goes on from (of a whole path)
  bool checkpoint_failed = false;  ///< the last attempt to write the checkpoint
};
/// Called from the fitting thread; returning false ends the fit with StopReason::interrupted. Must not throw.
using ProgressCallback = bool (*)(const FitProgress& progress, void* user) noexcept;

/// Asked before every step or pass; returning true ends the fit with StopReason::interrupted at the weights so far, or
/// the search for `gap_bound` where the fit has come to its end. Must not throw.
using CancelCallback = bool (*)(void* user) noexcept;

/// When a fit ends.
struct Stopping {
  double tolerance = 1e-5;         ///< when the largest gradient entry is at most this; 0: never
  std::size_t max_iterations = 0;  ///< weight updates; 0: no limit
  double time_limit = 0;           ///< seconds; 0: none. The only option that makes a result depend on the clock
  /// Epochs or iterations without a better loss on FitOptions::validation, which it needs; 0: off.
  std::size_t early_stopping = 0;
};

/// Of sgd, momentum, adam and adagrad: set with another solver, or where the solver has no use for it, an option is an
/// invalid_argument; set with Solver::automatic, it means momentum.
struct MiniBatches {
  std::optional<std::size_t> epochs = {};      ///< unset: 20; 0 returns the initial weights
  std::optional<std::size_t> batch_size = {};  ///< unset: 128; >= 1, capped at the number of rows
  /// > 0. Unset: from the largest curvature of the loss, estimated on a sample of the rows that take part. Momentum:
  /// 1 / (a bound of it); sgd: more, if a schedule brings it down and batches are not too small; adam: 0.001; adagrad:
  /// 0.03.
  std::optional<double> learning_rate = {};
  std::optional<Schedule> schedule = {};  ///< unset: cosine
  std::optional<double> momentum = {};    ///< unset: 0.9; in [0, 1); momentum; adam's decay of the gradient's mean
  /// Unset: 0.999; in [0, 1); adam's decay of the squared gradient's mean.
  std::optional<double> second_moment_decay = {};
};

/// So that an interrupted fit can go on.
struct Checkpoint {
  /// Where the state is kept: written when the fit ends before its time (interrupted, time limit, most iterations) and
  /// every `seconds`, atomically. A file that cannot be written does not end the fit: FitResult::checkpoint_error says
  /// why. Empty: nowhere.
  std::string file = {};
  double seconds = 30;
  /// Go on from the file: the same bits as if there had been no interruption. Refused, with
  /// StatusCode::bad_checkpoint and the name of what differs, if it was written with other data or options.
  bool resume = false;
  std::string note = {};  ///< anything else that must be the same on resuming: class names, say
};

struct FitOptions {
  Objective objective = {};  ///< mean reduction; an unset l2 is 1/S
  Solver solver = Solver::automatic;
  Preconditioner preconditioner = Preconditioner::automatic;  ///< lbfgs, newton
  /// False: there is none, and none need be passed in or out. Only where features are centred, by `standardise` or by
  /// Batch::scaling, the weights for raw features have one: what folding the centre in makes.
  bool bias = true;
  bool warm_start = false;  ///< begin from the weights and bias passed in (for raw features) rather than from 0
  /// Scale features as they are loaded (the penalty then acts on the weights of the scaled ones), `(x - mean) /
  /// deviation` of the rows that take part (unweighted; constant columns are only centred; `data.scaling` and the
  /// validation batch's must be empty).
  bool standardise = false;
  Stopping stopping = {};
  MiniBatches mini_batches = {};
  std::uint64_t seed = 0;             ///< of the shuffling of mini-batches, and of fit_path()'s folds
  const Batch* validation = nullptr;  ///< rows to watch during the call: a loss per epoch or iteration
  Checkpoint checkpoint = {};
  Execution execution = {};
  ProgressCallback progress = nullptr;
  CancelCallback cancelled = nullptr;
  void* user = nullptr;  ///< handed to both
};

/// What a fit did to the features, where there is room for an entry per feature; nothing where empty.
struct FitScaling {
  std::span<double> centre_used = {};  ///< the map of a fit that standardises
  std::span<float> factor_used = {};
  /// For Model::centre: a centre that the returned weights are around, should weights for raw features lose more than
  /// 1e-7 of the objective to rounding; FitResult::centred says whether it was written.
  std::span<double> model_centre = {};
};

struct FitResult {
  Solver solver = Solver::automatic;                     ///< that ran
  Preconditioner preconditioner = Preconditioner::none;  ///< that was used last
  StopReason reason = StopReason::none;
  /// The one to ask: whether the tolerance was met, at the returned weights or, where rounding them to the caller's
  /// type has moved the gradient but cost less than 1e-7 of the objective, just before.
  bool converged = false;
  bool centred = false;  ///< the weights are those of `x - FitScaling::model_centre`, which was written
  double l2 = 0;         ///< the penalty that was used
  double objective = 0;  ///< from one f64 pass over all rows at the returned weights, as are the next two
  double data_loss = 0;
  double gradient_norm = 0;  ///< largest absolute entry of the objective's gradient, penalty and bias included, by the
                             ///< weights of the features that the fit ran on
  /// The objective is at most this far above the optimum. Where a class has no rows the optimum is infinitely far away,
  /// and the bound true but large; mask such a class, or leave it out. NaN without penalty or for hinge loss, and where
  /// the fit was interrupted or out of time: then one pass is all that follows.
  double gap_bound = 0;
  double rounding_cost = 0;  ///< rounding the weights to the caller's type raised the objective by at most this
  /// The feature whose weights' rounding costs most, where all of it costs more than 1e-7 of the objective; else -1.
  std::ptrdiff_t rounded_feature = -1;
  double learning_rate = 0;  ///< the initial rate that was used; lbfgs, newton: 0
  std::size_t iterations = 0;
  double passes = 0;  ///< full-data equivalents of the gradient work, the final passes included
  double seconds = 0;
  int threads = 1;               ///< that were at work in the last pass over all rows: see LossResult
  Status checkpoint_error = {};  ///< of the last attempt to write the checkpoint: ok if it succeeded or there was none
};

/// Trains a linear classifier on `data` (labels or target probabilities) into `weights` (C x D, and C biases).
///
/// Weights go in and come out for raw features: any scaling, the fit's or the batch's own, is folded into them in
/// double, or all of it but the centre (FitScaling::model_centre). The penalty acts on the weights of the scaled
/// features. Without `standardise`, too, a fit runs on centred features where they are far from 0 beside their spread,
/// and on ones scaled by powers of two (the penalty to match) where they are beyond 2^40, or below 2^-40 and not
/// penalised. Columns that are not constant and whose largest value is not within 1e-30..1e30 are out_of_range; for
/// sgd, momentum, adam and adagrad without `standardise` so are those beyond 2^53.
///
/// lbfgs and newton keep their state in double and run f32 passes until progress is lost in their rounding, then f64
/// ones. sgd, momentum, adam and adagrad take the rows of each mini-batch from a Fisher-Yates shuffle per epoch, driven
/// by SplitMix64 from `seed`. Equal inputs give equal bits for any number of threads. Owns its scratch memory;
/// out_of_memory if there is not enough.
/// StatusCode::diverged: a loss or gradient was not finite; `weights` are the last that were good and `result` is set.
/// Any other error leaves the outputs untouched.
[[nodiscard]] Status fit(const Batch& data, const FitOptions& options, const WeightsView<float>& weights,
                         FitResult& result, const FitScaling& scaling = {}) noexcept;
/// The same with weights in double, which lbfgs and newton really have.
[[nodiscard]] Status fit(const Batch& data, const FitOptions& options, const WeightsView<double>& weights,
                         FitResult& result, const FitScaling& scaling = {}) noexcept;
/// The same into a model, all of which is replaced (feature_names and columns are to be set afterwards), ready to be
/// saved or predicted with: one class per name, in class order (logistic: negative,
/// positive); without names the classes are called 0, 1, ... up to the largest label. With `warm_start` it begins from
/// the weights that the model has.
[[nodiscard]] Status fit(const Batch& data, const FitOptions& options, const std::vector<std::string>& class_labels,
                         Model& model, FitResult& result) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
