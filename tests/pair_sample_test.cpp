// SPDX-License-Identifier: BSD-3-Clause
// Which pairs of a row and a class are drawn.
#include "engine/fit/curvature/pair_sample.hpp"
#include "tests/support/fit_case.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class PairSampleTest : public IsaTest {
 protected:
  /// Weighted rows whose scores are spread: some pairs have nearly all curvature.
  void SetUp() override {
    IsaTest::SetUp();
    Rng rng(92);
    FitCaseOptions o;
    o.weights = true;
    case_ = std::make_unique<FitCase<float>>(table(), rng, Shape{kRows, 6, kClasses}, o);
    for (std::size_t i = 0; i < case_->point().size(); ++i) {
      if (std::isfinite(case_->point()[i])) case_->point()[i] *= 6;
    }
    const std::vector<DenseRow> rows = dense_rows(case_->problem(), case_->point());
    for (const DenseRow& row : rows) {
      for (std::size_t c = 0; c < kClasses; ++c) {
        curvature_.push_back(static_cast<double>(row.weight * row.p[c] * (1 - row.p[c])));
      }
    }
    kept_rows_ = rows.size();
  }
  static constexpr std::size_t kRows = 2500, kClasses = 7;

  std::unique_ptr<FitCase<float>> case_;
  std::vector<double> curvature_;  // of the rows that take part
  std::size_t kept_rows_ = 0;
};
INSTANTIATE_PER_ISA(PairSampleTest);

TEST_P(PairSampleTest, AllPairsWeighWhatTheyAre) {
  PairSample all;
  ASSERT_TRUE(sample_pairs<double>(case_->problem(2), case_->point(), 1e9, all));
  EXPECT_EQ(all.tau, 0);
  ASSERT_EQ(all.begin.size(), kClasses + 1);
  double sum = 0, want = 0;
  for (const double w : all.weights) sum += w;
  for (const double w : curvature_) want += w;
  EXPECT_NEAR(sum, want, 1e-12 * want);
  EXPECT_EQ(all.rows.size(), kept_rows_ * kClasses);
}

/// As many as were asked for, about; large ones for certain; no weight above the largest curvature or tau; the same
/// from any team.
TEST_P(PairSampleTest, KeepsWhatMatters) {
  const double largest = *std::max_element(curvature_.begin(), curvature_.end());
  for (const double wanted : {300.0, 1200.0, 5000.0}) {
    SCOPED_TRACE(wanted);
    PairSample sample;
    ASSERT_TRUE(sample_pairs<float>(case_->problem(1), case_->point(), wanted, sample));
    EXPECT_GT(sample.tau, 0);
    const double size = static_cast<double>(sample.rows.size());
    EXPECT_NEAR(size, wanted, 5 * std::sqrt(wanted) + 0.05 * wanted);
    const double tau = *std::min_element(sample.weights.begin(), sample.weights.end());
    EXPECT_LE(*std::max_element(sample.weights.begin(), sample.weights.end()), std::max(tau, largest * (1 + 1e-5)));
    const auto above = static_cast<std::size_t>(
        std::count_if(curvature_.begin(), curvature_.end(), [&](double w) { return w > tau * (1 + 1e-4); }));
    const auto certain = static_cast<std::size_t>(
        std::count_if(sample.weights.begin(), sample.weights.end(), [&](double w) { return w > tau * (1 + 1e-4); }));
    EXPECT_EQ(certain, above);
    for (std::size_t c = 0; c < kClasses; ++c) {
      for (std::size_t i = sample.begin[c] + 1; i < sample.begin[c + 1]; ++i) {
        ASSERT_LT(sample.rows[i - 1], sample.rows[i]);
      }
    }
    for (const int threads : {2, 3, 4}) {
      PairSample other;
      ASSERT_TRUE(sample_pairs<float>(case_->problem(threads), case_->point(), wanted, other));
      EXPECT_EQ(other.rows, sample.rows);
      EXPECT_EQ(other.weights, sample.weights);
      EXPECT_EQ(other.begin, sample.begin);
    }
  }
}

/// The mean over many draws is the sum over all pairs, for every class.
TEST_P(PairSampleTest, IsUnbiased) {
  constexpr int kDraws = 300;
  constexpr double kWanted = 400;
  std::vector<double> want(kClasses), mean(kClasses), square(kClasses);
  for (std::size_t i = 0; i < curvature_.size(); ++i) want[i % kClasses] += curvature_[i];
  const double kept = case_->point()[0];
  for (int draw = 0; draw < kDraws; ++draw) {
    case_->point()[0] = kept * (1 + 1e-13 * draw);  // other bits, the same curvature
    PairSample sample;
    ASSERT_TRUE(sample_pairs<double>(case_->problem(2), case_->point(), kWanted, sample));
    for (std::size_t c = 0; c < kClasses; ++c) {
      double sum = 0;
      for (std::size_t i = sample.begin[c]; i < sample.begin[c + 1]; ++i) sum += sample.weights[i];
      mean[c] += sum / kDraws;
      square[c] += sum * sum / kDraws;
    }
  }
  for (std::size_t c = 0; c < kClasses; ++c) {
    const double deviation = std::sqrt((square[c] - mean[c] * mean[c]) / kDraws);
    EXPECT_GT(deviation, 0);
    EXPECT_NEAR(mean[c], want[c], 4 * deviation) << c;
  }
}

}  // namespace
}  // namespace lanemax::checks
