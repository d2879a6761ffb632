// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CURVATURE_CLASS_LINES_HPP
#define LANEMAX_ENGINE_FIT_CURVATURE_CLASS_LINES_HPP

#include "engine/fit/problem.hpp"

namespace lanemax {

/// A vector, and where something times it goes.
struct Product {
  const Vector* of;
  const Vector* to;
};

/// A vector of a problem as a line for each class, `stride` numbers apart: its weights, then its bias.
template <class T>
void gather_lines(const FitProblem& problem, const Vector& v, T* lines, std::size_t stride) noexcept {
  const std::size_t features = problem.features(), classes = problem.classes();
  for (std::size_t c = 0; c < classes; ++c, lines += stride) {
    for (std::size_t d = 0; d < features; ++d) lines[d] = static_cast<T>(v[weight_index(features, classes, c, d)]);
    lines[features] = static_cast<T>(v[problem.weights() + c]);
  }
}
/// And back.
template <class T>
void scatter_lines(const FitProblem& problem, const T* lines, std::size_t stride, const Vector& v) noexcept {
  const std::size_t features = problem.features(), classes = problem.classes();
  std::fill_n(v.data(), v.size(), 0.0);
  for (std::size_t c = 0; c < classes; ++c, lines += stride) {
    for (std::size_t d = 0; d < features; ++d) {
      v[weight_index(features, classes, c, d)] = static_cast<double>(lines[d]);
    }
    v[problem.weights() + c] = static_cast<double>(lines[features]);
  }
}

}  // namespace lanemax

#endif
