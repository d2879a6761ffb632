// SPDX-License-Identifier: BSD-3-Clause
//
// What train_step() refuses, and that it leaves the state as it was, bit for bit.
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <cstring>
#include <functional>

namespace lanemax::checks {
namespace {

constexpr double kRate = 0.125, kMomentum = 0.875;

class TrainStepRefusalTest : public IsaTest {
 protected:
  [[nodiscard]] Execution execution() const { return {1, GetParam()}; }
  template <class T>
  void expect_refused(
      const char* name, StatusCode code,
      const std::function<void(Batch&, Objective&, StepOptions&, Execution&, std::vector<T>&)>& change) {
    Rng rng(39);
    const reference::Problem p = make_problem<T>(rng, {40, 6, 4}, {});
    const ProblemArrays<T> arrays(p);
    for (const Rule& rule : kRules) {
      OwnedState<T> owned(6, 4, rule.optimiser);
      ASSERT_TRUE(owned.state.set_weights(arrays.weights).ok());
      StepOptions options = step_options(rule, kRate, kMomentum);
      Execution how = execution();
      LossResult result{kUntouched, kUntouched, kUntouched, 54321, 54321};
      ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, options, how, result).ok());
      const std::vector<std::byte> before = owned.memory();
      std::vector<T> x(40 * 6);
      std::memcpy(x.data(), arrays.batch.features.data, x.size() * sizeof(T));
      Batch batch = arrays.batch;
      batch.features.data = x.data();
      Objective objective = arrays.objective;
      change(batch, objective, options, how, x);
      result = {kUntouched, kUntouched, kUntouched, 54321, 54321};
      const Status status = owned.step(objective, batch, options, how, result);
      EXPECT_EQ(name_of(status.code), std::string(name_of(code))) << name << ": " << message(status);
      EXPECT_EQ(owned.memory(), before) << name;
      EXPECT_TRUE(result.objective == kUntouched && result.data_loss == kUntouched && result.rows == 54321) << name;
    }
  }
};
INSTANTIATE_PER_ISA(TrainStepRefusalTest);

TEST_P(TrainStepRefusalTest, LeavesTheStateAsItWas) {
  using F = std::vector<float>;
  const StatusCode argument = StatusCode::invalid_argument;
  for (const float bad : {kNaN<float>, kInf<float>, -kInf<float>}) {
    expect_refused<float>("X", StatusCode::not_finite,
                          [=](Batch&, Objective&, StepOptions&, Execution&, F& x) { x[77] = bad; });
  }
  static const float zero[] = {1, 1, 1, 1, 1, 0};
  static const double nan[] = {kNaN<double>, 1, 1, 1, 1, 1};
  expect_refused<float>("a factor of 0", argument,
                        [](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.scaling.factor = zero; });
  expect_refused<float>("a centre that is none", StatusCode::not_finite,
                        [](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.scaling.centre = nan; });
  expect_refused<float>("logits that overflow", StatusCode::overflow,
                        [](Batch&, Objective&, StepOptions&, Execution&, F& x) {
                          for (std::size_t i = 60; i < 66; ++i)
                            x[i] = std::numeric_limits<float>::max() * (i % 2 == 0 ? 1.0f : -1.0f);
                        });
  static const std::int32_t labels[40] = {0, 1, 2, 3, 4};
  expect_refused<float>("labels", StatusCode::label_out_of_range,
                        [](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.labels = labels; });
  static const float no_weight[40] = {};
  expect_refused<float>("weights 0", StatusCode::no_rows,
                        [](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.sample_weights = no_weight; });
  expect_refused<float>("threads", argument, [](Batch&, Objective&, StepOptions&, Execution& e, F&) { e.threads = 0; });
  expect_refused<float>("l2", argument, [](Batch&, Objective& o, StepOptions&, Execution&, F&) { o.l2 = -1; });
  for (const double rate : {0.0, -1.0, kNaN<double>, kInf<double>, 1e300}) {  // 1e300 is no float
    expect_refused<float>("rate", argument,
                          [=](Batch&, Objective&, StepOptions& s, Execution&, F&) { s.learning_rate = rate; });
  }
  for (const double momentum : {-0.1, 1.0, 2.0, kNaN<double>}) {
    expect_refused<float>("momentum", argument,
                          [=](Batch&, Objective&, StepOptions& s, Execution&, F&) { s.momentum = momentum; });
  }
  for (const double decay : {-0.1, 1.0, 2.0, kNaN<double>}) {
    expect_refused<float>("second moment", argument,
                          [=](Batch&, Objective&, StepOptions& s, Execution&, F&) { s.second_moment_decay = decay; });
  }
  for (const double total : {-1.0, kNaN<double>, kInf<double>}) {
    expect_refused<float>("total weight", argument,
                          [=](Batch&, Objective&, StepOptions& s, Execution&, F&) { s.total_weight = total; });
  }
  static const float ones[] = {1, 1, 1, 1, 1, 1, 1};
  static const double zeros[7] = {};
  static const std::int32_t all_first[41] = {};
  static const float all_one[41] = {1, 1, 1};
  for (const std::size_t size : {1U, 5U, 7U}) {
    expect_refused<float>("factors of another length", StatusCode::shape_mismatch,
                          [=](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.scaling.factor = {ones, size}; });
    expect_refused<float>(
        "centres of another length", StatusCode::shape_mismatch,
        [=](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.scaling.centre = {zeros, size}; });
  }
  for (const std::size_t size : {1U, 39U, 41U}) {
    expect_refused<float>("labels of another length", StatusCode::shape_mismatch,
                          [=](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.labels = {all_first, size}; });
    expect_refused<float>(
        "weights of another length", StatusCode::shape_mismatch,
        [=](Batch& b, Objective&, StepOptions&, Execution&, F&) { b.sample_weights = {all_one, size}; });
  }
  expect_refused<float>("target probabilities and labels", argument,
                        [](Batch& b, Objective&, StepOptions&, Execution&, F&) {
                          static const float targets[160] = {};
                          b.target_probabilities = {targets, 40, 4};
                        });
  expect_refused<double>(
      "X in f64", StatusCode::not_finite,
      [](Batch&, Objective&, StepOptions&, Execution&, std::vector<double>& x) { x[77] = kNaN<double>; });
}

// Logits of 0, but rows whose sum leaves f32: found out before a weight changes, also where the update is fused into
// the gradient's tiles (24 classes). Targets and a large l2 take that path's second look.
TEST_P(TrainStepRefusalTest, GradientThatOverflows) {
  for (const std::size_t classes : {std::size_t{4}, std::size_t{24}}) {
    constexpr std::size_t kRows = 40, kFeatures = 70;
    std::vector<float> x(kRows * kFeatures, 1.0f), t(kRows * classes, 0.0f);
    for (const std::size_t n : {3U, 30U}) x[n * kFeatures + 68] = 3e38f;
    const std::vector<std::int32_t> labels(kRows, 1);
    for (std::size_t n = 0; n < kRows; ++n) t[n * classes + 1] = 1;
    for (const bool with_labels : {true, false}) {
      for (const double l2 : {0.0, 2.0}) {
        Batch batch;
        batch.features = {x.data(), kRows, kFeatures};
        if (with_labels) batch.labels = labels;
        if (!with_labels) batch.target_probabilities = {t.data(), kRows, classes};
        Objective objective;
        objective.l2 = l2;
        for (const Rule& rule : {kRules[1], kRules[3]}) {
          for (const int threads : {1, 2}) {
            OwnedState<float> owned(kFeatures, classes, rule.optimiser);
            const std::vector<std::byte> before = owned.memory();
            Execution how = execution();
            how.threads = threads;
            LossResult result{kUntouched, kUntouched, kUntouched, 54321, 54321};
            const Status status = owned.step(objective, batch, step_options(rule, kRate, kMomentum), how, result);
            EXPECT_EQ(name_of(status.code), std::string(name_of(StatusCode::overflow))) << classes;
            EXPECT_EQ(owned.memory(), before)
                << classes << " classes, labels " << with_labels << ", l2 " << l2 << ", " << rule.name;
            EXPECT_EQ(result.rows, 54321U);
          }
        }
      }
    }
  }
}

// The bias is summed without a feature that could tell of it: weights alone leave f32.
TEST_P(TrainStepRefusalTest, GradientOfTheBiasThatOverflows) {
  constexpr std::size_t kRows = 3, kFeatures = 20, kClasses = 24;
  const std::vector<float> x(kRows * kFeatures, 1e-6f), weights(kRows, 3e38f);
  const std::vector<std::int32_t> labels(kRows, 1);
  Batch batch;
  batch.features = {x.data(), kRows, kFeatures};
  batch.labels = labels;
  batch.sample_weights = weights;
  for (const Rule& rule : kRules) {
    OwnedState<float> owned(kFeatures, kClasses, rule.optimiser);
    const std::vector<std::byte> before = owned.memory();
    LossResult result;
    const Status status = owned.step({}, batch, step_options(rule, kRate, kMomentum), execution(), result);
    EXPECT_EQ(name_of(status.code), std::string(name_of(StatusCode::overflow))) << rule.name;
    EXPECT_EQ(owned.memory(), before) << rule.name;
  }
}

// Tiles are larger for fewer threads; what is said to be enough for many is enough for a few.
TEST(TrainStepWorkspace, IsEnoughForFewerThreads) {
  for (const Shape shape : {Shape{128, 768, 512}, Shape{64, 768, 512}, Shape{1000, 50, 300}, Shape{300, 2000, 36}}) {
    std::size_t fewer = 0;
    for (int threads = 1; threads <= 70; ++threads) {
      const std::size_t bytes = train_step_workspace_bytes<float>(shape.rows, shape.features, shape.classes, threads);
      EXPECT_GE(bytes, fewer) << threads << " threads, " << shape.rows << 'x' << shape.features << 'x' << shape.classes;
      fewer = bytes;
    }
  }
}

// Nesterov's form is momentum's alone.
TEST_P(TrainStepRefusalTest, NesterovWithAnotherOptimiser) {
  Rng rng(47);
  const reference::Problem p = make_problem<float>(rng, {40, 6, 4}, {});
  const ProblemArrays<float> arrays(p);
  for (const Rule& rule : {kRules[0], kRules[3]}) {
    OwnedState<float> owned(6, 4, rule.optimiser);
    StepOptions options = step_options(rule, kRate, kMomentum);
    LossResult result{kUntouched, kUntouched, kUntouched, 54321, 54321};
    ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, options, execution(), result).ok());
    options.nesterov = true;
    const std::vector<std::byte> before = owned.memory();
    result = {kUntouched, kUntouched, kUntouched, 54321, 54321};
    const Status status = owned.step(arrays.objective, arrays.batch, options, execution(), result);
    EXPECT_EQ(name_of(status.code), std::string(name_of(StatusCode::invalid_argument))) << rule.name;
    EXPECT_EQ(std::string(status.what), "nesterov");
    EXPECT_EQ(owned.memory(), before) << rule.name;
    EXPECT_TRUE(result.objective == kUntouched && result.data_loss == kUntouched && result.rows == 54321) << rule.name;
  }
}

TEST_P(TrainStepRefusalTest, Memory) {
  Rng rng(40);
  const reference::Problem p = make_problem<float>(rng, {40, 6, 4}, {});
  const ProblemArrays<float> arrays(p);
  OwnedState<float> owned(6, 4, Optimiser::gradient_descent);
  const std::vector<std::byte> before = owned.memory();
  Scratch scratch;
  const std::size_t bytes = train_step_workspace_bytes<float>(40, 6, 4, 1);
  const std::span<std::byte> good = scratch(bytes);
  LossResult result;
  const auto step = [&](std::span<std::byte> workspace) {
    return train_step<float>(owned.state, arrays.objective, arrays.batch, step_options(kRules[0], kRate, 0),
                             execution(), workspace, result)
        .code;
  };
  EXPECT_EQ(step({}), StatusCode::workspace_too_small);
  EXPECT_EQ(step(good.first(64)), StatusCode::workspace_too_small);
  EXPECT_EQ(owned.memory(), before);
  EXPECT_EQ(step(good), StatusCode::ok);
  TrainState<float> none;
  EXPECT_EQ(train_step<float>(none, arrays.objective, arrays.batch, step_options(kRules[0], kRate, 0), execution(),
                              good, result)
                .code,
            StatusCode::invalid_argument);
}

// Scratch memory may begin anywhere, and nothing beside it is touched.
TEST_P(TrainStepRefusalTest, AnyAddressOfTheWorkspaceWillDo) {
  Rng rng(41);
  for (const Shape shape : {Shape{40, 6, 4}, Shape{700, 60, 40}}) {
    const reference::Problem p = make_problem<float>(rng, shape, {});
    const ProblemArrays<float> arrays(p);
    const std::size_t bytes = train_step_workspace_bytes<float>(shape.rows, shape.features, shape.classes, 2);
    std::vector<std::byte> want;
    for (const std::size_t offset : {0U, 1U, 4U, 8U, 32U, 63U}) {
      OffsetScratch room(bytes, offset);
      OwnedState<float> owned(shape.features, shape.classes, Optimiser::momentum);
      ASSERT_TRUE(owned.state.set_weights(arrays.weights).ok());
      Execution how = execution();
      how.threads = 2;
      LossResult result;
      const Status status = train_step<float>(owned.state, arrays.objective, arrays.batch,
                                              step_options(kRules[1], kRate, kMomentum), how, room, result);
      ASSERT_TRUE(status.ok()) << message(status);
      if (offset == 0) want = owned.contents();
      EXPECT_EQ(owned.contents(), want) << offset;
      EXPECT_TRUE(room.untouched_around()) << offset;
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
