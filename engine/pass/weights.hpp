// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_WEIGHTS_HPP
#define LANEMAX_ENGINE_PASS_WEIGHTS_HPP

#include <lanemax/objective.hpp>
#include <lanemax/status.hpp>

namespace lanemax {

/// Into and out of the engine's layout. Weights must be finite, biases finite or -infinity.
template <class T>
[[nodiscard]] Status import_weights(const WeightsView<T>& view, T* weights, T* bias) noexcept;
template <class T>
void export_weights(const T* weights, MatrixView<T> view) noexcept;

/// Sum of squares of the weights, in double, in one fixed order.
template <class T>
[[nodiscard]] double squared_norm(const T* weights, std::size_t count) noexcept;

}  // namespace lanemax

#endif
