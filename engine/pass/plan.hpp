// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_PLAN_HPP
#define LANEMAX_ENGINE_PASS_PLAN_HPP

#include "engine/layout.hpp"

#include <algorithm>
#include <cstddef>

namespace lanemax {

/// How a pass over N rows is cut up: a function of (T, N, D, C) only, never of threads or caches, because the cuts fix
/// the order of every sum. Tiles do not, and are cut for a number of threads.
///
/// Rows are cut in blocks. With `slots` > 1, blocks are grouped in that many contiguous slots, each summed in row order
/// into a gradient of its own, and the slots are joined by a fixed binary tree. Where private gradients would cost more
/// than about 2 % (few rows, or D x C so large that they leave the cache), there is one gradient whose tiles are owned
/// by threads; blocks then go in groups: logits and loss of a group's blocks, then the gradient tiles over the whole
/// group.
struct PassPlan {
  static constexpr std::size_t kMostGroupBlocks = 64;

  std::size_t rows = 0, features = 0, classes = 0;
  std::size_t block_rows = 0;  ///< a multiple of 16
  std::size_t capacity = 0;    ///< rows that logits have room for: a block's, or (slots == 1) a whole group's
  std::size_t blocks = 0;
  std::size_t slots = 0;          ///< 1: tiles are owned by threads
  std::size_t group_blocks = 0;   ///< slots == 1: blocks whose dlogits are in memory at a time
  std::size_t tile_features = 0;  ///< a multiple of 16; set by cut_tiles()
  std::size_t tile_panels = 0;
  std::size_t part_rows = 0;  ///< a multiple of 16: rows of a block whose loss is one item of work

  /// Parts of a block.
  [[nodiscard]] std::size_t parts() const noexcept { return (block_rows + part_rows - 1) / part_rows; }
  /// Rows that a part's targets and probabilities have room for.
  [[nodiscard]] std::size_t part_capacity() const noexcept {
    return is_class_major(classes) ? part_rows : part_rows + 1;
  }
  /// Panels of W; 1 if it is class-major.
  [[nodiscard]] std::size_t panels() const noexcept { return is_class_major(classes) ? 1 : panel_count(classes); }
  /// Tiles of the gradient: feature_tiles() side by side.
  [[nodiscard]] std::size_t feature_tiles() const noexcept { return (features + tile_features - 1) / tile_features; }
  [[nodiscard]] std::size_t tiles() const noexcept {
    return (panels() + tile_panels - 1) / tile_panels * feature_tiles();
  }
  struct Tile {
    std::size_t feature_begin = 0, feature_end = 0;
    std::size_t panel_begin = 0, panel_end = 0;
    [[nodiscard]] std::size_t features() const noexcept { return feature_end - feature_begin; }
    [[nodiscard]] std::size_t panels() const noexcept { return panel_end - panel_begin; }
  };
  [[nodiscard]] Tile tile_at(std::size_t tile) const noexcept {
    const std::size_t feature = tile % feature_tiles() * tile_features, panel = tile / feature_tiles() * tile_panels;
    return {feature, std::min(feature + tile_features, features), panel, std::min(panel + tile_panels, panels())};
  }
  [[nodiscard]] std::size_t tile_parameters() const noexcept { return tile_features * tile_panels * kPanel; }
  /// Cuts the gradient of many classes into tiles for so many threads to share: as large as they can be, because each
  /// reads X and the dlogits from far away (4096 x 768 x 1000 on Zen 3: 6 % faster than in tiles of a quarter).
  void cut_tiles(std::size_t threads) noexcept;
  /// Parameters of a tile for each thread, for any number of them up to this (many classes): fewer have larger tiles.
  [[nodiscard]] std::size_t most_tile_parameters(std::size_t threads) const noexcept;
  /// Whether an update can be fused into the gradient's tiles: all dlogits are in memory at once.
  [[nodiscard]] bool can_fuse_update() const noexcept {
    return slots == 1 && blocks <= group_blocks && !is_class_major(classes);
  }

  /// A run of parameters.
  struct Chunk {
    std::size_t begin = 0;
    std::size_t count = 0;
    bool is_bias = false;
  };
  static constexpr std::size_t kChunk = 2048;
  [[nodiscard]] std::size_t chunks() const noexcept {
    return (weight_count(features, classes) + kChunk - 1) / kChunk + 1;
  }
  /// Weights in pieces that fit L1 beside what they are combined with; the bias is the last piece.
  [[nodiscard]] Chunk chunk_at(std::size_t chunk) const noexcept {
    const std::size_t weights = weight_count(features, classes), begin = chunk * kChunk;
    if (chunk + 1 == chunks()) return {weights, bias_count(classes), true};
    return {begin, weights - begin < kChunk ? weights - begin : kChunk, false};
  }

  [[nodiscard]] std::size_t slot_begin(std::size_t slot) const noexcept { return slot * blocks / slots; }
  [[nodiscard]] std::size_t parameters() const noexcept {
    return weight_count(features, classes) + bias_count(classes);
  }
  [[nodiscard]] double flops(bool gradient) const noexcept {
    return (gradient ? 4.0 : 2.0) * static_cast<double>(rows) * static_cast<double>(features) *
           static_cast<double>(classes);
  }
};
/// Whether problems of this size can be addressed at all; no size computed from them overflows then.
[[nodiscard]] bool sizes_fit(std::size_t rows, std::size_t features, std::size_t classes) noexcept;
template <class T>
[[nodiscard]] PassPlan make_plan(std::size_t rows, std::size_t features, std::size_t classes) noexcept;
/// A block's rows when there are plenty.
template <class T>
[[nodiscard]] std::size_t most_block_rows(std::size_t features, std::size_t classes) noexcept;

/// The most bytes that the plan of any batch of up to `rows` rows takes. Not always the plan of all rows: from some
/// number on, slots need less than a group's dlogits. Calls bytes_of(plan) where a regime ends.
template <class T, class BytesOf>
[[nodiscard]] std::size_t most_bytes(std::size_t rows, std::size_t features, std::size_t classes,
                                     const BytesOf& bytes_of) noexcept {
  std::size_t most = 0;
  const auto consider = [&](std::size_t n) {
    const std::size_t bytes = bytes_of(make_plan<T>(n, features, classes));
    most = bytes > most ? bytes : most;
  };
  const std::size_t block = most_block_rows<T>(features, classes);
  consider(rows);
  if (rows >= block) consider(rows / block * block);
  for (std::size_t n = block; n < rows && n <= PassPlan::kMostGroupBlocks * block; n += block) consider(n);
  for (std::size_t n = 512; n <= rows; n *= 2) consider(n - 1);
  return most;
}

}  // namespace lanemax

#endif
