// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_SAMPLE_HPP
#define LANEMAX_ENGINE_GEMM_SAMPLE_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The sample form of the logits (small D and C, class-major W): lanes over samples. Four features of as many rows as
// there are lanes are transposed in registers; a logit is one lane of one accumulator, d ascending, started from the
// bias. No horizontal sums, which would cost C / D of the product here, and no padding of D to a whole vector.
//
// Limit: loads and shuffles. 16 rows x 4 features cost 16 quarter loads and 8 shuffles against 4 C multiply-adds.
template <class Arch, std::size_t C>
[[gnu::noinline]] void sample_rows(const LogitsArgs<float>& args) {
  using V = Vec<Arch, float>;
  constexpr std::size_t kL = kLanes<Arch, float>;
  const std::size_t w_stride = round_up(args.features, kPanel);
  const std::size_t whole = args.features / 4 * 4;

  for (std::size_t row = 0; row < args.x.count; row += kL) {
    // Lanes past the last row repeat it; their logits land in the buffer's padding.
    const float* x[kL];
    for (std::size_t i = 0; i < kL; ++i) x[i] = args.x.data + smaller(row + i, args.x.count - 1) * args.x.stride;
    V acc[C];
#pragma GCC unroll 16
    for (std::size_t c = 0; c < C; ++c) acc[c] = V(args.bias[c]);

    alignas(64) float tail[kL][4] = {};
    std::size_t at = 0;
    for (std::size_t d = 0; d < args.features; d += 4, at += 4) {
      if (d == whole) {  // fewer than four are left; W's padding is 0, so what is added for the missing ones is 0
        for (std::size_t i = 0; i < kL; ++i) {
          for (std::size_t q = 0; q < args.features - whole; ++q) tail[i][q] = x[i][whole + q];
          x[i] = tail[i];
        }
        at = 0;
      }
      V quad[4];
      Arch::load_quads(x, at, quad);
#pragma GCC unroll 4
      for (std::size_t q = 0; q < 4; ++q) {
#pragma GCC unroll 16
        for (std::size_t c = 0; c < C; ++c) acc[c] = Arch::madd(quad[q], V(args.weights[c * w_stride + d + q]), acc[c]);
      }
    }
#pragma GCC unroll 16
    for (std::size_t c = 0; c < C; ++c) store<Arch>(args.logits + c * args.capacity + row, acc[c]);
  }
}

template <class Arch, std::size_t C = Arch::kSampleClasses>
void sample_logits(const LogitsArgs<float>& args) {
  if (args.classes == C) {
    sample_rows<Arch, C>(args);
  } else if constexpr (C > 1) {
    sample_logits<Arch, C - 1>(args);
  }
}

}  // namespace
}  // namespace lanemax

#endif
