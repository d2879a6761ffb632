// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_UPDATE_HPP
#define LANEMAX_ENGINE_STEPS_UPDATE_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// Step 4 and what leads to it: elementwise passes over parameters in the engine's layout (padding included, which stays
// 0). Limit: load and store ports; the arrays are as large as W.
//
// What decays would end among the subnormal numbers and stay there, and every operation on one of those can cost a
// hundred cycles: so a moment, the pull of the penalty, a step, a weight and what is added to adam's squares are 0
// where they are below the smallest normal number.

template <class T>
inline constexpr T kLeastNormal = static_cast<T>(sizeof(T) == sizeof(float) ? 0x1p-126 : 0x1p-1022);

/// v, or 0 where |v| is less.
template <class Arch, class T>
inline Vec<Arch, T> zero_below(Vec<Arch, T> least, Vec<Arch, T> v) {
  return xsimd::select(xsimd::abs(v) < least, Vec<Arch, T>(T(0)), v);
}
/// The least normal number whose product with the factor is one, too.
template <class T>
inline T least_times(T factor) {
  return factor > T(0) && factor < T(1) ? kLeastNormal<T> / factor : kLeastNormal<T>;
}

/// sum += term: one node of the tree that joins the slots' gradients.
template <class Arch, class T>
void add(T* sum, const T* term, std::size_t count) {
  for (std::size_t i = 0; i < count; i += kLanes<Arch, T>) {
    store<Arch>(sum + i, load<Arch>(static_cast<const T*>(sum + i)) + load<Arch>(term + i));
  }
}

/// From sums over rows to the gradient of the objective: scale * sum + l2 * weight.
template <class Arch, class T>
struct Finish {
  using V = Vec<Arch, T>;
  bool has_penalty;
  V scale, l2, least;
  Finish(T factor, T penalty) : has_penalty(penalty != T(0)), scale(factor), l2(penalty), least(least_times(penalty)) {}
  // Without a penalty there may be no weights.
  V operator()(V sum, const T* weights, std::size_t i) const {
    const V g = sum * scale;
    return has_penalty ? Arch::madd(l2, zero_below<Arch, T>(least, load<Arch>(weights + i)), g) : g;
  }
};

// The kernels copy their arguments: a vector's store may alias anything, and what lies behind a reference would be read
// again at every step.

/// gradient = scale * gradient + l2 * weights. False if an entry is NaN or infinite: g - g is then NaN, not 0, and so
/// is what has its bits (to add them up would wait for each sum: 3 cycles a vector).
template <class Arch, class T>
bool finish_gradient(const FinishArgs<T>& args) {
  using V = Vec<Arch, T>;
  const Finish<Arch, T> finish(args.scale, args.l2);
  const FinishArgs<T> a = args;
  V defect(T(0));
  for (std::size_t i = 0; i < a.count; i += kLanes<Arch, T>) {
    const V g = finish(load<Arch>(static_cast<const T*>(a.gradient + i)), a.weights, i);
    store<Arch>(a.gradient + i, g);
    defect = defect | (g - g);
  }
  return lane_sum<Arch, T>(defect) == T(0);
}

template <class Arch, class T, bool kVelocity>
inline void descend(const UpdateArgs<T> args) {
  using V = Vec<Arch, T>;
  const V minus_rate(-args.learning_rate), momentum(args.momentum);
  const V least(kLeastNormal<T>), least_direction(least_times(args.learning_rate));
  const Finish<Arch, T> finish(args.scale, args.l2);
  for (std::size_t i = 0; i < args.count; i += kLanes<Arch, T>) {
    V direction = finish(load<Arch>(args.gradient + i), args.weights, i);
    if constexpr (kVelocity) {
      const V velocity = zero_below<Arch, T>(
          least, Arch::madd(momentum, load<Arch>(static_cast<const T*>(args.velocity + i)), direction));
      store<Arch>(args.velocity + i, velocity);
      direction = args.nesterov ? Arch::madd(momentum, velocity, direction) : velocity;
    }
    direction = zero_below<Arch, T>(least_direction, direction);
    store<Arch>(args.weights + i,
                zero_below<Arch, T>(
                    least, Arch::madd(minus_rate, direction, load<Arch>(static_cast<const T*>(args.weights + i)))));
  }
}

template <class Arch, class T>
void update(const UpdateArgs<T>& args) {
  args.velocity == nullptr ? descend<Arch, T, false>(args) : descend<Arch, T, true>(args);
}

/// Largest |g| that adam squares: sums of its decayed squares stay finite, also where they are rounded up.
template <class T>
inline constexpr T kMostSquared = static_cast<T>(sizeof(T) == sizeof(float) ? 0x1p63 : 0x1p511);

/// Limit in cache: the divider, which the root needs too; 2 to 4 times as long as momentum's, in memory 1.2 to 1.6
/// times.
template <class Arch, class T>
void adam(const UpdateArgs<T>& arguments) {
  using V = Vec<Arch, T>;
  const UpdateArgs<T> args = arguments;
  const V minus_rate(-args.learning_rate), epsilon(T(1e-8));
  const V most(kMostSquared<T>), minus_most(-kMostSquared<T>);
  const V first_decay(args.momentum), first_share(T(1) - args.momentum), first_correction(args.first_correction);
  const V second_decay(args.second_moment_decay), second_share(T(1) - args.second_moment_decay);
  const V second_correction(args.second_correction);
  const V least(kLeastNormal<T>), least_averaged(least_times(T(1) - args.momentum));
  const Finish<Arch, T> finish(args.scale, args.l2);
  const V least_squared = Arch::sqrt(least / second_share), least_direction(least_times(args.learning_rate));
  for (std::size_t i = 0; i < args.count; i += kLanes<Arch, T>) {
    const V finished = finish(load<Arch>(args.gradient + i), args.weights, i);
    const V gradient = xsimd::min(xsimd::max(finished, minus_most), most);
    const V averaged = zero_below<Arch, T>(least_averaged, gradient);
    const V squared = zero_below<Arch, T>(least_squared, gradient);
    const V mean = zero_below<Arch, T>(
        least, Arch::madd(first_decay, load<Arch>(static_cast<const T*>(args.velocity + i)), first_share * averaged));
    const V square =
        zero_below<Arch, T>(least, Arch::madd(second_decay, load<Arch>(static_cast<const T*>(args.squares + i)),
                                              second_share * (squared * squared)));
    store<Arch>(args.velocity + i, mean);
    store<Arch>(args.squares + i, square);
    const V direction = zero_below<Arch, T>(
        least_direction, (first_correction * mean) / (Arch::sqrt(second_correction * square) + epsilon));
    store<Arch>(args.weights + i,
                zero_below<Arch, T>(
                    least, Arch::madd(minus_rate, direction, load<Arch>(static_cast<const T*>(args.weights + i)))));
  }
}

/// Limit: as adam's, with one moment less to read and write.
template <class Arch, class T>
void adagrad(const UpdateArgs<T>& arguments) {
  using V = Vec<Arch, T>;
  const UpdateArgs<T> args = arguments;
  const V minus_rate(-args.learning_rate), epsilon(T(1e-10));
  const V most(kMostSquared<T>), minus_most(-kMostSquared<T>), most_sum(kMostSquared<T> * kMostSquared<T>);
  const V least(kLeastNormal<T>), least_squared = Arch::sqrt(least), least_direction(least_times(args.learning_rate));
  const Finish<Arch, T> finish(args.scale, args.l2);
  for (std::size_t i = 0; i < args.count; i += kLanes<Arch, T>) {
    const V finished = finish(load<Arch>(args.gradient + i), args.weights, i);
    const V gradient = xsimd::min(xsimd::max(finished, minus_most), most);
    const V squared = zero_below<Arch, T>(least_squared, gradient);
    const V sum = Arch::madd(squared, squared, load<Arch>(static_cast<const T*>(args.squares + i)));
    const V square = xsimd::min(sum, most_sum);
    store<Arch>(args.squares + i, square);
    const V direction = zero_below<Arch, T>(least_direction, gradient / (Arch::sqrt(square) + epsilon));
    store<Arch>(args.weights + i,
                zero_below<Arch, T>(
                    least, Arch::madd(minus_rate, direction, load<Arch>(static_cast<const T*>(args.weights + i)))));
  }
}

}  // namespace
}  // namespace lanemax

#endif
