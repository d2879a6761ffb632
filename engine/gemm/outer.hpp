// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_OUTER_HPP
#define LANEMAX_ENGINE_GEMM_OUTER_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The class-major gradient (C < 16): dW[c][d..] += dlogits[c][n] * x[n][d..], lanes over features, rows ascending. NC x
// NV accumulators stay in registers for the whole row block; every x is loaded once per group of classes.
//
// Limit: the multiply-add units while the block is in L2. NV + NC loads per NC * NV multiply-adds. Meanwhile the memory
// bus would idle, so the tile also prefetches its share of the next block's rows.
template <class Arch, class T, std::size_t NC, std::size_t NV, bool kPartial>
[[gnu::noinline]] void outer_tile(const GradientArgs<T>& args, std::size_t first_class, std::size_t d) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  const std::size_t w_stride = round_up(args.features, kPanel);
  T* dw = args.dweights + first_class * w_stride + d;
  const T* g = args.dlogits + first_class * args.capacity;
  const T* x = args.x.data + d;
  const std::size_t capacity = args.capacity;
  const std::size_t stride = args.x.stride;
  const std::size_t tail = args.feature_end - d;  // lanes of the last vector, if it is partial

  V acc[NC][NV];
#pragma GCC unroll 32
  for (std::size_t c = 0; c < NC; ++c) {
#pragma GCC unroll 32
    for (std::size_t v = 0; v < NV; ++v) {
      acc[c][v] = args.accumulate ? load<Arch>(dw + c * w_stride + v * kL) : V(T(0));
    }
  }
  for (std::size_t n = 0; n < args.x.count; ++n, x += stride) {
    if (first_class == 0 && n < args.prefetch.count) {
#pragma GCC unroll 8
      for (std::size_t line = 0; line * 64 < NV * kL * sizeof(T); ++line) {
        __builtin_prefetch(args.prefetch.data + n * args.prefetch.stride + d + line * (64 / sizeof(T)), 0, 2);
      }
    }
    V xv[NV];
#pragma GCC unroll 32
    for (std::size_t v = 0; v < NV; ++v) {
      xv[v] = kPartial ? Arch::load_partial(x + v * kL, tail) : load<Arch>(x + v * kL);
    }
#pragma GCC unroll 32
    for (std::size_t c = 0; c < NC; ++c) {
      const V gv(g[c * capacity + n]);
#pragma GCC unroll 32
      for (std::size_t v = 0; v < NV; ++v) acc[c][v] = Arch::madd(gv, xv[v], acc[c][v]);
    }
  }
#pragma GCC unroll 32
  for (std::size_t c = 0; c < NC; ++c) {
#pragma GCC unroll 32
    for (std::size_t v = 0; v < NV; ++v) store<Arch>(dw + c * w_stride + v * kL, acc[c][v]);
  }
}

// All features of the part, for one group of classes.
template <class Arch, class T, std::size_t NC>
inline void outer_features(const GradientArgs<T>& args, std::size_t first_class) {
  constexpr std::size_t kL = kLanes<Arch, T>;
  constexpr std::size_t NV = Arch::kOuterVectors;
  std::size_t d = args.feature_begin;
  for (; d + NV * kL <= args.feature_end; d += NV * kL) outer_tile<Arch, T, NC, NV, false>(args, first_class, d);
  for (; d + kL <= args.feature_end; d += kL) outer_tile<Arch, T, NC, 1, false>(args, first_class, d);
  if (d < args.feature_end) {
    outer_tile<Arch, T, NC, 1, true>(args, first_class, d);
    d += kL;
  }
  // What is left of the padding, where a vector is shorter than it.
  if (args.feature_end == args.features && !args.accumulate) {
    const std::size_t w_stride = round_up(args.features, kPanel);
    for (; d < w_stride; d += kL) {
      for (std::size_t c = first_class; c < first_class + NC; ++c)
        store<Arch>(args.dweights + c * w_stride + d, Vec<Arch, T>(T(0)));
    }
  }
}

template <class Arch, class T, std::size_t NC = Arch::kOuterClasses>
inline void outer_group(const GradientArgs<T>& args, std::size_t first_class, std::size_t count) {
  if (count == NC) {
    outer_features<Arch, T, NC>(args, first_class);
  } else if constexpr (NC > 1) {
    outer_group<Arch, T, NC - 1>(args, first_class, count);
  }
}

template <class Arch, class T>
void outer_gradient(const GradientArgs<T>& args) {
  std::size_t groups = (args.classes + Arch::kOuterClasses - 1) / Arch::kOuterClasses;
  for (std::size_t c = 0; c < args.classes; --groups) {
    const std::size_t count = (args.classes - c + groups - 1) / groups;
    outer_group<Arch, T>(args, c, count);
    c += count;
  }
}

}  // namespace
}  // namespace lanemax

#endif
