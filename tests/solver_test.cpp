// SPDX-License-Identifier: BSD-3-Clause
//
// lbfgs and newton: that they reach the optimum whatever guides them, stop when they should, and say what happened.
#include <lanemax/fit.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/plain_fit.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <limits>

namespace lanemax::checks {
namespace {

struct WideFit {
  Status status;
  std::vector<double> w, b;
  FitResult result;
};
WideFit run_wide(const Batch& data, const FitOptions& options, std::size_t rows, const FitScaling& scaling = {}) {
  WideFit f;
  f.w.assign(rows * data.features.features, 0);
  f.b.assign(rows, 0);
  f.status = fit(data, options, view_of(f.w, f.b), f.result, scaling);
  return f;
}

class SolverTest : public IsaTest {
 protected:
  [[nodiscard]] FitOptions options(Solver solver, double l2 = 0.01) const {
    FitOptions o;
    o.solver = solver;
    o.objective.l2 = l2;
    o.stopping.tolerance = 1e-10;
    o.execution.isa = GetParam();
    return o;
  }
  /// Classes that overlap, features of different scales with a mean.
  static reference::Problem problem(const Shape& shape, Loss loss = Loss::softmax) {
    Rng rng(171);
    reference::Problem p = make_learnable(rng, shape, loss == Loss::logistic);
    const std::size_t classes = loss == Loss::logistic ? 2 : shape.classes;
    for (std::size_t i = 0; i < p.x.size(); ++i) {
      p.x[i] = (p.x[i] - 5) / 4 * (i % p.features == 0 ? 20 : 1) + (i % p.features == 1 ? 3 : 0);
      p.x[i] = static_cast<double>(static_cast<float>(p.x[i]));
    }
    for (int& label : p.labels) {
      if (rng.below(4) == 0) label = static_cast<int>(rng.below(classes));
    }
    return p;
  }
};
INSTANTIATE_PER_ISA(SolverTest);

constexpr Solver kSolvers[] = {Solver::lbfgs, Solver::newton};
constexpr Preconditioner kKinds[] = {Preconditioner::none,   Preconditioner::diagonal, Preconditioner::gram,
                                     Preconditioner::blocks, Preconditioner::full,     Preconditioner::automatic};

TEST_P(SolverTest, EveryKindOfGuidanceReachesTheSameOptimum) {
  for (const Loss loss : {Loss::softmax, Loss::logistic}) {
    for (const Shape shape : {Shape{300, 6, 4}, Shape{500, 17, 3}, Shape{400, 5, 18}}) {
      if (loss == Loss::logistic && shape.classes != 4) continue;
      const reference::Problem p = problem(shape, loss);
      const ProblemArrays<double> arrays(p);
      const double best = plain_optimum(p, *options(Solver::lbfgs).objective.l2);
      for (const Solver solver : kSolvers) {
        for (const Preconditioner kind : kKinds) {
          if (solver == Solver::newton && kind != Preconditioner::full) continue;  // lbfgs, or the same
          FitOptions o = options(solver);
          o.objective.loss = loss;
          o.preconditioner = kind;
          // Without any, L-BFGS loses its way in rounding earlier: the features' scales differ.
          const bool blind = kind == Preconditioner::none;
          if (blind) o.stopping.tolerance = 1e-6;
          const WideFit f = run_wide(arrays.batch, o, p.classes);
          SCOPED_TRACE(text(name_of(loss), " ", name_of(solver), " ", name_of(kind), " ", shape.classes, " classes"));
          ASSERT_TRUE(f.status.ok()) << message(f.status);
          EXPECT_EQ(f.result.reason, StopReason::tolerance);
          EXPECT_TRUE(f.result.converged);
          EXPECT_LE(largest_gradient(solution_at(p, *o.objective.l2, f.w, f.b)), 1.01 * o.stopping.tolerance);
          if (kind != Preconditioner::automatic && kind != Preconditioner::blocks) {
            EXPECT_EQ(f.result.preconditioner, kind);
          }
          if (blind) continue;
          EXPECT_NEAR(f.result.objective, best, 1e-13);
          EXPECT_GE(f.result.gap_bound, 0);
          EXPECT_LE(f.result.gap_bound, 1e-7);
          if (loss != Loss::softmax) continue;
          for (std::size_t d = 0; d < p.features; ++d) {  // the penalty leaves no freedom
            double sum = 0;
            for (std::size_t c = 0; c < p.classes; ++c) sum += f.w[c * p.features + d];
            EXPECT_NEAR(sum, 0, 1e-10);
          }
        }
      }
    }
  }
}

// Newton's method runs where the whole Hessian costs little or is asked for; elsewhere newton is lbfgs, bit for bit.
TEST_P(SolverTest, NewtonRunsWhereTheWholeHessianIsSmall) {
  const auto expect = [&](const Shape& shape, Loss loss, Preconditioner kind, Solver runs) {
    SCOPED_TRACE(text(shape.rows, " x ", shape.features, " x ", shape.classes, ", ", name_of(kind)));
    const reference::Problem p = problem(shape, loss);
    const ProblemArrays<float> arrays(p);
    FitOptions o = options(Solver::newton);
    o.objective.loss = loss;
    o.preconditioner = kind;
    o.stopping.tolerance = 1e-7;
    o.stopping.max_iterations = 25;
    const WideFit f = run_wide(arrays.batch, o, p.classes);
    o.solver = Solver::lbfgs;
    const WideFit other = run_wide(arrays.batch, o, p.classes);
    ASSERT_TRUE(f.status.ok() && other.status.ok());
    EXPECT_EQ(f.result.solver, runs) << name_of(f.result.solver);
    EXPECT_EQ(other.result.solver, Solver::lbfgs);
    const bool direct = runs == Solver::newton;
    EXPECT_EQ(f.result.preconditioner, direct ? Preconditioner::full : other.result.preconditioner);
    EXPECT_EQ(same_bits(f.w, other.w) && same_bits(f.b, other.b), !direct);
    EXPECT_EQ(f.result.passes == other.result.passes, !direct);
  };
  expect({300, 6, 4}, Loss::softmax, Preconditioner::automatic, Solver::newton);
  expect({500, 17, 3}, Loss::softmax, Preconditioner::full, Solver::newton);
  expect({300, 6, 4}, Loss::softmax, Preconditioner::blocks, Solver::lbfgs);
  expect({500, 17, 3}, Loss::softmax, Preconditioner::automatic, Solver::lbfgs);
  expect({2000, 120, 10}, Loss::softmax, Preconditioner::automatic, Solver::lbfgs);
  // Of few rows, by the space in which the fit works.
  expect({5, 400, 1}, Loss::logistic, Preconditioner::automatic, Solver::newton);
  expect({60, 400, 3}, Loss::softmax, Preconditioner::automatic, Solver::lbfgs);
}

TEST_P(SolverTest, GuidanceSavesPasses) {
  const reference::Problem p = problem({2000, 40, 6});
  const ProblemArrays<float> arrays(p);
  const auto passes = [&](Preconditioner kind) {
    FitOptions o = options(Solver::lbfgs, 1e-4);
    o.preconditioner = kind;
    o.stopping.tolerance = 1e-8;
    const WideFit f = run_wide(arrays.batch, o, p.classes);
    EXPECT_EQ(f.result.reason, StopReason::tolerance) << name_of(kind);
    return f.result.passes;
  };
  EXPECT_LT(passes(Preconditioner::blocks), 0.5 * passes(Preconditioner::none));
  EXPECT_LT(passes(Preconditioner::gram), 0.7 * passes(Preconditioner::none));
}

TEST_P(SolverTest, SameBitsForAnyThreads) {
  for (const Shape shape : {Shape{3000, 40, 10}, Shape{900, 150, 40}}) {
    const reference::Problem p = problem(shape);
    const ProblemArrays<float> arrays(p);
    for (const Preconditioner kind :
         {Preconditioner::diagonal, Preconditioner::gram, Preconditioner::blocks, Preconditioner::full}) {
      const bool direct = kind == Preconditioner::full;
      if (direct && shape.classes > 10) continue;
      FitOptions o = options(direct ? Solver::newton : Solver::lbfgs);
      o.preconditioner = kind;
      o.stopping.tolerance = 1e-7;
      o.stopping.max_iterations = direct ? 4 : 30;
      const WideFit first = run_wide(arrays.batch, o, p.classes);
      ASSERT_TRUE(first.status.ok());
      for (const int threads : {2, 3, 4, 1}) {
        o.execution.threads = threads;
        const WideFit f = run_wide(arrays.batch, o, p.classes);
        SCOPED_TRACE(text(threads, " threads, ", name_of(kind)));
        EXPECT_TRUE(same_bits(f.w, first.w));
        EXPECT_TRUE(same_bits(f.b, first.b));
        EXPECT_TRUE(same_bits(f.result.objective, first.result.objective));
        EXPECT_TRUE(same_bits(f.result.gap_bound, first.result.gap_bound));
        EXPECT_EQ(f.result.iterations, first.result.iterations);
        EXPECT_EQ(f.result.passes, first.result.passes);
      }
    }
  }
}

TEST_P(SolverTest, WeightsActLikeRepeatedRows) {
  const reference::Problem p = problem({200, 5, 3});
  const ProblemArrays<double> arrays(p);
  std::vector<float> weights;
  std::vector<std::uint32_t> repeated;
  for (std::uint32_t i = 0; i < 200; ++i) {
    weights.push_back(static_cast<float>(i % 4));
    for (std::uint32_t k = 0; k < i % 4; ++k) repeated.push_back(i);
  }
  for (const Solver solver : kSolvers) {
    Batch weighted = arrays.batch, rows = arrays.batch;
    weighted.sample_weights = weights;
    rows.selection = repeated;
    const WideFit a = run_wide(weighted, options(solver), 3), b = run_wide(rows, options(solver), 3);
    EXPECT_NEAR(a.result.objective, b.result.objective, 1e-13);
    for (std::size_t i = 0; i < a.w.size(); ++i) EXPECT_NEAR(a.w[i], b.w[i], 1e-7);
  }
}

TEST_P(SolverTest, OneHotTargetsAreLabels) {
  const reference::Problem p = problem({200, 5, 3});
  const ProblemArrays<double> arrays(p);
  std::vector<float> targets(200 * 3);
  for (std::size_t i = 0; i < 200; ++i) targets[i * 3 + static_cast<std::size_t>(p.labels[i])] = 1;
  for (const Solver solver : kSolvers) {
    Batch soft = arrays.batch;
    soft.labels = {};
    soft.target_probabilities = {targets.data(), 200, 3};
    const WideFit a = run_wide(arrays.batch, options(solver), 3), b = run_wide(soft, options(solver), 3);
    EXPECT_NEAR(a.result.objective, b.result.objective, 1e-13);
    EXPECT_EQ(b.result.reason, StopReason::tolerance);
    EXPECT_LE(b.result.gap_bound, 1e-9);
  }
}

TEST_P(SolverTest, SmoothingReachesItsOptimum) {
  const reference::Problem p = problem({200, 5, 3});
  const ProblemArrays<double> arrays(p);
  std::vector<float> targets(200 * 3, 0.1f);
  for (std::size_t i = 0; i < 200; ++i) targets[i * 3 + static_cast<std::size_t>(p.labels[i])] = 0.8f;
  FitOptions smooth = options(Solver::lbfgs);
  smooth.objective.label_smoothing = 0.3;
  Batch soft = arrays.batch;
  soft.labels = {};
  soft.target_probabilities = {targets.data(), 200, 3};
  const WideFit a = run_wide(arrays.batch, smooth, 3), b = run_wide(soft, options(Solver::lbfgs), 3);
  EXPECT_NEAR(a.result.objective, b.result.objective, 1e-6);  // 0.1f is no tenth
  EXPECT_TRUE(a.result.converged);
  EXPECT_LE(a.result.gap_bound, 1e-9);
}

TEST_P(SolverTest, WarmStartBeginsWhereItIsTold) {
  const reference::Problem p = problem({300, 6, 4});
  const ProblemArrays<double> arrays(p);
  for (const Solver solver : kSolvers) {
    FitOptions o = options(solver);
    WideFit f = run_wide(arrays.batch, o, 4);
    o.warm_start = true;
    FitResult again;
    ASSERT_TRUE(fit(arrays.batch, o, view_of(f.w, f.b), again).ok());
    EXPECT_EQ(again.iterations, 0U);
    EXPECT_TRUE(again.converged);
    EXPECT_NEAR(again.objective, f.result.objective, 1e-14);
    // A class that is masked stays so, and is no class of the fit.
    f.b[2] = -std::numeric_limits<double>::infinity();
    std::vector<float> weights(300);
    for (std::size_t i = 0; i < 300; ++i) weights[i] = p.labels[i] == 2 ? 0.0f : 1.0f;
    Batch three = arrays.batch;
    three.sample_weights = weights;
    ASSERT_TRUE(fit(three, o, view_of(f.w, f.b), again).ok());
    EXPECT_TRUE(again.converged) << name_of(again.reason);
    EXPECT_TRUE(std::isinf(f.b[2]));
    EXPECT_LE(again.gap_bound, 1e-8);
  }
}

TEST_P(SolverTest, StandardisingIsScalingBeforehand) {
  reference::Problem p = problem({250, 6, 3});
  for (std::size_t i = 0; i < p.x.size(); ++i) {
    if (i % 6 == 4) p.x[i] = 7;  // a constant column
  }
  const ProblemArrays<double> raw(p);
  reference::Problem scaled = p;
  std::vector<double> mean(6), deviation(6);
  for (std::size_t d = 0; d < 6; ++d) {
    for (std::size_t i = 0; i < 250; ++i) mean[d] += p.x[i * 6 + d] / 250;
    for (std::size_t i = 0; i < 250; ++i) deviation[d] += std::pow(p.x[i * 6 + d] - mean[d], 2) / 250;
    deviation[d] = d == 4 ? 1 : std::sqrt(deviation[d]);
    for (std::size_t i = 0; i < 250; ++i) scaled.x[i * 6 + d] = (p.x[i * 6 + d] - mean[d]) / deviation[d];
  }
  const ProblemArrays<double> beforehand(scaled);
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::momentum}) {
    FitOptions o = options(solver, 0.02);
    if (solver == Solver::momentum) o.mini_batches.epochs = 30;
    const WideFit want = run_wide(beforehand.batch, o, 3);
    o.standardise = true;
    std::vector<double> centre(6);
    std::vector<float> factor(6);
    const WideFit got = run_wide(raw.batch, o, 3, {.centre_used = centre, .factor_used = factor});
    SCOPED_TRACE(name_of(solver));
    ASSERT_TRUE(got.status.ok()) << message(got.status);
    const bool exact = solver != Solver::momentum;
    EXPECT_NEAR(got.result.objective, want.result.objective, exact ? 1e-13 : 1e-6);
    for (std::size_t c = 0; c < 3; ++c) {
      double shift = 0;
      for (std::size_t d = 0; d < 6; ++d) {
        const double w = got.w[c * 6 + d] * deviation[d];
        shift += got.w[c * 6 + d] * mean[d];
        EXPECT_NEAR(w, want.w[c * 6 + d], exact ? 1e-8 : 1e-3);
      }
      EXPECT_NEAR(got.b[c] + shift, want.b[c], exact ? 1e-8 : 1e-3);
    }
    for (std::size_t d = 0; d < 6; ++d) {
      EXPECT_NEAR(centre[d], mean[d], 1e-12);
      EXPECT_FLOAT_EQ(factor[d], static_cast<float>(1 / deviation[d]));
    }
  }
}

TEST_P(SolverTest, WeightsAreForRawFeatures) {
  const reference::Problem p = problem({250, 6, 3});
  const ProblemArrays<double> arrays(p);
  const std::vector<double> centre(6, 1.5);
  const std::vector<float> factor(6, 0.25f);
  Batch scaled = arrays.batch;
  scaled.scaling = {centre, factor};
  reference::Problem beforehand = p;
  for (double& x : beforehand.x) x = (x - 1.5) * 0.25;
  const ProblemArrays<double> plain_arrays(beforehand);
  const FitOptions o = options(Solver::lbfgs);
  const WideFit plain = run_wide(plain_arrays.batch, o, 3), folded = run_wide(scaled, o, 3);
  EXPECT_NEAR(folded.result.objective, plain.result.objective, 1e-14);
  for (std::size_t c = 0; c < 3; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < 6; ++d) {
      EXPECT_NEAR(folded.w[c * 6 + d], plain.w[c * 6 + d] * 0.25, 1e-13);
      shift += folded.w[c * 6 + d] * 1.5;
    }
    EXPECT_NEAR(folded.b[c], plain.b[c] - shift, 1e-13);
  }
}

// ---- why it stops ----

TEST_P(SolverTest, StopsWhenItShould) {
  const reference::Problem p = problem({300, 6, 4});
  const ProblemArrays<float> arrays(p);
  for (const Solver solver : kSolvers) {
    SCOPED_TRACE(name_of(solver));
    FitOptions o = options(solver);
    o.stopping.max_iterations = 3;
    WideFit f = run_wide(arrays.batch, o, 4);
    EXPECT_EQ(f.result.reason, StopReason::max_iterations);
    EXPECT_EQ(f.result.iterations, 3U);
    EXPECT_FALSE(f.result.converged);
    EXPECT_GT(f.result.gap_bound, 0);

    o = options(solver);
    o.stopping.tolerance = 0;  // never: until the numbers give no more
    f = run_wide(arrays.batch, o, 4);
    EXPECT_EQ(f.result.reason, StopReason::no_progress);
    EXPECT_LE(f.result.gradient_norm, 1e-12);
    EXPECT_FALSE(f.result.converged);

    o = options(solver);
    o.stopping.time_limit = 1e-9;
    f = run_wide(arrays.batch, o, 4);
    EXPECT_EQ(f.result.reason, StopReason::time_limit);
    EXPECT_EQ(f.result.iterations, 0U);
    EXPECT_LE(f.result.objective, std::log(4.0) + 1e-12);

    o = options(solver);
    Recorder recorder;
    recorder.watch(o);
    recorder.stop_after = 4;
    f = run_wide(arrays.batch, o, 4);
    EXPECT_EQ(f.result.reason, StopReason::interrupted);
    ASSERT_EQ(recorder.seen.size(), 4U);
    EXPECT_EQ(f.result.iterations, 4U);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(recorder.seen[i].iterations, i + 1);
      EXPECT_EQ(recorder.seen[i].l2, 0.01);
      EXPECT_GT(recorder.seen[i].gradient_norm, 0);
      if (i > 0) {
        EXPECT_LT(recorder.seen[i].objective, recorder.seen[i - 1].objective);
      }
    }

    o = options(solver);
    std::size_t calls = 0;
    o.user = &calls;
    o.cancelled = [](void* user) noexcept { return ++*static_cast<std::size_t*>(user) > 2; };
    f = run_wide(arrays.batch, o, 4);
    EXPECT_EQ(f.result.reason, StopReason::interrupted);
    EXPECT_LT(f.result.objective, std::log(4.0));
  }
}

TEST_P(SolverTest, StopsEarlyAndReturnsTheBestWeights) {
  const reference::Problem p = problem({40, 30, 3}), other = problem({400, 30, 3});
  const ProblemArrays<float> arrays(p), unseen(other);
  for (const Solver solver : kSolvers) {
    FitOptions o = options(solver, 0);
    o.validation = &unseen.batch;
    o.stopping.early_stopping = 2;
    Recorder recorder;
    recorder.watch(o);
    const WideFit f = run_wide(arrays.batch, o, 3);
    ASSERT_TRUE(f.status.ok());
    ASSERT_EQ(f.result.reason, StopReason::early_stopping) << name_of(f.result.reason);
    double least = std::numeric_limits<double>::infinity();
    for (const FitProgress& seen : recorder.seen) least = std::min(least, seen.validation_loss);
    EXPECT_NEAR(static_cast<double>(solution_at(other, 0, f.w, f.b).data_loss.value), least, 1e-5 * least);
  }
}

TEST_P(SolverTest, SeparableDataWithoutPenaltyEnds) {
  Rng rng(172);
  const reference::Problem p = make_learnable(rng, {60, 8, 3});
  const ProblemArrays<float> arrays(p);
  for (const Solver solver : kSolvers) {
    FitOptions o = options(solver, 0);
    o.stopping.tolerance = 1e-5;
    const WideFit f = run_wide(arrays.batch, o, 3);
    ASSERT_TRUE(f.status.ok()) << message(f.status);
    EXPECT_EQ(f.result.reason, StopReason::tolerance);
    EXPECT_LT(f.result.objective, 1e-3);
    EXPECT_TRUE(std::isnan(f.result.gap_bound));
  }
}

TEST_P(SolverTest, ExtremeScalesEnd) {
  for (const double scale : {1e-30, 1e-6, 1e6, 1e15, 1e29}) {
    reference::Problem p = problem({100, 4, 3});
    for (std::size_t i = 0; i < p.x.size(); ++i) p.x[i] *= i % 4 == 0 ? 0.1 : scale;
    const ProblemArrays<float> arrays(p);
    for (const Solver solver : kSolvers) {
      const Fitted f = run_fit(arrays.batch, options(solver), 3);
      SCOPED_TRACE(text(name_of(solver), " ", scale, " ", message(f.status)));
      ASSERT_TRUE(f.status.ok() || f.status.code == StatusCode::diverged);
      for (const float w : f.w) ASSERT_TRUE(std::isfinite(w));
      EXPECT_LE(f.result.objective, std::log(3.0) + 1e-9);
    }
  }
}

// Sums of f32 overflow, those of f64 do not. (Small problems are f64 from the start.)
TEST_P(SolverTest, WhatF32CannotHoldF64Does) {
  const reference::Problem p = problem({2000, 60, 50});
  const ProblemArrays<float> arrays(p);
  const std::vector<float> heavy(p.rows, 1e37F);
  std::vector<std::uint32_t> backwards;
  for (std::size_t i = p.rows; i-- > 0;) backwards.push_back(static_cast<std::uint32_t>(i));
  for (const Solver solver : kSolvers) {
    SCOPED_TRACE(name_of(solver));
    FitOptions o = options(solver);
    o.stopping.tolerance = 1e-8;
    const WideFit usual = run_wide(arrays.batch, o, p.classes);
    Batch weighted = arrays.batch;
    weighted.sample_weights = heavy;
    o.validation = &weighted;
    for (const bool reverse : {false, true}) {
      if (reverse) weighted.selection = backwards;
      const WideFit f = run_wide(weighted, o, p.classes);
      ASSERT_TRUE(f.status.ok()) << message(f.status);
      EXPECT_EQ(f.result.reason, StopReason::tolerance);
      EXPECT_NEAR(f.result.objective, usual.result.objective, 1e-11);
    }
  }
}

TEST_P(SolverTest, OddShapes) {
  Rng rng(173);
  for (const Shape shape : {Shape{1, 3, 2}, Shape{5, 1, 3}, Shape{3, 40, 2}, Shape{7, 2, 100}, Shape{6, 4, 1},
                            Shape{40, 1, 1009}, Shape{64, 64, 16}, Shape{65, 63, 17}}) {
    const reference::Problem p = make_learnable(rng, shape);
    const ProblemArrays<float> arrays(p);
    for (const Solver solver : kSolvers) {
      FitOptions o = options(solver);
      o.stopping.tolerance = 1e-6;
      const Fitted f = run_fit(arrays.batch, o, p.classes);
      SCOPED_TRACE(text(name_of(solver), " ", shape.rows, " x ", shape.features, " x ", shape.classes));
      ASSERT_TRUE(f.status.ok()) << message(f.status);
      EXPECT_TRUE(f.result.converged) << name_of(f.result.reason) << f.result.gradient_norm;
    }
  }
}

TEST_P(SolverTest, AutomaticChoosesByTheLoss) {
  const reference::Problem p = problem({60, 5, 3});
  const ProblemArrays<float> arrays(p);
  FitOptions o = options(Solver::automatic);
  EXPECT_EQ(run_fit(arrays.batch, o, 3).result.solver, Solver::lbfgs);
  o.objective.loss = Loss::hinge;
  EXPECT_EQ(run_fit(arrays.batch, o, 3).result.solver, Solver::momentum);
  o.mini_batches.epochs = 1;
  const Fitted hinge = run_fit(arrays.batch, o, 3);
  EXPECT_EQ(hinge.result.solver, Solver::momentum);
  EXPECT_TRUE(std::isnan(hinge.result.gap_bound));
}

// Whatever is only for mini-batches asks for them.
TEST_P(SolverTest, AutomaticChoosesByWhatIsSet) {
  const reference::Problem p = problem({60, 5, 3});
  const ProblemArrays<float> arrays(p);
  const auto expect_momentum = [&](const MiniBatches& mini_batches) {
    FitOptions o = options(Solver::automatic);
    o.mini_batches = mini_batches;
    const Fitted f = run_fit(arrays.batch, o, 3);
    ASSERT_TRUE(f.status.ok()) << message(f.status);
    EXPECT_EQ(f.result.solver, Solver::momentum);
  };
  expect_momentum({.epochs = 2});
  expect_momentum({.batch_size = 16});
  expect_momentum({.learning_rate = 0.001});
  expect_momentum({.schedule = Schedule::cosine});
  expect_momentum({.momentum = 0.5});
}

TEST_P(SolverTest, AnUnsetPenaltyIsOneOverTheWeight) {
  const reference::Problem p = problem({60, 5, 3});
  const ProblemArrays<float> arrays(p);
  std::vector<float> weights(60, 0.5F);
  weights[7] = 0;
  weights[8] = 2.5F;
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::momentum}) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(text(name_of(solver), weighted ? " weighted" : ""));
      Batch batch = arrays.batch;
      if (weighted) batch.sample_weights = weights;
      FitOptions o = options(solver);
      o.objective.l2.reset();
      const WideFit unset = run_wide(batch, o, 3);
      const double want = 1 / (weighted ? 58 * 0.5 + 2.5 : 60.0);
      EXPECT_EQ(unset.result.l2, want);
      o.objective.l2 = want;
      const WideFit set = run_wide(batch, o, 3);
      EXPECT_EQ(set.result.l2, want);
      EXPECT_TRUE(same_bits(unset.w, set.w) && same_bits(unset.b, set.b));
      o.objective.l2 = 0;
      EXPECT_EQ(run_wide(batch, o, 3).result.l2, 0);
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
