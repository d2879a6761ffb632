// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SPACE_FIT_SPACE_HPP
#define LANEMAX_ENGINE_FIT_SPACE_FIT_SPACE_HPP

#include "engine/fit/space/row_space.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace lanemax {

/// Where lbfgs and newton work: on the features as they are or, of few rows, on the rows' coordinates. Points of one
/// place and of the other stand for each other; losses, penalties, optima and bounds are the same.
class FitSpace {
 public:
  /// The penalty of each feature's weights, or one for all, at a given l2.
  using Penalties = std::function<std::vector<double>(double l2)>;

  /// `whole`: the fit as it was asked for. All arguments must outlive this.
  FitSpace(FitProblem& whole, const FitOptions& options, Penalties penalties);
  FitSpace(const FitSpace&) = delete;  // the options point to the validation batch here
  FitSpace& operator=(const FitSpace&) = delete;

  /// Finds the place and, where newton was asked for, what runs there: newton if the whole Hessian is small or asked
  /// for, else lbfgs. StatusCode::interrupted if the caller wants to stop, or a time limit has passed.
  [[nodiscard]] Status find(const Control& control);

  [[nodiscard]] FitProblem& problem() noexcept { return inner_ ? *inner_ : whole_; }
  [[nodiscard]] const Batch& data() const noexcept { return rows_ == nullptr ? whole_.data() : rows_->data(); }
  /// The validation batch is of this place, the solver the one that runs.
  [[nodiscard]] const FitOptions& options() const noexcept { return options_; }
  [[nodiscard]] std::vector<double> penalties(double l2) const;
  void set_penalty(double l2);
  /// A fit of some of the rows, which data() numbers. `rows` must outlive it.
  [[nodiscard]] FitProblem problem_of(const Batch& rows, const ProblemSize& size, double l2) const;

  /// A point of the whole as one of this place, and back. Every class that is masked stays so.
  [[nodiscard]] Vector enter(const Vector& x);
  void leave(const Vector& u, const Vector& x) const;

  /// All work so far, in passes over the whole.
  [[nodiscard]] double passes() const noexcept;

 private:
  [[nodiscard]] Status find_rows(const Control& control);

  FitProblem& whole_;
  FitOptions options_;
  Penalties penalties_;
  std::unique_ptr<RowSpace> rows_;  // null: the features as they are
  std::optional<FitProblem> inner_;
};

}  // namespace lanemax

#endif
