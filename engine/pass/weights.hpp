// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_WEIGHTS_HPP
#define LANEMAX_ENGINE_PASS_WEIGHTS_HPP

#include <lanemax/parameters.hpp>

#include "engine/layout.hpp"

namespace lanemax {

/// Into the engine's layout, on as many threads as that is worth, at most `threads`. Weights must be finite, biases
/// finite or -infinity; else what was written is of no use.
template <class T>
[[nodiscard]] Status import_weights(const WeightsView<const T>& view, T* weights, T* bias, int threads) noexcept;
/// Whether import_weights() will take them.
template <class T>
[[nodiscard]] Status check_weights(const WeightsView<const T>& view) noexcept;
/// Out of it. Without room for a bias, the weights alone.
template <class T>
void export_weights(const T* weights, const T* bias, const WeightsView<T>& view, int threads) noexcept;

template <class T>
[[nodiscard]] T* weights_of(Parameters<T>& parameters) noexcept {
  return parameters.values().data();
}
template <class T>
[[nodiscard]] const T* weights_of(const Parameters<T>& parameters) noexcept {
  return parameters.values().data();
}
template <class T>
[[nodiscard]] T* bias_of(Parameters<T>& parameters) noexcept {
  return parameters.values().data() + weight_count(parameters.features(), parameters.classes());
}
template <class T>
[[nodiscard]] const T* bias_of(const Parameters<T>& parameters) noexcept {
  return parameters.values().data() + weight_count(parameters.features(), parameters.classes());
}

/// Sum of squares of the weights, in double, in one fixed order.
template <class T>
[[nodiscard]] double squared_norm(const T* weights, std::size_t count) noexcept;

}  // namespace lanemax

#endif
