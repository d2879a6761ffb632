// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/fit.hpp>

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/fit/learning_rate.hpp"
#include "engine/fit/shuffle.hpp"
#include "engine/pass.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Status check_options(const FitOptions& o) {
  const auto finite_at_least = [](double value, double least) { return value >= least && std::isfinite(value); };
  if (o.batch_size < 1) return fail(StatusCode::invalid_argument, "batch_size", "at least 1");
  if (!(o.learning_rate >= 0 && o.learning_rate <= static_cast<double>(std::numeric_limits<float>::max()))) {
    return fail(StatusCode::invalid_argument, "learning_rate", "a finite number > 0, or 0 to have it estimated");
  }
  if (!(o.momentum >= 0 && o.momentum < 1)) {
    return fail(StatusCode::invalid_argument, "momentum", "a number from 0, below 1");
  }
  if (!finite_at_least(o.tolerance, 0)) return fail(StatusCode::invalid_argument, "tolerance", "a finite number >= 0");
  if (!finite_at_least(o.time_limit, 0))
    return fail(StatusCode::invalid_argument, "time_limit", "a finite number >= 0");
  if (o.early_stopping > 0 && o.validation == nullptr) {
    return fail(StatusCode::invalid_argument, "early_stopping", "a validation batch to watch");
  }
  if (o.execution.threads < 1) return fail(StatusCode::invalid_argument, "threads", "at least 1");
  if (o.objective.reduction != Reduction::mean) {
    return fail(StatusCode::invalid_argument, "reduction", "the mean: a fit minimises the mean loss");
  }
  return {};
}

/// Mini-batch gradient descent, with or without momentum.
class Sgd {
 public:
  Sgd(const Batch& data, const FitOptions& options, std::size_t classes, const KernelTable& table,
      const ProblemSize& size) noexcept
      : data_(data),
        options_(options),
        table_(table),
        features_(data.features.features),
        classes_(classes),
        rows_(size.rows),
        total_weight_(size.total_weight),
        started_(now()) {
    step_.optimiser = options.solver == Solver::sgd ? Optimiser::gradient_descent : Optimiser::momentum;
    step_.momentum = options.momentum;
    step_.nesterov = step_.optimiser == Optimiser::momentum;
  }

  Status run(MatrixView<float> weights, float* bias, FitResult& result) noexcept {
    Status status = take_memory();
    if (status.ok()) status = restart(weights, bias);
    if (!status.ok()) return status;
    keep_best(std::numeric_limits<double>::infinity());
    result_.solver = step_.optimiser == Optimiser::momentum ? Solver::momentum : Solver::sgd;

    rate_ = options_.learning_rate;
    if (rate_ == 0) {
      rate_ = estimate_learning_rate(data_, options_.objective, classes_, table_.f32,
                                     logits_form<float>(table_, features_, 1));
      if (rate_ == 0) return fail(StatusCode::out_of_memory, "fit", "memory for a sample of the rows");
    }
    result_.learning_rate = rate_;

    status = epochs();
    if (!status.ok() && status.code != StatusCode::diverged) return status;
    if (result_.reason == StopReason::early_stopping || result_.reason == StopReason::diverged) restore_best();
    const Status last = final_pass();
    if (!last.ok() && last.code != StatusCode::diverged) return last;
    // Rows that a last mini-batch never met, or a divergence on the last step, show here.
    if (status.ok() && !last.ok()) status = last;
    if (last.code == StatusCode::diverged) {
      restore_best();
      // The last step of the best epoch may be the one that went too far; the first weights were good.
      if (!final_pass().ok()) {
        const Status restarted = restart(weights, bias);
        if (!restarted.ok()) return restarted;
        static_cast<void>(final_pass());
      }
    }
    result_.passes = static_cast<double>(row_visits_) / static_cast<double>(rows_);
    result_.seconds = now() - started_;
    const Status copied = state_.get_weights(weights, bias);
    if (!copied.ok()) return copied;
    result = result_;
    return status;
  }

 private:
  [[nodiscard]] std::size_t batch_rows() const { return std::min(options_.batch_size, rows_); }
  [[nodiscard]] std::size_t steps_per_epoch() const { return (rows_ + batch_rows() - 1) / batch_rows(); }

  Status take_memory() {
    PassNeeds step_needs;
    step_needs.gradient = true;
    step_needs.targets = data_.labels == nullptr;
    step_needs.probabilities = false;
    step_needs.penalty = false;
    full_needs_ = step_needs;
    full_needs_.penalty = true;
    step_needs_ = step_needs;
    step_needs_.only_update = true;

    const std::size_t last = rows_ % batch_rows();
    const std::size_t parameters = weight_count(features_, classes_) + bias_count(classes_);
    const int threads = options_.execution.threads;
    const auto lay_out = [&](Arena& arena) {
      order_ = arena.take<std::uint32_t>(rows_);
      best_ = arena.take<float>(parameters);
      state_memory_ = {arena.take<std::byte>(state_bytes()), state_bytes()};
      // Passes do not overlap in time, but their plans differ in size.
      step_memory_.lay_out(arena, make_plan<float>(batch_rows(), features_, classes_), threads, step_needs_);
      if (last > 0) last_memory_.lay_out(arena, make_plan<float>(last, features_, classes_), threads, step_needs_);
      full_memory_.lay_out(arena, make_plan<float>(data_.rows(), features_, classes_), threads, full_needs_);
      if (options_.validation != nullptr) {
        validation_needs_ = full_needs_;
        validation_needs_.gradient = false;
        validation_needs_.penalty = false;
        validation_needs_.targets = options_.validation->labels == nullptr;
        validation_memory_.lay_out(arena, make_plan<float>(options_.validation->rows(), features_, classes_), threads,
                                   validation_needs_);
      }
    };
    Arena measure;
    lay_out(measure);
    if (measure.bytes() == 0) return fail(StatusCode::out_of_memory, "fit", "sizes that fit the address space");
    memory_ = OwnedWorkspace(measure.bytes());
    if (memory_.empty())
      return fail(StatusCode::out_of_memory, "fit", "memory for the parameters and a few row blocks");
    Arena arena(memory_.view());
    lay_out(arena);

    std::size_t kept = 0;
    for (std::size_t i = 0; i < data_.rows(); ++i) {
      const std::size_t row = data_.selection == nullptr ? i : data_.selection[i];
      if (data_.sample_weights != nullptr && data_.sample_weights[row] == 0.0f) continue;
      if (data_.labels != nullptr && data_.labels[row] == options_.objective.ignored_label) continue;
      order_[kept++] = static_cast<std::uint32_t>(row);
    }
    return {};
  }
  [[nodiscard]] std::size_t state_bytes() const {
    return TrainState<float>::bytes(features_, classes_, step_.optimiser);
  }

  Status epochs() {
    SplitMix64 random(options_.seed);
    double last_loss = std::numeric_limits<double>::infinity();
    std::size_t epochs_without_gain = 0;
    for (std::size_t epoch = 1; epoch <= options_.epochs; ++epoch) {
      shuffle(order_, rows_, random);
      const double epoch_start = now();
      double loss_sum = 0;
      std::size_t seen = 0;
      const Status status = one_epoch(epoch, loss_sum, seen);
      if (!status.ok() || result_.reason == StopReason::interrupted) return status;
      const double mean_loss = loss_sum / (mean_weight() * static_cast<double>(std::max<std::size_t>(seen, 1)));

      double validation_loss = std::numeric_limits<double>::quiet_NaN();
      if (options_.validation != nullptr) {
        LossResult validation;
        const Status checked =
            full_pass(*options_.validation, validation_memory_, validation_needs_, validation_weight_, validation);
        if (!checked.ok()) return diverged(*options_.validation);
        validation_loss = validation.data_loss;
      }
      const double measure = options_.validation != nullptr ? validation_loss : mean_loss;
      const bool gained = measure < best_measure_;
      if (gained) keep_best(measure);
      epochs_without_gain = gained ? 0 : epochs_without_gain + 1;

      if (!report(epoch, mean_loss, validation_loss, static_cast<double>(seen) / (now() - epoch_start))) {
        result_.reason = StopReason::interrupted;
        return {};
      }
      if (result_.reason != StopReason::epochs) return {};
      if (options_.early_stopping > 0 && epochs_without_gain >= options_.early_stopping) {
        result_.reason = StopReason::early_stopping;
        return {};
      }
      // A full pass to look at the gradient is only worth it once the loss hardly moves.
      constexpr double kStill = 1e-4;
      if (options_.tolerance > 0 && std::abs(last_loss - mean_loss) <= kStill * std::abs(mean_loss)) {
        const Status checked = final_pass();
        if (!checked.ok()) return checked;
        if (result_.converged) {
          result_.reason = StopReason::tolerance;
          return {};
        }
      }
      last_loss = mean_loss;
    }
    return {};
  }

  Status one_epoch(std::size_t epoch, double& loss_sum, std::size_t& seen) {
    const std::size_t steps = steps_per_epoch();
    for (std::size_t step = 0; step < steps; ++step) {
      if (options_.cancelled != nullptr && options_.cancelled(options_.user)) {
        result_.reason = StopReason::interrupted;
        return {};
      }
      const std::size_t first = step * batch_rows();
      const std::size_t count = std::min(batch_rows(), rows_ - first);
      Batch batch = data_;
      batch.selection = order_ + first;
      batch.selected = count;
      const PassMemory<float>& memory = count == batch_rows() ? step_memory_ : last_memory_;
      const double weight = static_cast<double>(count) * mean_weight();
      step_.learning_rate =
          scheduled_rate(options_.schedule, rate_, (epoch - 1) * steps + step, options_.epochs * steps);
      LossResult loss;
      // A schedule that has come down to 0 has nothing left to do.
      if (step_.learning_rate > 0) {
        const Status status = run_pass<float>(input(batch, weight), memory, step_needs_, {}, {&state_, step_}, loss);
        if (!status.ok()) return diverged(batch);
        ++result_.iterations;
      }
      loss_sum += loss.data_loss * weight;
      seen += count;
      row_visits_ += count;
      if (options_.max_iterations > 0 && result_.iterations >= options_.max_iterations) {
        result_.reason = StopReason::max_iterations;
        return {};
      }
      if (options_.time_limit > 0 && now() - started_ >= options_.time_limit) {
        result_.reason = StopReason::time_limit;
        return {};
      }
    }
    return {};
  }

  /// Why a step was not finite: the data, or the training itself.
  Status diverged(const Batch& batch) {
    const Status cause = find_bad_feature(batch, options_.objective.ignored_label);
    if (!cause.ok()) return cause;
    result_.reason = StopReason::diverged;
    return fail(StatusCode::diverged, "training", "a smaller learning rate or scaled features");
  }

  /// The objective and its gradient over all rows, at the current weights.
  Status final_pass() {
    LossResult loss;
    const Status status = full_pass(data_, full_memory_, full_needs_, total_weight_, loss);
    row_visits_ += rows_;
    if (!status.ok()) {
      const Status cause = find_bad_feature(data_, options_.objective.ignored_label);
      if (!cause.ok()) return cause;
      result_.reason = StopReason::diverged;
      result_.objective = result_.data_loss = result_.gradient_norm = std::numeric_limits<double>::quiet_NaN();
      return fail(StatusCode::diverged, "training", "a smaller learning rate or scaled features");
    }
    result_.objective = loss.objective;
    result_.data_loss = loss.data_loss;
    double largest = 0;
    for (std::size_t i = 0; i < full_memory_.plan.parameters(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(full_memory_.gradient[i])));
    }
    result_.gradient_norm = largest;
    result_.converged = options_.tolerance > 0 && largest <= options_.tolerance;
    return {};
  }

  Status full_pass(const Batch& batch, const PassMemory<float>& memory, const PassNeeds& needs, double weight,
                   LossResult& loss) {
    return run_pass<float>(input(batch, weight), memory, needs, {}, {}, loss);
  }

  [[nodiscard]] PassInput<float> input(const Batch& batch, double weight) const {
    PassInput<float> in;
    in.table = &table_;
    in.objective = &options_.objective;
    in.batch = &batch;
    in.weights = state_.weights_data;
    in.bias = state_.bias_data;
    in.total_weight = weight;
    return in;
  }

  bool report(std::size_t epoch, double loss, double validation_loss, double samples_per_second) const {
    if (options_.progress == nullptr) return true;
    FitProgress p;
    p.epoch = epoch;
    p.epochs = options_.epochs;
    p.loss = loss;
    p.validation_loss = validation_loss;
    p.learning_rate = step_.learning_rate;
    p.samples_per_second = samples_per_second;
    p.seconds = now() - started_;
    p.seconds_left = p.seconds / static_cast<double>(epoch) * static_cast<double>(options_.epochs - epoch);
    return options_.progress(p, options_.user);
  }

  /// Back to the weights that the fit begins with: the caller's, or 0.
  Status restart(MatrixView<float> weights, const float* bias) {
    const Status status = TrainState<float>::create(features_, classes_, step_.optimiser, state_memory_, state_);
    return status.ok() && options_.warm_start ? state_.set_weights({weights, bias}) : status;
  }

  void keep_best(double measure) {
    best_measure_ = measure;
    std::copy_n(state_.weights_data, weight_count(features_, classes_), best_);
    std::copy_n(state_.bias_data, bias_count(classes_), best_ + weight_count(features_, classes_));
  }
  void restore_best() {
    std::copy_n(best_, weight_count(features_, classes_), state_.weights_data);
    std::copy_n(best_ + weight_count(features_, classes_), bias_count(classes_), state_.bias_data);
  }
  [[nodiscard]] double mean_weight() const { return total_weight_ / static_cast<double>(rows_); }

 public:
  void set_validation_weight(double weight) { validation_weight_ = weight; }

 private:
  const Batch& data_;
  const FitOptions& options_;
  const KernelTable& table_;
  std::size_t features_, classes_;
  std::size_t rows_;  // that take part
  double total_weight_;
  double started_;
  double validation_weight_ = 0;
  StepOptions step_;
  double rate_ = 0;

  OwnedWorkspace memory_;
  std::uint32_t* order_ = nullptr;
  float* best_ = nullptr;
  double best_measure_ = 0;
  Workspace state_memory_;
  TrainState<float> state_;
  PassNeeds step_needs_, full_needs_, validation_needs_;
  PassMemory<float> step_memory_, last_memory_, full_memory_, validation_memory_;
  std::size_t row_visits_ = 0;
  FitResult result_;
};

}  // namespace

const char* name_of(Solver solver) noexcept {
  switch (solver) {
    case Solver::automatic: return "auto";
    case Solver::sgd: return "sgd";
    case Solver::momentum: return "momentum";
  }
  return "";
}
const char* name_of(Schedule schedule) noexcept {
  switch (schedule) {
    case Schedule::constant: return "constant";
    case Schedule::cosine: return "cosine";
    case Schedule::step: return "step";
  }
  return "";
}
const char* name_of(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::tolerance: return "tolerance";
    case StopReason::epochs: return "epochs";
    case StopReason::max_iterations: return "max_iterations";
    case StopReason::time_limit: return "time_limit";
    case StopReason::early_stopping: return "early_stopping";
    case StopReason::no_progress: return "no_progress";
    case StopReason::interrupted: return "interrupted";
    case StopReason::diverged: return "diverged";
  }
  return "";
}
const char* name_of(Loss loss) noexcept {
  switch (loss) {
    case Loss::softmax: return "softmax";
    case Loss::hinge: return "hinge";
    case Loss::logistic: return "logistic";
  }
  return "";
}

Status fit(const Batch& data, const FitOptions& options, MatrixView<float> weights, float* bias,
           FitResult& result) noexcept {
  Status status = check_options(options);
  if (status.ok() && (weights.empty() || bias == nullptr)) {
    status = fail(StatusCode::invalid_argument, "weights", "room for the weights and the bias");
  }
  ProblemSize size, validation_size;
  if (status.ok()) status = check_problem(options.objective, data, weights.cols, weights.rows, size);
  if (status.ok() && data.features.samples > std::size_t{0xffffffff}) {
    status = fail(StatusCode::shape_mismatch, "features", "at most 4294967295 rows");
  }
  if (status.ok() && options.validation != nullptr) {
    status = check_problem(options.objective, *options.validation, weights.cols, weights.rows, validation_size);
  }
  const KernelTable* table = nullptr;
  if (status.ok()) status = select_kernels(options.execution.isa, table);
  if (!status.ok()) return status;
  Sgd sgd(data, options, weights.rows, *table, size);
  sgd.set_validation_weight(validation_size.total_weight);
  return sgd.run(weights, bias, result);
}

}  // namespace lanemax
