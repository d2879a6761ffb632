// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/space/fit_space.hpp"

#include "engine/fit/curvature/preconditioner.hpp"

namespace lanemax {

FitSpace::FitSpace(FitProblem& whole, const FitOptions& options, Penalties penalties)
    : whole_(whole), options_(options), penalties_(std::move(penalties)) {}

Status FitSpace::find(const Control& control) {
  const Status status = find_rows(control);
  const bool choose = status.ok() && options_.solver == Solver::newton;
  if (choose && choose_preconditioner(problem(), options_) != Preconditioner::full) options_.solver = Solver::lbfgs;
  return status;
}

Status FitSpace::find_rows(const Control& control) {
  if (options_.preconditioner != Preconditioner::automatic ||
      !RowSpace::pays(whole_.rows(), whole_.features(), whole_.classes())) {
    return {};
  }
  auto rows = std::make_unique<RowSpace>(whole_, penalties_(1));
  const Status status = rows->find(control);
  if (!status.ok()) return status;
  rows_ = std::move(rows);
  if (options_.validation != nullptr) options_.validation = &rows_->coordinates_of(*options_.validation);
  inner_.emplace(problem_of(data(), {whole_.rows(), whole_.total_weight()}, *options_.objective.l2));
  return {};
}

std::vector<double> FitSpace::penalties(double l2) const {
  if (rows_ == nullptr) return penalties_(l2);
  return {l2 / (rows_->unit() * rows_->unit())};
}

void FitSpace::set_penalty(double l2) {
  whole_.set_penalty(penalties_(l2));
  if (inner_) inner_->set_penalty(penalties(l2));
}

FitProblem FitSpace::problem_of(const Batch& rows, const ProblemSize& size, double l2) const {
  FitProblem problem(rows, options_.objective, whole_.classes(), whole_.table(), whole_.threads(), size, penalties(l2),
                     whole_.has_bias());
  if (rows_ != nullptr) problem.measure_lengths(rows_->unit());
  return problem;
}

Vector FitSpace::enter(const Vector& x) {
  Vector u(problem().parameters());
  if (rows_ == nullptr) {
    copy(u, x);
  } else {
    rows_->restrict(x, u);
    inner_->set_masked(u);
  }
  return u;
}

void FitSpace::leave(const Vector& u, const Vector& x) const {
  rows_ == nullptr ? copy(x, u) : rows_->expand(u, x);
}

double FitSpace::passes() const noexcept {
  if (!inner_) return whole_.passes();
  return whole_.passes() + (rows_->flops() + inner_->passes() * inner_->pass_flops()) / whole_.pass_flops();
}

}  // namespace lanemax
