// SPDX-License-Identifier: BSD-3-Clause
//
// The same bits for any number of threads, in every schedule and in every run; for equal values in any feature type;
// for a sample alone and in any batch.
#include <lanemax/fit.hpp>
#include <lanemax/predictor.hpp>

#include "tests/support/feature_types.hpp"
#include "tests/support/plan_shapes.hpp"
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

constexpr int kThreads[] = {2, 3, 4, 7};

class SameBitsTest : public IsaTest {
 protected:
  [[nodiscard]] CallOptions options(int threads) const {
    CallOptions options;
    options.isa = GetParam();
    options.threads = threads;
    return options;
  }

  /// Rows copied from a few, so that the problem is made quickly; 64 MB of X at most.
  template <class T>
  struct Rows {
    Rows(const Shape& s, std::uint64_t stream) {
      Rng rng(stream);
      p = make_problem<T>(rng, {16, s.features, s.classes}, {});
      for (std::size_t n = 0; n < s.rows; ++n) {
        const std::size_t row = rng.below(16);
        selection.push_back(static_cast<std::uint32_t>(row));
        labels.push_back(p.labels[row]);
        weights.push_back(static_cast<float>(rng.between(0.5, 2)));
      }
      arrays = std::make_unique<ProblemArrays<T>>(p);
      if (s.rows * s.features * sizeof(T) > std::size_t{64} << 20) {
        batch = arrays->batch;
        batch.selection = selection;
        return;
      }
      for (const std::uint32_t row : selection) {
        const T* first = static_cast<const T*>(arrays->batch.features.data) + row * s.features;
        x.insert(x.end(), first, first + s.features);
      }
      batch.features = {x.data(), s.rows, s.features};
      batch.labels = labels;
      batch.sample_weights = weights;
    }
    reference::Problem p;
    std::unique_ptr<ProblemArrays<T>> arrays;
    std::vector<std::uint32_t> selection;
    std::vector<std::int32_t> labels;
    std::vector<float> weights;
    std::vector<T> x;
    Batch batch;
  };

  template <class T>
  void objective(Regime regime) {
    std::size_t met = 0;
    for (const PlanShape& s : plan_shapes<T>()) {
      if (s.regime != regime) continue;
      ++met;
      if (!tiny_blocks()) {
        ASSERT_EQ(regime_of<T>(s.shape), regime) << describe_plan<T>(s.shape);
      }
      const Rows<T> rows(s.shape, 61);
      Objective l2;
      l2.l2 = 0.03125;
      const CallOutputs<T> loss = call<T>(l2, rows.arrays->weights, rows.batch, options(1), false);
      const CallOutputs<T> gradient = call<T>(l2, rows.arrays->weights, rows.batch, options(1), true);
      ASSERT_TRUE(loss.status.ok() && gradient.status.ok());
      EXPECT_TRUE(same_bits(gradient, call<T>(l2, rows.arrays->weights, rows.batch, options(1), true))) << "again";
      EXPECT_TRUE(same_bits(loss.result.objective, gradient.result.objective));
      EXPECT_TRUE(same_bits(loss.sample_losses, gradient.sample_losses));
      const bool large = s.shape.rows * s.shape.features * s.shape.classes > 50'000'000;
      for (const KernelSchedule schedule : all_schedules()) {
        SCOPED_TRACE(text(name_of(schedule), ", ", describe_plan<T>(s.shape)));
        for (const int threads : {1, 3}) {
          CallOptions scheduled = options(threads);
          scheduled.schedule = schedule;
          EXPECT_TRUE(same_bits(gradient, call<T>(l2, rows.arrays->weights, rows.batch, scheduled, true)));
        }
      }
      for (const int threads : kThreads) {
        if (large && threads == 4) continue;
        SCOPED_TRACE(text(threads, " threads, ", describe_plan<T>(s.shape)));
        EXPECT_TRUE(same_bits(loss, call<T>(l2, rows.arrays->weights, rows.batch, options(threads), false)));
        EXPECT_TRUE(same_bits(gradient, call<T>(l2, rows.arrays->weights, rows.batch, options(threads), true)));
      }
    }
    EXPECT_GT(met, 0U);
  }

  template <class T>
  void steps(Regime regime) {
    for (const PlanShape& s : plan_shapes<T>()) {
      if (s.regime != regime) continue;
      const Rows<T> rows(s.shape, 62);
      for (const Rule& rule : kRules) {
        std::vector<std::vector<std::byte>> states;
        std::vector<double> losses;
        std::vector<Execution> ways;
        for (const int threads : {1, 2, 3, 4, 7, 1}) ways.push_back({threads, GetParam()});
        for (const KernelSchedule schedule : all_schedules()) ways.push_back({2, GetParam(), schedule});
        for (const Execution& way : ways) {
          OwnedState<T> owned(s.shape.features, s.shape.classes, rule.optimiser);
          ASSERT_TRUE(owned.state.set_weights(rows.arrays->weights).ok());
          LossResult result;
          for (int step = 0; step < 10; ++step) {
            const Status status = owned.step({}, rows.batch, step_options(rule, 0.125, 0.875), way, result);
            ASSERT_TRUE(status.ok()) << message(status);
          }
          states.push_back(owned.contents());
          losses.push_back(result.objective);
          EXPECT_EQ(states.back(), states.front()) << way.threads << " threads, " << name_of(way.schedule) << ", "
                                                   << rule.name << ", " << describe_plan<T>(s.shape);
          EXPECT_TRUE(same_bits(losses.back(), losses.front())) << way.threads << " threads";
        }
      }
    }
  }
};
INSTANTIATE_PER_ISA(SameBitsTest);

TEST_P(SameBitsTest, ObjectiveOneBlock) {
  objective<float>(Regime::one_block);
  objective<double>(Regime::one_block);
}
TEST_P(SameBitsTest, ObjectiveCachedSlots) {
  objective<float>(Regime::cached_slots);
  objective<double>(Regime::cached_slots);
}
TEST_P(SameBitsTest, ObjectiveLargeSlots) {
  objective<float>(Regime::large_slots);
}
TEST_P(SameBitsTest, ObjectiveTiles) {
  objective<float>(Regime::tiles);
  objective<double>(Regime::tiles);
}
TEST_P(SameBitsTest, ObjectiveSeveralGroups) {
  objective<float>(Regime::several_groups);
}
TEST_P(SameBitsTest, StepsOneBlock) {
  steps<float>(Regime::one_block);
}
TEST_P(SameBitsTest, StepsCachedSlots) {
  steps<float>(Regime::cached_slots);
  steps<double>(Regime::cached_slots);
}
TEST_P(SameBitsTest, StepsTiles) {
  steps<float>(Regime::tiles);
}

TEST_P(SameBitsTest, Fit) {
  Rng rng(63);
  for (const Shape shape : {Shape{3000, 20, 5}, Shape{1500, 30, 20}, Shape{1500, 30, 26}}) {
    const reference::Problem p = make_learnable(rng, shape);
    const ProblemArrays<float> arrays(p);
    for (const Solver solver : {Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad}) {
      FitOptions o;
      o.solver = solver;
      o.mini_batches.epochs = 3;
      o.mini_batches.batch_size = 1100;
      o.seed = 5;
      o.execution.isa = GetParam();
      std::vector<float> w(shape.classes * shape.features), b(shape.classes), w_first, b_first;
      FitResult result, first;
      for (const int threads : {1, 2, 3, 4, 7, 1}) {
        o.execution.threads = threads;
        ASSERT_TRUE(
            fit(arrays.batch, o, WeightsView<float>{{w.data(), shape.classes, shape.features}, b}, result).ok());
        if (w_first.empty()) {
          w_first = w;
          b_first = b;
          first = result;
          continue;
        }
        SCOPED_TRACE(text(threads, " threads, ", name_of(solver)));
        EXPECT_TRUE(same_bits(w, w_first));
        EXPECT_TRUE(same_bits(b, b_first));
        EXPECT_TRUE(same_bits(result.objective, first.objective));
        EXPECT_TRUE(same_bits(result.data_loss, first.data_loss));
        EXPECT_TRUE(same_bits(result.gradient_norm, first.gradient_norm));
        EXPECT_TRUE(same_bits(result.learning_rate, first.learning_rate));
        EXPECT_EQ(result.iterations, first.iterations);
        EXPECT_EQ(result.passes, first.passes);
      }
    }
  }
}

// Small whole numbers are the same in every type; converted, selected or in place, they give the same bits.
TEST_P(SameBitsTest, FeatureTypes) {
  Rng rng(64);
  for (const Shape shape :
       {Shape{70, 21, 5}, Shape{70, 33, 18}, Shape{70, 33, 26}, Shape{1300, 9, 3}, Shape{90, 4, 1}}) {
    reference::Problem p = make_learnable(rng, shape, shape.classes == 1);
    p.w = make_values<float>(rng, p.w.size(), Values::ordinary);
    const ProblemArrays<float> arrays(p);
    const CallOutputs<float> want = call(arrays, options(1), true);
    ASSERT_TRUE(want.status.ok());
    std::vector<std::uint32_t> identity(shape.rows);
    for (std::size_t n = 0; n < shape.rows; ++n) identity[n] = static_cast<std::uint32_t>(n);
    Batch batch = arrays.batch;
    batch.selection = identity;
    EXPECT_TRUE(same_bits(want, call<float>(arrays.objective, arrays.weights, batch, options(1), true))) << "selection";
    for (const FeatureType type : kAllFeatureTypes) {
      for (const std::size_t padding : {0U, 3U}) {
        const TypedFeatures typed(p.x, shape.rows, shape.features, type, padding);
        batch = arrays.batch;
        batch.features = typed.view;
        for (const int threads : {1, 2}) {
          EXPECT_TRUE(same_bits(want, call<float>(arrays.objective, arrays.weights, batch, options(threads), true)))
              << "type " << static_cast<int>(type) << ", " << threads << " threads, " << describe_plan<float>(shape);
        }
        batch.selection = identity;
        EXPECT_TRUE(same_bits(want, call<float>(arrays.objective, arrays.weights, batch, options(2), true)))
            << "type " << static_cast<int>(type) << " selected";
      }
    }
  }
}

TEST_P(SameBitsTest, LabelTypes) {
  Rng rng(66);
  ProblemOptions o;
  o.weights = true;
  const reference::Problem p = make_problem<float>(rng, {70, 21, 18}, o);
  const ProblemArrays<float> arrays(p);
  const CallOutputs<float> want = call(arrays, options(1), true);
  ASSERT_TRUE(want.status.ok());
  Batch batch = arrays.batch;
  const auto expect_same = [&](const LabelsView& labels, const char* type) {
    ASSERT_EQ(labels.size(), p.rows);
    for (std::size_t n = 0; n < p.rows; ++n) ASSERT_EQ(labels[n], arrays.labels[n]) << type;
    batch.labels = labels;
    for (const int threads : {1, 2}) {
      EXPECT_TRUE(same_bits(want, call<float>(arrays.objective, arrays.weights, batch, options(threads), true)))
          << type << ", " << threads << " threads";
    }
  };
  const auto expect_same_as = [&]<class Label>(Label, const char* type) {
    const std::vector<Label> labels(p.labels.begin(), p.labels.end());
    expect_same(labels, type);
    expect_same({labels.data(), labels.size()}, type);
    expect_same(std::span(labels), type);
  };
  expect_same_as(std::int8_t{}, "i8");
  expect_same_as(std::uint8_t{}, "u8");
  expect_same_as(std::int16_t{}, "i16");
  expect_same_as(std::uint16_t{}, "u16");
  expect_same_as(std::int32_t{}, "i32");
  expect_same_as(std::uint32_t{}, "u32");
  expect_same_as(std::int64_t{}, "i64");
  expect_same_as(std::uint64_t{}, "u64");
  expect_same_as(static_cast<long long>(0), "long long");
}

// A sample's prediction is the same alone, in any batch, at any place in it, in any type and with any number of
// threads.
TEST_P(SameBitsTest, Predictions) {
  Rng rng(65);
  for (const Shape shape : {Shape{300, 5, 3}, Shape{300, 100, 10}, Shape{150, 60, 1100}, Shape{300, 20, 16},
                            Shape{300, 100, 17}, Shape{300, 140, 23}, Shape{300, 9, 24}, Shape{300, 17, 33},
                            Shape{300, 50, 35}, Shape{300, 12, 36}, Shape{300, 8, 1}}) {
    Model model;
    model.features = shape.features;
    if (shape.classes == 1) model.loss = Loss::logistic;
    for (const double v : make_values<float>(rng, shape.classes * shape.features, Values::ordinary)) {
      model.weight.push_back(static_cast<float>(v));
    }
    const std::size_t classes = shape.classes == 1 ? 2 : shape.classes;
    for (std::size_t c = 0; c < shape.classes; ++c) model.bias.push_back(static_cast<float>(rng.unit()));
    for (std::size_t c = 0; c < classes; ++c) model.class_labels.push_back(std::to_string(c));
    Predictor predictor;
    ASSERT_TRUE(Predictor::create(model, GetParam(), predictor).ok());
    std::vector<double> values;
    for (std::size_t i = 0; i < shape.rows * shape.features; ++i) values.push_back(static_cast<double>(rng.below(9)));
    const std::vector<float> x(values.begin(), values.end());

    struct Answer {
      std::vector<std::int32_t> classes;
      std::vector<float> logits, probabilities;
    };
    Scratch scratch;
    const auto predict = [&](const FeaturesView& rows, int threads) {
      Answer a;
      a.classes.resize(rows.samples);
      a.logits.resize(rows.samples * shape.classes);
      a.probabilities.resize(rows.samples * classes);
      Predictions out;
      out.classes = a.classes;
      out.logits = {a.logits.data(), rows.samples, shape.classes};
      out.probabilities = {a.probabilities.data(), rows.samples, classes};
      const Status status =
          predictor.predict_batch(rows, threads, scratch(predictor.batch_workspace_bytes(threads)), out);
      EXPECT_TRUE(status.ok()) << message(status);
      return a;
    };
    const Answer want = predict({x.data(), shape.rows, shape.features}, 1);
    const auto expect_part = [&](const Answer& got, std::size_t first) {
      for (std::size_t i = 0; i < got.classes.size(); ++i) {
        ASSERT_EQ(got.classes[i], want.classes[first + i]);
      }
      for (std::size_t i = 0; i < got.logits.size(); ++i) {
        ASSERT_TRUE(same_bits(got.logits[i], want.logits[first * shape.classes + i]));
      }
      for (std::size_t i = 0; i < got.probabilities.size(); ++i) {
        ASSERT_TRUE(same_bits(got.probabilities[i], want.probabilities[first * classes + i]));
      }
    };
    for (std::size_t n = 0; n < shape.rows; ++n) {
      ASSERT_EQ(predictor.predict(std::span(x).subspan(n * shape.features, shape.features)), want.classes[n])
          << "sample " << n << " alone";
    }
    for (const std::size_t count : {1U, 2U, 15U, 16U, 17U, 100U}) {
      for (const std::size_t first : {0U, 1U, 7U, 33U}) {
        expect_part(predict({&x[first * shape.features], count, shape.features}, 1), first);
      }
    }
    for (const int threads : kThreads) expect_part(predict({x.data(), shape.rows, shape.features}, threads), 0);
    for (const FeatureType type : kAllFeatureTypes) {
      const TypedFeatures typed(values, shape.rows, shape.features, type, 2);
      expect_part(predict(typed.view, 2), 0);
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
