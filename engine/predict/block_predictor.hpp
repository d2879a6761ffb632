// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PREDICT_BLOCK_PREDICTOR_HPP
#define LANEMAX_ENGINE_PREDICT_BLOCK_PREDICTOR_HPP

#include <lanemax/predictor.hpp>

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"
#include "engine/pass/row_source.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace lanemax {

/// The class that a row of scores names, by what the kernel says of them, or kNotFinite. Masked classes have -infinity;
/// any more of those than there are masked classes come from an overflow.
inline std::int32_t class_of_scores(std::int32_t chosen, std::size_t lowest, std::size_t masked,
                                    std::size_t classes) noexcept {
  return chosen < 0 || lowest != masked || masked == classes ? kNotFinite : chosen;
}

/// The same of a few scores that have just been written one by one, which a vector of them would have to wait for.
template <class T>
[[nodiscard]] std::int32_t class_of_few(std::span<const T> scores, std::size_t masked) noexcept {
  T best = -std::numeric_limits<T>::infinity();
  std::int32_t chosen = 0;
  std::size_t lowest = 0, good = 0;
  for (std::size_t c = 0; c < scores.size(); ++c) {
    const T z = scores[c];
    const bool is_better = z > best;
    chosen = is_better ? static_cast<std::int32_t>(c) : chosen;
    best = is_better ? z : best;
    lowest += z == -std::numeric_limits<T>::infinity() ? 1U : 0U;
    good += z <= std::numeric_limits<T>::max() ? 1U : 0U;
  }
  return class_of_scores(good < scores.size() ? kNotFinite : chosen, lowest, masked, scores.size());
}

template <class T>
inline constexpr T kNone = std::numeric_limits<T>::quiet_NaN();

/// Scores at(c), relative to which none is missing, become logarithms of probabilities; ProbabilityArgs::log_sums.
template <class T, class At>
void make_log_probabilities(std::size_t classes, T log_sum, const At& at) noexcept {
  T max = at(0);
  for (std::size_t c = 1; c < classes; ++c) max = std::max(max, at(c));
  for (std::size_t c = 0; c < classes; ++c) at(c) = -(log_sum + (max - at(c)));
}

/// best = the classes of highest rank, best first; of equal ones the lower index. A heap with the worst of them on top.
template <class Rank>
void choose_best(std::size_t classes, std::span<std::int32_t> best, const Rank& rank) noexcept {
  const auto is_better = [&](std::int32_t a, std::int32_t b) {
    const auto of_a = rank(static_cast<std::size_t>(a)), of_b = rank(static_cast<std::size_t>(b));
    return of_a > of_b || (of_a == of_b && a < b);
  };
  const auto k = static_cast<std::int32_t>(best.size());
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(classes); ++c) {
    if (c < k) {
      best[static_cast<std::size_t>(c)] = c;
      std::push_heap(best.begin(), best.begin() + c + 1, is_better);
    } else if (is_better(c, best.front())) {
      std::ranges::pop_heap(best, is_better);
      best.back() = c;
      std::ranges::push_heap(best, is_better);
    }
  }
  std::ranges::sort_heap(best, is_better);
}

/// One score: positive if z > 0, so that a tie goes to class 0.
inline std::int32_t class_of_score(double z) noexcept {
  return !std::isfinite(z) ? kNotFinite : z > 0 ? 1 : 0;
}

struct BlockShape {
  std::size_t features = 0, rows = 0, classes = 0, masked = 0;  // rows: of W
  std::size_t capacity = 0;                                     // rows of a block
  double threshold = 0;                                         // 0: none
};

/// Predicts one block of rows after the other with one thread's scratch memory.
template <class T>
class BlockPredictor {
 public:
  using Shape = BlockShape;

  BlockPredictor(const Shape& shape, Arena& arena) noexcept : shape_(shape) {
    rows_.stride = round_up(shape.features, kPanel);
    rows_.values = arena.take<T>(shape.capacity * rows_.stride);
    rows_.labels = arena.take<std::int32_t>(shape.capacity);
    rows_.weights = arena.take<T>(shape.capacity);
    rows_.rows = arena.take<std::uint32_t>(shape.capacity);
    rows_.positions = arena.take<std::uint32_t>(shape.capacity);
    logits_ = arena.take<T>(logit_count(shape.capacity, shape.rows));
    probabilities_ = arena.take<T>(logit_count(shape.capacity, shape.classes));
    log_sums_ = arena.take<T>(round_up(shape.capacity, kPanel) + kPanel);
    chosen_ = arena.take<std::int32_t>(shape.capacity);
    lowest_ = arena.take<std::uint32_t>(shape.capacity);
    order_ = arena.take<std::int32_t>(shape.classes);
  }

  [[nodiscard]] RowBlock<T> load(const RowSource<T>& source, std::size_t first, std::size_t end) noexcept {
    return source.load(first, end, rows_);
  }
  void predict(const RowBlock<T>& x, std::size_t first, LogitsArgs<T> args, const Kernels<T>& kernel, Loss loss,
               const BasicPredictions<T>& out) noexcept {
    first_ = first;
    args.x = x;
    args.logits = logits_;
    args.capacity = shape_.capacity;
    kernel.logits(args);
    choose(args.x.count, kernel, loss, out);
    const bool top = !out.top_classes.empty() || !out.top_probabilities.empty();
    const bool judges = shape_.threshold > 0 && !out.classes.empty();
    const bool wanted = top || judges || !out.probabilities.empty() || !out.log_probabilities.empty();
    if (loss != Loss::hinge && wanted) probabilities(args.x.count, kernel, loss, out);
    if (top) top_k(args.x.count, loss, out);
    for (std::size_t i = 0; i < args.x.count && judges; ++i) {
      const auto chosen = static_cast<std::size_t>(chosen_[i]);
      if (chosen_[i] == kNotFinite || !(probability(i, chosen) < static_cast<T>(shape_.threshold))) continue;
      out.classes[first_ + i] = kAbstained;
    }
  }

 private:
  [[nodiscard]] T score(std::size_t i, std::size_t c) const {
    return logits_[logit_index(shape_.capacity, shape_.rows, i, c)];
  }
  [[nodiscard]] T probability(std::size_t i, std::size_t c) const {
    return chosen_[i] == kNotFinite ? kNone<T> : probabilities_[logit_index(shape_.capacity, shape_.classes, i, c)];
  }

  void choose(std::size_t count, const Kernels<T>& kernel, Loss loss, const BasicPredictions<T>& out) {
    ChoiceArgs<T> args;
    args.logits = logits_;
    args.capacity = shape_.capacity;
    args.rows = count;
    args.classes = shape_.rows;
    args.panels = !is_class_major(shape_.rows);
    args.chosen = chosen_;
    args.lowest = lowest_;
    if (loss != Loss::logistic) kernel.choice(args);
    for (std::size_t i = 0; i < count; ++i) {
      chosen_[i] = loss == Loss::logistic ? class_of_score(score(i, 0))
                                          : class_of_scores(chosen_[i], lowest_[i], shape_.masked, shape_.rows);
    }
    if (!out.classes.empty()) std::copy_n(chosen_, count, out.classes.begin() + static_cast<std::ptrdiff_t>(first_));
    for (std::size_t i = 0; i < count && !out.logits.empty(); ++i) {
      for (std::size_t c = 0; c < shape_.rows; ++c) {
        out.logits.at(first_ + i, c) = chosen_[i] == kNotFinite ? kNone<T> : score(i, c);
      }
    }
  }

  void probabilities(std::size_t count, const Kernels<T>& kernel, Loss loss, const BasicPredictions<T>& out) {
    ProbabilityArgs<T> args;
    args.logits = logits_;
    args.capacity = args.probability_capacity = shape_.capacity;
    args.rows = count;
    args.classes = shape_.rows;
    if (!out.log_probabilities.empty()) args.log_sums = log_sums_;
    if (loss == Loss::logistic) {
      args.complements = probabilities_;
      args.probabilities = probabilities_ + shape_.capacity;
      kernel.logistic_probabilities(args);
    } else {
      args.probabilities = probabilities_;
      kernel.softmax_probabilities(args);
    }
    for (std::size_t i = 0; i < count && !out.probabilities.empty(); ++i) {
      for (std::size_t c = 0; c < shape_.classes; ++c) out.probabilities.at(first_ + i, c) = probability(i, c);
    }
    for (std::size_t i = 0; i < count && !out.log_probabilities.empty(); ++i) {
      const auto at = [&](std::size_t c) -> T& { return out.log_probabilities.at(first_ + i, c); };
      for (std::size_t c = 0; c < shape_.classes; ++c) {
        at(c) = chosen_[i] == kNotFinite ? kNone<T>
                : loss != Loss::logistic ? score(i, c)
                : c == 1                 ? score(i, 0)
                                         : T(0);
      }
      if (chosen_[i] != kNotFinite) make_log_probabilities<T>(shape_.classes, log_sums_[i], at);
    }
  }

  void top_k(std::size_t count, Loss loss, const BasicPredictions<T>& out) {
    const std::size_t k = std::max(out.top_classes.cols, out.top_probabilities.cols);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<std::int32_t> best(order_, k);
      std::ranges::fill(best, kNotFinite);
      if (chosen_[i] != kNotFinite) {
        choose_best(shape_.classes, best,
                    [&](std::size_t c) { return loss == Loss::logistic ? probability(i, c) : score(i, c); });
      }
      for (std::size_t t = 0; t < k; ++t) {
        if (!out.top_classes.empty()) out.top_classes.at(first_ + i, t) = best[t];
        if (out.top_probabilities.empty()) continue;
        out.top_probabilities.at(first_ + i, t) =
            best[t] == kNotFinite ? kNone<T> : probability(i, static_cast<std::size_t>(best[t]));
      }
    }
  }

  Shape shape_;
  std::size_t first_ = 0;  // the block's first row
  RowBuffers<T> rows_;
  T* logits_ = nullptr;
  T* probabilities_ = nullptr;
  T* log_sums_ = nullptr;
  std::int32_t* chosen_ = nullptr;  // one per row of the block, as the next
  std::uint32_t* lowest_ = nullptr;
  std::int32_t* order_ = nullptr;  // one per class
};

}  // namespace lanemax

#endif
