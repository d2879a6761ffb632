// SPDX-License-Identifier: BSD-3-Clause
// Everything the engine knows of NEON, the baseline of AArch64.
#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "compile this file for AArch64"
#endif
#define xsimd xsimd_neon
#include "engine/isa/fill_table.hpp"

namespace lanemax {
namespace {

struct Neon {
  using Simd = xsimd::neon64;
  using F = xsimd::batch<float, Simd>;
  using D = xsimd::batch<double, Simd>;

  static constexpr Isa kIsa = Isa::neon;
  static constexpr const char* kName = "neon";
  static constexpr const char* kFeatures = "ARM_NEON ARM_FEATURE_FMA";
  static constexpr bool kHasFma = true;
  static constexpr double kSerialFlops = 6e6;

  // 32 registers: 24 accumulators; multiplying by a lane feeds four k steps from one load of X.
  static constexpr std::size_t kPanelTileVectors = 4, kPanelHeldVectors = 4;
  static constexpr std::size_t panel_rows(std::size_t) { return 6; }
  static constexpr bool kSpreadStrips = false;
  static constexpr std::size_t kStripWidth = 24;
  static constexpr std::size_t kDotRows = 4, kDotClasses = 5;
  // Of a row alone: as many sums side by side as registers hold.
  static constexpr std::size_t kDotRowClasses = 16;
  static constexpr std::size_t kOuterClasses = 8;
  static constexpr std::size_t outer_vectors(std::size_t classes) { return classes <= 4 ? 4 : 2; }
  static constexpr std::size_t kSampleFeaturesPerClass = 4;

  static F madd(F a, F b, F c) { return F(vfmaq_f32(c, a, b)); }
  static D madd(D a, D b, D c) { return D(vfmaq_f64(c, a, b)); }
  static F sqrt(F a) { return F(vsqrtq_f32(a)); }
  static D sqrt(D a) { return D(vsqrtq_f64(a)); }

  static F widen_halves(const std::uint16_t* p) { return F(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))); }

  static F load_partial(const float* p, std::size_t n) {
    if (n == 1) return F(vld1q_lane_f32(p, vdupq_n_f32(0), 0));
    const float32x2_t none = vdup_n_f32(0);
    return F(vcombine_f32(vld1_f32(p), n == 2 ? none : vld1_lane_f32(p + 2, none, 0)));
  }
  static D load_partial(const double* p, std::size_t) { return D(vcombine_f64(vld1_f64(p), vdup_n_f64(0))); }

  static void store_sums(F a, F b, F c, F d, float* out) {
    vst1q_f32(out, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
  }
  static void store_sums(D a, D b, D c, D d, double* out) {
    vst1q_f64(out, vpaddq_f64(a, b));
    vst1q_f64(out + 2, vpaddq_f64(c, d));
  }

  static void load_quads(const float* const (&row)[4], std::size_t at, F (&quad)[4]) {
    const float32x4_t r0 = vld1q_f32(row[0] + at), r1 = vld1q_f32(row[1] + at), r2 = vld1q_f32(row[2] + at),
                      r3 = vld1q_f32(row[3] + at);
    const float32x4_t a = vzip1q_f32(r0, r2), b = vzip2q_f32(r0, r2), c = vzip1q_f32(r1, r3), d = vzip2q_f32(r1, r3);
    quad[0] = F(vzip1q_f32(a, c));
    quad[1] = F(vzip2q_f32(a, c));
    quad[2] = F(vzip1q_f32(b, d));
    quad[3] = F(vzip2q_f32(b, d));
  }
};

}  // namespace

extern const ScheduledKernels kNeonKernels;
constinit const ScheduledKernels kNeonKernels = make_tables<Neon>();

}  // namespace lanemax
