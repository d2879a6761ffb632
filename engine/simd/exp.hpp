// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_SIMD_EXP_HPP
#define LANEMAX_ENGINE_SIMD_EXP_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// exp(x) for x <= 0. Two-constant (Cody-Waite) reduction to |t| <= ln(2)/2, then a polynomial.
//
//   f32: degree 6 minimax. Largest error over every float in [-87.3365, 0]: 0.891 ulp with fused multiply-add, 0.989
//   ulp
//        without (tests/exp_test.cpp checks each variant). Degree 5 would be 1.96 ulp, one reduction constant 4.4.
//   f64: degree 13 Taylor, whose tail at ln(2)/2 is 4e-18.
//
// exp(0) == 1 exactly. Below `cut` the result is exactly 0 and NaN stays NaN. A cut above the underflow point keeps
// p = exp()/sum a normal number or 0: a subnormal p would feed millions of slow multiply-adds in the gradient. What the
// cut drops is below 2^-86 of the sum.
template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  using Int = std::int32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kMagic = 0x1.8000FEp23f;  // 1.5 * 2^23 + 127: adding it rounds and biases the exponent
  static constexpr float kUnderflow = -87.3365f;   // below it the result would be subnormal
  static constexpr float kZero = -88.0f;           // maps to biased exponent 0, that is to exactly 0
};

template <>
struct ExpConstants<double> {
  using Int = std::int64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr double kLog2E = 0x1.71547652b82fep+0;
  static constexpr double kMagic = 0x1.80000000003FFp52;  // 1.5 * 2^52 + 1023
  static constexpr double kUnderflow = -708.396;
  static constexpr double kZero = -709.0895657128241;  // -1023 ln 2
};

/// The cut for a softmax over `classes` classes: exp(x) / classes is still a normal number above it.
template <class T>
inline T exp_cut(std::size_t classes) {
  // log C <= 0.7 bits(C); no libm here
  const int bits = 64 - __builtin_clzll(static_cast<unsigned long long>(classes) | 1U);
  return ExpConstants<T>::kUnderflow + T(2) + T(0.7) * static_cast<T>(bits);
}

template <class Arch>
inline Vec<Arch, float> exp_polynomial(Vec<Arch, float> n, Vec<Arch, float> x, Vec<Arch, float> s) {
  using V = Vec<Arch, float>;
  constexpr float kC2 = 0x1.fffffcp-2f, kC3 = 0x1.555492p-3f, kC4 = 0x1.5558b0p-5f, kC5 = 0x1.12398cp-7f,
                  kC6 = 0x1.6a4d46p-10f;
  if constexpr (Arch::kHasFma) {
    V t = Arch::madd(n, V(-0x1.62E430p-1f), x);
    t = Arch::madd(n, V(0x1.05C61p-29f), t);
    V p = Arch::madd(V(kC6), t, V(kC5));
    p = Arch::madd(p, t, V(kC4));
    p = Arch::madd(p, t, V(kC3));
    p = Arch::madd(p, t, V(kC2));
    p = Arch::madd(p, t, V(1.0f));
    return Arch::madd(t * s, p, s);
  } else {
    // The high part has trailing zeros, so n * high is exact. The last sum is arranged to round once less.
    V t = x - n * V(0x1.62E400p-1f);
    t = t - n * V(0x1.7F7D1Cp-20f);
    V q = V(kC6) * t + V(kC5);
    q = q * t + V(kC4);
    q = q * t + V(kC3);
    q = q * t + V(kC2);
    return s * ((t * t) * q + t) + s;
  }
}

template <class Arch>
inline Vec<Arch, double> exp_polynomial(Vec<Arch, double> n, Vec<Arch, double> x, Vec<Arch, double> s) {
  using V = Vec<Arch, double>;
  constexpr double kInverseFactorial[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                          1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                          1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
  // The high part has 21 trailing zeros, so n * high is exact without fused multiply-add too.
  V t = x - n * V(0x1.62e42fee00000p-1);
  t = Arch::madd(n, V(-0x1.a39ef35793c76p-33), t);
  V q = V(kInverseFactorial[0]);
#pragma GCC unroll 16
  for (int i = 1; i < 12; ++i) q = Arch::madd(q, t, V(kInverseFactorial[i]));
  return Arch::madd(s, Arch::madd(t * t, q, t), s);
}

template <class Arch, class T>
inline Vec<Arch, T> exp_negative(Vec<Arch, T> x, T cut) {
  using V = Vec<Arch, T>;
  using K = ExpConstants<T>;
  x = xsimd::select(x < V(cut), V(K::kZero), x);
  V n = Arch::madd(x, V(K::kLog2E), V(K::kMagic));
  const V s = from_bits<Arch, T>(bits_of<typename K::Int, Arch, T>(n) << K::kMantissaBits);
  n = n - V(K::kMagic);
  return exp_polynomial<Arch>(n, x, s);
}

template <class Arch, class T>
void exp_array(const T* x, T* y, std::size_t count) {
  std::size_t i = 0;
  for (; i + kLanes<Arch, T> <= count; i += kLanes<Arch, T>) {
    store<Arch>(y + i, exp_negative<Arch, T>(load<Arch>(x + i), ExpConstants<T>::kUnderflow));
  }
  if (i == count) return;
  alignas(64) T lanes[kLanes<Arch, T>];
  store<Arch>(lanes, exp_negative<Arch, T>(Arch::load_partial(x + i, count - i), ExpConstants<T>::kUnderflow));
  for (std::size_t j = 0; i + j < count; ++j) y[i + j] = lanes[j];
}

}  // namespace
}  // namespace lanemax

#endif
