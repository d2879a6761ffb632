// SPDX-License-Identifier: BSD-3-Clause
#include "engine/c_api/fit_request.hpp"

#include "engine/c_api/call.hpp"
#include "engine/c_api/handles.hpp"

namespace lanemax::c_api {
namespace {

static_assert(LANEMAX_SOLVER_AUTO == int(Solver::automatic) && LANEMAX_SOLVER_LBFGS == int(Solver::lbfgs) &&
              LANEMAX_SOLVER_NEWTON == int(Solver::newton) && LANEMAX_SOLVER_SGD == int(Solver::sgd) &&
              LANEMAX_SOLVER_MOMENTUM == int(Solver::momentum) && LANEMAX_SOLVER_ADAM == int(Solver::adam) &&
              LANEMAX_SOLVER_ADAGRAD == int(Solver::adagrad));
static_assert(LANEMAX_PRECONDITIONER_AUTO == int(Preconditioner::automatic) &&
              LANEMAX_PRECONDITIONER_NONE == int(Preconditioner::none) &&
              LANEMAX_PRECONDITIONER_DIAGONAL == int(Preconditioner::diagonal) &&
              LANEMAX_PRECONDITIONER_GRAM == int(Preconditioner::gram) &&
              LANEMAX_PRECONDITIONER_BLOCKS == int(Preconditioner::blocks) &&
              LANEMAX_PRECONDITIONER_FULL == int(Preconditioner::full));
static_assert(LANEMAX_SCHEDULE_CONSTANT == int(Schedule::constant) &&
              LANEMAX_SCHEDULE_COSINE == int(Schedule::cosine) && LANEMAX_SCHEDULE_STEP == int(Schedule::step));
static_assert(LANEMAX_STOP_NONE == int(StopReason::none) && LANEMAX_STOP_TOLERANCE == int(StopReason::tolerance) &&
              LANEMAX_STOP_EPOCHS == int(StopReason::epochs) &&
              LANEMAX_STOP_MAX_ITERATIONS == int(StopReason::max_iterations) &&
              LANEMAX_STOP_TIME_LIMIT == int(StopReason::time_limit) &&
              LANEMAX_STOP_EARLY_STOPPING == int(StopReason::early_stopping) &&
              LANEMAX_STOP_NO_PROGRESS == int(StopReason::no_progress) &&
              LANEMAX_STOP_INTERRUPTED == int(StopReason::interrupted) &&
              LANEMAX_STOP_DIVERGED == int(StopReason::diverged));

std::optional<std::size_t> take_count(Taker& take, std::int64_t value, const char* what) noexcept {
  take.need(value >= LANEMAX_UNSET, what, "a number from 0, or LANEMAX_UNSET");
  return value < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(value));
}

MiniBatches take_mini_batches(Taker& take, const lanemax_fit_options& given) noexcept {
  MiniBatches taken;
  taken.epochs = take_count(take, given.epochs, "epochs");
  taken.batch_size = take_count(take, given.batch_size, "batch_size");
  taken.learning_rate = unless_unset(given.learning_rate);
  taken.momentum = unless_unset(given.momentum);
  taken.second_moment_decay = unless_unset(given.second_moment_decay);
  if (given.schedule != LANEMAX_UNSET) taken.schedule = take.choice(given.schedule, Schedule::step, "schedule");
  return taken;
}

}  // namespace

template <>
lanemax_fit_options defaults() noexcept {
  const FitOptions from;
  lanemax_fit_options made = {};
  made.objective = defaults<lanemax_loss_options>().objective;
  made.checkpoint_seconds = from.checkpoint.seconds;
  made.tolerance = from.stopping.tolerance;
  made.time_limit = from.stopping.time_limit;
  made.max_iterations = from.stopping.max_iterations;
  made.early_stopping = from.stopping.early_stopping;
  made.seed = from.seed;
  made.epochs = LANEMAX_UNSET;
  made.batch_size = LANEMAX_UNSET;
  made.learning_rate = LANEMAX_UNSET;
  made.momentum = LANEMAX_UNSET;
  made.second_moment_decay = LANEMAX_UNSET;
  made.schedule = LANEMAX_UNSET;
  made.solver = static_cast<std::int32_t>(from.solver);
  made.preconditioner = static_cast<std::int32_t>(from.preconditioner);
  made.bias = from.bias;
  made.threads = from.execution.threads;
  return made;
}

FitRequest::FitRequest(Taker& take, const lanemax_fit_options* options) : given_(take.sized(options, "options")) {
  options_.objective = take.objective(given_.objective);
  options_.solver = take.choice(given_.solver, Solver::adagrad, "solver");
  options_.preconditioner = take.choice(given_.preconditioner, Preconditioner::full, "preconditioner");
  options_.bias = take.flag(given_.bias, "bias");
  options_.warm_start = given_.initial != nullptr;
  options_.standardise = take.flag(given_.standardise, "standardise");
  options_.stopping.tolerance = given_.tolerance;
  options_.stopping.max_iterations = given_.max_iterations;
  options_.stopping.time_limit = given_.time_limit;
  options_.stopping.early_stopping = given_.early_stopping;
  options_.mini_batches = take_mini_batches(take, given_);
  options_.seed = given_.seed;
  if (given_.validation != nullptr) {
    validation_ = take.batch(given_.validation);
    options_.validation = &validation_;
  }
  if (given_.checkpoint_file != nullptr) options_.checkpoint.file = given_.checkpoint_file;
  if (given_.checkpoint_note != nullptr) options_.checkpoint.note = given_.checkpoint_note;
  options_.checkpoint.seconds = given_.checkpoint_seconds;
  options_.checkpoint.resume = take.flag(given_.checkpoint_resume, "checkpoint_resume");
  options_.execution = take.execution(given_.threads, given_.isa);
  if (given_.progress != nullptr) options_.progress = tell_progress;
  if (given_.cancelled != nullptr) options_.cancelled = ask_whether_cancelled;
  options_.user = this;
}

const Model& FitRequest::initial() const noexcept {
  static const Model none;
  return given_.initial == nullptr ? none : given_.initial->model;
}

bool FitRequest::tell_progress(const FitProgress& progress, void* request) noexcept {
  lanemax_fit_progress told = {};
  told.struct_size = sizeof told;
  told.epoch = progress.epoch;
  told.epochs = progress.epochs;
  told.iterations = progress.iterations;
  told.fold = progress.fold;
  told.passes = progress.passes;
  told.loss = progress.loss;
  told.validation_loss = progress.validation_loss;
  told.objective = progress.objective;
  told.gradient_norm = progress.gradient_norm;
  told.learning_rate = progress.learning_rate;
  told.samples_per_second = progress.samples_per_second;
  told.seconds = progress.seconds;
  told.seconds_left = progress.seconds_left;
  told.l2 = progress.l2;
  told.resumed_passes = progress.resumed_passes;
  told.checkpoint_failed = progress.checkpoint_failed;
  const lanemax_fit_options& given = static_cast<const FitRequest*>(request)->given_;
  return given.progress(&told, given.user) == 0;
}

bool FitRequest::ask_whether_cancelled(void* request) noexcept {
  const lanemax_fit_options& given = static_cast<const FitRequest*>(request)->given_;
  return given.cancelled(given.user) != 0;
}

lanemax_fit_result in_c(const FitResult& from) noexcept {
  lanemax_fit_result made = {};
  made.l2 = from.l2;
  made.objective = from.objective;
  made.data_loss = from.data_loss;
  made.gradient_norm = from.gradient_norm;
  made.gap_bound = from.gap_bound;
  made.rounding_cost = from.rounding_cost;
  made.learning_rate = from.learning_rate;
  made.passes = from.passes;
  made.seconds = from.seconds;
  made.iterations = from.iterations;
  made.rounded_feature = from.rounded_feature;
  made.solver = static_cast<std::int32_t>(from.solver);
  made.preconditioner = static_cast<std::int32_t>(from.preconditioner);
  made.reason = static_cast<std::int32_t>(from.reason);
  made.converged = from.converged;
  made.threads = from.threads;
  made.checkpoint_error = in_c(from.checkpoint_error);
  return made;
}

}  // namespace lanemax::c_api
