// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_SAMPLE_HPP
#define LANEMAX_ENGINE_GEMM_SAMPLE_HPP

#include "engine/gemm/outer.hpp"

namespace lanemax {
namespace {

// The sample form of the logits (small D, class-major W): lanes over samples. 16 rows are transposed into a strip in
// L1, then it is the outer form of the gradient with W in the place of dlogits; a logit is one lane of one accumulator,
// d ascending, started from the bias. No horizontal sums, which would cost C / D of the product here, and no padding of
// D to a whole vector.
//
// Limit: loads and shuffles. 16 rows x 4 features cost 16 quarter loads and 8 shuffles against 4 C multiply-adds.
inline constexpr std::size_t kSampleMostFeatures = 128;

template <class Arch>
inline void transpose_rows(const float* const (&x)[kLanes<Arch, float>], std::size_t features, float* strip) {
  using V = Vec<Arch, float>;
  constexpr std::size_t kL = kLanes<Arch, float>;
  std::size_t d = 0;
  for (; d + 4 <= features; d += 4) {
    V quad[4];
    Arch::load_quads(x, d, quad);
#pragma GCC unroll 4
    for (std::size_t q = 0; q < 4; ++q) store<Arch>(strip + (d + q) * kPanel, quad[q]);
  }
  for (; d < features; ++d) {
    for (std::size_t i = 0; i < kL; ++i) strip[d * kPanel + i] = x[i][d];
  }
}

template <class Arch>
void sample_logits(const LogitsArgs<float>& args) {
  constexpr std::size_t kL = kLanes<Arch, float>;
  alignas(64) float strip[kSampleMostFeatures * kPanel];
  const FeatureSlice<float> slice = slice_of(args);
  OuterGemm<float> g;
  g.a = args.weights + slice.first;
  g.a_stride = round_up(slice.all, kPanel);
  g.b = strip;
  g.b_stride = kPanel;
  g.c_stride = args.capacity;
  g.lanes = kPanel;
  g.depth = args.features;
  g.start = slice.first == 0 ? args.bias : nullptr;
  g.accumulate = slice.first > 0;
  for (std::size_t row = 0; row < args.x.count; row += kPanel) {
    for (std::size_t first = 0; first < kPanel; first += kL) {
      const float* x[kL];  // rows past the last repeat it; their logits land in the buffer's padding
      for (std::size_t i = 0; i < kL; ++i) {
        x[i] = args.x.data + smaller(row + first + i, args.x.count - 1) * args.x.stride;
      }
      transpose_rows<Arch>(x, args.features, static_cast<float*>(strip) + first);
    }
    g.c = args.logits + row;
    outer_gemm<Arch, float>(g, args.classes);
  }
}

}  // namespace
}  // namespace lanemax

#endif
