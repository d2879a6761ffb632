// SPDX-License-Identifier: BSD-3-Clause
//
// What loss() and loss_and_gradient() refuse: the status says what and where, and no output is touched.
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

#include <functional>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 40, kFeatures = 6, kClasses = 4;

/// A call that is fine, until a test changes something.
template <class T>
struct GoodCall {
  explicit GoodCall(Isa isa, reference::Problem problem = plain())
      : p(std::move(problem)), arrays(p), objective(arrays.objective), batch(arrays.batch), weights(arrays.weights) {
    execution.isa = isa;
    out.prepare(kRows, kFeatures, kClasses);
    rows = {out.sample_losses, {out.probabilities.data(), kRows, kClasses}, {out.dfeatures.data(), kRows, kFeatures}};
    gradient = {{out.dweights.data(), kClasses, kFeatures}, out.dbias};
    workspace = scratch(loss_workspace_bytes<T>(kRows, kFeatures, kClasses, 1));
  }
  static reference::Problem plain() {
    Rng rng(21);
    return make_problem<T>(rng, {kRows, kFeatures, kClasses}, {});
  }
  T* x() { return static_cast<T*>(const_cast<void*>(batch.features.data)); }
  Status call(bool with_gradient) {
    if (with_gradient) {
      return loss_and_gradient(objective, weights, batch, execution, workspace, out.result, gradient, rows);
    }
    SampleOutputs<T> wanted = rows;
    if (!dfeatures_of_loss) wanted.dfeatures = {};
    return loss(objective, weights, batch, execution, workspace, out.result, wanted);
  }

  reference::Problem p;
  ProblemArrays<T> arrays;
  Objective objective;
  Batch batch;
  WeightsView<const T> weights;
  Execution execution;
  Scratch scratch;
  std::span<std::byte> workspace;
  SampleOutputs<T> rows;
  bool dfeatures_of_loss = false;  ///< ask loss() for them, too
  WeightsView<T> gradient;
  CallOutputs<T> out;
};

enum class Calls { both, loss, gradient };

struct Where {
  StatusCode code = StatusCode::ok;
  std::string what;
  std::int64_t row = -1, column = -1;
};

class ObjectiveRefusalTest : public IsaTest {
 protected:
  template <class T>
  void expect_refused(const char* name, const Where& where, const std::function<void(GoodCall<T>&)>& change,
                      Calls calls = Calls::both) {
    for (const bool with_gradient : {false, true}) {
      if (calls == (with_gradient ? Calls::loss : Calls::gradient)) continue;
      GoodCall<T> setup(GetParam());
      change(setup);
      const Status status = setup.call(with_gradient);
      SCOPED_TRACE(
          text(name, with_gradient ? ", gradient" : ", loss", sizeof(T) == 4 ? " f32: " : " f64: ", message(status)));
      EXPECT_EQ(name_of(status.code), std::string(name_of(where.code)));
      EXPECT_EQ(status.what, where.what);
      EXPECT_EQ(status.row, where.row);
      EXPECT_EQ(status.column, where.column);
      EXPECT_NE(std::string(status.expected), "");
      EXPECT_TRUE(setup.out.untouched());
    }
  }
  template <class T>
  void objectives();
  template <class T>
  void shapes();
  template <class T>
  void lengths();
  template <class T>
  void scaling();
  template <class T>
  void rows();
  template <class T>
  void numbers();
  template <class T>
  void memory();
};
INSTANTIATE_PER_ISA(ObjectiveRefusalTest);

template <class T>
void ObjectiveRefusalTest::objectives() {
  using S = GoodCall<T>;
  const StatusCode argument = StatusCode::invalid_argument, shape = StatusCode::shape_mismatch;
  const double bad_l2[] = {-1, -1e-300, kNaN<double>, kInf<double>};
  for (const double value : bad_l2) {
    expect_refused<T>("l2", {argument, "l2"}, [=](S& s) { s.objective.l2 = value; });
  }
  const double bad_smoothing[] = {-0.1, 1.0001, kNaN<double>, kInf<double>};
  for (const double value : bad_smoothing) {
    expect_refused<T>("smoothing", {argument, "label_smoothing"}, [=](S& s) { s.objective.label_smoothing = value; });
  }
  expect_refused<T>("ignored label", {argument, "ignored_label"}, [](S& s) { s.objective.ignored_label = 0; });
  const std::vector<float> targets(kRows * kClasses, 0.25f);
  const auto take_targets = [&](S& s) { s.batch.target_probabilities = {targets.data(), kRows, kClasses}; };
  expect_refused<T>("labels and targets", {argument, "targets"}, take_targets);
  expect_refused<T>("neither", {argument, "targets"}, [](S& s) { s.batch.labels = {}; });
  expect_refused<T>("smoothed targets", {argument, "label_smoothing"}, [&](S& s) {
    take_targets(s);
    s.batch.labels = {};
    s.objective.label_smoothing = 0.1;
  });
  expect_refused<T>("smoothed hinge", {argument, "label_smoothing"}, [](S& s) {
    s.objective.loss = Loss::hinge;
    s.objective.label_smoothing = 0.1;
  });
  expect_refused<T>("hinge with targets", {argument, "target_probabilities"}, [&](S& s) {
    take_targets(s);
    s.batch.labels = {};
    s.objective.loss = Loss::hinge;
  });
  expect_refused<T>("hinge with probabilities", {argument, "probabilities"},
                    [](S& s) { s.objective.loss = Loss::hinge; });
  expect_refused<T>("logistic with four rows", {shape, "weights"}, [](S& s) { s.objective.loss = Loss::logistic; });
  expect_refused<T>("hinge with one row", {shape, "weights"}, [](S& s) {
    s.objective.loss = Loss::hinge;
    s.weights.weights.rows = 1;
  });
  for (const int threads : {0, -1, std::numeric_limits<int>::min()}) {
    expect_refused<T>("threads", {argument, "threads"}, [=](S& s) { s.execution.threads = threads; });
  }
}

template <class T>
void ObjectiveRefusalTest::shapes() {
  using S = GoodCall<T>;
  const StatusCode argument = StatusCode::invalid_argument, shape = StatusCode::shape_mismatch;
  expect_refused<T>("no samples", {StatusCode::no_rows, "batch"}, [](S& s) { s.batch.features.samples = 0; });
  static const std::uint32_t selection[] = {0, 3, kRows};
  expect_refused<T>("empty selection", {StatusCode::no_rows, "batch"},
                    [](S& s) { s.batch.selection = std::span(selection).first(0); });
  expect_refused<T>("selection of a row that is not there", {argument, "selection", 2}, [](S& s) {
    s.batch.selection = selection;
    s.rows.losses = s.rows.losses.first(3);
    s.rows.probabilities.rows = s.rows.dfeatures.rows = 3;
  });
  expect_refused<T>("no features", {shape, "weights"}, [](S& s) { s.weights.weights.cols = 0; });
  expect_refused<T>("no classes", {shape, "weights"}, [](S& s) { s.weights.weights.rows = 0; });
  expect_refused<T>("too many classes", {shape, "weights"}, [](S& s) { s.weights.weights.rows = 16777217; });
  expect_refused<T>("features of another width", {shape, "features"}, [](S& s) { s.batch.features.features = 5; });
  expect_refused<T>("rows that overlap", {shape, "features"}, [](S& s) { s.batch.features.row_stride = 5; });
  expect_refused<T>("rows that are all the first", {shape, "features"}, [](S& s) { s.batch.features.row_stride = 0; });
  expect_refused<T>("columns that are all the first", {shape, "features"},
                    [](S& s) { s.batch.features.col_stride = 0; });
  expect_refused<T>("columns that overlap", {shape, "features"}, [](S& s) {
    s.batch.features.row_stride = 1;
    s.batch.features.col_stride = kRows - 1;
  });
  expect_refused<T>("no X", {argument, "features"}, [](S& s) { s.batch.features.data = nullptr; });
  expect_refused<T>("no W", {argument, "weights"}, [](S& s) { s.weights.weights.data = nullptr; });
  const std::vector<float> targets(kRows * kClasses, 0.25f);
  expect_refused<T>("targets of another shape", {shape, "target_probabilities"}, [&](S& s) {
    s.batch.labels = {};
    s.batch.target_probabilities = {targets.data(), kRows, kClasses - 1};
  });
  expect_refused<T>("probabilities of another shape", {shape, "probabilities"},
                    [](S& s) { s.rows.probabilities.cols = 3; });
  const Calls only = Calls::gradient;
  expect_refused<T>("no dweights", {argument, "gradient"}, [](S& s) { s.gradient.weights.data = nullptr; }, only);
  expect_refused<T>("no dbias", {argument, "gradient"}, [](S& s) { s.gradient.bias = {}; }, only);
  expect_refused<T>("dweights of another shape", {shape, "gradient"}, [](S& s) { s.gradient.weights.rows = 3; }, only);
  expect_refused<T>("dweights of another width", {shape, "gradient"}, [](S& s) { s.gradient.weights.cols = 5; }, only);
  expect_refused<T>("dfeatures of another shape", {shape, "dfeatures"}, [](S& s) { s.rows.dfeatures.rows = 3; }, only);
  expect_refused<T>("dfeatures with gaps", {shape, "dfeatures"}, [](S& s) { s.rows.dfeatures.col_stride = 2; }, only);
  static const float ones[kFeatures] = {1, 1, 1, 1, 1, 1};
  expect_refused<T>(
      "dfeatures of scaled features", {argument, "dfeatures"}, [](S& s) { s.batch.scaling.factor = ones; }, only);
  expect_refused<T>(
      "dfeatures without a gradient", {argument, "dfeatures"}, [](S& s) { s.dfeatures_of_loss = true; }, Calls::loss);
}

// Arrays that are too short or too long by one, or hold one entry for all.
template <class T>
void ObjectiveRefusalTest::lengths() {
  using S = GoodCall<T>;
  const StatusCode shape = StatusCode::shape_mismatch;
  const std::vector<std::int32_t> labels(kRows + 1);
  const std::vector<std::uint8_t> small_labels(kRows + 1);
  const std::vector<float> weights(kRows + 1, 1.0f), factor(kFeatures + 1, 1.0f);
  const std::vector<double> centre(kFeatures + 1);
  std::vector<T> bias(kClasses + 1), losses(kRows + 1, static_cast<T>(kUntouched));
  for (const std::size_t size : {std::size_t{1}, kRows - 1, kRows + 1}) {
    expect_refused<T>("labels", {shape, "labels"}, [&](S& s) { s.batch.labels = {labels.data(), size}; });
    expect_refused<T>("labels in bytes", {shape, "labels"},
                      [&](S& s) { s.batch.labels = {small_labels.data(), size}; });
    expect_refused<T>("labels beside a selection", {shape, "labels"}, [&](S& s) {
      static const std::uint32_t first[] = {0};
      s.batch.selection = first;
      s.batch.labels = {labels.data(), size};
      s.rows = {};
    });
    expect_refused<T>("sample weights", {shape, "sample_weights"},
                      [&](S& s) { s.batch.sample_weights = std::span(weights).first(size); });
    expect_refused<T>("losses", {shape, "losses"}, [&](S& s) { s.rows.losses = std::span(losses).first(size); });
  }
  for (const std::size_t size : {std::size_t{1}, kFeatures - 1, kFeatures + 1}) {
    expect_refused<T>("factors", {shape, "scaling"}, [&](S& s) {
      s.batch.scaling.factor = std::span(factor).first(size);
      s.rows.dfeatures = {};
    });
    expect_refused<T>("centres", {shape, "scaling"}, [&](S& s) {
      s.batch.scaling.centre = std::span(centre).first(size);
      s.rows.dfeatures = {};
    });
  }
  for (const std::size_t size : {std::size_t{1}, kClasses - 1, kClasses + 1}) {
    expect_refused<T>("bias", {shape, "bias"}, [&](S& s) { s.weights.bias = std::span<const T>(bias).first(size); });
    expect_refused<T>(
        "dbias", {shape, "gradient"},
        [&](S& s) {
          std::fill(bias.begin(), bias.end(), static_cast<T>(kUntouched));
          s.gradient.bias = std::span(bias).first(size);
        },
        Calls::gradient);
    for (const T value : bias) EXPECT_EQ(value, static_cast<T>(kUntouched));
    std::fill(bias.begin(), bias.end(), T(0));
  }
  for (const T loss : losses) EXPECT_EQ(loss, static_cast<T>(kUntouched));
  // Outputs are as long as the selection, not as the samples.
  expect_refused<T>("losses of all samples", {shape, "losses"}, [](S& s) {
    static const std::uint32_t some[] = {1, 4, 2};
    s.batch.selection = some;
    s.rows.probabilities.rows = s.rows.dfeatures.rows = 3;
  });
}

template <class T>
void ObjectiveRefusalTest::scaling() {
  using S = GoodCall<T>;
  for (const float bad : {0.0f, -0.0f, 1e-40f, kNaN<float>, kInf<float>, -kInf<float>}) {
    std::vector<float> factor(kFeatures, 0.5f);
    factor[4] = bad;
    const StatusCode code = std::isfinite(bad) ? StatusCode::invalid_argument : StatusCode::not_finite;
    expect_refused<T>("scaling factor", {code, "scaling factor", -1, 4}, [&](S& s) {
      s.batch.scaling.factor = factor;
      s.rows.dfeatures = {};
    });
  }
  for (const double bad : {kNaN<double>, kInf<double>, -kInf<double>}) {
    std::vector<double> centre(kFeatures, 0.5);
    centre[0] = bad;
    expect_refused<T>("scaling centre", {StatusCode::not_finite, "scaling centre", -1, 0}, [&](S& s) {
      s.batch.scaling.centre = centre;
      s.rows.dfeatures = {};
    });
  }
}

template <class T>
void ObjectiveRefusalTest::rows() {
  using S = GoodCall<T>;
  const StatusCode range = StatusCode::label_out_of_range;
  const auto bad = [](float value) {
    return std::isfinite(value) ? StatusCode::invalid_argument : StatusCode::not_finite;
  };
  for (const std::int32_t label : {4, 5, -1, -2, std::numeric_limits<std::int32_t>::max()}) {
    expect_refused<T>("label", {range, "labels", 31}, [=](S& s) {
      s.objective.ignored_label = -3;
      s.arrays.labels[31] = label;
    });
  }
  // Of other types, what does not fit an int32 is no other label than it is.
  const std::int64_t bad_i64[] = {4, -1, std::int64_t{1} << 32, -(std::int64_t{1} << 32) + 1,
                                  std::numeric_limits<std::int64_t>::min()};
  for (const std::int64_t label : bad_i64) {
    std::vector<std::int64_t> labels(kRows, 1);
    labels[31] = label;
    expect_refused<T>("label, i64", {range, "labels", 31}, [&](S& s) {
      s.objective.ignored_label = -3;
      s.batch.labels = labels;
    });
  }
  for (const std::uint64_t label : {std::uint64_t{4}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    std::vector<std::uint64_t> labels(kRows, 1);
    labels[31] = label;  // all bits 1 is not the ignored -1
    expect_refused<T>("label, u64", {range, "labels", 31}, [&](S& s) { s.batch.labels = labels; });
  }
  std::vector<std::uint8_t> of_bytes(kRows, 1);
  of_bytes[31] = 255;
  expect_refused<T>("label, u8", {range, "labels", 31}, [&](S& s) { s.batch.labels = of_bytes; });
  std::vector<float> weights(kRows, 1.0f);
  for (const float weight : {-1.0f, -1e-30f, kNaN<float>, kInf<float>}) {
    expect_refused<T>("sample weight", {bad(weight), "sample_weights", 17}, [&](S& s) {
      weights[17] = weight;
      s.batch.sample_weights = weights;
    });
  }
  std::fill(weights.begin(), weights.end(), 0.0f);
  expect_refused<T>("all weights 0", {StatusCode::no_rows, "batch"}, [&](S& s) { s.batch.sample_weights = weights; });
  expect_refused<T>("all rows ignored", {StatusCode::no_rows, "batch"},
                    [](S& s) { std::fill(s.arrays.labels.begin(), s.arrays.labels.end(), -1); });
  expect_refused<T>("nothing but ignored rows and rows of weight 0", {StatusCode::no_rows, "batch"}, [&](S& s) {
    weights[0] = 1;
    s.batch.sample_weights = weights;
    s.arrays.labels[0] = -1;
  });
  for (const float t : {-0.25f, kNaN<float>, kInf<float>}) {
    std::vector<float> targets(kRows * kClasses, 0.25f);
    expect_refused<T>("target", {bad(t), "target_probabilities", 9, 2}, [&](S& s) {
      targets[9 * kClasses + 2] = t;
      s.batch.labels = {};
      s.batch.target_probabilities = {targets.data(), kRows, kClasses};
    });
  }
}

template <class T>
void ObjectiveRefusalTest::numbers() {
  using S = GoodCall<T>;
  const StatusCode finite = StatusCode::not_finite;
  for (const T bad : {kNaN<T>, kInf<T>, -kInf<T>}) {
    for (const std::size_t at : {std::size_t{0}, kFeatures + 3, kRows * kFeatures - 1}) {
      const auto row = static_cast<std::int64_t>(at / kFeatures), column = static_cast<std::int64_t>(at % kFeatures);
      expect_refused<T>("X", {finite, "features", row, column}, [=](S& s) { s.x()[at] = bad; });
      expect_refused<T>("X, nothing but the result wanted", {finite, "features", row, column}, [=](S& s) {
        s.x()[at] = bad;
        s.rows = {};
      });
    }
    expect_refused<T>("W", {finite, "weights", 2, 1}, [=](S& s) { s.arrays.w[2 * kFeatures + 1] = bad; });
    if (bad != -kInf<T>) {
      expect_refused<T>("bias", {finite, "bias", 3}, [=](S& s) { s.arrays.b[3] = bad; });
    }
  }
  // The first of several is named.
  expect_refused<T>("X twice", {finite, "features", 5, 4}, [](S& s) {
    s.x()[30 * kFeatures + 1] = kNaN<T>;
    s.x()[5 * kFeatures + 4] = kInf<T>;
  });
  // Finite numbers whose products are not.
  expect_refused<T>("logits that overflow", {StatusCode::overflow, "loss"}, [](S& s) {
    for (T& w : s.arrays.w) w = std::numeric_limits<T>::max();
    for (std::size_t d = 0; d < kFeatures; ++d) s.x()[8 * kFeatures + d] = d % 2 == 0 ? T(1e3) : T(-1e3);
  });
  expect_refused<T>(
      "a gradient that overflows", {StatusCode::overflow, "gradient"},
      [](S& s) {
        std::fill(s.arrays.w.begin(), s.arrays.w.end(), T(0));
        for (std::size_t n = 0; n < kRows; ++n) {
          s.x()[n * kFeatures] = std::numeric_limits<T>::max();
          s.arrays.labels[n] = 0;
        }
        s.objective.reduction = Reduction::sum;
      },
      Calls::gradient);
  // A label on a masked class has an infinite loss.
  expect_refused<T>("a masked label", {StatusCode::overflow, "loss"}, [](S& s) {
    s.arrays.b[1] = -kInf<T>;
    s.arrays.labels[13] = 1;
  });
  if (sizeof(T) == sizeof(double)) {
    expect_refused<T>("a penalty that overflows", {StatusCode::overflow, "penalty"}, [](S& s) {
      std::fill(s.x(), s.x() + kRows * kFeatures, T(0));
      std::fill(s.arrays.w.begin(), s.arrays.w.end(), std::numeric_limits<T>::max() / 4);
      s.objective.l2 = 1;
    });
  }
}

template <class T>
void ObjectiveRefusalTest::memory() {
  using S = GoodCall<T>;
  expect_refused<T>("no workspace", {StatusCode::workspace_too_small, "workspace"}, [](S& s) { s.workspace = {}; });
  expect_refused<T>("a small workspace", {StatusCode::workspace_too_small, "workspace"},
                    [](S& s) { s.workspace = s.workspace.first(64); });
  // It may begin anywhere; nothing beside it is touched.
  for (const bool with_gradient : {false, true}) {
    S want(GetParam());
    ASSERT_TRUE(want.call(with_gradient).ok());
    for (const std::size_t offset : {0U, 1U, 4U, 16U, 63U}) {
      S got(GetParam());
      const std::size_t bytes = got.workspace.size();
      OffsetScratch room(bytes, offset);
      got.workspace = room;
      got.out.status = got.call(with_gradient);
      EXPECT_TRUE(same_bits(got.out, want.out)) << offset << ": " << message(got.out.status);
      EXPECT_TRUE(room.untouched_around()) << offset;
    }
  }
}

TEST_P(ObjectiveRefusalTest, ObjectivesF32) {
  objectives<float>();
}
TEST_P(ObjectiveRefusalTest, ObjectivesF64) {
  objectives<double>();
}
TEST_P(ObjectiveRefusalTest, ShapesF32) {
  shapes<float>();
}
TEST_P(ObjectiveRefusalTest, ShapesF64) {
  shapes<double>();
}
TEST_P(ObjectiveRefusalTest, LengthsF32) {
  lengths<float>();
}
TEST_P(ObjectiveRefusalTest, LengthsF64) {
  lengths<double>();
}
TEST_P(ObjectiveRefusalTest, ScalingF32) {
  scaling<float>();
}
TEST_P(ObjectiveRefusalTest, ScalingF64) {
  scaling<double>();
}
TEST_P(ObjectiveRefusalTest, RowsF32) {
  rows<float>();
}
TEST_P(ObjectiveRefusalTest, RowsF64) {
  rows<double>();
}
TEST_P(ObjectiveRefusalTest, NumbersF32) {
  numbers<float>();
}
TEST_P(ObjectiveRefusalTest, NumbersF64) {
  numbers<double>();
}
TEST_P(ObjectiveRefusalTest, MemoryF32) {
  memory<float>();
}
TEST_P(ObjectiveRefusalTest, MemoryF64) {
  memory<double>();
}

// The same setup, unchanged, is fine: the refusals above come from the change alone.
TEST_P(ObjectiveRefusalTest, TheSetupItselfIsFine) {
  for (const bool with_gradient : {false, true}) {
    GoodCall<float> f32(GetParam());
    GoodCall<double> f64(GetParam());
    EXPECT_TRUE(f32.call(with_gradient).ok());
    EXPECT_TRUE(f64.call(with_gradient).ok());
    EXPECT_FALSE(f32.out.untouched());
    EXPECT_FALSE(f64.out.untouched());
  }
}

// Logistic: labels 0 and 1, targets up to 1; an infinity in X is found for either sign of the score and either label.
TEST_P(ObjectiveRefusalTest, LogisticRows) {
  ProblemOptions o;
  o.loss = reference::Loss::logistic;
  for (const double bad : {kNaN<double>, kInf<double>, -kInf<double>}) {
    for (const int label : {0, 1}) {
      for (const double w : {-1.0, 1.0}) {
        Rng rng(22);
        reference::Problem p = make_problem<double>(rng, {5, 3, 1}, o);
        p.x[7] = bad;
        p.w[1] = w;
        p.labels[2] = label;
        const ProblemArrays<double> arrays(p);
        CallOptions options;
        options.isa = GetParam();
        for (const bool with_gradient : {false, true}) {
          const CallOutputs<double> out = call(arrays, options, with_gradient);
          SCOPED_TRACE(text(bad, " label ", label, " weight ", w, with_gradient ? " gradient" : " loss"));
          EXPECT_EQ(out.status.code, StatusCode::not_finite) << message(out.status);
          EXPECT_EQ(out.status.row, 2);
          EXPECT_EQ(out.status.column, 1);
          EXPECT_TRUE(out.untouched());
        }
      }
    }
  }
  Rng rng(23);
  reference::Problem p = make_problem<double>(rng, {5, 3, 1}, o);
  p.labels[3] = 2;
  CallOptions options;
  options.isa = GetParam();
  const CallOutputs<double> label = call(ProblemArrays<double>(p), options, true);
  EXPECT_EQ(label.status.code, StatusCode::label_out_of_range);
  EXPECT_EQ(label.status.row, 3);
  p.labels.clear();
  p.targets = {0, 1, 0.5, 0.25, 1.0625};
  const CallOutputs<double> target = call(ProblemArrays<double>(p), options, true);
  EXPECT_EQ(target.status.code, StatusCode::invalid_argument);
  EXPECT_EQ(target.status.row, 4);
}

// Hinge: an infinity in X is found whatever the signs.
TEST_P(ObjectiveRefusalTest, HingeRows) {
  ProblemOptions o;
  o.loss = reference::Loss::hinge;
  for (const std::size_t classes : {3U, 20U}) {
    for (const double bad : {kNaN<double>, kInf<double>, -kInf<double>}) {
      for (const double w : {-1.0, 1.0, 0.0}) {
        Rng rng(24);
        reference::Problem p = make_problem<double>(rng, {5, 3, classes}, o);
        p.x[7] = bad;
        for (std::size_t c = 0; c < classes; ++c) p.w[c * 3 + 1] = w;
        CallOptions options;
        options.isa = GetParam();
        const CallOutputs<double> out = call(ProblemArrays<double>(p), options, false);
        EXPECT_EQ(out.status.code, StatusCode::not_finite) << bad << " weights " << w << ": " << message(out.status);
        EXPECT_EQ(out.status.row, 2);
        EXPECT_TRUE(out.untouched());
      }
    }
  }
}

TEST(ObjectiveSizes, ShapesThatOverflowNeedZeroBytes) {
  constexpr std::size_t kHuge[] = {std::size_t{1} << 44, std::size_t{1} << 60, std::size_t{1} << 62, ~std::size_t{0}};
  for (const std::size_t huge : kHuge) {
    EXPECT_EQ(loss_workspace_bytes<float>(1, huge, 1 << 22, 1), 0U) << huge;
    EXPECT_EQ(loss_workspace_bytes<double>(1, huge, 1 << 22, 1), 0U) << huge;
    EXPECT_EQ(train_step_workspace_bytes<float>(1, huge, 1 << 22, 1), 0U) << huge;
    EXPECT_EQ(TrainState<double>::bytes(huge, 1 << 22, Optimiser::momentum), 0U) << huge;
    EXPECT_EQ(TrainState<float>::bytes(1 << 22, huge, Optimiser::momentum), 0U) << huge;
    EXPECT_EQ(loss_workspace_bytes<float>(1, 1 << 22, huge, 1), 0U) << huge;
  }
  EXPECT_EQ(loss_workspace_bytes<float>(0, 3, 3, 1), 0U);
  EXPECT_EQ(loss_workspace_bytes<float>(3, 0, 3, 1), 0U);
  EXPECT_EQ(loss_workspace_bytes<float>(3, 3, 0, 1), 0U);
  EXPECT_GT(loss_workspace_bytes<float>(3, 3, 3, 1), 0U);
}

}  // namespace
}  // namespace lanemax::checks
