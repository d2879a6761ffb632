// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_FITTING_HPP
#define LANEMAX_TESTS_SUPPORT_FITTING_HPP

#include <lanemax/fit.hpp>

#include "tests/support/stepping.hpp"

#include <vector>

namespace lanemax::checks {

/// Weights of as many classes as the bias has.
template <class T>
[[nodiscard]] WeightsView<T> view_of(std::vector<T>& w, std::vector<T>& b) {
  return {{w.data(), b.size(), w.size() / b.size()}, b};
}
/// Whether FitOptions::mini_batches is for this solver.
[[nodiscard]] constexpr bool has_mini_batches(Solver solver) {
  return solver == Solver::sgd || solver == Solver::momentum || solver == Solver::adam || solver == Solver::adagrad;
}

/// What a fit gave.
struct Fitted {
  Status status;
  std::vector<float> w, b;
  FitResult result;
};
[[nodiscard]] inline Fitted run_fit(const Batch& data, const FitOptions& options, std::size_t classes) {
  Fitted f;
  const auto untouched = static_cast<float>(kUntouched);
  f.w.assign(classes * data.features.features, untouched);
  f.b.assign(classes, untouched);
  f.result.objective = f.result.seconds = kUntouched;
  f.status = fit(data, options, view_of(f.w, f.b), f.result);
  return f;
}
[[nodiscard]] inline bool untouched(const Fitted& f) {
  const auto same = [](float v) { return v == static_cast<float>(kUntouched); };
  return std::all_of(f.w.begin(), f.w.end(), same) && std::all_of(f.b.begin(), f.b.end(), same) &&
         f.result.objective == kUntouched && f.result.seconds == kUntouched;
}

/// What the oracle says of the problem at these weights.
template <class T>
[[nodiscard]] reference::Solution solution_at(reference::Problem problem, double l2, const std::vector<T>& w,
                                              const std::vector<T>& b) {
  problem.l2 = l2;
  problem.w.assign(w.begin(), w.end());
  problem.b.assign(b.begin(), b.end());
  return reference::solve(problem, reference::arithmetic_of<double>());
}
/// The largest entry of the objective's gradient.
[[nodiscard]] inline double largest_gradient(const reference::Solution& at) {
  reference::Real largest = 0;
  for (const Estimate& g : at.dweights) largest = std::max(largest, std::fabs(g.value));
  for (const Estimate& g : at.dbias) largest = std::max(largest, std::fabs(g.value));
  return static_cast<double>(largest);
}

/// Keeps what a fit reports.
struct Recorder {
  std::vector<FitProgress> seen;
  std::size_t stop_after = 0;  ///< reports; 0: never

  void watch(FitOptions& options) {
    options.user = this;
    options.progress = [](const FitProgress& progress, void* user) noexcept {
      auto& self = *static_cast<Recorder*>(user);
      self.seen.push_back(progress);
      return self.stop_after == 0 || self.seen.size() < self.stop_after;
    };
  }
};

}  // namespace lanemax::checks

#endif
