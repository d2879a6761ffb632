// SPDX-License-Identifier: BSD-3-Clause
#include "bench/limits/loops.hpp"

#include <arm_neon.h>

namespace lanemax::bench {
namespace {

struct Vector {
  using Float = float32x4_t;
  static constexpr std::size_t kBytes = 16;
  static Float set(float v) { return vdupq_n_f32(v); }
  static Float fma(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
  static Float load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, Float v) { *reinterpret_cast<volatile float32x4_t*>(p) = v; }
  static Float merge(Float a, Float b) {
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
  }
};

}  // namespace

constinit const LimitLoops kNeonLoops = {
    Isa::neon,
    {fused_chains<Vector, 12>, fused_chains<Vector, 16>, fused_chains<Vector, 24>},
    {read_streams<Vector, 1, 0>, read_streams<Vector, 1, 2048>, read_streams<Vector, 4, 0>}};

}  // namespace lanemax::bench
