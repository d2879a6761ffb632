// SPDX-License-Identifier: BSD-3-Clause
//
// lanemax::OnlineLearner: steps are train_step()'s, classes begin when they are used, snapshots are whole models that
// stay as they are, and readers in other threads never see anything else.
#include <lanemax/lanemax.hpp>

#include "engine/online/newest_slot.hpp"
#include "tests/support/parameters.hpp"
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <atomic>
#include <map>
#include <thread>

namespace lanemax::checks {
namespace {

constexpr float kUnused = -std::numeric_limits<float>::infinity();

/// Rows of some features with labels below `classes`.
struct Rows {
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  Batch batch;

  Rows(Rng& rng, std::size_t count, std::size_t features, std::size_t classes) : x(count * features), labels(count) {
    for (float& value : x) value = static_cast<float>(rng.between(-1, 1));
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(rng.below(classes));
    batch.features = {x.data(), count, features};
    batch.labels = labels;
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
};

struct Weights {
  std::vector<float> w, b;
  explicit Weights(const OnlineLearner& learner)
      : w(learner.features() * learner.class_capacity()), b(learner.class_capacity()) {
    EXPECT_TRUE(learner.get_weights({{w.data(), b.size(), learner.features()}, b}).ok());
  }
  [[nodiscard]] WeightsView<const float> view() const { return {{w.data(), b.size(), w.size() / b.size()}, b}; }
};

OnlineLearner make_learner(std::size_t features, std::size_t classes, const OnlineOptions& options) {
  OnlineLearner learner;
  const Status status = OnlineLearner::create(features, classes, options, learner);
  EXPECT_TRUE(status.ok()) << message(status);
  return learner;
}

// ---- one thread ----

TEST(OnlineLearner, TakesTheStepsOfTrainStep) {
  for (const std::size_t classes : {3U, 10U, 40U}) {
    for (const Rule& rule : kRules) {
      Rng rng(90);
      OnlineOptions options;
      options.objective.l2 = 0.25;
      options.optimiser = rule.optimiser;
      options.batch_rows = 20;
      OnlineLearner learner = make_learner(7, classes, options);
      OwnedState<float> plain(7, classes, rule.optimiser);
      const StepOptions step = step_options(rule, 0.0625, 0.875);
      for (int i = 0; i < 5; ++i) {
        Rows rows(rng, 20, 7, classes);
        for (std::size_t c = 0; i == 0 && c < std::min<std::size_t>(classes, 20); ++c) rows.labels[c] = int(c);
        for (std::int32_t& label : rows.labels) label %= 20;
        LossResult want, got;
        ASSERT_TRUE(learner.learn(rows.batch, step, got).ok());
        if (classes > 20) continue;  // unused classes have no share: other steps than of all classes
        ASSERT_TRUE(plain.step(options.objective, rows.batch, step, {}, want).ok());
        EXPECT_TRUE(same_bits(got.objective, want.objective)) << rule.name;
      }
      const Weights weights(learner);
      EXPECT_EQ(learner.classes_used(), std::min<std::size_t>(classes, 20));
      for (std::size_t c = 20; c < classes; ++c) EXPECT_EQ(weights.b[c], kUnused);
      for (std::size_t i = 20 * 7; i < classes * 7; ++i) EXPECT_EQ(weights.w[i], 0.0F);
      if (classes > 20) continue;
      EXPECT_TRUE(same_bits(weights.w, plain.weights()) && same_bits(weights.b, plain.bias())) << rule.name;
    }
  }
}

TEST(OnlineLearner, AClassBeginsWithItsFirstLabel) {
  Rng rng(91);
  OnlineOptions options;
  options.batch_rows = 8;
  OnlineLearner learner = make_learner(5, 6, options);
  Rows rows(rng, 8, 5, 2);
  LossResult result;
  EXPECT_EQ(learner.newest()->predict(std::vector<float>(5, 1.0F)), kNotFinite);  // no class yet
  ASSERT_TRUE(learner.learn(rows.batch, {}, result).ok());
  EXPECT_NEAR(result.data_loss, std::log(2.0), 1e-6);  // two classes, W = 0
  EXPECT_EQ(learner.classes_used(), 2U);

  const auto used_after = [&](const std::function<void(Rows&)>& change, bool ok) {
    Rows now(rng, 8, 5, 2);
    change(now);
    const std::vector<float> before = Weights(learner).b;
    EXPECT_EQ(learner.learn(now.batch, {}, result).ok(), ok);
    if (!ok) {
      EXPECT_TRUE(same_bits(before, Weights(learner).b)) << "a refused batch has begun a class";
    }
    return learner.classes_used();
  };
  EXPECT_EQ(used_after(
                [](Rows& r) {
                  r.labels[3] = 4;
                  r.labels[5] = 6;
                },
                false),
            2U);
  EXPECT_EQ(used_after(
                [](Rows& r) {
                  r.labels[3] = 4;
                  r.x[39] = NAN;
                },
                false),
            2U);
  const std::vector<float> none = {1, 1, 1, 0, 1, 1, 1, 1}, short_one = {1, 1};
  EXPECT_EQ(used_after(
                [&](Rows& r) {
                  r.labels[3] = 4;
                  r.batch.sample_weights = none;
                },
                true),
            2U);
  EXPECT_EQ(used_after(
                [&](Rows& r) {
                  r.labels[3] = 4;
                  r.batch.sample_weights = short_one;
                },
                false),
            2U);
  const std::vector<std::uint32_t> others = {0, 1, 2, 4}, beyond = {0, 9};
  EXPECT_EQ(used_after(
                [&](Rows& r) {
                  r.labels[3] = 4;
                  r.batch.selection = others;
                },
                true),
            2U);
  EXPECT_EQ(used_after(
                [&](Rows& r) {
                  r.labels[0] = 4;
                  r.batch.selection = beyond;
                },
                false),
            2U);
  EXPECT_EQ(used_after([](Rows& r) { r.labels[3] = -1; }, true), 2U);  // ignored
  EXPECT_EQ(used_after([](Rows& r) { r.labels[3] = 4; }, true), 3U);
  std::vector<float> targets(48);
  for (std::size_t n = 0; n < 8; ++n) targets[n * 6 + (n == 7 ? 5 : 0)] = 1;
  EXPECT_EQ(used_after(
                [&](Rows& r) {
                  r.batch.labels = {};
                  r.batch.target_probabilities = {targets.data(), 8, 6};
                },
                true),
            4U);
  const Weights weights(learner);
  EXPECT_TRUE(weights.b[2] == kUnused && weights.b[3] == kUnused && weights.b[5] != kUnused);

  ASSERT_TRUE(learner.publish());
  const Snapshot newest = learner.newest();
  std::vector<float> p(6), x(5, 0.5F);
  ASSERT_GE(newest->probabilities(x, {}, p), 0);
  EXPECT_TRUE(p[2] == 0 && p[3] == 0 && p[5] > 0);
  EXPECT_NEAR(p[0] + p[1] + p[4] + p[5], 1, 1e-6);
}

TEST(OnlineLearner, SnapshotsStayAsTheyAre) {
  for (const Shape& s : {Shape{16, 5, 3}, Shape{16, 60, 7}, Shape{16, 200, 10}, Shape{16, 30, 70}}) {
    Rng rng(92);
    OnlineOptions options;
    options.batch_rows = 16;
    options.snapshots = 3;
    OnlineLearner learner = make_learner(s.features, s.classes, options);
    Rows rows(rng, 16, s.features, s.classes);
    LossResult result;
    std::map<std::uint64_t, Weights> published;
    published.emplace(0, Weights(learner));
    const auto expect_is = [&](const Snapshot& snapshot) {
      Predictor want;
      ASSERT_TRUE(Predictor::create(Loss::softmax, published.at(snapshot.version()).view(), {}, want).ok());
      std::vector<float> of_snapshot(s.classes), of_copy(s.classes);
      for (std::size_t n = 0; n < 16; ++n) {
        const std::span<const float> x = std::span(rows.x).subspan(n * s.features, s.features);
        EXPECT_EQ(snapshot->logits(x, of_snapshot), want.logits(x, of_copy));
        EXPECT_TRUE(same_bits(of_snapshot, of_copy)) << "version " << snapshot.version();
      }
    };
    const auto learn_and_publish = [&] {
      ASSERT_TRUE(learner.learn(rows.batch, {.learning_rate = 0.5}, result).ok());
      if (learner.publish()) published.emplace(learner.newest().version(), Weights(learner));
    };
    Snapshot held = learner.newest();
    for (int i = 1; i <= 5; ++i) {
      learn_and_publish();
      EXPECT_EQ(learner.newest().version(), static_cast<std::uint64_t>(i));
      expect_is(learner.newest());
      expect_is(held);
    }
    // One slot is the newest, one is held; with a third held there is room for none.
    Snapshot other = learner.newest();
    learn_and_publish();
    EXPECT_EQ(learner.newest().version(), 6U);
    EXPECT_FALSE(learner.publish());
    expect_is(held);
    expect_is(other);
    held = Snapshot(std::move(other));  // the first goes
    EXPECT_EQ(held.version(), 5U);
    learn_and_publish();
    EXPECT_EQ(learner.newest().version(), 7U);
    expect_is(held);
    OnlineLearner moved(std::move(learner));
    EXPECT_FALSE(learner.newest());
    EXPECT_FALSE(learner.publish());
    expect_is(held);
    learner = std::move(moved);
  }
}

TEST(OnlineLearner, GoesOnFromBytesAndWeights) {
  Rng rng(93);
  OnlineOptions options;
  options.batch_rows = 8;
  OnlineLearner one = make_learner(4, 5, options), other = make_learner(4, 5, options);
  Rows rows(rng, 8, 4, 3), more(rng, 8, 4, 5);
  LossResult result;
  ASSERT_TRUE(one.learn(rows.batch, {}, result).ok());
  std::vector<std::uint8_t> bytes;
  ASSERT_TRUE(one.to_bytes(bytes).ok() && other.from_bytes(bytes).ok());
  EXPECT_EQ(other.classes_used(), one.classes_used());
  for (OnlineLearner* learner : {&one, &other}) ASSERT_TRUE(learner->learn(more.batch, {}, result).ok());
  EXPECT_TRUE(same_bits(Weights(one).w, Weights(other).w) && same_bits(Weights(one).b, Weights(other).b));
  OnlineLearner third = make_learner(4, 5, options);
  ASSERT_TRUE(third.set_weights(Weights(one).view()).ok());
  EXPECT_EQ(third.classes_used(), one.classes_used());
  bytes.back() ^= 1;
  EXPECT_FALSE(other.from_bytes(bytes).ok());
}

TEST(OnlineLearner, Refusals) {
  OnlineLearner learner;
  OnlineOptions options;
  const auto expect_refused = [&](const OnlineOptions& o, const char* what, std::size_t features = 3,
                                  std::size_t classes = 2) {
    const Status status = OnlineLearner::create(features, classes, o, learner);
    EXPECT_FALSE(status.ok()) << what;
    EXPECT_STREQ(status.what, what);
    EXPECT_EQ(learner.features(), 0U);
  };
  const auto with = [](auto change) {
    OnlineOptions o;
    change(o);
    return o;
  };
  expect_refused(with([](OnlineOptions& o) { o.objective.loss = Loss::logistic; }), "objective");
  expect_refused(with([](OnlineOptions& o) { o.objective.label_smoothing = 0.1; }), "label_smoothing");
  expect_refused(with([](OnlineOptions& o) { o.snapshots = 1; }), "snapshots");
  expect_refused(with([](OnlineOptions& o) { o.snapshots = 65537; }), "snapshots");
  expect_refused(with([](OnlineOptions& o) { o.batch_rows = 0; }), "batch_rows");
  expect_refused(with([](OnlineOptions& o) { o.execution.threads = 0; }), "threads");
  expect_refused({}, "features", 0);
  expect_refused({}, "features", 3, 0);
  expect_refused({}, "features", ~std::size_t{0} >> 2, 1 << 20);
  const Snapshot none = learner.newest();
  EXPECT_FALSE(none);
  EXPECT_EQ(none->predict(std::vector<float>(3)), kWrongSize);
  EXPECT_EQ(none.version(), 0U);
  EXPECT_FALSE(learner.publish());
  LossResult result;
  Rng rng(94);
  Rows rows(rng, 100, 3, 2);
  expect_status(learner.learn(rows.batch, {}, result), StatusCode::invalid_argument, "learner");
  learner = make_learner(3, 2, options);
  expect_status(learner.learn(rows.batch, {}, result), StatusCode::workspace_too_small, "workspace");
  EXPECT_EQ(learner.classes_used(), 0U);
  options.batch_rows = 100;
  learner = make_learner(3, 2, options);
  const std::vector<double> centre(3, 1.0);
  rows.batch.scaling.centre = centre;
  expect_status(learner.learn(rows.batch, {}, result), StatusCode::invalid_argument, "scaling");
}

// ---- many threads ----

// Every slot is filled with one number, again and again; readers must find nothing else in the one they have.
TEST(NewestSlot, AReadersSlotIsNeverWrittenTo) {
  constexpr std::size_t kSlots = 4, kNumbers = 64;
  constexpr int kReaders = 3;
  NewestSlot newest(kSlots);
  std::vector<std::vector<std::uint64_t>> slots(kSlots, std::vector<std::uint64_t>(kNumbers));
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      while (!done.load()) {
        const std::size_t slot = newest.take();
        const std::uint64_t value = slots[slot][0];
        for (const std::uint64_t other : slots[slot]) torn += other != value ? 1 : 0;
        torn += value < last ? 1 : 0;  // time does not go back
        last = value;
        newest.give_back(slot);
        ++reads;
      }
    });
  }
  std::uint64_t put = 0;
  for (int i = 0; i < 200000 || (reads < 10000 && i < 100000000); ++i) {
    const std::size_t slot = newest.find_free();
    if (slot == kSlots) continue;
    std::ranges::fill(slots[slot], ++put);
    newest.put(slot);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_GT(put, 0U);
  EXPECT_GT(reads, 0U);
  for (std::size_t i = 0; i + 1 < kSlots; ++i) {  // all are free again but the newest
    const std::size_t slot = newest.find_free();
    ASSERT_LT(slot, kSlots);
    newest.put(slot);
  }
}

TEST(OnlineLearner, EveryPredictionIsThatOfTheVersionItNames) {
  constexpr std::size_t kFeatures = 9, kClasses = 12, kSamples = 32;
  constexpr int kReaders = 3;
  struct Answer {
    std::uint64_t version;
    std::size_t sample;
    std::int32_t chosen;
    std::vector<float> logits;
  };
  Rng rng(96);
  OnlineOptions options;
  options.batch_rows = 4;
  options.snapshots = kReaders + 2;
  OnlineLearner learner = make_learner(kFeatures, kClasses, options);
  std::vector<Weights> published = {Weights(learner)};
  Rows samples(rng, kSamples, kFeatures, kClasses);
  std::atomic<bool> done{false};
  std::atomic<std::size_t> answered{0};
  std::vector<std::vector<Answer>> answers(kReaders);
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      Rng own(static_cast<std::uint64_t>(100 + r));
      while (!done.load()) {
        Answer answer{0, own.below(kSamples), 0, std::vector<float>(kClasses)};
        const Snapshot snapshot = learner.newest();
        answer.version = snapshot.version();
        const std::span<const float> x = std::span(samples.x).subspan(answer.sample * kFeatures, kFeatures);
        answer.chosen = snapshot->logits(x, answer.logits);
        EXPECT_EQ(snapshot->predict(x), answer.chosen);
        if (answers[static_cast<std::size_t>(r)].size() < 20000) answers[static_cast<std::size_t>(r)].push_back(answer);
        ++answered;
      }
    });
  }
  LossResult result;
  for (std::size_t step = 0; step < 3000 || (answered < 3000 && step < 10000000); ++step) {
    Rows rows(rng, 4, kFeatures, std::min(kClasses, 1 + step / 200));  // classes come one by one
    ASSERT_TRUE(learner.learn(rows.batch, {.learning_rate = 0.25}, result).ok());
    if (published.size() >= 5000) continue;
    ASSERT_TRUE(learner.publish()) << "with so many snapshots there is always room";
    published.emplace_back(learner);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  std::map<std::uint64_t, Predictor> predictors;
  std::size_t checked = 0;
  for (const std::vector<Answer>& of_reader : answers) {
    std::uint64_t last = 0;
    for (const Answer& answer : of_reader) {
      ASSERT_LT(answer.version, published.size());
      EXPECT_GE(answer.version, last);
      last = answer.version;
      const auto [at, is_new] = predictors.try_emplace(answer.version);
      if (is_new) {
        ASSERT_TRUE(Predictor::create(Loss::softmax, published[answer.version].view(), {}, at->second).ok());
      }
      std::vector<float> want(kClasses);
      const std::span<const float> x = std::span(samples.x).subspan(answer.sample * kFeatures, kFeatures);
      ASSERT_EQ(at->second.logits(x, want), answer.chosen);
      ASSERT_TRUE(same_bits(want, answer.logits)) << "version " << answer.version;
      ++checked;
    }
  }
  EXPECT_GE(checked, 1000U);
  EXPECT_GT(predictors.size(), 1U);
}

}  // namespace
}  // namespace lanemax::checks
