// SPDX-License-Identifier: BSD-3-Clause
//
// A fit does not mind where 0 is nor what the unit is: values large beside their spread, very large ones, tiny ones.
#include <lanemax/fit_path.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <limits>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 240, kFeatures = 5, kClasses = 3;
constexpr double kLost = 1e-7;  // of the objective: what rounding may cost unsaid

template <class T>
struct Trained {
  Status status;
  std::vector<T> w, b;
  std::vector<double> centre = std::vector<double>(kFeatures, kUntouched);
  FitResult result;

  Trained(const Batch& data, const FitOptions& options, bool with_place, std::size_t rows = kClasses)
      : w(rows * data.features.features), b(rows) {
    FitScaling scaling;
    if (with_place) scaling.model_centre = centre;
    status = fit(data, options, view_of(w, b), result, scaling);
    EXPECT_TRUE(status.ok()) << message(status);
  }
  [[nodiscard]] bool centre_untouched() const {
    return std::all_of(centre.begin(), centre.end(), [](double c) { return c == kUntouched; });
  }
};

/// Features of one type, to be moved and stretched, and labels.
template <class X>
struct Data {
  std::vector<X> x;
  std::vector<std::int32_t> labels;
  Batch batch;

  /// Classes that overlap; quarters from -5/4 to 5/4.
  explicit Data(Loss loss = Loss::softmax, std::size_t rows = kRows) {
    Rng rng(311);
    const reference::Problem p = make_learnable(rng, {rows, kFeatures, kClasses}, loss == Loss::logistic);
    for (const double v : p.x) x.push_back(static_cast<X>((v - 5) / 4));
    labels.assign(p.labels.begin(), p.labels.end());
    for (std::int32_t& label : labels) {
      if (rng.below(4) == 0) label = static_cast<std::int32_t>(rng.below(loss == Loss::logistic ? 2 : kClasses));
    }
    batch.features = {x.data(), rows, kFeatures};
    batch.labels = labels;
  }
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;

  void move(std::size_t column, double by) {
    for (std::size_t i = column; i < x.size(); i += kFeatures) x[i] = static_cast<X>(static_cast<double>(x[i]) + by);
  }
  void stretch(std::size_t column, int exponent) {
    for (std::size_t i = column; i < x.size(); i += kFeatures) x[i] = std::ldexp(x[i], exponent);
  }
  void set(std::size_t column, double value) {
    for (std::size_t i = column; i < x.size(); i += kFeatures) x[i] = static_cast<X>(value);
  }
};

class FarFromZeroTest : public IsaTest {
 protected:
  [[nodiscard]] FitOptions options(bool standardise, double l2 = 0.01) const {
    FitOptions o;
    o.objective.l2 = l2;
    o.stopping.tolerance = 1e-8;
    o.standardise = standardise;
    o.execution.isa = GetParam();
    return o;
  }
  /// The mean loss at these weights of x - centre.
  template <class X, class T>
  [[nodiscard]] static double data_loss(const Data<X>& data, const Trained<T>& run, Loss loss = Loss::softmax) {
    reference::Problem p;
    p.loss = loss == Loss::logistic ? reference::Loss::logistic : reference::Loss::softmax;
    p.rows = data.labels.size();
    p.features = kFeatures;
    p.classes = run.b.size();
    p.labels.assign(data.labels.begin(), data.labels.end());
    for (std::size_t i = 0; i < data.x.size(); ++i) {
      p.x.push_back(static_cast<double>(data.x[i]) - (run.result.centred ? run.centre[i % kFeatures] : 0));
    }
    return static_cast<double>(solution_at(p, 0, run.w, run.b).data_loss.value);
  }
};
INSTANTIATE_PER_ISA(FarFromZeroTest);

void move_columns(Data<double>& data) {
  data.move(1, 1700000000);
  data.move(2, 20180131);
  data.move(4, -3);
}

TEST_P(FarFromZeroTest, TheOptimumDoesNotMove) {
  for (const Loss loss : {Loss::softmax, Loss::logistic}) {
    for (const bool standardise : {false, true}) {
      for (const Solver solver : {Solver::lbfgs, Solver::newton}) {
        SCOPED_TRACE(text(name_of(loss), " ", name_of(solver), standardise ? " standardised" : ""));
        const std::size_t rows = loss == Loss::logistic ? 1 : kClasses;
        const Data<double> near(loss);
        Data<double> far(loss);
        move_columns(far);
        FitOptions o = options(standardise);
        o.objective.loss = loss;
        o.solver = solver;
        const Trained<double> want(near.batch, o, false, rows), wide(far.batch, o, false, rows);
        EXPECT_TRUE(wide.result.converged);
        EXPECT_EQ(wide.result.rounded_feature, -1);
        EXPECT_NEAR(wide.result.objective, want.result.objective, 1e-9);

        // Weights around the centre keep all of it.
        const Trained<float> around(far.batch, o, true, rows);
        EXPECT_TRUE(around.result.centred);
        EXPECT_TRUE(around.result.converged);
        EXPECT_EQ(around.result.rounded_feature, -1);
        EXPECT_NEAR(around.result.objective, want.result.objective, kLost * want.result.objective);
        EXPECT_NEAR(data_loss(far, around, loss), around.result.data_loss, 1e-12);
        EXPECT_NEAR(around.centre[1], 1700000000, 4);
        EXPECT_NEAR(around.centre[2], 20180131, 4);
        if (!standardise) {
          EXPECT_EQ(around.centre[0], 0);
          EXPECT_EQ(around.centre[4], 0);
        }

        // Weights for raw features cannot, and say so.
        const Trained<float> folded(far.batch, o, false, rows);
        EXPECT_FALSE(folded.result.centred);
        EXPECT_FALSE(folded.result.converged);
        EXPECT_EQ(folded.result.rounded_feature, 1);
        EXPECT_EQ(folded.result.reason, StopReason::tolerance);
        EXPECT_NEAR(data_loss(far, folded, loss), folded.result.data_loss, 1e-6);
        EXPECT_GT(folded.result.objective, (1 + kLost) * want.result.objective);
        EXPECT_GE(folded.result.rounding_cost, folded.result.objective - want.result.objective - 1e-12);
      }
    }
  }
}

// What the cheap bound says is no less than what rounding costs, and not much more where it costs little.
TEST_P(FarFromZeroTest, RoundingCostsWhatItIsSaidTo) {
  for (double by = 100; by < 1e8; by *= 10) {
    Data<double> data;
    for (std::size_t d = 0; d < kFeatures; ++d) data.move(d, by);
    const Trained<float> run(data.batch, options(true), false);
    const Trained<double> want(data.batch, options(true), false);
    const double cost = run.result.objective - want.result.objective;
    SCOPED_TRACE(text(by, ": ", cost));
    EXPECT_GE(run.result.rounding_cost, cost - 1e-13);
    EXPECT_LE(run.result.rounding_cost, 2.5 * cost + 1e-11);
    EXPECT_EQ(run.result.rounded_feature >= 0, run.result.rounding_cost > kLost * run.result.objective);
    if (run.result.rounded_feature >= 0) {
      EXPECT_FALSE(run.result.converged);
    }
  }
}

TEST_P(FarFromZeroTest, OrdinaryFeaturesAreLeftAlone) {
  for (const bool standardise : {false, true}) {
    Data<float> data;
    data.move(1, 50);
    data.set(2, 1);
    FitOptions o = options(standardise);
    const Trained<float> run(data.batch, o, true), without(data.batch, o, false);
    EXPECT_TRUE(run.result.converged);
    EXPECT_FALSE(run.result.centred);
    EXPECT_TRUE(run.centre_untouched());
    EXPECT_EQ(run.result.rounded_feature, -1);
    EXPECT_TRUE(same_bits(run.w, without.w));
    EXPECT_TRUE(same_bits(run.b, without.b));
    EXPECT_NEAR(data_loss(data, run), run.result.data_loss, 1e-10);
  }
}

TEST_P(FarFromZeroTest, FloatsAndBytesToo) {
  Data<float> floats;  // exact: quarters up to 2^20
  floats.move(3, 1 << 20);
  for (const bool standardise : {false, true}) {
    const Data<double> near;
    const Trained<double> want(near.batch, options(standardise), false);
    const Trained<float> around(floats.batch, options(standardise), true),
        folded(floats.batch, options(standardise), false);
    EXPECT_TRUE(around.result.centred);
    EXPECT_TRUE(around.result.converged);
    EXPECT_NEAR(around.result.objective, want.result.objective, kLost * want.result.objective);
    EXPECT_EQ(folded.result.rounded_feature, 3);
    EXPECT_FALSE(folded.result.converged);
  }
  // Nearly constant: 249 or 250, rarely.
  std::vector<std::uint8_t> bytes;
  const Data<float> labelled(Loss::softmax, 5000);
  for (std::size_t i = 0; i < labelled.x.size(); ++i) {
    const float value = i % kFeatures != 2 ? 4 * labelled.x[i] + 20 : i / kFeatures % 100 == 7 ? 250 : 249;
    bytes.push_back(static_cast<std::uint8_t>(value));
  }
  Batch batch = labelled.batch;
  batch.features = {bytes.data(), 5000, kFeatures};
  const Trained<float> run(batch, options(false, 1e-6), true);
  EXPECT_TRUE(run.result.converged);
  EXPECT_LE(run.result.gap_bound, 1e-7);
}

TEST_P(FarFromZeroTest, PathsMiniBatchesAndValidation) {
  const Data<double> near;
  Data<double> far;
  move_columns(far);
  for (const bool standardise : {false, true}) {
    const double penalties[] = {0.1, 0.01};
    PathOptions o;
    o.fit = options(standardise);
    o.fit.objective.l2.reset();
    o.l2 = penalties;
    o.folds = 3;
    std::vector<double> centre(kFeatures, kUntouched);
    std::vector<PathPoint> points(2), expected(2);
    std::vector<float> w(kClasses * kFeatures), b(kClasses);
    PathResult path, want;
    ASSERT_TRUE(fit_path(near.batch, o, expected, view_of(w, b), want).ok());
    EXPECT_FALSE(want.fit.centred);
    ASSERT_TRUE(fit_path(far.batch, o, points, view_of(w, b), path, {.scaling = {.model_centre = centre}}).ok());
    EXPECT_TRUE(path.fit.centred);
    EXPECT_NEAR(centre[1], 1700000000, 4);
    EXPECT_NEAR(path.fit.objective, want.fit.objective, kLost);
    EXPECT_TRUE(path.fit.converged);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(points[i].held_out_loss, expected[i].held_out_loss, 1e-5);
  }
  for (const Solver solver : {Solver::lbfgs, Solver::momentum, Solver::adam}) {
    for (const bool standardise : {false, true}) {
      FitOptions o = options(standardise);
      o.solver = solver;
      if (solver != Solver::lbfgs) o.mini_batches.epochs = 60;
      if (solver == Solver::adam) o.mini_batches.learning_rate = 0.05;
      const Trained<double> best(near.batch, options(standardise), false);
      Recorder recorder;
      recorder.watch(o);
      o.validation = &far.batch;
      const Trained<float> run(far.batch, o, true);
      SCOPED_TRACE(text(name_of(solver), standardise ? " standardised" : ""));
      EXPECT_TRUE(run.result.centred);
      EXPECT_LT(run.result.objective, best.result.objective + 0.03);
      ASSERT_FALSE(recorder.seen.empty());
      EXPECT_NEAR(recorder.seen.back().validation_loss, run.result.data_loss, 1e-4);
    }
  }
  // Rows that are scaled in a way of their own follow.
  std::vector<double> shift(kFeatures);
  shift[1] = 1700000000;
  shift[2] = 20180131;
  shift[4] = -3;
  const std::vector<float> half(kFeatures, 0.5F), twice(kFeatures, 2);
  Batch scaled = far.batch, other = near.batch;
  std::vector<double> quarter;
  for (const double v : near.x) quarter.push_back(v / 4);
  scaled.scaling.factor = half;
  // The same scaled values: (x + shift) / 2 = (x / 4 - (-shift / 4)) * 2.
  other.features = {quarter.data(), kRows, kFeatures};
  for (double& s : shift) s /= -4;
  other.scaling = {shift, twice};
  FitOptions o = options(false);
  Recorder recorder;
  recorder.watch(o);
  o.validation = &other;
  const Trained<float> run(scaled, o, true);
  EXPECT_TRUE(run.result.centred);
  EXPECT_NEAR(recorder.seen.back().validation_loss, run.result.data_loss, 1e-5);
}

TEST_P(FarFromZeroTest, SameBitsForAnyThreads) {
  Data<double> far(Loss::softmax, 6000);
  move_columns(far);
  for (const bool standardise : {false, true}) {
    FitOptions o = options(standardise);
    const Trained<float> one(far.batch, o, true);
    EXPECT_TRUE(one.result.centred);
    for (const int threads : {2, 3, 4}) {
      o.execution.threads = threads;
      const Trained<float> more(far.batch, o, true);
      EXPECT_TRUE(same_bits(one.w, more.w) && same_bits(one.b, more.b) && same_bits(one.centre, more.centre));
      EXPECT_TRUE(same_bits(one.result.rounding_cost, more.result.rounding_cost));
    }
  }
}

// ---- units ----

template <class X>
void expect_scale_free(const FitOptions& o) {
  Data<X> plain;
  for (std::size_t d = 0; d < kFeatures; ++d) plain.move(d, 6);  // away from 0: all of it within 1e-30..1e30
  const Trained<float> want(plain.batch, o, true);
  ASSERT_EQ(want.result.rounded_feature, -1);
  for (const int step : {-99, -70, -3, 1, 50, 94}) {
    Data<X> data;
    int exponents[kFeatures];
    for (std::size_t d = 0; d < kFeatures; ++d) {
      data.move(d, 6);
      exponents[d] = d % 2 == 0 ? step : -step / 2;
      data.stretch(d, exponents[d]);
    }
    SCOPED_TRACE(step);
    const Trained<float> run(data.batch, o, true);
    EXPECT_TRUE(same_bits(run.result.objective, want.result.objective)) << run.result.objective;
    EXPECT_TRUE(same_bits(run.result.gradient_norm, want.result.gradient_norm));
    EXPECT_EQ(run.result.iterations, want.result.iterations);
    EXPECT_TRUE(same_bits(run.b, want.b));
    for (std::size_t i = 0; i < run.w.size(); ++i) {
      EXPECT_TRUE(same_bits(run.w[i], std::ldexp(want.w[i], -exponents[i % kFeatures]))) << i;
    }
  }
}

TEST_P(FarFromZeroTest, StandardisedFitsHaveNoUnit) {
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::momentum}) {
    FitOptions o = options(true);
    o.solver = solver;
    if (solver == Solver::momentum) o.mini_batches.epochs = 10;
    expect_scale_free<float>(o);
    expect_scale_free<double>(o);
  }
}

// The optimum for a column of another unit is that of the plain one with another penalty.
TEST_P(FarFromZeroTest, RawFitsReachTheOptimumInAnyUnit) {
  for (const Solver solver : {Solver::lbfgs, Solver::newton}) {
    for (const double l2 : {0.0, 0.01}) {
      FitOptions o = options(false, l2);
      o.solver = solver;
      for (const int exponent : {-96, -60, -45, 45, 60, 94}) {
        for (const std::size_t columns : {std::size_t{1}, kFeatures}) {
          SCOPED_TRACE(text(name_of(solver), ", l2 ", l2, ", 2^", exponent, ", ", columns));
          Data<float> plain, data;
          for (std::size_t d = 0; d < columns; ++d) data.stretch(d, exponent);
          // Large ones are as good as not penalised, tiny ones with a penalty as good as not there.
          Data<double> like;
          FitOptions same = o;
          if (l2 > 0 && exponent > 0) {
            for (std::size_t d = 0; d < columns; ++d) like.stretch(d, 25);
          }
          if (l2 > 0 && exponent < 0) {
            for (std::size_t d = 0; d < columns; ++d) like.set(d, 0);
          }
          if (l2 > 0) same.stopping.tolerance = 1e-5;
          const Trained<double> want(like.batch, same, false);
          const Trained<float> run(data.batch, o, true);
          EXPECT_TRUE(run.result.converged) << name_of(run.result.reason);
          EXPECT_NEAR(run.result.objective, want.result.objective, 1e-7);
          EXPECT_NEAR(data_loss(data, run), run.result.data_loss, 1e-9);
          EXPECT_FALSE(run.result.centred);
        }
      }
    }
  }
}

TEST_P(FarFromZeroTest, FarAndHugeAtOnce) {
  Data<double> data;  // nanoseconds since 1970
  data.stretch(1, 30);
  data.move(1, 1.7e18);
  const Data<double> near;
  const Trained<double> want(near.batch, options(true), false);
  const Trained<float> run(data.batch, options(true), true), raw(data.batch, options(false), true);
  EXPECT_TRUE(run.result.centred);
  EXPECT_TRUE(run.result.converged);
  EXPECT_NEAR(run.result.objective, want.result.objective, 1e-6);  // 1.7e18 is given in steps of 256
  EXPECT_TRUE(raw.result.centred);
  EXPECT_TRUE(raw.result.converged) << name_of(raw.result.reason);
}

// ---- what is refused ----

TEST_P(FarFromZeroTest, ColumnsBeyondF32AreNamed) {
  const auto expect_named = [](const Batch& batch, const FitOptions& o, std::int64_t column) {
    std::vector<float> w(kClasses * kFeatures, 7), b(kClasses, 7);
    FitResult result;
    const Status status = fit(batch, o, view_of(w, b), result);
    EXPECT_EQ(lanemax::name_of(status.code), std::string("out_of_range")) << message(status);
    EXPECT_EQ(status.column, column) << message(status);
    EXPECT_EQ(std::string(status.what), "features");
    EXPECT_TRUE(std::all_of(w.begin(), w.end(), [](float v) { return v == 7; }));
    EXPECT_EQ(result.iterations, 0U);
  };
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::sgd}) {
    for (const bool standardise : {false, true}) {
      FitOptions o = options(standardise);
      o.solver = solver;
      SCOPED_TRACE(text(name_of(solver), standardise ? " standardised" : ""));
      for (const int exponent : {-110, -130, 102, 120}) {
        Data<float> data;
        data.stretch(3, exponent);
        if (solver != Solver::sgd || standardise || exponent > 0) expect_named(data.batch, o, 3);
      }
      Data<double> wide;
      wide.stretch(2, 900);
      expect_named(wide.batch, o, 2);
      // One value of many, which no sample meets.
      Data<float> one(Loss::softmax, 5000);
      one.x[777 * kFeatures + 4] = 3e36F;
      expect_named(one.batch, o, 4);
      // Constant columns of any size do no harm.
      Data<float> constant;
      constant.set(3, 1e35);
      constant.set(4, -1e-35);
      Data<float> zero;
      zero.set(3, 0);
      zero.set(4, 0);
      if (solver == Solver::sgd) o.mini_batches.epochs = 300;
      const Trained<float> run(constant.batch, o, true);
      const Trained<double> want(zero.batch, options(standardise), false);
      EXPECT_NEAR(run.result.objective, want.result.objective, solver == Solver::sgd ? 1e-3 : 1e-7);
    }
  }
  // A spread that f32 has no inverse of.
  Data<double> narrow;
  narrow.stretch(1, -135);
  narrow.move(1, 1e-29);
  expect_named(narrow.batch, options(true), 1);
  // Mini-batches have one penalty for all.
  Data<float> large;
  large.stretch(1, 54);
  FitOptions o = options(false);
  o.solver = Solver::momentum;
  expect_named(large.batch, o, 1);
}

}  // namespace
}  // namespace lanemax::checks
