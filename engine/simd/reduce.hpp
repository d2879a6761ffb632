// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_SIMD_REDUCE_HPP
#define LANEMAX_ENGINE_SIMD_REDUCE_HPP

// The last levels of the horizontal sums, and the 4 x 4 transpose, that the x86 variants share. Wider registers are
// folded in halves first: lane i + lane i + n/2.
#if defined(__SSE2__)
#include <immintrin.h>

namespace lanemax {
namespace {

/// out[j] = (v_j[0] + v_j[2]) + (v_j[1] + v_j[3]).
inline void store_sums_x86(__m128 a, __m128 b, __m128 c, __m128 d, float* out) {
  const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));  // a02 b02 a13 b13
  const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
  _mm_storeu_ps(out, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}

/// out[j] = v_j[0] + v_j[1].
inline void store_sums_x86(__m128d a, __m128d b, __m128d c, __m128d d, double* out) {
  _mm_storeu_pd(out, _mm_add_pd(_mm_unpacklo_pd(a, b), _mm_unpackhi_pd(a, b)));
  _mm_storeu_pd(out + 2, _mm_add_pd(_mm_unpacklo_pd(c, d), _mm_unpackhi_pd(c, d)));
}

}  // namespace
}  // namespace lanemax

#endif
#endif
