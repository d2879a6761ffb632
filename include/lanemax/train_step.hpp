// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TRAIN_STEP_HPP
#define LANEMAX_TRAIN_STEP_HPP

#include <lanemax/objective.hpp>

#include <cstdint>
#include <span>
#include <vector>

// g++ does not apply this to function templates, which say it themselves.
#pragma GCC visibility push(default)
namespace lanemax {

/// Below the smallest normal number of the scalar type these count as 0, so that what decays never slows down the steps
/// to come: v, m, s, a gradient's part in m and s, the penalty's part l2 w in dw, a step and its direction, w.
enum class Optimiser : std::uint8_t {
  gradient_descent,  ///< w <- w - rate * dw
  momentum,          ///< v <- momentum * v + dw;  w <- w - rate * v   (or Nesterov's form)
  /// Kingma & Ba, 2015: m and s, the decaying means of dw and dw^2 (both from 0, hence divided by 1 - decay^steps),
  /// give w <- w - rate * m / (sqrt(s) + 1e-8). A |dw| beyond half the root of the scalar type's largest number (f32:
  /// 9e18) counts as that, so that its square is finite.
  adam,
  /// Duchi, Hazan & Singer, 2011: s <- s + dw^2;  w <- w - rate * dw / (sqrt(s) + 1e-10). |dw| is cut as adam's; a
  /// gradient's part in s counts as 0 on its own.
  adagrad,
};

struct StepOptions {
  double learning_rate = 0.01;         ///< finite, > 0
  double momentum = 0.9;               ///< in [0, 1); adam: the decay of m
  double second_moment_decay = 0.999;  ///< in [0, 1); adam: the decay of s
  bool nesterov = false;               ///< momentum alone: w <- w - rate * (dw + momentum * v)
  double total_weight = 0;  ///< divides the sum over the batch; 0: the batch's own sum of weights. A mini-batch of
                            ///< n rows of weighted data passes n * (mean weight of the data).
};

template <class T>
struct TrainStateData;  // the engine's own

/// Weights, bias and optimiser memory of a model in training, in the engine's own layout, inside memory the caller
/// owns. Copying the handle does not copy the memory. One thread at a time may step it.
///
/// Weights go in and come out for raw features. Inside they are for features as Batch::scaling makes them, so it must
/// be the same in all steps: the first step after create() settles it, or else set_weights().
template <class T>
class TrainState {
 public:
  TrainState() noexcept = default;

  /// Bytes of memory needed; 0 if the shape overflows.
  [[nodiscard]] static std::size_t bytes(std::size_t features, std::size_t classes, Optimiser optimiser) noexcept;

  /// Lays the state out in `memory` and sets weights, bias, moments and the count of steps to 0.
  [[nodiscard]] static Status create(std::size_t features, std::size_t classes, Optimiser optimiser,
                                     std::span<std::byte> memory, TrainState& state) noexcept;

  /// Copies in C x D weights and C biases (none: 0) and clears moments and steps. `scaling` is that of the steps to
  /// come. Checked as Parameters and FeatureScaling say.
  [[nodiscard]] Status set_weights(const WeightsView<const T>& weights, const FeatureScaling& scaling = {}) noexcept;

  /// Copies out. `weights` is C x D in any strides; the bias may be left out. With a `centre` of D entries, for
  /// Model::centre, they are those of `x - centre`, which is written: for features whose means are large beside their
  /// spread T has not the digits for a bias that makes up for them.
  [[nodiscard]] Status get_weights(const WeightsView<T>& weights, std::span<double> centre = {}) const noexcept;

  /// Everything that the next steps depend on, moments and their count included, and back into a state of the same
  /// shape, optimiser and scalar: it goes on to the same bits. The bytes are a safetensors file with a checksum. Taking
  /// them back, bad_checkpoint says what is damaged or differs, and the state stays as it was.
  [[nodiscard]] Status to_bytes(std::vector<std::uint8_t>& bytes) const noexcept;
  [[nodiscard]] Status from_bytes(std::span<const std::uint8_t> bytes) noexcept;

  /// Of a state that was not created, all of these are 0.
  [[nodiscard]] std::size_t features() const noexcept;
  [[nodiscard]] std::size_t classes() const noexcept;
  [[nodiscard]] Optimiser optimiser() const noexcept;

  /// The weights as they are inside, for loss(): those of features as the steps' scaling makes them.
  [[nodiscard]] const Parameters<T>& parameters() const noexcept;

 private:
  friend struct TrainStateData<T>;
  TrainStateData<T>* data_ = nullptr;
};

/// Scratch for train_step() on batches of up to `rows` rows, with any number of threads up to `threads`.
template <class T>
[[nodiscard]] std::size_t train_step_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes,
                                                     int threads) noexcept __attribute__((visibility("default")));

/// Loss, gradient and update in one call, which allocates nothing (on several threads, nothing after the first). The
/// result is the loss at the weights before the update. A non-finite loss or gradient is found before the update: the
/// state is left as it was and the status says which input is to blame. The batch's labels and weights are checked, and
/// its scaling against that of the state; with `Reduction::sum` the step follows the sum's gradient.
template <class T>
[[nodiscard]] Status train_step(TrainState<T>& state, const Objective& objective, const Batch& batch,
                                const StepOptions& options, const Execution& execution, std::span<std::byte> workspace,
                                LossResult& result) noexcept __attribute__((visibility("default")));

}  // namespace lanemax
#pragma GCC visibility pop

#endif
