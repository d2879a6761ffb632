// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/newton.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {

Newton::Newton(FitProblem& problem, const Control& control, bool direct)
    : problem_(problem), control_(control), direct_(direct), applied_(problem.parameters()) {
  if (direct) return;
  residual_ = Vector(problem.parameters());
  search_ = Vector(problem.parameters());
  product_ = Vector(problem.parameters());
}

Status Newton::find(const DescentState& state, const PreconditionerMatrix& preconditioner, const Vector& direction) {
  preconditioner.apply(state.gradient, applied_);
  if (direct_) {
    copy(direction, applied_);
    scale(direction, -1);
    return {};
  }
  constexpr int kMostProducts = 250;
  for (std::size_t i = 0; i < direction.size(); ++i) direction[i] = 0;
  copy(residual_, state.gradient);
  scale(residual_, -1);
  copy(search_, applied_);
  scale(search_, -1);
  double square = dot(state.gradient, applied_);
  if (first_norm_ == 0) first_norm_ = std::sqrt(square);
  const double enough = std::min(0.3, std::sqrt(std::sqrt(square) / first_norm_)) * std::sqrt(square);
  for (int i = 0; i < kMostProducts && std::sqrt(square) > enough; ++i) {
    if (control_.cancelled()) return fail(StatusCode::interrupted, "fit", "");
    const Status status = problem_.hessian_product(state.x, search_, state.precision, product_);
    if (!status.ok()) return status;
    const double curvature = dot(search_, product_);
    if (!(curvature > 0)) {  // rounding: the Hessian is positive semidefinite
      if (i == 0) copy(direction, search_);
      break;
    }
    const double length = square / curvature;
    add_scaled(direction, length, search_);
    add_scaled(residual_, -length, product_);
    preconditioner.apply(residual_, applied_);
    const double next = dot(residual_, applied_);
    combine(search_, applied_, next / square, search_);
    square = next;
  }
  return {};
}

}  // namespace lanemax
