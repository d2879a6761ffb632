// SPDX-License-Identifier: BSD-3-Clause
// A fit that was interrupted and goes on gives the same bits as one that was not.
#include "engine/fail.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

namespace lanemax::checks {
namespace {

/// Stops a fit at its n-th question whether to, and keeps its last report.
struct Stop {
  std::size_t asked = 0, at = 0;  ///< 0: never
  FitProgress last = {};

  void watch(FitOptions& options) {
    options.user = this;
    options.cancelled = [](void* user) noexcept {
      auto& self = *static_cast<Stop*>(user);
      return ++self.asked == self.at;
    };
    options.progress = [](const FitProgress& progress, void* user) noexcept {
      static_cast<Stop*>(user)->last = progress;
      return true;
    };
  }
};

struct Outcome {
  Status status;
  std::vector<double> weights, bias;
  FitResult result;
  FitProgress last;  ///< report
};

class ResumeTest : public IsaTest {
 protected:
  void SetUp() override {
    IsaTest::SetUp();
    std::string pattern = (std::filesystem::temp_directory_path() / "lanemax-resume-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "state";

    make_data({300, 7, 4});
  }
  /// Overlapping classes and features of very different size. Every third row is for validation.
  void make_data(const Shape& shape) {
    Rng rng(5);
    p_ = make_learnable(rng, shape, false);
    for (int& label : p_.labels) {
      if (rng.below(4) == 0) label = static_cast<int>(rng.below(p_.classes));
    }
    for (std::size_t i = 0; i < p_.x.size(); ++i) p_.x[i] *= std::pow(0.5, static_cast<double>(i % p_.features % 7));
    arrays_ = std::make_unique<ProblemArrays<float>>(p_);
    used_.clear();
    held_.clear();
    for (std::uint32_t i = 0; i < p_.rows; ++i) (i % 3 == 0 ? held_ : used_).push_back(i);
    data_ = validation_ = arrays_->batch;
    data_.selection = used_;
    validation_.selection = held_;
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  [[nodiscard]] FitOptions options(Solver solver) const {
    FitOptions o;
    o.objective.l2 = 1e-6;
    o.solver = solver;
    if (solver == Solver::newton) o.preconditioner = Preconditioner::full;
    if (has_mini_batches(solver)) o.mini_batches = {.epochs = 6, .batch_size = 32};
    o.seed = 3;
    o.stopping.tolerance = 1e-9;
    o.execution.isa = GetParam();
    o.checkpoint.file = path_;
    o.checkpoint.seconds = 1e9;
    return o;
  }
  [[nodiscard]] Outcome run(FitOptions o, Stop stop = {}) const {
    Outcome r;
    r.weights.resize(p_.classes * p_.features);
    r.bias.resize(p_.classes);
    if (o.cancelled == nullptr) stop.watch(o);
    r.status = fit(data_, o, view_of(r.weights, r.bias), r.result);
    EXPECT_TRUE(r.status.ok()) << message(r.status);
    r.last = stop.last;
    return r;
  }
  static void expect_same(const Outcome& a, const Outcome& b) {
    const auto same = [](const std::vector<double>& x, const std::vector<double>& y) {
      return std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
    };
    EXPECT_TRUE(same(a.weights, b.weights));
    EXPECT_TRUE(same(a.bias, b.bias));
    EXPECT_EQ(a.result.reason, b.result.reason) << name_of(a.result.reason) << ' ' << name_of(b.result.reason);
    EXPECT_EQ(a.result.objective, b.result.objective);
    EXPECT_EQ(a.result.gradient_norm, b.result.gradient_norm);
    EXPECT_EQ(a.result.learning_rate, b.result.learning_rate);
    EXPECT_EQ(a.result.preconditioner, b.result.preconditioner);
    EXPECT_EQ(a.result.iterations, b.result.iterations);
    EXPECT_EQ(a.result.passes, b.result.passes);
    if (a.last.iterations == 0 || b.last.iterations == 0) return;  // nothing was left to report
    EXPECT_EQ(a.last.loss, b.last.loss);
    EXPECT_EQ(a.last.epoch, b.last.epoch);
    EXPECT_EQ(a.last.passes, b.last.passes);
    EXPECT_EQ(a.last.learning_rate, b.last.learning_rate);
  }
  /// How often a whole fit asks whether to stop.
  std::size_t questions(const FitOptions& options, Outcome& whole) const {
    Stop stop;
    FitOptions o = options;
    stop.watch(o);
    whole = run(o);
    whole.last = stop.last;
    EXPECT_FALSE(std::filesystem::exists(path_)) << "a fit that came to its end leaves no checkpoint";
    return stop.asked;
  }
  /// Interrupted where the fit is asked for the n-th time, at pseudo-random points, and resumed.
  void check(const FitOptions& options, std::size_t points = 20) const {
    SCOPED_TRACE(text(name_of(options.solver), " ", name_of(options.preconditioner)));
    Outcome whole;
    const std::size_t most = questions(options, whole);
    ASSERT_GT(most, 4U);
    Rng rng(17);
    for (std::size_t i = 0; i < points; ++i) {
      const std::size_t at = i == 0 ? 1 : i == 1 ? most : 1 + rng.below(most);
      SCOPED_TRACE(text("question ", at, " of ", most));
      if (const Outcome part = run(options, {0, at}); part.result.reason != StopReason::interrupted) {
        // Only the search for the bound was left.
        EXPECT_EQ(part.result.reason, whole.result.reason);
        EXPECT_TRUE(std::isnan(part.result.gap_bound));
        EXPECT_FALSE(std::filesystem::exists(path_));
        continue;
      }
      FitOptions again = options;
      again.checkpoint.resume = true;
      again.execution.threads = 1 + static_cast<int>(i % 4);
      expect_same(run(again), whole);
      std::filesystem::remove(path_);
      if (HasFailure()) return;
    }
  }

  std::filesystem::path directory_, path_;
  reference::Problem p_;
  std::unique_ptr<ProblemArrays<float>> arrays_;
  std::vector<std::uint32_t> used_, held_;
  Batch data_, validation_;
};
INSTANTIATE_PER_ISA(ResumeTest);

constexpr Solver kAll[] = {Solver::lbfgs, Solver::newton, Solver::momentum, Solver::sgd, Solver::adam, Solver::adagrad};

TEST_P(ResumeTest, AtAnyPoint) {
  for (const Solver solver : kAll) check(options(solver));
}

// Passes in f32 first, and a second preconditioner from as many pairs as what has been spent allows: so few for each
// class that its block is kept from their side.
TEST_P(ResumeTest, OnMoreData) {
  make_data({3000, 160, 16});
  FitOptions o = options(Solver::lbfgs);
  o.stopping.tolerance = 1e-8;
  o.objective.l2 = 1e-4;
  o.preconditioner = Preconditioner::blocks;
  check(o, 20);
}

TEST_P(ResumeTest, UntilNoProgressIsLeft) {
  for (const Preconditioner kind : {Preconditioner::none, Preconditioner::blocks, Preconditioner::full}) {
    FitOptions o = options(kind == Preconditioner::full ? Solver::newton : Solver::lbfgs);
    o.stopping.tolerance = 0;
    o.preconditioner = kind;
    o.stopping.max_iterations = 2000;
    check(o);
  }
}

TEST_P(ResumeTest, WithEveryPreconditioner) {
  for (const Preconditioner kind : {Preconditioner::none, Preconditioner::diagonal, Preconditioner::gram,
                                    Preconditioner::blocks, Preconditioner::full}) {
    FitOptions o = options(Solver::lbfgs);
    o.preconditioner = kind;
    check(o, 8);
  }
}

// It is what runs that counts.
TEST_P(ResumeTest, WhatNewtonBeginsAsLbfgsLbfgsGoesOnWith) {
  FitOptions o = options(Solver::newton);
  o.preconditioner = Preconditioner::gram;
  Outcome whole;
  const std::size_t most = questions(o, whole);
  EXPECT_EQ(whole.result.solver, Solver::lbfgs);
  ASSERT_EQ(run(o, {0, most / 2}).result.reason, StopReason::interrupted);
  o.solver = Solver::lbfgs;
  o.checkpoint.resume = true;
  expect_same(run(o), whole);
}

TEST_P(ResumeTest, WithValidation) {
  for (const Solver solver : kAll) {
    for (const std::size_t patience : {0U, 2U}) {
      FitOptions o = options(solver);
      o.objective.l2 = 0;
      if (has_mini_batches(solver)) o.mini_batches.epochs = 12;
      if (solver == Solver::lbfgs) o.preconditioner = Preconditioner::none;
      o.validation = &validation_;
      o.stopping.early_stopping = patience;
      check(o, 10);
    }
  }
}

TEST_P(ResumeTest, WithTheFullGradientLookedAt) {
  FitOptions o = options(Solver::momentum);
  o.mini_batches.epochs = 60;
  o.mini_batches.batch_size = 50;
  Outcome whole;
  questions(o, whole);
  EXPECT_GT(whole.result.passes, 65);  // some of them only for that
  check(o);
}

TEST_P(ResumeTest, StandardisedWarmAndWeighted) {
  std::vector<float> weights(300);
  Rng rng(8);
  for (float& w : weights) w = static_cast<float>(rng.below(4));
  data_.sample_weights = weights;
  for (const Solver solver : kAll) {
    FitOptions o = options(solver);
    o.standardise = o.warm_start = true;  // from weights 0
    if (has_mini_batches(solver)) o.mini_batches.schedule = Schedule::step;
    check(o, 5);
  }
}

TEST_P(ResumeTest, ManyTimesInARow) {
  for (const Solver solver : kAll) {
    SCOPED_TRACE(name_of(solver));
    FitOptions o = options(solver);
    if (solver == Solver::lbfgs) o.preconditioner = Preconditioner::none;
    Outcome whole;
    const std::size_t most = questions(o, whole);
    std::size_t stops = 0;
    Rng rng(23);
    Outcome last;
    do {
      last = run(o, {0, 2 + rng.below(most / 2)});
      o.checkpoint.resume = true;
      o.execution.threads = 1 + static_cast<int>(rng.below(4));
    } while (last.result.reason == StopReason::interrupted && ++stops < 100);
    EXPECT_GT(stops, 1U);
    EXPECT_LT(stops, 100U);
    expect_same(last, whole);
    std::filesystem::remove(path_);
  }
}

TEST_P(ResumeTest, AfterTheMostIterations) {
  for (const Solver solver : kAll) {
    FitOptions o = options(solver);
    Outcome whole;
    questions(o, whole);
    for (const std::size_t most : {1U, 2U, 5U, 7U, 8U}) {
      SCOPED_TRACE(text(name_of(solver), " ", most));
      if (most >= whole.result.iterations) continue;
      FitOptions limited = o;
      limited.stopping.max_iterations = most;
      const Outcome part = run(limited);
      ASSERT_EQ(part.result.reason, StopReason::max_iterations);
      ASSERT_EQ(part.result.iterations, most);
      // Nothing is left to do, and nothing is done.
      limited.checkpoint.resume = true;
      expect_same(run(limited), part);
      limited.stopping.max_iterations = 0;
      expect_same(run(limited), whole);
      std::filesystem::remove(path_);
    }
  }
}

TEST_P(ResumeTest, FromAReportThatEndsTheFit) {
  for (const Solver solver : kAll) {
    SCOPED_TRACE(name_of(solver));
    const FitOptions o = options(solver);
    Outcome whole;
    questions(o, whole);
    for (const std::size_t reports : {1U, 3U, 6U}) {
      FitOptions watched = o;
      Recorder recorder;
      recorder.stop_after = reports;
      recorder.watch(watched);
      watched.cancelled = [](void*) noexcept { return false; };
      if (run(watched).result.reason != StopReason::interrupted) continue;
      FitOptions again = o;
      again.checkpoint.resume = true;
      expect_same(run(again), whole);
      std::filesystem::remove(path_);
    }
  }
}

// What is written on the way is as good as what is written at the end.
TEST_P(ResumeTest, FromTheLastOfManyCheckpoints) {
  for (const Solver solver : kAll) {
    SCOPED_TRACE(name_of(solver));
    FitOptions o = options(solver);
    Outcome whole;
    questions(o, whole);
    o.checkpoint.seconds = 0;
    expect_same(run(o), whole);
    ASSERT_TRUE(std::filesystem::exists(path_));
    o.checkpoint.resume = true;
    expect_same(run(o), whole);
    std::filesystem::remove(path_);
  }
}

TEST_P(ResumeTest, RefusalsLeaveTheOutputsAlone) {
  FitOptions o = options(Solver::lbfgs);
  ASSERT_EQ(run(o, {0, 4}).result.reason, StopReason::interrupted);
  o.checkpoint.resume = true;
  const auto refused = [&](const FitOptions& options, const Batch& data) {
    const Fitted f = run_fit(data, options, 4);
    EXPECT_TRUE(untouched(f));
    return f.status;
  };
  FitOptions other = o;
  other.objective.l2 = 0.5;
  Status status = refused(other, data_);
  EXPECT_EQ(status.code, StatusCode::bad_checkpoint);
  EXPECT_EQ(message(status),
            std::string(of_file(o.checkpoint.file, status).file) +
                ": checkpoint: l2 'kept 1e-06, now 0.5'; expected the same as when the checkpoint was written");
  for (const Solver solver : {Solver::newton, Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad}) {
    other = o;
    other.solver = solver;
    if (solver == Solver::newton) other.preconditioner = Preconditioner::full;
    EXPECT_STREQ(refused(other, data_).what, "solver");
  }
  Batch fewer = data_;
  fewer.selection = fewer.selection->first(used_.size() - 1);
  EXPECT_STREQ(refused(o, fewer).what, "rows");
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_STREQ(refused(o, data_).what, "file size");
  std::filesystem::remove(path_);
  for (const Solver solver : kAll) {
    other = o;
    other.solver = solver;
    EXPECT_EQ(refused(other, data_).code, StatusCode::missing_file);
  }
}

TEST_P(ResumeTest, AFileThatCannotBeWrittenDoesNotEndTheFit) {
  const std::string nowhere = (directory_ / "none" / "state").string();
  for (const Solver solver : kAll) {
    SCOPED_TRACE(name_of(solver));
    FitOptions o = options(solver);
    Outcome whole;
    const std::size_t most = questions(o, whole);
    EXPECT_TRUE(whole.result.checkpoint_error.ok());
    o.checkpoint.file = nowhere;
    o.checkpoint.seconds = 0;
    const Outcome other = run(o);
    expect_same(other, whole);
    EXPECT_TRUE(other.last.checkpoint_failed);
    EXPECT_EQ(other.result.checkpoint_error.code, StatusCode::io_error);
    EXPECT_EQ(other.result.checkpoint_error.system_error, ENOENT);
    o.checkpoint.seconds = 1e9;
    const Outcome stopped = run(o, {0, most / 2});
    EXPECT_EQ(stopped.result.reason, StopReason::interrupted);
    EXPECT_EQ(stopped.result.checkpoint_error.code, StatusCode::io_error);
    // A later attempt makes good for it.
    std::filesystem::create_directory(directory_ / "none");
    EXPECT_TRUE(run(o, {0, most / 2}).result.checkpoint_error.ok());
    o.checkpoint.resume = true;
    expect_same(run(o), whole);
    std::filesystem::remove_all(directory_ / "none");
    o.checkpoint.resume = false;
    o.checkpoint.seconds = 0;
    o.user = const_cast<char*>(nowhere.c_str());
    o.cancelled = [](void*) noexcept { return false; };
    o.progress = [](const FitProgress&, void* file) noexcept {
      std::error_code ignored;
      std::filesystem::create_directory(std::filesystem::path(static_cast<const char*>(file)).parent_path(), ignored);
      return true;
    };
    EXPECT_TRUE(run(o).result.checkpoint_error.ok());
    std::filesystem::remove_all(directory_ / "none");
  }
}

// What is shown of speed and of the time left is about this run alone.
TEST_P(ResumeTest, RatesAreThoseOfThisRun) {
  struct Reports {
    std::vector<FitProgress> all;
    std::size_t asked = 0, at = 0;
  };
  const auto run_with = [&](FitOptions o, Reports& reports) {
    o.user = &reports;
    o.progress = [](const FitProgress& p, void* user) noexcept {
      static_cast<Reports*>(user)->all.push_back(p);
      return true;
    };
    o.cancelled = [](void* user) noexcept {
      auto& r = *static_cast<Reports*>(user);
      return ++r.asked == r.at;
    };
    Fitted f = run_fit(data_, o, p_.classes);
    ASSERT_TRUE(f.status.ok()) << message(f.status);
  };
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::momentum}) {
    SCOPED_TRACE(name_of(solver));
    FitOptions o = options(solver);
    if (has_mini_batches(solver)) o.mini_batches.epochs = 60;
    o.stopping.tolerance = solver == Solver::momentum ? 0 : 1e-9;
    Reports first, second;
    first.at = solver == Solver::momentum ? 300 : 10;
    run_with(o, first);
    o.checkpoint.resume = true;
    run_with(o, second);
    ASSERT_FALSE(first.all.empty());
    ASSERT_GE(second.all.size(), 2U);
    EXPECT_EQ(first.all.back().resumed_passes, 0);
    const double rows = static_cast<double>(used_.size());
    const FitProgress& begin = second.all.front();
    EXPECT_GE(begin.resumed_passes, first.all.back().passes);
    for (const FitProgress& p : second.all) {
      EXPECT_EQ(p.resumed_passes, begin.resumed_passes);
      const double done = p.passes - p.resumed_passes;
      if (p.epoch > 0) {
        const double left = p.seconds / done * static_cast<double>(p.epochs - p.epoch);
        EXPECT_NEAR(p.seconds_left, left, 1e-6 * left);
      } else if (p.seconds > begin.seconds) {
        EXPECT_LE(p.samples_per_second * (p.seconds - begin.seconds), 1.0000001 * rows * done);
      }
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
