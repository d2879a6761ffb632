// SPDX-License-Identifier: BSD-3-Clause
//
// The learning rates that fit() chooses: which rows they come from, what they are, and that they serve.
#include <lanemax/fit.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <optional>

namespace lanemax::checks {
namespace {

constexpr Solver kMiniBatchSolvers[] = {Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad};

/// Overlapping classes, the first with a third of the rows.
reference::Problem problem(std::uint64_t stream, const Shape& shape, reference::Loss loss = reference::Loss::softmax) {
  Rng rng(stream);
  reference::Problem p = make_learnable(rng, shape, loss == reference::Loss::logistic);
  p.loss = loss;
  for (double& x : p.x) x /= 4;  // exact
  for (int& label : p.labels) label = rng.below(3) == 0 ? 0 : label;
  p.l2 = 0.001;
  return p;
}

/// lambda_max(X'X / n), X with a column of ones.
double largest_eigenvalue(const reference::Problem& p) {
  std::vector<double> v(p.features + 1, 1.0);
  double norm = 0;
  for (int iteration = 0; iteration < 1000; ++iteration) {
    std::vector<double> next(v.size());
    for (std::size_t n = 0; n < p.rows; ++n) {
      const double* x = &p.x[n * p.features];
      double score = v[p.features];
      for (std::size_t d = 0; d < p.features; ++d) score += x[d] * v[d];
      for (std::size_t d = 0; d < p.features; ++d) next[d] += score * x[d] / static_cast<double>(p.rows);
      next[p.features] += score / static_cast<double>(p.rows);
    }
    norm = 0;
    for (const double value : next) norm += value * value;
    norm = std::sqrt(norm);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = next[i] / norm;
  }
  return norm;
}

class LearningRateTest : public IsaTest {
 protected:
  [[nodiscard]] FitOptions options(const ProblemArrays<float>& arrays, Solver solver,
                                   std::size_t batch_size = 32) const {
    FitOptions o;
    o.objective = arrays.objective;
    o.solver = solver;
    o.mini_batches.epochs = 0;
    o.mini_batches.batch_size = batch_size;
    o.execution.isa = GetParam();
    return o;
  }
  [[nodiscard]] double rate(const reference::Problem& p, Solver solver, std::size_t batch_size,
                            Schedule schedule = Schedule::cosine) const {
    const ProblemArrays<float> arrays(p);
    FitOptions o = options(arrays, solver, batch_size);
    o.mini_batches.schedule = schedule;
    const Fitted fitted = run_fit(arrays.batch, o, p.classes);
    EXPECT_TRUE(fitted.status.ok()) << message(fitted.status);
    return fitted.result.learning_rate;
  }
};
INSTANTIATE_PER_ISA(LearningRateTest);

// Few rows of many take part: where they lie, and whether an even sample of all rows would meet one, does not matter.
TEST_P(LearningRateTest, ComesFromTheRowsThatTakePart) {
  enum class LeftOut { by_weight, by_label };
  for (const std::size_t rows : {3000U, 40000U}) {
    for (const std::vector<std::size_t>& kept :
         {std::vector<std::size_t>{1, 4}, std::vector<std::size_t>{rows - 1}, std::vector<std::size_t>{7, 11, 1501}}) {
      for (const LeftOut how : {LeftOut::by_weight, LeftOut::by_label}) {
        for (const reference::Loss loss :
             {reference::Loss::softmax, reference::Loss::hinge, reference::Loss::logistic}) {
          reference::Problem p = problem(181, {rows, 3, 4}, loss), alone = p;
          if (how == LeftOut::by_weight) p.sample_weights.assign(rows, 0);
          const std::vector<int> labels = p.labels;
          if (how == LeftOut::by_label) p.labels.assign(rows, p.ignored_label);
          alone.rows = kept.size();
          alone.x.clear();
          alone.labels.clear();
          for (const std::size_t row : kept) {
            if (how == LeftOut::by_weight) p.sample_weights[row] = 1;
            p.labels[row] = labels[row];
            alone.labels.push_back(labels[row]);
            alone.x.insert(alone.x.end(), &p.x[row * 3], &p.x[row * 3] + 3);
          }
          const ProblemArrays<float> all(p), few(alone);
          for (const Solver solver : kMiniBatchSolvers) {
            FitOptions o = options(all, solver);
            o.mini_batches.epochs = 3;
            const Fitted a = run_fit(all.batch, o, p.classes), b = run_fit(few.batch, o, p.classes);
            SCOPED_TRACE(text(name_of(solver), ", ", name_of(o.objective.loss), ", ", kept.size(), " of ", rows));
            ASSERT_TRUE(a.status.ok()) << message(a.status);
            EXPECT_TRUE(same_bits(a.result.learning_rate, b.result.learning_rate));
            EXPECT_TRUE(same_bits(a.w, b.w));
            EXPECT_TRUE(same_bits(a.b, b.b));
          }
        }
      }
    }
  }
}

TEST_P(LearningRateTest, IsWhatTheDataAllow) {
  for (const reference::Loss loss : {reference::Loss::softmax, reference::Loss::hinge, reference::Loss::logistic}) {
    for (const bool weighted : {false, true}) {
      reference::Problem p = problem(182, {600, 5, 6}, loss);
      if (weighted) {
        for (std::size_t n = 0; n < p.rows; ++n) p.sample_weights.push_back(n % 3 == 0 ? 2.5 : 0.25);
      }
      const double bound = loss == reference::Loss::softmax ? 0.5 : loss == reference::Loss::logistic ? 0.25 : 5;
      const double eigenvalue = largest_eigenvalue(p), safe = 1 / (1.1 * bound * eigenvalue + p.l2);
      std::vector<double> mass(6);
      double total = 0, square = 0;
      for (std::size_t n = 0; n < p.rows; ++n) {
        const double weight = weighted ? p.sample_weights[n] : 1;
        double norm = 1;
        for (std::size_t d = 0; d < p.features; ++d) norm += p.x[n * p.features + d] * p.x[n * p.features + d];
        mass[static_cast<std::size_t>(p.labels[n])] += weight;
        total += weight;
        square += weight * weight * norm;
      }
      const auto rows = static_cast<double>(p.rows);
      square *= rows / (total * total);
      const double share = loss == reference::Loss::logistic ? 0.5 : mass[0] / total;
      ASSERT_GT(share, 1.0 / 6);
      for (const std::size_t batch_size : {1U, 32U, 600U}) {
        const double drawn = share * eigenvalue + square / static_cast<double>(batch_size);
        const double want = std::max(safe, 1 / (1.1 * bound * drawn + p.l2));
        SCOPED_TRACE(text(name_of(ProblemArrays<float>(p).objective.loss), ", batches of ", batch_size));
        EXPECT_NEAR(rate(p, Solver::sgd, batch_size), want, 1e-4 * want);
        EXPECT_NEAR(rate(p, Solver::sgd, batch_size, Schedule::constant), safe, 1e-4 * safe);
        EXPECT_NEAR(rate(p, Solver::momentum, batch_size), safe, 1e-4 * safe);
        EXPECT_EQ(rate(p, Solver::adam, batch_size), 0.001);
      }
      EXPECT_EQ(rate(p, Solver::sgd, 1), rate(p, Solver::momentum, 1));
      EXPECT_GT(rate(p, Solver::sgd, 600), 1.5 * safe);
      EXPECT_EQ(rate(p, Solver::sgd, 100000), rate(p, Solver::sgd, 600));  // capped at the rows there are
    }
  }
}

TEST_P(LearningRateTest, OneHotTargetsAreLabels) {
  reference::Problem p = problem(183, {600, 5, 6}), soft = p;
  soft.labels.clear();
  soft.targets.assign(600 * 6, 0);
  for (std::size_t n = 0; n < 600; ++n) soft.targets[n * 6 + static_cast<std::size_t>(p.labels[n])] = 1;
  EXPECT_EQ(rate(soft, Solver::sgd, 32), rate(p, Solver::sgd, 32));
  soft.targets.assign(600 * 6, 0);  // nothing is a target, too
  EXPECT_GT(rate(soft, Solver::sgd, 32), rate(p, Solver::sgd, 32));
}

// Against 1 / L: never worse, also where steps are unstable soonest (labels of noise), and where classes are many and
// of equal shares about as good as momentum.
TEST_P(LearningRateTest, SgdDoesBetterThanAtTheBound) {
  enum class Labels { equal_shares, uneven, noise };
  for (const reference::Loss loss : {reference::Loss::softmax, reference::Loss::hinge}) {
    for (const Labels labels : {Labels::equal_shares, Labels::uneven, Labels::noise}) {
      for (const Shape shape : {Shape{4000, 8, 2}, Shape{4000, 8, 10}, Shape{4000, 12, 40}}) {
        Rng rng(184);
        reference::Problem p = make_learnable(rng, shape);
        p.loss = loss;
        p.l2 = 0.001;
        for (double& x : p.x) x /= 4;  // exact
        for (int& label : p.labels) {
          if (labels == Labels::uneven && rng.below(3) == 0) label = 0;
          if (labels == Labels::noise) label = static_cast<int>(rng.below(shape.classes));
        }
        const ProblemArrays<float> arrays(p);
        const auto objective = [&](Solver solver, std::optional<double> rate = {}) {
          FitOptions o = options(arrays, solver, 64);
          o.mini_batches.epochs = 10;
          o.mini_batches.learning_rate = rate;
          const Fitted fitted = run_fit(arrays.batch, o, p.classes);
          EXPECT_TRUE(fitted.status.ok()) << message(fitted.status);
          return fitted.result.objective;
        };
        const double chosen = objective(Solver::sgd), at_bound = objective(Solver::sgd, rate(p, Solver::momentum, 64));
        SCOPED_TRACE(
            text(name_of(arrays.objective.loss), ", ", shape.classes, " classes, labels ", static_cast<int>(labels)));
        EXPECT_LE(chosen, 1.005 * at_bound);
        if (labels != Labels::equal_shares || shape.classes == 2) continue;
        EXPECT_LE(chosen, 0.9 * at_bound);
        EXPECT_LE(chosen, 1.1 * objective(Solver::momentum));
      }
    }
  }
}

}  // namespace
}  // namespace lanemax::checks
