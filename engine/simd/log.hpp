// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_SIMD_LOG_HPP
#define LANEMAX_ENGINE_SIMD_LOG_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// log(1 + r) for r >= 0, accurate for the smallest r too: the loss of a well-classified sample is log1p of a tiny
// number. 1 + r = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); what the sum 1 + r rounded away comes back as a
// correction. log(1 + f) = f - f^2/2 + s (f^2/2 + z Q(z)), s = f / (2 + f), z = s^2. Error of Q: 3e-4 ulp of the result
// (f32, 4 terms), 3e-4 ulp (f64, 8 terms). The result: below 1 ulp (tests/log_test.cpp). NaN and +infinity stay what
// they are.
template <class T>
struct LogConstants;

template <>
struct LogConstants<float> {
  using Unsigned = std::uint32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr Unsigned kSqrtHalf = 0x3f3504f3;  // bits of sqrt(1/2)
  static constexpr Unsigned kMantissa = 0x007fffff;
  static constexpr Unsigned kExponentMagic = 0x4b000000;  // bits of 2^23
  static constexpr float kExponentOffset = 0x1p23f;
  static constexpr float kLn2High = 0x1.62e300p-1f, kLn2Low = 0x1.2fefa2p-17f;
  static constexpr float kQ[] = {0x1.ddced8p-3f, 0x1.245c44p-2f, 0x1.9999ecp-2f, 0x1.555556p-1f};
};

template <>
struct LogConstants<double> {
  using Unsigned = std::uint64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr Unsigned kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr Unsigned kMantissa = 0x000fffffffffffff;
  static constexpr Unsigned kExponentMagic = 0x4330000000000000;  // bits of 2^52
  static constexpr double kExponentOffset = 0x1p52;
  static constexpr double kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kQ[] = {0x1.0c039c49989c6p-3, 0x1.0fbe95d716020p-3, 0x1.3b1c355a8f7a2p-3,
                                  0x1.745cf9048dd95p-3, 0x1.c71c720159177p-3, 0x1.2492492476cccp-2,
                                  0x1.9999999999a38p-2, 0x1.5555555555555p-1};
};

template <class Arch, class T>
inline Vec<Arch, T> log1p_positive(Vec<Arch, T> r) {
  using V = Vec<Arch, T>;
  using K = LogConstants<T>;
  using Unsigned = typename K::Unsigned;
  using U = xsimd::batch<Unsigned, typename Arch::Simd>;
  constexpr Unsigned kOne = Unsigned(sizeof(T) == 4 ? 127 : 1023) << K::kMantissaBits;

  const V u = V(T(1)) + r;
  // Adding (1 - sqrt(1/2)) in bits moves the exponent's boundary from 1 to sqrt(1/2); k >= 0 because u >= 1.
  const U biased = bits_of<Unsigned, Arch, T>(u) + U(kOne - K::kSqrtHalf);
  const U exponent = (biased - U(kOne)) >> K::kMantissaBits;
  const V k = from_bits<Arch, T>(exponent | U(K::kExponentMagic)) - V(K::kExponentOffset);
  const V m = from_bits<Arch, T>((biased & U(K::kMantissa)) + U(K::kSqrtHalf));
  // k = 0: f = r exactly, no correction. Else the part of 1 + r that u lost, relative to u.
  const auto small = k == V(T(0));
  const V f = xsimd::select(small, r, m - V(T(1)));
  const V lost = xsimd::select(r < V(T(1)), r - (u - V(T(1))), V(T(1)) - (u - r));
  const V correction = xsimd::select(small, V(T(0)), lost / u);

  const V s = f / (V(T(2)) + f);
  const V z = s * s;
  V q = V(K::kQ[0]);
#pragma GCC unroll 16
  for (std::size_t i = 1; i < sizeof(K::kQ) / sizeof(T); ++i) q = Arch::madd(q, z, V(K::kQ[i]));
  const V half_square = V(T(0.5)) * f * f;
  const V tail = Arch::madd(s, Arch::madd(z, q, half_square), Arch::madd(k, V(K::kLn2Low), correction));
  const V result = Arch::madd(k, V(K::kLn2High), f - (half_square - tail));
  return xsimd::select(r < V(kInfinity<T>), result, r);
}

template <class Arch, class T>
void log1p_array(const T* x, T* y, std::size_t count) {
  std::size_t i = 0;
  for (; i + kLanes<Arch, T> <= count; i += kLanes<Arch, T>) {
    store<Arch>(y + i, log1p_positive<Arch, T>(load<Arch>(x + i)));
  }
  if (i == count) return;
  alignas(64) T lanes[kLanes<Arch, T>];
  store<Arch>(lanes, log1p_positive<Arch, T>(Arch::load_partial(x + i, count - i)));
  for (std::size_t j = 0; i + j < count; ++j) y[i + j] = lanes[j];
}

}  // namespace
}  // namespace lanemax

#endif
