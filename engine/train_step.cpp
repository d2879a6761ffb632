// SPDX-License-Identifier: BSD-3-Clause
//
// START HERE. The whole engine is this sentence:
//
//   samples, labels -> logits -> loss -> gradient -> update -> weights
//
// A pass cuts the samples into blocks of rows that stay in cache, so that X comes from memory once, and takes each
// block through the first three steps; then it joins the blocks' gradients and updates the weights. Every step is a
// kernel of the variant in use (engine/steps, engine/gemm); how the rows are cut is in engine/plan.cpp; everything else
// in the library is a faster way to do one of these steps, a way in, or a way out.
#include "engine/fail.hpp"
#include "engine/parallel.hpp"
#include "engine/pass.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

template <class T>
class Pass {
 public:
  Pass(const PassInput<T>& input, const PassMemory<T>& memory, const PassNeeds& needs, const PassOutputs<T>& outputs,
       const PassUpdate<T>& update) noexcept
      : in_(input),
        memory_(memory),
        plan_(memory.plan),
        needs_(needs),
        out_(outputs),
        update_(update),
        kernel_(kernels<T>(*input.table)),
        source_(*input.batch, *input.objective, kernel_),
        form_(logits_form<T>(*input.table, plan_.features, plan_.classes)) {}

  void run(const Team& team) {
    if (plan_.slots > 1) {
      sum_blocks_by_slot(team);
    } else {
      sum_blocks_by_tile(team);
    }
    team.once([&] { add_losses(); });
    if (!needs_.gradient) return;
    join_slots(team);
    finish_gradient(team);
    if (good() && update_.state != nullptr) update_weights(team);
  }

  [[nodiscard]] bool good() const noexcept {
    return std::isfinite(loss_sum_) && gradient_finite_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] double loss_sum() const noexcept { return loss_sum_; }
  [[nodiscard]] std::size_t kept_rows() const noexcept { return kept_rows_; }

 private:
  /// A block of rows on its way through the steps.
  struct Block {
    std::size_t index = 0;
    std::size_t rank = 0;  // of the thread whose scratch the rows' labels and weights are in
    RowBlock<T> x;
    ReadAhead ahead;  // what the products ask for meanwhile
    RowBuffers<T> rows;
    T* dlogits = nullptr;  // logits until the loss has been taken
  };

  // ---- the steps, in order ----

  /// `place` says which of the blocks in flight this is.
  Block load(std::size_t index, std::size_t place, std::size_t rank) {
    const std::size_t rows = plan_.block_rows;
    Block block;
    block.index = index;
    block.rank = rank;
    block.rows.values = memory_.values == nullptr ? nullptr : memory_.values + place * rows * memory_.value_stride;
    block.rows.stride = memory_.value_stride;
    block.rows.labels = memory_.labels + rank * rows;
    block.rows.weights = memory_.row_weights + rank * rows;
    block.rows.rows = memory_.rows + rank * rows;
    block.rows.positions = memory_.positions + rank * rows;
    block.x = source_.load(first_row(index), end_row(index), block.rows);
    block.dlogits = memory_.dlogits + place * logits_size();
    return block;
  }

  /// Z = X W' + b.
  void logits(Block& block) {
    LogitsArgs<T> args;
    args.x = block.x;
    args.features = plan_.features;
    args.classes = plan_.classes;
    args.weights = in_.weights;
    args.bias = in_.bias;
    args.logits = block.dlogits;
    args.capacity = plan_.capacity;
    args.form = form_;
    args.ahead = &block.ahead;
    kernel_.logits(args);
  }

  /// The rows' losses, and dZ in place of Z.
  void loss(const Block& block) {
    LossArgs<T> args;
    args.logits = block.dlogits;
    args.capacity = plan_.capacity;
    args.rows = block.x.count;
    args.classes = plan_.classes;
    args.weights = block.rows.weights;
    args.smoothing = static_cast<T>(in_.objective->label_smoothing);
    args.losses = memory_.losses + block.rank * plan_.block_rows;
    if (in_.batch->labels != nullptr) {
      args.labels = block.rows.labels;
    } else {
      args.targets = lay_out_targets(block);
    }
    if (!out_.loss.probabilities.empty()) args.probabilities = memory_.probabilities + block.rank * logits_size();
    const bool hidden_infinity = in_.objective->loss == Loss::logistic && has_infinite_score(block);
    switch (in_.objective->loss) {
      case Loss::softmax: kernel_.softmax_loss(args); break;
      case Loss::hinge: kernel_.hinge_loss(args); break;
      case Loss::logistic: kernel_.logistic_loss(args); break;
    }

    double sum = hidden_infinity ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    for (std::size_t i = 0; i < block.x.count; ++i) {
      sum += static_cast<double>(args.weights[i]) * static_cast<double>(args.losses[i]);
    }
    memory_.block_loss[block.index] = sum;
    memory_.block_kept[block.index] = static_cast<std::uint32_t>(block.x.count);
    write_outputs(block, args);
  }

  /// Whether a row's only score is -infinity though the model's bias is not: the logistic loss of label 0 is then 0,
  /// and nothing else would tell of the infinity in X.
  [[nodiscard]] bool has_infinite_score(const Block& block) const {
    constexpr T kMasked = -std::numeric_limits<T>::infinity();
    if (in_.bias[0] == kMasked) return false;
    return std::find(block.dlogits, block.dlogits + block.x.count, kMasked) != block.dlogits + block.x.count;
  }

  /// dweights (+)= dlogits' X over one block, for the part of the parameters that `part` names.
  void gradient_part(const Block& block, GradientArgs<T> part, T* gradient, bool accumulate) {
    part.x = block.x;
    part.dlogits = block.dlogits;
    part.capacity = plan_.capacity;
    part.features = plan_.features;
    part.classes = plan_.classes;
    part.dweights = gradient;
    part.accumulate = accumulate;
    kernel_.gradient(part);
  }

  /// dbias (+)= sum of the rows' dlogits.
  void bias_gradient(const Block& block, T* gradient, bool accumulate) {
    BiasGradientArgs<T> args;
    args.dlogits = block.dlogits;
    args.capacity = plan_.capacity;
    args.rows = block.x.count;
    args.classes = plan_.classes;
    args.dbias = gradient + weights_size();
    args.accumulate = accumulate;
    kernel_.bias_gradient(args);
  }

  void update_weights(const Team& team) {
    team.for_each(chunks(), [&](std::size_t chunk) {
      const Chunk c = chunk_at(chunk);
      TrainState<T>& state = *update_.state;
      UpdateArgs<T> args;
      args.weights = c.is_bias ? state.bias_data + (c.begin - weights_size()) : state.weights_data + c.begin;
      args.velocity = state.velocity_data == nullptr ? nullptr : state.velocity_data + c.begin;
      args.gradient = memory_.gradient + c.begin;
      args.count = c.count;
      args.learning_rate = static_cast<T>(update_.options.learning_rate);
      args.momentum = static_cast<T>(update_.options.momentum);
      args.nesterov = update_.options.nesterov;
      kernel_.update(args);
    });
  }

  // ---- which blocks, and into which gradient ----

  void sum_blocks_by_slot(const Team& team) {
    team.for_each(plan_.slots, [&](std::size_t slot) {
      const std::size_t begin = plan_.slot_begin(slot), end = plan_.slot_begin(slot + 1);
      for (std::size_t index = begin; index < end; ++index) {
        Block block = load(index, team.rank(), team.rank());
        if (index + 1 < plan_.blocks) block.ahead = source_.memory_of(first_row(index + 1), end_row(index + 1));
        logits(block);
        loss(block);
        if (!needs_.gradient) continue;
        T* gradient = slot_gradient(slot);
        GradientArgs<T> all;
        all.feature_end = plan_.features;
        all.panel_end = panel_count(plan_.classes);
        all.ahead = &block.ahead;
        gradient_part(block, all, gradient, index > begin);
        bias_gradient(block, gradient, index > begin);
      }
    });
  }

  void sum_blocks_by_tile(const Team& team) {
    const std::size_t feature_tiles = (plan_.features + plan_.tile_features - 1) / plan_.tile_features;
    const std::size_t panels = is_class_major(plan_.classes) ? 1 : panel_count(plan_.classes);
    const std::size_t tiles = (panels + plan_.tile_panels - 1) / plan_.tile_panels * feature_tiles;
    for (std::size_t first = 0; first < plan_.blocks; first += plan_.group_blocks) {
      const std::size_t count = std::min(plan_.group_blocks, plan_.blocks - first);
      team.for_each(count, [&](std::size_t place) {
        group_[place] = load(first + place, place, team.rank());
        logits(group_[place]);
        loss(group_[place]);
      });
      if (!needs_.gradient) continue;
      team.for_each(tiles + 1, [&](std::size_t tile) {
        GradientArgs<T> part;
        part.feature_begin = tile % feature_tiles * plan_.tile_features;
        part.feature_end = std::min(part.feature_begin + plan_.tile_features, plan_.features);
        part.panel_begin = tile / feature_tiles * plan_.tile_panels;
        part.panel_end = std::min(part.panel_begin + plan_.tile_panels, panels);
        for (std::size_t place = 0; place < count; ++place) {
          const bool accumulate = first + place > 0;
          if (tile == tiles) {
            bias_gradient(group_[place], memory_.gradient, accumulate);
          } else {
            gradient_part(group_[place], part, memory_.gradient, accumulate);
          }
        }
      });
    }
  }

  // ---- joining what the blocks gave ----

  void add_losses() {
    double sum = 0;
    std::size_t kept = 0;
    for (std::size_t index = 0; index < plan_.blocks; ++index) {
      sum += memory_.block_loss[index];
      kept += memory_.block_kept[index];
    }
    loss_sum_ = sum;
    kept_rows_ = kept;
  }

  /// Slot 0 becomes the sum of all slots: ((0 + 1) + (2 + 3)) + ...
  void join_slots(const Team& team) {
    if (plan_.slots == 1) return;
    team.for_each(chunks(), [&](std::size_t chunk) {
      const Chunk c = chunk_at(chunk);
      for (std::size_t distance = 1; distance < plan_.slots; distance *= 2) {
        for (std::size_t slot = 0; slot + distance < plan_.slots; slot += 2 * distance) {
          kernel_.add(slot_gradient(slot) + c.begin, slot_gradient(slot + distance) + c.begin, c.count);
        }
      }
    });
  }

  /// From the sum over rows to the gradient of the objective.
  void finish_gradient(const Team& team) {
    const bool mean = in_.objective->reduction == Reduction::mean;
    team.for_each(chunks(), [&](std::size_t chunk) {
      const Chunk c = chunk_at(chunk);
      FinishArgs<T> args;
      args.gradient = memory_.gradient + c.begin;
      args.count = c.count;
      args.scale = static_cast<T>(mean ? 1.0 / in_.total_weight : 1.0);
      if (!c.is_bias) {
        args.weights = in_.weights + c.begin;
        args.l2 = static_cast<T>(in_.objective->l2 * (mean ? 1.0 : in_.total_weight));
      }
      if (!kernel_.finish_gradient(args)) gradient_finite_.store(false, std::memory_order_relaxed);
    });
  }

  // ---- small change ----

  struct Chunk {
    std::size_t begin = 0;
    std::size_t count = 0;
    bool is_bias = false;
  };
  static constexpr std::size_t kChunk = 2048;
  [[nodiscard]] std::size_t logits_size() const { return logit_count(plan_.capacity, plan_.classes); }
  [[nodiscard]] std::size_t weights_size() const { return weight_count(plan_.features, plan_.classes); }
  [[nodiscard]] std::size_t chunks() const { return (weights_size() + kChunk - 1) / kChunk + 1; }
  /// Weights in pieces that fit L1 beside what they are combined with; the bias is the last piece.
  [[nodiscard]] Chunk chunk_at(std::size_t chunk) const {
    if (chunk + 1 == chunks()) return {weights_size(), bias_count(plan_.classes), true};
    return {chunk * kChunk, std::min(kChunk, weights_size() - chunk * kChunk), false};
  }
  [[nodiscard]] T* slot_gradient(std::size_t slot) const { return memory_.gradient + slot * plan_.parameters(); }
  [[nodiscard]] std::size_t first_row(std::size_t index) const { return index * plan_.block_rows; }
  [[nodiscard]] std::size_t end_row(std::size_t index) const {
    return std::min(first_row(index) + plan_.block_rows, plan_.rows);
  }

  [[nodiscard]] std::size_t source_row(std::size_t row) const {
    return in_.batch->selection == nullptr ? row : in_.batch->selection[row];
  }

  /// The caller's target probabilities of a block's rows, in the logits' layout.
  const T* lay_out_targets(const Block& block) {
    T* targets = memory_.targets + block.rank * logits_size();
    std::fill_n(targets, logits_size(), T(0));
    for (std::size_t i = 0; i < block.x.count; ++i) {
      const std::size_t row = source_row(first_row(block.index) + block.rows.positions[i]);
      for (std::size_t c = 0; c < plan_.classes; ++c) {
        targets[logit_index(plan_.capacity, plan_.classes, i, c)] =
            static_cast<T>(in_.batch->target_probabilities.at(row, c));
      }
    }
    return targets;
  }

  void write_outputs(const Block& block, const LossArgs<T>& loss) {
    const std::uint32_t* positions = block.rows.positions;
    const std::size_t first = first_row(block.index);
    const std::size_t count = end_row(block.index) - first;
    if (out_.loss.sample_losses != nullptr) {
      std::fill_n(out_.loss.sample_losses + first, count, T(0));
      for (std::size_t i = 0; i < block.x.count; ++i) out_.loss.sample_losses[first + positions[i]] = loss.losses[i];
    }
    if (const MatrixView<T>& p = out_.loss.probabilities; !p.empty()) {
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t c = 0; c < plan_.classes; ++c) p.at(first + i, c) = T(0);
      }
      for (std::size_t i = 0; i < block.x.count; ++i) {
        for (std::size_t c = 0; c < plan_.classes; ++c) {
          p.at(first + positions[i], c) = loss.probabilities[logit_index(plan_.capacity, plan_.classes, i, c)];
        }
      }
    }
    if (const MatrixView<T>& dx = out_.dfeatures; !dx.empty()) {
      for (std::size_t i = 0; i < count; ++i) std::fill_n(&dx.at(first + i, 0), plan_.features, T(0));
      const bool mean = in_.objective->reduction == Reduction::mean;
      for (std::size_t i = 0; i < block.x.count; ++i) {
        FeatureGradientArgs<T> args;
        args.dlogits = block.dlogits + logit_index(plan_.capacity, plan_.classes, i, 0);
        args.capacity = plan_.capacity;
        args.rows = 1;
        args.features = plan_.features;
        args.classes = plan_.classes;
        args.weights = in_.weights;
        args.scale = static_cast<T>(mean ? 1.0 / in_.total_weight : 1.0);
        args.dfeatures = &dx.at(first + positions[i], 0);
        kernel_.feature_gradient(args);
      }
    }
  }

  const PassInput<T>& in_;
  const PassMemory<T>& memory_;
  const PassPlan& plan_;
  const PassNeeds& needs_;
  const PassOutputs<T>& out_;
  const PassUpdate<T>& update_;
  const Kernels<T>& kernel_;
  RowSource<T> source_;
  LogitsForm form_;

  Block group_[PassPlan::kMostGroupBlocks];
  double loss_sum_ = 0;
  std::size_t kept_rows_ = 0;
  std::atomic<bool> gradient_finite_{true};
};

}  // namespace

template <class T>
Status run_pass(const PassInput<T>& input, const PassMemory<T>& memory, const PassNeeds& needs,
                const PassOutputs<T>& outputs, const PassUpdate<T>& update, LossResult& result) noexcept {
  Pass<T> pass(input, memory, needs, outputs, update);
  const int threads =
      usable_threads(memory.threads, memory.plan.flops(needs.gradient), input.table->blocks.serial_flops);
  const bool mean = input.objective->reduction == Reduction::mean;
  double penalty = 0;  // at the weights before the update
  if (needs.penalty && input.objective->l2 > 0) {
    penalty = 0.5 * input.objective->l2 *
              squared_norm(input.weights, weight_count(memory.plan.features, memory.plan.classes));
    if (!mean) penalty *= input.total_weight;
  }
  if (!std::isfinite(penalty)) {
    return fail(StatusCode::overflow, "penalty", "weights whose squares are within the range of double");
  }
  parallel(threads, [&](const Team& team) { pass.run(team); });
  if (!pass.good()) {
    Status status;
    status.code = StatusCode::overflow;
    status.what = std::isfinite(pass.loss_sum()) ? "gradient" : "loss";
    status.expected = "logits and sums within the range of the scalar type";
    return status;
  }
  result.total_weight = input.total_weight;
  result.rows = pass.kept_rows();
  result.data_loss = mean ? pass.loss_sum() / input.total_weight : pass.loss_sum();
  result.objective = result.data_loss + penalty;
  return {};
}

template Status run_pass<float>(const PassInput<float>&, const PassMemory<float>&, const PassNeeds&,
                                const PassOutputs<float>&, const PassUpdate<float>&, LossResult&) noexcept;
template Status run_pass<double>(const PassInput<double>&, const PassMemory<double>&, const PassNeeds&,
                                 const PassOutputs<double>&, const PassUpdate<double>&, LossResult&) noexcept;

}  // namespace lanemax
