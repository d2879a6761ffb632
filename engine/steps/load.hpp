// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_LOAD_HPP
#define LANEMAX_ENGINE_STEPS_LOAD_HPP

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {
namespace {

// Step 0, where rows cannot be used as they lie: gathered, converted and scaled into a block buffer in cache, one fixed
// expression for every source type, so that equal values give equal bits whatever they were stored as. Plain loops: the
// compiler vectorises them with the variant's instructions.

struct Half {
  std::uint16_t bits;
};
struct BrainFloat {
  std::uint16_t bits;
};

inline float value_of(float v) {
  return v;
}
inline double value_of(double v) {
  return v;
}
inline float value_of(std::uint8_t v) {
  return static_cast<float>(v);
}
inline float value_of(BrainFloat v) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(v.bits) << 16);
}
/// Exact, subnormals included: the bits are placed where a float 2^112 times smaller has them, then scaled back.
inline float value_of(Half v) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(v.bits & 0x7fffU) << 13;
  const std::uint32_t sign = static_cast<std::uint32_t>(v.bits & 0x8000U) << 16;
  const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112f;
  const std::uint32_t special = magnitude | 0x7f800000U;  // infinity and NaN keep their payload
  const std::uint32_t bits = magnitude >= 0x0f800000U ? special : __builtin_bit_cast(std::uint32_t, scaled);
  return __builtin_bit_cast(float, bits | sign);
}

template <class T, class Source>
void load_from(const LoadArgs<T>& args) {
  const Source* data = static_cast<const Source*>(args.data);
  for (std::size_t r = 0; r < args.count; ++r) {
    const Source* in = data + args.rows[r] * args.stride;
    T* out = args.out + r * args.out_stride;
    if (args.centre == nullptr && args.factor == nullptr) {
      for (std::size_t d = 0; d < args.features; ++d) out[d] = static_cast<T>(value_of(in[d]));
    } else if (args.centre == nullptr) {
      for (std::size_t d = 0; d < args.features; ++d) {
        out[d] = static_cast<T>(value_of(in[d])) * static_cast<T>(args.factor[d]);
      }
    } else {
      for (std::size_t d = 0; d < args.features; ++d) {
        const T factor = args.factor == nullptr ? T(1) : static_cast<T>(args.factor[d]);
        out[d] = (static_cast<T>(value_of(in[d])) - static_cast<T>(args.centre[d])) * factor;
      }
    }
  }
}

template <class T>
void load_rows(const LoadArgs<T>& args) {
  switch (args.type) {
    case FeatureType::f32: return load_from<T, float>(args);
    case FeatureType::f64: return load_from<T, double>(args);
    case FeatureType::u8: return load_from<T, std::uint8_t>(args);
    case FeatureType::f16: return load_from<T, Half>(args);
    case FeatureType::bf16: return load_from<T, BrainFloat>(args);
  }
}

}  // namespace
}  // namespace lanemax

#endif
