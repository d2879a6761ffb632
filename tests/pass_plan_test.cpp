// SPDX-License-Identifier: BSD-3-Clause
//
// Loss and gradient of batches that are cut up in each of the ways that engine/pass/plan.cpp knows, against the oracle.
// The batches are long, so their rows are copies of a few distinct ones: the oracle weighs those instead.
#include "engine/workspace.hpp"
#include "tests/support/plan_shapes.hpp"
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <iostream>

namespace lanemax::checks {
namespace {

template <class T>
void judge_copies(Judge& judge, Rng& rng, const Shape& shape, ProblemOptions options, Isa isa, int threads) {
  constexpr Real kMax = std::numeric_limits<T>::max();
  const std::size_t rows = shape.rows, distinct = std::min<std::size_t>(rows, 7);
  options.weights = options.ignored = false;
  reference::Problem p = make_problem<T>(rng, {distinct, shape.features, shape.classes}, options);

  // Which row each copy is of: unevenly many of each.
  std::vector<std::uint32_t> source(rows);
  std::vector<double> copies(distinct);
  for (std::size_t n = 0; n < rows; ++n) {
    source[n] = static_cast<std::uint32_t>(std::min(rng.below(distinct), rng.below(distinct)));
    ++copies[source[n]];
  }
  p.sample_weights = copies;
  const reference::Arithmetic a = reference::arithmetic_of<T>();
  const reference::Solution want = reference::solve(p, a);

  // The copies lie in memory if that is not too much; else they are selected.
  reference::Problem plain = p;
  plain.sample_weights.clear();
  const ProblemArrays<T> arrays(plain);
  Batch batch = arrays.batch;
  std::vector<T> x;
  std::vector<std::int32_t> labels;
  std::vector<float> targets;
  if (rows * shape.features * sizeof(T) < std::size_t{48} << 20) {
    for (const std::uint32_t n : source) {
      const double* row = &p.x[n * shape.features];
      for (std::size_t d = 0; d < shape.features; ++d) x.push_back(static_cast<T>(row[d]));
      if (!p.labels.empty()) labels.push_back(p.labels[n]);
      for (std::size_t c = 0; c < shape.classes && !p.targets.empty(); ++c) {
        targets.push_back(arrays.targets[n * shape.classes + c]);
      }
    }
    batch.features.data = x.data();
    batch.features.samples = rows;
    if (!labels.empty()) batch.labels = labels;
    if (!targets.empty()) batch.target_probabilities = {targets.data(), rows, shape.classes};
  } else {
    batch.selection = source;
  }
  CallOptions call_options;
  call_options.isa = isa;
  call_options.threads = threads;
  const std::string name = text(describe(shape, options), ", ", threads, " threads");
  for (const bool with_gradient : {false, true}) {
    const CallOutputs<T> got = call<T>(arrays.objective, arrays.weights, batch, call_options, with_gradient);
    judge.require(got.status.ok(), [&] { return text(name, ": ", message(got.status)); });
    judge.require(got.result.rows == rows, [&] { return text(name, ": rows ", got.result.rows); });
    Estimate loss = want.data_loss;
    loss.bound += static_cast<Real>(rows) * 0x1p-52L * loss.value;
    judge.close(got.result.data_loss, loss, kMax, [&] { return text(name, ": data_loss"); });
    loss = {want.objective.value, loss.bound + want.objective.bound};
    judge.close(got.result.objective, loss, kMax, [&] { return text(name, ": objective"); });
    for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
      judge.close(got.sample_losses[n], want.sample_losses[source[n]], kMax, [&] { return text(name, ": loss ", n); });
      const std::size_t c = n % shape.classes;  // one probability and one dfeature of each row
      if (p.loss != reference::Loss::hinge) {
        judge.close(got.probabilities[n * shape.classes + c], want.probabilities[source[n] * shape.classes + c], kMax,
                    [&] { return text(name, ": probability ", n, ", ", c); });
      }
      if (!with_gradient) continue;
      const std::size_t d = n * 13 % shape.features;
      Estimate dx = want.dfeatures[source[n] * shape.features + d];
      dx.value /= static_cast<Real>(copies[source[n]]);
      dx.bound /= static_cast<Real>(copies[source[n]]);
      judge.close(got.dfeatures[n * shape.features + d], dx, kMax,
                  [&] { return text(name, ": dfeatures ", n, ", ", d); });
    }
    if (!with_gradient) continue;
    const auto longer_sum = [&](Estimate e, Real magnitude) -> Estimate {
      return {e.value, e.bound + 1.05L * static_cast<Real>(rows) * a.u * magnitude};
    };
    for (std::size_t c = 0; c < shape.classes && judge.ok(); ++c) {
      Real magnitude = 0;
      for (std::size_t n = 0; n < distinct; ++n) magnitude += std::fabs(want.dlogits[n * shape.classes + c].value);
      judge.close(got.dbias[c], longer_sum(want.dbias[c], magnitude), kMax, [&] { return text(name, ": dbias ", c); });
      for (std::size_t d = 0; d < shape.features && judge.ok(); ++d) {
        magnitude = 0;
        for (std::size_t n = 0; n < distinct; ++n) {
          magnitude +=
              std::fabs(want.dlogits[n * shape.classes + c].value * static_cast<Real>(p.x[n * shape.features + d]));
        }
        const std::size_t at = c * shape.features + d;
        judge.close(got.dweights[at], longer_sum(want.dweights[at], magnitude), kMax,
                    [&] { return text(name, ": dweights ", c, ", ", d); });
      }
    }
  }
}

class PassPlanTest : public IsaTest {
 protected:
  template <class T>
  void check(Regime regime) {
    Rng rng(11 + static_cast<std::uint64_t>(regime));
    Judge judge;
    std::size_t met = 0;
    for (const PlanShape& s : plan_shapes<T>()) {
      if (s.regime != regime) continue;
      std::cout << name_of(regime_of<T>(s.shape)) << ", " << describe_plan<T>(s.shape) << std::endl;
      if (!tiny_blocks()) {
        EXPECT_EQ(name_of(regime_of<T>(s.shape)), std::string(name_of(regime)));
      }
      ++met;
      const bool large = s.shape.rows * s.shape.features * s.shape.classes > 50'000'000;
      ProblemOptions o;
      o.l2 = true;
      judge_copies<T>(judge, rng, s.shape, o, GetParam(), 2);
      if (large) continue;
      judge_copies<T>(judge, rng, s.shape, o, GetParam(), 1);
      o.smoothing = o.sum = true;
      judge_copies<T>(judge, rng, s.shape, o, GetParam(), 3);
      o.smoothing = false;
      o.targets = TargetSort::probabilities;
      judge_copies<T>(judge, rng, s.shape, o, GetParam(), 2);
      o.targets = TargetSort::labels;
      o.loss = reference::Loss::hinge;
      judge_copies<T>(judge, rng, s.shape, o, GetParam(), 2);
      o.loss = reference::Loss::logistic;
      judge_copies<T>(judge, rng, {s.shape.rows, s.shape.features, 1}, o, GetParam(), 2);
    }
    EXPECT_GT(met, 0U);
    expect_ok(judge.finish(0.4));
  }
};
INSTANTIATE_PER_ISA(PassPlanTest);

TEST_P(PassPlanTest, OneBlockF32) {
  check<float>(Regime::one_block);
}
TEST_P(PassPlanTest, OneBlockF64) {
  check<double>(Regime::one_block);
}
TEST_P(PassPlanTest, CachedSlotsF32) {
  check<float>(Regime::cached_slots);
}
TEST_P(PassPlanTest, CachedSlotsF64) {
  check<double>(Regime::cached_slots);
}
TEST_P(PassPlanTest, LargeSlotsF32) {
  check<float>(Regime::large_slots);
}
TEST_P(PassPlanTest, LargeSlotsF64) {
  check<double>(Regime::large_slots);
}
TEST_P(PassPlanTest, TilesF32) {
  check<float>(Regime::tiles);
}
TEST_P(PassPlanTest, TilesF64) {
  check<double>(Regime::tiles);
}
TEST_P(PassPlanTest, SeveralGroupsF32) {
  check<float>(Regime::several_groups);
}
TEST_P(PassPlanTest, SeveralGroupsF64) {
  check<double>(Regime::several_groups);
}

// The slots of a plan take at most 64 MB, and blocks in flight about as much again.
TEST(PassPlan, MemoryStaysSmall) {
  constexpr double kMegabyte = 1 << 20;
  for (const Shape& s : std::vector<Shape>{{1'000'000, 784, 10},
                                           {1'000'000, 2048, 1000},
                                           {100'000, 100'000, 2},
                                           {100'000, 40'000, 15},
                                           {100'000, 512, 21'841},
                                           {1'000, 100'003, 17}}) {
    const auto bytes = static_cast<double>(loss_workspace_bytes<float>(s.rows, s.features, s.classes, 2));
    const double weights = 2 * 4.0 * static_cast<double>((s.features + 16) * (s.classes + 16));  // W and its gradient
    EXPECT_LT(bytes, weights + 256 * kMegabyte) << describe_plan<float>(s);
    EXPECT_GT(bytes, 0) << describe_plan<float>(s);
  }
}

// Scratch for batches of up to N rows is enough for every one of them, whichever way it is cut up.
TEST(PassPlan, StepScratchCoversSmallerBatches) {
  const PassNeeds needs{.goal = PassGoal::update, .targets = true};
  for (const std::size_t features : {1U, 54U, 784U, 2048U}) {
    for (const std::size_t classes : {2U, 10U, 16U, 20U, 100U, 1000U}) {
      for (const std::size_t rows : {100U, 961U, 1024U, 2500U}) {
        const std::size_t bytes = train_step_workspace_bytes<float>(rows, features, classes, 2);
        for (std::size_t n = 1; n <= rows; ++n) {
          Arena arena;
          PassMemory<float>().lay_out(arena, make_plan<float>(n, features, classes), 2, needs);
          ASSERT_LE(arena.bytes(), bytes) << n << " of " << rows << " rows x " << features << " x " << classes;
        }
      }
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
