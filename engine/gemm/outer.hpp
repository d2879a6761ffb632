// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_OUTER_HPP
#define LANEMAX_ENGINE_GEMM_OUTER_HPP

#include "engine/gemm/class_groups.hpp"
#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The outer form of both products in the class-major layout: sums of outer products of a column of A and a row of B,
//
//   C[c][lane] += sum over k of A[c][k] * B[k][lane]
//
//             c      k        lane     A             B                        C
//   gradient  class  row      feature  dlogits       X, where it lies         dW
//   logits    class  feature  row      W             X, 16 rows transposed    logits          (the sample form)
//
// NC x NV accumulators stay in registers over all of K; every b is loaded once per group of classes, every a broadcast.
//
// Limit: the multiply-add units while the block is in L2 (92 % of peak on AVX-512 for 784 x 10). NV + NC loads per
// NC * NV multiply-adds. The gradient finds its block in L2 and leaves the memory bus idle, so it asks for the next
// block's rows meanwhile, into L2 and column by column as it computes (60000 x 784 x 10 on Zen 4, one thread: 20 ms
// instead of 27.7; line after line along the rows was 6 % slower, into L1, or every second line, too).
template <class T>
struct OuterGemm {
  const T* a = nullptr;
  std::size_t a_stride = 0;  // elements from one class to the next
  const T* b = nullptr;
  std::size_t b_stride = 0;  // elements from one k to the next
  T* c = nullptr;
  std::size_t c_stride = 0;  // elements from one class to the next; whole vectors may be written
  std::size_t lanes = 0;     // nothing past them is read of B
  std::size_t depth = 0;
  const T* start = nullptr;  // start accumulators from this, one per class ...
  bool accumulate = false;   // ... or from C, or from 0
  ReadAhead ahead;           // its rows are asked for, spread over all of K
};

template <class Arch, class T, std::size_t NC, std::size_t NV, bool kPartial>
[[gnu::noinline]] void outer_tile(const OuterGemm<T>& g, std::size_t first_class, std::size_t lane) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  T* out = g.c + first_class * g.c_stride + lane;
  const T* a = g.a + first_class * g.a_stride;
  const T* b = g.b + lane;
  const std::size_t a_stride = g.a_stride, b_stride = g.b_stride;
  const std::size_t tail = g.lanes - lane - (NV - 1) * kL;  // lanes of the last vector, if it is partial

  V acc[NC][NV];
#pragma GCC unroll 32
  for (std::size_t c = 0; c < NC; ++c) {
    const V start = g.start == nullptr ? V(T(0)) : V(g.start[first_class + c]);
#pragma GCC unroll 32
    for (std::size_t v = 0; v < NV; ++v) {
      acc[c][v] = g.accumulate ? load<Arch>(static_cast<const T*>(out + c * g.c_stride + v * kL)) : start;
    }
  }
  // Four classes share a pointer: one each would not fit the integer registers, and g++ then keeps some in vectors.
  const T* four[(NC + 3) / 4];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < (NC + 3) / 4; ++i) four[i] = a + 4 * i * a_stride;
  // The next block's rows, of the features of the tile's lanes. (Multiplied here, or g++ 14 does it in a vector that it
  // fetches from the stack.)
  const std::size_t skipped = lane * g.ahead.feature_bytes;
  const std::size_t rows_ahead = smaller(g.ahead.rows, g.depth);
  const std::size_t ask_every = rows_ahead > 0 ? g.depth / rows_ahead : 0;
  std::size_t asked = 0, ask_at = rows_ahead > 0 ? 0 : g.depth;
  for (std::size_t k = 0; k < g.depth; ++k, b += b_stride) {
    if (k == ask_at) {
      const char* ahead = g.ahead.row(asked) + skipped;
#pragma GCC unroll 8
      for (std::size_t line = 0; line * 64 < NV * kL * sizeof(T); ++line) {
        __builtin_prefetch(ahead + line * (64 / sizeof(T)) * g.ahead.feature_bytes, 0, 2);
      }
      ask_at = ++asked < rows_ahead ? ask_at + ask_every : g.depth;
    }
    V bv[NV];
#pragma GCC unroll 32
    for (std::size_t v = 0; v < NV; ++v) {
      bv[v] = kPartial && v + 1 == NV ? Arch::load_partial(b + v * kL, tail) : load<Arch>(b + v * kL);
    }
#pragma GCC unroll 32
    for (std::size_t c = 0; c < NC; ++c) {
      const V av(four[c / 4][c % 4 * a_stride]);
#pragma GCC unroll 32
      for (std::size_t v = 0; v < NV; ++v) acc[c][v] = Arch::madd(av, bv[v], acc[c][v]);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < (NC + 3) / 4; ++i) ++four[i];
  }
#pragma GCC unroll 32
  for (std::size_t c = 0; c < NC; ++c) {
#pragma GCC unroll 32
    for (std::size_t v = 0; v < NV; ++v) store<Arch>(out + c * g.c_stride + v * kL, acc[c][v]);
  }
}

// All lanes of one group of classes: tiles of outer_vectors(NC), then what is left in one tile of fewer.
template <class Arch, class T, std::size_t NC, std::size_t NV = Arch::outer_vectors(NC)>
inline void outer_lanes(const OuterGemm<T>& g, std::size_t first_class, std::size_t lane) {
  constexpr std::size_t kL = kLanes<Arch, T>;
  for (; lane + NV * kL <= g.lanes; lane += NV * kL) outer_tile<Arch, T, NC, NV, false>(g, first_class, lane);
  if (lane + (NV - 1) * kL < g.lanes) {
    outer_tile<Arch, T, NC, NV, true>(g, first_class, lane);
  } else if constexpr (NV > 1) {
    outer_lanes<Arch, T, NC, NV - 1>(g, first_class, lane);
  }
}

// Some lanes for all classes, then the next: the second group of classes finds them in L1 (rows of 784 x 10 in L2, Zen
// 3: 3 to 10 % faster than all lanes for some classes).
inline constexpr std::size_t kLanesAtOnce = 64;

template <class Arch, class T>
void outer_gemm(const OuterGemm<T>& g, std::size_t classes) {
  for (std::size_t lane = 0; lane < g.lanes; lane += kLanesAtOnce) {
    OuterGemm<T> part = g;
    part.b += lane;
    part.c += lane;
    part.lanes = smaller(g.lanes - lane, kLanesAtOnce);
    for_class_groups<Arch::kOuterClasses>(classes, [&](auto count, std::size_t c) {
      constexpr std::size_t NC = decltype(count)::value;
      part.ahead = g.ahead.part(g.ahead.rows * c / classes, g.ahead.rows * (c + NC) / classes);
      if (part.ahead.data != nullptr) part.ahead.data += lane * g.ahead.feature_bytes;
      outer_lanes<Arch, T, NC>(part, c, 0);
    });
  }
}

// dW (+)= dlogits' X over one row block, rows ascending.
template <class Arch, class T>
void outer_gradient(const GradientArgs<T>& args) {
  constexpr std::size_t kL = kLanes<Arch, T>;
  const std::size_t w_stride = round_up(args.features, kPanel);
  OuterGemm<T> g;
  g.a = args.dlogits;
  g.a_stride = args.capacity;
  g.b = args.x.data + args.feature_begin;
  g.b_stride = args.x.stride;
  g.c = args.dweights + args.feature_begin;
  g.c_stride = w_stride;
  g.lanes = args.feature_end - args.feature_begin;
  g.depth = args.x.count;
  g.accumulate = args.accumulate;
  g.ahead = args.ahead;
  if (g.ahead.data != nullptr) g.ahead.data += args.feature_begin * g.ahead.feature_bytes;
  outer_gemm<Arch, T>(g, args.classes);
  if (args.feature_end < args.features || args.accumulate) return;
  // What is left of the padding, where a vector is shorter than it.
  for (std::size_t d = round_up(args.features, kL); d < w_stride; d += kL) {
    for (std::size_t c = 0; c < args.classes; ++c) store<Arch>(args.dweights + c * w_stride + d, Vec<Arch, T>(T(0)));
  }
}

}  // namespace
}  // namespace lanemax

#endif
