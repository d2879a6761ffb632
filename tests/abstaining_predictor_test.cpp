// SPDX-License-Identifier: BSD-3-Clause
//
// Predictors of models with a threshold: which samples they abstain from, to the last bit of the probability, and that
// all else is as without one.
#include <lanemax/predictor.hpp>

#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 7, kFeatures = 5;

Model make_model(Rng& rng, std::size_t rows) {
  Model model;
  model.loss = rows == 1 ? Loss::logistic : Loss::softmax;
  model.features = kFeatures;
  for (std::size_t i = 0; i < rows * kFeatures; ++i) model.weight.push_back(static_cast<float>(rng.between(-1, 1)));
  for (std::size_t i = 0; i < rows; ++i) model.bias.push_back(static_cast<float>(rng.between(-1, 1)));
  if (rows > 4) model.bias[rows / 2] = -std::numeric_limits<float>::infinity();
  for (std::size_t c = 0; c < std::max<std::size_t>(rows, 2); ++c) model.class_labels.push_back(std::to_string(c));
  return model;
}

template <class T>
struct Answers {
  std::vector<std::int32_t> classes, top_classes;
  std::vector<T> logits, probabilities, top_probabilities;
};

template <class T>
Answers<T> predict(const BasicPredictor<T>& predictor, const FeaturesView& x, int threads) {
  const std::size_t n = x.samples, classes = predictor.classes(), k = 2;
  Answers<T> a{std::vector<std::int32_t>(n), std::vector<std::int32_t>(n * k), std::vector<T>(n * predictor.scores()),
               std::vector<T>(n * classes), std::vector<T>(n * k)};
  BasicPredictions<T> out;
  out.classes = a.classes;
  out.logits = {a.logits.data(), n, predictor.scores()};
  out.probabilities = {a.probabilities.data(), n, classes};
  out.top_classes = {a.top_classes.data(), n, k};
  out.top_probabilities = {a.top_probabilities.data(), n, k};
  const Workspace scratch(predictor.batch_workspace_bytes(threads));
  const Status status = predictor.predict_batch(x, threads, scratch, out);
  EXPECT_TRUE(status.ok()) << message(status);
  return a;
}

class AbstainingPredictorTest : public IsaTest {
 protected:
  template <class T>
  [[nodiscard]] BasicPredictor<T> create(Model model, double threshold) const {
    model.threshold = threshold;
    BasicPredictor<T> predictor;
    const Status status = BasicPredictor<T>::create(model, GetParam(), predictor);
    EXPECT_TRUE(status.ok()) << message(status);
    EXPECT_EQ(predictor.threshold(), threshold);
    return predictor;
  }

  /// All calls, of the samples in a batch and alone, against what a predictor without a threshold says.
  template <class T>
  void expect_abstaining(const Model& model, double threshold, const std::vector<double>& x) const {
    SCOPED_TRACE("threshold " + std::to_string(threshold) + ", " + std::to_string(model.rows()) + " scores");
    const auto plain = create<T>(model, 0), predictor = create<T>(model, threshold);
    const FeaturesView rows(x.data(), x.size() / kFeatures, kFeatures);
    const Answers<T> without = predict(plain, rows, 1);
    std::vector<std::int32_t> want = without.classes;
    for (std::size_t n = 0; n < rows.samples; ++n) {
      if (want[n] < 0) continue;
      const T* p = &without.probabilities[n * plain.classes()];
      const T largest = *std::max_element(p, p + plain.classes());
      EXPECT_EQ(largest, p[want[n]]);
      if (largest < static_cast<T>(threshold)) want[n] = kAbstained;
    }
    for (const int threads : {1, 3}) {
      const Answers<T> got = predict(predictor, rows, threads);
      EXPECT_EQ(got.classes, want);
      EXPECT_EQ(got.top_classes, without.top_classes);
      EXPECT_TRUE(same_bits(got.logits, without.logits));
      EXPECT_TRUE(same_bits(got.probabilities, without.probabilities));
      EXPECT_TRUE(same_bits(got.top_probabilities, without.top_probabilities));
    }
    std::vector<std::int32_t> only_classes(rows.samples);
    const Workspace scratch(predictor.batch_workspace_bytes(1)), own(predictor.workspace_bytes());
    ASSERT_TRUE(predictor.predict_batch(rows, 1, scratch, {.classes = only_classes}).ok());
    EXPECT_EQ(only_classes, want);
    // In the predictor's own type, too, where nothing has to be converted first.
    const std::vector<T> same(x.begin(), x.end());
    for (std::size_t n = 0; n < rows.samples; ++n) {
      SCOPED_TRACE("row " + std::to_string(n));
      const auto expect_of = [&](const SampleView& sample) {
        std::vector<T> logits(plain.scores()), p(plain.classes()), top_p(2);
        std::vector<std::int32_t> top(2);
        EXPECT_EQ(predictor.predict(sample), want[n]);
        EXPECT_EQ(predictor.logits(sample, logits), want[n]);
        EXPECT_EQ(predictor.probabilities(sample, own, p), want[n]);
        std::vector<T> log_p(plain.classes());
        EXPECT_EQ(predictor.log_probabilities(sample, own, log_p), want[n]);
        EXPECT_EQ(std::isnan(log_p[0]), want[n] == kNotFinite);
        EXPECT_EQ(predictor.top_k(sample, own, top, top_p), want[n]);
        EXPECT_TRUE(same_bits(logits, part(without.logits, n, logits.size())));
        EXPECT_TRUE(same_bits(p, part(without.probabilities, n, p.size())));
        EXPECT_TRUE(same_bits(top_p, part(without.top_probabilities, n, 2)));
        EXPECT_EQ(top, part(without.top_classes, n, 2));
        EXPECT_EQ(predictor.top_k(sample, own, top, {}), want[n]);
        EXPECT_EQ(top, part(without.top_classes, n, 2));
      };
      expect_of(std::span(x).subspan(n * kFeatures, kFeatures));
      expect_of(std::span(same).subspan(n * kFeatures, kFeatures));
    }
  }

  /// Thresholds at the probabilities themselves and next to them: none of their bits may depend on how they came.
  template <class T>
  void expect_exact(std::size_t scores) const {
    Rng rng(scores);
    const Model model = make_model(rng, scores);
    std::vector<double> x;
    for (std::size_t i = 0; i < kRows * kFeatures; ++i) x.push_back(static_cast<float>(rng.between(-2, 2)));
    x[3 * kFeatures] = std::numeric_limits<double>::quiet_NaN();
    const Answers<T> answers = predict(create<T>(model, 0), {x.data(), kRows, kFeatures}, 1);
    for (const std::size_t n : {std::size_t{0}, kRows - 1}) {
      const auto classes = model.classes();
      const T p = answers.probabilities[n * classes + static_cast<std::size_t>(answers.classes[n])];
      expect_abstaining<T>(model, static_cast<double>(p), x);
      expect_abstaining<T>(model, static_cast<double>(std::nextafter(p, T(1))), x);
    }
    expect_abstaining<T>(model, 1, x);
    expect_abstaining<T>(model, std::numeric_limits<double>::denorm_min(), x);
  }

 private:
  template <class V>
  static std::vector<V> part(const std::vector<V>& all, std::size_t index, std::size_t size) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(index * size);
    return {begin, begin + static_cast<std::ptrdiff_t>(size)};
  }
};
INSTANTIATE_PER_ISA(AbstainingPredictorTest);

// One score, class-major, panels; a slice of scores, several, more than the stack has room for.
TEST_P(AbstainingPredictorTest, ToTheLastBit) {
  for (const std::size_t scores :
       {1U, 2U, 3U, 10U, 16U, 17U, 26U, 35U, 70U, 1024U, 1025U, 4096U, 4097U, 5000U, 9300U}) {
    expect_exact<float>(scores);
    if (scores < 100 || scores > 4000) expect_exact<double>(scores);
  }
}

TEST_P(AbstainingPredictorTest, AroundACentre) {
  Rng rng(8);
  for (const std::size_t scores : {1U, 3U, 40U, 5000U}) {
    Model model = make_model(rng, scores);
    std::vector<double> x;
    for (std::size_t d = 0; d < kFeatures; ++d) model.centre.push_back(1e9 * rng.between(-1, 1));
    for (std::size_t i = 0; i < kRows * kFeatures; ++i) x.push_back(model.centre[i % kFeatures] + rng.between(-2, 2));
    const auto plain = create<float>(model, 0);
    std::vector<float> p(model.classes());
    const Workspace own(plain.workspace_bytes());
    const std::int32_t chosen = plain.probabilities(std::span(x).first(kFeatures), own, p);
    ASSERT_GE(chosen, 0);
    expect_abstaining<double>(model, static_cast<double>(p[static_cast<std::size_t>(chosen)]), x);
    const auto abstaining =
        create<float>(model, static_cast<double>(std::nextafter(p[static_cast<std::size_t>(chosen)], 1.0F)));
    EXPECT_EQ(abstaining.predict(std::span(x).first(kFeatures)), kAbstained);
  }
}

// The threshold is rounded as the probabilities are: those of f32 know nothing between 1 - 2^-24 and 1.
TEST_P(AbstainingPredictorTest, TheThresholdIsRounded) {
  Model model;
  model.loss = Loss::logistic;
  model.features = 1;
  model.weight = {1};
  model.bias = {0};
  model.class_labels = {"no", "yes"};
  const float x[] = {30};  // sigmoid(30) = 1 - 9.4e-14
  EXPECT_EQ(create<float>(model, 1).predict(x), 1);
  EXPECT_EQ(create<double>(model, 1).predict(x), kAbstained);
  EXPECT_EQ(create<double>(model, 1 - 9.3e-14).predict(x), kAbstained);
  EXPECT_EQ(create<double>(model, 1 - 9.5e-14).predict(x), 1);
  const float tie[] = {0};
  EXPECT_EQ(create<float>(model, 0.5).predict(tie), 0);
  EXPECT_EQ(create<float>(model, 0.5 + 1e-12).predict(tie), 0);
  EXPECT_EQ(create<double>(model, 0.5 + 1e-12).predict(tie), kAbstained);
}

TEST_P(AbstainingPredictorTest, OfAFileAndOfNone) {
  Rng rng(9);
  Model model = make_model(rng, 3);
  model.threshold = 0.75;
  const std::string path = ::testing::TempDir() + "abstaining_" + name_of(GetParam()) + ".safetensors";
  ASSERT_TRUE(save_model(model, path.c_str()).ok());
  Predictor predictor;
  EXPECT_EQ(predictor.threshold(), 0);
  ASSERT_TRUE(Predictor::load(path.c_str(), GetParam(), predictor).ok());
  EXPECT_EQ(predictor.threshold(), 0.75);
  ASSERT_TRUE(Predictor::create(Loss::softmax, model.view(), GetParam(), predictor).ok());
  EXPECT_EQ(predictor.threshold(), 0);
  model.threshold = 2;
  EXPECT_STREQ(Predictor::create(model, GetParam(), predictor).what, "threshold");
}

}  // namespace
}  // namespace lanemax::checks
