// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/preconditioner.hpp"
#include "tests/support/fit_case.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

constexpr Preconditioner kKinds[] = {Preconditioner::diagonal, Preconditioner::gram, Preconditioner::blocks,
                                     Preconditioner::full};

FitCaseOptions with_penalties(reference::Loss loss) {
  FitCaseOptions o;
  o.loss = loss;
  o.penalties = o.weights = true;
  return o;
}

class PreconditionerTest : public IsaTest {};
INSTANTIATE_PER_ISA(PreconditionerTest);

/// The Hessian of what a preconditioner makes of v is v, where it knows the whole Hessian.
void expect_inverse(const KernelTable& table, const Shape& s, const FitCaseOptions& o, Preconditioner kind,
                    double tolerance) {
  SCOPED_TRACE(text(describe_fit(s, o), ", ", lanemax::name_of(kind)));
  Rng rng(95);
  const FitCase<float> c(table, rng, s, o);
  ASSERT_TRUE(c.status().ok());
  FitProblem problem = c.problem();
  PreconditionerMatrix preconditioner(problem, kind);
  const Vector v = c.direction(rng), applied = c.vector();
  preconditioner.apply({{&v, &applied}});
  EXPECT_TRUE(preconditioner.empty());
  for (std::size_t i = 0; i < v.size(); ++i) ASSERT_EQ(applied[i], v[i]) << "before the first refresh";
  problem.centre(v);
  if (o.masked) {
    for (std::size_t d = 0; d <= s.features; ++d) v[parameter_index(problem, 1, d)] = 0;
  }
  preconditioner.refresh(c.point(), preconditioner.most_sample());
  ASSERT_FALSE(preconditioner.empty());
  preconditioner.apply({{&v, &applied}});
  const Vector product = dense_product(problem, c.point(), applied);
  const double size = 1 + largest_entry(applied);
  for (std::size_t i = 0; i < v.size(); ++i) ASSERT_NEAR(product[i], v[i], tolerance * size) << i;
}

TEST_P(PreconditionerTest, TheWholeHessianIsInverted) {
  for (const Shape& s : {Shape{200, 5, 4}, Shape{300, 17, 5}, Shape{400, 3, 18}}) {
    FitCaseOptions o = with_penalties(reference::Loss::softmax);
    expect_inverse(table(), s, o, Preconditioner::full, 1e-10);
    o.targets = TargetSort::probabilities;
    expect_inverse(table(), s, o, Preconditioner::full, 1e-10);
    o.masked = true;  // whose bias has no curvature: the matrix is singular but for the ridge it is given
    expect_inverse(table(), s, o, Preconditioner::full, 1e-5);
  }
}
TEST_P(PreconditionerTest, OneBlockIsTheWholeHessianOfTheLogisticLoss) {
  for (const std::size_t features : {1U, 15U, 64U}) {
    const FitCaseOptions o = with_penalties(reference::Loss::logistic);
    for (const Preconditioner kind : {Preconditioner::gram, Preconditioner::blocks}) {
      expect_inverse(table(), {200, features, 1}, o, kind, 1e-5);
    }
    expect_inverse(table(), {200, features, 1}, o, Preconditioner::full, 1e-10);
  }
}

/// Symmetric, positive, and at home among vectors whose mean over the classes is 0; on a sample, too.
TEST_P(PreconditionerTest, EveryKindIsAScalarProduct) {
  Rng rng(96);
  for (const Shape& s : {Shape{60, 7, 5}, Shape{90, 16, 17}}) {
    const FitCase<float> c(table(), rng, s, with_penalties(reference::Loss::softmax));
    FitProblem problem = c.problem();
    for (const Preconditioner kind : kKinds) {
      SCOPED_TRACE(text(s.classes, " classes, ", lanemax::name_of(kind)));
      PreconditionerMatrix preconditioner(problem, kind);
      for (const std::size_t sample : {preconditioner.most_sample(), preconditioner.most_sample() / 2}) {
        preconditioner.refresh(c.point(), sample);
        ASSERT_FALSE(preconditioner.empty());
        EXPECT_EQ(preconditioner.sample(), sample);
        const Vector u = c.direction(rng), v = c.direction(rng), pu = c.vector(), pv = c.vector();
        preconditioner.apply({{&u, &pu}, {&v, &pv}});
        const Vector alone = c.vector();
        preconditioner.apply({{&v, &alone}});
        for (std::size_t i = 0; i < v.size(); ++i) ASSERT_EQ(alone[i], pv[i]);
        const double scale = std::sqrt(dot(u, u) * dot(pv, pv));
        EXPECT_NEAR(dot(u, pv), dot(v, pu), 1e-5 * scale);
        EXPECT_GT(dot(u, pu), 0);
        EXPECT_GT(dot(v, pv), 0);
        for (std::size_t d = 0; d <= s.features; ++d) {
          double sum = 0;
          for (std::size_t k = 0; k < s.classes; ++k) sum += pv[parameter_index(problem, k, d)];
          EXPECT_NEAR(sum, 0, 1e-13 * static_cast<double>(s.classes) * largest_entry(pv));
        }
      }
    }
  }
}

/// Made from what was kept, alone, or from the beginning by a team.
TEST_P(PreconditionerTest, AnotherPenaltyIsAnotherInverse) {
  Rng rng(97);
  const FitCase<float> c(table(), rng, {80, 9, 4}, with_penalties(reference::Loss::softmax));
  for (const Preconditioner kind : {Preconditioner::gram, Preconditioner::blocks}) {
    FitProblem problem = c.problem(1), other = c.problem(3);
    PreconditionerMatrix kept(problem, kind, true), fresh(other, kind);
    kept.refresh(c.point(), kept.most_sample());
    problem.set_penalty({0.25});
    other.set_penalty({0.25});
    kept.penalty_changed();
    fresh.refresh(c.point(), kept.most_sample());
    const Vector v = c.direction(rng), a = c.vector(), b = c.vector();
    kept.apply({{&v, &a}});
    fresh.apply({{&v, &b}});
    for (std::size_t i = 0; i < v.size(); ++i) ASSERT_EQ(a[i], b[i]) << lanemax::name_of(kind);
  }
}

}  // namespace
}  // namespace lanemax::checks
