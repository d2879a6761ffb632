// SPDX-License-Identifier: BSD-3-Clause
// Everything the engine knows of AVX2 with FMA (x86-64-v3).
#if !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "compile this file with -march=x86-64-v3"
#endif
#define xsimd xsimd_avx2_fma
#include "engine/isa/fill_table.hpp"
#include "engine/simd/reduce.hpp"

namespace lanemax {
namespace {

struct Avx2Fma {
  using Simd = xsimd::fma3<xsimd::avx2>;
  using F = xsimd::batch<float, Simd>;
  using D = xsimd::batch<double, Simd>;

  static constexpr Isa kIsa = Isa::avx2_fma;
  static constexpr const char* kName = "avx2_fma";
  static constexpr const char* kFeatures =
      "SSE SSE2 SSE3 SSSE3 SSE4_1 SSE4_2 POPCNT AVX AVX2 BMI BMI2 F16C FMA LZCNT MOVBE XSAVE";
  static constexpr bool kHasFma = true;
  static constexpr double kSerialFlops = 6e6;

  // 16 registers: 12 accumulators, the vectors of B, one broadcast.
  static constexpr std::size_t kPanelTileVectors = 2, kPanelHeldVectors = 2;
  static constexpr std::size_t panel_rows(std::size_t) { return 6; }
  static constexpr bool kSpreadStrips = false;
  // Zen 5, gradient of 4096 x 768 x 1000, 192 deep: 89 % of peak; 12 or 18 wide the same, 24 x 96: 86 %, 48 x 96: 83 %.
  static constexpr std::size_t kStripWidth = 24;
  // 3 x 4 for C = 10, D = 784: 88 % of peak; 4 x 3: 84 %, 2 x 5: 75 %, 4 x 2: 71 %.
  static constexpr std::size_t kDotRows = 3, kDotClasses = 4;
  // Of a row alone: as many sums side by side as registers hold.
  static constexpr std::size_t kDotRowClasses = 12;
  static constexpr std::size_t kOuterClasses = 5;
  static constexpr std::size_t outer_vectors(std::size_t classes) { return classes <= 2 ? 4 : classes == 3 ? 3 : 2; }
  static constexpr std::size_t kSampleFeaturesPerClass = 10;

  static F madd(F a, F b, F c) { return F(_mm256_fmadd_ps(a, b, c)); }
  static D madd(D a, D b, D c) { return D(_mm256_fmadd_pd(a, b, c)); }
  static F sqrt(F a) { return F(_mm256_sqrt_ps(a)); }
  static D sqrt(D a) { return D(_mm256_sqrt_pd(a)); }

  static F widen_halves(const std::uint16_t* p) {
    return F(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }

  static F load_partial(const float* p, std::size_t n) {
    alignas(32) static constexpr std::int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return F(_mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 - n))));
  }
  static D load_partial(const double* p, std::size_t n) {
    alignas(32) static constexpr std::int64_t kMask[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
    return D(_mm256_maskload_pd(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 4 - n))));
  }

  static __m128 fold(F v) { return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)); }
  static __m128d fold(D v) { return _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1)); }
  static void store_sums(F a, F b, F c, F d, float* out) { store_sums_x86(fold(a), fold(b), fold(c), fold(d), out); }
  static void store_sums(D a, D b, D c, D d, double* out) { store_sums_x86(fold(a), fold(b), fold(c), fold(d), out); }

  static void load_quads(const float* const (&row)[8], std::size_t at, F (&quad)[4]) {
    __m256 r[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {  // rows i, i + 4: after the transpose within 128 bits, lanes are in row order
      r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row[i] + at)), _mm_loadu_ps(row[i + 4] + at), 1);
    }
    const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
    quad[0] = F(_mm256_shuffle_ps(a, c, 0x44));
    quad[1] = F(_mm256_shuffle_ps(a, c, 0xee));
    quad[2] = F(_mm256_shuffle_ps(b, d, 0x44));
    quad[3] = F(_mm256_shuffle_ps(b, d, 0xee));
  }
};

}  // namespace

extern const ScheduledKernels kAvx2FmaKernels;
constinit const ScheduledKernels kAvx2FmaKernels = make_tables<Avx2Fma>();

}  // namespace lanemax
