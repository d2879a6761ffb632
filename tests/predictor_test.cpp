// SPDX-License-Identifier: BSD-3-Clause
//
// Predictor: classes, scores, probabilities and the best k against the oracle; ties, masked classes, rows that are not
// finite; what it refuses.
#include <lanemax/predictor.hpp>

#include "tests/support/feature_types.hpp"
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <functional>

namespace lanemax::checks {
namespace {

Model make_model(const reference::Problem& p) {
  Model model;
  model.loss = p.loss == reference::Loss::softmax ? Loss::softmax
               : p.loss == reference::Loss::hinge ? Loss::hinge
                                                  : Loss::logistic;
  model.features = p.features;
  model.weight.assign(p.w.begin(), p.w.end());
  model.bias.assign(p.b.begin(), p.b.end());
  const std::size_t labels = model.loss == Loss::logistic ? 2 : p.classes;
  for (std::size_t c = 0; c < labels; ++c) model.class_labels.push_back("class " + std::to_string(c));
  return model;
}

/// All that predict_batch() can give.
struct Answers {
  Status status;
  std::vector<std::int32_t> classes, top_classes;
  std::vector<float> logits, probabilities, top_probabilities;
};

class PredictorTest : public IsaTest {
 protected:
  [[nodiscard]] Predictor create(const Model& model) const {
    Predictor predictor;
    const Status status = Predictor::create(model, GetParam(), predictor);
    EXPECT_TRUE(status.ok()) << message(status);
    return predictor;
  }
  [[nodiscard]] static Answers predict(const Predictor& predictor, const Model& model, const FeaturesView& x,
                                       std::size_t top_k, int threads = 1) {
    const std::size_t n = x.samples, classes = model.classes();
    const auto none = static_cast<float>(kUntouched);
    Answers a{{},
              std::vector<std::int32_t>(n, 777),
              std::vector<std::int32_t>(n * top_k, 777),
              std::vector<float>(n * model.rows(), none),
              std::vector<float>(n * classes, none),
              std::vector<float>(n * top_k, none)};
    Predictions out;
    out.classes = a.classes.data();
    out.logits = {a.logits.data(), n, model.rows()};
    out.top_classes = a.top_classes.data();
    out.top_k = top_k;
    if (model.loss != Loss::hinge) {
      out.probabilities = {a.probabilities.data(), n, classes};
      out.top_probabilities = a.top_probabilities.data();
    }
    Scratch scratch;
    a.status = predictor.predict_batch(x, scratch(predictor.workspace_bytes(threads)), threads, out);
    return a;
  }
};
INSTANTIATE_PER_ISA(PredictorTest);

TEST_P(PredictorTest, AgainstTheOracle) {
  constexpr Real kMax = std::numeric_limits<float>::max();
  const reference::Arithmetic arithmetic = reference::arithmetic_of<float>();
  Rng rng(91);
  Judge judge;
  for (const reference::Loss loss : {reference::Loss::softmax, reference::Loss::hinge, reference::Loss::logistic}) {
    for (const Shape shape :
         {Shape{40, 7, 2}, Shape{40, 100, 10}, Shape{33, 3, 15}, Shape{40, 20, 16}, Shape{33, 30, 17}, Shape{21, 9, 23},
          Shape{20, 130, 23}, Shape{20, 11, 24}, Shape{21, 40, 33}, Shape{17, 140, 33}, Shape{17, 12, 35},
          Shape{9, 14, 36}, Shape{25, 11, 70}, Shape{9, 5, 1023}, Shape{9, 5, 1024}, Shape{9, 5, 1025},
          Shape{5, 6, 2500}, Shape{1, 1, 3}}) {
      ProblemOptions o;
      o.loss = loss;
      Shape s = shape;
      if (loss == reference::Loss::logistic) s.classes = 1;
      const reference::Problem p = make_problem<float>(rng, s, o);
      const reference::Solution want = reference::solve(p, arithmetic);
      const Model model = make_model(p);
      const Predictor predictor = create(model);
      EXPECT_EQ(predictor.features(), s.features);
      EXPECT_EQ(predictor.classes(), model.classes());
      const ProblemArrays<float> arrays(p);
      const std::size_t classes = model.classes(), top_k = std::min<std::size_t>(classes, 5);
      for (const int threads : {1, 3}) {
        const Answers got = predict(predictor, model, arrays.batch.features, top_k, threads);
        const auto name = [&] { return describe(s, o); };
        judge.require(got.status.ok(), [&] { return text(name(), ": ", message(got.status)); });
        for (std::size_t i = 0; i < got.logits.size(); ++i) {
          judge.close(got.logits[i], want.logits[i], kMax, [&] { return text(name(), ": logit ", i); });
        }
        for (std::size_t n = 0; n < s.rows && judge.ok(); ++n) {
          const float* z = &got.logits[n * model.rows()];
          const float* prob = &got.probabilities[n * classes];
          const std::int32_t* top = &got.top_classes[n * top_k];
          // The class follows from the scores: the first of the largest.
          const std::int32_t expected = loss == reference::Loss::logistic
                                            ? (z[0] > 0 ? 1 : 0)
                                            : static_cast<std::int32_t>(std::max_element(z, z + classes) - z);
          judge.require(got.classes[n] == expected, [&] { return text(name(), ": class of ", n); });
          judge.require(top[0] == expected, [&] { return text(name(), ": best of ", n); });
          // Best first, and nothing left out is better than the last.
          const auto score = [&](std::int32_t c) {
            return loss == reference::Loss::logistic ? (c == 1 ? z[0] : -z[0]) : z[c];
          };
          std::vector<char> listed(classes);
          for (std::size_t t = 0; t < top_k; ++t) {
            if (t > 0)
              judge.require(score(top[t - 1]) >= score(top[t]), [&] { return text(name(), ": order of ", n); });
            judge.require(listed[static_cast<std::size_t>(top[t])] == 0,
                          [&] { return text(name(), ": twice in ", n); });
            listed[static_cast<std::size_t>(top[t])] = 1;
          }
          for (std::size_t c = 0; c < classes; ++c) {
            if (listed[c] == 0) {
              judge.require(score(static_cast<std::int32_t>(c)) <= score(top[top_k - 1]),
                            [&] { return text(name(), ": left out of ", n); });
            }
          }
          if (loss == reference::Loss::hinge) {
            judge.require(got.probabilities[n * classes] == static_cast<float>(kUntouched), [&] { return name(); });
            continue;
          }
          Real sum = 0;
          for (std::size_t c = 0; c < classes; ++c) {
            sum += prob[c];
            if (loss == reference::Loss::softmax) {
              judge.close(prob[c], want.probabilities[n * classes + c], kMax,
                          [&] { return text(name(), ": probability ", n, ", ", c); });
            }
          }
          if (loss == reference::Loss::logistic) {
            const Estimate one = want.probabilities[n], zero = {1 - one.value, one.bound + 2 * arithmetic.u};
            judge.close(prob[1], one, kMax, [&] { return text(name(), ": probability 1 of ", n); });
            judge.close(prob[0], zero, kMax, [&] { return text(name(), ": probability 0 of ", n); });
          }
          judge.require(std::fabs(sum - 1) < 1e-6L, [&] { return text(name(), ": sum ", sum); });
          for (std::size_t t = 0; t < top_k; ++t) {
            judge.same(got.top_probabilities[n * top_k + t], prob[top[t]], [&] { return text(name(), ": top ", t); });
          }
          judge.require(
              predictor.predict(static_cast<const float*>(arrays.batch.features.data) + n * s.features) == expected,
              [&] { return text(name(), ": class of ", n, " alone"); });
        }
      }
    }
  }
  expect_ok(judge.finish(0.5));
}

TEST_P(PredictorTest, FeatureTypesAndStrides) {
  Rng rng(92);
  for (const Shape shape : {Shape{37, 20, 6}, Shape{37, 9, 21}, Shape{37, 9, 26}}) {
    reference::Problem p = make_problem<float>(rng, shape, {});
    for (double& x : p.x) x = static_cast<double>(rng.below(256));
    const Model model = make_model(p);
    const Predictor predictor = create(model);
    const ProblemArrays<float> arrays(p);
    const Answers want = predict(predictor, model, arrays.batch.features, 3);
    for (const FeatureType type : kAllFeatureTypes) {
      const TypedFeatures typed(p.x, shape.rows, shape.features, type, 5);
      const Answers got = predict(predictor, model, typed.view, 3, 2);
      ASSERT_TRUE(got.status.ok()) << message(got.status);
      EXPECT_EQ(got.classes, want.classes);
      EXPECT_EQ(got.top_classes, want.top_classes);
      EXPECT_TRUE(same_bits(got.logits, want.logits));
      EXPECT_TRUE(same_bits(got.probabilities, want.probabilities));
    }
  }
}

TEST_P(PredictorTest, TiesGoToTheLowestIndex) {
  for (const std::size_t classes : {2U, 5U, 16U, 17U, 26U, 35U, 1030U}) {
    reference::Problem p;
    p.rows = 1;
    p.features = 2;
    p.classes = classes;
    p.x = {1, 1};
    p.w.assign(classes * 2, 0.5);
    p.b.assign(classes, 0);
    const float x[] = {1, 1};
    for (std::size_t first = 0; first < classes; first += std::max<std::size_t>(1, classes / 7)) {
      for (std::size_t c = 0; c < classes; ++c) p.b[c] = c < first ? -1 : 2;  // all from `first` on are equal and best
      const Model model = make_model(p);
      const Predictor predictor = create(model);
      EXPECT_EQ(predictor.predict(x), static_cast<std::int32_t>(first)) << classes;
      const std::size_t top_k = std::min<std::size_t>(classes, 4);
      const Answers got = predict(predictor, model, {x, 1, 2}, top_k);
      EXPECT_EQ(got.classes[0], static_cast<std::int32_t>(first));
      for (std::size_t t = 0; t < std::min(top_k, classes - first); ++t) {
        EXPECT_EQ(got.top_classes[t], static_cast<std::int32_t>(first + t));
      }
    }
  }
}

TEST_P(PredictorTest, LogisticTieIsTheNegativeClass) {
  reference::Problem p;
  p.loss = reference::Loss::logistic;
  p.rows = p.features = p.classes = 1;
  p.x = {1};
  p.w = {1};
  p.b = {-1};
  const Model model = make_model(p);
  const Predictor predictor = create(model);
  const float x[] = {1, 1.5f, 0.5f};
  const Answers got = predict(predictor, model, {x, 3, 1}, 2);
  EXPECT_EQ(got.classes, (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_EQ(got.top_classes, (std::vector<std::int32_t>{0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(got.probabilities[0], 0.5f);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(predictor.predict(x + i), got.classes[static_cast<std::size_t>(i)]);
}

TEST_P(PredictorTest, RowsThatAreNotFinite) {
  Rng rng(93);
  for (const std::size_t classes : {1U, 3U, 16U, 23U, 35U, 40U, 1100U}) {
    ProblemOptions o;
    if (classes == 1) o.loss = reference::Loss::logistic;
    reference::Problem p = make_problem<float>(rng, {20, 9, classes}, o);
    for (int sign : {0, 1}) {  // weights of either sign, and of one
      if (sign == 1) {
        for (double& w : p.w) w = std::fabs(w) + 0.25;
      }
      const Model model = make_model(p);
      const Predictor predictor = create(model);
      const std::size_t top_k = std::min<std::size_t>(model.classes(), 3);
      const Answers good = predict(predictor, model, ProblemArrays<float>(p).batch.features, top_k);
      for (const double bad : {kNaN<double>, kInf<double>, -kInf<double>}) {
        reference::Problem q = p;
        q.x[7 * 9 + 4] = q.x[19 * 9] = bad;
        const ProblemArrays<float> arrays(q);
        const Answers got = predict(predictor, model, arrays.batch.features, top_k, 2);
        ASSERT_TRUE(got.status.ok());
        for (std::size_t n = 0; n < 20; ++n) {
          const bool is_bad = n == 7 || n == 19;
          SCOPED_TRACE(text(classes, " classes, ", bad, " sign ", sign, " row ", n));
          EXPECT_EQ(got.classes[n], is_bad ? -1 : good.classes[n]);
          EXPECT_EQ(predictor.predict(static_cast<const float*>(arrays.batch.features.data) + n * 9), got.classes[n]);
          for (std::size_t c = 0; c < model.rows(); ++c) {
            EXPECT_EQ(std::isnan(got.logits[n * model.rows() + c]), is_bad);
          }
          for (std::size_t c = 0; c < model.classes(); ++c) {
            EXPECT_EQ(std::isnan(got.probabilities[n * model.classes() + c]), is_bad);
          }
          for (std::size_t t = 0; t < top_k; ++t) {
            EXPECT_EQ(got.top_classes[n * top_k + t], is_bad ? -1 : good.top_classes[n * top_k + t]);
            EXPECT_EQ(std::isnan(got.top_probabilities[n * top_k + t]), is_bad);
          }
        }
      }
    }
  }
}

// Finite rows whose scores leave the range of f32, to either side, have no answer.
TEST_P(PredictorTest, ScoresThatOverflow) {
  for (const std::size_t classes : {3U, 20U, 26U}) {
    for (const double w : {-1e10, 1e10}) {
      reference::Problem p;
      p.rows = 2;
      p.features = 2;
      p.classes = classes;
      p.x = {1e30, 1e30, 1, 1};
      p.w.assign(classes * 2, 0.5);
      p.w[2] = p.w[3] = static_cast<double>(static_cast<float>(w));  // one class only
      p.b.assign(classes, 0);
      const Model model = make_model(p);
      const Predictor predictor = create(model);
      const std::vector<float> x = {1e30f, 1e30f, 1, 1};
      const Answers got = predict(predictor, model, {x.data(), 2, 2}, 2);
      EXPECT_EQ(got.classes[0], -1) << classes << " classes, weight " << w;
      EXPECT_EQ(predictor.predict(x.data()), -1);
      EXPECT_TRUE(std::isnan(got.logits[0]));
      EXPECT_TRUE(std::isnan(got.probabilities[0]));
      EXPECT_EQ(got.top_classes[0], -1);
      EXPECT_EQ(got.classes[1], w > 0 ? 1 : 0);
      EXPECT_EQ(predictor.predict(x.data() + 2), w > 0 ? 1 : 0);
    }
  }
}

TEST_P(PredictorTest, MaskedClasses) {
  Rng rng(94);
  for (const std::size_t classes : {3U, 17U, 26U, 1030U}) {
    reference::Problem p = make_problem<float>(rng, {30, 6, classes}, {});
    for (std::size_t c = 0; c + 1 < classes; c += 2) p.b[c] = -kInf<double>;
    const Model model = make_model(p);
    const Predictor predictor = create(model);
    const std::size_t open = classes / 2 + 1, top_k = std::min<std::size_t>(classes, 4);
    const Answers got = predict(predictor, model, ProblemArrays<float>(p).batch.features, top_k);
    ASSERT_TRUE(got.status.ok());
    for (std::size_t n = 0; n < 30; ++n) {
      EXPECT_TRUE(got.classes[n] % 2 == 1 || got.classes[n] == static_cast<std::int32_t>(classes) - 1);
      for (std::size_t c = 0; c + 1 < classes; c += 2) EXPECT_EQ(got.probabilities[n * classes + c], 0.0f);
      for (std::size_t t = 0; t < std::min(top_k, open - 1); ++t) EXPECT_GT(got.top_probabilities[n * top_k + t], 0.0f);
    }
  }
}

TEST_P(PredictorTest, NoSamplesNoWork) {
  Rng rng(95);
  const Model model = make_model(make_problem<float>(rng, {1, 4, 3}, {}));
  const Predictor predictor = create(model);
  const float x[4] = {};
  EXPECT_TRUE(predict(predictor, model, {x, 0, 4}, 1).status.ok());
}

TEST_P(PredictorTest, Refusals) {
  Rng rng(96);
  ProblemOptions o;
  const reference::Problem p = make_problem<float>(rng, {8, 4, 3}, o);
  Model model = make_model(p);
  const Predictor predictor = create(model);
  const ProblemArrays<float> arrays(p);
  const auto refuse = [&](const Predictor& who, FeaturesView x, int threads,
                          const std::function<void(Predictions&)>& change) {
    std::vector<std::int32_t> classes(8, 777);
    std::vector<float> room(64, 7.5f);
    Predictions out;
    out.classes = classes.data();
    out.logits = {room.data(), 8, 3};
    out.probabilities = {room.data() + 24, 8, 3};
    change(out);
    Scratch scratch;
    const Status status =
        who.predict_batch(x, scratch(std::max<std::size_t>(who.workspace_bytes(1), 64)), threads, out);
    EXPECT_EQ(classes, std::vector<std::int32_t>(8, 777));
    EXPECT_EQ(room, std::vector<float>(64, 7.5f));
    return status.code;
  };
  const auto nothing = [](Predictions&) {};
  const FeaturesView x = arrays.batch.features;
  FeaturesView narrow = x;
  narrow.features = 3;
  EXPECT_EQ(refuse(predictor, narrow, 1, nothing), StatusCode::shape_mismatch);
  EXPECT_EQ(refuse(predictor, x, 0, nothing), StatusCode::invalid_argument);
  EXPECT_EQ(refuse(Predictor(), x, 1, nothing), StatusCode::invalid_argument);
  EXPECT_EQ(refuse(predictor, x, 1, [](Predictions& out) { out.logits.cols = 2; }), StatusCode::shape_mismatch);
  EXPECT_EQ(refuse(predictor, x, 1, [](Predictions& out) { out.probabilities.rows = 7; }), StatusCode::shape_mismatch);
  static std::int32_t top[64];
  for (const std::size_t k : {0U, 4U}) {
    EXPECT_EQ(refuse(predictor, x, 1,
                     [&](Predictions& out) {
                       out.top_classes = top;
                       out.top_k = k;
                     }),
              StatusCode::invalid_argument);
  }
  FeaturesView nowhere = x;
  nowhere.data = nullptr;
  EXPECT_EQ(refuse(predictor, nowhere, 1, nothing), StatusCode::invalid_argument);
  FeaturesView overlapping = x;
  overlapping.row_stride = 3;
  EXPECT_EQ(refuse(predictor, overlapping, 1, nothing), StatusCode::shape_mismatch);

  Model hinge = model;
  hinge.loss = Loss::hinge;
  const Predictor scores = create(hinge);
  EXPECT_EQ(refuse(scores, x, 1, nothing), StatusCode::invalid_argument);

  Predictions out;
  std::vector<std::int32_t> classes(8);
  out.classes = classes.data();
  Scratch scratch;
  const std::size_t bytes = predictor.workspace_bytes(1);
  const Workspace good = scratch(bytes + 64);
  EXPECT_EQ(predictor.predict_batch(x, {}, 1, out).code, StatusCode::workspace_too_small);
  EXPECT_EQ(predictor.predict_batch(x, {good.data, bytes - 1}, 1, out).code, StatusCode::workspace_too_small);
  EXPECT_EQ(predictor.predict_batch(x, {static_cast<char*>(good.data) + 4, bytes}, 1, out).code,
            StatusCode::misaligned);
  EXPECT_TRUE(predictor.predict_batch(x, good, 1, out).ok());

  // A predictor keeps what it had when it cannot be made anew; one that was never made answers -1.
  Predictor kept = create(model);
  model.weight[2] = kNaN<float>;
  EXPECT_EQ(Predictor::create(model, GetParam(), kept).code, StatusCode::not_finite);
  EXPECT_EQ(kept.classes(), 3U);
  EXPECT_EQ(Predictor().predict(static_cast<const float*>(x.data)), -1);
  EXPECT_EQ(predictor.predict(static_cast<const float*>(nullptr)), -1);
}

}  // namespace
}  // namespace lanemax::checks
