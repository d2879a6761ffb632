// SPDX-License-Identifier: BSD-3-Clause
//
// loss() and loss_and_gradient() against the oracle: every option, shapes of every kind. Refusals:
// objective_refusal_test; the ways a pass is cut up: pass_plan_test.
#include "tests/support/plan_shapes.hpp"
#include "tests/support/public_calls.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

/// Calls f with every combination of options that has a meaning.
template <class F>
void for_every_option(const F& f) {
  using reference::Loss;
  for (const Loss loss : {Loss::softmax, Loss::hinge, Loss::logistic}) {
    for (unsigned bits = 0; bits < 128; ++bits) {
      const auto bit = [bits](unsigned i) { return (bits >> i & 1) != 0; };
      ProblemOptions o;
      o.loss = loss;
      o.targets = bit(0) ? TargetSort::probabilities : TargetSort::labels;
      o.sum = bit(1);
      o.l2 = bit(2);
      o.smoothing = bit(3);
      o.weights = bit(4);
      o.ignored = bit(5);
      o.bias = !bit(6);
      const bool labels = o.targets == TargetSort::labels;
      if (loss == Loss::hinge && !labels) continue;
      if (o.smoothing && (loss != Loss::softmax || !labels)) continue;
      if (o.ignored && !labels) continue;
      f(o);
    }
  }
}

std::size_t classes_for(reference::Loss loss, std::size_t classes) {
  return loss == reference::Loss::logistic ? 1
         : loss == reference::Loss::hinge  ? std::max<std::size_t>(classes, 2)
                                           : classes;
}

class ObjectiveTest : public IsaTest {
 protected:
  template <class T>
  void every_option() {
    Rng rng(1);
    Judge judge;
    std::size_t turn = 0, combinations = 0;
    for_every_option([&](const ProblemOptions& o) {
      ++combinations;
      for (const std::size_t classes : {1U, 3U, 16U, 21U, 26U}) {
        const Shape shape{23, 9 + turn % 9, classes_for(o.loss, classes)};
        CallOptions call;
        call.isa = GetParam();
        call.transposed = turn % 2 == 1;
        call.with_rows = turn % 5 != 0;
        judge_problem<T>(judge, make_problem<T>(rng, shape, o), call, describe(shape, o), turn % 3);
        ++turn;
      }
    });
    EXPECT_EQ(combinations, (64U + 16U) + 32U + (32U + 16U));
    expect_ok(judge.finish(0.5));
  }

  template <class T>
  void every_shape() {
    Rng rng(2);
    Judge judge;
    std::vector<ProblemOptions> options;
    for_every_option([&](const ProblemOptions& o) { options.push_back(o); });
    std::vector<Shape> shapes = large_shapes();
    for (const std::size_t n : {1U, 2U, 15U, 16U, 17U}) {
      for (const std::size_t d : {1U, 2U, 15U, 16U, 17U, 33U}) {
        for (const std::size_t c : {1U, 2U, 7U, 15U, 16U, 17U, 24U, 32U, 33U, 35U}) shapes.push_back({n, d, c});
      }
    }
    std::size_t turn = 0;
    for (Shape shape : shapes) {
      for (int repeat = 0; repeat < 2; ++repeat, ++turn) {
        const ProblemOptions& o = options[rng.below(options.size())];
        Shape s = shape;
        s.classes = classes_for(o.loss, shape.classes);
        CallOptions call;
        call.isa = GetParam();
        call.transposed = turn % 3 == 1;
        judge_problem<T>(judge, make_problem<T>(rng, s, o), call, describe(s, o), turn % 4);
      }
    }
    expect_ok(judge.finish(0.5));
  }

  // Masked classes: bias -infinity, no sample of that class; target probabilities there are 0.
  template <class T>
  void masked_classes() {
    Rng rng(3);
    Judge judge;
    for (const std::size_t classes : {2U, 5U, 16U, 19U, 26U, 40U}) {
      for (int kind = 0; kind < 4; ++kind) {
        ProblemOptions o;
        o.loss = kind == 3 ? reference::Loss::hinge : reference::Loss::softmax;
        o.smoothing = kind == 1;
        o.targets = kind == 2 ? TargetSort::probabilities : TargetSort::labels;
        o.l2 = true;
        const Shape shape{33, 12, classes};
        reference::Problem p = make_problem<T>(rng, shape, o);
        std::vector<bool> masked(classes);
        for (std::size_t c = 0; c + 1 < classes; c += 3) {
          masked[c] = true;
          p.b[c] = -kInf<double>;
        }
        for (std::size_t n = 0; n < p.rows; ++n) {
          if (!p.labels.empty()) {
            while (masked[static_cast<std::size_t>(p.labels[n])]) p.labels[n] = static_cast<int>(classes) - 1;
          }
          for (std::size_t c = 0; c < classes && !p.targets.empty(); ++c) {
            if (masked[c]) p.targets[n * classes + c] = 0;
          }
        }
        CallOptions call;
        call.isa = GetParam();
        judge_problem<T>(judge, p, call, describe(shape, o) + " masked");
        const ProblemArrays<T> arrays(p);
        const CallOutputs<T> out = lanemax::checks::call(arrays, call, true);
        for (std::size_t c = 0; c < classes; ++c) {
          if (masked[c]) judge.same(out.dbias[c], T(0), [&] { return text("masked class ", c, ": dbias"); });
        }
      }
    }
    expect_ok(judge.finish(0.3));
  }

  // Rows picked by a selection, some twice, and rows scaled while they are read: the same as doing so beforehand.
  template <class T>
  void selected_and_scaled() {
    Rng rng(4);
    Judge judge;
    for (int turn = 0; turn < 4; ++turn) {
      const std::size_t classes = turn % 2 == 0 ? 4 : 26;
      const bool targets = turn / 2 == 1;
      ProblemOptions o;
      o.weights = true;
      o.ignored = !targets;
      if (targets) o.targets = TargetSort::probabilities;
      const Shape shape{50, 21, classes};
      const reference::Problem p = make_problem<T>(rng, shape, o);
      std::vector<std::uint32_t> selection;
      for (int i = 0; i < 60; ++i) selection.push_back(static_cast<std::uint32_t>(rng.below(p.rows)));
      std::vector<double> centre;
      std::vector<float> factor;
      for (std::size_t d = 0; d < p.features; ++d) {  // centres and factors that make the scaled values exact
        centre.push_back(static_cast<double>(rng.below(3)));
        factor.push_back(d % 2 == 0 ? 0.5f : 2.0f);
      }
      reference::Problem coarse = p;  // few digits, so that subtracting a centre is exact
      for (double& x : coarse.x) x = std::rint(x * 64) / 64;
      for (int kind = 0; kind < 4; ++kind) {
        const bool selects = kind % 2 == 1, scales = kind / 2 == 1;
        const ProblemArrays<T> arrays(coarse);
        Batch batch = arrays.batch;
        if (selects) batch.selection = selection;
        if (scales) batch.scaling = {centre, factor};
        reference::Problem same = coarse;
        same.rows = selects ? selection.size() : p.rows;
        same.x.clear();
        same.labels.clear();
        same.targets.clear();
        same.sample_weights.clear();
        for (std::size_t i = 0; i < same.rows; ++i) {
          const std::size_t row = selects ? selection[i] : i;
          if (!targets) same.labels.push_back(p.labels[row]);
          for (std::size_t c = 0; targets && c < classes; ++c) same.targets.push_back(p.targets[row * classes + c]);
          same.sample_weights.push_back(p.sample_weights[row]);
          for (std::size_t d = 0; d < p.features; ++d) {
            const double x = coarse.x[row * p.features + d];
            same.x.push_back(scales ? (x - centre[d]) * static_cast<double>(factor[d]) : x);
          }
        }
        const reference::Solution want = reference::solve(same, reference::arithmetic_of<T>());
        CallOptions options;
        options.isa = GetParam();
        CallOutputs<T> got = call<T>(arrays.objective, arrays.weights, batch, options, true);
        if (scales) {  // not wanted, so not written
          for (const T v : got.dfeatures) {
            judge.require(v == static_cast<T>(kUntouched), [] { return text("dfeatures"); });
          }
          for (std::size_t i = 0; i < got.dfeatures.size(); ++i) {
            got.dfeatures[i] = static_cast<T>(want.dfeatures[i].value);
          }
        }
        judge_outputs(judge, same, want, got, true, true, text(describe(shape, o), ", kind ", kind));
      }
    }
    expect_ok(judge.finish(0.3));
  }
};
INSTANTIATE_PER_ISA(ObjectiveTest);

TEST_P(ObjectiveTest, EveryOptionF32) {
  every_option<float>();
}
TEST_P(ObjectiveTest, EveryOptionF64) {
  every_option<double>();
}
TEST_P(ObjectiveTest, ShapesF32) {
  every_shape<float>();
}
TEST_P(ObjectiveTest, ShapesF64) {
  every_shape<double>();
}
TEST_P(ObjectiveTest, MaskedClassesF32) {
  masked_classes<float>();
}
TEST_P(ObjectiveTest, MaskedClassesF64) {
  masked_classes<double>();
}
TEST_P(ObjectiveTest, SelectedAndScaledF32) {
  selected_and_scaled<float>();
}
TEST_P(ObjectiveTest, SelectedAndScaledF64) {
  selected_and_scaled<double>();
}

// A double X in an f32 pass is rounded to the nearest float; a float X in an f64 pass is what it is.
TEST_P(ObjectiveTest, FeaturesOfTheOtherScalar) {
  Rng rng(5);
  const Shape shape{40, 30, 6};
  const reference::Problem p = make_problem<double>(rng, shape, {});
  reference::Problem rounded = p;
  for (double& x : rounded.x) x = static_cast<double>(static_cast<float>(x));
  for (double& w : rounded.w) w = static_cast<double>(static_cast<float>(w));
  for (double& b : rounded.b) b = static_cast<double>(static_cast<float>(b));
  CallOptions options;
  options.isa = GetParam();
  Judge judge;
  {
    const ProblemArrays<float> arrays(rounded);
    Batch batch = arrays.batch;
    batch.features = {p.x.data(), p.rows, p.features};
    judge_outputs(judge, rounded, reference::solve(rounded, reference::arithmetic_of<float>()),
                  call<float>(arrays.objective, arrays.weights, batch, options, true), true, true,
                  "f64 in an f32 pass");
  }
  {
    const ProblemArrays<double> arrays(rounded);
    const std::vector<float> x(rounded.x.begin(), rounded.x.end());
    Batch batch = arrays.batch;
    batch.features = {x.data(), p.rows, p.features};
    judge_outputs(judge, rounded, reference::solve(rounded, reference::arithmetic_of<double>()),
                  call<double>(arrays.objective, arrays.weights, batch, options, true), true, true,
                  "f32 in an f64 pass");
  }
  expect_ok(judge.finish(0.5));
}

// Rows of weight 0 or with the ignored label may hold anything: they equal rows that are not there.
TEST_P(ObjectiveTest, RowsLeftOutMayHoldAnything) {
  Rng rng(6);
  for (const std::size_t classes : {3U, 17U, 26U}) {
    ProblemOptions o;
    o.weights = o.ignored = true;
    const reference::Problem p = make_problem<float>(rng, {90, 11, classes}, o);
    reference::Problem without = p, rubbish = p;
    without.rows = 0;
    without.x.clear();
    without.labels.clear();
    without.sample_weights.clear();
    for (std::size_t n = 0; n < p.rows; ++n) {
      if (p.sample_weights[n] == 0 || p.labels[n] == p.ignored_label) {
        for (std::size_t d = 0; d < p.features; ++d)
          rubbish.x[n * p.features + d] = d % 2 == 0 ? kNaN<double> : kInf<double>;
        continue;
      }
      ++without.rows;
      without.labels.push_back(p.labels[n]);
      without.sample_weights.push_back(p.sample_weights[n]);
      without.x.insert(without.x.end(), &p.x[n * p.features], &p.x[n * p.features] + p.features);
    }
    ASSERT_LT(without.rows, p.rows - 20);
    CallOptions options;
    options.isa = GetParam();
    const ProblemArrays<float> full(p), bad(rubbish), kept(without);
    const CallOutputs<float> a = call(full, options, true), b = call(bad, options, true), c = call(kept, options, true);
    EXPECT_TRUE(same_bits(a, b)) << message(b.status);
    if (tiny_blocks()) continue;
    // One block either way, so the very same sums.
    EXPECT_TRUE(same_bits(a.result.objective, c.result.objective));
    EXPECT_TRUE(same_bits(a.dweights, c.dweights));
    EXPECT_TRUE(same_bits(a.dbias, c.dbias));
  }
}

// All rows of the first, a middle or the last block left out.
TEST_P(ObjectiveTest, WholeBlocksLeftOut) {
  Rng rng(7);
  Judge judge;
  for (const Shape shape : {Shape{70, 2050, 3}, Shape{600, 5, 17}, Shape{600, 5, 26}, Shape{1200, 3, 5}}) {
    for (const std::size_t part : {0U, 1U, 2U}) {
      reference::Problem p = make_problem<float>(rng, shape, {});
      p.ignored_label = -2;
      for (std::size_t n = part * p.rows / 3; n < (part + 1) * p.rows / 3; ++n) p.labels[n] = -2;
      CallOptions options;
      options.isa = GetParam();
      judge_problem<float>(judge, p, options, text(describe(shape, {}), " without part ", part));
    }
  }
  expect_ok(judge.finish(0.3));
}

}  // namespace
}  // namespace lanemax::checks
