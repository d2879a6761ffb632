// SPDX-License-Identifier: BSD-3-Clause
// The Hessian written down plainly, which the sums of curvature are compared with: against differences of the gradient.
#include "tests/support/fit_case.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

constexpr auto kProbabilities = TargetSort::probabilities;

/// Everything that changes the Hessian, alone and together.
std::vector<FitCaseOptions> all_options() {
  std::vector<FitCaseOptions> all(10);
  all[1].l2 = true;
  all[1].bias = false;
  all[2].smoothing = all[2].penalties = true;
  all[3].targets = kProbabilities;
  all[4].weights = all[4].l2 = true;
  all[5].ignored = true;
  all[6].selection = true;
  all[7].scaling = true;
  all[8].masked = all[8].smoothing = all[8].weights = true;
  all[9].targets = kProbabilities;
  all[9].weights = all[9].selection = all[9].scaling = all[9].penalties = all[9].masked = true;
  return all;
}
std::vector<FitCaseOptions> logistic_options() {
  std::vector<FitCaseOptions> all(3);
  all[1].weights = all[1].ignored = all[1].scaling = all[1].penalties = true;
  all[2].targets = kProbabilities;
  all[2].selection = all[2].l2 = true;
  for (FitCaseOptions& o : all) o.loss = reference::Loss::logistic;
  return all;
}

/// Calls f(shape, options) for small problems of all kinds.
template <class F>
void for_each_case(const F& f) {
  for (const Shape& s : {Shape{19, 7, 5}, Shape{50, 16, 17}, Shape{33, 33, 36}, Shape{9, 1, 2}}) {
    for (const FitCaseOptions& o : all_options()) f(s, o);
  }
  for (const Shape& s : {Shape{37, 9, 1}, Shape{9, 1, 1}, Shape{64, 48, 1}}) {
    for (const FitCaseOptions& o : logistic_options()) f(s, o);
  }
}

class HessianTest : public IsaTest {};
INSTANTIATE_PER_ISA(HessianTest);

/// (gradient(x + h v) - gradient(x - h v)) / 2h, in f64.
TEST_P(HessianTest, AgainstDifferencesOfTheGradient) {
  constexpr double kStep = 0x1p-14;
  Rng rng(72);
  std::size_t compared = 0;
  for_each_case([&](const Shape& s, const FitCaseOptions& o) {
    SCOPED_TRACE(describe_fit(s, o));
    const FitCase<double> c(table(), rng, s, o);
    const Vector v = c.direction(rng);
    FitProblem problem = c.problem();
    Vector up = c.vector(), down = c.vector(), moved = c.vector();
    Value value;
    combine(moved, c.point(), kStep, v);
    ASSERT_TRUE(problem.evaluate(moved, Precision::f64, value, &up).ok());
    combine(moved, c.point(), -kStep, v);
    ASSERT_TRUE(problem.evaluate(moved, Precision::f64, value, &down).ok());
    const Vector want = dense_product(problem, c.point(), v);
    const double size = 1 + largest_entry(want);
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_NEAR(want[i], (up[i] - down[i]) / (2 * kStep), 1e-6 * size) << i;
      compared += std::abs(want[i]) > 1e-4 ? 1 : 0;
    }
  });
  EXPECT_GT(compared, 10000U);
}

}  // namespace
}  // namespace lanemax::checks
