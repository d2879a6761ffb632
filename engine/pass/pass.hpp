// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_PASS_HPP
#define LANEMAX_ENGINE_PASS_PASS_HPP

#include <lanemax/objective.hpp>
#include <lanemax/train_step.hpp>

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"
#include "engine/pass/row_source.hpp"
#include "engine/workspace.hpp"

#include <atomic>

namespace lanemax {

/// What a pass is asked to produce beyond the loss.
struct PassNeeds {
  bool gradient = false;
  bool convert = true;        ///< rows may have to be loaded into a buffer
  bool targets = true;        ///< target probabilities are given
  bool probabilities = true;  ///< the matrix of probabilities is wanted
  bool penalty = true;        ///< LossResult::objective is to include the penalty
  bool only_update = false;   ///< the gradient is wanted for an update only: it need not be whole in memory
};

/// How a pass over N rows is cut up: a function of (T, N, D, C) only, never of threads or caches, because the cuts fix
/// the order of every sum.
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
  std::size_t tile_features = 0;  ///< a multiple of 16
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
  [[nodiscard]] std::size_t tile_parameters() const noexcept { return tile_features * tile_panels * kPanel; }
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

/// What a part of a block adds up to.
struct PartSums {
  double loss = 0;
  double weight = 0;
  std::uint32_t rows = 0;
};

/// Scratch memory of a pass, laid out in the caller's workspace.
template <class T>
struct PassMemory {
  static constexpr int kMostThreads = 1024;
  PassPlan plan;
  int threads = 1;
  bool fused = false;  ///< the update is fused into the gradient's tiles
  // for the blocks in flight: one per thread, or a group
  T* values = nullptr;
  T* dlogits = nullptr;
  std::size_t value_stride = 0;
  std::int32_t* labels = nullptr;
  T* row_weights = nullptr;
  T* losses = nullptr;
  std::uint32_t* rows = nullptr;
  std::uint32_t* positions = nullptr;
  // one per thread
  T* targets = nullptr;
  T* probabilities = nullptr;
  T* tile_gradients = nullptr;
  // one per part of a block of the batch
  PartSums* part_sums = nullptr;
  // one per slot: weights, then bias; the first ends up as the gradient. Fused: of the bias alone.
  T* gradient = nullptr;

  void lay_out(Arena& arena, const PassPlan& the_plan, int thread_count, const PassNeeds& needs) noexcept;
};

/// What a pass works on. Weights and bias are in the engine's layout.
template <class T>
struct PassInput {
  const KernelTable* table = nullptr;
  const Objective* objective = nullptr;
  const Batch* batch = nullptr;
  const T* weights = nullptr;
  const T* bias = nullptr;
  double total_weight = 0;  ///< S, > 0
};

/// Optional outputs, written as blocks are done. The caller makes sure first that the pass will succeed.
template <class T>
struct PassOutputs {
  LossOutputs<T> loss;
  MatrixView<T> dfeatures;
};

/// The optimiser step at the end of a pass; none if `state` is null.
template <class T>
struct PassUpdate {
  TrainState<T>* state = nullptr;
  StepOptions options;
};

/// Runs one pass: engine/train_step.cpp. On success the gradient of the objective (if needed) is at memory.gradient. A
/// loss or gradient that is not finite gives StatusCode::overflow, and nothing is updated.
template <class T>
[[nodiscard]] Status run_pass(const PassInput<T>& input, const PassMemory<T>& memory, const PassNeeds& needs,
                              const PassOutputs<T>& outputs, const PassUpdate<T>& update, LossResult& result) noexcept;

/// Sum of squares of the weights, in double, in one fixed order.
template <class T>
[[nodiscard]] double squared_norm(const T* weights, std::size_t count) noexcept;

/// Of a problem: what check_problem() counts.
struct ProblemSize {
  std::size_t rows = 0;  ///< that take part
  double total_weight = 0;
};
/// Centres are finite; factors too, and neither 0 nor subnormal, so that there is a way back.
[[nodiscard]] Status check_scaling(const FeatureScaling& scaling, std::size_t features) noexcept;
/// Everything a pass takes for granted about its objective and batch, the values of the features excepted.
[[nodiscard]] Status check_problem(const Objective& objective, const Batch& batch, std::size_t features,
                                   std::size_t classes, ProblemSize& size) noexcept;
/// The first NaN or infinity of the features that a pass would read, as a status; ok if there is none.
[[nodiscard]] Status find_bad_feature(const Batch& batch, std::int32_t ignored_label) noexcept;

/// Into and out of the engine's layout. Weights must be finite, biases finite or -infinity.
template <class T>
[[nodiscard]] Status import_weights(const WeightsView<T>& view, T* weights, T* bias) noexcept;
template <class T>
void export_weights(const T* weights, MatrixView<T> view) noexcept;

}  // namespace lanemax

#endif
