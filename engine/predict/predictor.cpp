// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/predictor.hpp>

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/plan.hpp"
#include "engine/pass/weights.hpp"
#include "engine/predict/block_predictor.hpp"
#include "engine/tiny_blocks.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

namespace lanemax {

template <class T>
struct BasicPredictor<T>::State {
  static constexpr FeatureType kOwn = sizeof(T) == sizeof(float) ? FeatureType::f32 : FeatureType::f64;
  const KernelTable* table = nullptr;
  LogitsForm form = LogitsForm::panel;
  Loss loss = Loss::softmax;
  std::size_t features = 0;
  std::size_t rows = 0;  // of W
  std::size_t classes = 0;
  std::size_t masked = 0;  // classes with a bias of -infinity
  Workspace memory;
  std::vector<std::string> labels;
  T* weights = nullptr;
  T* bias = nullptr;
  double* centre = nullptr;  // null: none
  // A row alone, whose lanes cannot be other rows, has them over classes: the same sums in the same order.
  LogitsForm row_form = LogitsForm::panel;
  const T* row_weights = nullptr;
  T* row_panels = nullptr;  // null: the weights are those

  /// Copies the weights. May throw std::bad_alloc.
  [[nodiscard]] Status take(Loss the_loss, const WeightsView<const T>& view, std::span<const double> the_centre);
  void lay_out(Arena& arena, bool centred) {
    weights = arena.take<T>(weight_count(features, rows));
    bias = arena.take<T>(bias_count(rows));
    if (centred) centre = arena.take<double>(features);
    if (form == LogitsForm::sample) row_panels = arena.take<T>(panel_count(rows) * features * kPanel);
  }

  /// Calls use(first, scores) for the scores of a sample, some classes at a time. Returns its class.
  template <class Use>
  std::int32_t score(const SampleView& sample, const Use& use) const noexcept;
  void score_in_slices(const SampleView& sample, LogitsArgs<T> args) const noexcept;
  /// All of them as the kernels that follow take one row's: [scores][stride()], padded.
  std::int32_t score(const SampleView& sample, T* logits) const noexcept;
  [[nodiscard]] std::size_t stride() const noexcept { return is_class_major(rows) ? kPanel : 1; }
  [[nodiscard]] std::size_t row_numbers() const noexcept { return logit_count(stride(), classes); }
  /// In place of the scores: of class c at c * stride().
  void make_probabilities(T* row) const noexcept;
};

namespace {

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
BasicPredictor<T>::BasicPredictor() noexcept = default;
template <class T>
BasicPredictor<T>::~BasicPredictor() = default;
template <class T>
BasicPredictor<T>::BasicPredictor(BasicPredictor&&) noexcept = default;
template <class T>
BasicPredictor<T>& BasicPredictor<T>::operator=(BasicPredictor&&) noexcept = default;

template <class T>
Status BasicPredictor<T>::create(const Model& model, Isa isa, BasicPredictor& predictor) noexcept {
  const FloatEnvironment environment;
  Status status = check_model(model);
  auto made = std::unique_ptr<State>(new (std::nothrow) State);
  if (made == nullptr) return fail(StatusCode::out_of_memory, "predictor", "memory for a copy of the model");
  if (status.ok()) status = select_kernels({.isa = isa}, made->table);
  if (!status.ok()) return status;
  return without_exceptions("predictor", "memory for a copy of the model", [&] {
    made->labels = model.class_labels;
    if constexpr (std::is_same_v<T, float>) {
      status = made->take(model.loss, {model.weights(), model.bias}, model.centre);
    } else {
      const std::vector<T> weights(model.weight.begin(), model.weight.end()),
          bias(model.bias.begin(), model.bias.end());
      status = made->take(model.loss, {{weights.data(), bias.size(), model.features}, bias}, model.centre);
    }
    if (status.ok()) predictor.state_ = std::move(made);
    return status;
  });
}

template <class T>
Status BasicPredictor<T>::create(Loss loss, const WeightsView<const T>& weights, Isa isa,
                                 BasicPredictor& predictor) noexcept {
  const FloatEnvironment environment;
  const auto& w = weights.weights;
  if (w.empty() || w.rows == 0 || w.cols == 0) return fail(StatusCode::shape_mismatch, "weights", "a row and a column");
  if (loss == Loss::logistic && w.rows != 1) {
    return fail(StatusCode::shape_mismatch, "weights", "one row for the logistic loss");
  }
  Status status = check_weights(weights);
  auto made = std::unique_ptr<State>(new (std::nothrow) State);
  if (made == nullptr) return fail(StatusCode::out_of_memory, "predictor", "memory for a copy of the weights");
  if (status.ok()) status = select_kernels({.isa = isa}, made->table);
  if (!status.ok()) return status;
  return without_exceptions("predictor", "memory for a copy of the weights", [&] {
    status = made->take(loss, weights, {});
    if (status.ok()) predictor.state_ = std::move(made);
    return status;
  });
}

template <class T>
Status BasicPredictor<T>::load(const char* path, Isa isa, BasicPredictor& predictor) noexcept {
  return without_exceptions("predictor", "memory for a model", [&] {
    Model model;
    const Status status = load_model(path, model);
    return status.ok() ? create(model, isa, predictor) : status;
  });
}
template <class T>
std::size_t BasicPredictor<T>::features() const noexcept {
  return state_ == nullptr ? 0 : state_->features;
}
template <class T>
std::size_t BasicPredictor<T>::classes() const noexcept {
  return state_ == nullptr ? 0 : state_->classes;
}

template <class T>
std::size_t BasicPredictor<T>::scores() const noexcept {
  return state_ == nullptr ? 0 : state_->rows;
}
template <class T>
std::string_view BasicPredictor<T>::label(std::int64_t class_index) const noexcept {
  const auto c = static_cast<std::size_t>(class_index);
  return state_ == nullptr || class_index < 0 || c >= state_->labels.size() ? std::string_view() : state_->labels[c];
}

template <class T>
Status BasicPredictor<T>::State::take(Loss the_loss, const WeightsView<const T>& view,
                                      std::span<const double> the_centre) {
  loss = the_loss;
  features = view.weights.cols;
  rows = view.weights.rows;
  classes = loss == Loss::logistic ? 2 : rows;
  masked = static_cast<std::size_t>(std::ranges::count(view.bias, -std::numeric_limits<T>::infinity()));
  form = logits_form<T>(*table, features, rows);
  const bool centred = !the_centre.empty();
  Arena measure;
  lay_out(measure, centred);
  memory = Workspace(measure.bytes());
  if (measure.bytes() == 0 || memory.empty()) throw std::bad_alloc();
  Arena arena(memory);
  lay_out(arena, centred);
  if (centred) std::ranges::copy(the_centre, centre);
  row_form = form == LogitsForm::sample ? LogitsForm::panel : form;
  row_weights = row_panels == nullptr ? weights : row_panels;
  const Status status = import_weights<T>(view, weights, bias);
  return row_panels == nullptr || import_panels(view.weights, row_panels) ? status : check_weights(view);
}

// ---- one sample ----

template <class T>
template <class Use>
[[gnu::always_inline]] inline std::int32_t BasicPredictor<T>::State::score(const SampleView& sample,
                                                                           const Use& use) const noexcept {
  const Kernels<T>& kernel = kernels<T>(*table);
  LogitsArgs<T> args;
  args.x = {static_cast<const T*>(sample.data), features, 1};
  args.features = features;
  args.form = row_form;
  // As many scores at a time as suit the stack.
  constexpr std::size_t kAtATime = 1024;
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
std::int32_t BasicPredictor<T>::State::score(const SampleView& sample, T* logits) const noexcept {
  const std::size_t padded = stride() == 1 ? round_up(rows, kPanel) : rows;
  std::fill(logits + rows * stride(), logits + padded * stride(), -std::numeric_limits<T>::infinity());
  return score(sample, [&](std::size_t first, std::span<const T> scores) {
    for (std::size_t c = 0; c < scores.size(); ++c) logits[(first + c) * stride()] = scores[c];
  });
}

// A row that has to be converted first is nowhere whole: any number of features fits the stack.
template <class T>
[[gnu::noinline]] void BasicPredictor<T>::State::score_in_slices(const SampleView& sample,
                                                                 LogitsArgs<T> args) const noexcept {
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
void BasicPredictor<T>::State::make_probabilities(T* row) const noexcept {
  ProbabilityArgs<T> args;
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

template <class T>
std::int32_t BasicPredictor<T>::predict(const SampleView& sample) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample)) return kWrongSize;
  return state_->score(sample, [](std::size_t, std::span<const T>) {});
}

template <class T>
std::int32_t BasicPredictor<T>::logits(const SampleView& sample, std::span<T> out) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample) || out.size() != state_->rows) return kWrongSize;
  const auto copy = [&](std::size_t first, std::span<const T> scores) {
    std::ranges::copy(scores, out.begin() + static_cast<std::ptrdiff_t>(first));
  };
  const std::int32_t chosen = state_->score(sample, copy);
  if (chosen < 0) std::ranges::fill(out, kNone<T>);
  return chosen;
}

template <class T>
std::int32_t BasicPredictor<T>::probabilities(const SampleView& sample, std::span<std::byte> workspace,
                                              std::span<T> out) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample) || state_->loss == Loss::hinge || out.size() != state_->classes) return kWrongSize;
  const State& s = *state_;
  RowMemory<T> row(s.row_numbers(), workspace);
  if (row.data() == nullptr) return kWrongSize;
  const std::int32_t chosen = s.score(sample, row.data());
  if (chosen < 0) {
    std::ranges::fill(out, kNone<T>);
  } else {
    s.make_probabilities(row.data());
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = row.data()[c * s.stride()];
  }
  return chosen;
}

template <class T>
std::int32_t BasicPredictor<T>::top_k(const SampleView& sample, std::span<std::byte> workspace,
                                      std::span<std::int32_t> classes, std::span<T> probabilities) const noexcept {
  const FloatEnvironment environment;
  if (!fits(state_.get(), sample)) return kWrongSize;
  const State& s = *state_;
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
  if (wants_probabilities && !logistic) s.make_probabilities(row.data());
  for (std::size_t t = 0; t < probabilities.size(); ++t) {
    probabilities[t] = row.data()[static_cast<std::size_t>(classes[t]) * s.stride()];
  }
  return chosen;
}

template <class T>
std::size_t BasicPredictor<T>::workspace_bytes() const noexcept {
  if (state_ == nullptr || state_->row_numbers() <= RowMemory<T>::kNumbers) return 0;
  Arena arena;
  arena.take<T>(state_->row_numbers());
  return arena.bytes();
}

// ---- many ----

namespace {

template <class T>
BlockShape shape_of(const auto& state) {
  // The cut into blocks does not touch the bits of a row's answer.
  constexpr std::size_t kManyRows = std::size_t{1} << 20;
  return {state.features, state.rows, state.classes, state.masked,
          make_plan<T>(kManyRows, state.features, state.rows).block_rows};
}

}  // namespace

template <class T>
std::size_t BasicPredictor<T>::batch_workspace_bytes(int threads) const noexcept {
  if (state_ == nullptr) return 0;
  Arena arena;
  for (int thread = 0; thread < std::max(threads, 1); ++thread) {
    BlockPredictor<T>(shape_of<T>(*state_), arena);
  }
  return arena.bytes();
}

template <class T>
Status BasicPredictor<T>::predict_batch(const FeaturesView& features, int threads, std::span<std::byte> workspace,
                                        const BasicPredictions<T>& out) const noexcept {
  const FloatEnvironment environment;
  if (state_ == nullptr) return fail(StatusCode::invalid_argument, "predictor", "one made by create()");
  const State& s = *state_;
  const std::size_t n = features.samples;
  const auto fits = [n](const auto& m, std::size_t cols) { return m.empty() || (m.rows == n && m.cols == cols); };
  if (features.features != s.features) {
    return fail(StatusCode::shape_mismatch, "features", "as many columns as the model has features");
  }
  if (n > 0 && features.data == nullptr) return fail(StatusCode::invalid_argument, "features", "data");
  if (const Status strides = check_strides(features); !strides.ok()) return strides;
  if (!out.classes.empty() && out.classes.size() != n) {
    return fail(StatusCode::shape_mismatch, "classes", "one per sample");
  }
  if (!fits(out.logits, s.rows)) return fail(StatusCode::shape_mismatch, "logits", "samples x score rows");
  if (!fits(out.probabilities, s.classes)) {
    return fail(StatusCode::shape_mismatch, "probabilities", "samples x classes");
  }
  const std::size_t k = std::max(out.top_classes.cols, out.top_probabilities.cols);
  if (!fits(out.top_classes, k) || !fits(out.top_probabilities, k)) {
    return fail(StatusCode::shape_mismatch, "top_k", "samples x k, of the classes as of their probabilities");
  }
  if ((!out.top_classes.empty() || !out.top_probabilities.empty()) && (k < 1 || k > s.classes)) {
    return fail(StatusCode::invalid_argument, "top_k", "a number from 1 to the number of classes");
  }
  if (s.loss == Loss::hinge && (!out.probabilities.empty() || !out.top_probabilities.empty())) {
    return fail(StatusCode::invalid_argument, "probabilities", "a softmax or logistic model: hinge has none");
  }
  if (threads < 1) return fail(StatusCode::invalid_argument, "threads", "at least 1");
  const Status status = check_workspace(workspace, batch_workspace_bytes(threads));
  if (!status.ok() || n == 0) return status;

  const BlockShape shape = shape_of<T>(s);
  Batch batch;
  batch.features = features;
  if (s.centre != nullptr) batch.scaling.centre = {s.centre, s.features};
  const Objective objective;
  const RowSource<T> source(batch, objective, kernels<T>(*s.table));
  LogitsArgs<T> args;
  args.features = s.features;
  args.classes = s.rows;
  args.weights = s.weights;
  args.bias = s.bias;
  args.form = s.form;
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(s.features) * static_cast<double>(s.rows);
  parallel(usable_threads(threads, flops, s.table->blocks.serial_flops), [&](const Team& team) {
    Arena arena(workspace);
    for (std::size_t before = 0; before < team.rank(); ++before) BlockPredictor<T>(shape, arena);
    BlockPredictor<T> block(shape, arena);
    team.for_each((n + shape.capacity - 1) / shape.capacity, [&](std::size_t index) {
      const std::size_t first = index * shape.capacity, end = std::min(first + shape.capacity, n);
      LogitsArgs<T> of_block = args;
      ReadAhead ahead;
      if (s.form == LogitsForm::dot && end < n) {
        ahead = source.memory_of(end, std::min(end + shape.capacity, n));
        ahead.rows = std::min(ahead.rows, s.table->pass.most_ahead(ahead.rows, s.rows));
        of_block.ahead = &ahead;
      }
      block.predict(block.load(source, first, end), first, of_block, kernels<T>(*s.table), s.loss, out);
    });
  });
  return {};
}

template class BasicPredictor<float>;
template class BasicPredictor<double>;

}  // namespace lanemax
