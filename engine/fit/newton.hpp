// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_NEWTON_HPP
#define LANEMAX_ENGINE_FIT_NEWTON_HPP

#include "engine/fit/descent.hpp"

namespace lanemax {

/// Newton's direction: with the whole Hessian inverted, at once; else by conjugate gradients on products with the
/// Hessian, preconditioned, until the residual is a fraction of the gradient that shrinks with it (Eisenstat and
/// Walker 1996).
class Newton final : public DirectionRule {
 public:
  Newton(FitProblem& problem, const Control& control, bool direct);
  Status find(const DescentState& state, const PreconditionerMatrix& preconditioner, const Vector& direction) override;
  void accept(const Vector&, const Vector&) override {}
  [[nodiscard]] bool remembers() const noexcept override { return false; }
  void forget() override {}
  [[nodiscard]] bool wants_fresh_curvature() const noexcept override { return direct_; }
  void exchange(Archive& archive) override { archive.number("first_norm", first_norm_); }

 private:
  FitProblem& problem_;
  const Control& control_;
  bool direct_;
  double first_norm_ = 0;  ///< of the first gradient, in the preconditioner's norm
  Vector residual_, applied_, search_, product_;
};

}  // namespace lanemax

#endif
