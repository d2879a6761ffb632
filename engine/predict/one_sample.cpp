// SPDX-License-Identifier: BSD-3-Clause
//
// A predictor's calls for one sample, which allocate nothing and ask nothing of the system.
#include "engine/float_environment.hpp"
#include "engine/predict/block_predictor.hpp"
#include "engine/predict/predictor_state.hpp"
#include "engine/tiny_blocks.hpp"

#include <algorithm>
#include <limits>

namespace lanemax {
namespace {

constexpr std::size_t kAtATime = 1024;  ///< scores: as many as suit the stack

/// `count` features of a sample as the products take them: less the centre in f64, if there is one, and rounded to T.
template <class T>
void load_features(const Kernels<T>& kernel, const void* data, FeatureType type, const double* centre,
                   std::size_t count, T* out) noexcept {
  const std::uint32_t row = 0;
  LoadArgs<T> args;
  args.data = data;
  args.type = type;
  args.rows = &row;
  args.count = 1;
  args.features = count;
  args.centre = centre;
  args.out = out;
  kernel.load(args);
}

}  // namespace

template <class T>
template <class Use>
[[gnu::always_inline]] inline std::int32_t PredictorState<T>::score(const SampleView& sample,
                                                                    const Use& use) const noexcept {
  const Kernels<T>& kernel = kernels<T>(*table);
  LogitsArgs<T> args;
  args.x = {static_cast<const T*>(sample.data), features, 1};
  args.features = features;
  args.form = row_form;
  static_assert(kMostClassMajor <= kAtATime && kAtATime % kPanel == 0);
  alignas(kAlignment) T logits[kAtATime];
  args.logits = logits;
  args.capacity = 1;
  const auto compute = [&](std::size_t first, std::size_t count) {
    args.classes = count;
    args.weights = row_weights + first * features;
    args.bias = bias + first;
    const bool ready = sample.type == kOwn && centre == nullptr;
    ready ? kernel.logits(args) : score_in_slices(sample, args);
  };
  if (row_form != LogitsForm::panel) {
    compute(0, rows);
    use(std::size_t{0}, std::span<const T>(logits, rows));
    return loss == Loss::logistic ? class_of_score(logits[0]) : class_of_few(std::span<const T>(logits, rows), masked);
  }
  std::int32_t chosen = 0, best_class = 0;
  std::uint32_t lowest = 0;
  ChoiceArgs<T> choice;
  choice.logits = logits;
  choice.capacity = choice.rows = 1;
  choice.panels = true;
  choice.chosen = &chosen;
  choice.lowest = &lowest;
  T best = -std::numeric_limits<T>::infinity();
  std::size_t all_lowest = 0;
  for (std::size_t first = 0; first < rows; first += kAtATime) {
    const std::size_t count = std::min(kAtATime, rows - first);
    compute(first, round_up(count, kPanel));  // padding's bias is -infinity
    use(first, std::span<const T>(logits, count));
    if (loss == Loss::logistic) return class_of_score(logits[0]);
    choice.classes = count;
    kernel.choice(choice);
    if (chosen < 0) return kNotFinite;
    all_lowest += lowest;
    if (logits[chosen] > best) {
      best = logits[chosen];
      best_class = static_cast<std::int32_t>(first) + chosen;
    }
  }
  return class_of_scores(best_class, all_lowest, masked, rows);
}

template <class T>
std::int32_t PredictorState<T>::score(const SampleView& sample, T* logits) const noexcept {
  const std::size_t padded = stride() == 1 ? round_up(rows, kPanel) : rows;
  std::fill(logits + rows * stride(), logits + padded * stride(), -std::numeric_limits<T>::infinity());
  return score(sample, [&](std::size_t first, std::span<const T> scores) {
    for (std::size_t c = 0; c < scores.size(); ++c) logits[(first + c) * stride()] = scores[c];
  });
}

// A row that has to be converted first is nowhere whole: any number of features fits the stack.
template <class T>
[[gnu::noinline]] void PredictorState<T>::score_in_slices(const SampleView& sample, LogitsArgs<T> args) const noexcept {
  constexpr std::size_t kSlice = kTinyBlocks ? kPanel : 1024;
  alignas(kAlignment) T values[kSlice];
  alignas(kAlignment) T sums[kMostClassMajor * kPanel];
  FeatureSlice<T> slice{0, features, sums};
  args.slice = &slice;
  const char* data = static_cast<const char*>(sample.data);
  for (; slice.first < features; slice.first += kSlice) {
    args.features = std::min(kSlice, features - slice.first);
    args.x = {values, args.features, 1};
    load_features<T>(kernels<T>(*table), data + slice.first * size_of(sample.type), sample.type,
                     centre == nullptr ? nullptr : centre + slice.first, args.features, values);
    kernels<T>(*table).logits(args);
  }
}

template <class T>
void PredictorState<T>::make_probabilities(T* row, T* log_sums) const noexcept {
  ProbabilityArgs<T> args;
  args.log_sums = log_sums;
  args.logits = args.probabilities = row;
  args.capacity = args.probability_capacity = stride();
  args.rows = 1;
  args.classes = rows;
  if (loss != Loss::logistic) return kernels<T>(*table).softmax_probabilities(args);
  args.complements = row;
  args.probabilities = row + stride();
  kernels<T>(*table).logistic_probabilities(args);
}

namespace {

bool fits(const auto* state, const SampleView& sample) {
  return state != nullptr && sample.data != nullptr && sample.size == state->features;
}

/// Room for the scores of one sample, on the stack or in the caller's workspace.
template <class T>
class RowMemory {
 public:
  static constexpr std::size_t kNumbers = 4096;
  RowMemory(std::size_t numbers, std::span<std::byte> workspace) noexcept : arena_(workspace) {
    data_ = numbers <= kNumbers ? own_ : arena_.take<T>(numbers);
  }
  /// Null: the workspace is too small.
  [[nodiscard]] T* data() noexcept { return data_; }

 private:
  alignas(kAlignment) T own_[kNumbers];
  Arena arena_;
  T* data_;
};

}  // namespace

// Apart from predict(), which has no room for all scores on its stack and needs none without a threshold.
template <class T>
[[gnu::noinline]] std::int32_t PredictorState<T>::answer(const SampleView& sample, std::span<T> logits) const noexcept {
  T best = -std::numeric_limits<T>::infinity();
  if (row_numbers() > RowMemory<T>::kNumbers) {
    const std::int32_t chosen = score(sample, [&](std::size_t first, std::span<const T> scores) {
      best = std::max(best, *std::ranges::max_element(scores));
      if (!logits.empty()) std::ranges::copy(scores, logits.begin() + static_cast<std::ptrdiff_t>(first));
    });
    return chosen < 0 ? chosen : class_or_abstained(chosen, largest_probability(sample, best));
  }
  RowMemory<T> own(row_numbers(), {});
  T* const row = own.data();
  const std::int32_t chosen = score(sample, row);
  for (std::size_t c = 0; c < logits.size(); ++c) logits[c] = row[c * stride()];
  if (chosen < 0) return chosen;
  make_probabilities(row);
  return class_or_abstained(chosen, row[static_cast<std::size_t>(chosen) * stride()]);
}

template <class T>
T PredictorState<T>::largest_probability(const SampleView& sample, T score_of_best) const noexcept {
  ClassSlice<T> slice;
  slice.classes = rows;
  slice.max = score_of_best;
  alignas(kAlignment) T terms[kAtATime];
  ProbabilityArgs<T> args;
  args.probabilities = terms;
  args.capacity = args.probability_capacity = args.rows = 1;
  args.slice = &slice;
  score(sample, [&](std::size_t, std::span<const T> scores) {
    args.logits = scores.data();  // which are padded
    args.classes = scores.size();
    kernels<T>(*table).softmax_probabilities(args);
  });
  return slice.largest;
}

template <class T>
std::int32_t BasicPredictor<T>::predict(const SampleView& sample) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample)) return kWrongSize;
  if (state_->threshold > 0) return state_->answer(sample, {});
  return state_->score(sample, [](std::size_t, std::span<const T>) {});
}

template <class T>
std::int32_t BasicPredictor<T>::logits(const SampleView& sample, std::span<T> out) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample) || out.size() != state_->rows) return kWrongSize;
  const auto copy = [&](std::size_t first, std::span<const T> scores) {
    std::ranges::copy(scores, out.begin() + static_cast<std::ptrdiff_t>(first));
  };
  const std::int32_t chosen = state_->threshold > 0 ? state_->answer(sample, out) : state_->score(sample, copy);
  if (chosen == kNotFinite) std::ranges::fill(out, kNone<T>);
  return chosen;
}

namespace {

/// What is asked of all classes: make(row) makes probabilities of the scores in the row's memory, and `out`.
template <class T, class Make>
std::int32_t of_all_classes(const PredictorState<T>* state, const SampleView& sample, std::span<std::byte> workspace,
                            std::span<T> out, const Make& make) noexcept {
  if (!fits(state, sample) || state->loss == Loss::hinge || out.size() != state->classes) return kWrongSize;
  RowMemory<T> memory(state->row_numbers(), workspace);
  T* const row = memory.data();
  if (row == nullptr) return kWrongSize;
  const std::int32_t chosen = state->score(sample, row);
  if (chosen < 0) {
    std::ranges::fill(out, kNone<T>);
    return chosen;
  }
  make(row);
  return state->class_or_abstained(chosen, row[static_cast<std::size_t>(chosen) * state->stride()]);
}

}  // namespace

template <class T>
std::int32_t BasicPredictor<T>::probabilities(const SampleView& sample, std::span<std::byte> workspace,
                                              std::span<T> out) const noexcept {
  const FloatEnvironment environment;
  return of_all_classes<T>(state_.get(), sample, workspace, out, [&](T* row) {
    state_->make_probabilities(row);
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = row[c * state_->stride()];
  });
}

template <class T>
std::int32_t BasicPredictor<T>::log_probabilities(const SampleView& sample, std::span<std::byte> workspace,
                                                  std::span<T> out) const noexcept {
  const FloatEnvironment environment;
  return of_all_classes<T>(state_.get(), sample, workspace, out, [&](T* row) {
    const bool logistic = state_->loss == Loss::logistic;  // its scores are 0 and z
    for (std::size_t c = 0; c < out.size(); ++c) {
      out[c] = logistic ? (c == 1 ? row[0] : T(0)) : row[c * state_->stride()];
    }
    alignas(kAlignment) T log_sum[kPanel];
    state_->make_probabilities(row, log_sum);
    make_log_probabilities<T>(out.size(), *log_sum, [&](std::size_t c) -> T& { return out[c]; });
  });
}

template <class T>
std::int32_t BasicPredictor<T>::top_k(const SampleView& sample, std::span<std::byte> workspace,
                                      std::span<std::int32_t> classes, std::span<T> probabilities) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample)) return kWrongSize;
  const PredictorState<T>& s = *state_;
  const bool wants_probabilities = !probabilities.empty();
  if (classes.empty() || classes.size() > s.classes) return kWrongSize;
  if (wants_probabilities && (probabilities.size() != classes.size() || s.loss == Loss::hinge)) return kWrongSize;
  RowMemory<T> row(s.row_numbers(), workspace);
  if (row.data() == nullptr) return kWrongSize;
  const std::int32_t chosen = s.score(sample, row.data());
  std::ranges::fill(classes, kNotFinite);
  std::ranges::fill(probabilities, kNone<T>);
  if (chosen < 0) return chosen;
  const bool logistic = s.loss == Loss::logistic;  // of one score: its classes are ranked by their probabilities
  if (logistic) s.make_probabilities(row.data());
  choose_best(s.classes, classes, [&](std::size_t c) { return row.data()[c * s.stride()]; });
  if ((wants_probabilities || s.threshold > 0) && !logistic) s.make_probabilities(row.data());
  for (std::size_t t = 0; t < probabilities.size(); ++t) {
    probabilities[t] = row.data()[static_cast<std::size_t>(classes[t]) * s.stride()];
  }
  return s.class_or_abstained(chosen, row.data()[static_cast<std::size_t>(chosen) * s.stride()]);
}

template <class T>
std::size_t BasicPredictor<T>::workspace_bytes() const noexcept {
  if (state_ == nullptr || state_->row_numbers() <= RowMemory<T>::kNumbers) return 0;
  Arena arena;
  arena.take<T>(state_->row_numbers());
  return arena.bytes();
}

template std::int32_t BasicPredictor<float>::predict(const SampleView&) const noexcept;
template std::int32_t BasicPredictor<float>::logits(const SampleView&, std::span<float>) const noexcept;
template std::int32_t BasicPredictor<float>::probabilities(const SampleView&, std::span<std::byte>,
                                                           std::span<float>) const noexcept;
template std::int32_t BasicPredictor<float>::log_probabilities(const SampleView&, std::span<std::byte>,
                                                               std::span<float>) const noexcept;
template std::int32_t BasicPredictor<float>::top_k(const SampleView&, std::span<std::byte>, std::span<std::int32_t>,
                                                   std::span<float>) const noexcept;
template std::size_t BasicPredictor<float>::workspace_bytes() const noexcept;
template std::int32_t BasicPredictor<double>::predict(const SampleView&) const noexcept;
template std::int32_t BasicPredictor<double>::logits(const SampleView&, std::span<double>) const noexcept;
template std::int32_t BasicPredictor<double>::probabilities(const SampleView&, std::span<std::byte>,
                                                            std::span<double>) const noexcept;
template std::int32_t BasicPredictor<double>::log_probabilities(const SampleView&, std::span<std::byte>,
                                                                std::span<double>) const noexcept;
template std::int32_t BasicPredictor<double>::top_k(const SampleView&, std::span<std::byte>, std::span<std::int32_t>,
                                                    std::span<double>) const noexcept;
template std::size_t BasicPredictor<double>::workspace_bytes() const noexcept;

}  // namespace lanemax
