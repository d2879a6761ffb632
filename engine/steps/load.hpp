// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_LOAD_HPP
#define LANEMAX_ENGINE_STEPS_LOAD_HPP

#include "engine/simd/vec.hpp"

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
/// Exact. Subnormal halves go through integers: as subnormal floats they would cost a microcode assist each (73 us for
/// a block of 64 x 784 on AVX2 instead of 4).
inline float value_of(Half v) {
  const std::uint32_t magnitude = v.bits & 0x7fffU;
  const std::uint32_t sign = static_cast<std::uint32_t>(v.bits & 0x8000U) << 16;
  const float subnormal = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
  // Masks, not conditions: with those g++ 12 would not vectorise. Infinity and NaN get their exponent by the second
  // sum.
  const std::uint32_t is_normal = 0U - static_cast<std::uint32_t>(magnitude >= 0x0400U);
  const std::uint32_t is_special = 0U - static_cast<std::uint32_t>(magnitude >= 0x7c00U);
  const std::uint32_t normal = (magnitude << 13) + 0x38000000U + (is_special & 0x38000000U);
  const std::uint32_t bits = (is_normal & normal) | (~is_normal & __builtin_bit_cast(std::uint32_t, subnormal));
  return __builtin_bit_cast(float, bits | sign);
}

// Shuffled rows come from anywhere in memory, where nothing foresees the next: each is asked for some rows earlier (an
// epoch of 60000 x 784 x 10 in batches of 256: 34 ms instead of 49). Always inline:
// g++ takes a function that only asks for one without effects, and drops the call.
template <class T, class Source>
[[gnu::always_inline]] inline void read_row_ahead(const LoadArgs<T>& args, std::size_t r, const Source* data) {
  constexpr std::size_t kAhead = 4;
  if (r + kAhead >= args.count || args.rows[r + kAhead] == args.rows[r] + kAhead) return;
  const char* row = reinterpret_cast<const char*>(data + args.rows[r + kAhead] * args.stride);
  for (std::size_t byte = 0; byte < args.features * sizeof(Source); byte += 64) __builtin_prefetch(row + byte, 0, 2);
}

// Features are centred a run at a time, so that their centres are made floats once per block and not once per row.
constexpr std::size_t kRun = 512;

// The difference of two floats is the same whether it is rounded at once or by way of f64, which has more than twice
// their digits (Figueroa, 1995). So where sources and centres are floats, f32 arithmetic will do: 6 us for a block of
// 64 x 784 bytes on AVX2 instead of 18.
inline bool are_floats(const double* centre, std::size_t count, float* floats) {
  bool all = true;
  for (std::size_t d = 0; d < count; ++d) {
    floats[d] = static_cast<float>(centre[d]);
    all &= static_cast<double>(floats[d]) == centre[d];
  }
  return all;
}

// Calls use(in, out, d, end, centres) for every row and run of features [d, end): `centres` as floats, from feature d
// on, or null where f32 arithmetic will not do.
template <class T, class Source, class Use>
void for_each_run(const LoadArgs<T>& args, const Source* data, const Use& use) {
  alignas(64) float floats[kRun];
  const std::size_t run = args.centre == nullptr ? args.features : kRun;
  for (std::size_t d = 0; d < args.features; d += run) {
    const std::size_t end = args.features - d < run ? args.features : d + run;
    const bool narrow = args.centre != nullptr && sizeof(T) == sizeof(float) && sizeof(Source) < sizeof(double) &&
                        are_floats(args.centre + d, end - d, floats);
    for (std::size_t r = 0; r < args.count; ++r) {
      if (d == 0) read_row_ahead(args, r, data);
      use(data + args.rows[r] * args.stride, args.out + r * args.out_stride, d, end, narrow ? floats : nullptr);
    }
  }
}

template <class T, class Source>
void load_from(const LoadArgs<T>& args) {
  const auto factor = [&args](std::size_t d) { return args.factor == nullptr ? T(1) : static_cast<T>(args.factor[d]); };
  const auto convert = [&](const Source* in, T* out, std::size_t begin, std::size_t end, const float* centres) {
    if (args.centre == nullptr && args.factor == nullptr) {
      for (std::size_t d = begin; d < end; ++d) out[d] = static_cast<T>(value_of(in[d]));
    } else if (args.centre == nullptr) {
      for (std::size_t d = begin; d < end; ++d) out[d] = static_cast<T>(value_of(in[d])) * factor(d);
    } else if (centres != nullptr) {
      for (std::size_t d = begin; d < end; ++d) {
        out[d] = (static_cast<T>(value_of(in[d])) - static_cast<T>(centres[d - begin])) * factor(d);
      }
    } else {
      for (std::size_t d = begin; d < end; ++d) {
        out[d] = static_cast<T>(static_cast<double>(value_of(in[d])) - args.centre[d]) * factor(d);
      }
    }
  };
  for_each_run(args, static_cast<const Source*>(args.data), convert);
}

// The same expression by way of the variant's own conversion: 3 us for a block of 64 x 784 on AVX-512 instead of 8.
template <class Arch>
void load_halves(const LoadArgs<float>& args) {
  using V = Vec<Arch, float>;
  constexpr std::size_t kL = kLanes<Arch, float>;
  const auto convert = [&](const std::uint16_t* in, float* out, std::size_t d, std::size_t end, const float* centres) {
    const std::size_t begin = d, whole = args.centre == nullptr || centres != nullptr ? (end - d) / kL * kL : 0;
    for (; d < begin + whole; d += kL) {
      V v = Arch::widen_halves(in + d);
      if (centres != nullptr) v = v - load<Arch>(centres + (d - begin));
      if (args.factor != nullptr) v = v * load<Arch>(args.factor + d);
      store<Arch>(out + d, v);
    }
    for (; d < end; ++d) {
      float value = value_of(Half{in[d]});
      if (args.centre != nullptr) value = static_cast<float>(static_cast<double>(value) - args.centre[d]);
      out[d] = args.factor == nullptr ? value : value * args.factor[d];
    }
  };
  for_each_run(args, static_cast<const std::uint16_t*>(args.data), convert);
}

template <class Arch, class T>
void load_rows(const LoadArgs<T>& args) {
  if constexpr (sizeof(T) == sizeof(float) && requires(const std::uint16_t* p) { Arch::widen_halves(p); }) {
    if (args.type == FeatureType::f16) return load_halves<Arch>(args);
  }
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
