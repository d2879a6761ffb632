// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_VECTORS_HPP
#define LANEMAX_ENGINE_FIT_VECTORS_HPP

#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lanemax {

/// A point, direction or gradient of a problem: weights and then the bias, in the engine's layout, in double. The
/// padding is 0, but for the bias of a point, whose padding is -infinity. The length is a multiple of 16.
using Vector = Buffer<double>;

// Sums run in eight lanes and one fixed tree, on the calling thread: a few passes over D C numbers beside N D C.

[[nodiscard]] inline double dot(const Vector& a, const Vector& b) noexcept {
  double sum[8] = {};
  const double* x = a.data();
  const double* y = b.data();
  for (std::size_t i = 0; i < a.size(); i += 8) {
    for (std::size_t j = 0; j < 8; ++j) sum[j] += x[i + j] * y[i + j];
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}
/// y += factor x.
inline void add_scaled(const Vector& y, double factor, const Vector& x) noexcept {
  double* out = y.data();
  const double* in = x.data();
  for (std::size_t i = 0; i < y.size(); ++i) out[i] += factor * in[i];
}
/// out = a + factor b.
inline void combine(const Vector& out, const Vector& a, double factor, const Vector& b) noexcept {
  double* o = out.data();
  const double* p = a.data();
  const double* q = b.data();
  for (std::size_t i = 0; i < out.size(); ++i) o[i] = p[i] + factor * q[i];
}
inline void copy(const Vector& to, const Vector& from) noexcept {
  std::copy_n(from.data(), from.size(), to.data());
}
inline void scale(const Vector& x, double factor) noexcept {
  double* p = x.data();
  for (std::size_t i = 0; i < x.size(); ++i) p[i] *= factor;
}
template <class From, class To>
void convert(const From* from, std::size_t count, To* to) noexcept {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
}
[[nodiscard]] inline double largest_entry(const Vector& x) noexcept {
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i]));
  return largest;
}

}  // namespace lanemax

#endif
