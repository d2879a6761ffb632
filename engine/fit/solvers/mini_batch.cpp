// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/solvers/mini_batch.hpp"

#include "engine/fit/solvers/learning_rate.hpp"
#include "engine/fit/solvers/shuffle.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/pass.hpp"
#include "engine/pass/row_source.hpp"
#include "engine/pass/weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lanemax {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class MiniBatch final : public Resumable {
 public:
  MiniBatch(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
            FitResult& result)
      : problem_(problem),
        data_(problem.data()),
        options_(options),
        validation_weight_(validation_weight),
        control_(control),
        result_(result),
        rows_(problem.rows()),
        random_(options.seed) {
    step_.momentum = *options.mini_batches.momentum;
    step_.second_moment_decay = *options.mini_batches.second_moment_decay;
    step_.nesterov = optimiser() == Optimiser::momentum;
  }

  Status run(const Vector& x) {
    lay_out_memory();
    Status status = set_weights(x);
    if (!status.ok()) return status;
    initial_ = Vector(x.size());
    copy(initial_, x);
    keep_best(std::numeric_limits<double>::infinity());
    status = choose_learning_rate();
    if (status.ok()) status = control_.resume(*this);
    if (status.ok()) replay_shuffles();
    if (status.ok() && options_.checkpoint.resume) {
      resumed_visits_ = row_visits_;
      control_.resumed_after(passes());
    }
    if (status.ok() && !has_reached_most()) status = epochs();
    if (status.ok() && result_.reason == StopReason::none) result_.reason = StopReason::epochs;
    if (status.ok()) control_.finish(*this, result_.reason);
    if (!status.ok() && status.code != StatusCode::diverged) return status;
    if (result_.reason == StopReason::early_stopping || result_.reason == StopReason::diverged) restore_best();
    return leave_good_weights(x, status);
  }

  void exchange(Archive& archive) override {
    archive.array("weights", weights(), problem_.weights());
    archive.array("bias", bias(), bias_count(problem_.classes()));
    if (state().velocity != nullptr) archive.array("velocity", state().velocity, problem_.parameters());
    if (state().squares != nullptr) {
      archive.array("squares", state().squares, problem_.parameters());
      archive.count("steps", state().steps);
    }
    archive.array("best", best_.data(), best_.size());
    archive.number("best_measure", best_measure_);
    archive.number("last_loss", last_loss_);
    archive.number("loss_sum", loss_sum_);
    archive.number("step_rate", step_.learning_rate);
    archive.count("epoch", epoch_, *options_.mini_batches.epochs);
    archive.count("batch", batch_, steps_per_epoch());
    archive.count("seen", seen_);
    archive.count("epochs_without_gain", epochs_without_gain_);
    archive.count("iterations", iterations_);
    archive.count("row_visits", row_visits_);
    double passes = problem_.passes();
    archive.number("passes", passes);
    problem_.count_passes(passes - problem_.passes());
  }

 private:
  [[nodiscard]] Optimiser optimiser() const {
    return options_.solver == Solver::sgd       ? Optimiser::gradient_descent
           : options_.solver == Solver::adam    ? Optimiser::adam
           : options_.solver == Solver::adagrad ? Optimiser::adagrad
                                                : Optimiser::momentum;
  }
  [[nodiscard]] TrainStateData<float>& state() const { return *TrainStateData<float>::of(state_); }
  [[nodiscard]] float* weights() const { return weights_of(state().parameters); }
  [[nodiscard]] float* bias() const { return bias_of(state().parameters); }
  [[nodiscard]] std::size_t batch_rows() const { return std::min(*options_.mini_batches.batch_size, rows_); }
  [[nodiscard]] std::size_t steps_per_epoch() const { return (rows_ + batch_rows() - 1) / batch_rows(); }
  [[nodiscard]] double mean_weight() const { return problem_.total_weight() / static_cast<double>(rows_); }

  void lay_out_memory() {
    const PassNeeds needs{.goal = PassGoal::update, .targets = data_.labels.empty()};
    const std::size_t features = problem_.features(), classes = problem_.classes(), last = rows_ % batch_rows();
    const std::size_t state_bytes = TrainState<float>::bytes(features, classes, optimiser());
    std::span<std::byte> state_memory;
    const auto lay_out = [&](Arena& arena) {
      state_memory = {arena.take<std::byte>(state_bytes), state_bytes};
      // Passes do not overlap in time, but their plans differ in size.
      const int threads = problem_.threads();
      step_memory_.lay_out(arena, make_plan<float>(batch_rows(), features, classes), threads, needs);
      if (last > 0) last_memory_.lay_out(arena, make_plan<float>(last, features, classes), threads, needs);
    };
    Arena measure;
    lay_out(measure);
    memory_ = Workspace(measure.bytes());
    if (measure.bytes() == 0 || memory_.empty()) throw std::bad_alloc();
    Arena arena(memory_);
    lay_out(arena);
    if (!TrainState<float>::create(features, classes, optimiser(), state_memory, state_).ok()) throw std::bad_alloc();
    best_ = Buffer<float>(problem_.parameters());

    order_.reserve(rows_);
    for_each_kept_row(data_, options_.objective.ignored_label,
                      [this](std::size_t row, double) { order_.push_back(static_cast<std::uint32_t>(row)); });
  }

  Status set_weights(const Vector& x) {
    for (std::size_t i = 0; i < problem_.weights(); ++i) {
      weights()[i] = static_cast<float>(x[i]);
      if (!std::isfinite(weights()[i])) {
        return fail(StatusCode::not_finite, "weights", "numbers within the range of float");
      }
    }
    convert(x.data() + problem_.weights(), bias_count(problem_.classes()), bias());
    return {};
  }
  void get_weights(const Vector& x) const {
    convert(weights(), problem_.weights(), x.data());
    convert(bias(), bias_count(problem_.classes()), x.data() + problem_.weights());
  }

  Status choose_learning_rate() {
    rate_ = options_.mini_batches.learning_rate.value_or(0);
    if (rate_ == 0 && options_.solver == Solver::adam) {
      rate_ = 0.001;
    } else if (rate_ == 0 && options_.solver == Solver::adagrad) {
      rate_ = 0.03;  // ten epochs of Fashion-MNIST, bytes / 255 and standardised: 0.08 and 0.014 below 0.01's objective
    } else if (rate_ == 0) {
      const bool plain = options_.solver == Solver::sgd && *options_.mini_batches.schedule != Schedule::constant;
      rate_ = estimate_learning_rate(problem_, *options_.objective.l2, order_, plain ? batch_rows() : 0);
    }
    result_.learning_rate = rate_;
    return {};
  }

  // The order of the rows after a number of epochs follows from the seed.
  void replay_shuffles() {
    const std::uint64_t begun = batch_ > 0 ? epoch_ + 1 : epoch_;
    for (std::uint64_t i = 0; i < begun; ++i) shuffle(order_.data(), rows_, random_);
  }

  Status epochs() {
    while (epoch_ < *options_.mini_batches.epochs) {
      if (batch_ == 0) shuffle(order_.data(), rows_, random_);
      const double epoch_start = control_.seconds();
      const std::uint64_t seen_before = seen_;
      Status status = one_epoch();
      if (!status.ok() || result_.reason != StopReason::none) return status;
      const double mean_loss = loss_sum_ / (mean_weight() * static_cast<double>(std::max<std::uint64_t>(seen_, 1)));
      const double rows_per_second =
          static_cast<double>(seen_ - seen_before) / std::max(control_.seconds() - epoch_start, 1e-9);
      ++epoch_;
      batch_ = seen_ = 0;
      loss_sum_ = 0;
      status = end_epoch(mean_loss, rows_per_second);
      if (!status.ok() || result_.reason != StopReason::none) return status;
    }
    return {};
  }

  Status end_epoch(double mean_loss, double rows_per_second) {
    double validation_loss = kNaN;
    if (options_.validation != nullptr) {
      get_weights(point());
      const Status checked =
          problem_.validation_loss(point(), *options_.validation, validation_weight_, validation_loss);
      if (!checked.ok()) return diverged(*options_.validation);
    }
    const double measure = options_.validation != nullptr ? validation_loss : mean_loss;
    const bool gained = measure < best_measure_;
    if (gained) keep_best(measure);
    epochs_without_gain_ = gained ? 0 : epochs_without_gain_ + 1;
    if (options_.stopping.early_stopping > 0 && epochs_without_gain_ >= options_.stopping.early_stopping) {
      result_.reason = StopReason::early_stopping;
    }
    // A full pass to look at the gradient is only worth it once the loss hardly moves.
    constexpr double kStill = 1e-4;
    if (options_.stopping.tolerance > 0 && std::abs(last_loss_ - mean_loss) <= kStill * std::abs(mean_loss)) {
      get_weights(point());
      Value value;
      if (!problem_.evaluate(point(), Precision::f64, value, &gradient()).ok()) return diverged(data_);
      if (problem_.gradient_norm(gradient()) <= options_.stopping.tolerance) result_.reason = StopReason::tolerance;
    }
    last_loss_ = mean_loss;
    if (!report(mean_loss, validation_loss, rows_per_second) && result_.reason == StopReason::none) {
      result_.reason = StopReason::interrupted;
    }
    return {};
  }

  Status one_epoch() {
    const std::size_t steps = steps_per_epoch();
    while (batch_ < steps) {
      if (control_.cancelled()) {
        result_.reason = StopReason::interrupted;
        return {};
      }
      const std::size_t first = batch_ * batch_rows(), count = std::min(batch_rows(), rows_ - first);
      const Status status = one_step(first, count, epoch_ * steps + batch_);
      if (!status.ok()) return status;
      ++batch_;
      if (has_reached_most()) return {};
      if (control_.out_of_time()) {
        result_.reason = StopReason::time_limit;
        return {};
      }
      control_.keep(*this);
    }
    return {};
  }

  bool has_reached_most() {
    const bool reached = options_.stopping.max_iterations > 0 && iterations_ >= options_.stopping.max_iterations;
    if (reached) result_.reason = StopReason::max_iterations;
    return reached;
  }

  Status one_step(std::size_t first, std::size_t count, std::size_t step) {
    Batch batch = data_;
    batch.selection = std::span(order_).subspan(first, count);
    const double weight = static_cast<double>(count) * mean_weight();
    step_.learning_rate =
        scheduled_rate(*options_.mini_batches.schedule, rate_, step, *options_.mini_batches.epochs * steps_per_epoch());
    // A schedule that has come down to 0 has nothing left to do.
    if (step_.learning_rate > 0) {
      PassInput<float> in;
      in.table = &problem_.table();
      in.objective = &options_.objective;
      in.batch = &batch;
      in.weights = weights();
      in.bias = bias();
      in.total_weight = weight;
      LossResult loss;
      const Status status =
          run_pass<float>(in, count == batch_rows() ? step_memory_ : last_memory_, {}, {&state(), step_}, loss);
      if (!status.ok()) return diverged(batch);
      if (!problem_.has_bias()) hold_bias();
      loss_sum_ += loss.data_loss * weight;
      ++iterations_;
    }
    seen_ += count;
    row_visits_ += count;
    return {};
  }

  /// Why a step was not finite: the data, or the training itself.
  Status diverged(const Batch& batch) {
    const Status cause = find_bad_feature(batch, options_.objective.ignored_label);
    if (!cause.ok()) return cause;
    result_.reason = StopReason::diverged;
    return fail(StatusCode::diverged, "training", "a smaller learning rate or scaled features");
  }

  // The weights so far; if they are no good in f32 (rows that a last mini-batch never met, a divergence on the last
  // step), the best epoch's, and if its last step was the one that went too far, the initial ones.
  Status leave_good_weights(const Vector& x, Status status) {
    result_.iterations = iterations_;
    problem_.count_passes(static_cast<double>(row_visits_) / static_cast<double>(rows_));
    Value value;
    for (int attempt = 0; attempt < 3; ++attempt) {
      get_weights(x);
      if (problem_.evaluate(x, Precision::f32, value, &gradient()).ok()) return status;
      if (status.ok()) status = diverged(data_);
      if (status.code != StatusCode::diverged) return status;
      if (attempt == 0) {
        restore_best();
      } else if (const Status back = set_weights(initial_); !back.ok()) {
        return back;
      }
    }
    return status;
  }

  [[nodiscard]] double passes() const {
    return problem_.passes() + static_cast<double>(row_visits_) / static_cast<double>(rows_);
  }

  bool report(double loss, double validation_loss, double rows_per_second) const {
    if (options_.progress == nullptr) return true;
    FitProgress p;
    p.epoch = epoch_;
    p.epochs = *options_.mini_batches.epochs;
    p.iterations = iterations_;
    p.passes = passes();
    p.loss = loss;
    p.validation_loss = validation_loss;
    p.objective = p.gradient_norm = kNaN;
    p.l2 = *options_.objective.l2;
    p.resumed_passes = control_.resumed_passes();
    p.checkpoint_failed = !control_.checkpoint_error().ok();
    p.learning_rate = step_.learning_rate;
    p.samples_per_second = rows_per_second;
    p.seconds = control_.seconds();
    const double to_come = static_cast<double>(*options_.mini_batches.epochs - epoch_) * static_cast<double>(rows_);
    p.seconds_left = p.seconds / static_cast<double>(row_visits_ - resumed_visits_) * to_come;
    return options_.progress(p, options_.user);
  }

  void hold_bias() const { convert(initial_.data() + problem_.weights(), bias_count(problem_.classes()), bias()); }

  void keep_best(double measure) {
    best_measure_ = measure;
    std::copy_n(weights(), problem_.parameters(), best_.data());
  }
  void restore_best() { std::copy_n(best_.data(), problem_.parameters(), weights()); }

  // Room for the weights in double, and for a gradient; only taken when it is needed.
  const Vector& point() { return made(point_); }
  const Vector& gradient() { return made(gradient_); }
  const Vector& made(Vector& vector) {
    if (vector.empty()) vector = Vector(problem_.parameters());
    return vector;
  }

  FitProblem& problem_;
  const Batch& data_;
  const FitOptions& options_;
  double validation_weight_;
  Control& control_;
  FitResult& result_;
  std::size_t rows_;  // that take part
  StepOptions step_;
  Workspace memory_;
  TrainState<float> state_;
  PassMemory<float> step_memory_, last_memory_;
  Vector initial_, point_, gradient_;

  // What a checkpoint holds, beside the state.
  Buffer<float> best_;
  double best_measure_ = 0, last_loss_ = std::numeric_limits<double>::infinity(), loss_sum_ = 0, rate_ = 0;
  std::uint64_t epoch_ = 0, batch_ = 0, seen_ = 0, epochs_without_gain_ = 0, iterations_ = 0, row_visits_ = 0;
  std::uint64_t resumed_visits_ = 0;  // of the run that this one goes on from
  // What follows from it.
  SplitMix64 random_;
  std::vector<std::uint32_t> order_;
};

}  // namespace

Status fit_by_mini_batches(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
                           const Vector& x, FitResult& result) {
  return MiniBatch(problem, options, validation_weight, control, result).run(x);
}

}  // namespace lanemax
