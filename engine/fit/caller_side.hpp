// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CALLER_SIDE_HPP
#define LANEMAX_ENGINE_FIT_CALLER_SIDE_HPP

#include "engine/fit/problem.hpp"
#include "engine/fit/standardise.hpp"

namespace lanemax {

/// What checking a fit's inputs finds out.
struct FitSizes {
  const KernelTable* table = nullptr;
  ProblemSize training, validation;
};
/// Everything that fit() and fit_path() take for granted, the values of the features excepted.
[[nodiscard]] Status check_fit(const Batch& data, const FitOptions& options, std::size_t features, std::size_t classes,
                               FitSizes& sizes) noexcept;

/// The solver that will run.
[[nodiscard]] Solver choose_solver(const FitOptions& options) noexcept;
[[nodiscard]] constexpr bool is_over_all_rows(Solver solver) noexcept {
  return solver == Solver::lbfgs || solver == Solver::newton;
}

/// Between the caller's data and weights and those of the problem: scaled features, and weights in the engine's layout
/// that are for them. T is the scalar of the caller's weights.
template <class T>
class CallerSide {
 public:
  /// Resolves Solver::automatic.
  CallerSide(const Batch& data, const FitOptions& options, MatrixView<T> weights, T* bias);
  CallerSide(const CallerSide&) = delete;  // the options point to the validation batch here
  CallerSide& operator=(const CallerSide&) = delete;

  /// Standardises, if that is asked for.
  [[nodiscard]] Status map_features(const KernelTable& table);

  [[nodiscard]] const Batch& data() const noexcept { return data_; }
  [[nodiscard]] const FitOptions& options() const noexcept { return options_; }
  [[nodiscard]] std::vector<double> penalties(double l2) const { return map_.penalties(l2); }
  [[nodiscard]] std::size_t classes() const noexcept { return weights_.rows; }

  /// Where the fit begins: 0, or the caller's weights.
  [[nodiscard]] Status initial_point(FitProblem& problem, const Vector& x) const;
  /// Keeps x as the weights to be returned, and replaces it by what they stand for once they are rounded to T.
  void round(const FitProblem& problem, const Vector& x);
  /// Hands the kept weights and the feature map to the caller.
  void give_back() const;

 private:
  [[nodiscard]] bool folds() const noexcept { return options_.standardise || options_.fold_scaling; }
  void to_point(const FitProblem& problem, MatrixView<const T> weights, const T* bias, const Vector& x) const;

  Batch data_, validation_;
  FitOptions options_;
  MatrixView<T> weights_;
  T* bias_;
  FeatureMap map_;
  Buffer<T> kept_weights_, kept_bias_;
};

}  // namespace lanemax

#endif
