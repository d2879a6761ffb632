// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/solvers/descent.hpp"

#include "engine/fit/solvers/lbfgs.hpp"
#include "engine/fit/solvers/newton.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace lanemax {
namespace {

// When curvature is looked at anew, and what it may cost, in passes. The first time, at the beginning, kFirstPasses;
// again after each of kEarlyPasses, while the weights move most: it is stale curvature that costs passes; then when
// kPatience times the last cost has gone by. Each time kGenerosity times all that has been spent so far; the smallest
// sample that is good for something may cost kMostGenerosity times that.
//
// Passes and the curvature's cost in passes, Fashion-MNIST to relative gaps of 2.3e-4 and 1e-6: 30 + 39 and 50 + 39.
// Half of the pairs: 51 + 31 and 71 + 79; twice as many the second time: 29 + 53 and 52 + 53; one refresh after 9
// passes: 38 + 33 and 90 + 33; a third after 30: 34 + 69 and 48 + 69. The same rows for all classes, after 10 and 40
// passes: 49 + 47 and 97 + 47 or more. Later refreshes, standardised to 1e-6: 450 + 223; generosity 1: 441 + 329; 2:
// 654 + 425.
constexpr double kFirstPasses = 3, kEarlyPasses[] = {5, 14}, kFewestPasses = 10, kPatience = 3;
constexpr double kGenerosity = 0.6, kMostGenerosity = 2;

// Where a pass takes less than about a millisecond, all of them are in f64.
constexpr double kF64Flops = 2e7;

constexpr int kMostTrials = 25;
constexpr std::uint64_t kMostStalled = 30;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Rounding in the loss: how far a step may seem to go up.
double noise(Precision precision, double objective) {
  return (precision == Precision::f32 ? 5e-8 : 2e-14) * std::abs(objective);
}

std::unique_ptr<DirectionRule> make_rule(const FitProblem& problem, Solver solver) {
  if (solver == Solver::lbfgs) return std::make_unique<Lbfgs>(problem.parameters());
  return std::make_unique<Newton>();
}

Preconditioner first_kind(Preconditioner kind) {
  // At weights 0 all blocks are equal.
  return kind == Preconditioner::blocks ? Preconditioner::gram : kind;
}

}  // namespace

Descent::Descent(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
                 DirectionRule& rule, PreconditionerMatrix& preconditioner)
    : problem_(problem),
      options_(options),
      validation_weight_(validation_weight),
      control_(control),
      rule_(rule),
      main_(preconditioner),
      start_(problem, first_kind(preconditioner.kind())),
      direction_(problem.parameters()),
      trial_(problem.parameters()),
      trial_gradient_(problem.parameters()),
      step_(problem.parameters()),
      change_(problem.parameters()) {
  state_.x = Vector(problem.parameters());
  state_.gradient = Vector(problem.parameters());
  state_.anchor = Vector(problem.parameters());
  if (options.validation != nullptr) state_.best = Vector(problem.parameters());
  if (problem.pass_flops() < kF64Flops) state_.precision = Precision::f64;
  if (!main_.empty()) {
    state_.kind = main_.kind();
    copy(state_.anchor, main_.point());
    state_.anchor_sample = main_.sample();
    state_.refreshes = 3;  // of the fits before: nothing is early here
    state_.refresh_cost = main_.cost(main_.sample());
  }
}

void Descent::exchange(Archive& archive) {
  archive.array("x", state_.x);
  archive.array("gradient", state_.gradient);
  archive.number("objective", state_.value.objective);
  archive.number("data_loss", state_.value.data_loss);
  archive.choice("precision", state_.precision, Precision::f64);
  archive.count("iterations", state_.iterations);
  archive.number("passes", state_.passes);
  archive.count("stalled", state_.stalled);
  archive.number("lowest", state_.lowest);
  archive.number("least_norm", state_.least_norm);
  archive.choice("preconditioner", state_.kind, Preconditioner::full);
  archive.array("anchor", state_.anchor);
  archive.count("anchor_sample", state_.anchor_sample, std::max(main_.most_sample(), start_.most_sample()));
  archive.count("refreshes", state_.refreshes);
  archive.number("curvature_passes", state_.curvature_passes);
  archive.number("refresh_cost", state_.refresh_cost);
  archive.number("passes_at_refresh", state_.passes_at_refresh);
  if (!state_.best.empty()) {
    archive.array("best", state_.best);
    archive.number("best_loss", state_.best_loss);
    archive.count("iterations_without_gain", state_.iterations_without_gain);
  }
  rule_.exchange(archive);
}

Status Descent::run(const Vector& x, FitResult& result) {
  Status status = begin(x);
  result.reason = StopReason::none;
  if (status.ok()) status = iterate(result.reason);
  if (status.ok()) control_.finish(*this, result.reason);
  copy(x, result.reason == StopReason::early_stopping ? state_.best : state_.x);
  result.preconditioner = state_.kind;
  result.iterations = state_.iterations;
  return status;
}

Status Descent::begin(const Vector& x) {
  copy(state_.x, x);
  passes_before_ = problem_.passes();
  seconds_before_ = control_.seconds();
  state_.best_loss = std::numeric_limits<double>::infinity();
  if (options_.checkpoint.resume) {
    const Status status = control_.resume(*this);
    const bool is_made = state_.kind == Preconditioner::none || !matrix().empty();
    if (status.ok() && !is_made) matrix().refresh(state_.anchor, state_.anchor_sample);
    problem_.count_passes(state_.passes);
    resumed_passes_ = state_.passes;
    work_before_ = state_.passes + state_.curvature_passes;
    control_.resumed_after(state_.passes);
    return status;
  }
  const Status status = evaluate_here();
  return wants_f64(status) ? switch_to_f64() : status;
}

Status Descent::evaluate_here() {
  const Status status = problem_.evaluate(state_.x, state_.precision, state_.value, &state_.gradient);
  state_.passes = problem_.passes() - passes_before_;
  return status;
}

Status Descent::switch_to_f64() {
  state_.precision = Precision::f64;
  return evaluate_here();
}

// What f32 cannot hold, f64 may.
bool Descent::wants_f64(const Status& status) const noexcept {
  return status.code == StatusCode::overflow && state_.precision == Precision::f32;
}

// With a time limit: whether so many passes, and the last one, are likely to end within it.
bool Descent::has_time_for(double passes) const noexcept {
  constexpr double kLastPasses = 3;  // one in f64
  const double done = problem_.passes() - passes_before_ + state_.curvature_passes - work_before_;
  const double per_pass = (control_.seconds() - seconds_before_) / std::max(done, 1.0);
  return !control_.out_of_time(std::min((passes + kLastPasses) * per_pass, options_.stopping.time_limit / 2));
}

bool Descent::should_stop(StopReason& reason) const noexcept {
  if (options_.stopping.max_iterations > 0 && state_.iterations >= options_.stopping.max_iterations) {
    reason = StopReason::max_iterations;
    return true;
  }
  if (!has_time_for(1)) {
    reason = StopReason::time_limit;
    return true;
  }
  return false;
}

Status Descent::iterate(StopReason& reason) {
  Status status;
  while (status.ok()) {
    const bool wide = state_.precision == Precision::f64;
    const bool within =
        options_.stopping.tolerance > 0 && problem_.gradient_norm(state_.gradient) <= options_.stopping.tolerance;
    if (within && wide && problem_.is_enough(state_.gradient, state_.value.objective)) {
      return reason = StopReason::tolerance, status;
    }
    if (within && !wide) {
      status = switch_to_f64();
      continue;
    }
    const StopReason no_progress = within ? StopReason::tolerance : StopReason::no_progress;
    if (should_stop(reason)) return status;
    if (state_.stalled >= kMostStalled) {
      state_.stalled = 0;
      if (wide) return reason = no_progress, status;
      status = switch_to_f64();
      continue;
    }
    control_.keep(*this);
    status = refresh_curvature();
    if (!status.ok()) break;
    rule_.find(state_.gradient, matrix(), direction_);
    const double slope = dot(state_.gradient, direction_);
    if (!wide && !(-slope > 2 * noise(state_.precision, state_.value.objective))) {
      status = switch_to_f64();
      continue;
    }
    const Status searched = slope < 0 ? line_search(slope) : fail(StatusCode::overflow, "fit", "a descent");
    if (searched.ok()) {
      accept();
      status = validate(reason);
      if (reason != StopReason::none) return status;
    } else if (searched.code == StatusCode::interrupted) {
      status = searched;
    } else if (!wide) {
      status = switch_to_f64();
    } else if (rule_.remembers()) {
      rule_.forget();
    } else {
      return reason = no_progress, status;
    }
  }
  if (status.code == StatusCode::interrupted) return reason = StopReason::interrupted, Status{};
  return status;
}

Status Descent::refresh_curvature() {
  if (main_.kind() == Preconditioner::none) return {};
  const bool first = state_.kind == Preconditioner::none, fresh = rule_.wants_fresh_curvature();
  if (!fresh && state_.passes < due_at()) return {};
  PreconditionerMatrix& next = first && start_.kind() != main_.kind() ? start_ : main_;
  const double spent = state_.passes + state_.curvature_passes;
  std::size_t sample = fresh ? next.most_sample() : next.sample_for(first ? kFirstPasses : kGenerosity * spent);
  if (sample == 0 && (first || next.cost(next.fewest_sample()) <= kMostGenerosity * spent))
    sample = next.fewest_sample();
  if (sample == 0) return {};
  if (!first && !has_time_for(2 * next.cost(sample))) return {};  // nothing would come of it
  const bool done = next.refresh(state_.x, sample, &control_);
  if (control_.was_cancelled()) return fail(StatusCode::interrupted, "fit", "");
  state_.refresh_cost = next.cost(sample);
  state_.curvature_passes += state_.refresh_cost;
  state_.passes_at_refresh = state_.passes;
  ++state_.refreshes;
  if (!done) return {};
  state_.kind = next.kind();
  copy(state_.anchor, state_.x);
  state_.anchor_sample = sample;
  rule_.forget();
  return {};
}

// After so many passes. Of few rows all are looked at each time, at the price of many passes: never early.
double Descent::due_at() const noexcept {
  constexpr double kBetween = kEarlyPasses[1] - kEarlyPasses[0];
  if (state_.refreshes == 0) return 0;
  if (state_.refreshes == 1 && !problem_.has_few_rows()) return kEarlyPasses[0];
  if (state_.refreshes == 2 && !problem_.has_few_rows()) {
    return std::max(kEarlyPasses[1], state_.passes_at_refresh + kBetween);
  }
  return state_.passes_at_refresh + std::max(kFewestPasses, kPatience * state_.refresh_cost);
}

// Wolfe's conditions, or Hager and Zhang's approximate ones (2005) where the loss is at its rounding.
Status Descent::line_search(double slope) {
  constexpr double kDecrease = 1e-4, kCurvature = 0.9;
  const double f0 = state_.value.objective, least_noise = noise(state_.precision, f0);
  // Secants that all move the same end crawl: the loss saturates, and its slope is that of a kink.
  constexpr int kMostSecants = 4;
  double low = 0, high = 0, low_slope = slope, high_slope = 0, t = 1, shrink = 0.1;
  int secants = 0;
  bool was_down = false;
  for (int trial = 0; trial < kMostTrials; ++trial) {
    if (control_.cancelled()) return fail(StatusCode::interrupted, "fit", "");
    combine(trial_, state_.x, t, direction_);
    const Status status = problem_.evaluate(trial_, state_.precision, trial_value_, &trial_gradient_);
    const double f = trial_value_.objective, trial_slope = status.ok() ? dot(trial_gradient_, direction_) : 0;
    const bool down = status.ok() && (f <= f0 + kDecrease * t * slope ||
                                      (f <= f0 + least_noise && trial_slope <= (2 * kDecrease - 1) * slope));
    if (down && trial_slope >= kCurvature * slope) {
      step_length_ = t;
      return {};
    }
    (down ? low : high) = t;
    (down ? low_slope : high_slope) = trial_slope;
    secants = down == was_down ? secants + 1 : 0;
    was_down = down;
    if (high == 0) {
      t *= 2;
      continue;
    }
    if (secants > kMostSecants) {
      if (low == 0 && rule_.remembers()) break;  // what steps have told leads astray
      t = low > 0 ? std::sqrt(low * high) : high * shrink;
      shrink *= shrink;
      continue;
    }
    // Where the slope's secant crosses zero, well inside the interval.
    const double width = high - low;
    double next = high_slope > low_slope ? low - low_slope * width / (high_slope - low_slope) : low + width / 2;
    if (!status.ok()) next = low;
    t = std::clamp(next, low + width / 10, high - width / 10);
  }
  return fail(StatusCode::overflow, "fit", "a direction of descent");
}

void Descent::accept() {
  for (std::size_t i = 0; i < step_.size(); ++i) {
    step_[i] = step_length_ * direction_[i];
    change_[i] = trial_gradient_[i] - state_.gradient[i];
  }
  rule_.accept(step_, change_);
  const double norm = problem_.gradient_norm(trial_gradient_), objective = trial_value_.objective;
  const bool first = state_.iterations == 0;
  if (first || objective < state_.lowest - noise(state_.precision, objective) || norm < 0.9 * state_.least_norm) {
    state_.lowest = objective;
    state_.least_norm = first ? norm : std::min(norm, state_.least_norm);
    state_.stalled = 0;
  } else {
    ++state_.stalled;
  }
  copy(state_.x, trial_);
  copy(state_.gradient, trial_gradient_);
  state_.value = trial_value_;
  state_.passes = problem_.passes() - passes_before_;
  ++state_.iterations;
}

// The loss on other rows after an iteration, and the caller's view of it all.
Status Descent::validate(StopReason& reason) {
  double loss = kNaN;
  if (options_.validation != nullptr) {
    const Status status = problem_.validation_loss(state_.x, *options_.validation, validation_weight_, loss);
    state_.passes = problem_.passes() - passes_before_;
    if (!status.ok()) {
      const Status cause = find_bad_feature(*options_.validation, options_.objective.ignored_label);
      return cause.ok() ? status : cause;
    }
    const bool gained = loss < state_.best_loss;
    state_.iterations_without_gain = gained ? 0 : state_.iterations_without_gain + 1;
    if (gained) {
      state_.best_loss = loss;
      copy(state_.best, state_.x);
    }
    if (options_.stopping.early_stopping > 0 && state_.iterations_without_gain >= options_.stopping.early_stopping) {
      reason = StopReason::early_stopping;
    }
  }
  if (!report(loss) && reason == StopReason::none) reason = StopReason::interrupted;
  return {};
}

bool Descent::report(double validation_loss) const {
  if (options_.progress == nullptr) return true;
  FitProgress p;
  p.iterations = state_.iterations;
  p.passes = state_.passes;
  p.loss = state_.value.data_loss;
  p.validation_loss = validation_loss;
  p.objective = state_.value.objective;
  p.gradient_norm = problem_.gradient_norm(state_.gradient);
  p.learning_rate = step_length_;
  p.seconds = control_.seconds();
  p.samples_per_second = static_cast<double>(problem_.rows()) * (state_.passes - resumed_passes_) /
                         std::max(p.seconds - seconds_before_, 1e-9);
  p.seconds_left = kNaN;
  p.l2 = *options_.objective.l2;
  p.resumed_passes = control_.resumed_passes();
  p.checkpoint_failed = !control_.checkpoint_error().ok();
  return options_.progress(p, options_.user);
}

SolverDescent::SolverDescent(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
                             PreconditionerMatrix& preconditioner)
    : problem_(problem),
      options_(options),
      rule_(make_rule(problem, options.solver)),
      descent_(problem, options, validation_weight, control, *rule_, preconditioner) {}

Status SolverDescent::run(const Vector& x, FitResult& result) {
  problem_.centre(x);  // the loss does not change, the penalty does not grow
  const Status status = descent_.run(x, result);
  if (status.code != StatusCode::overflow) return status;
  const Status cause = find_bad_feature(problem_.data(), options_.objective.ignored_label);
  if (!cause.ok()) return cause;
  result.reason = StopReason::diverged;
  return fail(StatusCode::diverged, "training", "scaled features, or smaller initial weights");
}

}  // namespace lanemax
