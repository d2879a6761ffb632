// SPDX-License-Identifier: BSD-3-Clause
//
// Predictor: classes, scores, probabilities and the best k against the oracle; ties, masked classes, rows that are not
// finite; what it refuses.
#include <lanemax/predictor.hpp>

#include "tests/support/feature_types.hpp"
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

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

/// Sample n of rows that lie one right after the other.
std::span<const float> row_of(const FeaturesView& x, std::size_t n) {
  return {static_cast<const float*>(x.data) + n * x.features, x.features};
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
    out.classes = a.classes;
    out.logits = {a.logits.data(), n, model.rows()};
    out.top_classes = {a.top_classes.data(), n, top_k};
    if (model.loss != Loss::hinge) {
      out.probabilities = {a.probabilities.data(), n, classes};
      out.top_probabilities = {a.top_probabilities.data(), n, top_k};
    }
    Scratch scratch;
    a.status = predictor.predict_batch(x, threads, scratch(predictor.batch_workspace_bytes(threads)), out);
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
          judge.require(predictor.predict(row_of(arrays.batch.features, n)) == expected,
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
      const TypedFeatures columns(transposed(p.x, shape.rows, shape.features), shape.features, shape.rows, type, 5);
      const FeaturesView column_major(columns.view.data, type, shape.rows, shape.features, 1, columns.view.row_stride);
      for (const FeaturesView& view : {typed.view, column_major}) {
        const Answers got = predict(predictor, model, view, 3, 2);
        ASSERT_TRUE(got.status.ok()) << message(got.status);
        EXPECT_EQ(got.classes, want.classes);
        EXPECT_EQ(got.top_classes, want.top_classes);
        EXPECT_TRUE(same_bits(got.logits, want.logits));
        EXPECT_TRUE(same_bits(got.probabilities, want.probabilities));
      }
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
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(predictor.predict(std::span(x + i, 1)), got.classes[static_cast<std::size_t>(i)]);
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
          EXPECT_EQ(got.classes[n], is_bad ? kNotFinite : good.classes[n]);
          EXPECT_EQ(predictor.predict(row_of(arrays.batch.features, n)), got.classes[n]);
          for (std::size_t c = 0; c < model.rows(); ++c) {
            EXPECT_EQ(std::isnan(got.logits[n * model.rows() + c]), is_bad);
          }
          for (std::size_t c = 0; c < model.classes(); ++c) {
            EXPECT_EQ(std::isnan(got.probabilities[n * model.classes() + c]), is_bad);
          }
          for (std::size_t t = 0; t < top_k; ++t) {
            EXPECT_EQ(got.top_classes[n * top_k + t], is_bad ? kNotFinite : good.top_classes[n * top_k + t]);
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
      EXPECT_EQ(got.classes[0], kNotFinite) << classes << " classes, weight " << w;
      EXPECT_EQ(predictor.predict(std::span(x).first(2)), kNotFinite);
      EXPECT_TRUE(std::isnan(got.logits[0]));
      EXPECT_TRUE(std::isnan(got.probabilities[0]));
      EXPECT_EQ(got.top_classes[0], kNotFinite);
      EXPECT_EQ(got.classes[1], w > 0 ? 1 : 0);
      EXPECT_EQ(predictor.predict(std::span(x).last(2)), w > 0 ? 1 : 0);
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

/// The negative losses of rows of each class, bit for bit; alone, in a batch and on several threads.
TEST_P(PredictorTest, LogProbabilities) {
  Rng rng(97);
  for (const std::size_t rows_of_w : {1U, 2U, 7U, 17U, 26U, 1030U}) {
    for (const double scale : {1.0, 300.0}) {  // the second: probabilities that underflow, whose logarithms do not
      ProblemOptions o;
      o.loss = rows_of_w == 1 ? reference::Loss::logistic : reference::Loss::softmax;
      reference::Problem p = make_problem<float>(rng, {21, 6, rows_of_w}, o);
      for (double& w : p.w) w = static_cast<float>(w * scale);
      if (rows_of_w > 2) p.b[1] = -kInf<double>;
      const Model model = make_model(p);
      const Predictor predictor = create(model);
      const ProblemArrays<float> arrays(p);
      const std::size_t classes = model.classes();
      std::vector<float> got(21 * classes), again(got.size()), one(classes);
      for (const int threads : {1, 3}) {
        const Workspace workspace(predictor.batch_workspace_bytes(threads));
        Predictions out;
        out.log_probabilities = {threads == 1 ? got.data() : again.data(), 21, classes};
        ASSERT_TRUE(predictor.predict_batch(arrays.batch.features, threads, workspace, out).ok());
      }
      EXPECT_TRUE(same_bits(got, again));
      const Workspace workspace(predictor.workspace_bytes());
      for (std::size_t n = 0; n < 21; ++n) {
        EXPECT_GE(predictor.log_probabilities(row_of(arrays.batch.features, n), workspace, one), 0);
        EXPECT_TRUE(std::equal(one.begin(), one.end(), &got[n * classes])) << rows_of_w << ", " << n;
        EXPECT_LE(*std::ranges::max_element(one), 0.0F);
        EXPECT_GE(*std::ranges::max_element(one), -std::log(static_cast<float>(classes)) - 1e-6F);
      }
      const Workspace scratch(loss_workspace_bytes<float>(21, 6, rows_of_w, 1));
      for (std::size_t c = 0; c < std::min<std::size_t>(classes, 30); ++c) {
        const std::vector<std::int32_t> labels(21, static_cast<std::int32_t>(c));
        const Batch batch{.features = arrays.batch.features, .labels = labels};
        if (rows_of_w > 2 && c == 1) {
          for (std::size_t n = 0; n < 21; ++n) EXPECT_EQ(got[n * classes + c], -kInf<float>);
          continue;
        }
        std::vector<float> losses(21);
        LossResult result;
        const Objective objective{.loss = model.loss};
        ASSERT_TRUE(loss(objective, arrays.weights, batch, {1, GetParam()}, scratch, result, {.losses = losses}).ok());
        for (std::size_t n = 0; n < 21; ++n) {
          EXPECT_TRUE(same_bits(-losses[n], got[n * classes + c])) << rows_of_w << ", " << n << ", " << c;
        }
      }
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
    out.classes = classes;
    out.logits = {room.data(), 8, 3};
    out.probabilities = {room.data() + 24, 8, 3};
    change(out);
    Scratch scratch;
    const Status status =
        who.predict_batch(x, threads, scratch(std::max<std::size_t>(who.batch_workspace_bytes(1), 64)), out);
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
  static std::int32_t some[64];
  for (const std::size_t size : {1U, 7U, 9U}) {
    EXPECT_EQ(refuse(predictor, x, 1, [=](Predictions& out) { out.classes = {some, size}; }),
              StatusCode::shape_mismatch);
  }
  static std::int32_t top[64];
  static float top_p[64];
  for (const std::size_t k : {0U, 4U}) {
    EXPECT_EQ(refuse(predictor, x, 1, [&](Predictions& out) { out.top_classes = {top, 8, k}; }),
              StatusCode::invalid_argument);
    EXPECT_EQ(refuse(predictor, x, 1, [&](Predictions& out) { out.top_probabilities = {top_p, 8, k}; }),
              StatusCode::invalid_argument);
  }
  for (const std::size_t rows : {0U, 7U, 9U}) {
    EXPECT_EQ(refuse(predictor, x, 1, [&](Predictions& out) { out.top_classes = {top, rows, 2}; }),
              StatusCode::shape_mismatch);
    EXPECT_EQ(refuse(predictor, x, 1, [&](Predictions& out) { out.top_probabilities = {top_p, rows, 2}; }),
              StatusCode::shape_mismatch);
  }
  for (const std::size_t k : {1U, 3U}) {  // where both are given, they agree
    EXPECT_EQ(refuse(predictor, x, 1,
                     [&](Predictions& out) {
                       out.top_classes = {top, 8, k};
                       out.top_probabilities = {top_p, 8, 2};
                     }),
              StatusCode::shape_mismatch);
  }
  FeaturesView nowhere = x;
  nowhere.data = nullptr;
  EXPECT_EQ(refuse(predictor, nowhere, 1, nothing), StatusCode::invalid_argument);
  FeaturesView overlapping = x;
  overlapping.row_stride = 3;
  EXPECT_EQ(refuse(predictor, overlapping, 1, nothing), StatusCode::shape_mismatch);
  overlapping.row_stride = 0;
  EXPECT_EQ(refuse(predictor, overlapping, 1, nothing), StatusCode::shape_mismatch);

  Model hinge = model;
  hinge.loss = Loss::hinge;
  const Predictor scores = create(hinge);
  EXPECT_EQ(refuse(scores, x, 1, nothing), StatusCode::invalid_argument);
  EXPECT_EQ(refuse(scores, x, 1,
                   [](Predictions& out) {
                     out.probabilities = {};
                     out.top_probabilities = {top_p, 8, 2};
                   }),
            StatusCode::invalid_argument);

  Predictions out;
  std::vector<std::int32_t> classes(8);
  out.classes = classes;
  Scratch scratch;
  const std::size_t bytes = predictor.batch_workspace_bytes(1);
  const std::span<std::byte> good = scratch(bytes);
  EXPECT_EQ(predictor.predict_batch(x, 1, {}, out).code, StatusCode::workspace_too_small);
  EXPECT_EQ(predictor.predict_batch(x, 1, good.first(bytes - 1), out).code, StatusCode::workspace_too_small);
  EXPECT_TRUE(predictor.predict_batch(x, 1, good, out).ok());

  // A predictor keeps what it had when it cannot be made anew; one that was never made has no answers.
  Predictor kept = create(model);
  model.weight[2] = kNaN<float>;
  EXPECT_EQ(Predictor::create(model, GetParam(), kept).code, StatusCode::not_finite);
  EXPECT_EQ(kept.classes(), 3U);
  EXPECT_EQ(Predictor().predict(row_of(x, 0)), kWrongSize);
  EXPECT_EQ(predictor.predict({nullptr, FeatureType::f32, 4}), kWrongSize);
}

// Scratch memory may begin anywhere, and nothing beside it is touched.
TEST_P(PredictorTest, AnyAddressOfTheWorkspaceWillDo) {
  Rng rng(97);
  for (const std::size_t classes : {3U, 40U}) {
    const reference::Problem p = make_problem<float>(rng, {50, 4, classes}, {});
    const Predictor predictor = create(make_model(p));
    const ProblemArrays<float> arrays(p);
    const std::size_t bytes = predictor.batch_workspace_bytes(1);
    std::vector<float> want, got(50 * classes);
    for (const std::size_t offset : {0U, 1U, 4U, 32U, 63U}) {
      OffsetScratch room(bytes, offset);
      Predictions out;
      out.probabilities = {got.data(), 50, classes};
      ASSERT_TRUE(predictor.predict_batch(arrays.batch.features, 1, room, out).ok());
      if (offset == 0) want = got;
      EXPECT_TRUE(same_bits(got, want)) << offset;
      EXPECT_TRUE(room.untouched_around()) << offset;
    }
  }
}

// ---- one sample ----

/// What the calls on one sample must leave alone lies around what they write.
class OneSample {
 public:
  explicit OneSample(const Predictor& predictor)
      : predictor_(predictor), workspace_(scratch_(predictor.workspace_bytes())) {}

  /// Each call's answer for sample n of the batch, against that batch's.
  void expect_same(const SampleView& sample, std::size_t n, const Model& model, const Answers& batch,
                   std::size_t top_k) {
    const std::size_t classes = model.classes();
    const auto part = [n](const auto& values, std::size_t size) {
      using V = typename std::decay_t<decltype(values)>;
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(n * size);
      return V(first, first + static_cast<std::ptrdiff_t>(size));
    };
    EXPECT_EQ(predictor_.predict(sample), batch.classes[n]);
    std::vector<float>& z = prepare(floats_, model.rows());
    EXPECT_EQ(predictor_.logits(sample, inside(z)), batch.classes[n]);
    expect_bits(z, part(batch.logits, model.rows()), "logits");
    for (const std::size_t k : {std::size_t{1}, top_k}) {
      for (const bool with_probabilities : {false, true}) {
        if (with_probabilities && model.loss == Loss::hinge) continue;
        std::vector<std::int32_t>& top = prepare(integers_, k);
        std::vector<float>& p = prepare(floats_, with_probabilities ? k : 0);
        EXPECT_EQ(predictor_.top_k(sample, workspace_, inside(top), inside(p)), batch.classes[n]);
        std::vector<std::int32_t> want = part(batch.top_classes, top_k);
        want.resize(k);
        EXPECT_EQ(contents(top), want) << k << " best";
        std::vector<float> want_p = part(batch.top_probabilities, top_k);
        want_p.resize(k);
        if (with_probabilities) expect_bits(p, want_p, "best probabilities");
      }
    }
    if (model.loss == Loss::hinge) return;
    std::vector<float>& p = prepare(floats_, classes);
    EXPECT_EQ(predictor_.probabilities(sample, workspace_, inside(p)), batch.classes[n]);
    expect_bits(p, part(batch.probabilities, classes), "probabilities");
    std::ranges::fill(p, static_cast<float>(kUntouched));
    EXPECT_EQ(predictor_.log_probabilities(sample, workspace_, inside(p)), batch.classes[n]);
    for (std::size_t c = 0; c < classes; ++c) EXPECT_EQ(std::isnan(inside(p)[c]), batch.classes[n] < 0);
  }

  /// All refuse the sample and write nothing.
  void expect_wrong_size(const SampleView& sample, std::size_t scores, std::size_t classes) {
    EXPECT_EQ(predictor_.predict(sample), kWrongSize);
    expect_logits_refused(sample, scores);
    expect_probabilities_refused(sample, workspace_, classes);
    expect_top_k_refused(sample, workspace_, 1, 1);
    expect_top_k_refused(sample, workspace_, 1, 0);
  }
  void expect_logits_refused(const SampleView& sample, std::size_t size) {
    std::vector<float>& z = prepare(floats_, size);
    EXPECT_EQ(predictor_.logits(sample, inside(z)), kWrongSize) << size;
    EXPECT_TRUE(untouched(z)) << size;
  }
  void expect_probabilities_refused(const SampleView& sample, std::span<std::byte> workspace, std::size_t size) {
    std::vector<float>& p = prepare(floats_, size);
    EXPECT_EQ(predictor_.probabilities(sample, workspace, inside(p)), kWrongSize) << size;
    EXPECT_EQ(predictor_.log_probabilities(sample, workspace, inside(p)), kWrongSize) << size;
    EXPECT_TRUE(untouched(p)) << size;
  }
  void expect_top_k_refused(const SampleView& sample, std::span<std::byte> workspace, std::size_t k,
                            std::size_t probabilities) {
    std::vector<std::int32_t>& top = prepare(integers_, k);
    std::vector<float>& p = prepare(floats_, probabilities);
    EXPECT_EQ(predictor_.top_k(sample, workspace, inside(top), inside(p)), kWrongSize) << k << ", " << probabilities;
    EXPECT_TRUE(untouched(top) && untouched(p)) << k << ", " << probabilities;
  }
  [[nodiscard]] std::span<std::byte> workspace() const { return workspace_; }

 private:
  static constexpr std::size_t kAround = 16;  // entries before and behind
  template <class T>
  static constexpr T kUnset = static_cast<T>(777);

  template <class T>
  static std::vector<T>& prepare(std::vector<T>& room, std::size_t size) {
    room.assign(size + 2 * kAround, kUnset<T>);
    return room;
  }
  template <class T>
  static std::span<T> inside(std::vector<T>& room) {
    return std::span(room).subspan(kAround, room.size() - 2 * kAround);
  }
  template <class T>
  static std::vector<T> contents(std::vector<T>& room) {
    for (std::size_t i = 0; i < kAround; ++i) {
      EXPECT_EQ(room[i], kUnset<T>) << "before its place";
      EXPECT_EQ(room[room.size() - 1 - i], kUnset<T>) << "behind its place";
    }
    const std::span<T> in = inside(room);
    return {in.begin(), in.end()};
  }
  template <class T>
  static bool untouched(const std::vector<T>& room) {
    return std::all_of(room.begin(), room.end(), [](T v) { return v == kUnset<T>; });
  }
  /// NaN is NaN, whatever its bits.
  static void expect_bits(std::vector<float>& room, const std::vector<float>& want, const char* what) {
    const std::vector<float> got = contents(room);
    ASSERT_EQ(got.size(), want.size()) << what;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE((std::isnan(got[i]) && std::isnan(want[i])) || same_bits(got[i], want[i]))
          << what << ' ' << i << ": " << got[i] << ", in the batch " << want[i];
    }
  }

  const Predictor& predictor_;
  Scratch scratch_;
  std::span<std::byte> workspace_;
  std::vector<float> floats_;
  std::vector<std::int32_t> integers_;
};

/// Class-major and panel layouts, whole panels and not; the last ones need the workspace.
struct OneSampleShape {
  reference::Loss loss;
  std::size_t features, classes;
};
constexpr OneSampleShape kOneSampleShapes[] = {
    {reference::Loss::softmax, 1, 1},     {reference::Loss::softmax, 7, 2},    {reference::Loss::softmax, 20, 10},
    {reference::Loss::softmax, 30, 16},   {reference::Loss::softmax, 9, 17},   {reference::Loss::softmax, 9, 24},
    {reference::Loss::softmax, 9, 35},    {reference::Loss::softmax, 9, 36},   {reference::Loss::softmax, 1025, 40},
    {reference::Loss::softmax, 2050, 10}, {reference::Loss::softmax, 5, 1024}, {reference::Loss::softmax, 5, 1030},
    {reference::Loss::softmax, 6, 4096},  {reference::Loss::softmax, 6, 4097}, {reference::Loss::softmax, 7, 5000},
    {reference::Loss::hinge, 7, 2},       {reference::Loss::hinge, 20, 17},    {reference::Loss::hinge, 20, 40},
    {reference::Loss::hinge, 7, 5000},    {reference::Loss::logistic, 1, 1},   {reference::Loss::logistic, 33, 1},
    {reference::Loss::logistic, 1025, 1}};

TEST_P(PredictorTest, OneSampleIsARowOfABatch) {
  Rng rng(98);
  for (const OneSampleShape& shape : kOneSampleShapes) {
    constexpr std::size_t kRows = 7;
    ProblemOptions o;
    o.loss = shape.loss;
    reference::Problem p = make_problem<float>(rng, {kRows, shape.features, shape.classes}, o);
    for (double& x : p.x) x = static_cast<double>(rng.below(256));
    for (const bool centred : {false, true}) {
      Model model = make_model(p);
      for (std::size_t d = 0; centred && d < shape.features; ++d) model.centre.push_back(rng.between(100, 200));
      const Predictor predictor = create(model);
      EXPECT_EQ(predictor.workspace_bytes() == 0, shape.classes <= 4096) << shape.classes;
      EXPECT_EQ(predictor.scores(), shape.classes);
      const std::size_t top_k = std::min<std::size_t>(model.classes(), 5);
      OneSample one(predictor);
      for (const FeatureType type : kAllFeatureTypes) {
        const TypedFeatures typed(p.x, kRows, shape.features, type, 3);
        const Answers batch = predict(predictor, model, typed.view, top_k);
        ASSERT_TRUE(batch.status.ok()) << message(batch.status);
        for (std::size_t n = 0; n < kRows; ++n) {
          SCOPED_TRACE(text(describe({kRows, shape.features, shape.classes}, o), centred ? ", centred" : "", ", type ",
                            static_cast<int>(type), ", row ", n));
          one.expect_same({typed.view.rows(n, 1).data, type, shape.features}, n, model, batch, top_k);
        }
      }
      // Vectors, arrays and spans know their length and type; values that f32 rounds.
      std::vector<double> wide(shape.features);
      for (double& v : wide) v = rng.between(-2, 2) + (centred ? 150 : 0);
      const std::vector<float> narrow(wide.begin(), wide.end());
      const std::vector<std::uint8_t> bytes(shape.features, 200);
      SCOPED_TRACE(text(describe({kRows, shape.features, shape.classes}, o), centred ? ", centred" : ""));
      one.expect_same(wide, 0, model, predict(predictor, model, {wide.data(), 1, shape.features}, top_k), top_k);
      one.expect_same(narrow, 0, model, predict(predictor, model, {narrow.data(), 1, shape.features}, top_k), top_k);
      one.expect_same(bytes, 0, model, predict(predictor, model, {bytes.data(), 1, shape.features}, top_k), top_k);
      if (HasFailure()) return;
    }
  }
}

TEST_P(PredictorTest, OneSampleOfTies) {
  for (const OneSampleShape& shape : kOneSampleShapes) {
    reference::Problem p;
    p.loss = shape.loss;
    p.rows = 1;
    p.features = shape.features;
    p.classes = shape.classes;
    const std::size_t classes = shape.classes, top_k = std::min<std::size_t>(classes, 6);
    const bool logistic = shape.loss == reference::Loss::logistic;
    p.w.assign(classes * shape.features, 0);
    p.b.assign(classes, 0);
    // All equal; all from one class on; every third; the last of the first panel with the first of the second.
    for (int kind = 0; kind < 4; ++kind) {
      for (std::size_t c = 0; c < classes && !logistic; ++c) {
        const bool best[] = {true, c >= classes / 2, c % 3 == 2, c == 15 || c == 16};
        p.b[c] = best[kind] ? 2 : -1;
      }
      const Model model = make_model(p);
      const Predictor predictor = create(model);
      const std::vector<float> x(shape.features, 1.0f);
      const std::size_t k = logistic ? 2 : top_k;
      const Answers batch = predict(predictor, model, {x.data(), 1, shape.features}, k);
      ASSERT_TRUE(batch.status.ok());
      std::size_t first = 0;
      while (!logistic && first + 1 < classes && p.b[first] < 2) ++first;
      if (!logistic && p.b[first] < 2) first = 0;
      SCOPED_TRACE(text(shape.classes, " classes, ", shape.features, " features, kind ", kind));
      EXPECT_EQ(batch.classes[0], static_cast<std::int32_t>(first));
      OneSample(predictor).expect_same(x, 0, model, batch, k);
    }
  }
}

TEST_P(PredictorTest, OneSampleThatIsNotFinite) {
  Rng rng(99);
  for (const OneSampleShape& shape : kOneSampleShapes) {
    ProblemOptions o;
    o.loss = shape.loss;
    const reference::Problem p = make_problem<float>(rng, {1, shape.features, shape.classes}, o);
    const Model model = make_model(p);
    const Predictor predictor = create(model);
    const std::size_t top_k = std::min<std::size_t>(model.classes(), 3);
    OneSample one(predictor);
    for (const double bad : {kNaN<double>, kInf<double>, -kInf<double>}) {
      for (const std::size_t at : {std::size_t{0}, shape.features - 1}) {
        std::vector<double> wide(p.x);
        wide[at] = bad;
        const std::vector<float> narrow(wide.begin(), wide.end());
        SCOPED_TRACE(text(describe({1, shape.features, shape.classes}, o), ", ", bad, " at ", at));
        const Answers in_wide = predict(predictor, model, {wide.data(), 1, shape.features}, top_k),
                      in_narrow = predict(predictor, model, {narrow.data(), 1, shape.features}, top_k);
        EXPECT_EQ(in_wide.classes[0], kNotFinite);
        EXPECT_EQ(in_narrow.classes[0], kNotFinite);
        one.expect_same(wide, 0, model, in_wide, top_k);
        one.expect_same(narrow, 0, model, in_narrow, top_k);
      }
    }
    // It leaves nothing behind for the next one.
    const std::vector<float> good(p.x.begin(), p.x.end());
    const Answers batch = predict(predictor, model, {good.data(), 1, shape.features}, top_k);
    EXPECT_GE(batch.classes[0], 0);
    one.expect_same(good, 0, model, batch, top_k);
  }
}

TEST_P(PredictorTest, OneSampleWithMaskedClasses) {
  Rng rng(100);
  for (const std::size_t classes : {3U, 17U, 26U, 40U, 1030U, 5000U}) {
    reference::Problem p = make_problem<float>(rng, {5, 6, classes}, {});
    for (std::size_t c = 0; c + 1 < classes; c += 2) p.b[c] = -kInf<double>;
    const Model model = make_model(p);
    const Predictor predictor = create(model);
    const std::size_t top_k = std::min<std::size_t>(classes, 4);  // of three, one is left to choose from
    const ProblemArrays<float> arrays(p);
    const Answers batch = predict(predictor, model, arrays.batch.features, top_k);
    OneSample one(predictor);
    for (std::size_t n = 0; n < 5; ++n) {
      SCOPED_TRACE(text(classes, " classes, row ", n));
      one.expect_same(row_of(arrays.batch.features, n), n, model, batch, top_k);
    }
  }
}

TEST_P(PredictorTest, OneSampleOfTheWrongSize) {
  Rng rng(101);
  for (const OneSampleShape& shape : kOneSampleShapes) {
    ProblemOptions o;
    o.loss = shape.loss;
    const reference::Problem p = make_problem<float>(rng, {1, shape.features, shape.classes}, o);
    const Model model = make_model(p);
    const Predictor predictor = create(model);
    const std::size_t scores = model.rows(), classes = model.classes();
    const bool hinge = model.loss == Loss::hinge;
    OneSample one(predictor);
    SCOPED_TRACE(describe({1, shape.features, shape.classes}, o));
    const std::vector<float> x(shape.features + 1, 0.5f);
    const std::vector<double> wide(x.begin(), x.end());
    const std::vector<std::uint8_t> bytes(x.size(), 1);
    for (const std::size_t size : {std::size_t{0}, shape.features - 1, shape.features + 1}) {
      one.expect_wrong_size(std::span(x).first(size), scores, classes);
      one.expect_wrong_size(std::span(wide).first(size), scores, classes);
      one.expect_wrong_size(std::span(bytes).first(size), scores, classes);
    }
    one.expect_wrong_size({nullptr, FeatureType::f32, shape.features}, scores, classes);

    const SampleView good = std::span(x).first(shape.features);
    const std::span<std::byte> workspace = one.workspace();
    for (const std::size_t size : {std::size_t{0}, scores - 1, scores + 1}) one.expect_logits_refused(good, size);
    for (const std::size_t size : {std::size_t{0}, classes - 1, classes + 1}) {
      one.expect_probabilities_refused(good, workspace, size);
    }
    one.expect_top_k_refused(good, workspace, 0, 0);
    one.expect_top_k_refused(good, workspace, classes + 1, 0);
    one.expect_top_k_refused(good, workspace, classes + 1, classes + 1);
    one.expect_top_k_refused(good, workspace, 1, 2);
    if (classes > 1) one.expect_top_k_refused(good, workspace, 2, 1);
    if (hinge) {
      one.expect_probabilities_refused(good, workspace, classes);
      one.expect_top_k_refused(good, workspace, 1, 1);
    }
    if (classes > 4096) {
      for (const std::size_t size : {std::size_t{0}, std::size_t{64}, workspace.size() - 64}) {
        if (!hinge) one.expect_probabilities_refused(good, workspace.first(size), classes);
        one.expect_top_k_refused(good, workspace.first(size), 1, 0);
      }
    }
    // As many as there are is no wrong size; nor is a workspace that is not needed.
    std::vector<std::int32_t> all(classes);
    std::vector<float> p_all(hinge ? 0 : classes);
    EXPECT_GE(predictor.top_k(good, workspace, all, p_all), 0);
    std::vector<std::byte> needless(100);
    if (classes <= 4096) {
      EXPECT_EQ(predictor.top_k(good, std::span(needless).subspan(1), all, p_all), all[0]);
    }
    std::sort(all.begin(), all.end());
    for (std::size_t c = 0; c < classes; ++c) ASSERT_EQ(all[c], static_cast<std::int32_t>(c));
  }
  const Predictor none;
  EXPECT_EQ(none.workspace_bytes(), 0U);
  EXPECT_EQ(none.batch_workspace_bytes(3), 0U);
  EXPECT_EQ(none.features() + none.classes() + none.scores(), 0U);
  EXPECT_TRUE(none.label(0).empty());
  OneSample(none).expect_wrong_size(std::vector<float>(3), 0, 0);
  OneSample(none).expect_wrong_size(std::vector<float>(), 0, 0);
}

// The workspace of one sample may begin anywhere, and nothing beside it is touched.
TEST_P(PredictorTest, OneSampleInAnyWorkspace) {
  Rng rng(102);
  const reference::Problem p = make_problem<float>(rng, {1, 7, 5000}, {});
  const Model model = make_model(p);
  const Predictor predictor = create(model);
  const std::vector<float> x(p.x.begin(), p.x.end());
  const std::size_t bytes = predictor.workspace_bytes();
  std::vector<float> want(5000), got(5000);
  Scratch scratch;
  const std::int32_t chosen = predictor.probabilities(x, scratch(bytes), want);
  ASSERT_GE(chosen, 0);
  for (const std::size_t offset : {0U, 1U, 4U, 32U, 63U}) {
    OffsetScratch room(bytes, offset);
    const std::span<std::byte> workspace = room;
    EXPECT_EQ(predictor.probabilities(x, workspace, got), chosen);
    EXPECT_TRUE(same_bits(got, want)) << offset;
    std::int32_t best[3] = {};
    EXPECT_EQ(predictor.top_k(x, workspace, best, {}), chosen);
    EXPECT_EQ(best[0], chosen);
    EXPECT_TRUE(room.untouched_around()) << offset;
  }
}

TEST_P(PredictorTest, Labels) {
  Rng rng(103);
  ProblemOptions o;
  for (const reference::Loss loss : {reference::Loss::softmax, reference::Loss::logistic}) {
    o.loss = loss;
    Model model = make_model(make_problem<float>(rng, {1, 4, loss == reference::Loss::logistic ? 1U : 3U}, o));
    const std::vector<std::string> names = model.class_labels;
    const Predictor predictor = create(model);
    model.class_labels.clear();
    for (std::size_t c = 0; c < names.size(); ++c) EXPECT_EQ(predictor.label(static_cast<std::int32_t>(c)), names[c]);
    for (const std::int32_t none :
         {kNotFinite, kWrongSize, static_cast<std::int32_t>(names.size()), std::numeric_limits<std::int32_t>::max(),
          std::numeric_limits<std::int32_t>::min()}) {
      EXPECT_TRUE(predictor.label(none).empty()) << none;
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
