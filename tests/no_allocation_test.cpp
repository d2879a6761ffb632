// SPDX-License-Identifier: BSD-3-Clause
//
// Compute calls allocate nothing: with one thread never, with more nothing after the first call of the process, in a
// thread that has made no call yet, too.
#include <lanemax/lanemax.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/plan_shapes.hpp"

#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace lanemax::checks {
namespace {

class NoAllocationTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!test::kSeesAllocations) GTEST_SKIP() << "the allocations of this C library cannot be seen";
    test::expect_allocations_are_seen();
  }
  /// With several threads the first call may start them.
  void expect_none(const char* name, const std::function<Status()>& f) const {
    Status status;
    if (GetParam() > 1) status = f();
    const auto expect_none_here = [&](const char* where) {
      const test::Allocations seen = test::watch_allocations([&] { status = f(); });
      EXPECT_EQ(seen.made, 0U) << name << where << ", " << GetParam() << " threads";
      EXPECT_TRUE(status.ok()) << name << ": " << message(status);
    };
    for (int repeat = 0; repeat < 3; ++repeat) expect_none_here("");
    std::thread([&] { expect_none_here(" in a new thread"); }).join();
  }
};
INSTANTIATE_TEST_SUITE_P(Threads, NoAllocationTest, ::testing::Values(1, 2),
                         [](const auto& threads) { return std::to_string(threads.param); });

TEST_P(NoAllocationTest, ObjectiveAndSteps) {
  const Execution execution{GetParam(), Isa::process_default};
  for (const Shape& s :
       {Shape{1100, 8, 3}, Shape{2200, 20, 20}, Shape{2200, 20, 26}, Shape{700, 210, 70}, Shape{60, 30, 10}}) {
    std::vector<float> x(s.rows * s.features, 0.5f), w(s.classes * s.features), b(s.classes), dw(w.size()),
        db(s.classes);
    std::vector<float> losses(s.rows), probabilities(s.rows * s.classes), dx(x.size());
    std::vector<std::uint8_t> bytes(x.size(), 3);
    std::vector<std::int32_t> labels(s.rows);
    for (std::size_t n = 0; n < s.rows; ++n) labels[n] = static_cast<std::int32_t>(n % s.classes);
    Batch batch;
    batch.features = {x.data(), s.rows, s.features};
    batch.labels = labels;
    Batch converted = batch;
    converted.features = {bytes.data(), s.rows, s.features};
    const Workspace scratch(loss_workspace_bytes<float>(s.rows, s.features, s.classes, GetParam()));
    const WeightsView<float> weights{{w.data(), s.classes, s.features}, b};
    const WeightsView<float> gradient{{dw.data(), s.classes, s.features}, db};
    const SampleOutputs<float> rows{losses, {probabilities.data(), s.rows, s.classes}, {}};
    const SampleOutputs<float> all_rows{rows.losses, rows.probabilities, {dx.data(), s.rows, s.features}};
    LossResult result;
    for (const Batch* data : {&batch, &converted}) {
      expect_none("loss", [&] { return loss({}, weights, *data, execution, scratch, result, rows); });
      expect_none("loss_and_gradient", [&] {
        return loss_and_gradient({}, weights, *data, execution, scratch, result, gradient, all_rows);
      });
      const Workspace memory(TrainState<float>::bytes(s.features, s.classes, Optimiser::momentum));
      const Workspace step_scratch(train_step_workspace_bytes<float>(s.rows, s.features, s.classes, GetParam()));
      TrainState<float> state;
      StepOptions options;
      expect_none("create",
                  [&] { return TrainState<float>::create(s.features, s.classes, Optimiser::momentum, memory, state); });
      expect_none("set_weights", [&] { return state.set_weights(weights); });
      expect_none("train_step",
                  [&] { return train_step<float>(state, {}, *data, options, execution, step_scratch, result); });
      expect_none("get_weights", [&] { return state.get_weights(gradient); });
    }
    // Refusing costs nothing either.
    x[5] = std::nanf("");
    Status refused;
    const auto refuse = [&] { refused = loss({}, weights, batch, execution, scratch, result); };
    EXPECT_EQ(test::watch_allocations(refuse).made, 0U);
    EXPECT_EQ(refused.code, StatusCode::not_finite);
  }
}

TEST_P(NoAllocationTest, Predictions) {
  for (const Shape& s :
       {Shape{3000, 20, 3}, Shape{1000, 64, 10}, Shape{700, 60, 1100}, Shape{20, 10, 5000}, Shape{40, 3000, 10}}) {
    Model model;
    model.features = s.features;
    model.weight.assign(s.classes * s.features, 0.25f);
    model.bias.assign(s.classes, 0);
    for (std::size_t c = 0; c < s.classes; ++c) model.class_labels.push_back(std::to_string(c));
    Model around_centre = model;
    around_centre.centre.assign(s.features, 1e9);
    Model of_few_words = model;
    of_few_words.threshold = 1;
    Predictor predictor, centred, abstaining;
    ASSERT_TRUE(Predictor::create(model, Isa::process_default, predictor).ok());
    ASSERT_TRUE(Predictor::create(around_centre, Isa::process_default, centred).ok());
    ASSERT_TRUE(Predictor::create(of_few_words, Isa::process_default, abstaining).ok());
    const std::vector<float> x(s.rows * s.features, 0.5f);
    const std::vector<double> wide(x.begin(), x.end());
    std::vector<std::int32_t> classes(s.rows), top(s.rows * 2);
    std::vector<float> probabilities(s.rows * s.classes), logits(probabilities.size()), top_p(s.rows * 2);
    Predictions out;
    out.classes = classes;
    out.logits = {logits.data(), s.rows, s.classes};
    out.probabilities = {probabilities.data(), s.rows, s.classes};
    out.top_classes = {top.data(), s.rows, 2};
    out.top_probabilities = {top_p.data(), s.rows, 2};
    const Workspace scratch(predictor.batch_workspace_bytes(GetParam())), own(predictor.workspace_bytes());
    for (const Predictor* who : {&predictor, &centred, &abstaining}) {
      SCOPED_TRACE(who == &centred ? "around a centre" : who == &abstaining ? "with a threshold" : "with neither");
      const std::int32_t expected = who == &abstaining ? kAbstained : 0;
      const auto expect_none_of_one = [&](const char* type, const SampleView& sample) {
        const auto expect_class = [&](const char* call, const std::function<std::int32_t()>& f) {
          expect_none((std::string(call) + ", " + type).c_str(), [&] {
            Status status;
            if (f() != expected) status.code = StatusCode::bad_data;
            return status;
          });
        };
        expect_class("predict", [&] { return who->predict(sample); });
        expect_class("logits", [&] { return who->logits(sample, std::span(logits).first(s.classes)); });
        expect_class("probabilities",
                     [&] { return who->probabilities(sample, own, std::span(probabilities).first(s.classes)); });
        expect_class("top_k",
                     [&] { return who->top_k(sample, own, std::span(top).first(2), std::span(top_p).first(2)); });
      };
      expect_none_of_one("f32", std::span(x).first(s.features));
      expect_none_of_one("f64", std::span(wide).first(s.features));
      for (const FeaturesView& samples :
           {FeaturesView(x.data(), s.rows, s.features), FeaturesView(wide.data(), s.rows, s.features)}) {
        expect_none("predict_batch", [&] { return who->predict_batch(samples, GetParam(), scratch, out); });
      }
    }
  }
}

TEST_P(NoAllocationTest, LearningWhileServing) {
  std::vector<float> x(64 * 30, 0.5F);
  std::vector<std::int32_t> labels(64);
  for (std::size_t n = 0; n < labels.size(); ++n) labels[n] = static_cast<std::int32_t>(n % 40);
  OnlineOptions options;
  options.batch_rows = 64;
  options.execution.threads = GetParam();
  OnlineLearner learner;
  ASSERT_TRUE(OnlineLearner::create(30, 50, options, learner).ok());
  LossResult result;
  expect_none("OnlineLearner", [&] {
    const Batch batch{.features = {x.data(), 64, 30}, .labels = labels};
    Status status = learner.learn(batch, {}, result);
    const Snapshot before = learner.newest();
    if (!learner.publish()) status.code = StatusCode::out_of_memory;
    const Snapshot snapshot = learner.newest();
    if (snapshot->predict(std::span<const float>(x).first(30)) < 0) status.code = StatusCode::not_finite;
    return status;
  });
}

}  // namespace
}  // namespace lanemax::checks
