// SPDX-License-Identifier: BSD-3-Clause
#ifndef __AVX512F__
#error "compile this file with -march=x86-64-v4"
#endif
#include "bench/limits/loops.hpp"

#include <immintrin.h>

namespace lanemax::bench {
namespace {

struct Vector {
  using Float = __m512;
  static constexpr std::size_t kBytes = 64;
  static Float set(float v) { return _mm512_set1_ps(v); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float load(const float* p) { return _mm512_load_ps(p); }
  static void store(float* p, Float v) { *reinterpret_cast<volatile __m512*>(p) = v; }
  static Float merge(Float a, Float b) { return _mm512_or_ps(a, b); }
};

}  // namespace

constinit const LimitLoops kAvx512Loops = {
    Isa::avx512,
    {fused_chains<Vector, 12>, fused_chains<Vector, 16>, fused_chains<Vector, 24>},
    {read_streams<Vector, 1, 0>, read_streams<Vector, 1, 2048>, read_streams<Vector, 4, 0>}};

}  // namespace lanemax::bench
