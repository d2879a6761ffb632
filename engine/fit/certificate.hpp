// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CERTIFICATE_HPP
#define LANEMAX_ENGINE_FIT_CERTIFICATE_HPP

#include <lanemax/fit.hpp>

#include "engine/fit/control.hpp"
#include "engine/fit/problem.hpp"

namespace lanemax {

/// A number that the objective of this problem is nowhere below, from the dual: -infinity without a penalty on every
/// feature or for the hinge loss.
///
/// With P the probabilities at x, T the targets, rows weighted s_i / S, n and q the column sums of T and P (S_t their
/// total): e = max(0, max_c (1 - n_c / q_c)), r = (n - (1 - e) q) / (e S_t); (1 - e) P + e r has the column sums of T,
/// so it is feasible in the dual, whose value is at least
///
///   (1 - e) mean entropy(P) + e (S_t / S) entropy(r) - |(1 - e) (P - T)' X + e (r - T)' X|^2 / (2 l2 S^2)
///
/// Where that is far below 0 (little penalty, nearly separable rows), part of the way from T to these variables is
/// better: t times the entropies minus t^2 times the square, by concavity, with the best t of [0, 1].
///
/// mean entropy(P) = data loss - <W, dW> - <b, db> of the data loss alone, so all of it follows from one pass, but for
/// the last term's e-th part, of which the norm is bounded by that of the rows. The bias is free, and its gradient
/// makes e; so it is first brought to 0 by Newton steps in the bias alone.
///
/// Runs a few f64 passes. Where `improve`, x is left at the better bias, unless another entry of the gradient grew
/// beyond the largest. -infinity, too, where a pass fails, and, x being as it was, where the caller or the time limit
/// says that there is to be no further pass.
[[nodiscard]] double lower_bound(FitProblem& problem, const Vector& x, bool improve, const Control& control);

/// One f64 pass at the weights that are returned: objective, data_loss, gradient_norm, gap_bound and converged of the
/// result, and its gradient. An objective that is not finite is not an error (the numbers are NaN), a feature that is
/// not finite is.
[[nodiscard]] Status measure(FitProblem& problem, const Vector& x, double bound, double tolerance, FitResult& result,
                             const Vector& gradient);

}  // namespace lanemax

#endif
