// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/parameters.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/plan.hpp"
#include "engine/pass/weights.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <limits>

namespace lanemax {
namespace {

template <class T>
Status check_shape(const Parameters<T>& parameters, std::size_t rows, std::size_t cols, bool has_data) {
  if (has_data && rows == parameters.classes() && cols == parameters.features()) return {};
  return fail(StatusCode::shape_mismatch, "weights", "the shape of the parameters");
}

}  // namespace

template <class T>
std::size_t Parameters<T>::bytes(std::size_t features, std::size_t classes) noexcept {
  if (features == 0 || classes == 0 || !sizes_fit(1, features, classes)) return 0;
  Arena arena;
  arena.take<T>(weight_count(features, classes) + bias_count(classes));
  return arena.bytes();
}

template <class T>
Status Parameters<T>::create(std::size_t features, std::size_t classes, std::span<std::byte> memory,
                             Parameters& parameters) noexcept {
  const Status status = check_workspace(memory, bytes(features, classes), "memory");
  if (!status.ok()) return status;
  Arena arena(memory);
  const std::size_t count = weight_count(features, classes) + bias_count(classes);
  parameters.values_ = {arena.take<T>(count), count};
  parameters.features_ = features;
  parameters.classes_ = classes;
  std::fill_n(parameters.values_.data(), count, T(0));
  std::fill(bias_of(parameters) + classes, parameters.values_.data() + count, -std::numeric_limits<T>::infinity());
  return {};
}

template <class T>
Status Parameters<T>::set(const WeightsView<const T>& weights) noexcept {
  const FloatEnvironment environment;
  const auto& w = weights.weights;
  Status status = check_shape(*this, w.rows, w.cols, !w.empty());
  if (status.ok()) status = check_weights(weights);
  return status.ok() ? import_weights(weights, weights_of(*this), bias_of(*this)) : status;
}

template <class T>
Status Parameters<T>::get(const WeightsView<T>& weights) const noexcept {
  const auto& w = weights.weights;
  Status status = check_shape(*this, w.rows, w.cols, !w.empty());
  if (status.ok() && !weights.bias.empty() && weights.bias.size() != classes_) {
    status = fail(StatusCode::shape_mismatch, "bias", "room for an entry per class, or none");
  }
  if (status.ok()) export_weights(weights_of(*this), bias_of(*this), weights);
  return status;
}

template class Parameters<float>;
template class Parameters<double>;

}  // namespace lanemax
