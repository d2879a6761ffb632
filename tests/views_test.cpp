// SPDX-License-Identifier: BSD-3-Clause
//
// LabelsView, FeaturesView and Batch: labels of any integer type and features in any strides give the same bits in
// every call; what does not fit is refused by all calls alike.
#include "tests/support/batch_calls.hpp"
#include "tests/support/feature_types.hpp"

#include <functional>
#include <tuple>

namespace lanemax::checks {
namespace {

class ViewsTest : public BatchCalls {};
INSTANTIATE_PER_ISA(ViewsTest);

// ---- labels ----

static_assert(!std::is_constructible_v<LabelsView, std::vector<bool>> &&
              !std::is_constructible_v<LabelsView, bool*, int>);
static_assert(!std::is_constructible_v<LabelsView, std::vector<float>>);

/// Calls f(a label of the type) for all of them.
template <class F>
void for_each_label_type(const F& f) {
  const auto call_all = [&f]<class... Label>(std::tuple<Label...>) { (f(Label{}), ...); };
  call_all(std::tuple<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, std::int64_t,
                      std::uint64_t, long long>());
}
template <class Label>
std::string type_name() {
  return text(std::is_signed_v<Label> ? "signed, " : "unsigned, ", sizeof(Label), " bytes");
}

TEST_P(ViewsTest, LabelsOfAnyType) {
  constexpr std::size_t kRows = 90;
  Rng rng(91);
  const Setting s(rng, {kRows, 12, 5});
  const RandomFeatures x(rng, FeatureType::f32, kRows, 12);
  for_each_label_type([&]<class Label>(Label) {
    SCOPED_TRACE(type_name<Label>());
    constexpr bool kSigned = std::is_signed_v<Label>;
    const std::vector<std::int32_t>& same = kSigned ? s.some_ignored : s.labels;
    Batch batch = s.batch(x.view, kSelection | kSampleWeights | (kSigned ? kIgnored : 0U));
    const FitOptions lbfgs{.solver = Solver::lbfgs}, momentum{.solver = Solver::momentum};
    const std::vector<double> want = losses_on(s, batch, 1), want_fit = fit_on(batch, lbfgs, 5),
                              want_momentum = fit_on(batch, momentum, 5);
    const std::vector<Label> vector(same.begin(), same.end());
    std::array<Label, kRows> array{};
    std::copy(vector.begin(), vector.end(), array.begin());
    const std::span<const Label> part(array);
    for (const LabelsView& view : {LabelsView(vector), LabelsView(array), LabelsView(part), {part.data(), kRows}}) {
      ASSERT_EQ(view.size(), kRows);
      for (std::size_t n = 0; n < kRows; ++n) ASSERT_EQ(view[n], same[n]);
      batch.labels = view;
      EXPECT_TRUE(same_bits(losses_on(s, batch, 3), want));
      EXPECT_TRUE(same_bits(fit_on(batch, lbfgs, 5), want_fit) && same_bits(fit_on(batch, momentum, 5), want_momentum));
    }
  });
}

// Up to the last class that a type can name.
TEST_P(ViewsTest, LabelsUpToTheirLargest) {
  Rng rng(92);
  const Setting s(rng, {6, 2, 65536});
  const RandomFeatures x(rng, FeatureType::f32, 6, 2);
  for_each_label_type([&]<class Label>(Label) {
    if (sizeof(Label) > 2) return;
    const auto last = std::numeric_limits<Label>::max();
    const std::vector<Label> labels{0, last, 1, static_cast<Label>(last - 1), last, 100};
    const std::vector<std::int32_t> same(labels.begin(), labels.end());
    Batch batch = s.batch(x.view, 0), batch_of_same = batch;
    batch.labels = labels;
    batch_of_same.labels = same;
    EXPECT_TRUE(same_bits(call_on<float>(s, batch, 1), call_on<float>(s, batch_of_same, 1))) << type_name<Label>();
  });
}

TEST_P(ViewsTest, LabelsOutOfRange) {
  Rng rng(93);
  const Setting s(rng, {40, 6, 4});
  const RandomFeatures x(rng, FeatureType::f32, 40, 6);
  const auto expect_named = [&]<class Label>(Label label, std::int32_t ignored, const char* found) {
    SCOPED_TRACE(type_name<Label>());
    std::vector<Label> labels(40, 1);
    labels[31] = label;
    Batch batch = s.batch(x.view, kSelection | kSampleWeights);
    batch.labels = labels;
    const Objective objective{.ignored_label = ignored};
    expect_refused(s, batch, status_of(StatusCode::label_out_of_range, "labels", 31, -1, found), objective);
  };
  for_each_label_type([&]<class Label>(Label) {
    expect_named(static_cast<Label>(4), -1, "4");
    if (std::is_signed_v<Label>) expect_named(static_cast<Label>(-1), -2, "-1");
    if (std::is_signed_v<Label>) expect_named(static_cast<Label>(-2), -1, "-2");
  });
  // The ignored -1 is neither all bits 1 without a sign nor what only ends in its bits; nor is a class.
  constexpr std::int64_t kTwo32 = std::int64_t{1} << 32;
  expect_named(std::uint8_t{255}, -1, "255");
  expect_named(std::uint16_t{65535}, -1, "65535");
  expect_named(~std::uint32_t{0}, -1, "4.29497e+09");
  expect_named(~std::uint64_t{0}, -1, "9.22337e+18");
  expect_named(kTwo32 - 1, -1, "4.29497e+09");
  expect_named(kTwo32 + 1, -1, "4.29497e+09");
  expect_named(1 - kTwo32, -1, "-4.29497e+09");
  expect_named(static_cast<std::uint64_t>(kTwo32 + 1), -1, "4.29497e+09");
  expect_named(std::int64_t{1} << 40, -1, "1.09951e+12");
  expect_named(std::int16_t{0x101}, -1, "257");
}

// ---- strides ----

// The last ones have rows for several gradients, or classes for their tiles, and work for several threads.
TEST_P(ViewsTest, StridesGiveTheBitsOfRows) {
  Rng rng(94);
  unsigned turn = 0;
  for (const Shape shape : {Shape{2, 5, 3}, Shape{40, 64, 20}, Shape{33, 65, 16}, Shape{300, 130, 4}, Shape{70, 1, 33},
                            Shape{3000, 100, 10}, Shape{1100, 120, 26}, Shape{700, 90, 70}}) {
    const Setting s(rng, shape);
    for (const FeatureType type : kAllFeatureTypes) {
      const RandomFeatures x(rng, type, shape.rows, shape.features);
      for (unsigned uses = 0; uses <= kAll; uses += shape.rows > 300 ? 15 : 1) {
        const std::vector<double> want = losses_on(s, s.batch(x.view, uses), 1);
        const StridedFeatures same(x.view, strides_of(shape.rows, shape.features)[turn++ % 5]);
        for (const int threads : {1, 3}) {
          EXPECT_TRUE(same_bits(losses_on(s, s.batch(same.view, uses), threads), want)) << same.name();
        }
      }
    }
  }
}

TEST_P(ViewsTest, FitsOfStrides) {
  Rng rng(96);
  unsigned turn = 0;
  // A fit of 40 rows is one in their own space; the last ones are work for several threads.
  for (const Shape shape : {Shape{200, 12, 3}, Shape{40, 130, 3}, Shape{150, 20, 20}, Shape{1300, 120, 20}}) {
    const Setting s(rng, shape);
    for (const FeatureType type : kAllFeatureTypes) {
      if (shape.rows > 1000 && type != FeatureType::f16) continue;
      const RandomFeatures x(rng, type, shape.rows, shape.features);
      for (const Solver solver : {Solver::automatic, Solver::lbfgs, Solver::newton, Solver::sgd, Solver::momentum,
                                  Solver::adam, Solver::adagrad}) {
        for (const bool standardise : {false, true}) {
          const unsigned uses = turn++ % (kAll + 1) & (standardise ? ~unsigned{kScaling} : ~0U);
          FitOptions options{.solver = solver, .standardise = standardise};
          options.stopping.max_iterations = shape.rows > 1000 ? 8 : 60;
          const std::vector<double> want = fit_on(s.batch(x.view, uses), options, shape.classes);
          const StridedFeatures same(x.view, strides_of(shape.rows, shape.features)[turn % 5]);
          options.execution.threads = 3;
          EXPECT_TRUE(same_bits(fit_on(s.batch(same.view, uses), options, shape.classes), want))
              << name_of(solver) << ", uses " << uses << ", " << same.name();
        }
      }
    }
  }
}

TEST_P(ViewsTest, PredictionsOfStrides) {
  Rng rng(97);
  for (const Shape shape : {Shape{300, 17, 3}, Shape{1300, 130, 20}, Shape{40, 1100, 26}, Shape{90, 5, 1}}) {
    for (const bool centred : {false, true}) {
      const Predictor predictor = predictor_of(rng, shape.features, shape.classes, centred);
      for (const FeatureType type : kAllFeatureTypes) {
        const RandomFeatures x(rng, type, shape.rows, shape.features);
        const std::vector<float> want = predict_on(predictor, x.view, 1);
        for (const Strides strides : strides_of(shape.rows, shape.features)) {
          StridedFeatures same(x.view, strides);
          SCOPED_TRACE(text(same.name(), centred ? " centred" : ""));
          EXPECT_TRUE(same_bits(predict_on(predictor, same.view, 1), want));
          EXPECT_TRUE(same_bits(predict_on(predictor, same.view, 3), want));
          if (type == FeatureType::u8) continue;
          same.set_nan(shape.rows - 2, shape.features - 1);
          const std::vector<float> bad = predict_on(predictor, same.view, 1);
          for (std::size_t n = 0; n < shape.rows; ++n)
            ASSERT_EQ(bad[n], n == shape.rows - 2 ? static_cast<float>(kNotFinite) : want[n]);
        }
      }
    }
  }
}

TEST_P(ViewsTest, StridesThatOverlap) {
  Rng rng(98);
  const Setting s(rng, {40, 6, 4});
  const RandomFeatures x(rng, FeatureType::f32, 80, 80);
  const Predictor predictor = predictor_of(rng, 6, 2, false);
  for (const Strides bad : {Strides{0, 1}, Strides{1, 0}, Strides{0, 0}, Strides{5, 1}, Strides{1, 39}, Strides{1, 1},
                            Strides{6, 6}, Strides{10, 2}, Strides{2, 3}, Strides{3, 2}, Strides{0, 40}, Strides{6, 0},
                            Strides{std::size_t{1} << 63, 1}, Strides{1, std::size_t{1} << 63}}) {
    SCOPED_TRACE(text(bad.row, ' ', bad.column));
    const FeaturesView view{x.view.data, FeatureType::f32, 40, 6, bad.row, bad.column};
    expect_refused(s, s.batch(view, kAll), status_of(StatusCode::shape_mismatch, "features"));
    EXPECT_EQ(predictor.predict_batch(view, 1, {}, {}).code, StatusCode::shape_mismatch);
  }
  for (const Strides good : {Strides{6, 1}, Strides{1, 40}, Strides{11, 2}, Strides{2, 79}, Strides{41, 8}}) {
    const FeaturesView view{x.view.data, FeatureType::f32, 40, 6, good.row, good.column};
    EXPECT_TRUE(call_on<float>(s, s.batch(view, 0), 1).status.ok()) << good.row << ' ' << good.column;
  }
  const FeaturesView one_sample{x.view.data, FeatureType::f32, 1, 6, 6, 0};  // all its features are the first
  EXPECT_EQ(predictor.predict_batch(one_sample, 1, {}, {}).what, std::string("features"));
}

TEST_P(ViewsTest, WhatIsNotFiniteIsNamed) {
  Rng rng(99);
  const Setting s(rng, {40, 66, 4});
  for (const FeatureType type : {FeatureType::f32, FeatureType::f64, FeatureType::f16, FeatureType::bf16}) {
    const RandomFeatures x(rng, type, 40, 66);
    for (const Strides strides : strides_of(40, 66)) {
      for (const auto& [row, column] : {std::pair{0U, 0U}, {17U, 64U}, {39U, 65U}, {21U, 3U}}) {
        StridedFeatures bad(x.view, strides);
        bad.set_nan(row, column);
        bad.set_nan(33, 1);  // takes no part where labels are ignored
        SCOPED_TRACE(bad.name());
        const Status want = status_of(StatusCode::not_finite, "features", row, column);
        expect_refused(s, s.batch(bad.view, kIgnored), want);
        expect_refused(s, s.batch(bad.view, kIgnored | kSelection | kScaling), want);
      }
    }
  }
}

// Some rows, some columns, and the same memory column after column.
TEST_P(ViewsTest, PartsOfFeatures) {
  Rng rng(100);
  const Setting all(rng, {40, 23, 3}), s(rng, {9, 5, 3});
  for (const FeatureType type : kAllFeatureTypes) {
    const RandomFeatures whole(rng, type, 40, 23);
    const auto* const part_of_whole = static_cast<const std::byte*>(whole.view.data) + (30 * 23 + 17) * size_of(type);
    for (const Strides strides : strides_of(40, 23)) {
      const StridedFeatures same(whole.view, strides);
      const FeaturesView part = same.view.rows(30, 9).columns(17, 5);
      ASSERT_TRUE(part.samples == 9 && part.features == 5 && part.type == type);
      const FeaturesView rows{part_of_whole, type, 9, 5, 23};
      EXPECT_TRUE(same_bits(losses_on(s, s.batch(part, 0), 1), losses_on(s, s.batch(rows, 0), 1)));
    }
    const StridedFeatures columns(whole.view, {1, 40});
    const FeaturesView turned = FeaturesView(columns.data, type, 40, 23, 23).column_major();
    EXPECT_TRUE(same_bits(losses_on(all, all.batch(turned, 0), 1), losses_on(all, all.batch(whole.view, 0), 1)));
  }
}

// ---- batches ----

TEST_P(ViewsTest, WrongLengths) {
  Rng rng(101);
  const Setting s(rng, {40, 6, 4});
  const RandomFeatures x(rng, FeatureType::f32, 40, 6);
  const std::vector<std::int64_t> labels(81);
  const std::vector<float> weights(81, 1), factor(13, 1), targets(400, 0.25F);
  const std::vector<double> centre(13);
  const auto expect_shape = [&](const char* what, const std::function<void(Batch&)>& change) {
    for (const unsigned uses : {0U, unsigned{kSelection}}) {
      Batch batch = s.batch(x.view, uses);
      change(batch);
      expect_refused(s, batch, status_of(StatusCode::shape_mismatch, what));
    }
  };
  const auto expect_targets = [&](std::size_t rows, std::size_t cols) {
    expect_shape("target_probabilities", [&](Batch& b) {
      b.labels = {};
      b.target_probabilities = {targets.data(), rows, cols};
    });
  };
  for (const std::size_t size : {1U, 39U, 41U, 80U}) {
    expect_shape("labels", [&](Batch& b) { b.labels = std::span(labels).first(size); });
    expect_shape("sample_weights", [&](Batch& b) { b.sample_weights = std::span(weights).first(size); });
    expect_targets(size, 4);
  }
  for (const std::size_t cols : {1U, 3U, 5U}) expect_targets(40, cols);
  for (const std::size_t size : {1U, 5U, 7U, 12U}) {
    expect_shape("scaling", [&](Batch& b) { b.scaling.centre = std::span(centre).first(size); });
    expect_shape("scaling", [&](Batch& b) { b.scaling.factor = std::span(factor).first(size); });
  }
  expect_shape("features", [](Batch& b) { b.features = b.features.columns(1, 4); });
}

// A selection of no row is not no selection.
TEST_P(ViewsTest, Selections) {
  Rng rng(102);
  const Setting s(rng, {40, 6, 4});
  const RandomFeatures x(rng, FeatureType::f64, 40, 6);
  const StridedFeatures columns(x.view, {1, 40});
  for (const FeaturesView& view : {x.view, columns.view}) {
    Batch batch = s.batch(view, kSelection | kSampleWeights);
    EXPECT_EQ(batch.rows(), s.selection.size());
    batch.selection = std::span(s.selection).first(0);
    EXPECT_EQ(batch.rows(), 0U);
    expect_refused(s, batch, status_of(StatusCode::no_rows, "batch"));
    batch.selection = std::span<const std::uint32_t>();
    expect_refused(s, batch, status_of(StatusCode::no_rows, "batch"));
    const std::vector<std::uint32_t> beyond{0, 39, 40};
    batch.selection = beyond;
    expect_refused(s, batch, status_of(StatusCode::invalid_argument, "selection", 2, -1, "40"));
    batch.selection.reset();
    EXPECT_TRUE(batch.rows() == 40 && call_on<float>(s, batch, 1).result.rows == 34);
  }
}

}  // namespace
}  // namespace lanemax::checks
