// SPDX-License-Identifier: BSD-3-Clause
#include "tests/reference/softmax_reference.hpp"

#include "tests/support/problems.hpp"
#include "tests/support/testing.hpp"

#include <array>
#include <vector>

// The oracle itself: against numbers worked out by hand, and its gradients against its own losses.
namespace lanemax::checks {
namespace {

using reference::Arithmetic;
using reference::Loss;
using reference::Problem;
using reference::Solution;

const Arithmetic kExact{0, 0, 1e4000L};

std::vector<Estimate> scores(const std::vector<Real>& z) {
  std::vector<Estimate> out;
  for (const Real v : z) out.push_back({v, 0});
  return out;
}

TEST(Reference, SoftmaxByHand) {
  reference::RowTarget target;
  target.label = 1;
  target.weight = 3;
  const reference::RowLoss row = reference::softmax_row(scores({0, std::log(2.0L), std::log(5.0L)}), target, kExact);
  EXPECT_NEAR(static_cast<double>(row.loss.value), std::log(4.0), 1e-15);
  const std::array<double, 3> p = {1.0 / 8, 2.0 / 8, 5.0 / 8};
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(static_cast<double>(row.probabilities[c].value), p[c], 1e-16);
    EXPECT_NEAR(static_cast<double>(row.dlogits[c].value), 3 * (p[c] - (c == 1 ? 1 : 0)), 1e-15);
  }
}

TEST(Reference, SoftmaxTargetsByHand) {
  const std::vector<Estimate> z = scores({std::log(2.0L), -kInf<Real>, std::log(6.0L)});
  reference::RowTarget target;
  target.smoothing = 0.5;  // over the two classes that are not masked: 0.75, 0, 0.25
  const reference::RowLoss smoothed = reference::softmax_row(z, target, kExact);
  EXPECT_NEAR(static_cast<double>(smoothed.loss.value), -0.75 * std::log(0.25) - 0.25 * std::log(0.75), 1e-15);
  EXPECT_NEAR(static_cast<double>(smoothed.dlogits[0].value), -0.5, 1e-15);
  EXPECT_EQ(static_cast<double>(smoothed.dlogits[1].value), 0);
  const std::array<double, 3> t = {0.5, 0, 1};
  target.probabilities = t.data();
  const reference::RowLoss given = reference::softmax_row(z, target, kExact);
  EXPECT_NEAR(static_cast<double>(given.loss.value), -0.5 * std::log(0.25) - std::log(0.75), 1e-15);
  EXPECT_NEAR(static_cast<double>(given.dlogits[0].value), 1.5 * 0.25 - 0.5, 1e-15);
  EXPECT_NEAR(static_cast<double>(given.dlogits[2].value), 1.5 * 0.75 - 1, 1e-15);
}

TEST(Reference, HingeByHand) {
  reference::RowTarget target;
  target.label = 0;
  const reference::RowLoss row = reference::hinge_row(scores({2, 1, 1.5L, -3, 4}), target, kExact);
  EXPECT_EQ(static_cast<double>(row.loss.value), 0.5 + 3);
  const std::array<double, 5> want = {-2, 0, 1, 0, 1};  // a margin of exactly 0 is met
  for (std::size_t c = 0; c < 5; ++c) EXPECT_EQ(static_cast<double>(row.dlogits[c].value), want[c]) << c;
}

TEST(Reference, LogisticByHand) {
  reference::RowTarget target;
  for (const int label : {0, 1}) {
    target.label = label;
    const reference::RowLoss row = reference::logistic_row(scores({std::log(3.0L)}), target, kExact);
    EXPECT_NEAR(static_cast<double>(row.loss.value), label == 1 ? std::log(4.0 / 3) : std::log(4.0), 1e-15);
    EXPECT_NEAR(static_cast<double>(row.dlogits[0].value), 0.75 - label, 1e-15);
  }
}

TEST(Reference, TinyLossesKeepTheirDigits) {
  reference::RowTarget target;
  const reference::RowLoss row = reference::softmax_row(scores({0, -110, -110}), target, kExact);
  EXPECT_NEAR(static_cast<double>(row.loss.value / (2 * std::exp(-110.0L))), 1, 1e-15);
}

Problem random_problem(Loss loss, bool targets, bool sum, std::uint64_t stream) {
  Rng rng(stream);
  Problem p;
  p.loss = loss;
  p.rows = 9;
  p.features = 4;
  p.classes = loss == Loss::logistic ? 1 : 3;
  p.x = make_values<double>(rng, p.rows * p.features, Values::ordinary);
  p.w = make_values<double>(rng, p.classes * p.features, Values::ordinary);
  p.b = make_values<double>(rng, p.classes, Values::ordinary);
  p.l2 = 0.3;
  p.sum_reduction = sum;
  p.smoothing = loss == Loss::softmax && !targets ? 0.2 : 0;
  for (std::size_t n = 0; n < p.rows; ++n) {
    p.labels.push_back(n == 4 ? p.ignored_label : static_cast<int>(rng.below(loss == Loss::logistic ? 2 : 3)));
    p.sample_weights.push_back(n == 6 ? 0 : rng.between(0.2, 2));
    for (std::size_t c = 0; targets && c < p.classes; ++c) p.targets.push_back(rng.unit());
  }
  return p;
}

/// Five points: f' to the fourth order.
template <class Set>
Real stencil(Problem p, double at, const Set& set) {
  constexpr double kStep = 0x1p-9;
  const auto value = [&](double offset) {
    set(p, at + offset * kStep);
    return reference::solve(p, kExact).objective.value;
  };
  return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * Real(kStep));
}

TEST(Reference, GradientsAreThoseOfTheObjective) {
  std::uint64_t stream = 80;
  for (const Loss loss : {Loss::softmax, Loss::hinge, Loss::logistic}) {
    for (const bool targets : {false, true}) {
      for (const bool sum : {false, true}) {
        if (targets && loss == Loss::hinge) continue;
        const Problem p = random_problem(loss, targets, sum, stream++);
        const Solution s = reference::solve(p, kExact);
        EXPECT_EQ(s.kept, targets ? 8U : 7U);
        const auto near = [&](Real got, Real want, const char* what, std::size_t i) {
          EXPECT_NEAR(static_cast<double>(got), static_cast<double>(want), 1e-9)
              << what << ' ' << i << " of loss " << static_cast<int>(loss);
        };
        for (std::size_t i = 0; i < p.w.size(); ++i) {
          near(s.dweights[i].value, stencil(p, p.w[i], [&](Problem& q, double v) { q.w[i] = v; }), "dW", i);
        }
        for (std::size_t i = 0; i < p.b.size(); ++i) {
          near(s.dbias[i].value, stencil(p, p.b[i], [&](Problem& q, double v) { q.b[i] = v; }), "db", i);
        }
        for (std::size_t i = 0; i < p.x.size(); ++i) {
          near(s.dfeatures[i].value, stencil(p, p.x[i], [&](Problem& q, double v) { q.x[i] = v; }), "dX", i);
        }
      }
    }
  }
}

TEST(Reference, OneStepByHand) {
  const Estimate w{5, 0}, v{2, 0}, g{3, 0};
  EXPECT_EQ(static_cast<double>(reference::descent_step(w, g, 0.5L, kExact).value), 3.5);
  EXPECT_EQ(static_cast<double>(reference::momentum_step(w, v, g, 0.5L, 0.25L, false, kExact).velocity.value), 3.5);
  EXPECT_EQ(static_cast<double>(reference::momentum_step(w, v, g, 0.5L, 0.25L, false, kExact).weight.value), 3.25);
  EXPECT_EQ(static_cast<double>(reference::momentum_step(w, v, g, 0.5L, 0.25L, true, kExact).weight.value), 3.0625);
}

TEST(Reference, AdamByHand) {
  EXPECT_EQ(static_cast<double>(reference::adam_correction(0.5L, 3, kExact).value), 8.0 / 7);
  reference::AdamRule rule;
  rule.rate = 0.5L;
  rule.mean_decay = 0.75L;
  rule.square_decay = 0.5L;
  rule.mean_correction = reference::adam_correction(0.75L, 1, kExact);
  rule.square_correction = reference::adam_correction(0.5L, 1, kExact);
  // The first step is one of the rate, whatever the gradient.
  const reference::AdamStep first = reference::adam_step({5, 0}, {}, {}, {-4, 0}, rule, kExact);
  EXPECT_EQ(static_cast<double>(first.mean.value), -1);
  EXPECT_EQ(static_cast<double>(first.square.value), 8);
  EXPECT_NEAR(static_cast<double>(first.weight.value), 5.5, 2e-9);
  rule.mean_correction = rule.square_correction = {1, 0};
  const reference::AdamStep next = reference::adam_step({5, 0}, {8, 0}, {14, 0}, {2, 0}, rule, kExact);
  EXPECT_EQ(static_cast<double>(next.mean.value), 6.5);
  EXPECT_EQ(static_cast<double>(next.square.value), 9);
  EXPECT_EQ(next.weight.value, 5 - 0.5L * (6.5L / (3 + 1e-8L)));
  EXPECT_EQ(reference::adam_step({}, {}, {}, {}, rule, kExact).weight.value, 0);
}

/// A bound holds for a computation in float, and is not much larger than what such a computation does.
TEST(Reference, BoundsAreTight) {
  Rng rng(99);
  Judge judge;
  const Arithmetic arithmetic = reference::arithmetic_of<float>();
  for (int i = 0; i < 2000; ++i) {
    reference::ProductSum sum;
    float plain = 0;
    for (int k = 0; k < 5; ++k) {
      const float a = static_cast<float>(rng.between(-1, 1)), b = static_cast<float>(rng.between(-1, 1));
      sum.add(static_cast<Real>(a), static_cast<Real>(b));
      plain = plain + a * b;
    }
    judge.close(static_cast<Real>(plain), sum.sum(arithmetic), 1, [] { return "sum of five products"; });
  }
  const Verdict verdict = judge.finish(1);
  expect_ok(verdict);
  EXPECT_GT(verdict.worst, 0.15);
}

TEST(Reference, AVerdictCanFail) {
  const auto where = [] { return "here"; };
  Judge close, same, require, nothing, zeros;
  close.close(1.1L, {1, 0.05L}, 10, where);
  same.same(1.0f, std::nextafter(1.0f, 2.0f), where);
  require.require(false, where);
  zeros.close(0, {0, 1}, 10, where);
  for (Judge* judge : {&close, &same, &require, &nothing, &zeros}) EXPECT_FALSE(judge->finish(0.5).ok);
  Judge nan, infinite;
  nan.close(kNaN<Real>, {1, 0.5L}, 10, where);
  infinite.close(kInf<Real>, {1, 0.5L}, 10, where);
  EXPECT_FALSE(nan.finish(0).ok);
  EXPECT_FALSE(infinite.finish(0).ok);
}

}  // namespace
}  // namespace lanemax::checks
