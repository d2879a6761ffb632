// SPDX-License-Identifier: BSD-3-Clause
//
// train_step() against the oracle: every single step within its bounds, ten steps and ten epochs as a whole. Refusals:
// train_step_refusal_test.
#include "engine/pass/weights.hpp"
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::checks {
namespace {

constexpr double kRate = 0.125, kMomentum = 0.875;

template <class T>
std::vector<double> widen(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// Adam's and AdaGrad's steps are as long as the rate, whatever the gradient.
double rate_of(const Rule& rule) {
  return rule.optimiser == Optimiser::adam || rule.optimiser == Optimiser::adagrad ? kRate / 8 : kRate;
}
reference::AdamRule adam_rule(std::size_t steps, const reference::Arithmetic& a) {
  reference::AdamRule rule;
  rule.rate = rate_of(kRules[3]);
  rule.mean_decay = kMomentum;
  rule.square_decay = kSecondMomentDecay;
  rule.mean_correction = reference::adam_correction(kMomentum, steps, a);
  rule.square_correction = reference::adam_correction(kSecondMomentDecay, steps, a);
  return rule;
}

/// Gradient descent in the oracle's arithmetic, one full batch per step.
struct ReferenceDescent {
  reference::Problem p;
  Rule rule;
  std::vector<Real> velocity = std::vector<Real>(p.w.size() + p.b.size());
  std::vector<Real> square = velocity;
  std::size_t steps = 0;
  std::vector<Real> w = {p.w.begin(), p.w.end()}, b = {p.b.begin(), p.b.end()};

  /// Returns the objective before the step.
  Real step() {
    const reference::Arithmetic a = reference::arithmetic_of<Real>();
    const reference::Solution s = reference::solve(p, a);
    const reference::AdamRule adam = adam_rule(++steps, a);
    const auto move = [&](Real& value, std::size_t i, Real gradient) {
      Real& speed = velocity[i];
      if (rule.optimiser == Optimiser::adam) {
        const auto m = reference::adam_step({value, 0}, {speed, 0}, {square[i], 0}, {gradient, 0}, adam, a);
        value = m.weight.value;
        speed = m.mean.value;
        square[i] = m.square.value;
        return;
      }
      if (rule.optimiser == Optimiser::adagrad) {
        const auto m = reference::adagrad_step({value, 0}, {square[i], 0}, {gradient, 0}, rate_of(rule), a);
        value = m.weight.value;
        square[i] = m.square.value;
        return;
      }
      if (rule.optimiser == Optimiser::gradient_descent) {
        value = reference::descent_step({value, 0}, {gradient, 0}, kRate, a).value;
        return;
      }
      const auto m =
          reference::momentum_step({value, 0}, {speed, 0}, {gradient, 0}, kRate, kMomentum, rule.nesterov, a);
      value = m.weight.value;
      speed = m.velocity.value;
    };
    for (std::size_t i = 0; i < w.size(); ++i) move(w[i], i, s.dweights[i].value);
    for (std::size_t c = 0; c < b.size(); ++c) move(b[c], w.size() + c, s.dbias[c].value);
    for (std::size_t i = 0; i < w.size(); ++i) p.w[i] = static_cast<double>(w[i]);
    for (std::size_t c = 0; c < b.size(); ++c) p.b[c] = static_cast<double>(b[c]);
    return s.objective.value;
  }
};

class TrainStepTest : public IsaTest {
 protected:
  [[nodiscard]] Execution execution(int threads = 1) const { return {threads, GetParam()}; }

  // Before each step the oracle is given the engine's own weights and moments.
  template <class T>
  void each_step() {
    constexpr Real kMax = std::numeric_limits<T>::max();
    const reference::Arithmetic a = reference::arithmetic_of<T>();
    Rng rng(31);
    Judge judge;
    for (const Shape shape :
         {Shape{30, 7, 3}, Shape{41, 20, 10}, Shape{35, 5, 16}, Shape{52, 11, 21}, Shape{33, 9, 40}}) {
      for (const Rule& rule : kRules) {
        ProblemOptions o;
        o.weights = o.l2 = true;
        if (shape.classes == 40) o.targets = TargetSort::probabilities;
        reference::Problem p = make_problem<T>(rng, shape, o);
        OwnedState<T> owned(shape.features, shape.classes, rule.optimiser);
        judge.require(owned.created.ok(), [&] { return message(owned.created); });
        const ProblemArrays<T> arrays(p);
        judge.require(owned.state.set_weights(arrays.weights).ok(), [] { return text("set_weights"); });
        for (int step = 0; step < 10 && judge.ok(); ++step) {
          p.w = widen(owned.weights());
          p.b = widen(owned.bias());
          const auto moment_at = [&](const T* moments, std::size_t i) -> Real {
            if (moments == nullptr) return 0;
            const std::size_t weights = weight_count(shape.features, shape.classes), classes = shape.classes;
            return i < p.w.size()
                       ? moments[weight_index(shape.features, classes, i / shape.features, i % shape.features)]
                       : moments[weights + (i - p.w.size())];
          };
          const auto* const data = TrainStateData<T>::of(owned.state);
          const auto velocity_at = [&](std::size_t i) { return moment_at(data->velocity, i); };
          const auto square_at = [&](std::size_t i) { return moment_at(data->squares, i); };
          std::vector<Real> velocity, square;
          for (std::size_t i = 0; i < p.w.size() + p.b.size(); ++i) velocity.push_back(velocity_at(i));
          for (std::size_t i = 0; i < p.w.size() + p.b.size(); ++i) square.push_back(square_at(i));
          const reference::AdamRule adam = adam_rule(static_cast<std::size_t>(step) + 1, a);
          const reference::Solution want = reference::solve(p, a);
          LossResult result;
          const Status status = owned.step(arrays.objective, arrays.batch, step_options(rule, rate_of(rule), kMomentum),
                                           execution(), result);
          const auto where = [&] { return text(describe(shape, o), " ", rule.name, " step ", step); };
          judge.require(status.ok(), [&] { return text(where(), ": ", message(status)); });
          // The result is the loss before the update.
          judge.close(result.objective, want.objective, kMax, [&] { return text(where(), ": objective"); });
          judge.close(result.data_loss, want.data_loss, kMax, [&] { return text(where(), ": data_loss"); });
          judge.require(result.rows == want.kept, [&] { return text(where(), ": rows"); });
          const std::vector<T> w = owned.weights(), b = owned.bias();
          for (std::size_t i = 0; i < w.size() + b.size() && judge.ok(); ++i) {
            const bool is_weight = i < w.size();
            const std::size_t c = i - (is_weight ? 0 : w.size());
            const Estimate before{is_weight ? p.w[i] : p.b[c], 0},
                gradient = is_weight ? want.dweights[i] : want.dbias[c];
            Estimate after;
            if (rule.optimiser == Optimiser::gradient_descent) {
              after = reference::descent_step(before, gradient, kRate, a);
            } else if (rule.optimiser == Optimiser::adam) {
              const auto m = reference::adam_step(before, {velocity[i], 0}, {square[i], 0}, gradient, adam, a);
              after = m.weight;
              judge.close(velocity_at(i), m.mean, kMax, [&] { return text(where(), ": mean ", i); });
              judge.close(square_at(i), m.square, kMax, [&] { return text(where(), ": square ", i); });
            } else if (rule.optimiser == Optimiser::adagrad) {
              const auto m = reference::adagrad_step(before, {square[i], 0}, gradient, rate_of(rule), a);
              after = m.weight;
              judge.close(square_at(i), m.square, kMax, [&] { return text(where(), ": square ", i); });
            } else {
              const auto m =
                  reference::momentum_step(before, {velocity[i], 0}, gradient, kRate, kMomentum, rule.nesterov, a);
              after = m.weight;
              judge.close(velocity_at(i), m.velocity, kMax, [&] { return text(where(), ": velocity ", i); });
            }
            judge.close(is_weight ? w[i] : b[c], after, kMax, [&] { return text(where(), ": parameter ", i); });
          }
        }
      }
    }
    expect_ok(judge.finish(0.5));
  }

  // Ten epochs of full-batch descent on a problem that can be learned, against the oracle's ten.
  template <class T>
  void ten_epochs(double tolerance) {
    Rng rng(32);
    for (const Shape shape : {Shape{200, 6, 4}, Shape{150, 9, 18}, Shape{150, 12, 24}}) {
      reference::Problem p = make_learnable(rng, shape);
      for (double& x : p.x) x /= 4;  // exact
      p.l2 = 0.03125;
      // From W = 0 some gradients would be nothing but rounding, of which Adam would make whole steps.
      for (double& w : p.w) w = static_cast<float>(rng.between(-0.125, 0.125));
      for (const Rule& rule : kRules) {
        ReferenceDescent reference{p, rule};
        const ProblemArrays<T> arrays(p);
        OwnedState<T> owned(shape.features, shape.classes, rule.optimiser);
        ASSERT_TRUE(owned.state.set_weights(arrays.weights).ok());
        Real first = 0, last = 0;
        for (int epoch = 0; epoch < 10; ++epoch) {
          const Real want = reference.step();
          LossResult result;
          ASSERT_TRUE(owned
                          .step(arrays.objective, arrays.batch, step_options(rule, rate_of(rule), kMomentum),
                                execution(), result)
                          .ok());
          EXPECT_NEAR(result.objective, static_cast<double>(want), tolerance * static_cast<double>(want))
              << rule.name << ", epoch " << epoch;
          if (epoch == 0) first = want;
          last = want;
        }
        EXPECT_LT(last, 0.95L * first) << rule.name << ": the problem should be learned a little";
        const std::vector<T> w = owned.weights();
        for (std::size_t i = 0; i < w.size(); ++i) {
          ASSERT_NEAR(static_cast<double>(w[i]), reference.p.w[i], tolerance * 10) << rule.name << ", weight " << i;
        }
      }
    }
  }
};
INSTANTIATE_PER_ISA(TrainStepTest);

TEST_P(TrainStepTest, EachStepF32) {
  each_step<float>();
}
TEST_P(TrainStepTest, EachStepF64) {
  each_step<double>();
}
TEST_P(TrainStepTest, TenEpochsF32) {
  ten_epochs<float>(2e-6);
}
TEST_P(TrainStepTest, TenEpochsF64) {
  ten_epochs<double>(1e-13);
}

// Features that are seen no more: what is left of them decays until it is 0, and never to a subnormal number, neither
// with the penalty's help, nor where gradients are tiny themselves, nor in the fused update (24 and 40 classes).
template <class T>
void nothing_stays_subnormal(const Execution& execution) {
  constexpr std::size_t kRows = 5, kFeatures = 20, kSeen = 4;
  for (const std::size_t classes : {std::size_t{3}, std::size_t{18}, std::size_t{24}, std::size_t{40}}) {
    for (const Rule& rule : kRules) {
      for (const double l2 : {0.0, 2.0}) {
        for (const bool tiny : {false, true}) {
          Rng rng(45);
          reference::Problem p = make_learnable(rng, {kRows, kFeatures, classes});
          const double scale = tiny ? 0x1p4 * static_cast<double>(std::numeric_limits<T>::min()) : 0.125;
          for (double& x : p.x) x *= scale;
          p.l2 = l2;
          reference::Problem later = p;
          for (std::size_t i = 0; i < later.x.size(); ++i) {
            if (i % kFeatures >= kSeen) later.x[i] = 0;
          }
          const ProblemArrays<T> first(p), then(later);
          OwnedState<T> owned(kFeatures, classes, rule.optimiser);
          StepOptions options = step_options(rule, 0.25, 0.5);
          options.second_moment_decay = 0.5;
          SCOPED_TRACE(text(rule.name, ", ", classes, " classes, l2 ", l2, tiny ? ", tiny features" : ""));
          const auto count_subnormal = [&](const T* values, std::size_t count) {
            return values == nullptr
                       ? 0
                       : std::count_if(values, values + count, [](T v) { return std::fpclassify(v) == FP_SUBNORMAL; });
          };
          const std::size_t weights = weight_count(kFeatures, classes), all = weights + bias_count(classes);
          const auto* const data = TrainStateData<T>::of(owned.state);
          LossResult result;
          for (int step = 0; step < 1200; ++step) {
            const ProblemArrays<T>& now = step < 3 ? first : then;
            ASSERT_TRUE(owned.step(now.objective, now.batch, options, execution, result).ok());
            ASSERT_EQ(count_subnormal(data->velocity, all), 0) << step;
            ASSERT_EQ(count_subnormal(data->squares, all), 0) << step;
            ASSERT_EQ(count_subnormal(weights_of(data->parameters), weights), 0) << step;
          }
          if (l2 != 0 || rule.optimiser == Optimiser::adagrad) continue;  // its sums stay
          for (const T* moments : {data->velocity, data->squares}) {
            for (std::size_t c = 0; moments != nullptr && c < classes; ++c) {
              for (std::size_t d = kSeen; d < kFeatures; ++d) {
                ASSERT_EQ(moments[weight_index(kFeatures, classes, c, d)], T(0)) << c << ", " << d;
              }
            }
          }
        }
      }
    }
  }
}
TEST_P(TrainStepTest, NothingStaysSubnormalF32) {
  nothing_stays_subnormal<float>(execution());
}
TEST_P(TrainStepTest, NothingStaysSubnormalF64) {
  nothing_stays_subnormal<double>(execution());
}

TEST_P(TrainStepTest, TotalWeightDividesTheSum) {
  Rng rng(33);
  ProblemOptions o;
  o.weights = true;
  const reference::Problem p = make_problem<double>(rng, {30, 8, 5}, o);
  const reference::Solution want = reference::solve(p, reference::arithmetic_of<double>());
  const ProblemArrays<double> arrays(p);
  const double total = 48;
  const Real share = want.total_weight / total;
  OwnedState<double> owned(8, 5, Optimiser::gradient_descent);
  ASSERT_TRUE(owned.state.set_weights(arrays.weights).ok());
  StepOptions options = step_options(kRules[0], kRate, 0);
  options.total_weight = total;
  LossResult result;
  ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, options, execution(), result).ok());
  EXPECT_EQ(result.total_weight, total);
  EXPECT_NEAR(result.data_loss, static_cast<double>(want.data_loss.value * share), 1e-14);
  const std::vector<double> w = owned.weights();
  for (std::size_t i = 0; i < w.size(); ++i) {
    const auto expected = static_cast<double>(p.w[i] - kRate * want.dweights[i].value * share);
    ASSERT_NEAR(w[i], expected, 1e-15) << i;
  }
}

TEST_P(TrainStepTest, SumReductionFollowsTheSumsGradient) {
  Rng rng(34);
  ProblemOptions o;
  o.sum = o.weights = o.l2 = true;
  const reference::Problem p = make_problem<double>(rng, {30, 8, 5}, o);
  const reference::Solution want = reference::solve(p, reference::arithmetic_of<double>());
  const ProblemArrays<double> arrays(p);
  OwnedState<double> owned(8, 5, Optimiser::gradient_descent);
  ASSERT_TRUE(owned.state.set_weights(arrays.weights).ok());
  LossResult result;
  ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, step_options(kRules[0], 0x1p-6, 0), execution(), result).ok());
  EXPECT_NEAR(result.objective, static_cast<double>(want.objective.value), 1e-12);
  const std::vector<double> w = owned.weights();
  for (std::size_t i = 0; i < w.size(); ++i) {
    ASSERT_NEAR(w[i], static_cast<double>(p.w[i] - 0x1p-6L * want.dweights[i].value), 1e-14) << i;
  }
}

TEST_P(TrainStepTest, MaskedClassesStayMasked) {
  Rng rng(35);
  for (const std::size_t classes : {4U, 18U, 26U}) {
    for (const Rule& rule : kRules) {
      reference::Problem p = make_problem<float>(rng, {40, 6, classes}, {});
      for (int& label : p.labels) label = label == 1 ? 0 : label;
      p.b[1] = -kInf<double>;
      const ProblemArrays<float> arrays(p);
      OwnedState<float> owned(6, classes, rule.optimiser);
      ASSERT_TRUE(owned.state.set_weights(arrays.weights).ok());
      LossResult result;
      for (int step = 0; step < 10; ++step) {
        const Status status =
            owned.step(arrays.objective, arrays.batch, step_options(rule, kRate, kMomentum), execution(), result);
        ASSERT_TRUE(status.ok()) << message(status);
      }
      EXPECT_EQ(owned.bias()[1], -kInf<float>);
      const std::vector<float> w = owned.weights();
      for (std::size_t d = 0; d < 6; ++d) EXPECT_EQ(w[6 + d], arrays.w[6 + d]) << d;
    }
  }
}

TEST_P(TrainStepTest, StepsFromASelectionEqualStepsFromCopiedRows) {
  Rng rng(36);
  const reference::Problem p = make_problem<float>(rng, {60, 9, 6}, {});
  const ProblemArrays<float> arrays(p);
  std::vector<std::uint32_t> selection;
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 37; ++i) {
    selection.push_back(static_cast<std::uint32_t>(rng.below(60)));
    const auto row = static_cast<std::ptrdiff_t>(selection.back());
    labels.push_back(arrays.labels[selection.back()]);
    x.insert(x.end(), p.x.begin() + row * 9, p.x.begin() + row * 9 + 9);
  }
  Batch selected = arrays.batch, copied;
  selected.selection = selection;
  copied.features = {x.data(), labels.size(), 9};
  copied.labels = labels;
  OwnedState<float> a(9, 6, Optimiser::momentum), b(9, 6, Optimiser::momentum);
  LossResult from_selection, from_copies;
  for (int step = 0; step < 3; ++step) {
    ASSERT_TRUE(
        a.step(arrays.objective, selected, step_options(kRules[1], kRate, kMomentum), execution(), from_selection)
            .ok());
    ASSERT_TRUE(
        b.step(arrays.objective, copied, step_options(kRules[1], kRate, kMomentum), execution(), from_copies).ok());
    EXPECT_TRUE(same_bits(from_selection.objective, from_copies.objective));
  }
  EXPECT_EQ(a.contents(), b.contents());
}

// ---- the state ----

template <class T>
void round_trip() {
  Rng rng(37);
  for (const Shape shape :
       {Shape{1, 1, 1}, Shape{1, 5, 3}, Shape{1, 16, 15}, Shape{1, 7, 16}, Shape{1, 18, 17}, Shape{1, 9, 23},
        Shape{1, 5, 24}, Shape{1, 21, 33}, Shape{1, 17, 35}, Shape{1, 6, 36}, Shape{1, 33, 50}}) {
    const std::size_t d = shape.features, c = shape.classes;
    const std::vector<double> values = make_values<T>(rng, c * d, Values::ordinary);
    const std::vector<T> w(values.begin(), values.end());
    std::vector<T> b(c, T(0.5)), transposed(c * d), w_out(c * d), b_out(c);
    if (c > 1) b[c - 1] = -kInf<T>;
    for (std::size_t i = 0; i < c * d; ++i) transposed[i % d * c + i / d] = w[i];
    OwnedState<T> owned(d, c, Optimiser::momentum);
    ASSERT_TRUE(owned.created.ok());
    for (const T value : owned.weights()) ASSERT_EQ(value, T(0));
    for (const T value : owned.bias()) ASSERT_EQ(value, T(0));
    ASSERT_TRUE(owned.state.set_weights({{w.data(), c, d}, b}).ok());
    ASSERT_TRUE(same_bits(owned.weights(), w));
    ASSERT_TRUE(same_bits(owned.bias(), b));
    const std::vector<std::byte> memory = owned.memory();
    ASSERT_TRUE(owned.state.set_weights({MatrixView<const T>(transposed.data(), d, c).transposed(), b}).ok());
    ASSERT_EQ(owned.memory(), memory);
    ASSERT_TRUE(owned.state.get_weights({MatrixView<T>(w_out.data(), d, c).transposed(), b_out}).ok());
    ASSERT_TRUE(same_bits(w_out, transposed));
    ASSERT_TRUE(same_bits(b_out, b));
    ASSERT_TRUE(owned.state.set_weights({{w.data(), c, d}, {}}).ok());
    for (const T value : owned.bias()) ASSERT_EQ(value, T(0));
  }
}
TEST(TrainState, RoundTripF32) {
  round_trip<float>();
}
TEST(TrainState, RoundTripF64) {
  round_trip<double>();
}

TEST(TrainState, SettingWeightsClearsMomentsAndSteps) {
  Rng rng(38);
  const reference::Problem p = make_problem<float>(rng, {20, 5, 4}, {});
  const ProblemArrays<float> arrays(p);
  for (const Rule& rule : {kRules[1], kRules[3]}) {
    OwnedState<float> fresh(5, 4, rule.optimiser), used(5, 4, rule.optimiser);
    LossResult result;
    ASSERT_TRUE(used.step(arrays.objective, arrays.batch, step_options(rule, kRate, kMomentum), {}, result).ok());
    EXPECT_NE(fresh.contents(), used.contents());
    ASSERT_TRUE(fresh.state.set_weights(arrays.weights).ok());
    ASSERT_TRUE(used.state.set_weights(arrays.weights).ok());
    EXPECT_EQ(fresh.contents(), used.contents()) << rule.name;
  }
}

// A handle that was copied before the first step goes on where another one has got to.
TEST(TrainState, CopiesOfTheHandleCountTheSameSteps) {
  Rng rng(43);
  const reference::Problem p = make_problem<float>(rng, {20, 5, 4}, {});
  const ProblemArrays<float> arrays(p);
  OwnedState<float> one(5, 4, Optimiser::adam), shared(5, 4, Optimiser::adam);
  const StepOptions options = step_options(kRules[3], kRate, kMomentum);
  const TrainState<float> copy = shared.state;
  LossResult result;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(one.step(arrays.objective, arrays.batch, options, {}, result).ok());
    shared.state = copy;
    ASSERT_TRUE(shared.step(arrays.objective, arrays.batch, options, {}, result).ok());
    EXPECT_EQ(TrainStateData<float>::of(copy)->steps, static_cast<std::uint64_t>(i) + 1);
  }
  EXPECT_EQ(one.contents(), shared.contents());
}

// Decays next to 1, which f32 has not, and of 0: every weight still moves, by no more than the rate at first.
TEST(TrainState, ExtremeDecaysOfAdam) {
  Rng rng(44);
  const reference::Problem p = make_problem<float>(rng, {20, 5, 4}, {});
  const ProblemArrays<float> arrays(p);
  for (const double mean_decay : {0.0, 1 - 1e-16}) {
    for (const double square_decay : {0.0, 1 - 1e-16}) {
      OwnedState<float> owned(5, 4, Optimiser::adam);
      StepOptions options = step_options(kRules[3], kRate, mean_decay);
      options.second_moment_decay = square_decay;
      LossResult result;
      ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, options, {}, result).ok());
      for (const float w : owned.weights()) EXPECT_NEAR(std::abs(w), kRate, 1e-4) << mean_decay << ' ' << square_decay;
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(owned.step(arrays.objective, arrays.batch, options, {}, result).ok());
      for (const float w : owned.weights()) EXPECT_TRUE(std::isfinite(w)) << mean_decay << ' ' << square_decay;
    }
  }
}

TEST(TrainState, Refusals) {
  OwnedState<float> owned(5, 4, Optimiser::gradient_descent);
  std::vector<float> w(20, 1.0f), b(4, 1.0f);
  ASSERT_TRUE(owned.state.set_weights({{w.data(), 4, 5}, b}).ok());
  const std::vector<std::byte> memory = owned.memory();
  EXPECT_EQ(owned.state.set_weights({{w.data(), 5, 4}, b}).code, StatusCode::shape_mismatch);
  EXPECT_EQ(owned.state.set_weights({{nullptr, 4, 5}, b}).code, StatusCode::shape_mismatch);
  EXPECT_EQ(owned.state.get_weights({{w.data(), 4, 4}, b}).code, StatusCode::shape_mismatch);
  EXPECT_EQ(owned.state.get_weights({{nullptr, 4, 5}, b}).code, StatusCode::shape_mismatch);
  std::vector<float> long_bias(5, 1.0f);
  std::vector<double> centre(6, kUntouched);
  const std::vector<float> factor(6, 1.0f);
  for (const std::size_t size : {1U, 3U, 5U}) {
    const std::span<float> bias(long_bias.data(), size);
    for (const Status& status :
         {owned.state.set_weights({{w.data(), 4, 5}, bias}), owned.state.get_weights({{w.data(), 4, 5}, bias})}) {
      EXPECT_EQ(status.code, StatusCode::shape_mismatch) << size;
      EXPECT_EQ(std::string(status.what), "bias");
    }
  }
  for (const std::size_t size : {1U, 4U, 6U}) {
    const Status status = owned.state.get_weights({{w.data(), 4, 5}, b}, {centre.data(), size});
    EXPECT_EQ(status.code, StatusCode::shape_mismatch) << size;
    EXPECT_EQ(std::string(status.what), "centre");
    for (const FeatureScaling& scaling :
         {FeatureScaling{{centre.data(), size}, {}}, FeatureScaling{{}, {factor.data(), size}}}) {
      const Status scaled = owned.state.set_weights({{w.data(), 4, 5}, b}, scaling);
      EXPECT_EQ(scaled.code, StatusCode::shape_mismatch) << size;
      EXPECT_EQ(std::string(scaled.what), "scaling");
    }
  }
  EXPECT_EQ(w, std::vector<float>(20, 1.0f));
  EXPECT_EQ(b, std::vector<float>(4, 1.0f));
  EXPECT_EQ(long_bias, std::vector<float>(5, 1.0f));
  EXPECT_EQ(centre, std::vector<double>(6, kUntouched));
  w[13] = kNaN<float>;
  const Status nan = owned.state.set_weights({{w.data(), 4, 5}, b});
  EXPECT_EQ(nan.code, StatusCode::not_finite);
  EXPECT_EQ(nan.row, 2);
  EXPECT_EQ(nan.column, 3);
  w[13] = 2;
  b[2] = kInf<float>;
  EXPECT_EQ(owned.state.set_weights({{w.data(), 4, 5}, b}).code, StatusCode::not_finite);
  EXPECT_EQ(owned.memory(), memory);

  alignas(64) std::byte room[4096];
  const std::size_t needed = TrainState<float>::bytes(5, 4, Optimiser::momentum);
  ASSERT_LT(needed, sizeof(room) - 64);
  TrainState<float> state;
  const auto create = [&](std::size_t features, std::size_t classes, std::span<std::byte> memory_of_it) {
    return TrainState<float>::create(features, classes, Optimiser::momentum, memory_of_it, state).code;
  };
  EXPECT_EQ(create(5, 4, {room, needed - 1}), StatusCode::workspace_too_small);
  EXPECT_EQ(create(5, 4, {}), StatusCode::workspace_too_small);
  EXPECT_EQ(create(0, 4, {room, needed}), StatusCode::shape_mismatch);
  EXPECT_EQ(create(5, 0, {room, needed}), StatusCode::shape_mismatch);
  EXPECT_EQ(state.classes(), 0U);
  EXPECT_EQ(create(5, 4, {room, needed}), StatusCode::ok);
}

// Memory may begin anywhere, and nothing beside it is touched.
TEST(TrainState, AnyAddressWillDo) {
  Rng rng(46);
  const reference::Problem p = make_problem<float>(rng, {20, 5, 4}, {});
  const ProblemArrays<float> arrays(p);
  for (const Rule& rule : {kRules[0], kRules[1], kRules[3]}) {
    OwnedState<float> want(5, 4, rule.optimiser), got(5, 4, rule.optimiser);
    const std::size_t needed = TrainState<float>::bytes(5, 4, rule.optimiser);
    LossResult result;
    ASSERT_TRUE(want.step(arrays.objective, arrays.batch, step_options(rule, kRate, kMomentum), {}, result).ok());
    for (const std::size_t offset : {0U, 1U, 4U, 16U, 63U}) {
      OffsetScratch room(needed, offset);
      ASSERT_TRUE(TrainState<float>::create(5, 4, rule.optimiser, room, got.state).ok());
      ASSERT_TRUE(got.step(arrays.objective, arrays.batch, step_options(rule, kRate, kMomentum), {}, result).ok());
      EXPECT_EQ(got.contents(), want.contents()) << rule.name << ", at " << offset;
      EXPECT_TRUE(room.untouched_around()) << rule.name << ", at " << offset;
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
