// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_SIMD_VEC_HPP
#define LANEMAX_ENGINE_SIMD_VEC_HPP

// The only include of xsimd. A variant file renames the namespace first (`#define xsimd xsimd_<isa>`): every variant
// then has its own symbols and the linker cannot give one variant another's code.
//
// xsimd is used as a value type: load, store, + - *, comparisons, select, integer shifts. What 8.1 lacks or gets wrong
// on some instruction set (fused multiply-add on AVX-512, square roots on NEON, horizontal sums, masked loads, `!=`,
// rounding) is a static member of the variant's own struct, the `Arch` parameter of every kernel:
//   Simd                         the xsimd architecture
//   madd(a, b, c)                a * b + c, fused where the set has it
//   sqrt(a)                      correctly rounded
//   load_partial(p, n)           n lanes from p, then zeros; reads nothing past p[n-1]; 0 < n < lanes
//   store_sums(a, b, c, d, out)  out[0..3] = sums over the lanes of each, by one fixed tree
//   load_quads(row, at, quad)    lane i of quad[q] = row[i][at + q], q = 0..3 (f32 only)
//   widen_halves(p)              a vector of binary16 as f32, exactly; only where the set has it
#include <xsimd/xsimd.hpp>

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"

namespace lanemax {
namespace {

template <class Arch, class T>
using Vec = xsimd::batch<T, typename Arch::Simd>;

template <class Arch, class T>
inline constexpr std::size_t kLanes = Vec<Arch, T>::size;

// Vectors that hold one row of a 16-class panel.
template <class Arch, class T>
inline constexpr std::size_t kPanelVectors = kPanel / kLanes<Arch, T>;

template <class Arch, class T>
inline Vec<Arch, T> load(const T* p) {
  return Vec<Arch, T>::load_unaligned(p);
}
template <class Arch, class T>
inline void store(T* p, Vec<Arch, T> v) {
  v.store_unaligned(p);
}
/// From a buffer of the engine's own, at a multiple of the vector's size: SSE2 can then take it as an operand in
/// memory.
template <class Arch, class T>
inline Vec<Arch, T> load_aligned(const T* p) {
  return Vec<Arch, T>::load_aligned(p);
}
/// n lanes from p, the rest 0; n may be anything from 1 up.
template <class Arch, class T>
inline Vec<Arch, T> load_up_to(const T* p, std::size_t n) {
  return n >= kLanes<Arch, T> ? load<Arch>(p) : Arch::load_partial(p, n);
}

/// The bits of a vector as integers of the same width, and back.
template <class Int, class Arch, class T>
inline xsimd::batch<Int, typename Arch::Simd> bits_of(Vec<Arch, T> v) {
  static_assert(sizeof(Int) == sizeof(T));
  return __builtin_bit_cast(xsimd::batch<Int, typename Arch::Simd>, v);
}
template <class Arch, class T, class Int>
inline Vec<Arch, T> from_bits(xsimd::batch<Int, typename Arch::Simd> v) {
  return __builtin_bit_cast(Vec<Arch, T>, v);
}

template <class T>
inline constexpr T kInfinity = static_cast<T>(__builtin_huge_valf());

constexpr std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

/// Sum over the lanes, by the tree of store_sums.
template <class Arch, class T>
inline T lane_sum(Vec<Arch, T> v) {
  alignas(64) T sums[4];
  Arch::store_sums(v, v, v, v, sums);
  return sums[0];
}

/// Largest lane. A NaN may be forgotten here; it comes back through exp(NaN - max) in the sum.
template <class Arch, class T>
inline T lane_max(Vec<Arch, T> v) {
  alignas(64) T lanes[kLanes<Arch, T>];
  store<Arch>(lanes, v);
  T largest = lanes[0];
  for (std::size_t i = 1; i < kLanes<Arch, T>; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

}  // namespace
}  // namespace lanemax

#endif
