// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_STEPPING_HPP
#define LANEMAX_TESTS_SUPPORT_STEPPING_HPP

#include "engine/train_state.hpp"
#include "tests/support/public_calls.hpp"

#include <gtest/gtest.h>

#include <span>
#include <vector>

namespace lanemax::checks {

/// A state in training with memory of its own, of exactly the size asked for.
template <class T>
class OwnedState {
 public:
  OwnedState(std::size_t features, std::size_t classes, Optimiser optimiser)
      : bytes_(TrainState<T>::bytes(features, classes, optimiser)) {
    memory_ = buffer_.ending_at_guard<std::byte>(bytes_, std::byte{0x5a});
    created = TrainState<T>::create(features, classes, optimiser, {memory_, bytes_}, state);
  }
  /// Weights, bias, moments, the count of steps and the scaling, bit for bit, padding included.
  [[nodiscard]] std::vector<std::byte> contents() const {
    std::vector<std::byte> bits;
    const auto add = [&bits](const auto* values, std::size_t count) {
      if (values == nullptr) return;
      const std::span<const std::byte> bytes = std::as_bytes(std::span(values, count));
      bits.insert(bits.end(), bytes.begin(), bytes.end());
    };
    const TrainStateData<T>* const data = TrainStateData<T>::of(state);
    if (data == nullptr) return bits;
    const std::span<const T> values = data->parameters.values();
    add(values.data(), values.size());
    add(data->velocity, values.size());
    add(data->squares, values.size());
    add(&data->steps, 1);
    add(&data->optimiser, 1);
    add(&data->scaling, 1);
    if (data->scaling == TrainStateData<T>::Scaling::some) {
      add(data->centre, state.features());
      add(data->factor, state.features());
    }
    return bits;
  }
  /// All of its memory. It knows where it lies, so that this is for one state before and after.
  [[nodiscard]] std::vector<std::byte> memory() const { return {memory_, memory_ + bytes_}; }
  [[nodiscard]] std::vector<T> weights() const {
    std::vector<T> w(state.features() * state.classes());
    EXPECT_TRUE(state.get_weights({{w.data(), state.classes(), state.features()}, {}}).ok());
    return w;
  }
  [[nodiscard]] std::vector<T> bias() const {
    std::vector<T> w(state.features() * state.classes()), b(state.classes());
    EXPECT_TRUE(state.get_weights({{w.data(), state.classes(), state.features()}, b}).ok());
    return b;
  }
  Status step(const Objective& objective, const Batch& batch, const StepOptions& options, const Execution& execution,
              LossResult& result) {
    const std::size_t bytes =
        train_step_workspace_bytes<T>(batch.rows(), state.features(), state.classes(), execution.threads);
    return train_step<T>(state, objective, batch, options, execution, scratch_(bytes), result);
  }

  Status created;
  TrainState<T> state;

 private:
  std::size_t bytes_;
  GuardedBuffer buffer_;
  std::byte* memory_ = nullptr;
  Scratch scratch_;
};

struct Rule {
  const char* name;
  Optimiser optimiser;
  bool nesterov;
};
inline constexpr Rule kRules[] = {{"gradient descent", Optimiser::gradient_descent, false},
                                  {"momentum", Optimiser::momentum, false},
                                  {"nesterov", Optimiser::momentum, true},
                                  {"adam", Optimiser::adam, false},
                                  {"adagrad", Optimiser::adagrad, false}};
inline constexpr double kSecondMomentDecay = 0.96875;
[[nodiscard]] inline StepOptions step_options(const Rule& rule, double rate, double momentum) {
  StepOptions options;
  options.learning_rate = rate;
  options.momentum = momentum;
  options.second_moment_decay = kSecondMomentDecay;
  options.nesterov = rule.nesterov;
  return options;
}

}  // namespace lanemax::checks

#endif
