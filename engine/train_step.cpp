// SPDX-License-Identifier: BSD-3-Clause
//
// START HERE. The whole engine is this sentence:
//
//   samples, labels -> logits -> loss -> gradient -> update -> weights
//
// A pass cuts the samples into blocks of rows that stay in cache, so that X comes from memory once, and takes each
// block through the first three steps; then it joins the blocks' gradients and updates the weights. Every step is a
// kernel of the variant in use (engine/steps, engine/gemm); how the rows are cut is in engine/pass/plan.cpp; everything
// else in the library is a faster way to do one of these steps, a way in, or a way out.
#include "engine/fail.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/pass.hpp"
#include "engine/pass/sample_outputs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace lanemax {
namespace {

/// Largest |x| of finite rows. By their bits, so that it vectorises.
template <class T>
double largest_feature(const RowBlock<T>& x, std::size_t features) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  Bits largest = 0;
  for (std::size_t n = 0; n < x.count; ++n) {
    const T* row = x.data + n * x.stride;
    for (std::size_t d = 0; d < features; ++d) {
      largest = std::max(largest, std::bit_cast<Bits>(row[d]) & std::numeric_limits<Bits>::max());
    }
  }
  return static_cast<double>(std::bit_cast<T>(largest));
}

/// What an optimiser step has the same for all parameters.
template <class T>
UpdateArgs<T> update_args(const PassUpdate<T>& update) {
  UpdateArgs<T> args;
  if (update.state == nullptr) return args;
  args.learning_rate = static_cast<T>(update.options.learning_rate);
  args.momentum = static_cast<T>(update.options.momentum);
  args.nesterov = update.options.nesterov;
  if (update.state->optimiser() != Optimiser::adam) return args;
  constexpr T kBelowOne = 1 - std::numeric_limits<T>::epsilon() / 2;
  args.momentum = std::min(args.momentum, kBelowOne);
  args.second_moment_decay = std::min(static_cast<T>(update.options.second_moment_decay), kBelowOne);
  const auto steps = static_cast<double>(*update.state->steps_data + 1);
  // Of the decays as T has them, so that the weights of the means add up to 1.
  const auto correction = [&](T decay) {
    return static_cast<T>(-1 / std::expm1(steps * std::log(static_cast<double>(decay))));
  };
  args.first_correction = correction(args.momentum);
  args.second_correction = correction(args.second_moment_decay);
  return args;
}

template <class T>
class Pass {
 public:
  Pass(const PassInput<T>& input, const PassMemory<T>& memory, const PassNeeds& needs, const PassOutputs<T>& outputs,
       const PassUpdate<T>& update) noexcept
      : in_(input),
        memory_(memory),
        plan_(memory.plan),
        needs_(needs),
        update_(update),
        update_args_(update_args(update)),
        kernel_(kernels<T>(*input.table)),
        source_(*input.batch, *input.objective, kernel_),
        outputs_(input, memory.plan, outputs, kernel_),
        form_(logits_form<T>(*input.table, plan_.features, plan_.classes)) {}

  void run(const Team& team) {
    if (plan_.slots > 1) {
      sum_blocks_by_slot(team);
    } else {
      sum_blocks_by_tile(team);
    }
    if (!needs_.gradient) {
      team.once([&] { add_losses(); });
    } else if (memory_.fused) {
      team.once([&] { add_losses(); });
      update_by_tile(team);
    } else {
      join_slots(team);
      if (good() && update_.state != nullptr) update_weights(team);
    }
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
    RowBlock<T> x;
    RowBuffers<T> rows;
    T* losses = nullptr;
    T* logits = nullptr;  // after the loss, the dlogits
  };

  using Chunk = PassPlan::Chunk;

  // ---- the steps, in order ----

  /// `place` says which of the blocks in flight this is.
  Block load(std::size_t index, std::size_t place) {
    const std::size_t rows = plan_.block_rows;
    Block block;
    block.index = index;
    block.rows.values = memory_.values == nullptr ? nullptr : memory_.values + place * rows * memory_.value_stride;
    block.rows.stride = memory_.value_stride;
    block.rows.labels = memory_.labels + place * rows;
    block.rows.weights = memory_.row_weights + place * rows;
    block.rows.rows = memory_.rows + place * rows;
    block.rows.positions = memory_.positions + place * rows;
    block.x = source_.load(first_row(index), end_row(index), block.rows);
    block.losses = memory_.losses + place * rows;
    const std::size_t at = plan_.slots > 1 ? place * logit_count(plan_.capacity, plan_.classes)
                                           : logit_index(plan_.capacity, plan_.classes, place * rows, 0);
    block.logits = memory_.dlogits + at;
    if (block.x.count < end_row(index) - first_row(index)) outputs_.clear(first_row(index), end_row(index));
    return block;
  }

  /// Z = X W' + b, for the classes of some panels; class-major, for all.
  void logits(const Block& block, std::size_t panel_begin, std::size_t panel_end) {
    LogitsArgs<T> args;
    args.x = block.x;
    args.features = plan_.features;
    args.classes = is_class_major(plan_.classes) ? plan_.classes : (panel_end - panel_begin) * kPanel;
    args.weights = in_.weights + panel_begin * plan_.features * kPanel;
    args.bias = in_.bias + panel_begin * kPanel;
    args.logits = block.logits + panel_begin * plan_.capacity * kPanel;
    args.capacity = plan_.capacity;
    args.form = form_;
    kernel_.logits(args);
  }
  void logits(const Block& block) { logits(block, 0, plan_.panels()); }

  /// The losses of one part of the rows, and dZ in place of Z. `rank` is the thread's.
  void loss(const Block& block, std::size_t part, std::size_t rank) {
    const std::size_t begin = std::min(part * plan_.part_rows, block.x.count);
    const std::size_t end = std::min(begin + plan_.part_rows, block.x.count);
    LossArgs<T> args;
    args.logits = block.logits + logit_index(plan_.capacity, plan_.classes, begin, 0);
    args.capacity = plan_.capacity;
    args.rows = end - begin;
    args.classes = plan_.classes;
    args.weights = block.rows.weights + begin;
    args.smoothing = static_cast<T>(in_.objective->label_smoothing);
    args.losses = block.losses + begin;
    args.part_capacity = plan_.part_capacity();
    if (in_.batch->labels != nullptr) {
      args.labels = block.rows.labels + begin;
    } else {
      args.targets = lay_out_targets(block, begin, end, rank);
    }
    if (outputs_.wants_probabilities()) args.probabilities = memory_.probabilities + rank * part_logits();
    const bool hidden_infinity = in_.objective->loss == Loss::logistic && has_infinite_score(args);
    switch (in_.objective->loss) {
      case Loss::softmax: kernel_.softmax_loss(args); break;
      case Loss::hinge: kernel_.hinge_loss(args); break;
      case Loss::logistic: kernel_.logistic_loss(args); break;
    }

    PartSums& sums = memory_.part_sums[block.index * plan_.parts() + part];
    sums.loss = hidden_infinity ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    sums.weight = 0;
    sums.rows = static_cast<std::uint32_t>(args.rows);
    for (std::size_t i = 0; i < args.rows; ++i) {
      sums.loss += static_cast<double>(args.weights[i]) * static_cast<double>(args.losses[i]);
      sums.weight += static_cast<double>(args.weights[i]);
    }
    outputs_.write(first_row(block.index), block.rows.positions + begin, args);
  }
  void losses(const Block& block, std::size_t rank) {
    for (std::size_t part = 0; part < plan_.parts(); ++part) loss(block, part, rank);
  }

  /// Whether a row's only score is -infinity though the model's bias is not: the logistic loss of label 0 is then 0,
  /// and nothing else would tell of the infinity in X.
  [[nodiscard]] bool has_infinite_score(const LossArgs<T>& rows) const {
    constexpr T kMasked = -std::numeric_limits<T>::infinity();
    if (in_.bias[0] == kMasked) return false;
    return std::find(rows.logits, rows.logits + rows.rows, kMasked) != rows.logits + rows.rows;
  }

  /// dweights (+)= dlogits' X over the rows of some blocks, for the part of the parameters that `part` names.
  void gradient_part(const RowBlock<T>& x, const T* dlogits, GradientArgs<T> part, T* gradient, bool accumulate) {
    part.x = x;
    part.dlogits = dlogits;
    part.capacity = plan_.capacity;
    part.features = plan_.features;
    part.classes = plan_.classes;
    part.dweights = gradient;
    part.accumulate = accumulate;
    kernel_.gradient(part);
  }

  /// dbias (+)= sum of the rows' dlogits.
  void bias_gradient(const Block& block, T* dbias, bool accumulate) {
    BiasGradientArgs<T> args;
    args.dlogits = block.logits;
    args.capacity = plan_.capacity;
    args.rows = block.x.count;
    args.classes = plan_.classes;
    args.dbias = dbias;
    args.accumulate = accumulate;
    kernel_.bias_gradient(args);
  }

  /// From the sum over rows to the gradient of the objective.
  void finish(const Chunk& chunk, T* gradient) {
    const bool mean = in_.objective->reduction == Reduction::mean;
    FinishArgs<T> args;
    args.gradient = gradient;
    args.count = chunk.count;
    args.scale = static_cast<T>(mean ? 1.0 / in_.total_weight : 1.0);
    if (!chunk.is_bias) {
      args.weights = in_.weights + chunk.begin;
      args.l2 = static_cast<T>(l2());
    }
    if (!kernel_.finish_gradient(args)) gradient_finite_.store(false, std::memory_order_relaxed);
  }

  void update(const Chunk& chunk, const T* gradient) {
    TrainState<T>& state = *update_.state;
    UpdateArgs<T> args = update_args_;
    args.weights = chunk.is_bias ? state.bias_data + (chunk.begin - weights_size()) : state.weights_data + chunk.begin;
    args.velocity = state.velocity_data == nullptr ? nullptr : state.velocity_data + chunk.begin;
    args.gradient = gradient;
    args.count = chunk.count;
    if (state.squares_data == nullptr) return kernel_.update(args);
    args.squares = state.squares_data + chunk.begin;
    kernel_.adam(args);
  }

  // ---- which blocks, and into which gradient ----

  void sum_blocks_by_slot(const Team& team) {
    team.for_each(plan_.slots, [&](std::size_t slot) {
      const std::size_t begin = plan_.slot_begin(slot), end = plan_.slot_begin(slot + 1);
      for (std::size_t index = begin; index < end; ++index) {
        const Block block = load(index, team.rank());
        logits(block);
        losses(block, team.rank());
        if (!needs_.gradient) continue;
        T* gradient = slot_gradient(slot);
        GradientArgs<T> all;
        all.feature_end = plan_.features;
        all.panel_end = plan_.panels();
        if (index + 1 < plan_.blocks) all.ahead = source_.memory_of(first_row(index + 1), end_row(index + 1));
        gradient_part(block.x, block.logits, all, gradient, index > begin);
        bias_gradient(block, gradient + weights_size(), index > begin);
      }
    });
  }

  void sum_blocks_by_tile(const Team& team) {
    for (std::size_t first = 0; first < plan_.blocks; first += plan_.group_blocks) {
      const std::size_t count = std::min(plan_.group_blocks, plan_.blocks - first);
      logits_and_losses(team, first, count);
      if (!needs_.gradient || memory_.fused) continue;
      team.for_each(plan_.tiles() + 1, [&](std::size_t tile) {
        if (tile == plan_.tiles()) return group_bias_gradient(count, memory_.gradient + weights_size(), first > 0);
        for_each_run(count, [&](const RowBlock<T>& x, const T* dlogits, bool is_first) {
          gradient_part(x, dlogits, tile_at(tile), memory_.gradient, first > 0 || !is_first);
        });
      });
    }
  }

  /// Calls f(x, dlogits, is_first) for the rows of a group, blocks that lie side by side at once: the longer the sums,
  /// the less often the gradient is read and written. How far they reach does not touch the bits.
  template <class F>
  void for_each_run(std::size_t count, const F& f) {
    for (std::size_t place = 0; place < count;) {
      const Block& head = group_[place];
      RowBlock<T> x = head.x;
      std::size_t next = place + 1;
      while (next < count && x.count == (next - place) * plan_.block_rows && group_[next].x.stride == x.stride &&
             group_[next].x.data == x.data + x.count * x.stride) {
        x.count += group_[next].x.count;
        ++next;
      }
      f(x, head.logits, place == 0);
      place = next;
    }
  }

  void group_bias_gradient(std::size_t count, T* dbias, bool accumulate) {
    for (std::size_t place = 0; place < count; ++place) bias_gradient(group_[place], dbias, accumulate || place > 0);
  }

  /// One block after the other if there are plenty for the team; else its threads share each block's classes, then its
  /// rows. The bits are the same.
  void logits_and_losses(const Team& team, std::size_t first, std::size_t count) {
    if (team.size() == 1 || count >= 4 * team.size()) {
      team.for_each(count, [&](std::size_t place) {
        group_[place] = load(first + place, place);
        logits(group_[place]);
        losses(group_[place], team.rank());
      });
      return;
    }
    constexpr std::size_t kShare = 16;  // panels: 256 classes
    const std::size_t shares = (plan_.panels() + kShare - 1) / kShare;
    team.for_each(count, [&](std::size_t place) { group_[place] = load(first + place, place); });
    team.for_each(count * shares, [&](std::size_t item) {
      const std::size_t panel = item % shares * kShare;
      logits(group_[item / shares], panel, std::min(panel + kShare, plan_.panels()));
    });
    team.for_each(count * plan_.parts(),
                  [&](std::size_t item) { loss(group_[item / plan_.parts()], item % plan_.parts(), team.rank()); });
  }

  // ---- the update fused into the gradient's tiles: the gradient is never in memory as a whole ----

  void update_by_tile(const Team& team) {
    if (!std::isfinite(loss_sum_)) return;
    if (!gradient_is_surely_finite()) {  // then look at all of it before the first weight changes
      visit_tiles(team, false);
      if (!good()) return;
    }
    visit_tiles(team, true);
  }

  /// |dweights| <= sum of s_i C |x|, and l2 W cannot overflow either.
  [[nodiscard]] bool gradient_is_surely_finite() const {
    double largest = 0;
    for (std::size_t place = 0; place < plan_.blocks; ++place) {
      largest = std::max(largest, largest_feature(group_[place].x, plan_.features));
    }
    const double bound = weight_sum_ * static_cast<double>(plan_.classes) * largest;
    const double most = static_cast<double>(std::numeric_limits<T>::max()) / 4;
    const bool scale_shrinks = in_.objective->reduction != Reduction::mean || in_.total_weight >= 1;
    return in_.batch->labels != nullptr && scale_shrinks && bound < most && l2() <= 0.25;
  }

  void visit_tiles(const Team& team, bool apply) {
    team.for_each(plan_.tiles() + 1, [&](std::size_t tile) {
      if (tile == plan_.tiles()) {
        T* dbias = memory_.gradient;
        group_bias_gradient(plan_.blocks, dbias, false);
        const Chunk bias = plan_.chunk_at(plan_.chunks() - 1);
        finish(bias, dbias);
        if (apply) update(bias, dbias);
        return;
      }
      // The tile's own gradient is that of a smaller problem.
      const GradientArgs<T> where = tile_at(tile);
      const std::size_t width = where.feature_end - where.feature_begin;
      T* dweights = memory_.tile_gradients + team.rank() * plan_.tile_parameters();
      for_each_run(plan_.blocks, [&](RowBlock<T> x, const T* dlogits, bool is_first) {
        x.data += where.feature_begin;
        GradientArgs<T> part;
        part.x = x;
        part.dlogits = dlogits + where.panel_begin * plan_.capacity * kPanel;
        part.capacity = plan_.capacity;
        part.features = part.feature_end = width;
        part.panel_end = where.panel_end - where.panel_begin;
        part.classes = part.panel_end * kPanel;
        part.dweights = dweights;
        part.accumulate = !is_first;
        kernel_.gradient(part);
      });
      for (std::size_t panel = where.panel_begin; panel < where.panel_end; ++panel, dweights += width * kPanel) {
        const Chunk chunk{(panel * plan_.features + where.feature_begin) * kPanel, width * kPanel, false};
        finish(chunk, dweights);
        if (apply) update(chunk, dweights);
      }
    });
  }

  // ---- joining what the blocks gave ----

  void add_losses() {
    loss_sum_ = weight_sum_ = 0;
    kept_rows_ = 0;
    for (std::size_t i = 0; i < plan_.blocks * plan_.parts(); ++i) {
      loss_sum_ += memory_.part_sums[i].loss;
      weight_sum_ += memory_.part_sums[i].weight;
      kept_rows_ += memory_.part_sums[i].rows;
    }
  }

  /// Slot 0 becomes the sum of all slots: ((0 + 1) + (2 + 3)) + ..., then the gradient of the objective.
  void join_slots(const Team& team) {
    team.for_each(plan_.chunks() + 1, [&](std::size_t chunk) {
      if (chunk == plan_.chunks()) return add_losses();
      const Chunk c = plan_.chunk_at(chunk);
      for (std::size_t distance = 1; distance < plan_.slots; distance *= 2) {
        for (std::size_t slot = 0; slot + distance < plan_.slots; slot += 2 * distance) {
          kernel_.add(slot_gradient(slot) + c.begin, slot_gradient(slot + distance) + c.begin, c.count);
        }
      }
      finish(c, memory_.gradient + c.begin);
    });
  }

  void update_weights(const Team& team) {
    team.for_each(plan_.chunks(), [&](std::size_t chunk) {
      const Chunk c = plan_.chunk_at(chunk);
      update(c, memory_.gradient + c.begin);
    });
  }

  // ---- small change ----

  [[nodiscard]] std::size_t part_logits() const { return logit_count(plan_.part_capacity(), plan_.classes); }
  [[nodiscard]] double l2() const {
    return in_.objective->l2 * (in_.objective->reduction == Reduction::mean ? 1.0 : in_.total_weight);
  }
  [[nodiscard]] std::size_t weights_size() const { return weight_count(plan_.features, plan_.classes); }
  /// Which features and panels a tile of the gradient has.
  [[nodiscard]] GradientArgs<T> tile_at(std::size_t tile) const {
    GradientArgs<T> part;
    part.feature_begin = tile % plan_.feature_tiles() * plan_.tile_features;
    part.feature_end = std::min(part.feature_begin + plan_.tile_features, plan_.features);
    part.panel_begin = tile / plan_.feature_tiles() * plan_.tile_panels;
    part.panel_end = std::min(part.panel_begin + plan_.tile_panels, plan_.panels());
    return part;
  }
  [[nodiscard]] T* slot_gradient(std::size_t slot) const { return memory_.gradient + slot * plan_.parameters(); }
  [[nodiscard]] std::size_t first_row(std::size_t index) const { return index * plan_.block_rows; }
  [[nodiscard]] std::size_t end_row(std::size_t index) const {
    return std::min(first_row(index) + plan_.block_rows, plan_.rows);
  }

  [[nodiscard]] std::size_t source_row(std::size_t row) const {
    return in_.batch->selection == nullptr ? row : in_.batch->selection[row];
  }

  /// The caller's target probabilities of rows [begin, end) of a block, in the logits' layout.
  const T* lay_out_targets(const Block& block, std::size_t begin, std::size_t end, std::size_t rank) {
    T* targets = memory_.targets + rank * part_logits();
    std::fill_n(targets, part_logits(), T(0));
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t row = source_row(first_row(block.index) + block.rows.positions[i]);
      for (std::size_t c = 0; c < plan_.classes; ++c) {
        targets[logit_index(plan_.part_capacity(), plan_.classes, i - begin, c)] =
            static_cast<T>(in_.batch->target_probabilities.at(row, c));
      }
    }
    return targets;
  }

  const PassInput<T>& in_;
  const PassMemory<T>& memory_;
  const PassPlan& plan_;
  const PassNeeds& needs_;
  const PassUpdate<T>& update_;
  const UpdateArgs<T> update_args_;
  const Kernels<T>& kernel_;
  RowSource<T> source_;
  SampleOutputs<T> outputs_;
  LogitsForm form_;

  Block group_[PassPlan::kMostGroupBlocks];
  double loss_sum_ = 0, weight_sum_ = 0;
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
  int at_work = 1;
  parallel(threads, [&](const Team& team) {
    if (team.rank() == 0) at_work = static_cast<int>(team.size());
    pass.run(team);
  });
  if (!pass.good()) {
    Status status;
    status.code = StatusCode::overflow;
    status.what = std::isfinite(pass.loss_sum()) ? "gradient" : "loss";
    status.expected = "logits and sums within the range of the scalar type";
    return status;
  }
  if (update.state != nullptr && update.state->steps_data != nullptr) ++*update.state->steps_data;
  result.total_weight = input.total_weight;
  result.threads = at_work;
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
