// SPDX-License-Identifier: BSD-3-Clause
//
// Predictions in f64, and predictors of weights in memory.
#include <lanemax/predictor.hpp>

#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <cmath>

namespace lanemax::checks {
namespace {

class PredictorF64Test : public IsaTest {};
INSTANTIATE_PER_ISA(PredictorF64Test);

std::vector<double> values(Rng& rng, std::size_t count) {
  std::vector<double> made(count);
  for (double& v : made) v = rng.between(-2, 2);
  return made;
}

/// Scores and softmax of one row, by the plain formula in long double.
struct Plain {
  std::vector<Real> z, p;
  Plain(const double* x, const std::vector<double>& w, const std::vector<double>& b) : z(b.begin(), b.end()) {
    const std::size_t features = w.size() / b.size();
    for (std::size_t c = 0; c < z.size(); ++c) {
      for (std::size_t d = 0; d < features; ++d)
        z[c] += static_cast<Real>(x[d]) * static_cast<Real>(w[c * features + d]);
    }
    Real sum = 0;
    for (const Real v : z) sum += std::exp(v - *std::ranges::max_element(z));
    for (const Real v : z) p.push_back(std::exp(v - *std::ranges::max_element(z)) / sum);
  }
};

TEST_P(PredictorF64Test, ScoresAndProbabilitiesToTheLastDigits) {
  Rng rng(77);
  for (const std::size_t classes : {2U, 10U, 16U, 33U, 100U}) {
    for (const std::size_t features : {1U, 7U, 130U}) {
      constexpr std::size_t kRows = 9;
      const std::vector<double> w = values(rng, classes * features), b = values(rng, classes),
                                x = values(rng, kRows * features);
      PredictorF64 predictor;
      ASSERT_TRUE(PredictorF64::create(Loss::softmax, {{w.data(), classes, features}, b}, GetParam(), predictor).ok());
      EXPECT_EQ(predictor.label(0), "");
      std::vector<double> logits(kRows * classes), p(kRows * classes), one(classes), one_p(classes);
      std::vector<std::int32_t> chosen(kRows);
      BasicPredictions<double> out;
      out.classes = chosen;
      out.logits = {logits.data(), kRows, classes};
      out.probabilities = {p.data(), kRows, classes};
      const Workspace scratch(predictor.batch_workspace_bytes(2));
      ASSERT_TRUE(predictor.predict_batch({x.data(), kRows, features}, 2, scratch, out).ok());
      for (std::size_t n = 0; n < kRows; ++n) {
        const std::span<const double> sample(&x[n * features], features);
        const Plain want(sample.data(), w, b);
        EXPECT_EQ(predictor.predict(sample), chosen[n]);
        EXPECT_EQ(chosen[n], std::ranges::max_element(want.z) - want.z.begin());
        EXPECT_EQ(predictor.logits(sample, one), chosen[n]);
        EXPECT_EQ(predictor.probabilities(sample, {}, one_p), chosen[n]);
        for (std::size_t c = 0; c < classes; ++c) {
          EXPECT_TRUE(same_bits(one[c], logits[n * classes + c]) && same_bits(one_p[c], p[n * classes + c]));
          EXPECT_NEAR(one[c], static_cast<double>(want.z[c]), 1e-15 * static_cast<double>(features) * 8);
          EXPECT_NEAR(one_p[c], static_cast<double>(want.p[c]), 1e-13 * one_p[c] + 1e-300);
        }
      }
    }
  }
}

TEST_P(PredictorF64Test, OfAModelWithACentre) {
  Model model;
  model.features = 2;
  model.class_labels = {"a", "b"};
  model.weight = {1, 0.5F, -1, 0.25F};
  model.bias = {0, 0.125F};
  model.centre = {1.6e9, -3};
  PredictorF64 predictor;
  ASSERT_TRUE(PredictorF64::create(model, GetParam(), predictor).ok());
  const std::vector<double> x = {1.6e9 + 0.0625, -2};
  std::vector<double> z(2);
  EXPECT_EQ(predictor.logits(x, z), 0);
  EXPECT_EQ(z, (std::vector<double>{0.0625 + 0.5, -0.0625 + 0.25 + 0.125}));
  EXPECT_EQ(predictor.label(1), "b");
}

TEST_P(PredictorF64Test, OfWeightsInMemory) {
  const std::vector<float> w = {1, -1}, b = {0.5F};
  Predictor predictor;
  ASSERT_TRUE(Predictor::create(Loss::logistic, {{w.data(), 1, 2}, b}, GetParam(), predictor).ok());
  EXPECT_EQ(predictor.classes(), 2U);
  std::vector<float> p(2);
  EXPECT_EQ(predictor.probabilities(std::vector<float>{1, 0}, {}, p), 1);
  EXPECT_NEAR(p[1], 1 / (1 + std::exp(-1.5)), 1e-7);
  EXPECT_NEAR(p[0] + p[1], 1, 1e-7);
  const auto refused = [&](Loss loss, const WeightsView<const float>& view) {
    return Predictor::create(loss, view, GetParam(), predictor).code;
  };
  EXPECT_EQ(refused(Loss::logistic, {{w.data(), 2, 1}, {}}), StatusCode::shape_mismatch);
  EXPECT_EQ(refused(Loss::softmax, {{w.data(), 2, 1}, b}), StatusCode::shape_mismatch);
  EXPECT_EQ(refused(Loss::softmax, {{nullptr, 2, 1}, {}}), StatusCode::shape_mismatch);
  const std::vector<float> bad = {1, kNaN<float>};
  EXPECT_EQ(refused(Loss::softmax, {{bad.data(), 2, 1}, {}}), StatusCode::not_finite);
  EXPECT_EQ(predictor.classes(), 2U);
}

}  // namespace
}  // namespace lanemax::checks
