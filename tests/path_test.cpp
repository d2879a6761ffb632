// SPDX-License-Identifier: BSD-3-Clause
//
// fit_path(): every point is the fit it says it is, and what is held out has not been seen.
#include <lanemax/fit_path.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/plain_fit.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <functional>

namespace lanemax::checks {
namespace {

constexpr double kPenalties[] = {0.01, 1.0, 0.1};

struct PathRun {
  Status status;
  std::vector<PathPoint> points{3};
  std::vector<float> w, b;
  PathResult result;
};

class PathTest : public IsaTest {
 protected:
  PathTest() : problem_(make()), arrays_(problem_) {}
  static reference::Problem make() {
    Rng rng(181);
    reference::Problem p = make_learnable(rng, {203, 6, 3});
    for (double& x : p.x) x = (x - 5) / 4;
    for (int& label : p.labels) {
      if (rng.below(4) == 0) label = static_cast<int>(rng.below(3));
    }
    return p;
  }
  [[nodiscard]] PathOptions options(std::size_t folds) const {
    PathOptions o;
    o.fit.stopping.tolerance = 1e-8;
    o.fit.execution.isa = GetParam();
    o.l2 = kPenalties;
    o.folds = folds;
    return o;
  }
  [[nodiscard]] reference::Problem rows_of(const std::vector<std::uint32_t>& rows) const {
    reference::Problem p = problem_;
    p.rows = rows.size();
    p.x.clear();
    p.labels.clear();
    for (const std::uint32_t row : rows) {
      p.x.insert(p.x.end(), &problem_.x[row * 6], &problem_.x[row * 6] + 6);
      p.labels.push_back(problem_.labels[row]);
    }
    return p;
  }
  [[nodiscard]] PathRun run(const PathOptions& o, const Batch& data) const {
    PathRun r;
    r.w.assign(3 * 6, -7);
    r.b.assign(3, -7);
    r.status = fit_path(data, o, r.points, view_of(r.w, r.b), r.result);
    return r;
  }

  reference::Problem problem_;
  ProblemArrays<float> arrays_;
};
INSTANTIATE_PER_ISA(PathTest);

TEST_P(PathTest, PointsAreTheFitsOfTheirPenalties) {
  for (const Solver solver : {Solver::lbfgs, Solver::newton}) {
    PathOptions o = options(4);
    o.fit.solver = solver;
    const PathRun r = run(o, arrays_.batch);
    ASSERT_TRUE(r.status.ok()) << message(r.status);
    for (std::size_t i = 0; i < 3; ++i) {
      FitOptions alone = o.fit;
      alone.objective.l2 = kPenalties[i];
      const Fitted f = run_fit(arrays_.batch, alone, 3);
      EXPECT_EQ(r.points[i].l2, kPenalties[i]);
      EXPECT_NEAR(r.points[i].fit.objective, plain_optimum(problem_, kPenalties[i]), 1e-12);
      EXPECT_TRUE(r.points[i].finished);
      EXPECT_TRUE(r.points[i].converged);
      EXPECT_LE(r.points[i].fit.gap_bound, 1e-7);
      EXPECT_GE(r.points[i].held_out_loss, r.points[r.result.best].held_out_loss);
      if (i != r.result.best) continue;
      EXPECT_NEAR(r.result.fit.objective, f.result.objective, 1e-9);
      for (std::size_t k = 0; k < r.w.size(); ++k) EXPECT_NEAR(r.w[k], f.w[k], 1e-5);
      for (std::size_t k = 0; k < r.b.size(); ++k) EXPECT_NEAR(r.b[k], f.b[k], 1e-5);
    }
  }
}

// Leaving one row out: every fold is known whatever the seed.
TEST_P(PathTest, HeldOutRowsWereNotSeen) {
  std::vector<std::uint32_t> few;
  for (std::uint32_t i = 0; i < 24; ++i) few.push_back(i * 7);
  Batch data = arrays_.batch;
  data.selection = few;
  const PathRun r = run(options(few.size()), data);
  ASSERT_TRUE(r.status.ok()) << message(r.status);
  for (std::size_t i = 0; i < 3; ++i) {
    double loss = 0, correct = 0;
    std::vector<double> losses;
    for (std::size_t out = 0; out < few.size(); ++out) {
      std::vector<std::uint32_t> rest = few;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(out));
      reference::Problem training = rows_of(rest);
      training.l2 = kPenalties[i];
      PlainFit(training).run();
      const reference::Solution held = solution_at(rows_of({few[out]}), 0, training.w, training.b);
      losses.push_back(static_cast<double>(held.data_loss.value));
      loss += losses.back() / static_cast<double>(few.size());
      const auto z = [&](std::size_t c) { return held.logits[c].value; };
      const auto label = static_cast<std::size_t>(problem_.labels[few[out]]);
      if (z(label) >= std::max({z(0), z(1), z(2)})) correct += 1;
    }
    double squares = 0;
    for (const double l : losses) squares += (l - loss) * (l - loss);
    EXPECT_NEAR(r.points[i].held_out_loss, loss, 1e-5);
    EXPECT_NEAR(r.points[i].held_out_loss_error, std::sqrt(squares / 23 / 24), 1e-5);
    EXPECT_NEAR(r.points[i].held_out_accuracy, correct / 24, 1e-12);
  }
}

TEST_P(PathTest, ValidationRowsInPlaceOfFolds) {
  Rng rng(182);
  const ProblemArrays<float> unseen(make());
  PathOptions o = options(0);
  o.fit.validation = &unseen.batch;  // the same rows: the held-out loss is then the training loss
  const PathRun r = run(o, arrays_.batch);
  ASSERT_TRUE(r.status.ok()) << message(r.status);
  for (const PathPoint& point : r.points) {
    EXPECT_NEAR(point.held_out_loss, point.fit.data_loss, 1e-6);
    EXPECT_TRUE(std::isnan(point.held_out_loss_error));
  }
  EXPECT_EQ(r.result.best, 0U);
}

TEST_P(PathTest, SameBitsForAnyThreadsAndSeedsDiffer) {
  const PathRun first = run(options(3), arrays_.batch);
  for (const int threads : {2, 4}) {
    PathOptions o = options(3);
    o.fit.execution.threads = threads;
    const PathRun r = run(o, arrays_.batch);
    EXPECT_TRUE(same_bits(r.w, first.w));
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(same_bits(r.points[i].held_out_loss, first.points[i].held_out_loss));
  }
  PathOptions o = options(3);
  o.fit.seed = 9;
  EXPECT_NE(run(o, arrays_.batch).points[0].held_out_loss, first.points[0].held_out_loss);
}

TEST_P(PathTest, InterruptedItKeepsWhatIsFinished) {
  for (const std::size_t after : {1U, 10U, 25U, 40U, 60U, 80U, 100U}) {
    PathOptions o = options(3);
    std::size_t calls[2] = {0, after};
    o.fit.user = calls;
    o.fit.cancelled = [](void* user) noexcept {
      auto* count = static_cast<std::size_t*>(user);
      return ++count[0] > count[1];
    };
    const PathRun r = run(o, arrays_.batch);
    ASSERT_TRUE(r.status.ok()) << message(r.status);
    for (const float w : r.w) EXPECT_TRUE(std::isfinite(w) && w != -7);
    EXPECT_FALSE(r.points[0].finished);  // the smallest penalty comes last
    EXPECT_TRUE(std::isfinite(r.result.fit.objective));
    EXPECT_EQ(r.result.fit.reason, StopReason::interrupted);
    EXPECT_FALSE(r.result.fit.converged);
    EXPECT_EQ(r.points[r.result.best].finished, r.points[1].finished);
    if (r.points[2].finished) {
      EXPECT_TRUE(r.points[1].finished);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(r.points[i].l2, kPenalties[i]);
      if (r.points[i].finished) {
        EXPECT_EQ(r.points[i].fit.reason, StopReason::tolerance);
      }
    }
    if (!r.points[1].finished) {
      EXPECT_EQ(r.points[0].fit.reason, StopReason::none);
    }
  }
}

// Data that grows beyond all numbers while the path is on its way, at the latest found by the next fit.
TEST_P(PathTest, DivergedItKeepsWhatIsFinished) {
  struct Growing {
    double* x;
    std::size_t values;
    double at_l2;
    std::size_t at_fold;
  };
  const PathRun whole = run(options(3), arrays_.batch);
  for (const auto& [l2, fold] : {std::pair{1.0, 0U}, {1.0, 2U}, {0.1, 0U}, {0.1, 2U}, {0.01, 1U}}) {
    SCOPED_TRACE(text(l2, " fold ", fold));
    std::vector<double> x(problem_.x);
    Batch data = arrays_.batch;
    data.features = {x.data(), problem_.rows, problem_.features};
    PathOptions o = options(3);
    Growing growing{x.data(), x.size(), l2, fold};
    o.fit.user = &growing;
    o.fit.progress = [](const FitProgress& progress, void* user) noexcept {
      const auto& self = *static_cast<const Growing*>(user);
      if (progress.l2 != self.at_l2 || progress.fold != self.at_fold) return true;
      for (std::size_t i = 0; i < self.values; ++i) self.x[i] = i % 2 == 0 ? 1e308 : -1e308;
      return true;
    };
    o.fit.preconditioner = Preconditioner::none;
    const PathRun r = run(o, data);
    EXPECT_EQ(r.status.code, StatusCode::diverged) << message(r.status);
    EXPECT_EQ(r.result.fit.reason, StopReason::diverged);
    EXPECT_FALSE(r.result.fit.converged);
    for (const float w : r.w) EXPECT_TRUE(std::isfinite(w));
    const std::size_t finished = l2 == 1 ? 0 : l2 == 0.1 ? 1 : 2, order[] = {1, 2, 0};
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(r.points[order[i]].finished, i < finished);
    EXPECT_EQ(r.result.best, finished == 2 && whole.points[2].held_out_loss < whole.points[1].held_out_loss ? 2U : 1U);
    if (finished > 0) {
      EXPECT_NEAR(r.points[1].held_out_loss, whole.points[1].held_out_loss, 1e-6);
      EXPECT_GT(std::abs(r.w[0]), 0);
    }
  }
}

TEST_P(PathTest, NewtonRunsWhereTheWholeHessianIsSmall) {
  for (const Preconditioner kind : {Preconditioner::automatic, Preconditioner::gram}) {
    PathOptions o = options(3);
    o.fit.preconditioner = kind;
    const PathRun other = run(o, arrays_.batch);
    o.fit.solver = Solver::newton;
    const PathRun r = run(o, arrays_.batch);
    ASSERT_TRUE(r.status.ok() && other.status.ok());
    const bool direct = kind == Preconditioner::automatic;
    EXPECT_EQ(r.result.fit.solver, direct ? Solver::newton : Solver::lbfgs);
    for (const PathPoint& point : r.points) EXPECT_EQ(point.fit.solver, r.result.fit.solver);
    EXPECT_EQ(r.result.passes == other.result.passes, !direct);
    EXPECT_EQ(same_bits(r.w, other.w) && same_bits(r.b, other.b), !direct);
  }
}

TEST_P(PathTest, ProgressTellsPenaltyAndFold) {
  PathOptions o = options(3);
  Recorder recorder;
  recorder.watch(o.fit);
  ASSERT_TRUE(run(o, arrays_.batch).status.ok());
  std::size_t most = 0;
  double last = 2;
  for (const FitProgress& seen : recorder.seen) {
    EXPECT_LE(seen.l2, last);
    last = seen.l2;
    most = std::max(most, seen.fold);
  }
  EXPECT_EQ(last, 0.01);
  EXPECT_EQ(most, 3U);
}

TEST_P(PathTest, Refusals) {
  const auto refused = [&](const char* what, const std::function<void(PathOptions&, Batch&)>& change) {
    PathOptions o = options(3);
    Batch data = arrays_.batch;
    change(o, data);
    const PathRun r = run(o, data);
    EXPECT_EQ(r.status.code, StatusCode::invalid_argument) << what;
    EXPECT_EQ(std::string(r.status.what), what);
    EXPECT_EQ(r.w[0], -7);
    EXPECT_FALSE(r.points[0].finished);
  };
  const double twice[] = {0.1, 0.2, 0.1}, negative[] = {0.1, -1, 2}, nan[] = {0.1, kNaN<double>, 2};
  for (const double* list : {twice, negative, nan}) {
    refused("l2_path", [&](PathOptions& o, Batch&) { o.l2 = {list, 3}; });
  }
  for (const std::size_t folds : {0U, 1U, 204U}) refused("folds", [&](PathOptions& o, Batch&) { o.folds = folds; });
  refused("folds", [&](PathOptions& o, Batch&) { o.fit.validation = &arrays_.batch; });
  refused("solver", [](PathOptions& o, Batch&) { o.fit.solver = Solver::sgd; });
  refused("solver", [](PathOptions& o, Batch&) { o.fit.objective.loss = Loss::hinge; });
  const std::vector<float> factor{1, 1, 0, 1, 1, 1};
  refused("scaling factor", [&](PathOptions&, Batch& data) { data.scaling.factor = factor; });
  refused("l2", [](PathOptions& o, Batch&) { o.fit.objective.l2 = 0.1; });
  refused("l2", [](PathOptions& o, Batch&) { o.fit.objective.l2 = 0; });
  refused("early_stopping", [&](PathOptions& o, Batch&) {
    o.folds = 0;
    o.fit.validation = &arrays_.batch;
    o.fit.stopping.early_stopping = 2;
  });
  refused("epochs", [](PathOptions& o, Batch&) {
    o.fit.solver = Solver::lbfgs;
    o.fit.mini_batches.epochs = 2;
  });
  refused("solver", [](PathOptions& o, Batch&) { o.fit.mini_batches.epochs = 2; });  // means momentum
  refused("threads", [](PathOptions& o, Batch&) { o.fit.execution.threads = 0; });
}

TEST_P(PathTest, LengthsThatDoNotFitAreRefused) {
  const auto expect_shape = [&](
                                const char* what, std::size_t points, std::size_t biases, std::size_t centres,
                                const std::function<void(Batch&)>& change = [](Batch&) {}) {
    std::vector<PathPoint> p(points);
    std::vector<float> w(3 * 6, -7), b(biases, -7);
    std::vector<double> centre(centres, -7);
    PathResult result;
    Batch data = arrays_.batch;
    change(data);
    const WeightsView<float> weights{{w.data(), 3, 6}, b};
    const Status status = fit_path(data, options(3), p, weights, result, {.scaling = {.centre_used = centre}});
    EXPECT_EQ(status.code, StatusCode::shape_mismatch) << message(status);
    EXPECT_EQ(std::string(status.what), what);
    EXPECT_EQ(std::count(w.begin(), w.end(), -7.0F), 18);
    EXPECT_TRUE(std::none_of(p.begin(), p.end(), [](const PathPoint& point) { return point.l2 != 0; }));
  };
  for (const std::size_t points : {0U, 2U, 4U}) expect_shape("points", points, 3, 6);
  for (const std::size_t biases : {1U, 2U, 4U}) expect_shape("bias", 3, biases, 6);
  for (const std::size_t centres : {1U, 5U, 7U}) expect_shape("scaling", 3, 3, centres);
  const std::vector<std::int32_t> labels(202);
  expect_shape("labels", 3, 3, 6, [&](Batch& b) { b.labels = labels; });
  const std::vector<float> weights(204, 1);
  expect_shape("sample_weights", 3, 3, 6, [&](Batch& b) { b.sample_weights = weights; });
}

}  // namespace
}  // namespace lanemax::checks
