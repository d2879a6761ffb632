// SPDX-License-Identifier: BSD-3-Clause
//
// fit() into a Model, fits without a bias, and training states as bytes.
#include <lanemax/fit.hpp>
#include <lanemax/predictor.hpp>
#include <lanemax/version.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cmath>

namespace lanemax::checks {
namespace {

/// Three classes that overlap; features of different means and sizes.
reference::Problem make(bool logistic = false) {
  Rng rng(911);
  reference::Problem p = make_learnable(rng, {300, 5, 3}, logistic);
  for (std::size_t i = 0; i < p.x.size(); ++i) p.x[i] = (p.x[i] - 5) / 4 + static_cast<double>(i % 5);
  for (int& label : p.labels) {
    if (rng.below(4) == 0) label = static_cast<int>(rng.below(logistic ? 2 : 3));
  }
  return p;
}

class FitModelTest : public IsaTest {
 protected:
  FitModelTest() : problem_(make()), arrays_(problem_) { options_.execution.isa = GetParam(); }
  reference::Problem problem_;
  ProblemArrays<float> arrays_;
  FitOptions options_;
  FitResult result_;
  Model model_;
};
INSTANTIATE_PER_ISA(FitModelTest);

TEST_P(FitModelTest, IsTheFit) {
  const Fitted plain = run_fit(arrays_.batch, options_, 3);
  ASSERT_TRUE(plain.status.ok());
  ASSERT_TRUE(fit(arrays_.batch, options_, {"a", "b", "c"}, model_, result_).ok());
  EXPECT_TRUE(same_bits(model_.weight, plain.w) && same_bits(model_.bias, plain.b));
  EXPECT_EQ(model_.class_labels, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(model_.features, 5U);
  EXPECT_TRUE(model_.scaling_centre.empty() && model_.scaling_factor.empty() && model_.centre.empty());
  EXPECT_EQ(result_.objective, plain.result.objective);
  EXPECT_EQ(result_.l2, 1 / 300.0);
  EXPECT_TRUE(check_model(model_).ok());
  const auto has = [&](const char* name, const std::string& value) {
    return std::ranges::count(model_.training, std::pair<std::string, std::string>(name, value)) == 1;
  };
  EXPECT_TRUE(has("solver", "lbfgs") && has("samples", "300") && has("isa", name_of(GetParam())));
  std::vector<std::uint8_t> once, again;
  ASSERT_TRUE(model_to_bytes(model_, once).ok());
  ASSERT_TRUE(fit(arrays_.batch, options_, {"a", "b", "c"}, model_, result_).ok());
  ASSERT_TRUE(model_to_bytes(model_, again).ok());
  EXPECT_EQ(once, again);
}

TEST_P(FitModelTest, NumbersTheClassesThatHaveNoNames) {
  ASSERT_TRUE(fit(arrays_.batch, options_, {}, model_, result_).ok());
  EXPECT_EQ(model_.class_labels, (std::vector<std::string>{"0", "1", "2"}));
  const ProblemArrays<float> two(make(true));
  options_.objective.loss = Loss::logistic;
  ASSERT_TRUE(fit(two.batch, options_, {}, model_, result_).ok());
  EXPECT_EQ(model_.class_labels, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(model_.rows(), 1U);
}

TEST_P(FitModelTest, RecordsTheScaling) {
  options_.standardise = true;
  ASSERT_TRUE(fit(arrays_.batch, options_, {}, model_, result_).ok());
  std::vector<double> centre(5);
  std::vector<float> factor(5), w(15), b(3);
  FitResult of_views;
  ASSERT_TRUE(fit(arrays_.batch, options_, view_of(w, b), of_views, {centre, factor, {}}).ok());
  EXPECT_TRUE(same_bits(model_.weight, w) && same_bits(model_.bias, b) && same_bits(model_.scaling_factor, factor));
  for (std::size_t d = 0; d < 5; ++d) EXPECT_EQ(model_.scaling_centre[d], static_cast<float>(centre[d]));
}

TEST_P(FitModelTest, GoesOnFromAModel) {
  options_.stopping.tolerance = 1e-8;
  ASSERT_TRUE(fit(arrays_.batch, options_, {}, model_, result_).ok());
  const std::size_t cold = result_.iterations;
  const Model before = model_;
  options_.warm_start = true;
  ASSERT_TRUE(fit(arrays_.batch, options_, {"x", "y", "z"}, model_, result_).ok());
  EXPECT_LT(result_.iterations, cold);
  EXPECT_EQ(model_.class_labels[2], "z");
  // Around a centre: the same model, written otherwise.
  Model centred = before;
  centred.centre = {0.5, -1, 2, 3, 0};
  for (std::size_t c = 0; c < 3; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < 5; ++d) shift += static_cast<double>(before.weight[c * 5 + d]) * centred.centre[d];
    centred.bias[c] = static_cast<float>(static_cast<double>(before.bias[c]) + shift);
  }
  ASSERT_TRUE(fit(arrays_.batch, options_, {}, centred, result_).ok());
  EXPECT_LT(result_.iterations, cold);
  EXPECT_TRUE(centred.centre.empty());
  Model other = before;
  other.features = 4;
  other.weight.resize(12);
  EXPECT_EQ(fit(arrays_.batch, options_, {}, other, result_).code, StatusCode::shape_mismatch);
}

TEST_P(FitModelTest, RefusalsLeaveTheModel) {
  ASSERT_TRUE(fit(arrays_.batch, options_, {"a", "b", "c"}, model_, result_).ok());
  const std::vector<float> before = model_.weight;
  const auto refused = [&](const Batch& data, const std::vector<std::string>& labels) {
    const Status status = fit(data, options_, labels, model_, result_);
    EXPECT_TRUE(same_bits(model_.weight, before));
    EXPECT_EQ(model_.class_labels[0], "a");
    return status.code;
  };
  EXPECT_EQ(refused(arrays_.batch, {"a", "b"}), StatusCode::label_out_of_range);
  EXPECT_EQ(refused(arrays_.batch, {"a", "b", "b"}), StatusCode::invalid_argument);
  EXPECT_EQ(refused({}, {"a", "b"}), StatusCode::no_rows);
  Batch short_of_one = arrays_.batch;
  short_of_one.labels = {arrays_.labels.data(), arrays_.labels.size() - 1};
  EXPECT_EQ(refused(short_of_one, {}), StatusCode::shape_mismatch);
}

// ---- without a bias ----

class NoBiasTest : public FitModelTest {};
INSTANTIATE_PER_ISA(NoBiasTest);

// The gradient by W alone vanishes where the bias is 0: by the oracle, at the weights that were returned.
TEST_P(NoBiasTest, ReachesTheOptimumOfTheWeights) {
  const auto check = [&](const reference::Problem& p, const FitOptions& asked, const std::string& name) {
    const ProblemArrays<float> arrays(p);
    FitOptions o = asked;
    o.bias = false;
    o.stopping.tolerance = 1e-7;
    o.execution.isa = GetParam();
    const Fitted f = run_fit(arrays.batch, o, p.classes);
    ASSERT_TRUE(f.status.ok()) << name << ": " << message(f.status);
    for (const float b : f.b) EXPECT_EQ(b, 0) << name;
    const reference::Solution at = solution_at(p, f.result.l2, f.w, f.b);
    double largest = 0;
    for (const Estimate& g : at.dweights) largest = std::max(largest, std::abs(static_cast<double>(g.value)));
    EXPECT_LE(largest, 2e-6) << name << " after " << f.result.iterations;
    EXPECT_TRUE(f.result.converged) << name;
    const bool knows_little = o.preconditioner == Preconditioner::none || o.preconditioner == Preconditioner::diagonal;
    EXPECT_LE(f.result.iterations, knows_little ? 100U : 25U) << name;
    // The bound is one for fits without a bias: nowhere may the objective be that far below.
    EXPECT_GE(f.result.gap_bound, 0) << name;
    EXPECT_LE(f.result.gap_bound, 1e-5) << name;
  };
  for (const Solver solver : {Solver::lbfgs, Solver::newton}) {
    FitOptions o;
    o.solver = solver;
    check(make(), o, name_of(solver));
    o.objective.loss = Loss::logistic;
    check(make(true), o, text(name_of(solver), " logistic"));
  }
  for (const Preconditioner kind : {Preconditioner::none, Preconditioner::diagonal, Preconditioner::gram,
                                    Preconditioner::blocks, Preconditioner::full}) {
    FitOptions o;
    o.preconditioner = kind;
    if (kind == Preconditioner::none || kind == Preconditioner::diagonal) o.objective.l2 = 0.1;
    check(make(), o, name_of(kind));
  }
  Rng rng(912);
  reference::Problem wide = make_learnable(rng, {20, 60, 3});
  for (double& x : wide.x) x /= 4;
  check(wide, {}, "wide");
  reference::Problem many = make_learnable(rng, {600, 8, 40});
  for (double& x : many.x) x /= 4;
  check(many, {}, "many classes");
}

TEST_P(NoBiasTest, IsWorseThanWithOneAndBetterThanNearby) {
  options_.stopping.tolerance = 1e-7;
  const Fitted with = run_fit(arrays_.batch, options_, 3);
  options_.bias = false;
  const Fitted without = run_fit(arrays_.batch, options_, 3);
  ASSERT_TRUE(with.status.ok() && without.status.ok());
  EXPECT_GT(without.result.objective, with.result.objective + 1e-4);
  for (std::size_t k = 0; k < without.w.size(); k += 2) {
    std::vector<float> moved = without.w;
    moved[k] += 0.01F;
    EXPECT_GT(static_cast<double>(solution_at(problem_, 1 / 300.0, moved, without.b).objective.value),
              without.result.objective);
  }
}

TEST_P(NoBiasTest, NeedsNoRoomForOne) {
  options_.bias = false;
  std::vector<float> w(15), with_room(15), b(3);
  ASSERT_TRUE(fit(arrays_.batch, options_, WeightsView<float>{{w.data(), 3, 5}, {}}, result_).ok());
  ASSERT_TRUE(fit(arrays_.batch, options_, view_of(with_room, b), result_).ok());
  EXPECT_TRUE(same_bits(w, with_room));
  options_.standardise = true;
  EXPECT_EQ(fit(arrays_.batch, options_, WeightsView<float>{{w.data(), 3, 5}, {}}, result_).what,
            std::string("weights"));
}

TEST_P(NoBiasTest, MiniBatchesHoldItToo) {
  for (const Solver solver : {Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad}) {
    FitOptions o = options_;
    o.solver = solver;
    o.bias = false;
    o.mini_batches.epochs = 3;
    const Fitted f = run_fit(arrays_.batch, o, 3);
    ASSERT_TRUE(f.status.ok()) << message(f.status);
    for (const float b : f.b) EXPECT_EQ(b, 0) << name_of(solver);
    EXPECT_LT(f.result.objective, std::log(3.0));
  }
}

TEST_P(NoBiasTest, AMaskStaysAndWhatElseIsGivenDoesNot) {
  for (int& label : problem_.labels) label = label == 1 ? 0 : label;
  const ProblemArrays<float> arrays(problem_);
  std::vector<float> w(15, 0.0F), b = {3, -std::numeric_limits<float>::infinity(), -2};
  options_.bias = false;
  options_.warm_start = true;
  ASSERT_TRUE(fit(arrays.batch, options_, view_of(w, b), result_).ok());
  EXPECT_EQ(b, (std::vector<float>{0, -std::numeric_limits<float>::infinity(), 0}));
}

// Standardised features have their centre, and raw weights the bias that makes up for it.
TEST_P(NoBiasTest, OfStandardisedFeaturesIsTheirOwn) {
  options_.bias = false;
  options_.standardise = true;
  options_.stopping.tolerance = 1e-7;
  std::vector<double> centre(5);
  std::vector<float> factor(5), w(15), b(3);
  ASSERT_TRUE(fit(arrays_.batch, options_, view_of(w, b), result_, {centre, factor, {}}).ok());
  for (std::size_t c = 0; c < 3; ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < 5; ++d) shift += static_cast<double>(w[c * 5 + d]) * centre[d];
    EXPECT_NEAR(b[c], -shift, 1e-5);
    EXPECT_NE(b[c], 0);
  }
}

// ---- states as bytes ----

template <class T>
void check_state_bytes(const ProblemArrays<T>& arrays, Isa isa) {
  const Execution execution{1, isa};
  const std::vector<double> centre = {1, 2, 3, 4, 5};
  const std::vector<float> factor = {1, 0.5F, 2, 1, 0.25F};
  for (const Rule& rule : kRules) {
    Batch batch = arrays.batch;
    batch.scaling = {centre, factor};
    const StepOptions options = step_options(rule, 0.05, 0.75);
    OwnedState<T> kept(5, 3, rule.optimiser), other(5, 3, rule.optimiser);
    LossResult result, again;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(kept.step(arrays.objective, batch, options, execution, result).ok());
    std::vector<std::uint8_t> bytes, same;
    ASSERT_TRUE(kept.state.to_bytes(bytes).ok());
    ASSERT_TRUE(kept.state.to_bytes(same).ok());
    EXPECT_EQ(bytes, same);
    ASSERT_TRUE(other.state.from_bytes(bytes).ok());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(kept.step(arrays.objective, batch, options, execution, result).ok());
      ASSERT_TRUE(other.step(arrays.objective, batch, options, execution, again).ok());
      EXPECT_TRUE(same_bits(result.objective, again.objective)) << rule.name;
    }
    EXPECT_TRUE(same_bits(kept.weights(), other.weights()) && same_bits(kept.bias(), other.bias())) << rule.name;
    // The scaling is part of it.
    EXPECT_EQ(other.step(arrays.objective, arrays.batch, options, execution, again).what, std::string("scaling"));

    const std::vector<T> before = other.weights();
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
      std::vector<std::uint8_t> damaged = bytes;
      damaged[at] ^= 0x10;
      EXPECT_EQ(other.state.from_bytes(damaged).code, StatusCode::bad_checkpoint) << at;
    }
    for (std::size_t size = 0; size < bytes.size(); size += 13) {
      EXPECT_EQ(other.state.from_bytes({bytes.data(), size}).code, StatusCode::bad_checkpoint) << size;
    }
    EXPECT_TRUE(same_bits(other.weights(), before));
    OwnedState<T> wide(6, 3, rule.optimiser), of_more(5, 4, rule.optimiser);
    EXPECT_EQ(wide.state.from_bytes(bytes).what, std::string("features"));
    EXPECT_EQ(of_more.state.from_bytes(bytes).what, std::string("classes"));
    const bool plain = rule.optimiser == Optimiser::gradient_descent;
    OwnedState<T> otherwise(5, 3, plain ? Optimiser::adam : Optimiser::gradient_descent);
    EXPECT_EQ(otherwise.state.from_bytes(bytes).what, std::string("optimiser"));
  }
}

TEST_P(FitModelTest, StatesGoOnFromTheirBytes) {
  check_state_bytes(arrays_, GetParam());
  check_state_bytes(ProblemArrays<double>(problem_), GetParam());
  OwnedState<float> narrow(5, 3, Optimiser::adam);
  OwnedState<double> full(5, 3, Optimiser::adam);
  std::vector<std::uint8_t> bytes;
  ASSERT_TRUE(full.state.to_bytes(bytes).ok());
  EXPECT_EQ(narrow.state.from_bytes(bytes).what, std::string("scalar"));
  EXPECT_EQ(TrainState<float>().to_bytes(bytes).code, StatusCode::invalid_argument);
  EXPECT_EQ(TrainState<float>().from_bytes(bytes).code, StatusCode::invalid_argument);
}

TEST(Version, IsThatOfTheHeaders) {
  EXPECT_EQ(version(), text(LANEMAX_VERSION_MAJOR, ".", LANEMAX_VERSION_MINOR, ".", LANEMAX_VERSION_PATCH));
}

}  // namespace
}  // namespace lanemax::checks
