// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif
#include <sleef.h>

namespace lanemax::bench {
namespace {

// The widest vectors this file is compiled for.
#if defined(__AVX512F__)
struct Vector {
  using Float = __m512;
  static Float set(float v) { return _mm512_set1_ps(v); }
  static Float load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Float v) { _mm512_storeu_ps(p, v); }
  static __mmask16 first(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
  static Float load_some(const float* p, std::size_t n, float rest) {
    return _mm512_mask_loadu_ps(set(rest), first(n), p);
  }
  static void store_some(float* p, Float v, std::size_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static float lane_max(Float v) { return _mm512_reduce_max_ps(v); }
  static float lane_sum(Float v) { return _mm512_reduce_add_ps(v); }
  static Float exp(Float v) { return Sleef_expf16_u10avx512f(v); }
  static Float log(Float v) { return Sleef_logf16_u10avx512f(v); }
  static Float log1p(Float v) { return Sleef_log1pf16_u10avx512f(v); }
};
#else
template <std::size_t kCount>
struct Lanes {  // what has no instruction of its own
  static float fold_max(const float (&lanes)[kCount]) {
    float best = lanes[0];
    for (std::size_t i = 1; i < kCount; ++i) best = lanes[i] > best ? lanes[i] : best;
    return best;
  }
  static float fold_sum(const float (&lanes)[kCount]) {
    float sum = lanes[0];
    for (std::size_t i = 1; i < kCount; ++i) sum += lanes[i];
    return sum;
  }
};
#if defined(__AVX2__)
struct Native {
  using Float = __m256;
  static constexpr std::size_t kCount = 8;
  static Float set(float v) { return _mm256_set1_ps(v); }
  static Float load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Float v) { _mm256_storeu_ps(p, v); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float exp(Float v) { return Sleef_expf8_u10avx2(v); }
  static Float log(Float v) { return Sleef_logf8_u10avx2(v); }
  static Float log1p(Float v) { return Sleef_log1pf8_u10avx2(v); }
};
#elif defined(__x86_64__)
struct Native {
  using Float = __m128;
  static constexpr std::size_t kCount = 4;
  static Float set(float v) { return _mm_set1_ps(v); }
  static Float load(const float* p) { return _mm_loadu_ps(p); }
  static void store(float* p, Float v) { _mm_storeu_ps(p, v); }
  static Float max(Float a, Float b) { return _mm_max_ps(a, b); }
  static Float exp(Float v) { return Sleef_expf4_u10sse2(v); }
  static Float log(Float v) { return Sleef_logf4_u10sse2(v); }
  static Float log1p(Float v) { return Sleef_log1pf4_u10sse2(v); }
};
#else
struct Native {
  using Float = float32x4_t;
  static constexpr std::size_t kCount = 4;
  static Float set(float v) { return vdupq_n_f32(v); }
  static Float load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, Float v) { vst1q_f32(p, v); }
  static Float max(Float a, Float b) { return vmaxq_f32(a, b); }
  static Float exp(Float v) { return Sleef_expf4_u10(v); }
  static Float log(Float v) { return Sleef_logf4_u10(v); }
  static Float log1p(Float v) { return Sleef_log1pf4_u10(v); }
};
#endif
struct Vector : Native {
  static Float load_some(const float* p, std::size_t n, float rest) {
    float lanes[kCount];
    for (std::size_t i = 0; i < kCount; ++i) lanes[i] = i < n ? p[i] : rest;
    return load(lanes);
  }
  static void store_some(float* p, Float v, std::size_t n) {
    float lanes[kCount];
    store(lanes, v);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static float lane_max(Float v) {
    float lanes[kCount];
    store(lanes, v);
    return Lanes<kCount>::fold_max(lanes);
  }
  static float lane_sum(Float v) {
    float lanes[kCount];
    store(lanes, v);
    return Lanes<kCount>::fold_sum(lanes);
  }
};
#endif
using Float = Vector::Float;
constexpr std::size_t kCount = sizeof(Float) / sizeof(float);
constexpr float kLowest = -__FLT_MAX__;

void softmax_loss(float* logits, std::size_t rows, std::size_t classes, const std::int32_t* labels, float* losses) {
  const std::size_t whole = classes / kCount * kCount, rest = classes - whole;
  for (std::size_t n0 = 0; n0 < rows; n0 += kCount) {
    const std::size_t count = rows - n0 < kCount ? rows - n0 : kCount;
    float sums[kCount], distances[kCount];
    for (std::size_t i = 0; i < kCount; ++i) sums[i] = 1.0f;
    for (std::size_t i = 0; i < count; ++i) {
      float* z = logits + (n0 + i) * classes;
      const auto label = static_cast<std::size_t>(labels[n0 + i]);
      Float max = Vector::load_some(z + whole, rest, kLowest);
      for (std::size_t c = 0; c < whole; c += kCount) max = Vector::max(max, Vector::load(z + c));
      const float row_max = Vector::lane_max(max);
      distances[i] = row_max - z[label];

      max = Vector::set(row_max);
      Float sum = Vector::set(0.0f);
      for (std::size_t c = 0; c < whole; c += kCount) {
        const Float e = Vector::exp(Vector::load(z + c) - max);
        Vector::store(z + c, e);
        sum = sum + e;
      }
      if (rest != 0) {  // what is missing has a logit far below the others, whose exponential is 0
        const Float e = Vector::exp(Vector::load_some(z + whole, rest, -1e6f) - max);
        Vector::store_some(z + whole, e, rest);
        sum = sum + e;
      }
      sums[i] = Vector::lane_sum(sum);

      const Float inverse = Vector::set(1.0f / sums[i]);
      for (std::size_t c = 0; c < whole; c += kCount) Vector::store(z + c, Vector::load(z + c) * inverse);
      if (rest != 0) Vector::store_some(z + whole, Vector::load_some(z + whole, rest, 0.0f) * inverse, rest);
      z[label] -= 1.0f;
    }
    float logs[kCount];
    Vector::store(logs, Vector::log(Vector::load(sums)));
    for (std::size_t i = 0; i < count; ++i) losses[n0 + i] = logs[i] + distances[i];
  }
}

template <Float (*kFunction)(Float)>
void map(const float* x, float* y, std::size_t count) {
  std::size_t i = 0;
  for (; i + kCount <= count; i += kCount) Vector::store(y + i, kFunction(Vector::load(x + i)));
  if (i < count) Vector::store_some(y + i, kFunction(Vector::load_some(x + i, count - i, 0.0f)), count - i);
}

}  // namespace

#define LANEMAX_BENCH_TEXT(token) #token
#define LANEMAX_BENCH_VERSION(a, b, c) LANEMAX_BENCH_TEXT(a) "." LANEMAX_BENCH_TEXT(b) "." LANEMAX_BENCH_TEXT(c)
FunctionPeer sleef_peer() {
  static constexpr const char* kVersion =
      LANEMAX_BENCH_VERSION(SLEEF_VERSION_MAJOR, SLEEF_VERSION_MINOR, SLEEF_VERSION_PATCHLEVEL);
  return {"sleef", kVersion, nullptr, softmax_loss, map<Vector::exp>, map<Vector::log1p>};
}

}  // namespace lanemax::bench
