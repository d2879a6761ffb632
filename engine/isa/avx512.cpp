// SPDX-License-Identifier: BSD-3-Clause
// Everything the engine knows of AVX-512 (x86-64-v4: F, CD, BW, DQ, VL and all of x86-64-v3).
#if !defined(__AVX512F__) || !defined(__AVX512CD__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || \
    !defined(__AVX512VL__) || !defined(__FMA__)
#error "compile this file with -march=x86-64-v4"
#endif
#define xsimd xsimd_avx512
#include "engine/isa/fill_table.hpp"
#include "engine/simd/reduce.hpp"

namespace lanemax {
namespace {

struct Avx512 {
  using Simd = xsimd::avx512bw;
  using F = xsimd::batch<float, Simd>;
  using D = xsimd::batch<double, Simd>;

  static constexpr Isa kIsa = Isa::avx512;
  static constexpr const char* kName = "avx512";
  static constexpr const char* kFeatures =
      "SSE SSE2 SSE3 SSSE3 SSE4_1 SSE4_2 POPCNT AVX AVX2 BMI BMI2 F16C FMA LZCNT MOVBE XSAVE AVX512F AVX512BW "
      "AVX512CD AVX512DQ AVX512VL";
  static constexpr bool kHasFma = true;
  static constexpr double kSerialFlops = 6e6;

  // 32 registers. Panel tiles of 24 accumulators; 14 x 1 leaves the broadcasts to embedded operands.
  static constexpr std::size_t kPanelTileVectors = 4, kPanelHeldVectors = 4;
  static constexpr std::size_t panel_rows(std::size_t vectors) {
    return vectors == 4 ? 6 : vectors == 3 ? 8 : vectors == 2 ? 12 : 14;
  }
  static constexpr bool kSpreadStrips = false;
  static constexpr std::size_t kStripWidth = 24;
  static constexpr std::size_t kDotRows = 4, kDotClasses = 5;
  // Of a row alone: as many sums side by side as registers hold.
  static constexpr std::size_t kDotRowClasses = 16;
  static constexpr std::size_t kOuterClasses = 10;
  static constexpr std::size_t outer_vectors(std::size_t classes) { return classes <= 5 ? 4 : 2; }
  static constexpr std::size_t kSampleFeaturesPerClass = 9;

  static F madd(F a, F b, F c) { return F(_mm512_fmadd_ps(a, b, c)); }
  static D madd(D a, D b, D c) { return D(_mm512_fmadd_pd(a, b, c)); }
  static F sqrt(F a) { return F(_mm512_sqrt_ps(a)); }
  static D sqrt(D a) { return D(_mm512_sqrt_pd(a)); }

  static F widen_halves(const std::uint16_t* p) {
    return F(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
  }

  static F load_partial(const float* p, std::size_t n) {
    return F(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p));
  }
  static D load_partial(const double* p, std::size_t n) {
    return D(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << n) - 1U), p));
  }

  static __m128 fold(F v) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  }
  static __m128d fold(D v) {
    const __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    return _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  }
  static void store_sums(F a, F b, F c, F d, float* out) { store_sums_x86(fold(a), fold(b), fold(c), fold(d), out); }
  static void store_sums(D a, D b, D c, D d, double* out) { store_sums_x86(fold(a), fold(b), fold(c), fold(d), out); }

  static void load_quads(const float* const (&row)[16], std::size_t at, F (&quad)[4]) {
    __m512 r[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4;
         ++i) {  // rows i, i + 4, i + 8, i + 12: after the transpose within 128 bits, lanes are in row order
      r[i] = _mm512_castps128_ps512(_mm_loadu_ps(row[i] + at));
      r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(row[i + 4] + at), 1);
      r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(row[i + 8] + at), 2);
      r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(row[i + 12] + at), 3);
    }
    const __m512 a = _mm512_unpacklo_ps(r[0], r[1]), b = _mm512_unpackhi_ps(r[0], r[1]);
    const __m512 c = _mm512_unpacklo_ps(r[2], r[3]), d = _mm512_unpackhi_ps(r[2], r[3]);
    quad[0] = F(_mm512_shuffle_ps(a, c, 0x44));
    quad[1] = F(_mm512_shuffle_ps(a, c, 0xee));
    quad[2] = F(_mm512_shuffle_ps(b, d, 0x44));
    quad[3] = F(_mm512_shuffle_ps(b, d, 0xee));
  }
};

}  // namespace

extern const ScheduledKernels kAvx512Kernels;
constinit const ScheduledKernels kAvx512Kernels = make_tables<Avx512>();

}  // namespace lanemax
