// SPDX-License-Identifier: BSD-3-Clause
// Everything the engine knows of SSE2, the baseline of x86-64.
#if !defined(__SSE2__) || defined(__SSE3__)
#error "compile this file with -march=x86-64"
#endif
#define xsimd xsimd_sse2
#include "engine/isa/fill_table.hpp"
#include "engine/simd/reduce.hpp"

namespace lanemax {
namespace {

struct Sse2 {
  using Simd = xsimd::sse2;
  using F = xsimd::batch<float, Simd>;
  using D = xsimd::batch<double, Simd>;

  static constexpr Isa kIsa = Isa::sse2;
  static constexpr const char* kName = "sse2";
  static constexpr const char* kFeatures = "SSE SSE2";
  static constexpr bool kHasFma = false;
  static constexpr double kSerialFlops = 6e6;

  // 16 registers, two-operand instructions: 12 accumulators, a value of A, a product, two vectors of B; the other two
  // are operands in memory. Left to themselves, clang and g++ from 14 on load all four first and keep accumulators on
  // the stack (60 % of the speed); 6 x 2 is 4 % slower.
  static constexpr std::size_t kPanelTileVectors = 4, kPanelHeldVectors = 2;
  static constexpr std::size_t panel_rows(std::size_t) { return 3; }
  static constexpr bool kSpreadStrips = true;
  // 192 deep: 79 % of peak; 6 x 96, 12 x 64, 12 x 96 and 3 x 192 within 2 %; two steps of K at once spill (47 %).
  static constexpr std::size_t kStripWidth = 6;
  // 3 x 3 for C = 10, D = 784: 75 % of peak; 2 x 4 and 4 x 2: 72 %, 2 x 3: 59 %.
  static constexpr std::size_t kDotRows = 3, kDotClasses = 3;
  // Of a row alone: as many sums side by side as registers hold.
  static constexpr std::size_t kDotRowClasses = 12;
  static constexpr std::size_t kOuterClasses = 4;
  static constexpr std::size_t outer_vectors(std::size_t classes) { return classes <= 2 ? 4 : 2; }
  static constexpr std::size_t kSampleFeaturesPerClass = 4;

  static F madd(F a, F b, F c) { return a * b + c; }
  static D madd(D a, D b, D c) { return a * b + c; }
  static F sqrt(F a) { return F(_mm_sqrt_ps(a)); }
  static D sqrt(D a) { return D(_mm_sqrt_pd(a)); }

  // Not through memory: four stores and a load of all of them stall (D = 17, dot form: 2.4 times as long).
  static F load_partial(const float* p, std::size_t n) {
    if (n == 1) return F(_mm_load_ss(p));
    const __m128 two = _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    return F(n == 2 ? two : _mm_movelh_ps(two, _mm_load_ss(p + 2)));
  }
  static D load_partial(const double* p, std::size_t) { return D(_mm_load_sd(p)); }

  static void store_sums(F a, F b, F c, F d, float* out) { store_sums_x86(a, b, c, d, out); }
  static void store_sums(D a, D b, D c, D d, double* out) { store_sums_x86(a, b, c, d, out); }

  static void load_quads(const float* const (&row)[4], std::size_t at, F (&quad)[4]) {
    __m128 r0 = _mm_loadu_ps(row[0] + at), r1 = _mm_loadu_ps(row[1] + at), r2 = _mm_loadu_ps(row[2] + at),
           r3 = _mm_loadu_ps(row[3] + at);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    quad[0] = F(r0);
    quad[1] = F(r1);
    quad[2] = F(r2);
    quad[3] = F(r3);
  }
};

}  // namespace

extern const ScheduledKernels kSse2Kernels;
constinit const ScheduledKernels kSse2Kernels = make_tables<Sse2>();

}  // namespace lanemax
