// SPDX-License-Identifier: BSD-3-Clause
// The sums over rows of which the preconditioners are made, against the dense Hessian.
#include "engine/fit/curvature/curvature.hpp"
#include "tests/support/fit_case.hpp"
#include "tests/support/testing.hpp"

#include <bit>

namespace lanemax::checks {
namespace {

constexpr Preconditioner kKinds[] = {Preconditioner::diagonal, Preconditioner::gram, Preconditioner::blocks,
                                     Preconditioner::full};

/// `wanted` of the rows, evenly spaced: row j of the sample is the first of which (j + 1) / wanted of all are done.
std::vector<DenseRow> sample_of(const std::vector<DenseRow>& rows, std::size_t wanted) {
  std::vector<DenseRow> out;
  for (std::size_t j = 1; j <= wanted; ++j) out.push_back(rows[(j * rows.size() + wanted - 1) / wanted - 1]);
  return out;
}

/// (1/S) sum_i s_i f_i x_i x_i' over the sample's rows, f the curvature of a pair of classes or the mean of C.
class DenseBlock {
 public:
  DenseBlock(const FitProblem& problem, const std::vector<DenseRow>& rows, bool mean, std::size_t c, std::size_t k,
             Real unit)
      : rows_(rows), unit_(unit) {
    Real total = 0;
    for (const DenseRow& row : rows) total += row.own_weight;
    for (const DenseRow& row : rows) {
      Real factor = 0, size = 0;  // 1 - p has an error of its own when p is next to 1
      for (std::size_t j = 0; mean && j < row.p.size(); ++j) {
        factor += row.p[j] * (1 - row.p[j]) / static_cast<Real>(row.p.size());
        size += row.p[j] / static_cast<Real>(row.p.size());
      }
      if (!mean) {
        factor = row.p[c] * ((c == k ? 1 : 0) - row.p[k]);
        size = row.p[c] * (c == k ? 1 : row.p[k]);
      }
      factors_.push_back(row.weight / total * factor);
      errors_.push_back(row.weight / total * size * unit * roundings(problem, row, rows.size()));
    }
  }
  [[nodiscard]] Estimate operator()(std::size_t i, std::size_t j) const {
    Estimate out;
    for (std::size_t n = 0; n < rows_.size(); ++n) {
      const Real product = rows_[n].x[i] * rows_[n].x[j];
      out.value += factors_[n] * product;
      out.bound += errors_[n] * std::fabs(product);
    }
    return {out.value, out.bound + unit_ * std::fabs(out.value)};
  }

 private:
  const std::vector<DenseRow>& rows_;
  Real unit_;
  std::vector<Real> factors_, errors_;
};

/// Every entry that counts of a kind's sums.
template <class T>
void judge_sums(Judge& judge, const FitProblem& problem, const std::vector<DenseRow>& rows, Preconditioner kind,
                const Buffer<T>& got, const std::string& name) {
  const Real unit = std::numeric_limits<T>::epsilon() / 2;
  const SymmetricShape shape{problem.features() + 1};
  const std::size_t classes = problem.classes();
  const auto judge_entry = [&](std::size_t at, const Estimate& want, std::size_t block, std::size_t i, std::size_t j) {
    judge.close(static_cast<Real>(got[at]), want, 1e30L,
                [&] { return text(name, ", ", lanemax::name_of(kind), ": block ", block, " entry ", i, ", ", j); });
  };
  if (kind == Preconditioner::diagonal) {
    judge.require(got.size() == weight_count(shape.n, classes), [&] { return text(name, ": size ", got.size()); });
    for (std::size_t c = 0; c < classes; ++c) {
      const DenseBlock want(problem, rows, false, c, c, unit);
      for (std::size_t i = 0; i < shape.n && judge.ok(); ++i) {
        judge_entry(weight_index(shape.n, classes, c, i), want(i, i), c, i, i);
      }
    }
    return;
  }
  std::size_t matrix = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t k = c; k < classes; ++k) {
      if (kind == Preconditioner::gram && matrix > 0) continue;
      if (kind == Preconditioner::blocks && c != k) continue;
      const DenseBlock want(problem, rows, kind == Preconditioner::gram, c, k, unit);
      for (std::size_t i = 0; i < shape.n && judge.ok(); ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
          judge_entry(matrix * shape.count() + shape.kept(i, j), want(i, j), matrix, i, j);
        }
      }
      ++matrix;
    }
  }
  judge.require(matrix == matrix_count(kind, classes) && got.size() == matrix * shape.count(),
                [&] { return text(name, ", ", lanemax::name_of(kind), ": ", got.size(), " numbers"); });
}

template <class T>
void judge_case(Judge& judge, const KernelTable& table, Rng& rng, const Shape& s, const FitCaseOptions& o,
                const std::vector<Preconditioner>& kinds, const std::vector<std::size_t>& samples, int teams = 1) {
  const FitCase<float> c(table, rng, s, o);
  const std::vector<DenseRow> all = dense_rows(c.problem(), c.point());
  for (const std::size_t wanted : samples) {
    const std::vector<DenseRow> rows = sample_of(all, std::min(wanted, all.size()));
    for (const Preconditioner kind : kinds) {
      Buffer<T> got, other;
      const std::string name = text(describe_fit(s, o), ", ", rows.size(), " of ", all.size(), " rows");
      judge.require(sum_curvature(c.problem(1), c.point(), kind, wanted, got), [&] { return name; });
      if (judge.ok()) judge_sums(judge, c.problem(), rows, kind, got, name);
      for (int threads = 2; threads <= teams; ++threads) {
        judge.require(sum_curvature(c.problem(threads), c.point(), kind, wanted, other), [&] { return name; });
        for (std::size_t i = 0; i < got.size() && judge.ok(); ++i) {
          judge.require(same_bits(got[i], other[i]), [&] { return text(name, ": other bits, ", threads, " threads"); });
        }
      }
    }
  }
}

template <class T>
Verdict check_sums(const KernelTable& table) {
  const std::vector<Preconditioner> all(std::begin(kKinds), std::end(kKinds));
  Judge judge;
  Rng rng(90);
  for (const std::size_t features : {1U, 15U, 16U, 63U, 64U, 65U, 130U}) {
    FitCaseOptions o;
    o.weights = features % 2 == 0;
    judge_case<T>(judge, table, rng, {19, features, 3}, o, all, {1000, 7}, features == 65 ? 4 : 1);
  }
  FitCaseOptions o;
  for (const std::size_t wanted : {1U, 2U, 5U, 31U, 40U, 41U}) {
    judge_case<T>(judge, table, rng, {41, 4, 3}, o, all, {wanted});
  }
  o.targets = TargetSort::probabilities;  // that do not sum to 1
  o.scaling = o.selection = o.weights = o.masked = true;
  judge_case<T>(judge, table, rng, {61, 9, 5}, o, all, {1000, 20});
  judge_case<T>(judge, table, rng, {61, 9, 20}, o, all, {20}, 4);
  o = {};
  o.ignored = o.smoothing = true;
  judge_case<T>(judge, table, rng, {61, 5, 7}, o, all, {1000, 48, 20});
  judge_case<T>(judge, table, rng, {29, 5, 100}, o, {Preconditioner::diagonal, Preconditioner::gram}, {1000, 20});
  o = {};
  o.loss = reference::Loss::logistic;
  judge_case<T>(judge, table, rng, {70, 17, 1}, o, all, {1000, 20});
  o.targets = TargetSort::probabilities;
  o.weights = true;
  judge_case<T>(judge, table, rng, {70, 17, 1}, o, all, {1000, 20}, 2);
  // More rows than a group has room for.
  o = {};
  judge_case<T>(judge, table, rng, {4500, 2, 3}, o, all, {2500, 5000}, 4);
  o.targets = TargetSort::probabilities;
  judge_case<T>(judge, table, rng, {2300, 1, 3}, o, all, {5000});
  judge_case<T>(judge, table, rng, {2200, 1, 16}, o, {Preconditioner::diagonal, Preconditioner::gram}, {5000});
  return judge.finish(0.8);
}

class SumCurvatureTest : public IsaTest {};
INSTANTIATE_PER_ISA(SumCurvatureTest);

TEST_P(SumCurvatureTest, AgainstTheDenseHessianF32) {
  expect_ok(check_sums<float>(table()));
}
TEST_P(SumCurvatureTest, AgainstTheDenseHessianF64) {
  expect_ok(check_sums<double>(table()));
}

TEST_P(SumCurvatureTest, AScoreThatIsNotFiniteIsReported) {
  Rng rng(91);
  FitCase<float> c(table(), rng, {40, 5, 3}, {});
  for (const Preconditioner kind : kKinds) {
    Buffer<float> sums;
    EXPECT_TRUE(sum_curvature(c.problem(2), c.point(), kind, 40, sums));
    const double kept = c.point()[0];
    c.point()[0] = kNaN<double>;
    EXPECT_FALSE(sum_curvature(c.problem(2), c.point(), kind, 40, sums)) << lanemax::name_of(kind);
    c.point()[0] = kept;
  }
}

}  // namespace
}  // namespace lanemax::checks
