// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TRAIN_STEP_HPP
#define LANEMAX_TRAIN_STEP_HPP

#include <lanemax/objective.hpp>

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
};

struct StepOptions {
  Optimiser optimiser = Optimiser::gradient_descent;
  double learning_rate = 0.01;         ///< finite, > 0
  double momentum = 0.9;               ///< in [0, 1); adam: the decay of m
  double second_moment_decay = 0.999;  ///< in [0, 1); adam: the decay of s
  bool nesterov = false;               ///< momentum: w <- w - rate * (dw + momentum * v)
  double total_weight = 0;  ///< divides the sum over the batch; 0: the batch's own sum of weights. A mini-batch of
                            ///< n rows of weighted data passes n * (mean weight of the data).
};

/// Weights, bias and optimiser memory of a model in training, in the engine's own layout, inside memory the caller
/// owns. Copying the handle does not copy the memory. One thread at a time may step it.
///
/// Weights go in and come out for raw features. Inside they are for features as Batch::scaling makes them, so it must
/// be the same in all steps: the first step after create() settles it, or else set_weights().
template <class T>
class TrainState {
 public:
  /// Bytes of memory needed; 0 if the shape overflows.
  [[nodiscard]] static std::size_t bytes(std::size_t features, std::size_t classes, Optimiser optimiser) noexcept;

  /// Lays the state out in `memory` (aligned like a workspace) and sets weights, bias, moments and the count of steps
  /// to 0.
  [[nodiscard]] static Status create(std::size_t features, std::size_t classes, Optimiser optimiser,
                                     const Workspace& memory, TrainState& state) noexcept;

  /// Copies in C x D weights and C biases (null: 0) and clears moments and steps. `scaling` is that of the steps to
  /// come. Checked as WeightsView and FeatureScaling say.
  [[nodiscard]] Status set_weights(const WeightsView<T>& weights, const FeatureScaling& scaling = {}) noexcept;

  /// Copies out. `weights` is C x D in any strides; `bias` may be null. With a `centre` of D entries, they are those of
  /// `x - centre`, which is written: T may not have the digits for a bias that makes up for a large one.
  [[nodiscard]] Status get_weights(MatrixView<T> weights, T* bias, double* centre = nullptr) const noexcept;

  [[nodiscard]] std::size_t features() const noexcept { return features_; }
  [[nodiscard]] std::size_t classes() const noexcept { return classes_; }
  [[nodiscard]] Optimiser optimiser() const noexcept { return optimiser_; }

  /// Engine layout (engine/layout.hpp). For the engine's own use.
  T* weights_data = nullptr;
  T* bias_data = nullptr;
  T* velocity_data = nullptr;           ///< v or m: the weights', then the bias's; null for gradient descent
  T* squares_data = nullptr;            ///< s, likewise; null but for adam
  std::uint64_t* steps_data = nullptr;  ///< successful steps so far; null but for adam
  double* centre_data = nullptr;        ///< the scaling of the steps, if there is one
  float* factor_data = nullptr;
  std::uint64_t* scaling_data = nullptr;  ///< whether there is: not settled, none, some

  /// Whether steps may have this scaling; and settles it, if none is settled yet.
  [[nodiscard]] bool accepts(const FeatureScaling& scaling) const noexcept;
  void settle(const FeatureScaling& scaling) noexcept;

 private:
  std::size_t features_ = 0;
  std::size_t classes_ = 0;
  Optimiser optimiser_ = Optimiser::gradient_descent;
};

/// Scratch for train_step() on batches of up to `rows` rows, with any number of threads up to `threads`.
template <class T>
[[nodiscard]] std::size_t train_step_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes,
                                                     int threads) noexcept __attribute__((visibility("default")));

/// Loss, gradient and update in one call. The result is the loss at the weights before the update. A non-finite loss
/// or gradient is found before the update: the state is left as it was and the status says which input is to blame.
/// The batch's labels and weights are checked, and its scaling against that of the state; with `Reduction::sum` the
/// step follows the sum's gradient.
template <class T>
[[nodiscard]] Status train_step(TrainState<T>& state, const Objective& objective, const Batch& batch,
                                const StepOptions& options, const Execution& execution, const Workspace& workspace,
                                LossResult& result) noexcept __attribute__((visibility("default")));

}  // namespace lanemax
#pragma GCC visibility pop

#endif
