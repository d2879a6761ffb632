// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_FIT_HPP
#define LANEMAX_FIT_HPP

#include <lanemax/objective.hpp>
#include <lanemax/train_step.hpp>

#pragma GCC visibility push(default)
namespace lanemax {

enum class Solver : std::uint8_t {
  automatic,  ///< picks from the shape; FitResult::solver says what
  sgd,        ///< mini-batch gradient descent
  momentum,   ///< the same with Nesterov momentum
};
enum class Schedule : std::uint8_t {
  constant,
  cosine,  ///< from the rate to 0 along half a cosine over all the steps
  step,    ///< a tenth of the rate after half, a hundredth after three quarters of the epochs
};
enum class StopReason : std::uint8_t {
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
[[nodiscard]] const char* name_of(Schedule schedule) noexcept;
[[nodiscard]] const char* name_of(StopReason reason) noexcept;
[[nodiscard]] const char* name_of(Loss loss) noexcept;

/// What a fit tells while it runs, once per epoch.
struct FitProgress {
  std::size_t epoch = 0;       ///< finished epochs, from 1
  std::size_t epochs = 0;      ///< epochs asked for
  double loss = 0;             ///< mean data loss over the epoch's batches, each at the weights it was computed with
  double validation_loss = 0;  ///< mean data loss on the validation batch; NaN without one
  double learning_rate = 0;    ///< of the epoch's last step
  double samples_per_second = 0;
  double seconds = 0;       ///< since the fit began
  double seconds_left = 0;  ///< estimate for the epochs that remain
};
/// Called from the fitting thread; returning false ends the fit with StopReason::interrupted. Must not throw.
using ProgressCallback = bool (*)(const FitProgress& progress, void* user) noexcept;

/// Asked before every step; returning true ends the fit with StopReason::interrupted at the weights so far. Must not
/// throw.
using CancelCallback = bool (*)(void* user) noexcept;

struct FitOptions {
  Objective objective;  ///< mean reduction
  Solver solver = Solver::automatic;
  std::size_t epochs = 20;       ///< 0 returns the initial weights
  std::size_t batch_size = 128;  ///< >= 1; capped at the number of rows
  double learning_rate = 0;      ///< 0: 1 / (largest curvature of the loss, estimated on a sample of rows)
  double momentum = 0.9;
  Schedule schedule = Schedule::cosine;
  std::uint64_t seed = 0;          ///< of the shuffling
  double tolerance = 1e-5;         ///< after an epoch: stop when the largest gradient entry is at most this; 0: never
  std::size_t max_iterations = 0;  ///< weight updates; 0: no limit
  double time_limit = 0;           ///< seconds; 0: none. The only option that makes a result depend on the clock
  std::size_t early_stopping = 0;  ///< epochs without a better validation loss; needs `validation`; 0: off
  const Batch* validation = nullptr;
  bool warm_start = false;  ///< begin from the weights and bias passed in rather than from 0
  Execution execution;
  ProgressCallback progress = nullptr;
  CancelCallback cancelled = nullptr;
  void* user = nullptr;
};

struct FitResult {
  Solver solver = Solver::automatic;
  StopReason reason = StopReason::epochs;
  bool converged = false;  ///< gradient_norm <= tolerance at the returned weights
  double objective = 0;    ///< from one pass over all rows at the returned weights, as are the next two
  double data_loss = 0;
  double gradient_norm = 0;  ///< largest absolute entry of the objective's gradient, penalty and bias included
  double learning_rate = 0;  ///< the initial rate that was used
  std::size_t iterations = 0;
  double passes = 0;  ///< full-data equivalents of the gradient work, the final pass included
  double seconds = 0;
};

/// Trains a linear classifier on `data` (labels or target probabilities) into `weights` (C x D) and `bias` (C).
///
/// The rows of each mini-batch come from a Fisher-Yates shuffle per epoch, driven by SplitMix64 from `seed`: equal
/// inputs give equal bits for any number of threads. Owns its scratch memory; out_of_memory if there is not enough.
/// StatusCode::diverged: a loss or gradient was not finite; `weights` are the last that were good and `result` is set.
/// Any other error leaves the outputs untouched.
[[nodiscard]] Status fit(const Batch& data, const FitOptions& options, MatrixView<float> weights, float* bias,
                         FitResult& result) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
