// SPDX-License-Identifier: BSD-3-Clause
#include "engine/train_state.hpp"

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/plan.hpp"
#include "engine/pass/weights.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

namespace lanemax {
namespace {

template <class T>
using Data = TrainStateData<T>;
template <class T>
using Scaling = typename Data<T>::Scaling;

double centre_of(const FeatureScaling& scaling, std::size_t d) {
  return scaling.centre.empty() ? 0.0 : scaling.centre[d];
}
float factor_of(const FeatureScaling& scaling, std::size_t d) {
  return scaling.factor.empty() ? 1.0F : scaling.factor[d];
}

/// Where the data and the parameters are to be, and, in `data`, the rest.
template <class T>
struct Places {
  std::byte* data;
  std::byte* parameters;
  std::size_t parameter_bytes;

  Places(Arena& arena, std::size_t features, std::size_t classes, Optimiser optimiser, Data<T>& rest) {
    data = arena.take<std::byte>(sizeof(Data<T>));
    parameter_bytes = Parameters<T>::bytes(features, classes);
    parameters = arena.take<std::byte>(parameter_bytes);
    const std::size_t moments = weight_count(features, classes) + bias_count(classes);
    const bool has_squares = optimiser == Optimiser::adam || optimiser == Optimiser::adagrad;
    if (optimiser == Optimiser::momentum || optimiser == Optimiser::adam) rest.velocity = arena.take<T>(moments);
    if (has_squares) rest.squares = arena.take<T>(moments);
    rest.centre = arena.take<double>(features);
    rest.factor = arena.take<float>(features);
  }
};

}  // namespace

template <class T>
void TrainStateData<T>::clear_moments() noexcept {
  if (velocity != nullptr) std::fill_n(velocity, parameters.values().size(), T(0));
  if (squares != nullptr) std::fill_n(squares, parameters.values().size(), T(0));
  steps = 0;
}

template <class T>
bool TrainStateData<T>::accepts(const FeatureScaling& other) const noexcept {
  if (scaling == Scaling::not_settled) return true;
  if (scaling == Scaling::none) return other.empty();
  bool same = !other.empty();
  for (std::size_t d = 0; same && d < parameters.features(); ++d) {
    same = centre_of(other, d) == centre[d] && factor_of(other, d) == factor[d];
  }
  return same;
}

template <class T>
void TrainStateData<T>::settle(const FeatureScaling& other) noexcept {
  if (scaling != Scaling::not_settled) return;
  scaling = other.empty() ? Scaling::none : Scaling::some;
  for (std::size_t d = 0; !other.empty() && d < parameters.features(); ++d) {
    centre[d] = centre_of(other, d);
    factor[d] = factor_of(other, d);
  }
}

template <class T>
std::size_t TrainState<T>::bytes(std::size_t features, std::size_t classes, Optimiser optimiser) noexcept {
  if (features == 0 || classes == 0 || !sizes_fit(1, features, classes)) return 0;
  Arena arena;
  Data<T> rest;
  Places<T>(arena, features, classes, optimiser, rest);
  return arena.bytes();
}

template <class T>
Status TrainState<T>::create(std::size_t features, std::size_t classes, Optimiser optimiser,
                             std::span<std::byte> memory, TrainState& state) noexcept {
  Status status = check_workspace(memory, bytes(features, classes, optimiser), "memory");
  if (!status.ok()) return status;
  Arena arena(memory);
  Data<T> made;
  const Places<T> places(arena, features, classes, optimiser, made);
  status = Parameters<T>::create(features, classes, {places.parameters, places.parameter_bytes}, made.parameters);
  if (!status.ok()) return status;
  made.optimiser = optimiser;
  made.clear_moments();
  std::fill_n(made.centre, features, 0.0);
  std::fill_n(made.factor, features, 1.0F);
  state.data_ = new (places.data) Data<T>(made);
  return {};
}

template <class T>
std::size_t TrainState<T>::features() const noexcept {
  return data_ == nullptr ? 0 : data_->parameters.features();
}
template <class T>
std::size_t TrainState<T>::classes() const noexcept {
  return data_ == nullptr ? 0 : data_->parameters.classes();
}
template <class T>
Optimiser TrainState<T>::optimiser() const noexcept {
  return data_ == nullptr ? Optimiser::gradient_descent : data_->optimiser;
}
template <class T>
const Parameters<T>& TrainState<T>::parameters() const noexcept {
  static const Parameters<T> none;
  return data_ == nullptr ? none : data_->parameters;
}

// W x + b is (W / factor) x' + (b + W centre).
template <class T>
Status TrainState<T>::set_weights(const WeightsView<const T>& weights, const FeatureScaling& scaling) noexcept {
  const FloatEnvironment environment;
  const MatrixView<const T>& w = weights.weights;
  if (data_ == nullptr || w.rows != classes() || w.cols != features() || w.empty()) {
    return fail(StatusCode::shape_mismatch, "weights", "the shape of the state");
  }
  const std::size_t features = w.cols, classes = w.rows;
  const auto scaled_weight = [&](std::size_t c, std::size_t d) {
    return static_cast<T>(static_cast<double>(w.at(c, d)) / static_cast<double>(factor_of(scaling, d)));
  };
  const auto shifted_bias = [&](std::size_t c) {
    double b = weights.bias.empty() ? 0.0 : static_cast<double>(weights.bias[c]);
    for (std::size_t d = 0; d < features; ++d) b += static_cast<double>(w.at(c, d)) * centre_of(scaling, d);
    return static_cast<T>(b);
  };
  Status status = check_weights(weights);
  if (status.ok()) status = check_scaling(scaling, features);
  for (std::size_t c = 0; status.ok() && !scaling.empty() && c < classes; ++c) {
    bool fit = !(shifted_bias(c) == std::numeric_limits<T>::infinity());
    for (std::size_t d = 0; d < features; ++d) fit = fit && !std::isinf(scaled_weight(c, d));
    if (!fit) status = fail(StatusCode::overflow, "weights", "numbers that the scaling leaves finite");
  }
  if (status.ok()) status = data_->parameters.set(weights);
  if (!status.ok()) return status;
  for (std::size_t c = 0; !scaling.empty() && c < classes; ++c) {
    for (std::size_t d = 0; d < features; ++d) {
      weights_of(data_->parameters)[weight_index(features, classes, c, d)] = scaled_weight(c, d);
    }
    bias_of(data_->parameters)[c] = shifted_bias(c);
  }
  data_->clear_moments();
  data_->scaling = Scaling<T>::not_settled;
  data_->settle(scaling);
  return {};
}

template <class T>
Status TrainState<T>::get_weights(const WeightsView<T>& out, std::span<double> centre) const noexcept {
  const FloatEnvironment environment;
  const MatrixView<T>& w = out.weights;
  if (data_ == nullptr || w.rows != classes() || w.cols != features() || w.empty()) {
    return fail(StatusCode::shape_mismatch, "weights", "the shape of the state");
  }
  const std::size_t features = w.cols, classes = w.rows;
  if (!centre.empty() && centre.size() != features) {
    return fail(StatusCode::shape_mismatch, "centre", "room for an entry per feature, or none");
  }
  const bool scaled = data_->scaling == Scaling<T>::some;
  const T* const inside = weights_of(data_->parameters);
  for (std::size_t i = 0; scaled && i < features * classes; ++i) {
    const std::size_t c = i / features, d = i % features;
    const double weight = static_cast<double>(inside[weight_index(features, classes, c, d)]);
    if (!std::isfinite(static_cast<T>(weight * static_cast<double>(data_->factor[d])))) {
      return fail(StatusCode::overflow, "weights", "ones that are finite for raw features");
    }
  }
  const Status status = data_->parameters.get(out);
  if (!status.ok()) return status;
  for (std::size_t d = 0; d < centre.size(); ++d) centre[d] = scaled ? data_->centre[d] : 0.0;
  for (std::size_t c = 0; scaled && c < classes; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < features; ++d) {
      const double raw = static_cast<double>(w.at(c, d)) * static_cast<double>(data_->factor[d]);
      shift += raw * data_->centre[d];
      w.at(c, d) = static_cast<T>(raw);
    }
    if (!out.bias.empty() && centre.empty()) {
      out.bias[c] = static_cast<T>(static_cast<double>(out.bias[c]) - shift);
    }
  }
  return {};
}

template class TrainState<float>;
template class TrainState<double>;
template struct TrainStateData<float>;
template struct TrainStateData<double>;

}  // namespace lanemax
