// SPDX-License-Identifier: BSD-3-Clause
//
// The gradient in f64 against differences of the loss: a five-point stencil over every weight, bias and feature, for
// every loss, target and option. Shares nothing with the oracle.
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <algorithm>

namespace lanemax::checks {
namespace {

constexpr double kStep = 1e-3;
constexpr double kRelative = 1e-6, kAbsolute = 1e-9;

template <class F>
double five_point(const F& f) {
  return (f(-2 * kStep) - 8 * f(-kStep) + 8 * f(kStep) - f(2 * kStep)) / (12 * kStep);
}

/// Whether a margin of the hinge loss may change its sign within the stencil.
bool near_a_kink(const reference::Problem& p) {
  const auto z = reference::logits(p, reference::arithmetic_of<double>());
  for (std::size_t n = 0; n < p.rows; ++n) {
    const auto y = static_cast<std::size_t>(std::max(p.labels[n], 0));
    for (std::size_t c = 0; c < p.classes; ++c) {
      const Real margin = z[n * p.classes + c].value - z[n * p.classes + y].value + 1;
      if (c != y && std::fabs(margin) < 10 * kStep) return true;
    }
  }
  return false;
}

class FiniteDifferenceTest : public IsaTest {
 protected:
  void check(ProblemOptions o) {
    CallOptions options;
    options.isa = GetParam();
    Rng rng(51);
    for (const std::size_t classes : {2U, 5U, 18U, 26U}) {
      const Shape shape{9, 6, o.loss == reference::Loss::logistic ? 1 : classes};
      reference::Problem p = make_problem<double>(rng, shape, o);
      while (o.loss == reference::Loss::hinge && near_a_kink(p)) p = make_problem<double>(rng, shape, o);
      ProblemArrays<double> arrays(p);
      const CallOutputs<double> got = call(arrays, options, true);
      ASSERT_TRUE(got.status.ok()) << message(got.status);
      Scratch scratch;
      const std::span<std::byte> workspace =
          scratch(loss_workspace_bytes<double>(shape.rows, shape.features, shape.classes, 1));
      const auto compare = [&](const std::vector<double>& gradient, double* numbers, const char* what) {
        for (std::size_t i = 0; i < gradient.size(); ++i) {
          const double was = numbers[i];
          const double difference = five_point([&](double move) {
            numbers[i] = was + move;
            LossResult result;
            const Status status =
                loss(arrays.objective, arrays.weights, arrays.batch, {1, GetParam()}, workspace, result);
            EXPECT_TRUE(status.ok()) << message(status);
            return result.objective;
          });
          numbers[i] = was;
          ASSERT_NEAR(gradient[i], difference, kRelative * std::abs(difference) + kAbsolute)
              << describe(shape, o) << ": " << what << " " << i;
        }
      };
      compare(got.dweights, arrays.w.data(), "dweights");
      compare(got.dbias, arrays.b.data(), "dbias");
      compare(got.dfeatures, static_cast<double*>(const_cast<void*>(arrays.batch.features.data)), "dfeatures");
      const auto nonzero = std::count_if(got.dweights.begin(), got.dweights.end(), [](double g) { return g != 0; });
      EXPECT_GT(3 * static_cast<std::size_t>(nonzero), got.dweights.size());
    }
  }
  /// Every sum, l2, weights, ignored and smoothing that goes with the rest.
  void check_all(ProblemOptions o) {
    for (unsigned bits = 0; bits < 32; ++bits) {
      o.sum = (bits & 1) != 0;
      o.l2 = (bits & 2) != 0;
      o.weights = (bits & 4) != 0;
      o.ignored = (bits & 8) != 0;
      o.smoothing = (bits & 16) != 0;
      if (o.ignored && o.targets == TargetSort::probabilities) continue;
      if (o.smoothing && (o.targets == TargetSort::probabilities || o.loss != reference::Loss::softmax)) continue;
      check(o);
      if (HasFatalFailure()) return;
    }
  }
};
INSTANTIATE_PER_ISA(FiniteDifferenceTest);

TEST_P(FiniteDifferenceTest, SoftmaxLabels) {
  check_all({});
}
TEST_P(FiniteDifferenceTest, SoftmaxTargets) {
  ProblemOptions o;
  o.targets = TargetSort::probabilities;
  check_all(o);
}
TEST_P(FiniteDifferenceTest, Hinge) {
  ProblemOptions o;
  o.loss = reference::Loss::hinge;
  check_all(o);
}
TEST_P(FiniteDifferenceTest, LogisticLabels) {
  ProblemOptions o;
  o.loss = reference::Loss::logistic;
  check_all(o);
}
TEST_P(FiniteDifferenceTest, LogisticTargets) {
  ProblemOptions o;
  o.loss = reference::Loss::logistic;
  o.targets = TargetSort::probabilities;
  check_all(o);
}

}  // namespace
}  // namespace lanemax::checks
