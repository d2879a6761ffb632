// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_PLAIN_FIT_HPP
#define LANEMAX_TESTS_SUPPORT_PLAIN_FIT_HPP

#include "tests/reference/softmax_reference.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lanemax::checks {

/// Takes a small softmax or logistic problem of the oracle with a penalty to its optimum: Newton's method with the
/// whole Hessian, halving steps that go up, on the oracle's losses and gradients. Begins at the problem's weights and
/// bias; a class whose bias is -infinity takes no part.
class PlainFit {
 public:
  explicit PlainFit(reference::Problem& problem) : p_(problem), size_(p_.classes * (p_.features + 1)) {
    p_.b.resize(p_.classes, 0);
  }

  void run() {
    double norm = 1;
    for (int i = 0; i < 60 && norm > 1e-13; ++i) norm = step();
    EXPECT_LE(norm, 1e-12) << "no optimum";
  }

 private:
  [[nodiscard]] bool is_free(std::size_t c) const { return !std::isinf(p_.b[c]); }
  // Of the weight of a feature, or of the bias, which comes last.
  [[nodiscard]] std::size_t index(std::size_t c, std::size_t d) const { return c * (p_.features + 1) + d; }
  [[nodiscard]] double value(std::size_t n, std::size_t d) const {
    return d < p_.features ? p_.x[n * p_.features + d] : 1;
  }
  static reference::Solution solve(const reference::Problem& p) {
    return reference::solve(p, reference::arithmetic_of<double>());
  }

  // Returns the gradient's largest entry before the step.
  double step() {
    const reference::Solution at = solve(p_);
    std::vector<double> gradient(size_), direction;
    double norm = 0;
    for (std::size_t c = 0; c < p_.classes; ++c) {
      for (std::size_t d = 0; is_free(c) && d <= p_.features; ++d) {
        gradient[index(c, d)] =
            static_cast<double>(d < p_.features ? at.dweights[c * p_.features + d].value : at.dbias[c].value);
        norm = std::max(norm, std::abs(gradient[index(c, d)]));
      }
    }
    direction = solved(hessian(at), gradient);
    const reference::Problem before = p_;
    for (double length = 1; length > 1e-9; length /= 2) {
      for (std::size_t c = 0; c < p_.classes; ++c) {
        for (std::size_t d = 0; d < p_.features; ++d) {
          p_.w[c * p_.features + d] = before.w[c * p_.features + d] - length * direction[index(c, d)];
        }
        p_.b[c] = before.b[c] - length * direction[index(c, p_.features)];
      }
      if (solve(p_).objective.value <= at.objective.value + kRounding) return norm;
    }
    p_ = before;
    return norm;
  }

  static constexpr reference::Real kRounding = 1e-16L;

  [[nodiscard]] std::vector<double> hessian(const reference::Solution& at) const {
    std::vector<double> h(size_ * size_);
    for (std::size_t n = 0; n < p_.rows; ++n) {
      double weight = p_.sample_weights.empty() ? 1 : p_.sample_weights[n];
      if (p_.targets.empty() && p_.labels[n] == p_.ignored_label) weight = 0;
      weight /= static_cast<double>(at.total_weight);
      if (!p_.targets.empty() && p_.loss == reference::Loss::softmax) {
        double mass = 0;
        for (std::size_t c = 0; c < p_.classes; ++c) mass += p_.targets[n * p_.classes + c];
        weight *= mass;
      }
      for (std::size_t c = 0; weight > 0 && c < p_.classes; ++c) {
        for (std::size_t k = 0; k <= c; ++k) {  // the other half is the same
          const auto p = static_cast<double>(at.probabilities[n * p_.classes + c].value);
          const auto q = static_cast<double>(at.probabilities[n * p_.classes + k].value);
          const double curvature = weight * p * ((c == k ? 1 : 0) - q);
          for (std::size_t d = 0; d <= p_.features; ++d) {
            for (std::size_t e = 0; e <= p_.features; ++e) {
              h[index(c, d) * size_ + index(k, e)] += curvature * value(n, d) * value(n, e);
            }
          }
        }
      }
    }
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = 0; j < i; ++j) h[j * size_ + i] = h[i * size_ + j];
    }
    for (std::size_t c = 0; c < p_.classes; ++c) {
      for (std::size_t d = 0; d < p_.features; ++d) h[index(c, d) * size_ + index(c, d)] += p_.l2;
      for (std::size_t k = 0; k < p_.classes; ++k) {  // nothing bends where all biases move alike
        h[index(c, p_.features) * size_ + index(k, p_.features)] += p_.loss == reference::Loss::softmax ? 1 : 0;
      }
    }
    for (std::size_t c = 0; c < p_.classes; ++c) {
      for (std::size_t d = 0; !is_free(c) && d <= p_.features; ++d) {
        for (std::size_t j = 0; j < size_; ++j) h[index(c, d) * size_ + j] = h[j * size_ + index(c, d)] = 0;
        h[index(c, d) * size_ + index(c, d)] = 1;
      }
    }
    return h;
  }

  // Gauss, with pivots.
  [[nodiscard]] std::vector<double> solved(std::vector<double> a, std::vector<double> b) const {
    const std::size_t n = size_;
    for (std::size_t k = 0; k < n; ++k) {
      std::size_t pivot = k;
      for (std::size_t i = k; i < n; ++i) {
        if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
      }
      for (std::size_t j = 0; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
      std::swap(b[k], b[pivot]);
      for (std::size_t i = k + 1; i < n; ++i) {
        const double factor = a[i * n + k] / a[k * n + k];
        for (std::size_t j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
        b[i] -= factor * b[k];
      }
    }
    for (std::size_t k = n; k-- > 0;) {
      for (std::size_t j = k + 1; j < n; ++j) b[k] -= a[k * n + j] * b[j];
      b[k] /= a[k * n + k];
    }
    return b;
  }

  reference::Problem& p_;
  std::size_t size_;
};

/// The smallest value of the objective.
[[nodiscard]] inline double plain_optimum(reference::Problem problem, double l2) {
  problem.l2 = l2;
  PlainFit(problem).run();
  return static_cast<double>(reference::solve(problem, reference::arithmetic_of<double>()).objective.value);
}

}  // namespace lanemax::checks

#endif
