// SPDX-License-Identifier: BSD-3-Clause
#if !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "compile this file with -march=x86-64-v3"
#endif
#include "bench/limits/loops.hpp"

#include <immintrin.h>

namespace lanemax::bench {
namespace {

struct Vector {
  using Float = __m256;
  static constexpr std::size_t kBytes = 32;
  static Float set(float v) { return _mm256_set1_ps(v); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float load(const float* p) { return _mm256_load_ps(p); }
  static void store(float* p, Float v) { *reinterpret_cast<volatile __m256*>(p) = v; }
  static Float merge(Float a, Float b) { return _mm256_or_ps(a, b); }
};

}  // namespace

constinit const LimitLoops kAvx2FmaLoops = {
    Isa::avx2_fma,
    {fused_chains<Vector, 10>, fused_chains<Vector, 12>, fused_chains<Vector, 14>},
    {read_streams<Vector, 1, 0>, read_streams<Vector, 1, 2048>, read_streams<Vector, 4, 0>}};

}  // namespace lanemax::bench
