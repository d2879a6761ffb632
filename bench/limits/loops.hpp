// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_LIMITS_LOOPS_HPP
#define LANEMAX_BENCH_LIMITS_LOOPS_HPP

#include <lanemax/isa.hpp>

#include <cstddef>

namespace lanemax::bench {

/// The loops that measure what one variant's instructions can do at best.
struct LimitLoops {
  static constexpr std::size_t kKinds = 3;
  Isa isa;
  /// Arithmetic in registers only, `steps` times; returns the floating-point operations done. The kinds differ in the
  /// number of accumulators.
  double (*arithmetic[kKinds])(std::size_t steps, float factor, float term, float* sink);
  /// Reads `bytes` (a multiple of kReadUnit) from 64-byte aligned memory. The kinds: one stream, one stream with
  /// software prefetch, four streams.
  void (*read[kKinds])(const float* data, std::size_t bytes, float* sink);
};
inline constexpr std::size_t kReadUnit = 4096;

extern const LimitLoops kAvx512Loops;
extern const LimitLoops kAvx2FmaLoops;
extern const LimitLoops kSse2Loops;
extern const LimitLoops kNeonLoops;

namespace {

// V gives: Float, kBytes, set(float), step(Float& acc, Float factor, Float term), kFlops of a step of one accumulator
// (or of a pair: kChains accumulators), store, load, merge (bitwise, so that adding is never the limit of a read loop).

/// Chains of fused multiply-adds. With a factor just off 1 and few steps no accumulator leaves the normal range.
template <class V, std::size_t kAccumulators>
[[gnu::noinline]] double fused_chains(std::size_t steps, float factor, float term, float* sink) {
  const typename V::Float f = V::set(factor), t = V::set(term);
  typename V::Float acc[kAccumulators];
#pragma GCC unroll 32
  for (std::size_t i = 0; i < kAccumulators; ++i) acc[i] = V::set(1.0f + static_cast<float>(i) * 0x1p-10f);
  for (std::size_t s = 0; s < steps; ++s) {
#pragma GCC unroll 32
    for (std::size_t i = 0; i < kAccumulators; ++i) acc[i] = V::fma(acc[i], f, t);
  }
#pragma GCC unroll 32
  for (std::size_t i = 0; i < kAccumulators; ++i) V::store(sink, acc[i]);
  return 2.0 * static_cast<double>(kAccumulators * V::kBytes / sizeof(float)) * static_cast<double>(steps);
}

/// Without fused multiply-add: as many chains of multiplications as of additions, independent of each other.
template <class V, std::size_t kPairs>
[[gnu::noinline]] double mixed_chains(std::size_t steps, float factor, float term, float* sink) {
  const typename V::Float f = V::set(factor), t = V::set(term);
  typename V::Float product[kPairs], sum[kPairs];
#pragma GCC unroll 32
  for (std::size_t i = 0; i < kPairs; ++i) {
    product[i] = V::set(1.0f + static_cast<float>(i) * 0x1p-10f);
    sum[i] = product[i];
  }
  for (std::size_t s = 0; s < steps; ++s) {
#pragma GCC unroll 32
    for (std::size_t i = 0; i < kPairs; ++i) {
      product[i] = V::mul(product[i], f);
      sum[i] = V::add(sum[i], t);
    }
  }
#pragma GCC unroll 32
  for (std::size_t i = 0; i < kPairs; ++i) {
    V::store(sink, product[i]);
    V::store(sink + V::kBytes / sizeof(float), sum[i]);
  }
  return 2.0 * static_cast<double>(kPairs * V::kBytes / sizeof(float)) * static_cast<double>(steps);
}

template <class V, std::size_t kStreams, std::size_t kAhead>
[[gnu::noinline]] void read_streams(const float* data, std::size_t bytes, float* sink) {
  constexpr std::size_t kStep = 512 / kStreams;  // bytes of one stream per round
  constexpr std::size_t kVectors = kStep / V::kBytes;
  const std::size_t stream = bytes / kStreams;
  const char* p = reinterpret_cast<const char*>(data);
  typename V::Float acc[kStreams];
#pragma GCC unroll 8
  for (std::size_t s = 0; s < kStreams; ++s) acc[s] = V::set(0);
  typename V::Float other[kStreams];
#pragma GCC unroll 8
  for (std::size_t s = 0; s < kStreams; ++s) other[s] = V::set(0);
  for (std::size_t at = 0; at < stream; at += kStep) {
#pragma GCC unroll 8
    for (std::size_t s = 0; s < kStreams; ++s) {
      const char* q = p + s * stream + at;
      if constexpr (kAhead != 0) {
#pragma GCC unroll 8
        for (std::size_t line = 0; line < kStep; line += 64) __builtin_prefetch(q + kAhead + line, 0, 3);
      }
#pragma GCC unroll 32
      for (std::size_t v = 0; v < kVectors; v += 2) {
        acc[s] = V::merge(acc[s], V::load(reinterpret_cast<const float*>(q + v * V::kBytes)));
        other[s] = V::merge(other[s], V::load(reinterpret_cast<const float*>(q + (v + 1) * V::kBytes)));
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t s = 0; s < kStreams; ++s) V::store(sink, V::merge(acc[s], other[s]));
}

}  // namespace
}  // namespace lanemax::bench

#endif
