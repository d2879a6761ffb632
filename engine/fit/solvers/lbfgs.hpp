// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SOLVERS_LBFGS_HPP
#define LANEMAX_ENGINE_FIT_SOLVERS_LBFGS_HPP

#include "engine/fit/solvers/descent.hpp"

#include <vector>

namespace lanemax {

/// Limited-memory BFGS: the inverse Hessian from the last steps, on top of the preconditioner's.
class Lbfgs final : public DirectionRule {
 public:
  static constexpr std::size_t kMostPairs = 20;

  /// Keeps fewer pairs where 20 would take more than a gigabyte.
  explicit Lbfgs(std::size_t parameters);
  void find(const Vector& gradient, const PreconditionerMatrix& preconditioner, const Vector& direction) override;
  void accept(const Vector& step, const Vector& gradient_change) override;
  [[nodiscard]] bool remembers() const noexcept override { return count_ > 0; }
  void forget() override { count_ = first_ = 0; }
  void exchange(Archive& archive) override;

 private:
  [[nodiscard]] std::size_t slot(std::size_t age) const noexcept { return (first_ + age) % steps_.size(); }

  std::vector<Vector> steps_, changes_;
  double inverse_products_[kMostPairs] = {};
  std::uint64_t first_ = 0, count_ = 0;
  Vector scratch_, applied_;
};

}  // namespace lanemax

#endif
