// SPDX-License-Identifier: BSD-3-Clause
// A path that was interrupted or killed and goes on gives the same bits as one that was not.
#include <lanemax/fit_path.hpp>

#include "engine/fail.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lanemax::checks {
namespace {

constexpr double kPenalties[] = {1e-4, 0.1, 1e-3, 1, 1e-2};

struct Outcome {
  Status status;
  std::vector<PathPoint> points;
  PathResult result;
  std::vector<float> weights, bias;
};

/// What happens to a path when it asks for the n-th time whether to stop.
struct Event {
  std::size_t asked = 0, at = 0;  ///< 0: never
  bool kill = false;

  void await(FitOptions& options) {
    options.user = this;
    options.cancelled = [](void* user) noexcept {
      auto& self = *static_cast<Event*>(user);
      if (++self.asked != self.at) return false;
      if (self.kill) ::raise(SIGKILL);
      return true;
    };
  }
};

class PathResumeTest : public IsaTest {
 protected:
  void SetUp() override {
    IsaTest::SetUp();
    std::string pattern = (std::filesystem::temp_directory_path() / "lanemax-path-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "state";
    make_data({200, 6, 4});
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  /// Overlapping classes; the last one has a single row.
  void make_data(const Shape& shape) {
    Rng rng(400);
    p_ = make_learnable(rng, shape);
    for (double& x : p_.x) x = (x - 5) / 4;
    for (int& label : p_.labels) {
      if (rng.below(4) == 0) label = static_cast<int>(rng.below(p_.classes));
      if (label + 1 == static_cast<int>(p_.classes)) label = 0;
    }
    p_.labels[17] = static_cast<int>(p_.classes) - 1;
    arrays_ = std::make_unique<ProblemArrays<float>>(p_);
  }
  [[nodiscard]] PathOptions options(Solver solver = Solver::lbfgs) const {
    PathOptions o;
    o.fit.solver = solver;
    o.fit.stopping.tolerance = 1e-7;
    o.fit.seed = 3;
    o.fit.execution.isa = GetParam();
    o.fit.checkpoint.file = path_;
    o.fit.checkpoint.seconds = 1e9;
    o.l2 = kPenalties;
    o.folds = 5;
    return o;
  }
  [[nodiscard]] Outcome run(PathOptions o, Event* event = nullptr) const {
    Outcome r;
    r.points.resize(o.l2.size());
    r.weights.assign(p_.classes * p_.features, 0);
    r.bias.assign(p_.classes, 0);
    if (event != nullptr) event->await(o.fit);
    r.status = fit_path(arrays_->batch, o, r.points, view_of(r.weights, r.bias), r.result);
    return r;
  }
  static void expect_same(const FitResult& a, const FitResult& b) {
    EXPECT_EQ(a.solver, b.solver);
    EXPECT_EQ(a.preconditioner, b.preconditioner);
    EXPECT_EQ(a.reason, b.reason);
    EXPECT_EQ(a.converged, b.converged);
    EXPECT_TRUE(same_bits(a.objective, b.objective));
    EXPECT_TRUE(same_bits(a.data_loss, b.data_loss));
    EXPECT_TRUE(same_bits(a.gradient_norm, b.gradient_norm));
    EXPECT_TRUE(same_bits(a.gap_bound, b.gap_bound)) << a.gap_bound << ' ' << b.gap_bound;
    EXPECT_EQ(a.iterations, b.iterations);
    EXPECT_TRUE(same_bits(a.passes, b.passes)) << a.passes << ' ' << b.passes;
  }
  static void expect_same(const Outcome& a, const Outcome& b) {
    ASSERT_TRUE(a.status.ok()) << message(a.status);
    EXPECT_TRUE(same_bits(a.weights, b.weights));
    EXPECT_TRUE(same_bits(a.bias, b.bias));
    EXPECT_EQ(a.result.best, b.result.best);
    EXPECT_EQ(a.result.left_out, b.result.left_out);
    EXPECT_TRUE(same_bits(a.result.passes, b.result.passes)) << a.result.passes << ' ' << b.result.passes;
    expect_same(a.result.fit, b.result.fit);
    ASSERT_EQ(a.points.size(), b.points.size());
    for (std::size_t i = 0; i < a.points.size(); ++i) {
      SCOPED_TRACE(text("point ", i));
      expect_same(a.points[i].fit, b.points[i].fit);
      EXPECT_EQ(a.points[i].l2, b.points[i].l2);
      EXPECT_TRUE(same_bits(a.points[i].held_out_loss, b.points[i].held_out_loss));
      EXPECT_TRUE(same_bits(a.points[i].held_out_loss_error, b.points[i].held_out_loss_error));
      EXPECT_TRUE(same_bits(a.points[i].held_out_accuracy, b.points[i].held_out_accuracy));
      EXPECT_EQ(a.points[i].converged, b.points[i].converged);
      EXPECT_EQ(a.points[i].finished, b.points[i].finished);
    }
  }
  /// Interrupted at pseudo-random questions, and at the first and the last, and resumed.
  void check(const PathOptions& o, std::size_t times = 20) const {
    SCOPED_TRACE(text(name_of(o.fit.solver), " ", name_of(o.fit.preconditioner)));
    Event never;
    const Outcome whole = run(o, &never);
    ASSERT_TRUE(whole.status.ok()) << message(whole.status);
    EXPECT_FALSE(std::filesystem::exists(path_)) << "a path that came to its end leaves no checkpoint";
    Rng rng(18);
    for (std::size_t i = 0; i < times; ++i) {
      Event event;
      event.at = i == 0 ? 1 : i == 1 ? never.asked : 1 + rng.below(never.asked);
      SCOPED_TRACE(text("question ", event.at, " of ", never.asked));
      const Outcome part = run(o, &event);
      ASSERT_TRUE(part.status.ok()) << message(part.status);
      ASSERT_EQ(part.result.fit.reason, StopReason::interrupted);
      ASSERT_TRUE(part.result.fit.checkpoint_error.ok()) << message(part.result.fit.checkpoint_error);
      PathOptions again = o;
      again.fit.checkpoint.resume = std::filesystem::exists(path_);  // not before there is a place to work in
      EXPECT_TRUE(again.fit.checkpoint.resume || i == 0);
      again.fit.execution.threads = 1 + static_cast<int>(i % 4);
      expect_same(run(again), whole);
      std::filesystem::remove(path_);
      if (HasFailure()) return;
    }
  }

  std::filesystem::path directory_, path_;
  reference::Problem p_;
  std::unique_ptr<ProblemArrays<float>> arrays_;
};
INSTANTIATE_PER_ISA(PathResumeTest);

TEST_P(PathResumeTest, AtAnyPoint) {
  for (const Solver solver : {Solver::lbfgs, Solver::newton}) check(options(solver), 40);
}

TEST_P(PathResumeTest, WithEveryPreconditioner) {
  for (const Preconditioner kind : {Preconditioner::none, Preconditioner::diagonal, Preconditioner::gram,
                                    Preconditioner::blocks, Preconditioner::full}) {
    PathOptions o = options();
    o.fit.preconditioner = kind;
    check(o, 8);
  }
}

// Passes in f32 first, and curvature from as many rows as what has been spent allows.
TEST_P(PathResumeTest, OnMoreData) {
  make_data({2500, 100, 20});
  check(options(), 6);
}

TEST_P(PathResumeTest, OnTheRowsCoordinates) {
  make_data({40, 300, 3});
  check(options(), 12);
}

TEST_P(PathResumeTest, WithoutAPenaltyAndWithAMostOfIterations) {
  const double penalties[] = {0, 1e-3, 1e-6, 1, 1e-9};
  PathOptions o = options();
  o.l2 = penalties;
  o.fit.stopping.max_iterations = 7;
  check(o, 12);
}

TEST_P(PathResumeTest, WithValidationRowsInPlaceOfFolds) {
  const ProblemArrays<float> validation(p_);
  PathOptions o = options();
  o.folds = 0;
  o.fit.validation = &validation.batch;
  check(o, 12);
}

TEST_P(PathResumeTest, StandardisedWarmAndWeighted) {
  std::vector<float> weights(p_.rows);
  Rng rng(401);
  for (float& w : weights) w = static_cast<float>(1 + rng.below(4));
  arrays_->batch.sample_weights = weights;
  PathOptions o = options();
  o.fit.standardise = o.fit.warm_start = true;
  check(o, 12);
}

TEST_P(PathResumeTest, ManyTimesInARow) {
  PathOptions o = options();
  Event never;
  const Outcome whole = run(o, &never);
  Rng rng(19);
  Outcome last;
  std::size_t stops = 0;
  do {
    Event event;
    event.at = 2 + rng.below(never.asked / 4);
    last = run(o, &event);
    o.fit.checkpoint.resume = true;
  } while (last.result.fit.reason == StopReason::interrupted && ++stops < 100);
  EXPECT_GT(stops, 3U);
  EXPECT_LT(stops, 100U);
  expect_same(last, whole);
}

// Written again and again, it is good whenever the process dies.
TEST_P(PathResumeTest, Killed) {
  PathOptions o = options();
  Event never;
  const Outcome whole = run(o, &never);
  o.fit.checkpoint.seconds = 0;
  Rng rng(20);
  std::size_t resumed = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    Event event;
    event.at = 1 + rng.below(never.asked);
    event.kill = true;
    SCOPED_TRACE(text("question ", event.at, " of ", never.asked));
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      static_cast<void>(run(o, &event));
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    PathOptions again = options();
    again.fit.checkpoint.resume = std::filesystem::exists(path_);
    resumed += again.fit.checkpoint.resume ? 1 : 0;
    expect_same(run(again), whole);
    std::filesystem::remove(path_);
  }
  EXPECT_GT(resumed, 15U);
  // And when it does not.
  expect_same(run(o), whole);
  o.fit.checkpoint.resume = true;
  expect_same(run(o), whole);
}

TEST_P(PathResumeTest, RefusalsNameWhatDiffers) {
  const PathOptions o = options();
  Event event;
  event.at = 60;
  ASSERT_EQ(run(o, &event).result.fit.reason, StopReason::interrupted);
  const auto refused = [&](const char* what, const std::function<void(PathOptions&)>& change) {
    PathOptions other = o;
    other.fit.checkpoint.resume = true;
    change(other);
    const Outcome r = run(other);
    EXPECT_EQ(r.status.code, StatusCode::bad_checkpoint);
    EXPECT_EQ(std::string(r.status.what), what);
    EXPECT_EQ(std::count(r.weights.begin(), r.weights.end(), 0.0F), static_cast<std::ptrdiff_t>(r.weights.size()));
    EXPECT_EQ(r.points[0].fit.reason, StopReason::none);
  };
  const double others[] = {1e-4, 0.1, 1e-3, 1, 2e-2}, reversed[] = {1e-2, 1, 1e-3, 0.1, 1e-4};
  refused("l2", [&](PathOptions& c) { c.l2 = others; });
  refused("l2", [&](PathOptions& c) { c.l2 = reversed; });
  refused("l2", [&](PathOptions& c) { c.l2 = c.l2.first(4); });
  refused("folds", [](PathOptions& c) { c.folds = 4; });
  refused("tolerance", [](PathOptions& c) { c.fit.stopping.tolerance = 1e-6; });
  refused("max_iterations", [](PathOptions& c) { c.fit.stopping.max_iterations = 1000; });
  refused("seed", [](PathOptions& c) { c.fit.seed = 4; });
  refused("solver", [](PathOptions& c) { c.fit.solver = Solver::newton; });

  FitOptions alone = o.fit;
  alone.checkpoint.resume = true;
  alone.objective.l2 = kPenalties[0];
  EXPECT_STREQ(run_fit(arrays_->batch, alone, p_.classes).status.what, "l2");
  alone.checkpoint.resume = false;
  alone.stopping.max_iterations = 1;
  ASSERT_TRUE(run_fit(arrays_->batch, alone, p_.classes).status.ok());
  refused("l2", [](PathOptions&) {});
  refused("folds", [](PathOptions& c) { c.l2 = c.l2.first(1); });
  std::filesystem::remove(path_);
  PathOptions none = o;
  none.fit.checkpoint.resume = true;
  const Status missing = run(none).status;
  EXPECT_EQ(missing.code, StatusCode::missing_file);
  EXPECT_STREQ(missing.file, of_file(path_.string(), missing).file);
}

TEST_P(PathResumeTest, AFileThatCannotBeWrittenDoesNotEndThePath) {
  PathOptions o = options();
  const Outcome whole = run(o);
  const std::string nowhere = (directory_ / "none" / "state").string();
  o.fit.checkpoint.file = nowhere;
  o.fit.checkpoint.seconds = 0;
  const Outcome other = run(o);
  expect_same(other, whole);
  EXPECT_EQ(other.result.fit.checkpoint_error.code, StatusCode::io_error);
  EXPECT_EQ(other.result.fit.checkpoint_error.system_error, ENOENT);
  EXPECT_STREQ(other.result.fit.checkpoint_error.file, of_file(nowhere, other.result.fit.checkpoint_error).file);
}

}  // namespace
}  // namespace lanemax::checks
