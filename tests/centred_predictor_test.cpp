// SPDX-License-Identifier: BSD-3-Clause
//
// Predictor around a centre, and samples in f64: values whose mean is large beside their spread keep their digits; the
// answers are, to the bit, those of the ordinary model on centred values, for a sample alone and in any batch.
#include <lanemax/predictor.hpp>

#include "tests/support/feature_types.hpp"
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace lanemax::checks {
namespace {

std::vector<float> as_f32(const std::vector<double>& values) {
  std::vector<float> result;
  for (const double v : values) result.push_back(static_cast<float>(v));
  return result;
}

Model make_model(Rng& rng, std::size_t features, std::size_t classes) {
  Model model;
  model.loss = classes == 1 ? Loss::logistic : Loss::softmax;
  model.features = features;
  model.weight = as_f32(make_values<float>(rng, features * classes, Values::ordinary));
  model.bias = as_f32(make_values<float>(rng, classes, Values::ordinary));
  for (std::size_t c = 0; c < std::max<std::size_t>(classes, 2); ++c) model.class_labels.push_back(std::to_string(c));
  return model;
}

/// Values around centres that no f32 holds, up to 1e9 times as large as their spread.
struct FarValues {
  FarValues(Rng& rng, std::size_t rows, std::size_t features) {
    for (std::size_t d = 0; d < features; ++d) {
      centre.push_back(std::ldexp(rng.between(-1, 1), static_cast<int>(rng.below(32))));
    }
    for (std::size_t i = 0; i < rows * features; ++i) x.push_back(centre[i % features] + rng.between(-2, 2));
  }
  /// What the products must get.
  [[nodiscard]] std::vector<float> centred() const {
    std::vector<float> result;
    for (std::size_t i = 0; i < x.size(); ++i) result.push_back(static_cast<float>(x[i] - centre[i % centre.size()]));
    return result;
  }
  std::vector<double> centre, x;
};

/// Sample n of rows that lie one right after the other.
template <class T>
std::span<const T> row_of(const std::vector<T>& x, std::size_t n, std::size_t features) {
  return std::span(x).subspan(n * features, features);
}

struct Answers {
  std::vector<std::int32_t> classes, top_classes;
  std::vector<float> logits, probabilities, top_probabilities;
};

class CentredPredictorTest : public IsaTest {
 protected:
  [[nodiscard]] Predictor create(const Model& model) const {
    Predictor predictor;
    const Status status = Predictor::create(model, GetParam(), predictor);
    EXPECT_TRUE(status.ok()) << message(status);
    return predictor;
  }
  [[nodiscard]] Answers predict(const Model& model, const FeaturesView& x, int threads = 1) const {
    const Predictor predictor = create(model);
    const std::size_t n = x.samples, classes = model.classes(), top_k = std::min<std::size_t>(classes, 3);
    Answers a{std::vector<std::int32_t>(n), std::vector<std::int32_t>(n * top_k), std::vector<float>(n * model.rows()),
              std::vector<float>(n * classes), std::vector<float>(n * top_k)};
    Predictions out;
    out.classes = a.classes;
    out.logits = {a.logits.data(), n, model.rows()};
    out.probabilities = {a.probabilities.data(), n, classes};
    out.top_classes = {a.top_classes.data(), n, top_k};
    out.top_probabilities = {a.top_probabilities.data(), n, top_k};
    const Status status = predictor.predict_batch(x, threads, scratch_(predictor.batch_workspace_bytes(threads)), out);
    EXPECT_TRUE(status.ok()) << message(status);
    return a;
  }
  static void expect_same(const Answers& got, const Answers& want) {
    EXPECT_EQ(got.classes, want.classes);
    EXPECT_EQ(got.top_classes, want.top_classes);
    EXPECT_TRUE(same_bits(got.logits, want.logits));
    EXPECT_TRUE(same_bits(got.probabilities, want.probabilities));
    EXPECT_TRUE(same_bits(got.top_probabilities, want.top_probabilities));
  }
  void alone_as_in_a_batch(std::size_t features, std::size_t classes);

 private:
  mutable Scratch scratch_;
};
INSTANTIATE_PER_ISA(CentredPredictorTest);

// Minutes since some day of 2023, as unix times, beside a date written as digits; early, noon or late by its minute. In
// f32 two neighbouring minutes are usually the same number, and the date is off by one.
TEST_P(CentredPredictorTest, TimesFarFromZero) {
  constexpr std::size_t kMinutes = 3000;
  constexpr double kBegin = 1700000000;
  std::vector<double> x;
  std::vector<std::int32_t> truth;
  for (std::size_t i = 0; i < kMinutes; ++i) {
    x.push_back(kBegin + 60 * static_cast<double>(i));
    x.push_back(20180101 + static_cast<double>(i % 7));
    truth.push_back(i < 700 ? 0 : i < 2223 ? 1 : 2);
  }
  // Lines that cross half-way between minutes 699 and 700, 2222 and 2223; the date says nothing.
  Model model;
  model.features = 2;
  model.weight = {-1.0f / 60, 0, 0, 0, 1.0f / 60, 0};
  model.centre = {kBegin + 60 * 1461, 20180104};
  model.bias = {-761.5f, 0, -761.5f};
  model.class_labels = {"early", "noon", "late"};
  const Predictor predictor = create(model);
  const Answers got = predict(model, {x.data(), kMinutes, 2}, 2);
  EXPECT_EQ(got.classes, truth);
  for (std::size_t i = 0; i < kMinutes; ++i) {
    ASSERT_EQ(predictor.predict(row_of(x, i, 2)), truth[i]) << i;
    for (std::size_t c = 0; c < 3; ++c) {
      const double want =
          static_cast<double>(model.weight[2 * c]) * (x[2 * i] - model.centre[0]) + static_cast<double>(model.bias[c]);
      ASSERT_NEAR(got.logits[3 * i + c], want, 1e-6 * (std::fabs(want) + 1000)) << i;
    }
  }
  // What f32 samples have lost is lost, but not more: the answers are those for the values that are left.
  const std::vector<float> lossy = as_f32(x);
  const std::vector<double> left(lossy.begin(), lossy.end());
  expect_same(predict(model, {lossy.data(), kMinutes, 2}), predict(model, {left.data(), kMinutes, 2}));
  EXPECT_NE(predict(model, {lossy.data(), kMinutes, 2}).classes, truth);
}

TEST_P(CentredPredictorTest, IsTheOrdinaryModelOnCentredValues) {
  Rng rng(97);
  for (const std::size_t features : {1U, 2U, 7U, 16U, 33U, 130U, 1023U, 1024U, 1025U, 5000U}) {
    for (const std::size_t classes : {1U, 2U, 3U, 10U, 16U, 17U, 26U, 35U, 100U}) {
      SCOPED_TRACE(text(features, " features, ", classes, " classes"));
      const std::size_t rows = features > 1000 ? 9 : 37;
      const FarValues values(rng, rows, features);
      Model model = make_model(rng, features, classes);
      const Answers want = predict(model, {values.centred().data(), rows, features});
      model.centre = values.centre;
      for (const int threads : {1, 3}) expect_same(predict(model, {values.x.data(), rows, features}, threads), want);
    }
  }
}

TEST_P(CentredPredictorTest, FeatureTypesAndStrides) {
  Rng rng(98);
  for (const std::size_t classes : {6U, 21U, 26U}) {
    for (const std::size_t features : {9U, 300U}) {
      std::vector<double> x(37 * features);
      for (double& v : x) v = static_cast<double>(rng.below(256));
      Model model = make_model(rng, features, classes);
      for (std::size_t d = 0; d < features; ++d) model.centre.push_back(rng.between(100, 200));
      const Answers want = predict(model, {x.data(), 37, features});
      const Predictor predictor = create(model);
      for (const FeatureType type : kAllFeatureTypes) {
        const TypedFeatures typed(x, 37, features, type, 5);
        expect_same(predict(model, typed.view, 2), want);
        const TypedFeatures columns(transposed(x, 37, features), features, 37, type, 5);
        SCOPED_TRACE(text("column-major, type ", static_cast<int>(type)));
        expect_same(predict(model, {columns.view.data, type, 37, features, 1, columns.view.row_stride}, 2), want);
      }
      const std::vector<float> single = as_f32(x);
      for (std::size_t n = 0; n < 37; ++n) {
        EXPECT_EQ(predictor.predict(row_of(x, n, features)), want.classes[n]);
        EXPECT_EQ(predictor.predict(row_of(single, n, features)), want.classes[n]);
      }
    }
  }
}

// A sample alone gives a class only. Its score's bits show where another class ties with it, or is ahead or behind by
// the least there is.
void CentredPredictorTest::alone_as_in_a_batch(std::size_t features, std::size_t classes) {
  Rng rng(features * 1000 + classes);
  constexpr std::size_t kRows = 2;
  GuardedBuffer wide_buffer, narrow_buffer;
  for (const bool centred : {false, true}) {
    const FarValues values(rng, kRows, features);
    // Rows end where nothing may be read.
    auto* wide = wide_buffer.ending_at_guard<double>(kRows * features, 0);
    auto* narrow = narrow_buffer.ending_at_guard<float>(kRows * features, 0);
    for (std::size_t i = 0; i < kRows * features; ++i) {
      wide[i] = centred ? values.x[i] : values.x[i] - values.centre[i % features];
      narrow[i] = static_cast<float>(wide[i]);
    }
    Model model = make_model(rng, features, classes);
    if (centred) model.centre = values.centre;
    const std::size_t target = rng.below(classes), rival = target == 0 ? classes - 1 : target - 1;
    if (classes > 1) {
      for (std::size_t c = 0; c < classes; ++c) model.bias[c] = c == target ? 0 : -1e9f;
      std::fill_n(&model.weight[rival * features], features, 0.0f);
    }
    const Answers in_wide = predict(model, {wide, kRows, features}),
                  in_narrow = predict(model, {narrow, kRows, features});
    for (std::size_t n = 0; n < kRows; ++n) {
      for (const bool is_wide : {true, false}) {
        const float score = (is_wide ? in_wide : in_narrow).logits[n * model.rows() + target];
        for (const float towards : {-kInf<float>, score, kInf<float>}) {
          Model tied = model;
          if (classes == 1) {
            tied.bias[0] = std::nextafter(model.bias[0] - score, towards);
          } else {
            tied.bias[rival] = std::nextafter(score, towards);
          }
          SCOPED_TRACE(text(features, " features, ", classes, " classes, ", centred ? "centred, " : "",
                            is_wide ? "f64" : "f32", ", row ", n, ", towards ", towards));
          const Predictor predictor = create(tied);
          const std::int32_t alone = is_wide ? predictor.predict(std::span(wide + n * features, features))
                                             : predictor.predict(std::span(narrow + n * features, features));
          const Answers batch =
              is_wide ? predict(tied, {wide, kRows, features}) : predict(tied, {narrow, kRows, features});
          EXPECT_EQ(alone, batch.classes[n]);
          if (classes == 1) continue;
          const std::size_t ahead = towards == score ? std::min(target, rival) : towards < score ? target : rival;
          EXPECT_EQ(alone, static_cast<std::int32_t>(ahead));
        }
      }
    }
  }
}

TEST_P(CentredPredictorTest, AloneAsInABatchFewFeatures) {
  for (std::size_t features = 1; features <= 33; ++features) {
    for (std::size_t classes = 1; classes <= 40; ++classes) alone_as_in_a_batch(features, classes);
    if (HasFailure()) return;
  }
}
TEST_P(CentredPredictorTest, AloneAsInABatchManyFeatures) {
  for (const std::size_t features : {129U, 1023U, 1024U, 1025U, 2047U, 2048U, 2049U, 5000U}) {
    for (const std::size_t classes : {1U, 2U, 3U, 5U, 10U, 15U, 16U, 17U, 23U, 24U, 35U, 36U, 40U}) {
      alone_as_in_a_batch(features, classes);
    }
    if (HasFailure()) return;
  }
}
TEST_P(CentredPredictorTest, AloneAsInABatchManyClasses) {
  for (const std::size_t features : {1U, 33U, 1025U, 2049U}) alone_as_in_a_batch(features, 1000);
  alone_as_in_a_batch(1030, 1100);
}

// Also where only the difference, or its rounding to f32, leaves the range.
TEST_P(CentredPredictorTest, RowsThatAreNotFinite) {
  Rng rng(99);
  constexpr std::size_t kFeatures = 9, kRows = 12;
  constexpr double kMost = std::numeric_limits<double>::max();
  for (const std::size_t classes : {1U, 3U, 16U, 23U, 40U}) {
    for (const bool centred : {false, true}) {
      Model model = make_model(rng, kFeatures, classes);
      if (centred) {
        model.centre.assign(kFeatures, 1e9);
        model.centre[4] = -kMost;
      }
      std::vector<double> good(kRows * kFeatures);
      for (std::size_t i = 0; i < good.size(); ++i) {
        good[i] = (centred ? model.centre[i % kFeatures] : 0) + rng.between(-2, 2);
      }
      const Answers want = predict(model, {good.data(), kRows, kFeatures});
      for (const double bad : {kNaN<double>, kInf<double>, -kInf<double>, kMost, 1e300, -1e39}) {
        if (centred && bad == -1e39) continue;  // not far from feature 4's centre, which is not its own
        std::vector<double> x = good;
        x[3 * kFeatures + 4] = x[11 * kFeatures + 4] = bad;
        const Answers got = predict(model, {x.data(), kRows, kFeatures}, 2);
        const Predictor predictor = create(model);
        for (std::size_t n = 0; n < kRows; ++n) {
          SCOPED_TRACE(text(classes, " classes, ", centred, ", ", bad, ", row ", n));
          const bool is_bad = n == 3 || n == 11;
          EXPECT_EQ(got.classes[n], is_bad ? kNotFinite : want.classes[n]);
          EXPECT_EQ(predictor.predict(row_of(x, n, kFeatures)), got.classes[n]);
          EXPECT_EQ(std::isnan(got.logits[n * model.rows()]), is_bad);
          EXPECT_EQ(std::isnan(got.probabilities[n * model.classes()]), is_bad);
        }
      }
    }
  }
}

TEST_P(CentredPredictorTest, OfNothing) {
  Rng rng(100);
  Model model = make_model(rng, 3, 4);
  model.centre = {1, 2, 3};
  const Predictor predictor = create(model);
  const double x[3] = {};
  EXPECT_EQ(predictor.predict({nullptr, FeatureType::f64, 3}), kWrongSize);
  EXPECT_EQ(predictor.predict({nullptr, FeatureType::f32, 3}), kWrongSize);
  EXPECT_EQ(predictor.predict(std::span<const double>()), kWrongSize);
  EXPECT_EQ(predictor.predict(std::span(x).first(2)), kWrongSize);
  EXPECT_EQ(Predictor().predict(x), kWrongSize);
  EXPECT_TRUE(predict(model, {x, 0, 3}).classes.empty());
  model.centre.pop_back();
  Predictor kept;
  EXPECT_EQ(Predictor::create(model, GetParam(), kept).code, StatusCode::shape_mismatch);
}

}  // namespace
}  // namespace lanemax::checks
