// SPDX-License-Identifier: BSD-3-Clause
// The inverses of the classes' blocks against the blocks themselves, written down from the sample.
#include "engine/fit/curvature/class_blocks.hpp"
#include "engine/fit/curvature/curvature.hpp"
#include "tests/support/fit_case.hpp"
#include "tests/support/testing.hpp"

#include <numeric>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 900, kFeatures = 40, kClasses = 9, kOrder = kFeatures + 1;

class ClassBlocksTest : public IsaTest {
 protected:
  /// Weighted, scaled rows and scores that are spread: some classes have many times the curvature of others.
  void SetUp() override {
    IsaTest::SetUp();
    Rng rng(98);
    FitCaseOptions o;
    o.weights = o.scaling = o.penalties = true;
    case_ = std::make_unique<FitCase<float>>(table(), rng, Shape{kRows, kFeatures, kClasses}, o);
    for (std::size_t c = 0; c < kClasses; ++c) {
      case_->point()[parameter_index(case_->problem(), c, kFeatures)] += -0.6 * static_cast<double>(c);
    }
    v_ = case_->direction(rng);
    out_ = case_->vector();
  }

  std::unique_ptr<FitCase<float>> case_;
  Vector v_, out_;
};
INSTANTIATE_PER_ISA(ClassBlocksTest);

struct DenseBlock {
  bool is_rich = false, is_dual = false;
  Real drawn = 1, shared = 0;
  std::vector<Real> entries;
};

/// The classes' blocks by the header's formula.
std::vector<DenseBlock> dense_blocks(const FitProblem& problem, const std::vector<std::vector<Real>>& rows,
                                     const PairSample& sample, const Buffer<float>& gram) {
  const SymmetricShape shape{kOrder};
  std::vector<DenseBlock> blocks(kClasses);
  Real mean = 0, dual_shared = 0, duals = 0;
  for (const double w : sample.weights) mean += static_cast<Real>(w) / static_cast<Real>(kClasses);
  for (std::size_t c = 0; c < kClasses; ++c) {
    DenseBlock& block = blocks[c];
    const std::size_t pairs = sample.begin[c + 1] - sample.begin[c];
    block.is_rich = pairs >= 2 * kOrder;
    block.is_dual = pairs <= kOrder;
    Real rest = 0, drawn = 0;
    for (std::size_t i = sample.begin[c]; i < sample.begin[c + 1]; ++i) {
      if (sample.weights[i] > sample.tau) continue;
      rest += static_cast<Real>(sample.weights[i]);
      drawn += 1;
    }
    if (!block.is_rich) block.drawn = drawn / (drawn + static_cast<Real>(kOrder) / 2);
    block.shared = pairs > 0 ? (1 - block.drawn) * rest / mean : 1;
    dual_shared += block.is_dual ? block.shared : 0;
    duals += block.is_dual ? 1 : 0;
  }
  for (std::size_t c = 0; c < kClasses; ++c) {
    DenseBlock& block = blocks[c];
    if (block.is_dual) block.shared = dual_shared / duals;
    block.entries.resize(kOrder * kOrder);
    for (std::size_t i = 0; i < kOrder; ++i) {
      for (std::size_t j = 0; j < kOrder; ++j) {
        Real& entry = block.entries[i * kOrder + j];
        for (std::size_t k = sample.begin[c]; k < sample.begin[c + 1]; ++k) {
          const std::vector<Real>& x = rows[sample.rows[k]];
          const Real weight = (sample.weights[k] > sample.tau ? 1 : block.drawn) * static_cast<Real>(sample.weights[k]);
          entry += weight / static_cast<Real>(sample.total_weight) * x[i] * x[j];
        }
        entry += block.shared * static_cast<Real>(gram[shape.kept(i, j)]);
        if (i == j && i < kFeatures) entry += static_cast<Real>(problem.penalty_of(i));
      }
    }
  }
  return blocks;
}

/// Of all kinds: of many pairs, few, very few, none, and some of each.
TEST_P(ClassBlocksTest, AreInverses) {
  const FitProblem problem = case_->problem(2);
  std::vector<std::vector<Real>> rows(kRows);
  for (const DenseRow& row : dense_rows(problem, case_->point())) rows[row.index] = row.x;
  Buffer<float> gram;
  ASSERT_TRUE(sum_curvature(problem, case_->point(), Preconditioner::gram, 4 * kOrder, gram));
  std::size_t rich = 0, poor = 0, dual = 0, empty = 0;
  for (const std::size_t wanted : {20U, 100U, 250U, 700U, 5000U, 100000U}) {
    SCOPED_TRACE(wanted);
    PairSample sample;
    ASSERT_TRUE(sample_pairs<float>(problem, case_->point(), static_cast<double>(wanted), sample));
    ClassBlocks blocks(problem, false);
    ASSERT_TRUE(blocks.refresh(case_->point(), wanted, nullptr));
    blocks.apply(std::vector<Product>{{&v_, &out_}});
    const std::vector<DenseBlock> want = dense_blocks(problem, rows, sample, gram);
    for (std::size_t c = 0; c < kClasses; ++c) {
      const std::size_t pairs = sample.begin[c + 1] - sample.begin[c];
      ++(want[c].is_rich ? rich : !want[c].is_dual ? poor : pairs > 0 ? dual : empty);
      for (std::size_t i = 0; i < kOrder; ++i) {
        Real sum = 0, size = 0;
        for (std::size_t j = 0; j < kOrder; ++j) {
          const Real term = want[c].entries[i * kOrder + j] * static_cast<Real>(out_[parameter_index(problem, c, j)]);
          sum += term;
          size += std::fabs(term);
        }
        const Real v = static_cast<Real>(v_[parameter_index(problem, c, i)]);
        ASSERT_NEAR(static_cast<double>(sum), static_cast<double>(v), static_cast<double>(2e-5L * (size + 1)))
            << "class " << c << " of " << pairs << " pairs, entry " << i;
      }
    }
  }
  EXPECT_GT(rich, 0U);
  EXPECT_GT(poor, 0U);
  EXPECT_GT(dual, 0U);
  EXPECT_GT(empty, 0U);
}

void expect_same_of_any_team(const FitCase<float>& c, std::size_t wanted) {
  Rng rng(99);
  const Vector v = c.direction(rng);
  Vector first;
  for (const int threads : {1, 2, 3, 4}) {
    const FitProblem problem = c.problem(threads);
    ClassBlocks blocks(problem, false);
    ASSERT_TRUE(blocks.refresh(c.point(), wanted, nullptr));
    Vector out = c.vector();
    blocks.apply(std::vector<Product>{{&v, &out}});
    if (threads == 1) first = std::move(out);
    for (std::size_t i = 0; threads > 1 && i < out.size(); ++i) ASSERT_EQ(out[i], first[i]) << threads;
  }
}

/// Not of how a few large blocks are shared out, either.
TEST_P(ClassBlocksTest, DoNotDependOnTheTeam) {
  for (const std::size_t wanted : {100U, 250U, 5000U}) expect_same_of_any_team(*case_, wanted);
  Rng rng(100);
  const FitCase<float> few(table(), rng, {500, 200, 2}, {});
  for (const std::size_t wanted : {60U, 500U, 900U}) expect_same_of_any_team(few, wanted);
  const FitCase<float> narrow(table(), rng, {500, 3, 11}, {});
  for (const std::size_t wanted : {20U, 60U, 200U}) expect_same_of_any_team(narrow, wanted);
}

/// Made from what was kept, or from the beginning.
TEST_P(ClassBlocksTest, AnotherPenaltyIsAnotherInverse) {
  for (const std::size_t wanted : {100U, 250U, 5000U}) {
    FitProblem problem = case_->problem(2);
    ClassBlocks kept(problem, true), fresh(problem, false);
    ASSERT_TRUE(kept.refresh(case_->point(), wanted, nullptr));
    problem.set_penalty({0.25});
    ASSERT_TRUE(kept.penalty_changed());
    ASSERT_TRUE(fresh.refresh(case_->point(), wanted, nullptr));
    const Vector other = case_->vector();
    kept.apply(std::vector<Product>{{&v_, &out_}});
    fresh.apply(std::vector<Product>{{&v_, &other}});
    for (std::size_t i = 0; i < out_.size(); ++i) ASSERT_EQ(out_[i], other[i]) << wanted;
  }
}

/// What is counted grows with the sample.
TEST_P(ClassBlocksTest, WhatTheyCost) {
  const FitProblem problem = case_->problem();
  double last = 0;
  for (std::size_t pairs = 1; pairs <= kRows * kClasses; pairs *= 2) {
    const double flops = ClassBlocks::flops(problem, pairs);
    EXPECT_GT(flops, last) << pairs;
    last = flops;
  }
  EXPECT_EQ(ClassBlocks::most_pairs(problem), problem.rows() * kClasses);
  EXPECT_EQ(ClassBlocks::fewest_pairs(problem), kClasses * kOrder * 5 / 2);
}

}  // namespace
}  // namespace lanemax::checks
