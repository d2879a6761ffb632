// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SOLVERS_DESCENT_HPP
#define LANEMAX_ENGINE_FIT_SOLVERS_DESCENT_HPP

#include "engine/fit/control.hpp"
#include "engine/fit/curvature/preconditioner.hpp"

#include <memory>

namespace lanemax {

/// Where a solver over all rows stands between two iterations. What the next one does depends on this, on the
/// direction rule's own memory and on nothing else.
struct DescentState {
  Vector x;
  Vector gradient;
  Value value;
  Precision precision = Precision::f32;
  std::uint64_t iterations = 0;
  double passes = 0;  ///< over the data, so far
  // When there was last progress to speak of: the objective and the least gradient then, and iterations since.
  double lowest = 0;
  double least_norm = 0;
  std::uint64_t stalled = 0;

  // Which Hessian the preconditioner is of.
  Preconditioner kind = Preconditioner::none;
  Vector anchor;  ///< the point
  std::uint64_t anchor_sample = 0;
  std::uint64_t refreshes = 0;  ///< tried, so far
  double curvature_passes = 0;  ///< what all refreshes have cost, in passes
  double refresh_cost = 0;      ///< what the last one has cost
  double passes_at_refresh = 0;

  // Validation.
  Vector best;
  double best_loss = 0;
  std::uint64_t iterations_without_gain = 0;
};

/// How a solver finds its next direction.
class DirectionRule : public Resumable {
 public:
  /// A direction of descent where the gradient is this.
  virtual void find(const Vector& gradient, const PreconditionerMatrix& preconditioner, const Vector& direction) = 0;
  /// A step was taken: x and the gradient changed by so much.
  virtual void accept(const Vector& step, const Vector& gradient_change) = 0;
  /// Whether directions depend on what steps have told.
  [[nodiscard]] virtual bool remembers() const noexcept = 0;
  virtual void forget() = 0;
  /// Whether the preconditioner must be of the point at hand.
  [[nodiscard]] virtual bool wants_fresh_curvature() const noexcept { return false; }
};

/// Descends until the gradient is within the tolerance or another reason to stop appears. Uses the preconditioner as it
/// is, if it is ready, and makes it anew when that is worth while.
class Descent final : public Resumable {
 public:
  /// `options.validation` weighs `validation_weight`.
  Descent(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
          DirectionRule& rule, PreconditionerMatrix& preconditioner);

  /// Begins at x and leaves it at the point that the fit is to return. Sets the result's reason, preconditioner and
  /// iterations.
  Status run(const Vector& x, FitResult& result);
  void exchange(Archive& archive) override;

 private:
  Status begin(const Vector& x);
  Status iterate(StopReason& reason);
  [[nodiscard]] bool should_stop(StopReason& reason) const noexcept;
  [[nodiscard]] bool has_time_for(double passes) const noexcept;
  Status evaluate_here();
  Status switch_to_f64();
  [[nodiscard]] bool wants_f64(const Status& status) const noexcept;
  Status refresh_curvature();
  [[nodiscard]] double due_at() const noexcept;
  Status line_search(double slope);
  void accept();
  Status validate(StopReason& reason);
  [[nodiscard]] bool report(double validation_loss) const;
  [[nodiscard]] PreconditionerMatrix& matrix() noexcept { return state_.kind == main_.kind() ? main_ : start_; }

  FitProblem& problem_;
  const FitOptions& options_;
  double validation_weight_;
  Control& control_;
  DirectionRule& rule_;
  PreconditionerMatrix& main_;
  PreconditionerMatrix start_;  // cheaper, while the main one is not ready
  DescentState state_;
  double passes_before_ = 0;  // of the problem, before this descent
  double seconds_before_ = 0;
  double resumed_passes_ = 0, work_before_ = 0;  // of the run that is resumed: passes, and with them the curvature's

  // The step at hand.
  Vector direction_, trial_, trial_gradient_, step_, change_;
  Value trial_value_;
  double step_length_ = 0;
};

/// A descent of options.solver, lbfgs or newton.
class SolverDescent final : public Resumable {
 public:
  SolverDescent(FitProblem& problem, const FitOptions& options, double validation_weight, Control& control,
                PreconditionerMatrix& preconditioner);

  /// From x to the point that the fit is to return. StatusCode::diverged, and the result's reason, where the objective
  /// is not finite although the features are.
  Status run(const Vector& x, FitResult& result);
  void exchange(Archive& archive) override { descent_.exchange(archive); }

 private:
  FitProblem& problem_;
  const FitOptions& options_;
  std::unique_ptr<DirectionRule> rule_;
  Descent descent_;
};

}  // namespace lanemax

#endif
