// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_BLOCK_STEPS_HPP
#define LANEMAX_ENGINE_PASS_BLOCK_STEPS_HPP

#include "engine/dispatch/products.hpp"
#include "engine/pass/pass.hpp"
#include "engine/pass/row_source.hpp"
#include "engine/pass/sample_writer.hpp"
#include "engine/pass/weights.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace lanemax {

/// A block of rows on its way through the steps.
template <class T>
struct Block {
  std::size_t index = 0;
  RowBlock<T> x;
  RowBuffers<T> rows;
  T* losses = nullptr;
  T* logits = nullptr;  ///< after the loss, the dlogits
  double largest = 0;   ///< of its |x|, where that decides something
};

/// Largest |x| of finite rows. By their bits, so that it vectorises.
template <class T>
[[nodiscard]] double largest_feature(const RowBlock<T>& x, std::size_t features) {
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

/// The steps of a pass, in order: load, logits, loss, gradient, update. Each fills the arguments of a kernel of the
/// variant in use and calls it. Which blocks they are taken for, when and by whom, is not known here.
template <class T>
class BlockSteps {
 public:
  using Chunk = PassPlan::Chunk;

  BlockSteps(const PassInput<T>& input, const PassMemory<T>& memory, const SampleOutputs<T>& outputs,
             const GradientUse<T>& use) noexcept
      : in_(input),
        memory_(memory),
        plan_(memory.plan),
        use_(use),
        update_args_(args_of(use)),
        kernel_(kernels<T>(*input.table)),
        source_(*input.batch, *input.objective, kernel_),
        outputs_(input, memory.plan, outputs, kernel_),
        form_(logits_form<T>(*input.table, plan_.features, plan_.classes)) {}

  /// `place` says which of the blocks in flight this is.
  Block<T> load(std::size_t index, std::size_t place) const {
    const std::size_t rows = plan_.block_rows;
    Block<T> block;
    block.index = index;
    block.rows.values = memory_.values + place * rows * memory_.value_stride;
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
    if (memory_.fused) block.largest = largest_feature(block.x, plan_.features);
    if (block.x.count < end_row(index) - first_row(index)) outputs_.clear(first_row(index), end_row(index));
    return block;
  }

  /// Z = X W' + b, for the classes of some panels; class-major, for all. `weights` are those of these panels. Meanwhile
  /// asks for some of the memory of the block that comes `next`, if there is one.
  void logits(const Block<T>& block, std::size_t next, std::size_t panel_begin, std::size_t panel_end,
              const T* weights) const {
    LogitsArgs<T> args;
    args.x = block.x;
    args.features = plan_.features;
    args.classes = is_class_major(plan_.classes) ? plan_.classes : (panel_end - panel_begin) * kPanel;
    args.weights = weights;
    args.bias = in_.bias + panel_begin * kPanel;
    args.logits = block.logits + panel_begin * plan_.capacity * kPanel;
    args.capacity = plan_.capacity;
    args.form = form_;
    const ReadAhead all = memory_of(next), ahead = all.part(0, logits_share(all));
    args.ahead = &ahead;
    kernel_.logits(args);
  }
  void logits(const Block<T>& block, std::size_t next, std::size_t panel_begin, std::size_t panel_end) const {
    logits(block, next, panel_begin, panel_end, in_.weights + panel_begin * plan_.features * kPanel);
  }
  void logits(const Block<T>& block, std::size_t next) const { logits(block, next, 0, plan_.panels()); }

  /// The losses of one part of the rows, and dZ in place of Z. `rank` is the thread's.
  void loss(const Block<T>& block, std::size_t part, std::size_t rank) const {
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
    if (!in_.batch->labels.empty()) {
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
  void losses(const Block<T>& block, std::size_t rank) const {
    for (std::size_t part = 0; part < plan_.parts(); ++part) loss(block, part, rank);
  }

  /// dW (+)= dZ' X of a whole block; meanwhile asks for the rest of the memory of the one that comes `next`.
  void gradient(const Block<T>& block, std::size_t next, T* dweights, bool accumulate) const {
    GradientArgs<T> args = gradient_product(block.x, static_cast<const T*>(block.logits), plan_.capacity,
                                            plan_.features, plan_.classes, dweights, accumulate);
    const ReadAhead ahead = memory_of(next);
    args.ahead = ahead.part(logits_share(ahead), ahead.rows);
    kernel_.gradient(args);
  }
  /// The same, of the tile alone: rows of some blocks, and where in dW the tile lies.
  void tile_gradient(const RowBlock<T>& x, const T* dlogits, const PassPlan::Tile& tile, T* dweights,
                     bool accumulate) const {
    GradientArgs<T> args =
        gradient_product(x, dlogits, plan_.capacity, plan_.features, plan_.classes, dweights, accumulate);
    args.feature_begin = tile.feature_begin;
    args.feature_end = tile.feature_end;
    args.panel_begin = tile.panel_begin;
    args.panel_end = tile.panel_end;
    kernel_.gradient(args);
  }
  /// The same, of the tile as a gradient of its own: that of a smaller problem.
  void own_gradient(RowBlock<T> x, const T* dlogits, const PassPlan::Tile& tile, T* dweights, bool accumulate) const {
    x.data += tile.feature_begin;
    kernel_.gradient(gradient_product(x, dlogits + tile.panel_begin * plan_.capacity * kPanel, plan_.capacity,
                                      tile.features(), tile.panels() * kPanel, dweights, accumulate));
  }

  /// db (+)= sum of the rows' dZ.
  void bias_gradient(const Block<T>& block, T* dbias, bool accumulate) const {
    BiasGradientArgs<T> args;
    args.dlogits = block.logits;
    args.capacity = plan_.capacity;
    args.rows = block.x.count;
    args.classes = plan_.classes;
    args.dbias = dbias;
    args.accumulate = accumulate;
    kernel_.bias_gradient(args);
  }

  void add(const Chunk& chunk, T* sum, const T* term) const {
    kernel_.add(sum + chunk.begin, term + chunk.begin, chunk.count);
  }

  /// From the sum over rows to the gradient of the objective. False if an entry is not finite.
  [[nodiscard]] bool finish(const Chunk& chunk, T* gradient) const {
    FinishArgs<T> args;
    args.gradient = gradient;
    args.count = chunk.count;
    if (!chunk.is_bias) args.weights = in_.weights + chunk.begin;
    finish_by(args, chunk);
    return kernel_.finish_gradient(args);
  }

  /// Whether anything but the logits needs the weights.
  [[nodiscard]] bool needs_weights_again() const { return l2() > 0 || outputs_.wants_dfeatures(); }
  /// A tile's gradient, finished, into the caller's matrix.
  void export_tile(const T* dweights, const PassPlan::Tile& tile) const {
    const MatrixView<T>& w = use_.matrices->weights;
    const std::size_t first = tile.panel_begin * kPanel, end = std::min(tile.panel_end * kPanel, plan_.classes);
    export_panels(dweights, MatrixView<T>(&w.at(first, tile.feature_begin), end - first, tile.features(), w.row_stride,
                                          w.col_stride));
  }

  /// One optimiser step of some parameters, by the gradient or by the sum over rows that finish() would make it of.
  enum class By : std::uint8_t { gradient, sum };
  void update(const Chunk& chunk, const T* gradient, By by) const {
    TrainStateData<T>& state = *use_.state;
    UpdateArgs<T> args = update_args_;
    args.weights = state.parameters.values().data() + chunk.begin;
    args.velocity = state.velocity == nullptr ? nullptr : state.velocity + chunk.begin;
    args.gradient = gradient;
    args.count = chunk.count;
    if (by == By::sum) finish_by(args, chunk);
    if (state.squares == nullptr) return kernel_.update(args);
    args.squares = state.squares + chunk.begin;
    state.optimiser == Optimiser::adam ? kernel_.adam(args) : kernel_.adagrad(args);
  }

  /// 1/2 l2 |W|^2, at the weights as they are.
  [[nodiscard]] double penalty() const {
    if (!(l2() > 0)) return 0;
    return 0.5 * l2() * squared_norm(in_.weights, weight_count(plan_.features, plan_.classes));
  }

  /// Below which |x| no entry of the gradient can overflow: |dweights| <= sum of s_i C |x|, and l2 W cannot overflow
  /// either. 0 where that is not known.
  [[nodiscard]] double largest_safe_feature(double weight_sum) const {
    const bool scale_shrinks = in_.objective->reduction != Reduction::mean || in_.total_weight >= 1;
    if (in_.batch->labels.empty() || !scale_shrinks || l2() > 0.25) return 0;
    const double most = static_cast<double>(std::numeric_limits<T>::max()) / 4;
    return most / (weight_sum * static_cast<double>(plan_.classes));
  }

 private:
  /// What an optimiser step has the same for all parameters.
  static UpdateArgs<T> args_of(const GradientUse<T>& use) {
    UpdateArgs<T> args;
    if (use.state == nullptr) return args;
    args.learning_rate = static_cast<T>(use.options.learning_rate);
    args.momentum = static_cast<T>(use.options.momentum);
    args.nesterov = use.options.nesterov;
    if (use.state->optimiser != Optimiser::adam) return args;
    constexpr T kBelowOne = 1 - std::numeric_limits<T>::epsilon() / 2;
    args.momentum = std::min(args.momentum, kBelowOne);
    args.second_moment_decay = std::min(static_cast<T>(use.options.second_moment_decay), kBelowOne);
    const auto steps = static_cast<double>(use.state->steps + 1);
    // Of the decays as T has them, so that the weights of the means add up to 1.
    const auto correction = [&](T decay) {
      return static_cast<T>(-1 / std::expm1(steps * std::log(static_cast<double>(decay))));
    };
    args.first_correction = correction(args.momentum);
    args.second_correction = correction(args.second_moment_decay);
    return args;
  }

  /// Whether a row's only score is -infinity though the model's bias is not: the logistic loss of label 0 is then 0,
  /// and nothing else would tell of the infinity in X.
  [[nodiscard]] bool has_infinite_score(const LossArgs<T>& rows) const {
    constexpr T kMasked = -std::numeric_limits<T>::infinity();
    if (in_.bias[0] == kMasked) return false;
    return std::find(rows.logits, rows.logits + rows.rows, kMasked) != rows.logits + rows.rows;
  }

  /// The caller's target probabilities of rows [begin, end) of a block, in the logits' layout.
  const T* lay_out_targets(const Block<T>& block, std::size_t begin, std::size_t end, std::size_t rank) const {
    T* targets = memory_.targets + rank * part_logits();
    std::fill_n(targets, part_logits(), T(0));
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t at = first_row(block.index) + block.rows.positions[i];
      const std::size_t row = in_.batch->row(at);
      for (std::size_t c = 0; c < plan_.classes; ++c) {
        targets[logit_index(plan_.part_capacity(), plan_.classes, i - begin, c)] =
            static_cast<T>(in_.batch->target_probabilities.at(row, c));
      }
    }
    return targets;
  }

  /// The rows of a block; none past the last.
  [[nodiscard]] ReadAhead memory_of(std::size_t index) const {
    return index < plan_.blocks ? source_.memory_of(first_row(index), end_row(index)) : ReadAhead{};
  }
  /// How many of them the logits ask for: all, if no gradient of the block comes next.
  [[nodiscard]] std::size_t logits_share(const ReadAhead& ahead) const {
    if (form_ != LogitsForm::dot) return 0;
    const PassSchedule& schedule = in_.table->pass;
    const bool alone = memory_.goal == PassGoal::loss || plan_.slots == 1;
    return std::min(alone ? ahead.rows : ahead.rows * schedule.logits_ahead / 8,
                    schedule.most_ahead(ahead.rows, plan_.classes));
  }
  [[nodiscard]] std::size_t first_row(std::size_t index) const { return index * plan_.block_rows; }
  [[nodiscard]] std::size_t end_row(std::size_t index) const {
    return std::min(first_row(index) + plan_.block_rows, plan_.rows);
  }
  [[nodiscard]] std::size_t part_logits() const { return logit_count(plan_.part_capacity(), plan_.classes); }
  /// What makes a sum over rows the gradient.
  template <class Args>
  void finish_by(Args& args, const Chunk& chunk) const {
    args.scale = static_cast<T>(in_.objective->reduction == Reduction::mean ? 1.0 / in_.total_weight : 1.0);
    if (!chunk.is_bias) args.l2 = static_cast<T>(l2());
  }
  [[nodiscard]] double l2() const {
    return in_.objective->l2.value_or(0) * (in_.objective->reduction == Reduction::mean ? 1.0 : in_.total_weight);
  }

  const PassInput<T>& in_;
  const PassMemory<T>& memory_;
  const PassPlan& plan_;
  const GradientUse<T>& use_;
  const UpdateArgs<T> update_args_;
  const Kernels<T>& kernel_;
  RowSource<T> source_;
  SampleWriter<T> outputs_;
  LogitsForm form_;
};

}  // namespace lanemax

#endif
