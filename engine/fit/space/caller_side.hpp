// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SPACE_CALLER_SIDE_HPP
#define LANEMAX_ENGINE_FIT_SPACE_CALLER_SIDE_HPP

#include "engine/fit/problem.hpp"
#include "engine/fit/space/feature_map.hpp"

namespace lanemax {

/// What checking a fit's inputs finds out.
struct FitSizes {
  const KernelTable* table = nullptr;
  ProblemSize training, validation;
};
/// Everything that fit() and fit_path() take for granted, the values of the features excepted.
template <class T>
[[nodiscard]] Status check_fit(const Batch& data, const FitOptions& options, const WeightsView<T>& weights,
                               const FitScaling& scaling, FitSizes& sizes) noexcept;

/// The solver that will run.
[[nodiscard]] Solver choose_solver(const FitOptions& options) noexcept;
/// Sets the solver, the penalty and the options of mini-batches where they are not. May throw std::bad_alloc.
[[nodiscard]] FitOptions resolve(const FitOptions& options, const ProblemSize& training);
[[nodiscard]] constexpr bool is_over_all_rows(Solver solver) noexcept {
  return solver == Solver::lbfgs || solver == Solver::newton;
}

/// Between the caller's data and weights and those of the problem: features as f32 can bear them, and weights in the
/// engine's layout that are for them. T is the scalar of the caller's weights.
template <class T>
class CallerSide {
 public:
  /// Resolves what the options leave open: see resolve().
  CallerSide(const Batch& data, const FitOptions& options, const FitSizes& sizes, const WeightsView<T>& weights,
             const FitScaling& scaling);
  CallerSide(const CallerSide&) = delete;  // the options point to the validation batch here
  CallerSide& operator=(const CallerSide&) = delete;

  /// Finds the features of the problem; `rows` of the data take part.
  [[nodiscard]] Status map_features(const KernelTable& table, std::size_t rows);
  /// out_of_range if a column is beyond what map_features() should have let through, had it looked at every value.
  [[nodiscard]] Status check_columns(const KernelTable& table) const;

  [[nodiscard]] const Batch& data() const noexcept { return data_; }
  [[nodiscard]] const FitOptions& options() const noexcept { return options_; }
  /// What runs in place of the solver that was asked for.
  void set_solver(Solver solver) noexcept { options_.solver = solver; }
  [[nodiscard]] std::vector<double> penalties(double l2) const { return map_.penalties(l2); }
  [[nodiscard]] std::size_t classes() const noexcept { return weights_.rows; }

  /// Where the fit begins: 0, or the caller's weights.
  [[nodiscard]] Status initial_point(FitProblem& problem, const Vector& x) const;
  /// Rounds x to weights for the caller, for raw features or, where folding their centre in costs too much, around it;
  /// and measures those: all of the result from objective on, but for the work done. `bound`: of the optimum, from
  /// below.
  [[nodiscard]] Status finish(FitProblem& problem, const Vector& x, double bound, FitResult& result);
  /// Hands the rounded weights and the feature map to the caller.
  void give_back() const;
  /// The rounded weights alone, to somewhere else.
  void give(const WeightsView<T>& to) const;

 private:
  [[nodiscard]] double folded_centre(std::size_t d) const noexcept { return centred_ ? 0.0 : map_.centre_of(d); }
  void to_point(const FitProblem& problem, MatrixView<const T> weights, std::span<const T> bias, const Vector& x) const;
  Status round(const FitProblem& problem, const Vector& x, const Vector& rounded);
  Status measure_rounded(FitProblem& problem, const Vector& x, double bound, FitResult& result);
  [[nodiscard]] std::ptrdiff_t most_sensitive(const FitProblem& problem, const Vector& x, const Vector& gradient) const;

  Batch data_, validation_;
  FitOptions options_;
  WeightsView<T> given_;
  MatrixView<T> weights_;  // the weights of these
  FitScaling scaling_;
  FeatureMap map_, validation_map_;
  bool centred_ = false;  // the rounded weights are those of x - centre
  Buffer<T> rounded_weights_, rounded_bias_;
};

}  // namespace lanemax

#endif
