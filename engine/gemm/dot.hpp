// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_DOT_HPP
#define LANEMAX_ENGINE_GEMM_DOT_HPP

#include "engine/gemm/class_groups.hpp"
#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The dot form of the logits (class-major W): lanes over features, one vector accumulator per logit, so that no
// lane is wasted on classes that do not exist (C = 10 in panels of 16 would waste 6 of 16).
//
// Limit: the multiply-add units while the block is in L2, else the memory bus. A tile of MR rows x NC classes does
// MR + NC loads for MR * NC multiply-adds, then MR * NC horizontal sums per row of tiles: about 3 shuffles each. Full
// tiles ask for a row of the next block, if one is left for them.
template <class Arch, class T, std::size_t MR, std::size_t NC, bool kSlice = false>
[[gnu::noinline]] void dot_tile(const LogitsArgs<T>& args, std::size_t row, std::size_t first_class,
                                const char* ahead = nullptr) {
  static_assert(!kSlice || MR == 1, "sums lie row by row");
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  const std::size_t w_stride = round_up(kSlice ? args.slice->all : args.features, kPanel);
  const std::size_t x_stride = args.x.stride;
  const T* x = args.x.data + row * x_stride;
  const T* w = args.weights + first_class * w_stride + (kSlice ? args.slice->first : 0);

  // Accumulator of (row m, class c) at [c * MR + m], so that four neighbours are summed at a time.
  constexpr std::size_t kCount = MR * NC;
  V acc[kCount];
#pragma GCC unroll 32
  for (std::size_t t = 0; t < kCount; ++t) acc[t] = V(T(0));
  T* kept = kSlice ? args.slice->sums + (row * args.classes + first_class) * kPanel : nullptr;
  if (kSlice && args.slice->first > 0) {
#pragma GCC unroll 32
    for (std::size_t t = 0; t < kCount; ++t) acc[t] = load_aligned<Arch>(static_cast<const T*>(kept + t * kPanel));
  }

  // Four classes share a pointer, and all rows: one each would not fit the integer registers.
  constexpr std::size_t kPointers = (NC + 3) / 4;
  const T* four[kPointers];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kPointers; ++i) four[i] = w + 4 * i * w_stride;
  const auto step = [&](const V(&xv)[MR]) __attribute__((always_inline)) {
#pragma GCC unroll 32
    for (std::size_t c = 0; c < NC; ++c) {
      const V wv = load_aligned<Arch>(four[c / 4] + c % 4 * w_stride);
#pragma GCC unroll 32
      for (std::size_t m = 0; m < MR; ++m) acc[c * MR + m] = Arch::madd(xv[m], wv, acc[c * MR + m]);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPointers; ++i) four[i] += kL;
  };
  std::size_t left = args.features;
  for (; left >= kL; left -= kL, x += kL) {
    if (MR > 1 && ahead != nullptr) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += kL * args.ahead->feature_bytes;
    }
    V xv[MR];
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) xv[m] = load<Arch>(x + m * x_stride);
    step(xv);
  }
  if (left > 0) {
    V xv[MR];
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) xv[m] = Arch::load_partial(x + m * x_stride, left);
    step(xv);
  }
  if (kSlice && args.slice->first + args.features < args.slice->all) {
#pragma GCC unroll 32
    for (std::size_t t = 0; t < kCount; ++t) store<Arch>(kept + t * kPanel, acc[t]);
    return;
  }

  constexpr std::size_t kGroups = (kCount + 3) / 4;
  alignas(64) T sums[kGroups * 4];
#pragma GCC unroll 32
  for (std::size_t t = 0; t < kGroups * 4; t += 4) {
    constexpr std::size_t kLast = kCount - 1;
    Arch::store_sums(acc[t], acc[smaller(t + 1, kLast)], acc[smaller(t + 2, kLast)], acc[smaller(t + 3, kLast)],
                     sums + t);
  }
#pragma GCC unroll 32
  for (std::size_t c = 0; c < NC; ++c) {
    const T bias = args.bias[first_class + c];
    T* z = args.logits + (first_class + c) * args.capacity + row;
#pragma GCC unroll 32
    for (std::size_t m = 0; m < MR; ++m) z[m] = sums[c * MR + m] + bias;
  }
}

template <class Arch, class T>
void dot_logits(const LogitsArgs<T>& args) {
  if (args.slice != nullptr ||
      args.x.count == 1) {  // each multiply-add would wait for the one before in smaller groups
    return for_class_groups<Arch::kDotRowClasses>(args.classes, [&](auto count, std::size_t first_class) {
      constexpr std::size_t NC = decltype(count)::value;
      if (args.slice == nullptr) return dot_tile<Arch, T, 1, NC>(args, 0, first_class);
      for (std::size_t row = 0; row < args.x.count; ++row) dot_tile<Arch, T, 1, NC, true>(args, row, first_class);
    });
  }
  const std::size_t rows_ahead = args.ahead == nullptr ? 0 : args.ahead->rows;
  std::size_t asked = 0;
  for_class_groups<Arch::kDotClasses>(args.classes, [&](auto count, std::size_t first_class) {
    constexpr std::size_t MR = Arch::kDotRows, NC = decltype(count)::value;
    std::size_t row = 0;
    for (; row + MR <= args.x.count; row += MR) {
      // As much of them as has been computed of this block.
      const std::size_t done = first_class * args.x.count + NC * row;
      const bool asks = asked < rows_ahead && asked * args.classes * args.x.count <= rows_ahead * done;
      dot_tile<Arch, T, MR, NC>(args, row, first_class, asks ? args.ahead->row(asked++) : nullptr);
    }
    for (; row < args.x.count; ++row) dot_tile<Arch, T, 1, NC>(args, row, first_class);
  });
}

}  // namespace
}  // namespace lanemax

#endif
