// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_TRAIN_STATE_HPP
#define LANEMAX_ENGINE_TRAIN_STATE_HPP

#include <lanemax/train_step.hpp>

#include <cstdint>

namespace lanemax {

/// What a TrainState's memory begins with: where the rest of it is, and what is not an array.
template <class T>
struct TrainStateData {
  enum class Scaling : std::uint8_t { not_settled, none, some };

  Parameters<T> parameters;
  Optimiser optimiser = Optimiser::gradient_descent;
  Scaling scaling = Scaling::not_settled;  ///< of the steps
  std::uint64_t steps = 0;                 ///< successful ones so far; counted for adam and adagrad
  T* velocity = nullptr;                   ///< v or m: the weights', then the bias's; momentum and adam alone
  T* squares = nullptr;                    ///< s, likewise; adam and adagrad alone
  double* centre = nullptr;                ///< of the scaling, if there is one: an entry per feature
  float* factor = nullptr;

  /// Null for a state that was not created.
  [[nodiscard]] static TrainStateData* of(const TrainState<T>& state) noexcept { return state.data_; }

  void clear_moments() noexcept;
  /// Whether steps may have this scaling; and settles it, if none is settled yet.
  [[nodiscard]] bool accepts(const FeatureScaling& other) const noexcept;
  void settle(const FeatureScaling& other) noexcept;
};

}  // namespace lanemax

#endif
