// SPDX-License-Identifier: BSD-3-Clause
//
// In which order a pass takes its blocks through the steps, who computes what, and how the blocks' sums are joined: two
// schedules, by slots and by tiles (engine/pass/plan.hpp), and what becomes of the gradient.
#include "engine/pass/pass.hpp"

#include "engine/fail.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/block_steps.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace lanemax {
namespace {

template <class T>
class Pass {
 public:
  Pass(const PassInput<T>& input, const PassMemory<T>& memory, const SampleOutputs<T>& outputs,
       const GradientUse<T>& use) noexcept
      : in_(input), memory_(memory), use_(use), plan_(memory.plan), steps_(input, memory, outputs, use) {}

  void run(const Team& team) {
    import_weights(team);
    if (plan_.slots > 1) {
      sum_blocks_by_slot(team);
    } else {
      sum_blocks_by_tile(team);
    }
    if (memory_.goal == PassGoal::loss) {
      team.once([&] { add_losses(); });
    } else if (is_fused()) {
      team.once([&] { add_losses(); });
      use_gradient_by_tile(team);
    } else {
      join_slots(team);
      if (good()) use_gradient(team);
    }
  }

  [[nodiscard]] bool good() const noexcept {
    return is_loss_good() && gradient_finite_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] double penalty() const noexcept { return penalty_; }
  [[nodiscard]] double loss_sum() const noexcept { return loss_sum_; }
  [[nodiscard]] std::size_t kept_rows() const noexcept { return kept_rows_; }

 private:
  using Chunk = PassPlan::Chunk;
  using By = typename BlockSteps<T>::By;

  // ---- weights in the caller's matrices ----

  /// All of them, unless the logits will take them panel by panel.
  void import_weights(const Team& team) {
    if (in_.matrices == nullptr) return;
    const std::size_t pieces = imports_by_panel(team) ? 0 : WeightPieces(plan_.features, plan_.classes).count();
    team.for_each(pieces + 1, [&](std::size_t piece) {
      const bool good = piece < pieces ? import_piece(in_.matrices->weights, piece, memory_.weights)
                                       : import_bias(in_.matrices->bias, plan_.classes, memory_.bias);
      if (!good) weights_good_.store(false, std::memory_order_relaxed);
    });
  }
  [[nodiscard]] bool imports_by_panel(const Team& team) const {
    return in_.matrices != nullptr && plan_.slots == 1 && !is_class_major(plan_.classes) &&
           plan_.blocks < kPlenty * team.size() && plan_.blocks <= plan_.group_blocks;
  }
  /// Some panels at a time, while they are near. Where nothing else needs them they stay there: each thread has room
  /// for so many (64 x 768 x 1000 through C x D matrices: 1.18 times a step's time instead of 1.25).
  void logits_by_panel(const Team& team) {
    constexpr std::size_t kShare = WeightPieces::kPanels;
    const WeightPieces pieces(plan_.features, plan_.classes);
    const bool near = !steps_.needs_weights_again() && team.size() < pieces.count();
    team.for_each(pieces.count(), [&](std::size_t piece) {
      T* const weights = memory_.weights + pieces.place(near ? team.rank() : piece);
      if (!import_panels(pieces.rows_of(in_.matrices->weights, piece), weights)) {
        weights_good_.store(false, std::memory_order_relaxed);
      }
      const std::size_t begin = piece * kShare, end = std::min(begin + kShare, plan_.panels());
      for (std::size_t place = 0; place < plan_.blocks; ++place) {
        steps_.logits(group_[place], plan_.blocks, begin, end, weights);
      }
    });
  }

  // ---- by slots: each has a gradient of its own ----

  void sum_blocks_by_slot(const Team& team) {
    team.for_each(plan_.slots, [&](std::size_t slot) {
      const std::size_t begin = plan_.slot_begin(slot), end = plan_.slot_begin(slot + 1);
      for (std::size_t index = begin; index < end; ++index) {
        const Block<T> block = steps_.load(index, team.rank());
        steps_.logits(block, index + 1);
        steps_.losses(block, team.rank());
        if (memory_.goal == PassGoal::loss) continue;
        T* gradient = slot_gradient(slot);
        steps_.gradient(block, index + 1, gradient, index > begin);
        steps_.bias_gradient(block, gradient + weights_size(), index > begin);
      }
    });
  }

  // ---- by tiles of one gradient: a group of blocks at a time ----

  void sum_blocks_by_tile(const Team& team) {
    for (std::size_t first = 0; first < plan_.blocks; first += plan_.group_blocks) {
      const std::size_t count = std::min(plan_.group_blocks, plan_.blocks - first);
      logits_and_losses(team, first, count);
      if (memory_.goal != PassGoal::loss && !is_fused()) gradient_by_tile(team, first, count);
    }
  }
  void gradient_by_tile(const Team& team, std::size_t first, std::size_t count) {
    team.for_each(plan_.tiles() + 1, [&](std::size_t tile) {
      if (tile == plan_.tiles()) return group_bias_gradient(count, memory_.gradient + weights_size(), first > 0);
      for_each_run(count, [&](const RowBlock<T>& x, const T* dlogits, bool is_first) {
        steps_.tile_gradient(x, dlogits, plan_.tile_at(tile), memory_.gradient, first > 0 || !is_first);
      });
    });
  }

  /// Calls f(x, dlogits, is_first) for the rows of a group, blocks that lie side by side at once: the longer the sums,
  /// the less often the gradient is read and written. How far they reach does not touch the bits.
  template <class F>
  void for_each_run(std::size_t count, const F& f) const {
    for (std::size_t place = 0; place < count;) {
      const Block<T>& head = group_[place];
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

  void group_bias_gradient(std::size_t count, T* dbias, bool accumulate) const {
    for (std::size_t place = 0; place < count; ++place) {
      steps_.bias_gradient(group_[place], dbias, accumulate || place > 0);
    }
  }

  /// One block after the other if there are plenty for the team; else its threads share each block's classes, then its
  /// rows. The bits are the same.
  void logits_and_losses(const Team& team, std::size_t first, std::size_t count) {
    const bool by_panel = imports_by_panel(team);
    if (!by_panel && (team.size() == 1 || count >= kPlenty * team.size())) {
      team.for_each(count, [&](std::size_t place) {
        group_[place] = steps_.load(first + place, place);
        steps_.logits(group_[place], first + place + 1);
        steps_.losses(group_[place], team.rank());
      });
      return;
    }
    constexpr std::size_t kShare = 16;  // panels: 256 classes
    const std::size_t shares = by_panel ? 0 : (plan_.panels() + kShare - 1) / kShare;
    team.for_each(count, [&](std::size_t place) { group_[place] = steps_.load(first + place, place); });
    if (by_panel) logits_by_panel(team);
    team.for_each(count * shares, [&](std::size_t item) {
      const std::size_t panel = item % shares * kShare;
      steps_.logits(group_[item / shares], plan_.blocks, panel, std::min(panel + kShare, plan_.panels()));
    });
    team.for_each(count * plan_.parts(), [&](std::size_t item) {
      steps_.loss(group_[item / plan_.parts()], item % plan_.parts(), team.rank());
    });
  }

  // ---- what becomes of the gradient, fused into its tiles: it is never in memory as a whole ----

  [[nodiscard]] bool is_fused() const {
    return memory_.fused && (memory_.goal == PassGoal::update || use_.matrices != nullptr);
  }

  void use_gradient_by_tile(const Team& team) {
    if (!is_loss_good()) return;
    if (gradient_is_surely_finite()) return visit_tiles(team, true);
    if (memory_.goal == PassGoal::update) {  // then look at all of it before the first weight changes
      visit_tiles(team, false);
      if (good()) visit_tiles(team, true);
    } else {  // there is room for it
      gradient_by_tile(team, 0, plan_.blocks);
      join_slots(team);
      if (good()) use_gradient(team);
    }
  }

  [[nodiscard]] bool gradient_is_surely_finite() const {
    double largest = 1;  // the bias's feature
    for (std::size_t place = 0; place < plan_.blocks; ++place) largest = std::max(largest, group_[place].largest);
    return largest < steps_.largest_safe_feature(weight_sum_);
  }

  void visit_tiles(const Team& team, bool apply) {
    T* const dbias = memory_.goal == PassGoal::update ? memory_.gradient : memory_.gradient + weights_size();
    team.for_each(plan_.tiles() + 1, [&](std::size_t tile) {
      if (tile == plan_.tiles()) {
        group_bias_gradient(plan_.blocks, dbias, false);
        look_or_update(plan_.chunk_at(plan_.chunks() - 1), dbias, apply);
        if (apply && use_.matrices != nullptr) export_bias(dbias);
        return;
      }
      const PassPlan::Tile where = plan_.tile_at(tile);
      const std::size_t width = where.features();
      T* const dweights = memory_.tile_gradients + team.rank() * plan_.tile_parameters();
      for_each_run(plan_.blocks, [&](const RowBlock<T>& x, const T* dlogits, bool is_first) {
        steps_.own_gradient(x, dlogits, where, dweights, !is_first);
      });
      for (std::size_t panel = where.panel_begin; panel < where.panel_end; ++panel) {
        const std::size_t begin = (panel * plan_.features + where.feature_begin) * kPanel;
        T* const of_panel = dweights + (panel - where.panel_begin) * width * kPanel;
        look_or_update({begin, width * kPanel, false}, of_panel, apply);
      }
      if (apply && use_.matrices != nullptr) steps_.export_tile(dweights, where);
    });
  }

  /// Finishes and looks at a tile's gradient, or updates by what is known to be finite.
  void look_or_update(const Chunk& chunk, T* sum, bool apply) {
    if (apply && use_.state != nullptr) {
      steps_.update(chunk, sum, By::sum);
    } else {
      finish(chunk, sum);
    }
  }

  // ---- joining what the blocks gave ----

  void add_losses() {
    loss_sum_ = weight_sum_ = 0;
    kept_rows_ = 0;
    penalty_ = in_.penalty ? steps_.penalty() : 0;
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
          steps_.add(c, slot_gradient(slot), slot_gradient(slot + distance));
        }
      }
      finish(c, memory_.gradient + c.begin);
    });
  }

  [[nodiscard]] bool is_loss_good() const noexcept {
    return std::isfinite(loss_sum_) && std::isfinite(penalty_) && weights_good_.load(std::memory_order_relaxed);
  }
  void finish(const Chunk& chunk, T* gradient) {
    if (!steps_.finish(chunk, gradient)) gradient_finite_.store(false, std::memory_order_relaxed);
  }

  /// Of a gradient that is whole in memory.
  void use_gradient(const Team& team) {
    if (use_.state != nullptr) {
      team.for_each(plan_.chunks(), [&](std::size_t chunk) {
        const Chunk c = plan_.chunk_at(chunk);
        steps_.update(c, memory_.gradient + c.begin, By::gradient);
      });
    } else if (use_.matrices != nullptr) {
      const std::size_t pieces = WeightPieces(plan_.features, plan_.classes).count();
      team.for_each(pieces, [&](std::size_t piece) { export_piece(memory_.gradient, piece, use_.matrices->weights); });
      team.once([&] { export_bias(memory_.gradient + weights_size()); });
    }
  }
  void export_bias(const T* dbias) const { std::copy_n(dbias, plan_.classes, use_.matrices->bias.data()); }

  [[nodiscard]] std::size_t weights_size() const { return weight_count(plan_.features, plan_.classes); }
  [[nodiscard]] T* slot_gradient(std::size_t slot) const { return memory_.gradient + slot * plan_.parameters(); }

  static constexpr std::size_t kPlenty = 4;  // blocks per thread that keep all of them busy

  const PassInput<T>& in_;
  const PassMemory<T>& memory_;
  const GradientUse<T>& use_;
  const PassPlan& plan_;
  const BlockSteps<T> steps_;
  Block<T> group_[PassPlan::kMostGroupBlocks];
  double loss_sum_ = 0, weight_sum_ = 0, penalty_ = 0;
  std::size_t kept_rows_ = 0;
  std::atomic<bool> weights_good_{true}, gradient_finite_{true};
};

}  // namespace

template <class T>
void PassMemory<T>::lay_out(Arena& arena, const PassPlan& the_plan, int thread_count, const PassNeeds& needs) noexcept {
  plan = the_plan;
  goal = needs.goal;
  threads = std::clamp(thread_count, 1, kMostThreads);
  const auto workers = static_cast<std::size_t>(threads);
  plan.cut_tiles(workers);
  const std::size_t in_flight = plan.slots > 1 ? workers : plan.group_blocks;
  const std::size_t rows_in_flight = in_flight * plan.block_rows;
  const std::size_t part_logits = logit_count(plan.part_capacity(), plan.classes);

  if (needs.weights) {
    weights = arena.take<T>(weight_count(plan.features, plan.classes));
    bias = arena.take<T>(bias_count(plan.classes));
  }
  value_stride = round_up(plan.features, kPanel);
  values = arena.take<T>(rows_in_flight * value_stride);
  dlogits = arena.take<T>((plan.slots > 1 ? workers : 1) * logit_count(plan.capacity, plan.classes));
  labels = arena.take<std::int32_t>(rows_in_flight);
  row_weights = arena.take<T>(rows_in_flight);
  losses = arena.take<T>(rows_in_flight);
  rows = arena.take<std::uint32_t>(rows_in_flight);
  positions = arena.take<std::uint32_t>(rows_in_flight);
  if (needs.targets) targets = arena.take<T>(workers * part_logits);
  if (needs.probabilities) probabilities = arena.take<T>(workers * part_logits);
  part_sums = arena.take<PartSums>(plan.blocks * plan.parts());
  if (goal == PassGoal::loss) return;
  fused = (goal == PassGoal::update || needs.copied) && plan.can_fuse_update();
  if (fused) tile_gradients = arena.take<T>(plan.most_tile_parameters(workers));
  const bool is_whole = !fused || goal == PassGoal::gradient;
  gradient = arena.take<T>(is_whole ? plan.slots * plan.parameters() : bias_count(plan.classes));
}
template struct PassMemory<float>;
template struct PassMemory<double>;

template <class T>
Status run_pass(const PassInput<T>& input, const PassMemory<T>& memory, const SampleOutputs<T>& outputs,
                const GradientUse<T>& use, LossResult& result) noexcept {
  Pass<T> pass(input, memory, outputs, use);
  const double copies = input.matrices == nullptr ? 0 : 8.0 * static_cast<double>(memory.plan.parameters());
  const double flops = memory.plan.flops(memory.goal != PassGoal::loss) + copies;
  int at_work = 1;
  parallel(usable_threads(memory.threads, flops, input.table->blocks.serial_flops), [&](const Team& team) {
    if (team.rank() == 0) at_work = static_cast<int>(team.size());
    pass.run(team);
  });
  if (!pass.good()) {
    if (!std::isfinite(pass.penalty())) {
      return fail(StatusCode::overflow, "penalty", "weights whose squares are within the range of double");
    }
    return fail(StatusCode::overflow, std::isfinite(pass.loss_sum()) ? "gradient" : "loss",
                "logits and sums within the range of the scalar type");
  }
  if (use.state != nullptr && use.state->squares != nullptr) ++use.state->steps;
  result.total_weight = input.total_weight;
  result.threads = at_work;
  result.rows = pass.kept_rows();
  result.data_loss = pass.loss_sum() / (input.objective->reduction == Reduction::mean ? input.total_weight : 1.0);
  result.objective = result.data_loss + pass.penalty();
  return {};
}

template Status run_pass<float>(const PassInput<float>&, const PassMemory<float>&, const SampleOutputs<float>&,
                                const GradientUse<float>&, LossResult&) noexcept;
template Status run_pass<double>(const PassInput<double>&, const PassMemory<double>&, const SampleOutputs<double>&,
                                 const GradientUse<double>&, LossResult&) noexcept;

}  // namespace lanemax
