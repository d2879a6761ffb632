// SPDX-License-Identifier: BSD-3-Clause
//
// fit_path() with folds of the caller's, penalties that keep C, and its optional outputs.
#include <lanemax/fit_path.hpp>

#include "engine/fit/path/folds.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cmath>

namespace lanemax::checks {
namespace {

constexpr double kPenalties[] = {0.01, 1.0, 0.1};
constexpr std::size_t kRows = 203, kFeatures = 6, kClasses = 3;

struct PathRun {
  Status status;
  std::vector<PathPoint> points{3};
  std::vector<float> w = std::vector<float>(kClasses * kFeatures, -7), b = std::vector<float>(kClasses, -7);
  std::vector<FoldScore> scores;
  std::vector<std::vector<float>> all_w, all_b;
  PathResult result;
};

class OwnFoldsTest : public IsaTest {
 protected:
  OwnFoldsTest() : problem_(make()), arrays_(problem_) {
    options_.fit.stopping.tolerance = 1e-8;
    options_.fit.execution.isa = GetParam();
    options_.l2 = kPenalties;
  }
  static reference::Problem make() {
    Rng rng(281);
    reference::Problem p = make_learnable(rng, {kRows, kFeatures, kClasses});
    for (double& x : p.x) x = (x - 5) / 4;
    for (int& label : p.labels) {
      if (rng.below(4) == 0) label = static_cast<int>(rng.below(kClasses));
    }
    for (std::size_t n = 0; n < kRows; ++n) p.sample_weights.push_back(static_cast<double>(1 + n % 3) / 2);
    return p;
  }
  [[nodiscard]] PathRun run(const PathOptions& o, std::size_t folds) const {
    PathRun r;
    r.scores.resize(r.points.size() * folds);
    std::vector<WeightsView<float>> views;
    for (std::size_t i = 0; i < r.points.size(); ++i) {
      r.all_w.emplace_back(kClasses * kFeatures, -7.0F);
      r.all_b.emplace_back(kClasses, -7.0F);
    }
    for (std::size_t i = 0; i < r.points.size(); ++i) views.push_back(view_of(r.all_w[i], r.all_b[i]));
    PathOutputs outputs;
    outputs.folds = {r.scores.data(), r.points.size(), folds};
    outputs.weights = views;
    r.status = fit_path(arrays_.batch, o, r.points, view_of(r.w, r.b), r.result, outputs);
    return r;
  }
  [[nodiscard]] PathRun run_with(const std::vector<std::int8_t>& folds, std::size_t count) {
    options_.fold_of_sample = folds;
    return run(options_, count);
  }

  reference::Problem problem_;
  ProblemArrays<float> arrays_;
  PathOptions options_;
};
INSTANTIATE_PER_ISA(OwnFoldsTest);

// The folds that fit_path() makes, handed to it: the same bits.
TEST_P(OwnFoldsTest, AreUsedAsTheyAre) {
  const Folds folds(arrays_.batch, arrays_.objective, kClasses, 4, 0);
  std::vector<std::int8_t> own(kRows, -1);
  for (std::size_t fold = 0; fold < 4; ++fold) {
    for (const std::uint32_t row : folds.held_out(fold)) own[row] = static_cast<std::int8_t>(fold);
  }
  options_.folds = 4;
  const PathRun dealt = run(options_, 4);
  options_.folds = 0;
  const PathRun given = run_with(own, 4);
  ASSERT_TRUE(dealt.status.ok() && given.status.ok()) << message(given.status);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(dealt.points[i].held_out_loss, given.points[i].held_out_loss);
    EXPECT_EQ(dealt.points[i].held_out_accuracy, given.points[i].held_out_accuracy);
  }
  EXPECT_TRUE(same_bits(dealt.w, given.w));
  EXPECT_EQ(dealt.result.left_out, given.result.left_out);
}

// Each score is that of an independent fit of the other rows; -1 is in all of them. With scale_l2 the penalty follows
// the weight of the rows that a fold trains on.
TEST_P(OwnFoldsTest, ScoresAreThoseOfIndependentFits) {
  std::vector<std::int8_t> own(kRows, -1);
  for (std::size_t n = 0; n < kRows; ++n) {
    if (n % 5 < 3) own[n] = static_cast<std::int8_t>(n % 5 == 0 ? 0 : 1);  // of different sizes
  }
  double whole = 0;
  for (const double w : problem_.sample_weights) whole += w;
  for (const bool scaled : {false, true}) {
    options_.scale_l2 = scaled;
    const PathRun r = run_with(own, 2);
    ASSERT_TRUE(r.status.ok()) << message(r.status);
    for (std::size_t i = 0; i < 3; ++i) {
      double loss = 0, weight = 0;
      for (std::size_t fold = 0; fold < 2; ++fold) {
        std::vector<std::uint32_t> train, held;
        double part = 0;
        for (std::uint32_t n = 0; n < kRows; ++n) {
          const bool out = own[n] == static_cast<std::int8_t>(fold);
          (out ? held : train).push_back(n);
          part += out ? 0 : problem_.sample_weights[n];
        }
        Batch rest = arrays_.batch;
        rest.selection = train;
        FitOptions alone = options_.fit;
        alone.objective.l2 = kPenalties[i] * (scaled ? whole / part : 1);
        const Fitted f = run_fit(rest, alone, kClasses);
        ASSERT_TRUE(f.status.ok());
        Batch out = arrays_.batch;
        out.selection = held;
        const Workspace scratch(loss_workspace_bytes<float>(held.size(), kFeatures, kClasses, 1));
        LossResult judged;
        ASSERT_TRUE(lanemax::loss({}, WeightsView<const float>{{f.w.data(), kClasses, kFeatures}, f.b}, out,
                                  {1, GetParam()}, scratch, judged)
                        .ok());
        const FoldScore& score = r.scores[i * 2 + fold];
        EXPECT_NEAR(score.loss, judged.data_loss, 1e-5) << scaled << i << fold;
        EXPECT_NEAR(score.weight, judged.total_weight, 1e-9);
        EXPECT_GT(score.accuracy, 0.4);
        loss += score.loss * score.weight;
        weight += score.weight;
      }
      EXPECT_NEAR(r.points[i].held_out_loss, loss / weight, 1e-12);
    }
  }
}

TEST_P(OwnFoldsTest, WeightsOfEveryPoint) {
  options_.folds = 3;
  const PathRun r = run(options_, 3);
  ASSERT_TRUE(r.status.ok());
  for (std::size_t i = 0; i < 3; ++i) {
    FitOptions alone = options_.fit;
    alone.objective.l2 = kPenalties[i];
    const Fitted f = run_fit(arrays_.batch, alone, kClasses);
    for (std::size_t k = 0; k < f.w.size(); ++k) EXPECT_NEAR(r.all_w[i][k], f.w[k], 2e-5) << i;
    EXPECT_NEAR(r.points[i].fit.objective, f.result.objective, 1e-9);
  }
  EXPECT_TRUE(same_bits(r.all_w[r.result.best], r.w) && same_bits(r.all_b[r.result.best], r.b));
}

// Without penalties of its own, a path has the fit's: one point.
TEST_P(OwnFoldsTest, OnePenalty) {
  options_.l2 = {};
  options_.folds = 3;
  PathRun r;
  r.points.resize(1);
  ASSERT_TRUE(fit_path(arrays_.batch, options_, r.points, view_of(r.w, r.b), r.result).ok());
  double whole = 0;
  for (const double w : problem_.sample_weights) whole += w;
  EXPECT_EQ(r.points[0].l2, 1 / whole);
  EXPECT_EQ(r.result.fit.l2, 1 / whole);
  const Fitted f = run_fit(arrays_.batch, options_.fit, kClasses);
  EXPECT_NEAR(r.result.fit.objective, f.result.objective, 1e-9);
  options_.fit.objective.l2 = 0.5;
  ASSERT_TRUE(fit_path(arrays_.batch, options_, r.points, view_of(r.w, r.b), r.result).ok());
  EXPECT_EQ(r.points[0].l2, 0.5);
}

TEST_P(OwnFoldsTest, Refusals) {
  const auto what = [&](const PathRun& r) {
    EXPECT_FALSE(r.status.ok());
    EXPECT_EQ(r.w[0], -7);
    return std::string(r.status.what);
  };
  std::vector<std::int8_t> own(kRows, 0);
  EXPECT_EQ(what(run_with({own.begin() + 1, own.end()}, 1)), "fold_of_sample");
  own[5] = -2;
  EXPECT_EQ(what(run_with(own, 1)), "fold_of_sample");
  own.assign(kRows, -1);
  EXPECT_EQ(what(run_with(own, 1)), "fold_of_sample");
  own[7] = 1;  // and fold 0 holds out nothing
  EXPECT_EQ(what(run_with(own, 2)), "fold_of_sample");
  own[8] = 0;
  EXPECT_TRUE(run_with(own, 2).status.ok());
  EXPECT_EQ(what(run_with(own, 3)), "fold scores");
  options_.folds = 2;
  EXPECT_EQ(what(run_with(own, 2)), "folds");
}

}  // namespace
}  // namespace lanemax::checks
