// SPDX-License-Identifier: BSD-3-Clause
//
// Single passes in C: loss and gradient, and the steps of a model in training.
#include <lanemax/train_step.hpp>

#include "engine/c_api/call.hpp"
#include "engine/c_api/handles.hpp"
#include "engine/c_api/model.hpp"

#include <algorithm>

namespace lanemax::c_api {
namespace {

static_assert(LANEMAX_GRADIENT_DESCENT == int(Optimiser::gradient_descent) &&
              LANEMAX_MOMENTUM == int(Optimiser::momentum) && LANEMAX_ADAM == int(Optimiser::adam) &&
              LANEMAX_ADAGRAD == int(Optimiser::adagrad));

lanemax_objective default_objective() noexcept {
  const Objective from;
  lanemax_objective made = {};
  made.l2 = LANEMAX_UNSET;
  made.label_smoothing = from.label_smoothing;
  made.loss = static_cast<std::int32_t>(from.loss);
  made.reduction = static_cast<std::int32_t>(from.reduction);
  made.ignored_label = from.ignored_label;
  return made;
}

lanemax_loss_result in_c(const LossResult& from) noexcept {
  lanemax_loss_result made = {};
  made.objective = from.objective;
  made.data_loss = from.data_loss;
  made.total_weight = from.total_weight;
  made.rows = from.rows;
  made.threads = from.threads;
  return made;
}

StepOptions take_step(Taker& take, const lanemax_step_options* options) noexcept {
  const lanemax_step_options given = take.sized(options, "options");
  StepOptions taken;
  taken.learning_rate = given.learning_rate;
  taken.momentum = given.momentum;
  taken.second_moment_decay = given.second_moment_decay;
  taken.nesterov = take.flag(given.nesterov, "nesterov");
  taken.total_weight = given.total_weight;
  take.reserved(given.reserved);
  return taken;
}

/// All the memory that steps on batches of up to so many rows need.
Status make_trainer(std::size_t features, std::size_t scores, std::size_t batch_rows, Optimiser optimiser,
                    lanemax_trainer& trainer) {
  using State = TrainState<float>;
  const int threads = std::max(trainer.execution.threads, 1);  // a step refuses fewer
  const std::size_t bytes = State::bytes(features, scores, optimiser);
  const std::size_t scratch_bytes = train_step_workspace_bytes<float>(batch_rows, features, scores, threads);
  if (bytes == 0 || scratch_bytes == 0) {
    return fail(StatusCode::shape_mismatch, "options", "features, scores and batch_rows from 1, within the memory");
  }
  Status status = trainer.memory.reserve(bytes);
  if (status.ok()) status = trainer.scratch.reserve(scratch_bytes);
  if (status.ok()) status = State::create(features, scores, optimiser, trainer.memory, trainer.state);
  return status;
}

}  // namespace

template <>
lanemax_loss_options defaults() noexcept {
  lanemax_loss_options made = {};
  made.objective = default_objective();
  made.threads = 1;
  return made;
}
template <>
lanemax_trainer_options defaults() noexcept {
  lanemax_trainer_options made = {};
  made.objective = default_objective();
  made.threads = 1;
  return made;
}
template <>
lanemax_step_options defaults() noexcept {
  const StepOptions from;
  lanemax_step_options made = {};
  made.learning_rate = from.learning_rate;
  made.momentum = from.momentum;
  made.second_moment_decay = from.second_moment_decay;
  made.total_weight = from.total_weight;
  return made;
}

}  // namespace lanemax::c_api

using namespace lanemax;
using namespace lanemax::c_api;

int32_t lanemax_loss_options_init(lanemax_loss_options* options, size_t size) {
  return init_sized(options, size);
}
int32_t lanemax_loss_and_gradient(const lanemax_loss_options* options, const lanemax_const_weights* weights,
                                  const lanemax_batch* batch, void* workspace, size_t workspace_size,
                                  lanemax_loss_result* result, const lanemax_weights* gradient,
                                  lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const lanemax_loss_options given = take.sized(options, "options");
    const Objective objective = take.objective(given.objective);
    const Execution execution = take.execution(given.threads, given.isa);
    const WeightsView<const float> at = take.weights(weights, "weights");
    const Batch rows = take.batch(batch);
    const std::span<std::byte> scratch = take.memory(workspace, workspace_size, "workspace");
    take.place(result, "result");
    take.room(result, "result");
    const WeightsView<float> into = gradient == nullptr ? WeightsView<float>() : take.weights(gradient, "gradient");
    if (!take.ok()) return take.status();
    LossResult made;
    const Status outcome = gradient == nullptr ? loss(objective, at, rows, execution, scratch, made)
                                               : loss_and_gradient(objective, at, rows, execution, scratch, made, into);
    if (outcome.ok()) write_sized(in_c(made), result);
    return outcome;
  });
}
size_t lanemax_loss_workspace_bytes(size_t rows, size_t features, size_t scores, int32_t threads) {
  return loss_workspace_bytes<float>(rows, features, scores, std::max(threads, 1));
}

int32_t lanemax_trainer_options_init(lanemax_trainer_options* options, size_t size) {
  return init_sized(options, size);
}
int32_t lanemax_step_options_init(lanemax_step_options* options, size_t size) {
  return init_sized(options, size);
}
int32_t lanemax_trainer_create(const lanemax_trainer_options* options, lanemax_trainer** trainer,
                               lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.need(options != nullptr, "options", "at least features, scores and batch_rows");
    const lanemax_trainer_options given = take.sized(options, "options");
    const Objective objective = take.objective(given.objective);
    const Optimiser optimiser = take.choice(given.optimiser, Optimiser::adagrad, "optimiser");
    const Execution execution = take.execution(given.threads, given.isa);
    take.need(execution.threads >= 1, "threads", "at least 1");
    take.reserved(given.reserved);
    take.place(trainer, "trainer");
    if (!take.ok()) return take.status();
    return make(trainer, [&](lanemax_trainer& made) {
      made.objective = objective;
      made.execution = execution;
      return make_trainer(given.features, given.scores, given.batch_rows, optimiser, made);
    });
  });
}
void lanemax_trainer_free(lanemax_trainer* trainer) {
  delete trainer;
}
size_t lanemax_trainer_features(const lanemax_trainer* trainer) {
  return trainer == nullptr ? 0 : trainer->state.features();
}
size_t lanemax_trainer_scores(const lanemax_trainer* trainer) {
  return trainer == nullptr ? 0 : trainer->state.classes();
}

int32_t lanemax_trainer_step(lanemax_trainer* trainer, const lanemax_step_options* options, const lanemax_batch* batch,
                             lanemax_loss_result* result, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(trainer, "trainer");
    const StepOptions step = take_step(take, options);
    const Batch rows = take.batch(batch);
    take.room(result, "result");
    if (!take.ok()) return take.status();
    LossResult made;
    const Status outcome =
        train_step(trainer->state, trainer->objective, rows, step, trainer->execution, trainer->scratch, made);
    if (outcome.ok()) write_sized(in_c(made), result);
    return outcome;
  });
}
int32_t lanemax_trainer_set_weights(lanemax_trainer* trainer, const lanemax_const_weights* weights,
                                    const lanemax_scaling* scaling, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(trainer, "trainer");
    const WeightsView<const float> view = take.weights(weights, "weights");
    const FeatureScaling of_steps = scaling == nullptr ? FeatureScaling() : take.scaling(*scaling);
    return take.ok() ? trainer->state.set_weights(view, of_steps) : take.status();
  });
}
int32_t lanemax_trainer_get_weights(const lanemax_trainer* trainer, const lanemax_weights* weights, double* centre,
                                    size_t centre_count, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(trainer, "trainer");
    const WeightsView<float> view = take.weights(weights, "weights");
    const std::span<double> around = take.array(centre, centre_count, "centre");
    return take.ok() ? trainer->state.get_weights(view, around) : take.status();
  });
}
int32_t lanemax_trainer_to_bytes(const lanemax_trainer* trainer, lanemax_bytes** bytes, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(trainer, "trainer");
    take.place(bytes, "bytes");
    if (!take.ok()) return take.status();
    return make(bytes, [&](lanemax_bytes& made) { return trainer->state.to_bytes(made.bytes); });
  });
}
int32_t lanemax_trainer_from_bytes(lanemax_trainer* trainer, const void* bytes, size_t size, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(trainer, "trainer");
    const auto given = take.array(static_cast<const std::uint8_t*>(bytes), size, "bytes");
    return take.ok() ? trainer->state.from_bytes(given) : take.status();
  });
}
int32_t lanemax_trainer_model(const lanemax_trainer* trainer, const char* const* class_labels, size_t class_count,
                              lanemax_model** model, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(trainer, "trainer");
    take.place(model, "model");
    std::vector<std::string> labels = take.texts(class_labels, class_count, "class_labels");
    if (!take.ok()) return take.status();
    return make(model, [&](lanemax_model& handle) {
      Model& made = handle.model;
      const std::size_t features = trainer->state.features(), scores = trainer->state.classes();
      made.loss = trainer->objective.loss;
      made.features = features;
      made.class_labels = labels.empty() ? numbered_classes(made.loss, scores) : std::move(labels);
      made.weight.resize(scores * features);
      made.bias.resize(scores);
      made.centre.resize(features);
      const Status outcome = trainer->state.get_weights(made.view(), made.centre);
      if (std::ranges::count(made.centre, 0.0) == std::ssize(made.centre)) made.centre.clear();
      return outcome.ok() ? check_model(made) : outcome;
    });
  });
}
