// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CURVATURE_CURVATURE_HPP
#define LANEMAX_ENGINE_FIT_CURVATURE_CURVATURE_HPP

#include <lanemax/fit.hpp>

#include "engine/fit/control.hpp"
#include "engine/fit/curvature/symmetric.hpp"
#include "engine/fit/problem.hpp"

#include <vector>

namespace lanemax {

/// Second derivatives of the mean data loss, summed over a sample. With x' a row and a 1 for the bias, and p its
/// probabilities at some weights, the Hessian's block of classes c and k is sum_i s_i p_ic ([c = k] - p_ik) x' x' / S.
/// Which of it is computed is what a preconditioner of that kind needs: the diagonal; the mean of the blocks c = k
/// (gram); the blocks c = k; all blocks c <= k (full).
///
/// How many matrices (of D + 1 rows) that is; 0 for the diagonal.
[[nodiscard]] std::size_t matrix_count(Preconditioner kind, std::size_t classes) noexcept;

/// Sums over `rows` rows (at most all), evenly spaced over the data. T is the scalar of the products.
///
/// Matrices lie one after the other, each with the entries of SymmetricShape{D + 1} at kept(); `full`: blocks (c, k) in
/// the order (0, 0), (0, 1), ... (1, 1), .... `diagonal`: C x (D + 1), laid out as W. May throw std::bad_alloc; false
/// if a probability is not finite, or if the caller wants to stop (asked every few thousand rows).
template <class T>
[[nodiscard]] bool sum_curvature(const FitProblem& problem, const Vector& x, Preconditioner kind, std::size_t rows,
                                 Buffer<T>& out, const Control* control = nullptr);

/// to = factor * (one of these matrices but `full`'s) + the penalty, and `ridge` times its diagonal on top of that.
template <class T>
void penalise(const FitProblem& problem, const T* curvature, double factor, double ridge, T* to) noexcept;

/// Floating-point operations of sum_curvature().
[[nodiscard]] double curvature_flops(Preconditioner kind, std::size_t rows, std::size_t features,
                                     std::size_t classes) noexcept;

}  // namespace lanemax

#endif
