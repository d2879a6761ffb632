// SPDX-License-Identifier: BSD-3-Clause
#if !defined(__SSE2__) || defined(__AVX__)
#error "compile this file with -march=x86-64"
#endif
#include "bench/limits/loops.hpp"

#include <emmintrin.h>

namespace lanemax::bench {
namespace {

struct Vector {
  using Float = __m128;
  static constexpr std::size_t kBytes = 16;
  static Float set(float v) { return _mm_set1_ps(v); }
  static Float mul(Float a, Float b) { return _mm_mul_ps(a, b); }
  static Float add(Float a, Float b) { return _mm_add_ps(a, b); }
  static Float load(const float* p) { return _mm_load_ps(p); }
  static void store(float* p, Float v) { *reinterpret_cast<volatile __m128*>(p) = v; }
  static Float merge(Float a, Float b) { return _mm_or_ps(a, b); }
};

}  // namespace

constinit const LimitLoops kSse2Loops = {
    Isa::sse2,
    {mixed_chains<Vector, 5>, mixed_chains<Vector, 6>, mixed_chains<Vector, 7>},
    {read_streams<Vector, 1, 0>, read_streams<Vector, 1, 2048>, read_streams<Vector, 4, 0>}};

}  // namespace lanemax::bench
