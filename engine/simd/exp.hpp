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

// Several vectors at a time, stage by stage: one vector's chain of 14 dependent operations would leave the units idle,
// and the core's schedulers do not look far enough ahead to find the next vector's (softmax over 1000 classes: see
// steps/softmax_loss.hpp).
template <std::size_t N, class Stage>
[[gnu::always_inline]] inline void each(const Stage& stage) {
#pragma GCC unroll 16
  for (std::size_t i = 0; i < N; ++i) stage(i);
}

// In: n, the rounded x / ln(2), and s = 2^n; x. Out: exp(x) in x.
template <class Arch, std::size_t N>
inline void exp_polynomial(const Vec<Arch, float> (&n)[N], const Vec<Arch, float> (&s)[N], Vec<Arch, float> (&x)[N]) {
  using V = Vec<Arch, float>;
  constexpr float kC2 = 0x1.fffffcp-2f, kC3 = 0x1.555492p-3f, kC4 = 0x1.5558b0p-5f, kC5 = 0x1.12398cp-7f,
                  kC6 = 0x1.6a4d46p-10f;
  V q[N];
  if constexpr (Arch::kHasFma) {
    each<N>([&](std::size_t i) { x[i] = Arch::madd(n[i], V(-0x1.62E430p-1f), x[i]); });
    each<N>([&](std::size_t i) { x[i] = Arch::madd(n[i], V(0x1.05C61p-29f), x[i]); });
    each<N>([&](std::size_t i) { q[i] = Arch::madd(V(kC6), x[i], V(kC5)); });
    each<N>([&](std::size_t i) { q[i] = Arch::madd(q[i], x[i], V(kC4)); });
    each<N>([&](std::size_t i) { q[i] = Arch::madd(q[i], x[i], V(kC3)); });
    each<N>([&](std::size_t i) { q[i] = Arch::madd(q[i], x[i], V(kC2)); });
    each<N>([&](std::size_t i) { q[i] = Arch::madd(q[i], x[i], V(1.0f)); });
    each<N>([&](std::size_t i) { x[i] = Arch::madd(x[i] * s[i], q[i], s[i]); });
  } else {
    // The high part has trailing zeros, so n * high is exact. The last sum is arranged to round once less.
    each<N>([&](std::size_t i) { x[i] = x[i] - n[i] * V(0x1.62E400p-1f); });
    each<N>([&](std::size_t i) { x[i] = x[i] - n[i] * V(0x1.7F7D1Cp-20f); });
    each<N>([&](std::size_t i) { q[i] = V(kC6) * x[i] + V(kC5); });
    each<N>([&](std::size_t i) { q[i] = q[i] * x[i] + V(kC4); });
    each<N>([&](std::size_t i) { q[i] = q[i] * x[i] + V(kC3); });
    each<N>([&](std::size_t i) { q[i] = q[i] * x[i] + V(kC2); });
    each<N>([&](std::size_t i) { x[i] = s[i] * ((x[i] * x[i]) * q[i] + x[i]) + s[i]; });
  }
}

template <class Arch, std::size_t N>
inline void exp_polynomial(const Vec<Arch, double> (&n)[N], const Vec<Arch, double> (&s)[N],
                           Vec<Arch, double> (&x)[N]) {
  using V = Vec<Arch, double>;
  constexpr double kInverseFactorial[] = {1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
                                          1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
                                          1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        0.5};
  // The high part has 21 trailing zeros, so n * high is exact without fused multiply-add too.
  each<N>([&](std::size_t i) {
    V t = x[i] - n[i] * V(0x1.62e42fee00000p-1);
    t = Arch::madd(n[i], V(-0x1.a39ef35793c76p-33), t);
    V q = V(kInverseFactorial[0]);
#pragma GCC unroll 16
    for (int k = 1; k < 12; ++k) q = Arch::madd(q, t, V(kInverseFactorial[k]));
    x[i] = Arch::madd(s[i], Arch::madd(t * t, q, t), s[i]);
  });
}

/// exp(x) in place of x.
template <class Arch, class T, std::size_t N>
inline void exp_negative(Vec<Arch, T> (&x)[N], T cut) {
  using V = Vec<Arch, T>;
  using K = ExpConstants<T>;
  V n[N], s[N];
  each<N>([&](std::size_t i) { x[i] = xsimd::select(x[i] < V(cut), V(K::kZero), x[i]); });
  each<N>([&](std::size_t i) { n[i] = Arch::madd(x[i], V(K::kLog2E), V(K::kMagic)); });
  each<N>([&](std::size_t i) {
    s[i] = from_bits<Arch, T>(bits_of<typename K::Int, Arch, T>(n[i]) << K::kMantissaBits);
    n[i] = n[i] - V(K::kMagic);
  });
  exp_polynomial<Arch>(n, s, x);
}

template <class Arch, class T>
inline Vec<Arch, T> exp_negative(Vec<Arch, T> x, T cut) {
  Vec<Arch, T> one[1] = {x};
  exp_negative<Arch, T>(one, cut);
  return one[0];
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
