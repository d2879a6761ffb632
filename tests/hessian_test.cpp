// SPDX-License-Identifier: BSD-3-Clause
// Products with the Hessian: against the same thing written down plainly, and against differences of the gradient.
#include "tests/support/fit_case.hpp"
#include "tests/support/plan_shapes.hpp"
#include "tests/support/testing.hpp"

#include <bit>

namespace lanemax::checks {
namespace {

constexpr auto kProbabilities = TargetSort::probabilities;

template <class T>
constexpr Precision kPrecision = sizeof(T) == sizeof(float) ? Precision::f32 : Precision::f64;

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

template <class T, class X>
void judge_product(Judge& judge, const FitCase<X>& c, const Vector& v, int threads, const std::string& name) {
  FitProblem problem = c.problem(threads);
  Vector got = c.vector();
  std::fill_n(got.data(), got.size(), kNaN<double>);
  const Status status = problem.hessian_product(c.point(), v, kPrecision<T>, got);
  judge.require(c.status().ok() && status.ok(), [&] { return text(name, ": ", message(status)); });
  const Real unit = std::numeric_limits<T>::epsilon() / 2;
  const std::vector<Estimate> want = dense_product(problem, dense_rows(problem, c.point()), v, unit);
  const std::size_t columns = problem.features() + 1;
  for (std::size_t i = 0; i < want.size() && judge.ok(); ++i) {
    double& entry = got[parameter_index(problem, i / columns, i % columns)];
    judge.close(static_cast<Real>(entry), want[i], 1e30L,
                [&] { return text(name, ": class ", i / columns, " feature ", i % columns); });
    entry = 0;
  }
  judge.require(largest_entry(got) == 0, [&] { return text(name, ": the padding is not 0"); });
}

class HessianTest : public IsaTest {};
INSTANTIATE_PER_ISA(HessianTest);

template <class T, class X>
Verdict check_products(const KernelTable& table) {
  Judge judge;
  Rng rng(70);
  for_each_case([&](const Shape& s, const FitCaseOptions& o) {
    if (!judge.ok()) return;
    const FitCase<X> c(table, rng, s, o);
    judge_product<T>(judge, c, c.direction(rng), 1, describe_fit(s, o));
  });
  return judge.finish(0.85);  // masked classes
}

TEST_P(HessianTest, AgainstTheDenseHessianF32) {
  expect_ok(check_products<float, float>(table()));
}
TEST_P(HessianTest, AgainstTheDenseHessianF64) {
  expect_ok(check_products<double, float>(table()));
  expect_ok(check_products<double, double>(table()));
}

/// Both ways of adding up blocks, in both layouts, and the same bits from any team.
template <class T>
Verdict check_plans(const KernelTable& table) {
  Judge judge;
  Rng rng(71);
  for (const bool slots : {true, false}) {
    const std::vector<Shape> shapes = slots ? std::vector<Shape>{{1100, 8, 3}, {1300, 7, 1}, {1100, 5, 20}}
                                            : std::vector<Shape>{{300, 70, 7}, {200, 20, 300}};
    for (const Shape& s : shapes) {
      FitCaseOptions o;
      o.weights = o.l2 = true;
      if (s.classes == 1) o.loss = reference::Loss::logistic;
      if (s.classes == 20) o.targets = kProbabilities;
      const std::size_t found = make_plan<T>(s.rows, s.features, s.classes).slots;
      judge.require(tiny_blocks() || slots == (found > 1), [&] { return describe_plan<T>(s); });
      const FitCase<float> c(table, rng, s, o);
      const Vector v = c.direction(rng);
      judge_product<T>(judge, c, v, 2, describe_fit(s, o));
      Vector alone = c.vector(), team = c.vector();
      judge.require(c.problem(1).hessian_product(c.point(), v, kPrecision<T>, alone).ok(), [] { return "one thread"; });
      for (const int threads : {2, 3, 4}) {
        judge.require(c.problem(threads).hessian_product(c.point(), v, kPrecision<T>, team).ok(),
                      [] { return "threads"; });
        for (std::size_t i = 0; i < alone.size() && judge.ok(); ++i) {
          judge.require(std::bit_cast<std::uint64_t>(alone[i]) == std::bit_cast<std::uint64_t>(team[i]),
                        [&] { return text(describe_fit(s, o), ": other bits with ", threads, " threads"); });
        }
      }
    }
  }
  return judge.finish(0.9);
}
TEST_P(HessianTest, PlansAndThreadsF32) {
  expect_ok(check_plans<float>(table()));
}
TEST_P(HessianTest, PlansAndThreadsF64) {
  expect_ok(check_plans<double>(table()));
}

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
    Vector got = c.vector(), up = c.vector(), down = c.vector(), moved = c.vector();
    Value value;
    ASSERT_TRUE(problem.hessian_product(c.point(), v, Precision::f64, got).ok());
    combine(moved, c.point(), kStep, v);
    ASSERT_TRUE(problem.evaluate(moved, Precision::f64, value, &up).ok());
    combine(moved, c.point(), -kStep, v);
    ASSERT_TRUE(problem.evaluate(moved, Precision::f64, value, &down).ok());
    const double size = 1 + largest_entry(got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], (up[i] - down[i]) / (2 * kStep), 1e-6 * size) << i;
      compared += std::abs(got[i]) > 1e-4 ? 1 : 0;
    }
  });
  EXPECT_GT(compared, 10000U);
}

TEST_P(HessianTest, IsSymmetricPositiveAndFlatAlongTheGauge) {
  Rng rng(73);
  for_each_case([&](const Shape& s, const FitCaseOptions& o) {
    SCOPED_TRACE(describe_fit(s, o));
    const FitCase<double> c(table(), rng, s, o);
    FitProblem problem = c.problem();
    const Vector u = c.direction(rng), v = c.direction(rng);
    Vector hu = c.vector(), hv = c.vector();
    ASSERT_TRUE(problem.hessian_product(c.point(), u, Precision::f64, hu).ok());
    ASSERT_TRUE(problem.hessian_product(c.point(), v, Precision::f64, hv).ok());
    const double scale = std::sqrt(dot(u, u) * dot(hv, hv)) + std::sqrt(dot(v, v) * dot(hu, hu));
    EXPECT_NEAR(dot(u, hv), dot(v, hu), 1e-13 * scale);
    EXPECT_GE(dot(u, hu), -1e-14 * scale);
    EXPECT_GE(dot(v, hv), -1e-14 * scale);
    if (!problem.has_gauge()) return;

    Vector gauge = c.vector(), hg = c.vector();
    for (std::size_t d = 0; d <= s.features; ++d) {
      const double entry = rng.between(-1, 1);
      for (std::size_t k = 0; k < s.classes; ++k) gauge[parameter_index(problem, k, d)] = entry;
    }
    ASSERT_TRUE(problem.hessian_product(c.point(), gauge, Precision::f64, hg).ok());
    for (std::size_t d = 0; d <= s.features; ++d) {
      for (std::size_t k = 0; k < s.classes; ++k) {
        const std::size_t at = parameter_index(problem, k, d);
        const double penalty = d < s.features ? problem.penalty_of(d) : 0;
        ASSERT_NEAR(hg[at], penalty * gauge[at], 1e-13 * static_cast<double>(s.features)) << k << ", " << d;
      }
    }
  });
}

}  // namespace
}  // namespace lanemax::checks
