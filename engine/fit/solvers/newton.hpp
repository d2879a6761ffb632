// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SOLVERS_NEWTON_HPP
#define LANEMAX_ENGINE_FIT_SOLVERS_NEWTON_HPP

#include "engine/fit/solvers/descent.hpp"

namespace lanemax {

/// Newton's direction: the preconditioner is the whole Hessian's inverse, made anew at every point.
class Newton final : public DirectionRule {
 public:
  void find(const Vector& gradient, const PreconditionerMatrix& preconditioner, const Vector& direction) override {
    preconditioner.apply({{&gradient, &direction}});
    scale(direction, -1);
  }
  void accept(const Vector&, const Vector&) override {}
  [[nodiscard]] bool remembers() const noexcept override { return false; }
  void forget() override {}
  [[nodiscard]] bool wants_fresh_curvature() const noexcept override { return true; }
  void exchange(Archive&) override {}
};

}  // namespace lanemax

#endif
