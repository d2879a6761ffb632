// SPDX-License-Identifier: BSD-3-Clause
//
// Learning while serving: a training state that one thread steps, and some predictors in turn its newest model.
#include <lanemax/online.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/online/newest_slot.hpp"
#include "engine/pass/weights.hpp"
#include "engine/predict/predictor_state.hpp"
#include "engine/train_state.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

namespace lanemax {
namespace {

constexpr float kUnused = -std::numeric_limits<float>::infinity();  // its bias
constexpr std::size_t kMostSnapshots = 65536;

Status check(std::size_t features, std::size_t classes, const OnlineOptions& options) {
  if (options.objective.loss == Loss::logistic) {
    return fail(StatusCode::invalid_argument, "objective", "softmax or hinge: two classes are two of softmax");
  }
  if (options.objective.label_smoothing != 0) {
    return fail(StatusCode::invalid_argument, "label_smoothing", "0: classes to come would have a share of it");
  }
  if (options.snapshots < 2 || options.snapshots > kMostSnapshots) {
    return fail(StatusCode::invalid_argument, "snapshots", "from 2 to 65536");
  }
  if (options.batch_rows == 0) return fail(StatusCode::invalid_argument, "batch_rows", "at least 1");
  if (options.execution.threads < 1) return fail(StatusCode::invalid_argument, "threads", "at least 1");
  if (TrainState<float>::bytes(features, classes, options.optimiser) == 0) {
    return fail(StatusCode::shape_mismatch, "features", "features and classes whose product fits the address space");
  }
  return {};
}

}  // namespace

struct OnlineLearnerState {
  struct Model {
    Predictor predictor;
    std::uint64_t version = 0;
  };

  OnlineOptions options;
  Workspace state_memory, scratch;
  TrainState<float> state;
  std::vector<std::size_t> begun;  // classes whose first label is in the batch at hand; room for all
  std::vector<Model> models;
  NewestSlot newest;
  std::uint64_t versions = 0;

  OnlineLearnerState(std::size_t features, std::size_t classes, const OnlineOptions& the_options)
      : options(the_options),
        state_memory(TrainState<float>::bytes(features, classes, options.optimiser)),
        scratch(train_step_workspace_bytes<float>(options.batch_rows, features, classes, options.execution.threads)),
        models(options.snapshots),
        newest(options.snapshots) {
    begun.reserve(classes);
    if (state_memory.empty() || scratch.empty()) throw std::bad_alloc();
  }

  [[nodiscard]] Parameters<float>& parameters() noexcept { return TrainStateData<float>::of(state)->parameters; }
  [[nodiscard]] std::span<float> bias() noexcept { return {bias_of(parameters()), state.classes()}; }

  void begin_class(std::size_t c) noexcept {
    if (c >= bias().size() || bias()[c] != kUnused) return;
    bias()[c] = 0;
    begun.push_back(c);
  }
  /// Begins the classes that a batch uses first. What is wrong with the batch is for train_step() to say.
  void begin_classes(const Batch& batch) noexcept {
    begun.clear();
    const MatrixView<const float>& targets = batch.target_probabilities;
    for (std::size_t i = 0; i < batch.rows(); ++i) {
      const std::size_t row = batch.row(i);
      if (row < batch.sample_weights.size() && !(batch.sample_weights[row] > 0)) continue;
      if (row < batch.labels.size()) {
        const std::int64_t label = batch.labels[row];
        if (label >= 0) begin_class(static_cast<std::size_t>(label));
      }
      for (std::size_t c = 0; row < targets.rows && c < targets.cols; ++c) {
        if (targets.at(row, c) > 0) begin_class(c);
      }
    }
  }
};

OnlineLearner::OnlineLearner() noexcept = default;
OnlineLearner::~OnlineLearner() = default;
OnlineLearner::OnlineLearner(OnlineLearner&&) noexcept = default;
OnlineLearner& OnlineLearner::operator=(OnlineLearner&&) noexcept = default;

Status OnlineLearner::create(std::size_t features, std::size_t class_capacity, const OnlineOptions& options,
                             OnlineLearner& learner) noexcept {
  const FloatEnvironment environment;
  const Status right = check(features, class_capacity, options);
  if (!right.ok()) return right;
  return without_exceptions("learner", "memory for its models", [&] {
    auto made = std::make_unique<OnlineLearnerState>(features, class_capacity, options);
    Status status =
        TrainState<float>::create(features, class_capacity, options.optimiser, made->state_memory, made->state);
    if (!status.ok()) return status;
    std::ranges::fill(made->bias(), kUnused);
    const std::vector<float> weights(features * class_capacity), bias(class_capacity, kUnused);
    for (OnlineLearnerState::Model& model : made->models) {
      status = Predictor::create(options.objective.loss, {{weights.data(), class_capacity, features}, bias},
                                 options.execution.isa, model.predictor);
      if (!status.ok()) return status;
    }
    learner.state_ = std::move(made);
    return Status{};
  });
}

std::size_t OnlineLearner::features() const noexcept {
  return state_ == nullptr ? 0 : state_->state.features();
}
std::size_t OnlineLearner::class_capacity() const noexcept {
  return state_ == nullptr ? 0 : state_->state.classes();
}
std::size_t OnlineLearner::classes_used() const noexcept {
  return state_ == nullptr ? 0
                           : class_capacity() - static_cast<std::size_t>(std::ranges::count(state_->bias(), kUnused));
}

// ---- of one thread at a time ----

namespace {

Status not_created() {
  return fail(StatusCode::invalid_argument, "learner", "one made by create()");
}

}  // namespace

Status OnlineLearner::learn(const Batch& batch, const StepOptions& options, LossResult& result) noexcept {
  if (state_ == nullptr) return not_created();
  OnlineLearnerState& s = *state_;
  if (!batch.scaling.empty()) {
    return fail(StatusCode::invalid_argument, "scaling", "none: features are scaled before, for predictions, too");
  }
  s.begin_classes(batch);
  const Status status =
      train_step(s.state, s.options.objective, batch, options, s.options.execution, s.scratch, result);
  if (!status.ok()) {
    for (const std::size_t c : s.begun) s.bias()[c] = kUnused;
  }
  return status;
}

bool OnlineLearner::publish() noexcept {
  if (state_ == nullptr) return false;
  OnlineLearnerState& s = *state_;
  const std::size_t slot = s.newest.find_free();
  if (slot == s.newest.size()) return false;
  PredictorState<float>::of(s.models[slot].predictor)->replace_weights(s.parameters());
  s.models[slot].version = ++s.versions;
  s.newest.put(slot);
  return true;
}

Status OnlineLearner::set_weights(const WeightsView<const float>& weights) noexcept {
  return state_ == nullptr ? not_created() : state_->state.set_weights(weights);
}
Status OnlineLearner::get_weights(const WeightsView<float>& weights) const noexcept {
  return state_ == nullptr ? not_created() : state_->state.get_weights(weights);
}
Status OnlineLearner::to_bytes(std::vector<std::uint8_t>& bytes) const noexcept {
  return state_ == nullptr ? not_created() : state_->state.to_bytes(bytes);
}
Status OnlineLearner::from_bytes(std::span<const std::uint8_t> bytes) noexcept {
  return state_ == nullptr ? not_created() : state_->state.from_bytes(bytes);
}

// ---- of any thread ----

Snapshot OnlineLearner::newest() const noexcept {
  return state_ == nullptr ? Snapshot() : Snapshot(state_.get(), state_->newest.take());
}
const Predictor& Snapshot::operator*() const noexcept {
  static const Predictor none;
  return learner_ == nullptr ? none : learner_->models[slot_].predictor;
}
std::uint64_t Snapshot::version() const noexcept {
  return learner_ == nullptr ? 0 : learner_->models[slot_].version;
}
void Snapshot::release() noexcept {
  if (learner_ != nullptr) learner_->newest.give_back(slot_);
}

}  // namespace lanemax
