// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_CURVATURE_HPP
#define LANEMAX_ENGINE_STEPS_CURVATURE_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The loss's second derivative by the logits, times scores u = X V' + v of a direction, in place of u:
//
//   softmax    dz_c = s p_c (u_c - sum_k p_k u_k)          logistic    dz = s p (1 - p) u
//
// The gradient product then makes dz' X of it, a product with the Hessian. Reads p and u once or twice: nothing beside
// the two products of logits and the gradient that surround it.

template <class Arch, class T>
void class_major_softmax_curvature(const CurvatureArgs<T>& args) {
  using V = Vec<Arch, T>;
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    T* u = args.scores + n;
    const T* p = args.probabilities + n;
    V mean(T(0));
    for (std::size_t c = 0; c < args.classes; ++c) {
      mean = Arch::madd(load<Arch>(p + c * args.part_capacity),
                        load<Arch>(static_cast<const T*>(u + c * args.capacity)), mean);
    }
    const V weight = load<Arch>(args.weights + n);
    for (std::size_t c = 0; c < args.classes; ++c) {
      const V centred = load<Arch>(static_cast<const T*>(u + c * args.capacity)) - mean;
      store<Arch>(u + c * args.capacity, weight * (load<Arch>(p + c * args.part_capacity) * centred));
    }
  }
}

template <class Arch, class T>
void panel_softmax_curvature(const CurvatureArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>, kL = kLanes<Arch, T>;
  const std::size_t panels = panel_count(args.classes);
  const std::size_t panel_size = args.capacity * kPanel, p_panel_size = args.part_capacity * kPanel;
  for (std::size_t n = 0; n < args.rows; ++n) {
    T* u = args.scores + n * kPanel;
    const T* p = args.probabilities + n * kPanel;
    V sums[kPV];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kPV; ++v) sums[v] = V(T(0));
    for (std::size_t panel = 0; panel < panels; ++panel) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kPV; ++v) {
        sums[v] = Arch::madd(load<Arch>(p + panel * p_panel_size + v * kL),
                             load<Arch>(static_cast<const T*>(u + panel * panel_size + v * kL)), sums[v]);
      }
    }
    V sum = sums[0];
#pragma GCC unroll 8
    for (std::size_t v = 1; v < kPV; ++v) sum = sum + sums[v];
    alignas(64) T total[4];
    Arch::store_sums(sum, sum, sum, sum, total);
    const V mean(total[0]), weight(args.weights[n]);
    for (std::size_t panel = 0; panel < panels; ++panel) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kPV; ++v) {
        T* at = u + panel * panel_size + v * kL;
        const V centred = load<Arch>(static_cast<const T*>(at)) - mean;
        store<Arch>(at, weight * (load<Arch>(p + panel * p_panel_size + v * kL) * centred));
      }
    }
  }
}

template <class Arch, class T>
void softmax_curvature(const CurvatureArgs<T>& args) {
  is_class_major(args.classes) ? class_major_softmax_curvature<Arch>(args) : panel_softmax_curvature<Arch>(args);
}

template <class Arch, class T>
void logistic_curvature(const CurvatureArgs<T>& args) {
  using V = Vec<Arch, T>;
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    const V p = load<Arch>(args.probabilities + n);
    const V u = load<Arch>(static_cast<const T*>(args.scores + n));
    store<Arch>(args.scores + n, load<Arch>(args.weights + n) * (p * (V(T(1)) - p) * u));
  }
}

}  // namespace
}  // namespace lanemax

#endif
