// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_FEATURE_GRADIENT_HPP
#define LANEMAX_ENGINE_GEMM_FEATURE_GRADIENT_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// dX = scale * dlogits W, on request only, hence with plain tiles. Class-major W: lanes over features. Panels: lanes
// over classes, four features share each load of dlogits and one horizontal sum.
template <class Arch, class T>
void class_major_feature_gradient(const FeatureGradientArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  const std::size_t w_stride = round_up(args.features, kPanel);
  for (std::size_t n = 0; n < args.rows; ++n) {
    T* out = args.dfeatures + n * args.stride;
    for (std::size_t d = 0; d < args.features; d += kL) {
      V acc(T(0));
      for (std::size_t c = 0; c < args.classes; ++c) {
        acc = Arch::madd(V(args.dlogits[c * args.capacity + n]), load<Arch>(args.weights + c * w_stride + d), acc);
      }
      alignas(64) T lanes[kL];
      store<Arch>(lanes, acc * V(args.scale));
      for (std::size_t i = 0; i < smaller(kL, args.features - d); ++i) out[d + i] = lanes[i];
    }
  }
}

template <class Arch, class T>
void panel_feature_gradient(const FeatureGradientArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  const std::size_t panels = panel_count(args.classes);
  for (std::size_t n = 0; n < args.rows; ++n) {
    T* out = args.dfeatures + n * args.stride;
    for (std::size_t d = 0; d < args.features; d += 4) {
      const std::size_t last = args.features - d - 1;  // missing features repeat the last one and are not stored
      V acc[4] = {V(T(0)), V(T(0)), V(T(0)), V(T(0))};
      for (std::size_t p = 0; p < panels; ++p) {
        const T* g = args.dlogits + (p * args.capacity + n) * kPanel;
        const T* w = args.weights + (p * args.features + d) * kPanel;
        for (std::size_t lane = 0; lane < kPanel; lane += kL) {
          const V gv = load<Arch>(g + lane);
#pragma GCC unroll 4
          for (std::size_t i = 0; i < 4; ++i) {
            acc[i] = Arch::madd(gv, load<Arch>(w + smaller(i, last) * kPanel + lane), acc[i]);
          }
        }
      }
      alignas(64) T sums[4];
      Arch::store_sums(acc[0], acc[1], acc[2], acc[3], sums);
      for (std::size_t i = 0; i < smaller(4, args.features - d); ++i) out[d + i] = sums[i] * args.scale;
    }
  }
}

}  // namespace
}  // namespace lanemax

#endif
