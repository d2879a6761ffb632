// SPDX-License-Identifier: BSD-3-Clause
//
// lanemax::Parameters: what goes in comes out, in any strides; losses and gradients have the bits of those of matrices;
// what is refused leaves everything as it was; memory may begin anywhere.
#include "tests/support/parameters.hpp"
#include "tests/support/plan_shapes.hpp"
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <functional>

namespace lanemax::checks {
namespace {

constexpr std::size_t kClasses[] = {1, 2, 10, 16, 20, 33, 100, 1000};  // both layouts of W
constexpr std::size_t kFeatures[] = {1, 5, 17, 64, 130};

// ---- in and out ----

template <class T>
void comes_out_as_it_went_in(std::size_t features, std::size_t classes) {
  SCOPED_TRACE(text(classes, " x ", features, sizeof(T) == 4 ? " f32" : " f64"));
  Rng rng(71);
  const std::vector<T> w = numbers<T>(rng, classes * features), none(classes), zeros(classes * features);
  std::vector<T> b = numbers<T>(rng, classes);
  b[classes / 2] = -kInf<T>;
  for (const MatrixStrides& from : kMatrixStrides) {
    OwnedParameters<T> p(features, classes);
    ASSERT_TRUE(p.features() == features && p.classes() == classes);
    EXPECT_TRUE(same_bits(p.all(), in_engine_order(zeros, none, features, -kInf<T>)));
    const Matrix<T> source(classes, features, from, w);
    ASSERT_TRUE(p.set({source.view, b}).ok());
    EXPECT_TRUE(same_bits(p.all(), in_engine_order(w, b, features, -kInf<T>))) << from.name;
    for (const MatrixStrides& to : kMatrixStrides) {
      SCOPED_TRACE(text(from.name, " to ", to.name));
      const Matrix<T> both(classes, features, to), alone(classes, features, to);
      std::vector<T> bias(classes, static_cast<T>(kGap));
      ASSERT_TRUE(p.get({both.view, bias}).ok() && p.get({alone.view, {}}).ok());
      EXPECT_TRUE(same_bits(both.dense(), w) && same_bits(bias, b) && same_bits(alone.dense(), w));
      EXPECT_TRUE(both.untouched() == both.gaps() && alone.untouched() == alone.gaps());
    }
    ASSERT_TRUE(p.set({source.view, {}}).ok());
    EXPECT_TRUE(same_bits(p.all(), in_engine_order(w, none, features, -kInf<T>))) << "no bias, " << from.name;
    for (T& value : p.values()) value = -value;  // what is done to them is done to W
    const Matrix<T> negative(classes, features, from);
    ASSERT_TRUE(p.get({negative.view, {}}).ok());
    EXPECT_TRUE(std::ranges::equal(negative.dense(), w, [](T a, T of_w) { return a == -of_w; }));
  }
}

TEST(Parameters, ComeOutAsTheyWentIn) {
  for (const std::size_t classes : kClasses) {
    for (const std::size_t features : kFeatures) {
      comes_out_as_it_went_in<float>(features, classes);
      comes_out_as_it_went_in<double>(features, classes);
    }
  }
  comes_out_as_it_went_in<float>(700, 1000);
}

// ---- what set(), get() and create() refuse ----

/// Every bad number at every place: first, last, in tiles of 4 x 4 and in what they leave over.
template <class T>
void refuses_what_is_not_finite(std::size_t features, std::size_t classes) {
  SCOPED_TRACE(text(classes, " x ", features, sizeof(T) == 4 ? " f32" : " f64"));
  Rng rng(73);
  const std::vector<T> good = numbers<T>(rng, classes * features);
  std::vector<T> b(classes, T(1));
  OwnedParameters<T> p(features, classes);
  const std::vector<T> before = p.all();
  for (const MatrixStrides& strides : kMatrixStrides) {
    const Matrix<T> w(classes, features, strides, good);
    for (const T bad : {kNaN<T>, kInf<T>, -kInf<T>}) {
      for (std::size_t i = 0; i < good.size() && !testing::Test::HasFailure(); ++i) {
        w.view.at(i / features, i % features) = bad;
        expect_status(p.set({w.view, b}), StatusCode::not_finite, "weights", i / features, i % features);
        w.view.at(i / features, i % features) = good[i];
      }
      for (std::size_t c = 0; c < classes && !(bad < 0); ++c) {
        b[c] = bad;
        expect_status(p.set({w.view, b}), StatusCode::not_finite, "bias", c);
        b[c] = 1;
      }
    }
  }
  EXPECT_TRUE(same_bits(p.all(), before));
}

template <class T>
void refuses_wrong_sizes(std::size_t features, std::size_t classes) {
  OwnedParameters<T> p(features, classes);
  const std::vector<T> w((classes + 1) * (features + 1), T(1)), before = p.all();
  const auto gap = static_cast<T>(kGap);
  std::vector<T> out(w.size(), gap), b(classes + 1, gap);
  const auto expect_both = [&](const char* what, std::size_t rows, std::size_t cols, std::size_t biases, bool data) {
    const std::span<T> bias = std::span(b).first(biases);
    expect_status(p.set({{data ? w.data() : nullptr, rows, cols}, bias}), StatusCode::shape_mismatch, what);
    expect_status(p.get({{data ? out.data() : nullptr, rows, cols}, bias}), StatusCode::shape_mismatch, what);
  };
  for (const std::size_t by : {std::size_t{1}, ~std::size_t{0}}) {  // one more, one less
    expect_both("weights", classes + by, features, 0, true);
    expect_both("weights", classes, features + by, 0, true);
    expect_both("bias", classes, features, classes + by, true);
  }
  expect_both("weights", features, classes, 0, true);
  expect_both("weights", classes, features, classes, false);
  expect_both("bias", classes, features, 1, true);
  EXPECT_EQ(std::ranges::count(out, gap) + std::ranges::count(b, gap), std::ssize(out) + std::ssize(b));
  const OddMemory memory(Parameters<T>::bytes(7, 3), 0);
  const std::span<std::byte> all = memory;
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, all.size() - 1}) {
    expect_status(Parameters<T>::create(7, 3, all.first(size), p), StatusCode::workspace_too_small, "memory");
  }
  constexpr std::size_t kMost = ~std::size_t{0};
  for (const Shape s : {Shape{0, 0, 3}, Shape{0, 3, 0}, Shape{0, kMost >> 20, 1 << 22}, Shape{0, 1 << 22, kMost >> 20},
                        Shape{0, kMost, 1}, Shape{0, 1, kMost}, Shape{0, kMost, kMost}}) {
    EXPECT_EQ(Parameters<T>::bytes(s.features, s.classes), 0U) << s.features << ' ' << s.classes;
    expect_status(Parameters<T>::create(s.features, s.classes, all, p), StatusCode::shape_mismatch, "memory");
  }
  EXPECT_TRUE(p.features() == features && p.classes() == classes && same_bits(p.all(), before));
}

TEST(Parameters, RefuseWhatDoesNotFit) {
  for (const Shape s : {Shape{0, 17, 10}, Shape{0, 22, 37}, Shape{0, 18, 20}, Shape{0, 1, 1}, Shape{0, 4, 16}}) {
    refuses_what_is_not_finite<float>(s.features, s.classes);
    refuses_what_is_not_finite<double>(s.features, s.classes);
  }
  refuses_wrong_sizes<float>(6, 4);
  refuses_wrong_sizes<double>(5, 40);
}

// ---- in loss(), loss_and_gradient() and train_step() ----

class ParametersTest : public IsaTest {
 protected:
  [[nodiscard]] CallOptions options(int threads, bool transposed = false) const {
    return {.isa = GetParam(), .threads = threads, .transposed = transposed};
  }
  [[nodiscard]] Execution how(int threads) const { return {threads, GetParam()}; }
  template <class T>
  void as_of_matrices(const Shape& s) {
    SCOPED_TRACE(describe_plan<T>(s));
    Rng rng(74);
    const ProblemArrays<T> arrays(any_problem<T>(rng, s));
    const CallOutputs<T> want_loss = call(arrays, options(1), false), want = call(arrays, options(1), true);
    EXPECT_TRUE(same_bits(want, call(arrays, options(3), true)));  // copied by several threads where W is large
    EXPECT_TRUE(same_bits(want, call(arrays, options(3, true), true)));
    for (const int threads : {1, 3}) {
      for (const std::size_t offset : {0U, 1U, 3U, 63U}) {
        OwnedParameters<T> weights(s.features, s.classes, offset), gradient(s.features, s.classes, offset);
        ASSERT_TRUE(weights.set(arrays.weights).ok());
        const std::vector<T> before = weights.all();
        std::ranges::fill(gradient.values(), static_cast<T>(kUntouched));
        EXPECT_TRUE(same_bits(call_on<T>(weights, nullptr, arrays, how(threads), offset), want_loss)) << offset;
        EXPECT_TRUE(same_bits(call_on<T>(weights, &gradient, arrays, how(threads), offset), want)) << offset;
        EXPECT_TRUE(same_bits(gradient.all(), in_engine_order(want.dweights, want.dbias, s.features, T(0))));
        EXPECT_TRUE(gradient.memory.untouched_around() && weights.memory.untouched_around()) << offset;
        EXPECT_TRUE(same_bits(weights.all(), before));
      }
    }
  }
  /// A step reports the loss that the state's weights have before it.
  template <class T>
  void as_the_next_step(const Shape& s, bool scaled) {
    SCOPED_TRACE(text(describe_plan<T>(s), scaled ? " scaled" : ""));
    Rng rng(75);
    ProblemArrays<T> arrays(any_problem<T>(rng, s));
    const std::vector<double> centre(s.features, 0.3);
    const std::vector<float> factor(s.features, 1.7F);
    if (scaled) arrays.batch.scaling = {centre, factor};
    for (const Rule& rule : kRules) {
      OwnedState<T> owned(s.features, s.classes, rule.optimiser);
      ASSERT_TRUE(owned.state.set_weights(arrays.weights, arrays.batch.scaling).ok());
      const Parameters<T>& weights = owned.state.parameters();
      ASSERT_TRUE(weights.features() == s.features && weights.classes() == s.classes);
      double last = 0;
      for (const int threads : {1, 3, 3, 1}) {
        const OddMemory workspace(loss_workspace_bytes<T>(s.rows, s.features, s.classes, threads), 0);
        LossResult before, reported;
        ASSERT_TRUE(loss(arrays.objective, weights, arrays.batch, how(threads), workspace, before).ok());
        const StepOptions of_step = step_options(rule, 0.0625, 0.875);
        ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, of_step, how(threads), reported).ok());
        EXPECT_TRUE(same_bits(before.objective, reported.objective) && same_bits(before.data_loss, reported.data_loss));
        EXPECT_NE(before.objective, std::exchange(last, before.objective));
      }
    }
  }
  template <class T>
  void refusals();
  template <class T>
  void as_matrices(const Shape& s, const struct MatrixCase& c);
};
INSTANTIATE_PER_ISA(ParametersTest);

TEST_P(ParametersTest, GiveTheBitsOfMatrices) {
  for (const std::size_t classes : kClasses) {
    for (const std::size_t features : kFeatures) {
      as_of_matrices<float>({11, features, classes});
      as_of_matrices<double>({11, features, classes});
    }
  }
  as_of_matrices<float>({9, 700, 1000});
  as_of_matrices<double>({9, 4000, 33});
}

// A pass takes the weights from the caller's matrices panel by panel and gives the gradient back tile by tile, unless
// something needs them as a whole: a penalty, another group of blocks, a look at a gradient that may overflow.
struct MatrixCase {
  const char* name;
  double l2 = 0, scale = 1;  // of the features
  TargetSort targets = TargetSort::labels;
  bool sum = false, good = true;
};
constexpr MatrixCase kMatrixCases[] = {
    {.name = "plain"},
    {.name = "penalty", .l2 = 0.125},
    {.name = "large penalty of a sum", .l2 = 0.5, .sum = true},
    {.name = "targets", .targets = TargetSort::probabilities},
    {.name = "large features", .scale = 0x1p100},
    {.name = "overflow", .scale = 0x1p126, .sum = true, .good = false},
};

template <class T>
void ParametersTest::as_matrices(const Shape& s, const MatrixCase& c) {
  SCOPED_TRACE(text(c.name, ", ", describe_plan<T>(s)));
  Rng rng(78);
  reference::Problem p = make_problem<T>(rng, s, {.targets = c.targets});
  p.l2 = c.l2;
  p.sum_reduction = c.sum;
  const double scale = sizeof(T) == sizeof(float) ? c.scale : c.good ? std::pow(c.scale, 8) : 0x1p1022;
  for (double& x : p.x) x *= c.good ? scale : std::copysign(scale, x);
  for (double& w : p.w) w /= c.good ? scale : 2 * scale * static_cast<double>(s.features);
  if (!c.good) std::ranges::fill(p.labels, 0);
  const ProblemArrays<T> arrays(p);
  OwnedParameters<T> weights(s.features, s.classes), gradient(s.features, s.classes);
  ASSERT_TRUE(weights.set(arrays.weights).ok());
  const OddMemory workspace(loss_workspace_bytes<T>(s.rows, s.features, s.classes, 3), 0);
  LossResult want, of_loss;
  const Objective& objective = arrays.objective;
  const Status status = loss_and_gradient(objective, weights, arrays.batch, how(1), workspace, want, gradient);
  ASSERT_EQ(status.ok(), c.good) << message(status);
  constexpr std::size_t kKinds = std::size(kMatrixStrides);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    for (const std::size_t other : {kind, (kind + 2) % kKinds}) {
      const MatrixStrides &from = kMatrixStrides[kind], &to = kMatrixStrides[other];
      for (const int threads : {1, 3}) {
        SCOPED_TRACE(text(from.name, " to ", to.name, ", threads ", threads));
        const Matrix<T> w(s.classes, s.features, from, arrays.w), dw(s.classes, s.features, to);
        std::vector<T> db(s.classes, static_cast<T>(kGap));
        LossResult result;
        const Status got = loss_and_gradient(objective, WeightsView<const T>{w.view, arrays.b}, arrays.batch,
                                             how(threads), workspace, result, WeightsView<T>{dw.view, db});
        ASSERT_TRUE(workspace.untouched_around());
        if (!c.good) {
          expect_status(got, StatusCode::overflow, "gradient");
          EXPECT_EQ(dw.untouched(), dw.gaps() + arrays.w.size());
          EXPECT_EQ(std::ranges::count(db, static_cast<T>(kGap)), std::ssize(db));
          continue;
        }
        ASSERT_TRUE(got.ok()) << message(got);
        EXPECT_TRUE(same_bits(in_engine_order(dw.dense(), db, s.features, T(0)), gradient.all()));
        EXPECT_EQ(dw.untouched(), dw.gaps());
        EXPECT_TRUE(same_bits(result.objective, want.objective) && same_bits(result.data_loss, want.data_loss));
        ASSERT_TRUE(
            loss(objective, WeightsView<const T>{w.view, arrays.b}, arrays.batch, how(threads), workspace, of_loss)
                .ok());
        EXPECT_TRUE(same_bits(of_loss.objective, want.objective));
      }
    }
  }
}

TEST_P(ParametersTest, GiveTheBitsOfMatricesInAnyStrides) {
  for (const MatrixCase& c : kMatrixCases) {
    for (const Shape s : {Shape{40, 17, 10}, Shape{30, 61, 70}, Shape{250, 19, 200}, Shape{900, 34, 90}}) {
      as_matrices<float>(s, c);
      as_matrices<double>(s, c);
    }
  }
  as_matrices<float>({4200, 520, 256}, kMatrixCases[0]);  // several groups
}

// Several gradients are summed, elsewhere than where the sum is wanted; mostly by several threads.
TEST_P(ParametersTest, GiveTheBitsOfMatricesWithManyRows) {
  for (const Shape s : {Shape{5000, 30, 4}, Shape{5000, 64, 10}, Shape{2200, 70, 20}, Shape{2200, 60, 26}}) {
    EXPECT_TRUE(tiny_blocks() || make_plan<float>(s.rows, s.features, s.classes).slots > 1) << describe_plan<float>(s);
    as_of_matrices<float>(s);
    as_of_matrices<double>(s);
  }
}

TEST_P(ParametersTest, OfAStateGiveTheLossOfTheNextStep) {
  for (const Shape s : {Shape{40, 17, 10}, Shape{70, 700, 100}, Shape{2200, 70, 20}, Shape{60, 5, 1}}) {
    for (const bool scaled : {false, true}) {
      as_the_next_step<float>(s, scaled);
      as_the_next_step<double>(s, scaled);
    }
  }
  EXPECT_EQ(TrainState<float>().parameters().features(), 0U);
}

// Bad numbers of a matrix are found while it is copied, by several threads where it is large; all else is found before.
template <class T>
void ParametersTest::refusals() {
  Rng rng(76);
  for (const Shape s : {Shape{3, 17, 10}, Shape{3, 22, 37}, Shape{3, 702, 101}}) {
    ProblemArrays<T> arrays(make_problem<T>(rng, s, {}));
    for (std::size_t i = 0; i < arrays.w.size() && !HasFailure(); i += s.features > 100 ? 3541 : 1) {
      const T was = std::exchange(arrays.w[i], i % 3 == 0 ? kNaN<T> : i % 3 == 1 ? kInf<T> : -kInf<T>);
      const CallOutputs<T> got = call(arrays, options(3, i % 2 == 0), i % 4 < 2);
      expect_status(got.status, StatusCode::not_finite, "weights", i / s.features, i % s.features);
      EXPECT_TRUE(got.untouched());
      arrays.w[i] = was;
    }
    arrays.b[s.classes - 1] = kInf<T>;
    expect_status(call(arrays, options(1), true).status, StatusCode::not_finite, "bias", s.classes - 1);
  }
  using A = ProblemArrays<T>;
  using P = Parameters<T>;
  const auto expect_refused = [&](StatusCode code, const char* what, const std::function<void(A&, P&, P&)>& change) {
    A arrays(make_problem<T>(rng, {40, 17, 20}, {}));
    OwnedParameters<T> weights(17, 20), gradient(17, 20);
    ASSERT_TRUE(weights.set(arrays.weights).ok());
    change(arrays, weights, gradient);
    const std::vector<T> before = weights.all();
    for (P* const wanted : {static_cast<P*>(nullptr), static_cast<P*>(&gradient)}) {
      if (wanted == nullptr && what == std::string("gradient")) continue;
      const CallOutputs<T> got = call_on<T>(weights, wanted, arrays, how(1));
      expect_status(got.status, code, what);
      EXPECT_TRUE(got.untouched() && same_bits(weights.all(), before)) << what;
    }
  };
  OwnedParameters<T> narrow(16, 20), few(17, 19), own(17, 20);
  const StatusCode shape = StatusCode::shape_mismatch;
  expect_refused(shape, "gradient", [&](A&, P&, P& gradient) { gradient = narrow; });
  expect_refused(shape, "gradient", [&](A&, P&, P& gradient) { gradient = few; });
  expect_refused(shape, "features", [&](A& a, P&, P&) { a.batch.features.features = 16; });
  expect_refused(shape, "labels", [](A& a, P&, P&) { a.batch.labels = std::span(a.labels).first(39); });
  expect_refused(StatusCode::label_out_of_range, "labels", [](A& a, P&, P&) { a.labels[39] = 20; });
  expect_refused(StatusCode::not_finite, "features", [](A& a, P&, P&) {
    static_cast<T*>(const_cast<void*>(a.batch.features.data))[40 * 17 - 1] = kNaN<T>;
  });
  for (const T bad : {kNaN<T>, kInf<T>}) {  // what own arithmetic on values() may lead to
    expect_refused(StatusCode::overflow, "loss", [=](A&, P& w, P&) { w.values()[16 * 32 + 1] = bad; });
  }
  const A arrays(make_problem<T>(rng, {40, 17, 20}, {}));
  LossResult result;
  const Status memory = loss(arrays.objective, own, arrays.batch, how(1), {}, result);
  expect_status(memory, StatusCode::workspace_too_small, "workspace");
}

TEST_P(ParametersTest, RefusalsOfTheCalls) {
  refusals<float>();
  refusals<double>();
}

TEST_P(ParametersTest, AMaskedClassTakesNoPart) {
  for (const std::size_t masked : {2U, 9U, 19U, 25U}) {
    Rng rng(77);
    reference::Problem p = make_problem<double>(rng, {50, 9, masked + 1}, {});
    for (int& label : p.labels) label = std::min(label, static_cast<int>(masked) - 1);
    p.b[masked] = -kInf<double>;
    const ProblemArrays<double> arrays(p);
    OwnedParameters<double> weights(9, masked + 1), gradient(9, masked + 1);
    ASSERT_TRUE(weights.set(arrays.weights).ok());
    const CallOutputs<double> got = call_on<double>(weights, &gradient, arrays, how(1));
    p.w.resize(masked * 9);
    p.b.resize(p.classes = masked);
    const CallOutputs<double> want = call(ProblemArrays<double>(p), options(1), false);
    EXPECT_NEAR(got.result.objective, want.result.objective, 1e-12);
    EXPECT_EQ(std::count(got.dweights.end() - 9, got.dweights.end(), 0.0) + (got.dbias[masked] == 0), 10);
    for (std::size_t n = 0; n < 50; ++n) EXPECT_EQ(got.probabilities[n * (masked + 1) + masked], 0);
  }
}

}  // namespace
}  // namespace lanemax::checks
