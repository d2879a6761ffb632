// SPDX-License-Identifier: BSD-3-Clause
#include "tests/reference/newton_reference.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::reference {
namespace {

using Real = long double;

/// Rows of coordinates in which the penalty is that of lengths, |u|^2 / 2, with a 1 for the bias at the end.
struct Coordinates {
  std::size_t columns = 0;
  std::vector<Real> x;
};

// With more features than rows: the factor of the rows' inner products, the largest remainder first.
Coordinates coordinates_of(const NewtonProblem& p) {
  const std::size_t n = p.rows, d = p.features;
  Coordinates out;
  if (d <= n) {
    out.columns = d + 1;
    out.x.assign(n * (d + 1), 1);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        out.x[i * (d + 1) + j] = static_cast<Real>(p.x[i * d + j]) / std::sqrt(static_cast<Real>(p.penalty[j]));
      }
    }
    return out;
  }
  std::vector<Real> gram(n * n), factor(n * n), left(n);
  Real largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k <= i; ++k) {
      Real sum = 0;
      for (std::size_t j = 0; j < d; ++j) {
        sum += static_cast<Real>(p.x[i * d + j]) * static_cast<Real>(p.x[k * d + j]) / static_cast<Real>(p.penalty[j]);
      }
      gram[i * n + k] = gram[k * n + i] = sum;
    }
    left[i] = gram[i * n + i];
    largest = std::max(largest, left[i]);
  }
  std::size_t rank = 0;
  for (; rank < n; ++rank) {
    const auto pivot = static_cast<std::size_t>(std::max_element(left.begin(), left.end()) - left.begin());
    if (!(left[pivot] > 1e-16L * largest)) break;
    const Real root = std::sqrt(left[pivot]);
    for (std::size_t i = 0; i < n; ++i) {
      if (left[i] < 0 || i == pivot) continue;
      Real sum = gram[i * n + pivot];
      for (std::size_t k = 0; k < rank; ++k) sum -= factor[i * n + k] * factor[pivot * n + k];
      factor[i * n + rank] = sum / root;
      left[i] = std::max<Real>(left[i] - factor[i * n + rank] * factor[i * n + rank], 0);
    }
    factor[pivot * n + rank] = root;
    left[pivot] = -1;  // done
  }
  out.columns = rank + 1;
  out.x.assign(n * (rank + 1), 1);
  for (std::size_t i = 0; i < n; ++i) std::copy_n(&factor[i * n], rank, &out.x[i * (rank + 1)]);
  return out;
}

class Newton {
 public:
  explicit Newton(const NewtonProblem& problem)
      : p_(problem), data_(coordinates_of(problem)), m_(data_.columns), size_(m_ * problem.classes), u_(size_) {
    for (std::size_t i = 0; i < p_.rows; ++i) total_ += weight(i);
  }

  NewtonResult run() {
    constexpr int kMostSteps = 500;
    Real f = derive();
    Real decrement = 0;
    for (int step = 0; step < kMostSteps; ++step) {
      decrement = solve();
      if (!(decrement > 1e-17L * f)) break;
      const std::vector<Real> from = u_;
      Real length = 1, lower = f;
      for (; length > 1e-15L; length /= 2) {
        for (std::size_t i = 0; i < size_; ++i) u_[i] = from[i] - length * direction_[i];
        lower = value(nullptr);
        if (lower <= f - 1e-4L * length * decrement) break;
      }
      if (!(lower < f)) {
        u_ = from;
        break;
      }
      f = derive();
    }
    NewtonResult result;
    result.left = decrement / 2;
    result.objective = value(&result.scores);
    return result;
  }

 private:
  [[nodiscard]] Real weight(std::size_t i) const { return p_.weights.empty() ? 1 : static_cast<Real>(p_.weights[i]); }
  [[nodiscard]] const Real* row(std::size_t i) const { return &data_.x[i * m_]; }

  // Of row i: the scores, and exp(score - largest) without the largest's 1.
  Real scores_of(std::size_t i, std::vector<Real>& z, std::size_t& best) const {
    for (std::size_t c = 0; c < p_.classes; ++c) {
      z[c] = 0;
      for (std::size_t k = 0; k < m_; ++k) z[c] += u_[c * m_ + k] * row(i)[k];
    }
    best = static_cast<std::size_t>(std::max_element(z.begin(), z.end()) - z.begin());
    Real rest = 0;
    for (std::size_t c = 0; c < p_.classes; ++c) rest += c == best ? 0 : std::exp(z[c] - z[best]);
    return rest;
  }
  [[nodiscard]] Real penalty() const {
    Real sum = 0;
    for (std::size_t i = 0; i < size_; ++i) sum += i % m_ + 1 < m_ ? u_[i] * u_[i] / 2 : 0;
    return sum;
  }

  Real value(std::vector<Real>* scores) const {
    std::vector<Real> z(p_.classes);
    Real sum = 0;
    for (std::size_t i = 0; i < p_.rows; ++i) {
      std::size_t best = 0;
      const Real rest = scores_of(i, z, best);
      sum += weight(i) / total_ * (std::log1p(rest) + z[best] - z[static_cast<std::size_t>(p_.labels[i])]);
      if (scores != nullptr) scores->insert(scores->end(), z.begin(), z.end());
    }
    return sum + penalty();
  }

  // The gradient and the Hessian; returns the objective.
  Real derive() {
    const std::size_t classes = p_.classes;
    gradient_.assign(size_, 0);
    hessian_.assign(size_ * size_, 0);
    std::vector<Real> z(classes), probability(classes), residual(classes);
    for (std::size_t i = 0; i < p_.rows; ++i) {
      std::size_t best = 0;
      const Real rest = scores_of(i, z, best), s = weight(i) / total_;
      const auto truth = static_cast<std::size_t>(p_.labels[i]);
      Real others = 0;
      for (std::size_t c = 0; c < classes; ++c) {
        probability[c] = residual[c] = std::exp(z[c] - z[best]) / (1 + rest);
        if (c != truth) others += probability[c];
      }
      residual[truth] = -others;  // p - 1, with all its digits
      for (std::size_t c = 0; c < classes; ++c) {
        for (std::size_t k = 0; k < m_; ++k) gradient_[c * m_ + k] += s * residual[c] * row(i)[k];
        for (std::size_t e = 0; e <= c; ++e) {
          const Real own = c == truth ? others : 1 - probability[c];
          const Real curvature = s * probability[c] * (c == e ? own : -probability[e]);
          for (std::size_t k = 0; k < m_; ++k) {
            for (std::size_t q = 0; q < m_; ++q) {
              hessian_[(c * m_ + k) * size_ + e * m_ + q] += curvature * row(i)[k] * row(i)[q];
            }
          }
        }
      }
    }
    for (std::size_t i = 0; i < size_; ++i) {
      if (i % m_ + 1 == m_) continue;
      gradient_[i] += u_[i];
      hessian_[i * size_ + i] += 1;
    }
    return value(nullptr);
  }

  // The direction, by Cholesky's factors; returns gradient' hessian^-1 gradient.
  Real solve() {
    // All biases together change nothing: that direction is given some curvature.
    Real most = 0;
    const auto bias = [this](std::size_t c) { return c * m_ + m_ - 1; };
    for (std::size_t c = 0; c < p_.classes; ++c) most = std::max(most, hessian_[bias(c) * size_ + bias(c)]);
    for (std::size_t c = 0; c < p_.classes; ++c) {
      for (std::size_t e = 0; e <= c; ++e) hessian_[bias(c) * size_ + bias(e)] += most;
      hessian_[bias(c) * size_ + bias(c)] += most * 1e-14L;
    }
    for (std::size_t j = 0; j < size_; ++j) {
      for (std::size_t i = j; i < size_; ++i) {
        Real sum = hessian_[i * size_ + j];
        for (std::size_t k = 0; k < j; ++k) sum -= hessian_[i * size_ + k] * hessian_[j * size_ + k];
        hessian_[i * size_ + j] = i == j ? std::sqrt(sum) : sum / hessian_[j * size_ + j];
      }
    }
    direction_ = gradient_;
    Real decrement = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t k = 0; k < i; ++k) direction_[i] -= hessian_[i * size_ + k] * direction_[k];
      direction_[i] /= hessian_[i * size_ + i];
      decrement += direction_[i] * direction_[i];
    }
    for (std::size_t i = size_; i-- > 0;) {
      for (std::size_t k = i + 1; k < size_; ++k) direction_[i] -= hessian_[k * size_ + i] * direction_[k];
      direction_[i] /= hessian_[i * size_ + i];
    }
    return decrement;
  }

  const NewtonProblem& p_;
  Coordinates data_;
  std::size_t m_, size_;
  std::vector<Real> u_, gradient_, hessian_, direction_;
  Real total_ = 0;
};

}  // namespace

NewtonResult newton_optimum(const NewtonProblem& problem) {
  return Newton(problem).run();
}

}  // namespace lanemax::reference
