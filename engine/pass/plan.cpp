// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/plan.hpp"

#include "engine/tiny_blocks.hpp"

#include <algorithm>
#include <bit>

namespace lanemax {
namespace {

// A class-major block's rows: X twice (this block and the one being prefetched) in less than half of L2. Longer blocks
// read and write dW less often: the gradient of 784 x 10, rows in L2, runs at 81, 87 and 89 % of peak with 32, 64 and
// 128 rows.
constexpr std::size_t kBlockBytes = 208 * 1024;
// 2048 x 10: 84 % of peak with 32 rows, 79 with 16 (AVX-512).
constexpr std::size_t kFewestBlockRows = 32;
// Its logits and losses stay in L1.
constexpr std::size_t kBlockLogitBytes = 24 * 1024;
// A panel block's rows: a multiple of every tile's row count (4, 6, 8, 12, 16). W is streamed once per block, which
// takes 2 P / 192 bytes a second.
constexpr std::size_t kPanelBlockRows = 192;
constexpr std::size_t kPanelLogitBytes = 32 * 1024 * 1024;

constexpr std::size_t kMostSlots = 64;
constexpr std::size_t kSlotBytes = 64 * 1024 * 1024;  // of all slots together
constexpr std::size_t kCachedSlotBytes = 4 * 1024 * 1024;
// Writing, adding to and reading a slot's D x C gradient against 4 D C flops per row: under 2 % from this many rows a
// slot, if the slots stay in cache, or if they do not.
constexpr std::size_t kRowsPerCachedSlot = 512;
constexpr std::size_t kRowsPerSlot = 2048;
constexpr std::size_t kFewestLargeSlots = 16;

constexpr std::size_t kPartRows = 64;  // a panel block has 3 parts, for threads to share

constexpr std::size_t kTilesPerThread = 4;
constexpr std::size_t kShortTileRows = 64;  // 8 x 768 x 1000: a step takes 0.84 of the time in tiles that stay in L1

constexpr std::size_t kGroupBytes = 72 * 1024 * 1024;  // dlogits and loaded rows of the blocks of a group
constexpr std::size_t kMostGroupRows = 4096;

std::size_t slot_count(std::size_t rows, std::size_t blocks, std::size_t slot_bytes) {
  const auto power_of_two = [](std::size_t n) { return n == 0 ? 0 : std::bit_floor(n); };
  if (kTinyBlocks) return blocks % 3 == 0 ? 1 : std::min<std::size_t>(power_of_two(blocks), 4);
  std::size_t slots = std::min(kMostSlots, power_of_two(rows / kRowsPerCachedSlot));
  if (slots * slot_bytes > kCachedSlotBytes) {
    slots = std::min({kMostSlots, power_of_two(rows / kRowsPerSlot), power_of_two(kSlotBytes / slot_bytes)});
    if (slots < kFewestLargeSlots) return 1;
  }
  return std::max<std::size_t>(std::min(slots, power_of_two(blocks)), 1);
}

}  // namespace

bool sizes_fit(std::size_t rows, std::size_t features, std::size_t classes) noexcept {
  constexpr std::size_t kMost = std::size_t{1} << 40, kMostClasses = std::size_t{1} << 24,
                        kMostWeights = std::size_t{1} << 46;
  return rows <= kMost && features <= kMost && classes <= kMostClasses &&
         round_up(features, kPanel) <= kMostWeights / bias_count(std::max<std::size_t>(classes, 1));
}

template <class T>
std::size_t most_block_rows(std::size_t features, std::size_t classes) noexcept {
  if (kTinyBlocks) return 16;
  const auto fit = [](std::size_t bytes, std::size_t bytes_per_row, std::size_t most) {
    return std::clamp(bytes / bytes_per_row / 16 * 16, kFewestBlockRows, most);
  };
  if (is_class_major(classes)) {
    return std::min(fit(kBlockBytes, sizeof(T) * features, 512), fit(kBlockLogitBytes, sizeof(T) * classes, 512));
  }
  return fit(kPanelLogitBytes, sizeof(T) * bias_count(classes), kPanelBlockRows);
}

template std::size_t most_block_rows<float>(std::size_t, std::size_t) noexcept;
template std::size_t most_block_rows<double>(std::size_t, std::size_t) noexcept;

void PassPlan::cut_tiles(std::size_t threads) noexcept {
  constexpr std::size_t kEach = kTilesPerThread, kFewestFeatures = 96, kFewestPanels = 4;
  const auto share = [](std::size_t n, std::size_t parts, std::size_t unit) {
    return round_up((n + parts - 1) / parts, unit);
  };
  if (kTinyBlocks || is_class_major(classes)) {
    tile_features =
        kTinyBlocks ? 16 : share(std::max<std::size_t>(features, 1), threads == 1 ? 1 : kEach * threads, 64);
    tile_panels = 1;
    return;
  }
  // A tile of few rows is done with before it is out of L1, where the update finds it.
  const bool is_short = rows <= kShortTileRows;
  const std::size_t most_features = is_short ? kFewestFeatures : 384, most_panels = is_short ? kFewestPanels : 32;
  std::size_t across = (std::max<std::size_t>(features, 1) + most_features - 1) / most_features;
  std::size_t down = (panels() + most_panels - 1) / most_panels;
  for (;;) {
    tile_features = share(features, across, 48);  // whole strips of whole lines
    tile_panels = share(panels(), down, 4);
    const bool wide = tile_features >= 2 * kFewestFeatures, high = tile_panels >= 2 * kFewestPanels;
    if (threads == 1 || tiles() >= kEach * threads || (!wide && !high)) return;
    (wide && (tile_features > tile_panels * kPanel || !high) ? across : down) *= 2;
  }
}

std::size_t PassPlan::most_tile_parameters(std::size_t threads) const noexcept {
  PassPlan plan = *this;
  std::size_t most = 0;
  for (std::size_t fewest = 1; fewest <= threads; ++fewest) {
    plan.cut_tiles(fewest);
    // As far as the cut is the same: until there are too few tiles, or for ever where they cannot be smaller.
    const std::size_t enough = plan.tiles() / kTilesPerThread;
    const std::size_t last = fewest == 1 ? std::max<std::size_t>(enough, 1) : enough >= fewest ? enough : threads;
    fewest = std::min(last, threads);
    most = std::max(most, fewest * plan.tile_parameters());
  }
  return most;
}

template <class T>
PassPlan make_plan(std::size_t rows, std::size_t features, std::size_t classes) noexcept {
  PassPlan plan;
  plan.rows = rows;
  plan.features = features;
  plan.classes = classes;
  // Blocks of equal length, so that threads get equal shares: 256 rows are twice 128, not 192 + 64; 2048 are 12 blocks.
  const std::size_t most_rows = most_block_rows<T>(features, classes);
  std::size_t blocks = std::max<std::size_t>((rows + most_rows - 1) / most_rows, 1);
  if (blocks > 2) blocks = round_up(blocks, 2);
  plan.block_rows = round_up((rows + blocks - 1) / blocks, 16);
  plan.part_rows = std::min(kTinyBlocks ? 16 : kPartRows, plan.block_rows);
  plan.blocks = (rows + plan.block_rows - 1) / plan.block_rows;
  plan.slots = slot_count(rows, plan.blocks, plan.parameters() * sizeof(T));

  const std::size_t row_bytes = (bias_count(classes) + round_up(features, kPanel)) * sizeof(T);
  const std::size_t group_rows = std::min(kGroupBytes / row_bytes, kMostGroupRows);
  plan.group_blocks = std::clamp(group_rows / plan.block_rows, std::size_t{1}, PassPlan::kMostGroupBlocks);
  if (kTinyBlocks) plan.group_blocks = 2;
  plan.group_blocks = std::min(plan.group_blocks, plan.blocks);
  // Some rows more than needed: panels, or classes, a multiple of 4 KB apart would all fall in the same sets of L1.
  // More of them, to spread panels of thousands of rows over L2's sets, made no difference (4096 x 768 x 1000).
  plan.capacity = (plan.slots > 1 ? 1 : plan.group_blocks) * plan.block_rows;
  plan.capacity += !is_class_major(classes) ? 1 : plan.capacity > 512 ? 16 : 0;
  return plan;
}
template PassPlan make_plan<float>(std::size_t, std::size_t, std::size_t) noexcept;
template PassPlan make_plan<double>(std::size_t, std::size_t, std::size_t) noexcept;

}  // namespace lanemax
