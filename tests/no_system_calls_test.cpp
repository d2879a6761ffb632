// SPDX-License-Identifier: BSD-3-Clause
//
// Compute calls ask nothing of the system: a child process that may only exit makes them a million times. The kernel
// ends it at any other system call: a lock that has to wait, an allocation that needs memory, a look at the clock.
#include <lanemax/lanemax.hpp>

#include "tests/support/plan_shapes.hpp"

#include <gtest/gtest.h>

#include <functional>

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if !defined(__has_feature)
#define LANEMAX_TEST_SECCOMP 1
#elif !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define LANEMAX_TEST_SECCOMP 1
#endif
#endif

#ifdef LANEMAX_TEST_SECCOMP
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace lanemax::checks {
namespace {

enum class Ending { well, wrong, killed, not_possible };

/// How a child process ends that may make no system call and does `work`, which says whether all is well.
Ending run_alone([[maybe_unused]] const std::function<bool()>& work) {
#ifdef LANEMAX_TEST_SECCOMP
  constexpr int kNotPossible = 77;
  const pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0) _exit(kNotPossible);
    const long code = work() ? 0 : 1;
    syscall(SYS_exit, code);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return Ending::not_possible;
  if (WIFSIGNALED(status)) return Ending::killed;
  return WEXITSTATUS(status) == kNotPossible ? Ending::not_possible
         : WEXITSTATUS(status) == 0          ? Ending::well
                                             : Ending::wrong;
#else
  return Ending::not_possible;
#endif
}

class NoSystemCalls : public ::testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    if (run_alone([] { return true; }) == Ending::not_possible) GTEST_SKIP() << "no such child process here";
#ifdef LANEMAX_TEST_SECCOMP
    ASSERT_EQ(run_alone([] { return getppid() > 0; }), Ending::killed) << "a system call is not noticed";
    ASSERT_EQ(run_alone([] { return false; }), Ending::wrong);
#endif
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, NoSystemCalls,
                         ::testing::Values(Shape{64, 784, 10}, Shape{64, 54, 7}, Shape{64, 128, 2}, Shape{64, 60, 300}),
                         [](const auto& shape) { return text(shape.param.features, "x", shape.param.classes); });

TEST_P(NoSystemCalls, AMillionPredictions) {
  const auto [rows, features, classes] = GetParam();
  std::vector<float> w(classes * features, 0.25F), b(classes), x(rows * features, 0.5F);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i * 7919 % 101) / 101 - 0.5F;
  Predictor predictor;
  ASSERT_TRUE(Predictor::create(Loss::softmax, {{w.data(), classes, features}, b}, {}, predictor).ok());
  std::vector<std::uint8_t> bytes(features, 3);
  std::vector<std::uint16_t> halves(features, 0x3c00);
  std::vector<double> doubles(features, 0.5);
  std::vector<float> scores(classes), probabilities(rows * classes);
  std::vector<std::int32_t> best(std::min<std::size_t>(classes, 3)), chosen(rows);
  const Workspace workspace(predictor.batch_workspace_bytes(1));
  const std::size_t rounds = classes > 100 ? 20000 : 125000;  // eight calls each
  const Ending ending = run_alone([&] {
    bool good = true;
    for (std::size_t i = 0; i < rounds; ++i) {
      const std::span<const float> row = std::span(x).subspan(i % rows * features, features);
      good = good && predictor.predict(row) >= 0;
      good = good && predictor.predict(bytes) >= 0;
      good = good && predictor.predict(doubles) >= 0;
      good = good && predictor.predict({halves.data(), FeatureType::f16, features}) >= 0;
      good = good && predictor.predict({halves.data(), FeatureType::bf16, features}) >= 0;
      good = good && predictor.logits(row, scores) >= 0;
      good = good && predictor.probabilities(row, {}, std::span(probabilities).first(classes)) >= 0;
      good = good && predictor.top_k(row, {}, best, {}) >= 0;
      if (i % 100 != 0) continue;
      good = good && predictor
                         .predict_batch({x.data(), rows, features}, 1, workspace,
                                        {.classes = chosen, .probabilities = {probabilities.data(), rows, classes}})
                         .ok();
    }
    return good;
  });
  EXPECT_EQ(ending, Ending::well);
}

TEST_P(NoSystemCalls, StepsLossesAndSnapshots) {
  const auto [rows, features, classes] = GetParam();
  std::vector<float> w(classes * features), b(classes), x(rows * features, 0.5F), dw(w.size()), db(classes);
  std::vector<std::int32_t> labels(rows);
  for (std::size_t n = 0; n < rows; ++n) labels[n] = static_cast<std::int32_t>(n % classes);
  const Batch batch{.features = {x.data(), rows, features}, .labels = labels};
  const Workspace scratch(loss_workspace_bytes<float>(rows, features, classes, 1));
  OnlineOptions options;
  options.batch_rows = rows;
  OnlineLearner learner;
  ASSERT_TRUE(OnlineLearner::create(features, classes, options, learner).ok());
  const Ending ending = run_alone([&] {
    bool good = true;
    LossResult result;
    for (int i = 0; i < 100; ++i) {
      const WeightsView<const float> at{{w.data(), classes, features}, b};
      good = good && loss_and_gradient(Objective{}, at, batch, Execution{}, scratch, result,
                                       WeightsView<float>{{dw.data(), classes, features}, db})
                         .ok();
      good = good && learner.learn(batch, {}, result).ok() && learner.publish();
      const Snapshot snapshot = learner.newest();
      good = good && snapshot->predict(std::span<const float>(x).first(features)) >= 0;
    }
    return good;
  });
  EXPECT_EQ(ending, Ending::well);
}

}  // namespace
}  // namespace lanemax::checks
