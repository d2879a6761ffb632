// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_ISA_SCHEDULES_HPP
#define LANEMAX_ENGINE_ISA_SCHEDULES_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/tiny_blocks.hpp"

namespace lanemax {
namespace {

// What may differ by machine, because it touches no bits: in which pieces the products go through their operands, and
// what they ask memory for. Every variant is compiled with each of these pages; which one runs is chosen by
// engine/dispatch/schedule.cpp, and results are the same (tests/same_bits_test.cpp).
//
// kPacksGradient  the gradient copies strips of X to L1; otherwise it reads X where it lies
// kGradientDepth  rows of X at once, where they lie
// kStripBytes     of L1: a strip and the columns of B that a tile reads
// kLogitDepth     features at once
// kLogitsAhead    eighths of the next block's rows that the logits of few classes ask for; the gradient for the rest

// A processor that can take a line from L2 at every step of a tile, and gets what has left L2 from L3 soon: Zen 4 and 5
// with AVX-512 (4096 x 768 x 1000: 93.5 % of peak, with 192 rows at once 92.1; strips are 3 to 12 % slower there, and
// so is a share of the read-ahead for the logits).
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

// L1 of 48 KB and more. What a k step reads of B, 256 bytes in AVX-512's tiles, then fits beside the strip: on an Intel
// server (L2 of 2 MB, rows of 8 KB, gradient of 2048^3) blocks of K of 96 and 128 took 105 to 115 ms in place, of 192
// 119 to 141, of 384 147 to 240, strips of 192 rows 115 to 124. Strips of 88 rows, which these bytes make, were not run
// there.
struct Packed48K : Packed32K {
  static constexpr KernelSchedule kSchedule = KernelSchedule::packed_48k;
  static constexpr std::size_t kStripBytes = kTinyBlocks ? 0 : 32 * 1024;
};

}  // namespace
}  // namespace lanemax

#endif
