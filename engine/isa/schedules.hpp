// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_ISA_SCHEDULES_HPP
#define LANEMAX_ENGINE_ISA_SCHEDULES_HPP

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {
namespace {

// What may differ by machine, because it touches no bits: in which pieces the panel form of the products goes through
// its operands. Every variant is compiled with each of these pages; which one runs is chosen by
// engine/dispatch/schedule.cpp, and results are the same (tests/schedule_test.cpp).
//
// kPacksGradient  the gradient copies strips of X to L1; otherwise it reads X where it lies
// kGradientDepth  rows of X at once, where they lie
// kStripBytes     of L1: a strip and the columns of B that a tile reads
// kLogitDepth     features at once
// kLogitsAhead    eighths of the next block's rows that the logits of few classes ask for, the gradient asks for the
// rest

#ifdef LANEMAX_TINY_BLOCKS
inline constexpr bool kTinyBlocks = true;
#else
inline constexpr bool kTinyBlocks = false;
#endif

// A processor that can take a line from L2 at every step of a tile: Zen 4 and 5 with AVX-512 (4096 x 768 x 1000: 93.5 %
// of peak, with 192 rows at once 92.1; strips are 3 to 12 % slower there).
struct InPlace {
  static constexpr KernelSchedule kSchedule = KernelSchedule::in_place;
  static constexpr bool kPacksGradient = false;
  static constexpr std::size_t kGradientDepth = kTinyBlocks ? 4 : 384;
  static constexpr std::size_t kStripBytes = kTinyBlocks ? 0 : 20 * 1024;
  static constexpr std::size_t kLogitDepth = kTinyBlocks ? 4 : 1024;
  static constexpr std::size_t kLogitsAhead = 0;
};

// L1 of 32 KB. Zen 3, AVX2, 4096 x 768 x 1000: strips of 128 rows.
struct Packed32K : InPlace {
  static constexpr KernelSchedule kSchedule = KernelSchedule::packed_32k;
  static constexpr bool kPacksGradient = true;
  // Zen 3, 60000 x 784 x 10, against 0 on one | two threads: 2 eighths 0.93 | 0.95, 4: 0.84 | 0.86, 6: 0.76 | 0.83, 8:
  // 0.83 | 0.86 of the time; 784 x 12: 0.88 | 0.89, 0.87 | 0.86, 0.89 | 0.87. The gradient alone cannot have so many
  // lines under way as memory's latency asks for.
  static constexpr std::size_t kLogitsAhead = 5;
};

// L1 of 48 KB and more.
struct Packed48K : Packed32K {
  static constexpr KernelSchedule kSchedule = KernelSchedule::packed_48k;
  static constexpr std::size_t kStripBytes = kTinyBlocks ? 0 : 32 * 1024;
};

}  // namespace
}  // namespace lanemax

#endif
