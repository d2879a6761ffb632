// SPDX-License-Identifier: BSD-3-Clause
//
// fit(): that it gets there, stops when it should, and says what happened. Refusals: fit_refusal_test.
#include <lanemax/fit.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/plain_fit.hpp"
#include "tests/support/testing.hpp"

#include <cmath>

namespace lanemax::checks {
namespace {

class FitTest : public IsaTest {
 protected:
  [[nodiscard]] FitOptions options(std::size_t epochs, std::size_t batch_size = 32) const {
    FitOptions o;
    o.objective.l2 = 0;
    o.solver = Solver::momentum;
    o.mini_batches.epochs = epochs;
    o.mini_batches.batch_size = batch_size;
    o.execution.isa = GetParam();
    return o;
  }
  /// A problem that takes some learning: classes that overlap.
  static reference::Problem problem(Loss loss = Loss::softmax) {
    Rng rng(71);
    reference::Problem p = make_learnable(rng, {400, 6, 4}, loss == Loss::logistic);
    if (loss == Loss::hinge) p.loss = reference::Loss::hinge;
    for (double& x : p.x) x = (x - 5) / 4;
    for (int& label : p.labels) {
      if (rng.below(4) == 0) label = static_cast<int>(rng.below(loss == Loss::logistic ? 2 : 4));
    }
    return p;
  }
};
INSTANTIATE_PER_ISA(FitTest);

TEST_P(FitTest, ReachesTheOptimum) {
  for (const Loss loss : {Loss::softmax, Loss::logistic}) {
    const reference::Problem p = problem(loss);
    const ProblemArrays<float> arrays(p);
    const double best = plain_optimum(p, 0.01), start = loss == Loss::softmax ? std::log(4.0) : std::log(2.0);
    ASSERT_LT(best, 0.95 * start);
    for (const Solver solver : {Solver::sgd, Solver::momentum, Solver::automatic}) {
      FitOptions o = options(60);
      o.objective = arrays.objective;
      o.objective.l2 = 0.01;
      o.solver = solver;
      if (solver == Solver::automatic) o.mini_batches = {};
      const Fitted fitted = run_fit(arrays.batch, o, p.classes);
      SCOPED_TRACE(text(name_of(loss), " ", name_of(solver)));
      ASSERT_TRUE(fitted.status.ok()) << message(fitted.status);
      EXPECT_GE(fitted.result.objective, best - 1e-6);
      EXPECT_LE(fitted.result.objective, best + 0.001 * (start - best));
      EXPECT_NE(fitted.result.solver, Solver::automatic);
      if (solver != Solver::automatic) {
        EXPECT_EQ(fitted.result.solver, solver);
      }
    }
  }
}

TEST_P(FitTest, HingeComesDown) {
  const reference::Problem p = problem(Loss::hinge);
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(60);
  o.objective = arrays.objective;
  const Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok()) << message(fitted.status);
  EXPECT_LT(fitted.result.objective, 0.8 * 3);  // 3 at W = 0
}

TEST_P(FitTest, AdamComesDown) {
  for (const Loss loss : {Loss::softmax, Loss::logistic, Loss::hinge}) {
    const reference::Problem p = problem(loss);
    const ProblemArrays<float> arrays(p);
    FitOptions o = options(60);
    o.objective = arrays.objective;
    o.objective.l2 = 0.01;
    o.solver = Solver::adam;
    const double start = loss == Loss::softmax ? std::log(4.0) : loss == Loss::logistic ? std::log(2.0) : 3;
    SCOPED_TRACE(name_of(loss));
    const Fitted slow = run_fit(arrays.batch, o, p.classes);
    ASSERT_TRUE(slow.status.ok()) << message(slow.status);
    EXPECT_EQ(slow.result.solver, Solver::adam);
    EXPECT_EQ(slow.result.learning_rate, 0.001);
    EXPECT_LT(slow.result.objective, start);
    o.mini_batches.learning_rate = 0.05;
    const Fitted fitted = run_fit(arrays.batch, o, p.classes);
    ASSERT_TRUE(fitted.status.ok()) << message(fitted.status);
    EXPECT_EQ(fitted.result.learning_rate, 0.05);
    EXPECT_LT(fitted.result.objective, slow.result.objective);
    if (loss == Loss::hinge) continue;
    const double best = plain_optimum(p, 0.01);
    EXPECT_GE(fitted.result.objective, best - 1e-6);
    EXPECT_LE(fitted.result.objective, best + 0.001 * (start - best));
  }
}

TEST_P(FitTest, FullBatchDescentIsTheTrainStep) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  for (const auto& [rule, solver] : {std::pair{kRules[0], Solver::sgd}, std::pair{kRules[2], Solver::momentum},
                                     std::pair{kRules[3], Solver::adam}}) {
    FitOptions o = options(5, 100000);  // capped at the rows there are
    o.solver = solver;
    o.mini_batches.schedule = Schedule::constant;
    o.mini_batches.learning_rate = 0.125;
    if (solver != Solver::sgd) o.mini_batches.momentum = 0.875;
    if (solver == Solver::adam) o.mini_batches.second_moment_decay = kSecondMomentDecay;
    o.stopping.tolerance = 0;
    const Fitted fitted = run_fit(arrays.batch, o, p.classes);
    ASSERT_TRUE(fitted.status.ok());
    EXPECT_EQ(fitted.result.iterations, 5U);
    OwnedState<float> owned(p.features, p.classes, rule.optimiser);
    LossResult result;
    for (int step = 0; step < 5; ++step) {
      ASSERT_TRUE(owned.step({}, arrays.batch, step_options(rule, 0.125, 0.875), {1, GetParam()}, result).ok());
    }
    const std::vector<float> w = owned.weights();  // the same but for the order of the rows
    for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(fitted.w[i], w[i], 2e-6f) << rule.name << " " << i;
  }
}

TEST_P(FitTest, ResultIsOfTheReturnedWeights) {
  for (const Loss loss : {Loss::softmax, Loss::logistic, Loss::hinge}) {
    const reference::Problem p = problem(loss);
    const ProblemArrays<float> arrays(p);
    for (const Solver solver :
         {Solver::lbfgs, Solver::newton, Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad}) {
      if (loss == Loss::hinge && (solver == Solver::lbfgs || solver == Solver::newton)) continue;
      FitOptions o = options(4, 128);
      o.objective = arrays.objective;
      o.objective.l2 = 0.01;
      o.solver = solver;
      if (!has_mini_batches(solver)) o.mini_batches = {};
      o.stopping.max_iterations = 16;  // four epochs
      const Fitted fitted = run_fit(arrays.batch, o, p.classes);
      SCOPED_TRACE(text(name_of(loss), " ", name_of(solver)));
      ASSERT_TRUE(fitted.status.ok()) << message(fitted.status);
      const reference::Solution want = solution_at(p, 0.01, fitted.w, fitted.b);
      const auto expect_near = [](double got, const Estimate& estimate) {
        EXPECT_NEAR(got, static_cast<double>(estimate.value), static_cast<double>(estimate.bound));
      };
      expect_near(fitted.result.objective, want.objective);
      expect_near(fitted.result.data_loss, want.data_loss);
      EXPECT_NEAR(fitted.result.gradient_norm, largest_gradient(want), 1e-12);
    }
  }
}

TEST_P(FitTest, ResultCountsTheWork) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  const Fitted fitted = run_fit(arrays.batch, options(4, 128), p.classes);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_EQ(fitted.result.iterations, 4U * 4U);  // 400 rows in batches of 128
  EXPECT_GE(fitted.result.passes, 6);            // four epochs, and what the certificate takes
  EXPECT_LE(fitted.result.passes, 12);
  EXPECT_EQ(fitted.result.reason, StopReason::epochs);
  EXPECT_FALSE(fitted.result.converged);
  EXPECT_GT(fitted.result.seconds, 0);
  EXPECT_GT(fitted.result.learning_rate, 0);
}

TEST_P(FitTest, ZeroEpochsReturnTheInitialWeights) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(0);
  Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok());
  for (const float w : fitted.w) EXPECT_EQ(w, 0);
  for (const float b : fitted.b) EXPECT_EQ(b, 0);
  EXPECT_NEAR(fitted.result.objective, std::log(4.0), 1e-6);
  EXPECT_EQ(fitted.result.iterations, 0U);

  o.warm_start = true;
  Rng rng(72);
  for (float& w : fitted.w) w = static_cast<float>(rng.between(-1, 1));
  fitted.b[1] = 0.25f;
  const std::vector<float> w = fitted.w, b = fitted.b;
  fitted.status = fit(arrays.batch, o, view_of(fitted.w, fitted.b), fitted.result);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_TRUE(same_bits(fitted.w, w));
  EXPECT_TRUE(same_bits(fitted.b, b));
}

TEST_P(FitTest, WarmStartGoesOn) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(3);
  Fitted fitted = run_fit(arrays.batch, o, p.classes);
  const double before = fitted.result.objective;
  o.warm_start = true;
  ASSERT_TRUE(fit(arrays.batch, o, view_of(fitted.w, fitted.b), fitted.result).ok());
  EXPECT_LT(fitted.result.objective, before);
}

TEST_P(FitTest, SeedsAndRepeats) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  const std::vector<double> x = p.x;
  FitOptions o = options(2);
  o.seed = 7;
  const Fitted a = run_fit(arrays.batch, o, p.classes), b = run_fit(arrays.batch, o, p.classes);
  o.seed = 8;
  const Fitted c = run_fit(arrays.batch, o, p.classes);
  EXPECT_TRUE(same_bits(a.w, b.w));
  EXPECT_TRUE(same_bits(a.b, b.b));
  EXPECT_FALSE(same_bits(a.w, c.w));
  // Inputs are as they were.
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(static_cast<const float*>(arrays.batch.features.data)[i], static_cast<float>(x[i]));
  }
}

TEST_P(FitTest, RowsLeftOutEqualRowsThatAreNotThere) {
  reference::Problem p = problem(), without = p;
  without.rows = 0;
  without.x.clear();
  without.labels.clear();
  p.ignored_label = -1;
  p.sample_weights.assign(p.rows, 1);
  for (std::size_t n = 0; n < p.rows; ++n) {
    if (n % 3 == 1 || n % 7 == 2) {
      if (n % 3 == 1) p.labels[n] = -1;
      if (n % 7 == 2) p.sample_weights[n] = 0;
      for (std::size_t d = 0; d < p.features; ++d) p.x[n * p.features + d] = kNaN<double>;
      continue;
    }
    ++without.rows;
    without.labels.push_back(p.labels[n]);
    without.x.insert(without.x.end(), &p.x[n * p.features], &p.x[n * p.features] + p.features);
  }
  const ProblemArrays<float> all(p), kept(without);
  FitOptions o = options(5);
  o.stopping.tolerance = 0;
  const Fitted a = run_fit(all.batch, o, p.classes), b = run_fit(kept.batch, o, p.classes);
  ASSERT_TRUE(a.status.ok()) << message(a.status);
  EXPECT_TRUE(same_bits(a.w, b.w));
  EXPECT_TRUE(same_bits(a.b, b.b));
  EXPECT_EQ(a.result.iterations, b.result.iterations);
  EXPECT_NEAR(a.result.objective, b.result.objective, 1e-7);
}

TEST_P(FitTest, Schedules) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  for (const Schedule schedule : {Schedule::constant, Schedule::cosine, Schedule::step}) {
    FitOptions o = options(8, 400);  // a step an epoch
    o.mini_batches.learning_rate = 0.25;
    o.mini_batches.schedule = schedule;
    o.stopping.tolerance = 0;
    Recorder recorder;
    recorder.watch(o);
    const Fitted fitted = run_fit(arrays.batch, o, p.classes);
    ASSERT_EQ(recorder.seen.size(), 8U);
    EXPECT_EQ(fitted.result.learning_rate, 0.25);
    for (std::size_t i = 0; i < 8; ++i) {
      const double part = static_cast<double>(i) / 8;
      const double want = schedule == Schedule::constant ? 0.25
                          : schedule == Schedule::cosine ? 0.125 * (1 + std::cos(std::acos(-1.0) * part))
                          : part < 0.5                   ? 0.25
                          : part < 0.75                  ? 0.025
                                                         : 0.0025;
      EXPECT_NEAR(recorder.seen[i].learning_rate, want, 1e-15) << name_of(schedule) << " epoch " << i;
      EXPECT_EQ(recorder.seen[i].epoch, i + 1);
      EXPECT_EQ(recorder.seen[i].epochs, 8U);
      EXPECT_GT(recorder.seen[i].samples_per_second, 0);
      EXPECT_GE(recorder.seen[i].seconds_left, 0);
      EXPECT_TRUE(std::isnan(recorder.seen[i].validation_loss));
    }
    EXPECT_NEAR(recorder.seen[0].loss, std::log(4.0), 1e-6);  // computed before the only step
  }
}

// ---- when it stops ----

TEST_P(FitTest, StopsAtTheTolerance) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(3000, 400);
  o.objective.l2 = 0.05;
  o.stopping.tolerance = 1e-4;
  o.mini_batches.schedule = Schedule::constant;
  o.solver = Solver::momentum;
  const Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_EQ(fitted.result.reason, StopReason::tolerance);
  EXPECT_TRUE(fitted.result.converged);
  EXPECT_LE(fitted.result.gradient_norm, 1e-4);
  EXPECT_LT(fitted.result.iterations, 3000U);
}

TEST_P(FitTest, StopsAtTheMostIterations) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  for (const std::size_t most : {1U, 5U, 13U, 14U}) {
    FitOptions o = options(10);
    o.stopping.max_iterations = most;
    const Fitted fitted = run_fit(arrays.batch, o, p.classes);
    ASSERT_TRUE(fitted.status.ok());
    EXPECT_EQ(fitted.result.iterations, most);
    EXPECT_EQ(fitted.result.reason, StopReason::max_iterations);
    EXPECT_FALSE(fitted.result.converged);
  }
}

TEST_P(FitTest, StopsAtTheTimeLimit) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(100'000'000);
  o.stopping.time_limit = 0.05;
  o.stopping.tolerance = 0;
  o.mini_batches.schedule = Schedule::constant;
  const Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_EQ(fitted.result.reason, StopReason::time_limit);
  EXPECT_GE(fitted.result.seconds, 0.05);
  EXPECT_LT(fitted.result.seconds, 10);
}

TEST_P(FitTest, StopsWhenTheCallerSaysSo) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(10);
  o.stopping.tolerance = 0;
  Recorder recorder;
  recorder.stop_after = 3;
  recorder.watch(o);
  const Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_EQ(fitted.result.reason, StopReason::interrupted);
  EXPECT_EQ(fitted.result.iterations, 3U * 13U);
  EXPECT_EQ(recorder.seen.size(), 3U);
  // With a constant rate the weights so far are those of a fit that was only asked for as much.
  o.mini_batches.schedule = Schedule::constant;
  recorder.seen.clear();
  const Fitted stopped = run_fit(arrays.batch, o, p.classes);
  FitOptions three = options(3);
  three.stopping.tolerance = 0;
  three.mini_batches.schedule = Schedule::constant;
  EXPECT_TRUE(same_bits(stopped.w, run_fit(arrays.batch, three, p.classes).w));
}

TEST_P(FitTest, StopsBetweenStepsWhenCancelled) {
  const reference::Problem p = problem();
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(10);
  int asked = 0;
  o.user = &asked;
  o.cancelled = [](void* user) noexcept { return ++*static_cast<int*>(user) > 20; };
  const Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_EQ(fitted.result.reason, StopReason::interrupted);
  EXPECT_EQ(fitted.result.iterations, 20U);
  EXPECT_TRUE(std::isfinite(fitted.result.objective));
}

TEST_P(FitTest, StopsEarlyAndReturnsTheBestWeights) {
  // The validation rows obey other labels after a while: what helps the training rows hurts them.
  const reference::Problem p = problem();
  reference::Problem other = p;
  for (std::size_t n = 0; n < other.rows; n += 2) other.labels[n] = (other.labels[n] + 1) % 4;
  const ProblemArrays<float> arrays(p), validation(other);
  FitOptions o = options(200);
  o.mini_batches.schedule = Schedule::constant;
  o.stopping.tolerance = 0;
  o.validation = &validation.batch;
  o.stopping.early_stopping = 4;
  Recorder recorder;
  recorder.watch(o);
  const Fitted fitted = run_fit(arrays.batch, o, p.classes);
  ASSERT_TRUE(fitted.status.ok());
  EXPECT_EQ(fitted.result.reason, StopReason::early_stopping);
  ASSERT_GT(recorder.seen.size(), 4U);
  std::size_t best = 0;
  for (std::size_t i = 0; i < recorder.seen.size(); ++i) {
    if (recorder.seen[i].validation_loss < recorder.seen[best].validation_loss) best = i;
  }
  EXPECT_EQ(recorder.seen.size(), best + 1 + 4);
  const reference::Solution at_end = solution_at(other, 0, fitted.w, fitted.b);
  EXPECT_NEAR(static_cast<double>(at_end.data_loss.value), recorder.seen[best].validation_loss, 1e-6);
  for (std::size_t i = 0; i < recorder.seen.size(); ++i) {  // that is near enough to tell it from all others
    if (i == best) continue;
    EXPECT_GT(recorder.seen[i].validation_loss, recorder.seen[best].validation_loss + 1e-5);
  }
}

// ---- divergence ----

TEST_P(FitTest, DivergenceIsReportedWithTheLastGoodWeights) {
  const reference::Problem p = problem();
  reference::Problem large = p;
  for (double& x : large.x) x *= 1e6;
  const ProblemArrays<float> arrays(large);
  CallOptions how;
  how.isa = GetParam();
  for (const std::size_t batch_size : {32U, 400U}) {
    for (const double rate : {1e25, 1e31, 1e36, 3e38}) {
      for (const std::size_t epochs : {1U, 2U, 20U}) {
        FitOptions o = options(epochs, batch_size);
        o.mini_batches.learning_rate = rate;
        o.mini_batches.schedule = Schedule::constant;
        const Fitted fitted = run_fit(arrays.batch, o, p.classes);
        SCOPED_TRACE(
            text("rate ", rate, ", batches of ", batch_size, ", ", epochs, " epochs: ", message(fitted.status)));
        ASSERT_TRUE(fitted.status.code == StatusCode::diverged || fitted.status.ok());
        EXPECT_EQ(fitted.result.reason == StopReason::diverged, !fitted.status.ok());
        if (rate >= 1e36) {
          EXPECT_EQ(fitted.status.code, StatusCode::diverged);
        }
        for (const float w : fitted.w) ASSERT_TRUE(std::isfinite(w));
        for (const float b : fitted.b) ASSERT_TRUE(std::isfinite(b));
        EXPECT_TRUE(std::isfinite(fitted.result.objective));
        EXPECT_TRUE(std::isfinite(fitted.result.gradient_norm));
        const CallOutputs<float> at_end =
            call<float>({}, {{fitted.w.data(), p.classes, p.features}, fitted.b}, arrays.batch, how, true);
        EXPECT_TRUE(at_end.status.ok()) << message(at_end.status);
      }
    }
  }
}

// ---- odd data ----

TEST_P(FitTest, FeaturesThatSayNothingGiveThePriors) {
  for (const double constant : {0.0, 1.0, 5.0}) {
    reference::Problem p = problem();
    std::fill(p.x.begin(), p.x.end(), constant);
    double entropy = 0;
    for (int c = 0; c < 4; ++c) {
      const double share = static_cast<double>(std::count(p.labels.begin(), p.labels.end(), c)) / 400;
      entropy -= share * std::log(share);
    }
    const ProblemArrays<float> arrays(p);
    FitOptions o = options(200, 100);
    const Fitted fitted = run_fit(arrays.batch, o, p.classes);
    ASSERT_TRUE(fitted.status.ok()) << message(fitted.status);
    EXPECT_NEAR(fitted.result.objective, entropy, 1e-5) << constant;
  }
}

TEST_P(FitTest, OddShapes) {
  Rng rng(73);
  for (const Shape shape :
       {Shape{1, 3, 2}, Shape{5, 1, 3}, Shape{3, 40, 2}, Shape{7, 2, 100}, Shape{6, 4, 1}, Shape{40, 1, 1009}}) {
    const reference::Problem p = make_learnable(rng, shape);
    const ProblemArrays<float> arrays(p);
    for (const std::size_t batch_size : {1U, 256U}) {
      FitOptions o = options(5, batch_size);
      const Fitted fitted = run_fit(arrays.batch, o, p.classes);
      ASSERT_TRUE(fitted.status.ok()) << message(fitted.status);
      EXPECT_LE(fitted.result.objective, std::log(static_cast<double>(shape.classes)) + 1e-6);
    }
  }
}

TEST_P(FitTest, ExtremeScalesGiveFiniteWeightsOrAnError) {
  for (const double scale : {1e-30, 1e-3, 1e6, 1e15}) {
    reference::Problem p = problem();
    for (std::size_t i = 0; i < p.x.size(); ++i) p.x[i] *= i % p.features == 0 ? 0.1 : scale;
    const ProblemArrays<float> arrays(p);
    const Fitted fitted = run_fit(arrays.batch, options(10), p.classes);
    EXPECT_TRUE(fitted.status.ok() || fitted.status.code == StatusCode::diverged) << scale << message(fitted.status);
    for (const float w : fitted.w) ASSERT_TRUE(std::isfinite(w)) << scale;
    EXPECT_TRUE(std::isfinite(fitted.result.objective)) << scale;
    EXPECT_LE(fitted.result.objective, std::log(4.0) + 1e-6) << scale;
  }
}

}  // namespace
}  // namespace lanemax::checks
