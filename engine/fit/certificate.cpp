// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/certificate.hpp"

#include "engine/fit/curvature/bias_step.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/row_source.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lanemax {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr int kBiasSteps = 3;  // each takes db down by the error of the sample that its Hessian is of
// What is left of db may be this part of the gap, or so many nats, or this part of the objective where that is less.
constexpr double kSmallPart = 0.1;
constexpr double kSmallLoss = 1e-7;
constexpr double kSmallRatio = 1e-5;

class LowerBound {
 public:
  LowerBound(FitProblem& problem, const Vector& x, const Control& control)
      : problem_(problem), control_(control), x_(x.size()), gradient_(x.size()), targets_(scores()) {
    copy(x_, x);
  }

  double run(const Vector* improved) {
    if (control_.is_stopping()) return -kInfinity;
    const Status status = problem_.evaluate(x_, Precision::f64, value_, &gradient_);
    if (!status.ok()) return -kInfinity;
    sum_targets();
    const double first_norm = problem_.gradient_norm(gradient_);
    bool small = false;
    double bound = dual_value(small);
    for (int step = 0; step < kBiasSteps && !small && newton_step_in_bias(); ++step) {
      bound = std::max(bound, dual_value(small));
    }
    if (control_.is_stopping()) return -kInfinity;
    // What is within a tolerance stays so.
    if (improved != nullptr && problem_.gradient_norm(gradient_) <= first_norm) copy(*improved, x_);
    return bound;
  }

 private:
  // Scores of a row's dual variables: a logistic row is one of two classes.
  [[nodiscard]] std::size_t scores() const { return logistic() ? 2 : problem_.classes(); }
  [[nodiscard]] bool logistic() const { return problem_.objective().loss == Loss::logistic; }
  [[nodiscard]] bool is_masked(std::size_t c) const { return std::isinf(x_[problem_.weights() + c]); }
  [[nodiscard]] double bias_gradient(std::size_t c) const { return gradient_[problem_.weights() + c]; }

  // False if there is no such step, or none that helps.
  bool newton_step_in_bias() {
    std::vector<double> step;
    if (control_.is_stopping()) return false;
    if (!bias_newton_step(problem_, x_, gradient_, step)) return false;
    Vector trial(x_.size()), trial_gradient(x_.size());
    copy(trial, x_);
    for (std::size_t c = 0; c < problem_.classes(); ++c) trial[problem_.weights() + c] += step[c];
    Value value;
    const Status status = problem_.evaluate(trial, Precision::f64, value, &trial_gradient);
    if (!status.ok() || !(value.objective <= value_.objective * (1 + 1e-15))) return false;
    std::swap(x_, trial);
    std::swap(gradient_, trial_gradient);
    value_ = value;
    return true;
  }

  // n: column sums of the targets.
  void sum_targets() {
    const Batch& data = problem_.data();
    std::size_t free = 0;
    for (std::size_t c = 0; c < problem_.classes(); ++c) free += is_masked(c) ? 0 : 1;
    const double smoothing = problem_.objective().label_smoothing;
    double all = 0;
    for_each_kept_row(data, problem_.objective().ignored_label, [&](std::size_t row, double weight) {
      if (!data.labels.empty()) {
        targets_[static_cast<std::size_t>(data.labels[row])] += (1 - smoothing) * weight;
        all += smoothing * weight;
        return;
      }
      for (std::size_t c = 0; c < problem_.classes(); ++c) {
        const double target = static_cast<double>(data.target_probabilities.at(row, c));
        if (logistic()) targets_[0] += weight * (1 - target);
        targets_[logistic() ? 1 : c] += weight * target;
      }
    });
    for (std::size_t c = 0; c < scores(); ++c) {
      if (logistic() || !is_masked(c)) targets_[c] += all / static_cast<double>(free);
    }
  }

  /// The best of part entropy - part^2 norm^2 / 2 for parts from 0 to 1.
  [[nodiscard]] static double value_along(double entropy, double norm) {
    const double square = norm * norm;
    if (square <= entropy) return entropy - square / 2;
    return entropy > 0 ? entropy * entropy / (2 * square) : 0;
  }

  /// `small`: e hardly matters to the gap.
  [[nodiscard]] double dual_value(bool& small) const {
    const double weight = problem_.total_weight();
    double mass = 0, mixed = 0;  // S_t and e
    for (const double n : targets_) mass += n;
    std::vector<double> column(scores());  // q
    for (std::size_t c = 0; c < scores(); ++c) {
      const double db = !logistic() ? bias_gradient(c) : c == 1 ? bias_gradient(0) : -bias_gradient(0);
      column[c] = targets_[c] + weight * db;
      if (column[c] > 0) mixed = std::max(mixed, 1 - targets_[c] / column[c]);
    }
    double entropy = value_.data_loss, norm = 0, steepest = 0;  // steepest: 1 / the least penalty
    for (std::size_t c = 0; c < problem_.classes(); ++c) {
      if (!is_masked(c)) entropy -= x_[problem_.weights() + c] * bias_gradient(c);
      for (std::size_t d = 0; d < problem_.features(); ++d) {
        const double l2 = problem_.penalty_of(d);
        const std::size_t at = weight_index(problem_.features(), problem_.classes(), c, d);
        const double data_gradient = gradient_[at] - l2 * x_[at];
        entropy -= x_[at] * data_gradient;
        norm += data_gradient * data_gradient / l2;
        steepest = std::max(steepest, 1 / l2);
      }
    }
    norm = std::sqrt(norm);
    small = true;
    if (mixed == 0) return value_along(entropy, norm);
    double rest = 0;  // entropy(r)
    for (std::size_t c = 0; c < scores(); ++c) {
      const double r = std::max(0.0, (targets_[c] - (1 - mixed) * column[c]) / (mixed * mass));
      if (r > 0) rest -= r * std::log(r);
    }
    // |(r - t_i)| <= sqrt(2) times the row's mass; logistic: of one score, 1.
    const double spread = (logistic() ? 1.0 : std::sqrt(2.0)) * std::sqrt(problem_.mean_square_row() * steepest);
    const double total = (1 - mixed) * norm + mixed * spread;
    const double value = value_along((1 - mixed) * entropy + mixed * mass / weight * rest, total);
    const double lost = value_along(entropy, norm) - value;
    small =
        lost <= std::max(kSmallPart * (value_.objective - value), std::min(kSmallLoss, kSmallRatio * value_.objective));
    return value;
  }

  FitProblem& problem_;
  const Control& control_;
  Vector x_, gradient_;
  Value value_;
  std::vector<double> targets_;
};

}  // namespace

double lower_bound(FitProblem& problem, const Vector& x, bool improve, const Control& control) {
  if (!problem.is_penalised() || problem.objective().loss == Loss::hinge) return -kInfinity;
  return LowerBound(problem, x, control).run(improve ? &x : nullptr);
}

Status measure(FitProblem& problem, const Vector& x, double bound, double tolerance, FitResult& result,
               const Vector& gradient) {
  Value value;
  if (!problem.evaluate(x, Precision::f64, value, &gradient).ok()) {
    result.objective = result.data_loss = result.gradient_norm = result.gap_bound = kNaN;
    return find_bad_feature(problem.data(), problem.objective().ignored_label);
  }
  result.threads = problem.threads_at_work();
  result.objective = value.objective;
  result.data_loss = value.data_loss;
  result.gradient_norm = problem.gradient_norm(gradient);
  // With what rounding may have done to both. The label's p - 1 is off by up to 2^-53, which lifts the bound of a row
  // by about the square of that over 1 - p, and by no more than that: of 200 wide sets it showed in five, whose
  // objectives are 1e-10 and less, by 1e-11 of them.
  constexpr double kRounding = 1e-12, kSlip = 0x1p-53;
  const double slack = kRounding * value.objective + kSlip;
  result.gap_bound = std::isfinite(bound) ? std::max(value.objective - bound, 0.0) + slack : kNaN;
  result.converged = result.reason == StopReason::tolerance || (tolerance > 0 && result.gradient_norm <= tolerance);
  return {};
}

}  // namespace lanemax
