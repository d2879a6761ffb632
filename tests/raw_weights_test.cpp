// SPDX-License-Identifier: BSD-3-Clause
//
// Whatever trains hands out weights for raw features, however the batch is scaled; and takes such.
#include <lanemax/fit_path.hpp>
#include <lanemax/model.hpp>
#include <lanemax/predictor.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cmath>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 400, kFeatures = 6, kClasses = 3;

/// Bytes, scaled into [0, 1].
class RawWeightsTest : public IsaTest {
 protected:
  RawWeightsTest() : factor_(kFeatures, 1.0F / 255.0F) {
    Rng rng(331);
    const reference::Problem p = make_learnable(rng, {kRows, kFeatures, kClasses});
    for (const double v : p.x) bytes_.push_back(static_cast<std::uint8_t>(20 * v + 50));
    labels_.assign(p.labels.begin(), p.labels.end());
    for (std::int32_t& label : labels_) {
      if (rng.below(4) == 0) label = static_cast<std::int32_t>(rng.below(kClasses));
    }
    batch_.features = {bytes_.data(), kRows, kFeatures};
    batch_.labels = labels_;
    batch_.scaling.factor = factor_;
    for (std::size_t d = 0; d < kFeatures; ++d) centre_.push_back(80 + 5.5 * static_cast<double>(d));
  }
  [[nodiscard]] FitOptions options(Solver solver) const {
    FitOptions o;
    o.solver = solver;
    o.objective.l2 = 0.001;
    o.execution.isa = GetParam();
    return o;
  }
  /// What a model of these weights makes of the raw bytes.
  [[nodiscard]] double served_loss(const std::vector<float>& w, const std::vector<float>& b) const {
    Model model;
    model.features = kFeatures;
    model.weight = w;
    model.bias = b;
    model.class_labels = {"a", "b", "c"};
    Predictor predictor;
    EXPECT_TRUE(Predictor::create(model, GetParam(), predictor).ok());
    std::vector<float> probabilities(kRows * kClasses);
    Predictions out;
    out.probabilities = {probabilities.data(), kRows, kClasses};
    Scratch scratch;
    EXPECT_TRUE(predictor.predict_batch(batch_.features, 1, scratch(predictor.batch_workspace_bytes(1)), out).ok());
    double sum = 0;
    for (std::size_t i = 0; i < kRows; ++i) {
      sum -= std::log(static_cast<double>(probabilities[i * kClasses + static_cast<std::size_t>(labels_[i])]));
    }
    return sum / static_cast<double>(kRows);
  }

  std::vector<std::uint8_t> bytes_;
  std::vector<std::int32_t> labels_;
  std::vector<double> centre_;
  std::vector<float> factor_;
  Batch batch_;
};
INSTANTIATE_PER_ISA(RawWeightsTest);

TEST_P(RawWeightsTest, AModelServesWhatWasTrained) {
  for (const bool centres : {false, true}) {
    Batch data = batch_;
    if (centres) data.scaling.centre = centre_;
    for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::momentum}) {
      const Fitted f = run_fit(data, options(solver), kClasses);
      ASSERT_TRUE(f.status.ok()) << message(f.status);
      EXPECT_LT(f.result.data_loss, 0.9);
      EXPECT_NEAR(served_loss(f.w, f.b), f.result.data_loss, 1e-5) << name_of(solver);
    }
    const double penalties[] = {0.1, 0.001};
    PathOptions path;
    path.fit = options(Solver::lbfgs);
    path.fit.objective.l2.reset();
    path.l2 = penalties;
    path.folds = 2;
    std::vector<PathPoint> points(2);
    std::vector<float> w(kClasses * kFeatures), b(kClasses);
    PathResult result;
    ASSERT_TRUE(fit_path(data, path, points, {{w.data(), kClasses, kFeatures}, b}, result).ok());
    EXPECT_NEAR(served_loss(w, b), result.fit.data_loss, 1e-5);

    OwnedState<float> owned(kFeatures, kClasses, Optimiser::momentum);
    LossResult loss;
    for (int step = 0; step < 200; ++step) {
      ASSERT_TRUE(owned.step({}, data, step_options(kRules[2], 0.5, 0.9), {1, GetParam()}, loss).ok());
    }
    EXPECT_LT(loss.data_loss, 0.9);
    EXPECT_NEAR(served_loss(owned.weights(), owned.bias()), loss.data_loss, 1e-4);
  }
}

TEST_P(RawWeightsTest, AWarmStartTakesThem) {
  Batch data = batch_;
  data.scaling.centre = centre_;
  const FitOptions o = options(Solver::lbfgs);
  Fitted f = run_fit(data, o, kClasses);
  FitOptions again = o;
  again.warm_start = true;
  FitResult result;
  ASSERT_TRUE(fit(data, again, WeightsView<float>{{f.w.data(), kClasses, kFeatures}, f.b}, result).ok());
  EXPECT_LE(result.iterations, 1U);
  EXPECT_NEAR(result.objective, f.result.objective, 1e-9);
}

// Steps on scaled bytes are steps on numbers that are scaled already.
TEST_P(RawWeightsTest, AStateKnowsItsScaling) {
  std::vector<double> x;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    x.push_back((static_cast<double>(bytes_[i]) - centre_[i % kFeatures]) * static_cast<double>(factor_[0]));
  }
  Batch plain = batch_, scaled = batch_;
  plain.features = {x.data(), kRows, kFeatures};
  plain.scaling = {};
  scaled.scaling.centre = centre_;
  Rng rng(332);
  std::vector<double> start(kClasses * kFeatures), bias(kClasses);
  for (double& w : start) w = rng.between(-0.01, 0.01);
  for (double& b : bias) b = rng.between(-1, 1);
  std::vector<double> start_scaled(start), bias_scaled(bias);
  for (std::size_t i = 0; i < start.size(); ++i) {
    bias_scaled[i / kFeatures] += start[i] * centre_[i % kFeatures];
    start_scaled[i] = start[i] / static_cast<double>(factor_[0]);
  }
  for (const Rule& rule : kRules) {
    for (const bool from_zero : {true, false}) {
      SCOPED_TRACE(text(rule.name, from_zero ? "" : ", begun elsewhere"));
      OwnedState<double> want(kFeatures, kClasses, rule.optimiser), got(kFeatures, kClasses, rule.optimiser);
      if (!from_zero) {
        ASSERT_TRUE(want.state.set_weights({{start_scaled.data(), kClasses, kFeatures}, bias_scaled}).ok());
        ASSERT_TRUE(got.state.set_weights({{start.data(), kClasses, kFeatures}, bias}, scaled.scaling).ok());
        for (std::size_t i = 0; i < start.size(); ++i) EXPECT_NEAR(got.weights()[i], start[i], 1e-17);
        for (std::size_t c = 0; c < kClasses; ++c) EXPECT_NEAR(got.bias()[c], bias[c], 1e-14);
      }
      LossResult a, b;
      for (int step = 0; step < 20; ++step) {
        ASSERT_TRUE(want.step({}, plain, step_options(rule, 0.25, 0.75), {1, GetParam()}, a).ok());
        ASSERT_TRUE(got.step({}, scaled, step_options(rule, 0.25, 0.75), {1, GetParam()}, b).ok());
        ASSERT_NEAR(a.data_loss, b.data_loss, 1e-12);
      }
      const std::vector<double> w = want.weights(), v = want.bias();
      std::vector<double> around(kClasses), around_w(kClasses * kFeatures), centre(kFeatures, kUntouched);
      ASSERT_TRUE(got.state.get_weights({{around_w.data(), kClasses, kFeatures}, around}, centre).ok());
      EXPECT_EQ(centre, centre_);
      for (std::size_t c = 0; c < kClasses; ++c) {
        double shift = 0;
        for (std::size_t d = 0; d < kFeatures; ++d) {
          const double raw = w[c * kFeatures + d] * static_cast<double>(factor_[0]);
          shift += raw * centre_[d];
          EXPECT_NEAR(got.weights()[c * kFeatures + d], raw, 1e-12);
          EXPECT_EQ(around_w[c * kFeatures + d], got.weights()[c * kFeatures + d]);
        }
        EXPECT_NEAR(got.bias()[c], v[c] - shift, 1e-10);
        EXPECT_NEAR(around[c], v[c], 1e-11);
      }
    }
  }
}

TEST_P(RawWeightsTest, AStateRefusesAnotherScaling) {
  LossResult loss;
  const auto step = [&](OwnedState<float>& owned, const FeatureScaling& scaling) {
    Batch batch = batch_;
    batch.scaling = scaling;
    const auto before = owned.memory();
    const Status status = owned.step({}, batch, step_options(kRules[0], 0.5, 0), {1, GetParam()}, loss);
    if (!status.ok()) {
      EXPECT_EQ(owned.memory(), before);
    }
    return status;
  };
  const auto expect_refused = [](const Status& status) {
    EXPECT_EQ(lanemax::name_of(status.code), std::string("invalid_argument"));
    EXPECT_EQ(std::string(status.what), "scaling");
  };
  const FeatureScaling some = {centre_, factor_}, half = {{}, factor_}, none;
  const std::vector<double> same_centre = centre_;
  const std::vector<float> same_factor = factor_;
  std::vector<double> other_centre = centre_;
  std::vector<float> other_factor = factor_;
  other_centre.back() += 1e-9;
  other_factor.front() *= 2;

  OwnedState<float> owned(kFeatures, kClasses, Optimiser::gradient_descent);
  Batch bad = batch_;
  std::vector<float> values(bytes_.begin(), bytes_.end());
  values[7] = kNaN<float>;
  bad.features = {values.data(), kRows, kFeatures};
  bad.scaling = half;
  EXPECT_FALSE(owned.step({}, bad, step_options(kRules[0], 0.5, 0), {1, GetParam()}, loss).ok());  // settles nothing
  EXPECT_TRUE(step(owned, some).ok());
  EXPECT_TRUE(step(owned, {same_centre, same_factor}).ok());
  for (const FeatureScaling& other :
       {none, half, FeatureScaling{other_centre, factor_}, FeatureScaling{centre_, other_factor}}) {
    expect_refused(step(owned, other));
  }
  const std::vector<float> w = owned.weights(), b = owned.bias();
  ASSERT_TRUE(owned.state.set_weights({{w.data(), kClasses, kFeatures}, b}, half).ok());
  expect_refused(step(owned, some));
  EXPECT_TRUE(step(owned, half).ok());
  ASSERT_TRUE(owned.state.set_weights({{w.data(), kClasses, kFeatures}, b}).ok());
  EXPECT_TRUE(same_bits(owned.weights(), w));
  expect_refused(step(owned, half));
  EXPECT_TRUE(step(owned, none).ok());

  // What set_weights() refuses leaves the state alone.
  const auto before = owned.memory();
  for (const float factor : {0.0F, 1e-39F, kNaN<float>, -kInf<float>}) {
    other_factor.back() = factor;
    const Status status = owned.state.set_weights({{w.data(), kClasses, kFeatures}, b}, {{}, other_factor});
    EXPECT_EQ(std::string(status.what), "scaling factor");
    EXPECT_EQ(status.column, 5);
  }
  other_factor.back() = 2e-38F;
  std::vector<float> large = w;
  large.back() = 1e10F;
  Status status = owned.state.set_weights({{large.data(), kClasses, kFeatures}, b}, {{}, other_factor});
  EXPECT_EQ(lanemax::name_of(status.code), std::string("overflow"));
  large.back() = kNaN<float>;
  status = owned.state.set_weights({{large.data(), kClasses, kFeatures}, b}, some);
  EXPECT_EQ(lanemax::name_of(status.code), std::string("not_finite"));
  EXPECT_EQ(owned.memory(), before);

  // Masked classes stay masked.
  std::vector<float> masked = b;
  masked[1] = -kInf<float>;
  ASSERT_TRUE(owned.state.set_weights({{w.data(), kClasses, kFeatures}, masked}, some).ok());
  EXPECT_EQ(owned.bias()[1], -kInf<float>);
}

}  // namespace
}  // namespace lanemax::checks
