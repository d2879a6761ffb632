// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/train_step.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/plan.hpp"
#include "engine/pass/weights.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

template <class T>
void lay_out_state(Arena& arena, std::size_t features, std::size_t classes, Optimiser optimiser, TrainState<T>& state) {
  const std::size_t weights = weight_count(features, classes), bias = bias_count(classes);
  state.weights_data = arena.take<T>(weights);
  state.bias_data = arena.take<T>(bias);
  const bool adam = optimiser == Optimiser::adam;
  state.velocity_data = optimiser != Optimiser::gradient_descent ? arena.take<T>(weights + bias) : nullptr;
  state.squares_data = adam ? arena.take<T>(weights + bias) : nullptr;
  state.steps_data = adam ? arena.take<std::uint64_t>(1) : nullptr;
  state.centre_data = arena.take<double>(features);
  state.factor_data = arena.take<float>(features);
  state.scaling_data = arena.take<std::uint64_t>(1);
}

enum ScalingOfSteps : std::uint64_t { kNotSettled, kNone, kSome };

bool is_some(const FeatureScaling& scaling) {
  return scaling.centre != nullptr || scaling.factor != nullptr;
}
double centre_of(const FeatureScaling& scaling, std::size_t d) {
  return scaling.centre == nullptr ? 0.0 : scaling.centre[d];
}
float factor_of(const FeatureScaling& scaling, std::size_t d) {
  return scaling.factor == nullptr ? 1.0F : scaling.factor[d];
}

template <class T>
void clear_moments(TrainState<T>& state) {
  const std::size_t parameters = weight_count(state.features(), state.classes()) + bias_count(state.classes());
  if (state.velocity_data != nullptr) std::fill_n(state.velocity_data, parameters, T(0));
  if (state.squares_data != nullptr) std::fill_n(state.squares_data, parameters, T(0));
  if (state.steps_data != nullptr) *state.steps_data = 0;
}

}  // namespace

template <class T>
std::size_t TrainState<T>::bytes(std::size_t features, std::size_t classes, Optimiser optimiser) noexcept {
  if (features == 0 || classes == 0 || !sizes_fit(1, features, classes)) return 0;
  Arena arena;
  TrainState state;
  lay_out_state(arena, features, classes, optimiser, state);
  return arena.bytes();
}

template <class T>
Status TrainState<T>::create(std::size_t features, std::size_t classes, Optimiser optimiser, const Workspace& memory,
                             TrainState& state) noexcept {
  const Status status = check_workspace(memory, bytes(features, classes, optimiser));
  if (!status.ok()) return status;
  Arena arena(memory);
  TrainState made;
  lay_out_state(arena, features, classes, optimiser, made);
  made.features_ = features;
  made.classes_ = classes;
  made.optimiser_ = optimiser;
  std::fill_n(made.weights_data, weight_count(features, classes), T(0));
  std::fill_n(made.bias_data, bias_count(classes), -std::numeric_limits<T>::infinity());
  std::fill_n(made.bias_data, classes, T(0));
  clear_moments(made);
  *made.scaling_data = kNotSettled;
  state = made;
  return {};
}

template <class T>
bool TrainState<T>::accepts(const FeatureScaling& scaling) const noexcept {
  if (*scaling_data == kNotSettled) return true;
  if (*scaling_data == kNone) return !is_some(scaling);
  bool same = is_some(scaling);
  for (std::size_t d = 0; same && d < features_; ++d) {
    same = centre_of(scaling, d) == centre_data[d] && factor_of(scaling, d) == factor_data[d];
  }
  return same;
}

template <class T>
void TrainState<T>::settle(const FeatureScaling& scaling) noexcept {
  if (*scaling_data != kNotSettled) return;
  *scaling_data = is_some(scaling) ? kSome : kNone;
  for (std::size_t d = 0; is_some(scaling) && d < features_; ++d) {
    centre_data[d] = centre_of(scaling, d);
    factor_data[d] = factor_of(scaling, d);
  }
}

// W x + b is (W / factor) x' + (b + W centre).
template <class T>
Status TrainState<T>::set_weights(const WeightsView<T>& weights, const FeatureScaling& scaling) noexcept {
  const FloatEnvironment environment;
  const MatrixView<const T>& w = weights.weights;
  if (w.rows != classes_ || w.cols != features_ || w.empty()) {
    return fail(StatusCode::shape_mismatch, "weights", "the shape of the state");
  }
  const auto scaled_weight = [&](std::size_t c, std::size_t d) {
    return static_cast<T>(static_cast<double>(w.at(c, d)) / static_cast<double>(factor_of(scaling, d)));
  };
  const auto shifted_bias = [&](std::size_t c) {
    double b = weights.bias == nullptr ? 0.0 : static_cast<double>(weights.bias[c]);
    for (std::size_t d = 0; d < features_; ++d) b += static_cast<double>(w.at(c, d)) * centre_of(scaling, d);
    return static_cast<T>(b);
  };
  Status status = check_scaling(scaling, features_);
  for (std::size_t c = 0; status.ok() && is_some(scaling) && c < classes_; ++c) {
    bool fit = !(shifted_bias(c) == std::numeric_limits<T>::infinity());
    for (std::size_t d = 0; d < features_; ++d) fit = fit && !std::isinf(scaled_weight(c, d));
    if (!fit) status = fail(StatusCode::overflow, "weights", "numbers that the scaling leaves finite");
  }
  if (status.ok()) status = import_weights(weights, weights_data, bias_data);
  if (!status.ok()) return status;
  for (std::size_t c = 0; is_some(scaling) && c < classes_; ++c) {
    for (std::size_t d = 0; d < features_; ++d) {
      weights_data[weight_index(features_, classes_, c, d)] = scaled_weight(c, d);
    }
    bias_data[c] = shifted_bias(c);
  }
  clear_moments(*this);
  *scaling_data = kNotSettled;
  settle(scaling);
  return {};
}

template <class T>
Status TrainState<T>::get_weights(MatrixView<T> weights, T* bias, double* centre) const noexcept {
  const FloatEnvironment environment;
  if (weights.rows != classes_ || weights.cols != features_ || weights.empty()) {
    return fail(StatusCode::shape_mismatch, "weights", "the shape of the state");
  }
  const bool scaled = *scaling_data == kSome;
  for (std::size_t i = 0; scaled && i < features_ * classes_; ++i) {
    const std::size_t c = i / features_, d = i % features_;
    const double w = static_cast<double>(weights_data[weight_index(features_, classes_, c, d)]);
    if (!std::isfinite(static_cast<T>(w * static_cast<double>(factor_data[d])))) {
      return fail(StatusCode::overflow, "weights", "ones that are finite for raw features");
    }
  }
  export_weights(weights_data, weights);
  if (bias != nullptr) std::copy_n(bias_data, classes_, bias);
  for (std::size_t d = 0; centre != nullptr && d < features_; ++d) centre[d] = scaled ? centre_data[d] : 0.0;
  for (std::size_t c = 0; scaled && c < classes_; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < features_; ++d) {
      const double raw = static_cast<double>(weights.at(c, d)) * static_cast<double>(factor_data[d]);
      shift += raw * centre_data[d];
      weights.at(c, d) = static_cast<T>(raw);
    }
    if (bias != nullptr && centre == nullptr) bias[c] = static_cast<T>(static_cast<double>(bias[c]) - shift);
  }
  return {};
}

template class TrainState<float>;
template class TrainState<double>;

}  // namespace lanemax
