// SPDX-License-Identifier: BSD-3-Clause
//
// What the course notes that lanemax started from describe, one test per promise, computed here by their formulas; then
// the places where the notes are wrong, with what is right. Numbers of the notes (000 to 004) are in the names.
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

namespace lanemax::checks {
namespace {

using Vector = std::vector<double>;

/// A small problem with plain arithmetic on it, in double.
struct Example {
  std::size_t rows = 0, features = 0, classes = 0;
  Vector x, w, b;
  std::vector<std::int32_t> labels;

  [[nodiscard]] Vector scores(std::size_t n) const {
    Vector z(b);
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t d = 0; d < features; ++d) z[c] += w[c * features + d] * x[n * features + d];
    }
    return z;
  }
  [[nodiscard]] Vector softmax(std::size_t n) const {
    Vector p = scores(n);
    const double max = *std::max_element(p.begin(), p.end());
    for (double& v : p) v = std::exp(v - max);
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& v : p) v /= sum;
    return p;
  }
  [[nodiscard]] double square(std::size_t n) const {
    double sum = 0;
    for (std::size_t d = 0; d < features; ++d) sum += x[n * features + d] * x[n * features + d];
    return sum;
  }
  [[nodiscard]] Batch batch() const {
    Batch batch;
    batch.features = {x.data(), rows, features};
    batch.labels = labels;
    return batch;
  }
  [[nodiscard]] WeightsView<const double> weights() const { return {{w.data(), classes, features}, b}; }
};

Example example(std::size_t rows, std::size_t features, std::size_t classes, std::size_t labels) {
  Rng rng(41);
  Example e{rows, features, classes, {}, {}, {}, {}};
  e.x = make_values<double>(rng, rows * features, Values::ordinary);
  e.w = make_values<double>(rng, classes * features, Values::ordinary);
  e.b = make_values<double>(rng, classes, Values::ordinary);
  for (std::size_t n = 0; n < rows; ++n) e.labels.push_back(static_cast<std::int32_t>(rng.below(labels)));
  return e;
}

class SeedDocumentsTest : public IsaTest {
 protected:
  [[nodiscard]] CallOptions options() const {
    CallOptions options;
    options.isa = GetParam();
    return options;
  }
  [[nodiscard]] CallOutputs<double> gradient(const Example& e, const Objective& objective = {}) const {
    const CallOutputs<double> out = call<double>(objective, e.weights(), e.batch(), options(), true);
    EXPECT_TRUE(out.status.ok()) << message(out.status);
    return out;
  }
  /// Losses of rows of given scores: X is the scores, W the identity.
  template <class T>
  [[nodiscard]] CallOutputs<T> of_scores(const std::vector<T>& scores, std::size_t classes,
                                         const std::vector<std::int32_t>& labels, Loss loss) const {
    std::vector<T> identity(classes * classes), b(classes);
    for (std::size_t c = 0; c < classes; ++c) identity[c * classes + c] = 1;
    Batch batch;
    batch.features = {scores.data(), labels.size(), classes};
    batch.labels = labels;
    Objective objective;
    objective.loss = loss;
    const CallOutputs<T> out = call<T>(objective, {{identity.data(), classes, classes}, b}, batch, options(), true);
    EXPECT_TRUE(out.status.ok()) << message(out.status);
    return out;
  }
  /// One step of gradient descent in double; returns the new weights (C x D) and bias.
  std::pair<Vector, Vector> step(const Example& e, const Objective& objective, double rate) const {
    OwnedState<double> owned(e.features, e.classes, Optimiser::gradient_descent);
    EXPECT_TRUE(owned.state.set_weights(e.weights()).ok());
    StepOptions how;
    how.learning_rate = rate;
    LossResult result;
    const Status status = owned.step(objective, e.batch(), how, {1, GetParam()}, result);
    EXPECT_TRUE(status.ok()) << message(status);
    return {owned.weights(), owned.bias()};
  }
};
INSTANTIATE_PER_ISA(SeedDocumentsTest);

// ---- what they describe ----

TEST_P(SeedDocumentsTest, S0a_MeanCrossEntropyOfABatchWithWeightsDxC) {
  const Example e = example(50, 12, 5, 5);
  double sum = 0;
  for (std::size_t n = 0; n < e.rows; ++n) sum -= std::log(e.softmax(n)[static_cast<std::size_t>(e.labels[n])]);
  CallOptions how = options();
  EXPECT_NEAR(call<double>({}, e.weights(), e.batch(), how, false).result.objective, sum / 50, 1e-14);
  how.transposed = true;
  EXPECT_NEAR(call<double>({}, e.weights(), e.batch(), how, false).result.objective, sum / 50, 1e-14);
}

TEST_P(SeedDocumentsTest, S0b_LossAndGradientFromOneCall) {
  const Example e = example(50, 12, 5, 5);
  const CallOutputs<double> loss = call<double>({}, e.weights(), e.batch(), options(), false);
  const CallOutputs<double> both = gradient(e);
  EXPECT_TRUE(same_bits(loss.result.objective, both.result.objective));
  EXPECT_TRUE(same_bits(loss.sample_losses, both.sample_losses));
  for (std::size_t c = 0; c < e.classes; ++c) {
    for (std::size_t d = 0; d < e.features; ++d) {
      double sum = 0;
      for (std::size_t n = 0; n < e.rows; ++n) {
        const double delta = e.labels[n] == static_cast<std::int32_t>(c) ? 1 : 0;
        sum += (e.softmax(n)[c] - delta) * e.x[n * e.features + d];
      }
      ASSERT_NEAR(both.dweights[c * e.features + d], sum / 50, 1e-15);
    }
  }
}

TEST_P(SeedDocumentsTest, S0c_AtZeroWeightsTheLossIsLogC) {
  for (const std::size_t classes : {1U, 2U, 3U, 10U, 16U, 17U, 100U, 1000U}) {
    Example e = example(20, 7, classes, classes);
    std::fill(e.w.begin(), e.w.end(), 0.0);
    std::fill(e.b.begin(), e.b.end(), 0.0);
    const double log_c = std::log(static_cast<double>(classes));
    EXPECT_NEAR(gradient(e).result.objective, log_c, 4e-16 * log_c) << classes;
    const std::vector<float> w(classes * e.features);
    const CallOutputs<float> f32 = call<float>({}, {{w.data(), classes, e.features}, {}}, e.batch(), options(), false);
    EXPECT_NEAR(f32.result.objective, log_c, 1.2e-7 * log_c) << classes;
  }
}

TEST_P(SeedDocumentsTest, S1a_GradientsOfWeightsAndBiasAndTheSumReduction) {
  const Example e = example(33, 6, 4, 4);
  Objective sum;
  sum.reduction = Reduction::sum;
  const CallOutputs<double> mean = gradient(e), total = gradient(e, sum);
  EXPECT_NEAR(total.result.objective, 33 * mean.result.objective, 1e-12);
  for (std::size_t c = 0; c < e.classes; ++c) {
    double db = 0;
    for (std::size_t n = 0; n < e.rows; ++n)
      db += e.softmax(n)[c] - (e.labels[n] == static_cast<std::int32_t>(c) ? 1 : 0);
    EXPECT_NEAR(total.dbias[c], db, 1e-13);
    EXPECT_NEAR(mean.dbias[c], db / 33, 1e-14);
    for (std::size_t d = 0; d < e.features; ++d) {
      EXPECT_NEAR(total.dweights[c * e.features + d], 33 * mean.dweights[c * e.features + d], 1e-13);
    }
  }
}

TEST_P(SeedDocumentsTest, S2a_LogisticRegression) {
  const Example e = example(40, 5, 1, 2);
  Objective logistic;
  logistic.loss = Loss::logistic;
  const CallOutputs<double> out = gradient(e, logistic);
  double loss = 0;
  Vector dw(e.features);
  for (std::size_t n = 0; n < e.rows; ++n) {
    const double y = 1 / (1 + std::exp(-e.scores(n)[0])), t = e.labels[n];
    EXPECT_NEAR(out.probabilities[n], y, 1e-15);
    EXPECT_NEAR(out.sample_losses[n], -(t * std::log(y) + (1 - t) * std::log(1 - y)), 1e-14);
    loss += out.sample_losses[n] / 40;
    for (std::size_t d = 0; d < e.features; ++d) dw[d] += (y - t) * e.x[n * e.features + d] / 40;
  }
  EXPECT_NEAR(out.result.objective, loss, 1e-14);
  const auto [w, b] = step(e, logistic, 0.5);
  for (std::size_t d = 0; d < e.features; ++d) {
    EXPECT_NEAR(out.dweights[d], dw[d], 1e-15);
    EXPECT_NEAR(w[d], e.w[d] - 0.5 * dw[d], 1e-15);
  }
}

TEST_P(SeedDocumentsTest, S2b_OneHotTargetsAndProbabilityTargets) {
  // With one sample, db is dZ.
  Example e = example(1, 6, 4, 4);
  e.labels = {2};
  const Vector y = e.softmax(0);
  const auto of_targets = [&](const std::vector<float>& t) {
    Batch batch = e.batch();
    batch.labels = {};
    batch.target_probabilities = {t.data(), 1, 4};
    return call<double>({}, e.weights(), batch, options(), true);
  };
  const std::vector<float> one_hot = {0, 0, 1, 0}, spread = {0.125f, 0.5f, 0.25f, 0.125f};
  const CallOutputs<double> labels = gradient(e), hot = of_targets(one_hot), soft = of_targets(spread);
  double cross_entropy = 0;
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_NEAR(hot.dbias[c], y[c] - static_cast<double>(one_hot[c]), 1e-15);
    EXPECT_NEAR(soft.dbias[c], y[c] - static_cast<double>(spread[c]), 1e-15);
    EXPECT_NEAR(hot.dbias[c], labels.dbias[c], 1e-15);
    cross_entropy -= static_cast<double>(spread[c]) * std::log(y[c]);
  }
  EXPECT_NEAR(hot.result.objective, labels.result.objective, 1e-15);
  EXPECT_NEAR(soft.result.objective, cross_entropy, 1e-14);
}

TEST_P(SeedDocumentsTest, S2c_TheUpdateAveragesOverTheBatch) {
  const Example e = example(25, 4, 3, 3);
  const double rate = 0.75;
  const auto [w, b] = step(e, {}, rate);
  for (std::size_t c = 0; c < e.classes; ++c) {
    for (std::size_t d = 0; d < e.features; ++d) {
      double sum = 0;
      for (std::size_t n = 0; n < e.rows; ++n) {
        sum += (e.softmax(n)[c] - (e.labels[n] == static_cast<std::int32_t>(c) ? 1 : 0)) * e.x[n * e.features + d];
      }
      EXPECT_NEAR(w[c * e.features + d], e.w[c * e.features + d] - rate / 25 * sum, 1e-15);
    }
  }
}

TEST_P(SeedDocumentsTest, S2d_HingeLossAndTheComparisonOfBoth) {
  const Example e = example(30, 5, 4, 4);
  Objective objective;
  objective.loss = Loss::hinge;
  const CallOutputs<double> out = gradient(e, objective);
  double mean = 0;
  for (std::size_t n = 0; n < e.rows; ++n) {
    const Vector z = e.scores(n);
    const auto y = static_cast<std::size_t>(e.labels[n]);
    double loss = 0;
    for (std::size_t j = 0; j < 4; ++j) loss += j == y ? 0 : std::max(0.0, z[j] - z[y] + 1);
    EXPECT_NEAR(out.sample_losses[n], loss, 1e-14);
    mean += loss / 30;
  }
  EXPECT_NEAR(out.result.objective, mean, 1e-14);
  // The notes' three rows of scores, class 0 true, judged by both.
  const Vector scores = {10, -2, 3, 10, 9, 9, 10, -100, -100};
  const CallOutputs<double> hinge = of_scores<double>(scores, 3, {0, 0, 0}, Loss::hinge);
  const CallOutputs<double> softmax = of_scores<double>(scores, 3, {0, 0, 0}, Loss::softmax);
  for (std::size_t n = 0; n < 3; ++n) {
    EXPECT_EQ(hinge.sample_losses[n], 0);
    EXPECT_GT(softmax.sample_losses[n], 0);
  }
}

TEST_P(SeedDocumentsTest, S3a_ScoresWithBiasProbabilitiesAndPerSampleLoss) {
  const Example e = example(20, 8, 6, 6);
  const CallOutputs<double> out = gradient(e);
  for (std::size_t n = 0; n < e.rows; ++n) {
    const Vector p = e.softmax(n);
    for (std::size_t c = 0; c < e.classes; ++c) EXPECT_NEAR(out.probabilities[n * e.classes + c], p[c], 1e-15);
    EXPECT_NEAR(out.sample_losses[n], -std::log(p[static_cast<std::size_t>(e.labels[n])]), 1e-14);
  }
}

TEST_P(SeedDocumentsTest, S4a_GradientMatrixOfOneSample) {
  const Example e = example(1, 7, 5, 5);
  const CallOutputs<double> out = gradient(e);
  const Vector p = e.softmax(0);
  for (std::size_t m = 0; m < e.classes; ++m) {
    const double factor = e.labels[0] == static_cast<std::int32_t>(m) ? p[m] - 1 : p[m];
    for (std::size_t d = 0; d < e.features; ++d) EXPECT_NEAR(out.dweights[m * e.features + d], factor * e.x[d], 1e-15);
  }
}

TEST_P(SeedDocumentsTest, S4b_OneStepFromOneSample) {
  const Example e = example(1, 7, 5, 5);
  const Vector p = e.softmax(0);
  const auto [w, b] = step(e, {}, 0.5);
  for (std::size_t m = 0; m < e.classes; ++m) {
    const double factor = e.labels[0] == static_cast<std::int32_t>(m) ? p[m] - 1 : p[m];
    for (std::size_t d = 0; d < e.features; ++d) {
      EXPECT_NEAR(w[m * e.features + d], e.w[m * e.features + d] - 0.5 * factor * e.x[d], 1e-15);
    }
    EXPECT_NEAR(b[m], e.b[m] - 0.5 * factor, 1e-15);
  }
}

// ---- where they are wrong ----

TEST_P(SeedDocumentsTest, Wrong000_NoOverflowAboveScore88) {
  for (const float big : {88.0f, 89.0f, 1000.0f, 1e30f}) {
    const CallOutputs<float> out = of_scores<float>({big, 0, 0, big}, 2, {0, 0}, Loss::softmax);
    EXPECT_LT(out.sample_losses[0], 1e-37f) << big;
    EXPECT_EQ(out.sample_losses[1], big);
  }
  const CallOutputs<double> out = of_scores<double>({800, 0, 0, 800}, 2, {0, 0}, Loss::softmax);
  EXPECT_EQ(out.sample_losses[1], 800);
}

TEST_P(SeedDocumentsTest, Wrong001_TheGradientIsTheLossesNotTheLogLikelihoods) {
  const Example e = example(30, 4, 3, 3);
  Objective sum;
  sum.reduction = Reduction::sum;
  const CallOutputs<double> out = gradient(e, sum);
  // The notes' gradient of the log-likelihood: sum of (delta - p) x, the negative of ours; a step against ours climbs
  // it.
  const auto log_likelihood = [](const Example& at) {
    double value = 0;
    for (std::size_t n = 0; n < at.rows; ++n) value += std::log(at.softmax(n)[static_cast<std::size_t>(at.labels[n])]);
    return value;
  };
  EXPECT_NEAR(out.result.objective, -log_likelihood(e), 1e-12);
  for (std::size_t d = 0; d < e.features; ++d) {
    double notes = 0;
    for (std::size_t n = 0; n < e.rows; ++n)
      notes += ((e.labels[n] == 0 ? 1 : 0) - e.softmax(n)[0]) * e.x[n * e.features + d];
    EXPECT_NEAR(out.dweights[d], -notes, 1e-13);
  }
  Example climbed = e;
  std::tie(climbed.w, climbed.b) = step(e, sum, 0.001);
  EXPECT_GT(log_likelihood(climbed), log_likelihood(e));
}

TEST_P(SeedDocumentsTest, Wrong001_SoftmaxSumsOverTheClassesThatExist) {
  const Example e = example(10, 4, 3, 3);
  const CallOutputs<double> out = gradient(e);
  for (std::size_t n = 0; n < e.rows; ++n) {
    const double* p = &out.probabilities[n * 3];
    EXPECT_NEAR(p[0] + p[1] + p[2], 1, 4e-16);
  }
}

TEST_P(SeedDocumentsTest, Wrong002_TheTableIsInLog10) {
  const double first = 0.0009176050, second = 0.5514447139, third = 2 * std::exp(-110.0);
  const CallOutputs<double> f64 = of_scores<double>({10, -2, 3, 10, 9, 9, 10, -100, -100}, 3, {0, 0, 0}, Loss::softmax);
  EXPECT_NEAR(f64.sample_losses[0], first, 5e-11);
  EXPECT_NEAR(f64.sample_losses[1], second, 5e-11);
  EXPECT_NEAR(f64.sample_losses[2], third, 1e-14 * third);
  EXPECT_NEAR(f64.sample_losses[0] / std::log(10.0), 0.0003985, 5e-8);
  EXPECT_NEAR(f64.sample_losses[1] / std::log(10.0), 0.2394894, 5e-8);
  const CallOutputs<float> f32 = of_scores<float>({10, -2, 3, 10, 9, 9, 10, -100, -100}, 3, {0, 0, 0}, Loss::softmax);
  EXPECT_NEAR(static_cast<double>(f32.sample_losses[0]), first, 2e-7 * first);
  EXPECT_NEAR(static_cast<double>(f32.sample_losses[1]), second, 2e-7 * second);
  EXPECT_EQ(f32.sample_losses[2], 0.0f);
  const CallOutputs<float> hinge = of_scores<float>({10, -2, 3, 10, 9, 9, 10, -100, -100}, 3, {0, 0, 0}, Loss::hinge);
  for (const float loss : hinge.sample_losses) EXPECT_EQ(loss, 0.0f);
}

TEST_P(SeedDocumentsTest, Wrong002_TheMeanIsOverSamplesNotClasses) {
  for (const std::size_t rows : {2U, 7U, 64U}) {
    const Example e = example(rows, 3, 5, 5);
    const CallOutputs<double> out = gradient(e);
    const double sum = std::accumulate(out.sample_losses.begin(), out.sample_losses.end(), 0.0);
    EXPECT_NEAR(out.result.objective, sum / static_cast<double>(rows), 1e-14);
  }
}

TEST_P(SeedDocumentsTest, Wrong002_DerivativeOfOneOutputByAnothersScore) {
  // dy_k / dz_T = -y_T y_k for k != T.
  const Vector z = {0.3, -1.2, 0.9};
  const double h = 1e-4;
  for (std::size_t t = 0; t < 3; ++t) {
    Vector up = z, down = z;
    up[t] += h;
    down[t] -= h;
    const Vector y = of_scores<double>(z, 3, {0}, Loss::softmax).probabilities;
    const Vector y_up = of_scores<double>(up, 3, {0}, Loss::softmax).probabilities;
    const Vector y_down = of_scores<double>(down, 3, {0}, Loss::softmax).probabilities;
    for (std::size_t k = 0; k < 3; ++k) {
      const double expected = k == t ? y[t] * (1 - y[t]) : -y[t] * y[k];
      EXPECT_NEAR((y_up[k] - y_down[k]) / (2 * h), expected, 1e-9);
    }
  }
}

TEST_P(SeedDocumentsTest, Wrong002_BothLossesAreConvex) {
  Rng rng(42);
  for (const Loss loss : {Loss::softmax, Loss::hinge}) {
    Objective objective;
    objective.loss = loss;
    Example a = example(30, 5, 4, 4);
    const auto value = [&](const Example& e) {
      return call<double>(objective, e.weights(), e.batch(), options(), false).result.objective;
    };
    for (int pair = 0; pair < 50; ++pair) {
      Example b = a, between = a;
      for (double& w : a.w) w = rng.between(-3, 3);
      for (double& w : b.w) w = rng.between(-3, 3);
      const double t = rng.unit();
      for (std::size_t i = 0; i < a.w.size(); ++i) between.w[i] = t * a.w[i] + (1 - t) * b.w[i];
      EXPECT_LE(value(between), t * value(a) + (1 - t) * value(b) + 1e-12);
    }
  }
}

TEST_P(SeedDocumentsTest, Wrong003_TheBiasGradientHasTheDelta) {
  const Example e = example(1, 5, 4, 4);
  const CallOutputs<double> out = gradient(e);
  const Vector p = e.softmax(0);
  for (std::size_t j = 0; j < 4; ++j) {
    const double delta = e.labels[0] == static_cast<std::int32_t>(j) ? 1 : 0;
    EXPECT_NEAR(out.dbias[j], p[j] - delta, 1e-15);
  }
}

TEST_P(SeedDocumentsTest, Wrong003_EveryRowOfTheWeightsHasAGradient) {
  const Example e = example(1, 5, 4, 4);
  const CallOutputs<double> out = gradient(e);
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t d = 0; d < 5; ++d) EXPECT_NE(out.dweights[j * 5 + d], 0);
  }
}

TEST_P(SeedDocumentsTest, Wrong003_TheLogOfASumOverTargetsIsNotCrossEntropy) {
  const Example e = example(1, 5, 3, 3);
  const std::vector<float> t = {0.5f, 0.25f, 0.25f};
  Batch batch = e.batch();
  batch.labels = {};
  batch.target_probabilities = {t.data(), 1, 3};
  const CallOutputs<double> out = call<double>({}, e.weights(), batch, options(), true);
  const Vector p = e.softmax(0);
  double inner = 0, cross_entropy = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    inner += static_cast<double>(t[c]) * p[c];
    cross_entropy -= static_cast<double>(t[c]) * std::log(p[c]);
  }
  EXPECT_NEAR(out.result.objective, cross_entropy, 1e-14);
  EXPECT_GT(cross_entropy, -std::log(inner) + 0.01);
}

TEST_P(SeedDocumentsTest, Wrong004_WhatOneStepDoesToTheScores) {
  Example e = example(1, 9, 6, 6);
  e.x[3] = -1.5;  // features of either sign
  const double rate = 0.25;
  const Vector before = e.scores(0), p = e.softmax(0);
  Example after = e;
  std::tie(after.w, after.b) = step(e, {}, rate);
  const Vector scores = after.scores(0);
  for (std::size_t m = 0; m < e.classes; ++m) {
    const bool right = e.labels[0] == static_cast<std::int32_t>(m);
    const double change = right ? rate * (1 - p[m]) * (e.square(0) + 1) : -rate * p[m] * (e.square(0) + 1);
    EXPECT_NEAR(scores[m] - before[m], change, 1e-14) << m;
    EXPECT_EQ(scores[m] > before[m], right) << m;
  }
}

}  // namespace
}  // namespace lanemax::checks
