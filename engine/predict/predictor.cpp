// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/predictor.hpp>

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/plan.hpp"
#include "engine/pass/row_source.hpp"
#include "engine/pass/weights.hpp"
#include "engine/tiny_blocks.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>

namespace lanemax {

struct Predictor::State {
  const KernelTable* table = nullptr;
  LogitsForm form = LogitsForm::panel;
  Loss loss = Loss::softmax;
  std::size_t features = 0;
  std::size_t rows = 0;  // of W
  std::size_t classes = 0;
  std::size_t masked = 0;  // classes with a bias of -infinity
  OwnedWorkspace memory;
  float* weights = nullptr;
  float* bias = nullptr;
  double* centre = nullptr;  // null: none

  void lay_out(Arena& arena, bool centred) {
    weights = arena.take<float>(weight_count(features, rows));
    bias = arena.take<float>(bias_count(rows));
    if (centred) centre = arena.take<double>(features);
  }

  [[nodiscard]] std::int32_t class_of(const void* sample, FeatureType type) const noexcept;
  void score_in_slices(const void* sample, FeatureType type, LogitsArgs<float> args) const noexcept;
};

namespace {

constexpr std::int32_t kNoClass = -1;

/// The class that a row of scores names: the first of the largest, or kNoClass if a score is NaN or infinite. Masked
/// classes have -infinity; any more of those than there are masked classes come from an overflow.
class ArgMax {
 public:
  void add(float score, std::int32_t c) noexcept {
    bad_ = bad_ || !(score <= std::numeric_limits<float>::max());
    lowest_ += score == -std::numeric_limits<float>::infinity() ? 1U : 0U;
    if (score > best_) {
      best_ = score;
      class_ = c;
    }
  }
  [[nodiscard]] std::int32_t result(std::size_t masked) const noexcept {
    return bad_ || lowest_ != masked ? kNoClass : class_;
  }

 private:
  float best_ = -std::numeric_limits<float>::infinity();
  std::int32_t class_ = kNoClass;
  std::size_t lowest_ = 0;  // scores of -infinity
  bool bad_ = false;
};

/// One score: positive if z > 0, so that a tie goes to class 0.
std::int32_t class_of_score(float z) noexcept {
  return !std::isfinite(z) ? kNoClass : z > 0 ? 1 : 0;
}

template <class T>
void load_row(const Kernels<T>& kernel, const void* data, FeatureType type, std::size_t count, T* out) noexcept {
  const std::uint32_t row = 0;
  LoadArgs<T> args;
  args.data = data;
  args.type = type;
  args.rows = &row;
  args.count = 1;
  args.features = count;
  args.out = out;
  kernel.load(args);
}

/// `count` features of a sample as the products take them: less the centre in f64, if there is one, and rounded to f32.
void load_features(const KernelTable& table, const void* data, FeatureType type, const double* centre,
                   std::size_t count, float* out) noexcept {
  if (centre == nullptr) return load_row(table.f32, data, type, count, out);
  constexpr std::size_t kAtATime = 256;
  double values[kAtATime];
  const char* from = static_cast<const char*>(data);
  for (std::size_t first = 0; first < count; first += kAtATime) {
    const std::size_t some = std::min(kAtATime, count - first);
    load_row(table.f64, from + first * size_of(type), type, some, values);
    for (std::size_t d = 0; d < some; ++d) out[first + d] = static_cast<float>(values[d] - centre[first + d]);
  }
}

/// Predicts one block of rows after the other with one thread's scratch memory.
class BlockPredictor {
 public:
  struct Shape {
    std::size_t features = 0, rows = 0, classes = 0, masked = 0;  // rows: of W
    std::size_t capacity = 0;                                     // rows of a block
  };

  BlockPredictor(const Shape& shape, Arena& arena) noexcept : shape_(shape) {
    rows_.stride = round_up(shape.features, kPanel);
    rows_.values = arena.take<float>(shape.capacity * rows_.stride);
    rows_.labels = arena.take<std::int32_t>(shape.capacity);
    rows_.weights = arena.take<float>(shape.capacity);
    rows_.rows = arena.take<std::uint32_t>(shape.capacity);
    rows_.positions = arena.take<std::uint32_t>(shape.capacity);
    logits_ = arena.take<float>(logit_count(shape.capacity, shape.rows));
    probabilities_ = arena.take<float>(logit_count(shape.capacity, shape.classes));
    chosen_ = arena.take<std::int32_t>(shape.capacity);
    order_ = arena.take<std::int32_t>(shape.classes);
  }

  [[nodiscard]] RowBlock<float> load(const RowSource<float>& source, std::size_t first, std::size_t end) noexcept {
    return source.load(first, end, rows_);
  }
  /// The same, less a centre.
  [[nodiscard]] RowBlock<float> load_centred(const KernelTable& table, const FeaturesView& x, const double* centre,
                                             std::size_t first, std::size_t end) noexcept {
    for (std::size_t row = first; row < end; ++row) {
      const char* data = static_cast<const char*>(x.data) + row * x.row_stride * size_of(x.type);
      load_features(table, data, x.type, centre, x.features, rows_.values + (row - first) * rows_.stride);
    }
    return {rows_.values, rows_.stride, end - first};
  }

  void predict(const RowBlock<float>& x, std::size_t first, LogitsArgs<float> args, const Kernels<float>& kernel,
               Loss loss, const Predictions& out) noexcept {
    first_ = first;
    args.x = x;
    args.logits = logits_;
    args.capacity = shape_.capacity;
    kernel.logits(args);
    choose(args.x.count, loss, out);
    const bool top = out.top_classes != nullptr || out.top_probabilities != nullptr;
    if (loss != Loss::hinge && (top || !out.probabilities.empty())) probabilities(args.x.count, kernel, loss, out);
    if (top) top_k(args.x.count, loss, out);
  }

 private:
  [[nodiscard]] float score(std::size_t i, std::size_t c) const {
    return logits_[logit_index(shape_.capacity, shape_.rows, i, c)];
  }
  [[nodiscard]] float probability(std::size_t i, std::size_t c) const {
    return chosen_[i] == kNoClass ? kNone : probabilities_[logit_index(shape_.capacity, shape_.classes, i, c)];
  }

  void choose(std::size_t count, Loss loss, const Predictions& out) {
    for (std::size_t i = 0; i < count; ++i) {
      ArgMax best;
      for (std::size_t c = 0; c < shape_.rows; ++c) best.add(score(i, c), static_cast<std::int32_t>(c));
      chosen_[i] = loss == Loss::logistic ? class_of_score(score(i, 0)) : best.result(shape_.masked);
      if (out.classes != nullptr) out.classes[first_ + i] = chosen_[i];
      if (out.logits.empty()) continue;
      for (std::size_t c = 0; c < shape_.rows; ++c) {
        out.logits.at(first_ + i, c) = chosen_[i] == kNoClass ? kNone : score(i, c);
      }
    }
  }

  void probabilities(std::size_t count, const Kernels<float>& kernel, Loss loss, const Predictions& out) {
    ProbabilityArgs<float> args;
    args.logits = logits_;
    args.capacity = args.probability_capacity = shape_.capacity;
    args.rows = count;
    args.classes = shape_.rows;
    if (loss == Loss::logistic) {
      args.complements = probabilities_;
      args.probabilities = probabilities_ + shape_.capacity;
      kernel.logistic_probabilities(args);
    } else {
      args.probabilities = probabilities_;
      kernel.softmax_probabilities(args);
    }
    if (out.probabilities.empty()) return;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 0; c < shape_.classes; ++c) out.probabilities.at(first_ + i, c) = probability(i, c);
    }
  }

  void top_k(std::size_t count, Loss loss, const Predictions& out) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto rank = [&](std::int32_t c) {
        const auto index = static_cast<std::size_t>(c);
        return loss == Loss::logistic ? probability(i, index) : score(i, index);
      };
      std::int32_t* order = order_;
      std::iota(order, order + shape_.classes, 0);
      // A row without an answer may have NaN scores, which have no order.
      if (chosen_[i] != kNoClass)
        std::partial_sort(order, order + out.top_k, order + shape_.classes, [&](std::int32_t a, std::int32_t b) {
          return rank(a) > rank(b) || (rank(a) == rank(b) && a < b);
        });
      for (std::size_t t = 0; t < out.top_k; ++t) {
        const std::int32_t c = chosen_[i] == kNoClass ? kNoClass : order[t];
        const std::size_t at = (first_ + i) * out.top_k + t;
        if (out.top_classes != nullptr) out.top_classes[at] = c;
        if (out.top_probabilities != nullptr) {
          out.top_probabilities[at] = c == kNoClass ? kNone : probability(i, static_cast<std::size_t>(c));
        }
      }
    }
  }

  static constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  Shape shape_;
  std::size_t first_ = 0;  // the block's first row
  RowBuffers<float> rows_;
  float* logits_ = nullptr;
  float* probabilities_ = nullptr;
  std::int32_t* chosen_ = nullptr;  // one per row of the block
  std::int32_t* order_ = nullptr;   // one per class
};

}  // namespace

Predictor::Predictor() noexcept = default;
Predictor::~Predictor() = default;
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;

Status Predictor::create(const Model& model, Isa isa, Predictor& predictor) noexcept {
  const FloatEnvironment environment;
  Status status = check_model(model);
  const KernelTable* table = nullptr;
  if (status.ok()) status = select_kernels({.isa = isa}, table);
  if (!status.ok()) return status;
  std::unique_ptr<State> state(new (std::nothrow) State);
  if (state == nullptr) return fail(StatusCode::out_of_memory, "predictor", "");
  state->table = table;
  state->loss = model.loss;
  state->features = model.features;
  state->rows = model.rows();
  state->classes = model.classes();
  state->masked = static_cast<std::size_t>(
      std::count(model.bias.begin(), model.bias.end(), -std::numeric_limits<float>::infinity()));
  state->form = logits_form<float>(*table, state->features, state->rows);
  const bool centred = !model.centre.empty();
  Arena measure;
  state->lay_out(measure, centred);
  state->memory = OwnedWorkspace(measure.bytes());
  if (measure.bytes() == 0 || state->memory.empty()) {
    return fail(StatusCode::out_of_memory, "predictor", "memory for a copy of the weights");
  }
  Arena arena(state->memory.view());
  state->lay_out(arena, centred);
  if (centred) std::ranges::copy(model.centre, state->centre);
  status = import_weights<float>({model.weights(), model.bias.data()}, state->weights, state->bias);
  if (status.ok()) predictor.state_ = std::move(state);
  return status;
}

std::size_t Predictor::features() const noexcept {
  return state_ == nullptr ? 0 : state_->features;
}
std::size_t Predictor::classes() const noexcept {
  return state_ == nullptr ? 0 : state_->classes;
}

// Inlined into each predict(), so that the one for rows that lie ready does not ask for their type: it may take 50 ns.
[[gnu::always_inline]] inline std::int32_t Predictor::State::class_of(const void* sample,
                                                                      FeatureType type) const noexcept {
  LogitsArgs<float> args;
  args.x = {static_cast<const float*>(sample), features, 1};
  args.features = features;
  args.form = form;
  const auto score = [&] {
    const bool ready = type == FeatureType::f32 && centre == nullptr;
    ready ? table->f32.logits(args) : score_in_slices(sample, type, args);
  };
  if (is_class_major(rows)) {
    alignas(kWorkspaceAlignment) float logits[kMostClassMajor * kPanel];
    args.classes = rows;
    args.weights = weights;
    args.bias = bias;
    args.logits = logits;
    args.capacity = kPanel;
    score();
    if (loss == Loss::logistic) return class_of_score(logits[0]);
    ArgMax best;
    for (std::size_t c = 0; c < rows; ++c) best.add(logits[c * kPanel], static_cast<std::int32_t>(c));
    return best.result(masked);
  }
  // Panels a few at a time, so that the scores of any number of classes fit the stack.
  constexpr std::size_t kPanelsAtATime = 64;
  alignas(kWorkspaceAlignment) float logits[kPanelsAtATime * kPanel];
  ArgMax best;
  for (std::size_t panel = 0; panel < panel_count(rows); panel += kPanelsAtATime) {
    const std::size_t first = panel * kPanel;
    const std::size_t count = std::min(kPanelsAtATime * kPanel, rows - first);
    args.classes = round_up(count, kPanel);  // padding's bias is -infinity
    args.weights = weights + first * features;
    args.bias = bias + first;
    args.logits = logits;
    args.capacity = 1;
    score();
    for (std::size_t c = 0; c < count; ++c) best.add(logits[c], static_cast<std::int32_t>(first + c));
  }
  return best.result(masked);
}

std::int32_t Predictor::predict(const float* sample) const noexcept {
  const FloatEnvironment environment;
  return state_ == nullptr || sample == nullptr ? kNoClass : state_->class_of(sample, FeatureType::f32);
}
std::int32_t Predictor::predict(const double* sample) const noexcept {
  const FloatEnvironment environment;
  return state_ == nullptr || sample == nullptr ? kNoClass : state_->class_of(sample, FeatureType::f64);
}

// A row that has to be converted first is nowhere whole: any number of features fits the stack.
[[gnu::noinline]] void Predictor::State::score_in_slices(const void* sample, FeatureType type,
                                                         LogitsArgs<float> args) const noexcept {
  constexpr std::size_t kSlice = kTinyBlocks ? kPanel : 1024;
  alignas(kWorkspaceAlignment) float values[kSlice];
  alignas(kWorkspaceAlignment) float sums[kMostClassMajor * kPanel];
  FeatureSlice<float> slice{0, features, sums};
  args.slice = &slice;
  const char* data = static_cast<const char*>(sample);
  for (; slice.first < features; slice.first += kSlice) {
    args.features = std::min(kSlice, features - slice.first);
    args.x = {values, args.features, 1};
    load_features(*table, data + slice.first * size_of(type), type, centre == nullptr ? nullptr : centre + slice.first,
                  args.features, values);
    table->f32.logits(args);
  }
}

namespace {

BlockPredictor::Shape shape_of(const auto& state) {
  // The cut into blocks does not touch the bits of a row's answer.
  constexpr std::size_t kManyRows = std::size_t{1} << 20;
  return {state.features, state.rows, state.classes, state.masked,
          make_plan<float>(kManyRows, state.features, state.rows).block_rows};
}

}  // namespace

std::size_t Predictor::workspace_bytes(int threads) const noexcept {
  if (state_ == nullptr) return 0;
  Arena arena;
  for (int thread = 0; thread < std::max(threads, 1); ++thread) {
    BlockPredictor(shape_of(*state_), arena);
  }
  return arena.bytes();
}

Status Predictor::predict_batch(const FeaturesView& features, const Workspace& workspace, int threads,
                                const Predictions& out) const noexcept {
  const FloatEnvironment environment;
  if (state_ == nullptr) return fail(StatusCode::invalid_argument, "predictor", "one made by create()");
  const State& s = *state_;
  const std::size_t n = features.samples;
  const auto fits = [n](const MatrixView<float>& m, std::size_t cols) {
    return m.empty() || (m.rows == n && m.cols == cols);
  };
  if (features.features != s.features) {
    return fail(StatusCode::shape_mismatch, "features", "as many columns as the model has features");
  }
  if (n > 0 && features.data == nullptr) return fail(StatusCode::invalid_argument, "features", "data");
  if (n > 1 && features.row_stride < features.features) {
    return fail(StatusCode::shape_mismatch, "features", "a row stride of at least the number of features");
  }
  if (!fits(out.logits, s.rows)) return fail(StatusCode::shape_mismatch, "logits", "samples x score rows");
  if (!fits(out.probabilities, s.classes)) {
    return fail(StatusCode::shape_mismatch, "probabilities", "samples x classes");
  }
  if ((out.top_classes != nullptr || out.top_probabilities != nullptr) && (out.top_k < 1 || out.top_k > s.classes)) {
    return fail(StatusCode::invalid_argument, "top_k", "a number from 1 to the number of classes");
  }
  if (s.loss == Loss::hinge && (!out.probabilities.empty() || out.top_probabilities != nullptr)) {
    return fail(StatusCode::invalid_argument, "probabilities", "a softmax or logistic model: hinge has none");
  }
  if (threads < 1) return fail(StatusCode::invalid_argument, "threads", "at least 1");
  const Status status = check_workspace(workspace, workspace_bytes(threads));
  if (!status.ok() || n == 0) return status;

  const BlockPredictor::Shape shape = shape_of(s);
  Batch batch;
  batch.features = features;
  const Objective objective;
  const RowSource<float> source(batch, objective, s.table->f32);
  LogitsArgs<float> args;
  args.features = s.features;
  args.classes = s.rows;
  args.weights = s.weights;
  args.bias = s.bias;
  args.form = s.form;
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(s.features) * static_cast<double>(s.rows);
  parallel(usable_threads(threads, flops, s.table->blocks.serial_flops), [&](const Team& team) {
    Arena arena(workspace);
    for (std::size_t before = 0; before < team.rank(); ++before) BlockPredictor(shape, arena);
    BlockPredictor block(shape, arena);
    team.for_each((n + shape.capacity - 1) / shape.capacity, [&](std::size_t index) {
      const std::size_t first = index * shape.capacity, end = std::min(first + shape.capacity, n);
      const RowBlock<float> x = s.centre == nullptr ? block.load(source, first, end)
                                                    : block.load_centred(*s.table, features, s.centre, first, end);
      block.predict(x, first, args, s.table->f32, s.loss, out);
    });
  });
  return {};
}

}  // namespace lanemax
