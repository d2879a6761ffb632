// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_PARAMETERS_HPP
#define LANEMAX_PARAMETERS_HPP

#include <lanemax/status.hpp>
#include <lanemax/views.hpp>
#include <lanemax/workspace.hpp>

#include <cstddef>
#include <span>

#pragma GCC visibility push(default)
namespace lanemax {

/// Weights and bias, or a gradient by them, in the engine's own layout, inside memory that the caller owns. Copying the
/// handle does not copy the memory. The layout follows from the shape alone, so that element by element what is done to
/// values() is done to W and b: own optimisers, averages, sums over hosts.
template <class T>
class Parameters {
 public:
  Parameters() noexcept = default;

  /// Bytes of memory needed; 0 if the shape overflows.
  [[nodiscard]] static std::size_t bytes(std::size_t features, std::size_t classes) noexcept;

  /// Lays them out in `memory` and sets all to 0.
  [[nodiscard]] static Status create(std::size_t features, std::size_t classes, std::span<std::byte> memory,
                                     Parameters& parameters) noexcept;

  /// Copies in C x D weights, all finite, and C biases, finite or -infinity, which masks a class; none: 0.
  [[nodiscard]] Status set(const WeightsView<const T>& weights) noexcept;
  /// Copies out, in any strides; no room for the bias: the weights alone.
  [[nodiscard]] Status get(const WeightsView<T>& weights) const noexcept;

  [[nodiscard]] std::size_t features() const noexcept { return features_; }
  [[nodiscard]] std::size_t classes() const noexcept { return classes_; }

  /// All numbers in the engine's order, W first. Padding is 0, that of a bias -infinity (of its gradient 0), and must
  /// stay so.
  [[nodiscard]] std::span<T> values() noexcept { return values_; }
  [[nodiscard]] std::span<const T> values() const noexcept { return values_; }

 private:
  std::span<T> values_;
  std::size_t features_ = 0;
  std::size_t classes_ = 0;
};

}  // namespace lanemax
#pragma GCC visibility pop

#endif
