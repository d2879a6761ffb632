// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/solvers/lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace lanemax {

Lbfgs::Lbfgs(std::size_t parameters) : scratch_(parameters), applied_(parameters) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 30, kFewestPairs = 5;
  const std::size_t pairs = std::clamp(kMostBytes / (2 * sizeof(double) * parameters), kFewestPairs, kMostPairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    steps_.emplace_back(parameters);
    changes_.emplace_back(parameters);
  }
}

// Nocedal's two loops (1980), the preconditioner in the middle.
void Lbfgs::find(const Vector& gradient, const PreconditionerMatrix& preconditioner, const Vector& direction) {
  double factor[kMostPairs] = {};
  copy(scratch_, gradient);
  for (std::size_t i = count_; i-- > 0;) {
    const std::size_t at = slot(i);
    factor[i] = dot(steps_[at], scratch_) * inverse_products_[at];
    add_scaled(scratch_, -factor[i], changes_[at]);
  }
  if (count_ > 0) {
    // How much the preconditioner is off along the last step.
    const std::size_t at = slot(count_ - 1);
    preconditioner.apply({{&scratch_, &direction}, {&changes_[at], &applied_}});
    const double curvature = dot(changes_[at], applied_);
    if (curvature > 0) scale(direction, 1 / (inverse_products_[at] * curvature));
  } else {
    preconditioner.apply({{&scratch_, &direction}});
    if (preconditioner.empty()) scale(direction, 1 / std::sqrt(dot(gradient, gradient)));
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const std::size_t at = slot(i);
    add_scaled(direction, factor[i] - inverse_products_[at] * dot(changes_[at], direction), steps_[at]);
  }
  scale(direction, -1);
}

void Lbfgs::accept(const Vector& step, const Vector& change) {
  const double product = dot(step, change);
  if (!(product > 0)) return;
  const std::size_t at = count_ < steps_.size() ? slot(count_) : first_;
  copy(steps_[at], step);
  copy(changes_[at], change);
  inverse_products_[at] = 1 / product;
  if (count_ < steps_.size()) {
    ++count_;
  } else {
    first_ = (first_ + 1) % steps_.size();
  }
}

void Lbfgs::exchange(Archive& archive) {
  archive.count("pairs", count_, steps_.size());
  archive.count("first_pair", first_, steps_.size() - 1);
  archive.array("inverse_products", inverse_products_, kMostPairs);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const std::string number = std::to_string(i);
    archive.array(("step_" + number).c_str(), steps_[i]);
    archive.array(("change_" + number).c_str(), changes_[i]);
  }
}

}  // namespace lanemax
