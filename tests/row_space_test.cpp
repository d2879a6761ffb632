// SPDX-License-Identifier: BSD-3-Clause
//
// Few rows of many features: their coordinates, and that fits on them reach the optimum and prove it.
#include "engine/fit/space/row_space.hpp"

#include <lanemax/fit_path.hpp>

#include "tests/reference/newton_reference.hpp"
#include "tests/support/fit_case.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::checks {
namespace {

class RowSpaceTest : public IsaTest {};
INSTANTIATE_PER_ISA(RowSpaceTest);

/// Values of the rows that take part, scaled, as sum_d x_d y_d / w_d sees them.
std::vector<std::vector<Real>> plain_rows(const FitProblem& problem) {
  std::vector<std::vector<Real>> rows;
  Vector zero(problem.parameters());
  for (const DenseRow& row : dense_rows(problem, zero)) {
    rows.emplace_back(row.x.begin(), row.x.end() - 1);
  }
  return rows;
}
Real inner_product(const FitProblem& problem, const std::vector<Real>& a, const std::vector<Real>& b) {
  Real sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += a[d] * b[d] / static_cast<Real>(problem.penalty_of(d));
  return sum;
}
std::vector<double> penalties(const FitProblem& problem) {
  std::vector<double> all(problem.features());
  for (std::size_t d = 0; d < all.size(); ++d) all[d] = problem.penalty_of(d);
  return all;
}
double coordinate(const Batch& batch, std::size_t row, std::size_t k) {
  return static_cast<const double*>(batch.features.data)[row * batch.features.row_stride + k];
}

template <class X>
void check_coordinates(const FitCase<X>& c, int threads, const std::string& name) {
  SCOPED_TRACE(name);
  ASSERT_TRUE(c.status().ok()) << message(c.status());
  const FitProblem problem = c.problem(threads);
  RowSpace space(problem, penalties(problem));
  const FitOptions none;
  ASSERT_TRUE(space.find(Control(none)).ok());
  const std::vector<std::vector<Real>> rows = plain_rows(problem);
  const Batch& found = space.data();
  const std::size_t rank = found.features.features;
  ASSERT_EQ(found.rows(), rows.size());
  ASSERT_LE(rank, std::min(rows.size(), problem.features()));
  Real largest = 0;
  for (const std::vector<Real>& row : rows) largest = std::max(largest, inner_product(problem, row, row));
  const Real unit = static_cast<Real>(space.unit());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k <= i; ++k) {
      Real product = 0;
      for (std::size_t r = 0; r < rank; ++r) {
        product += static_cast<Real>(coordinate(found, i, r)) * static_cast<Real>(coordinate(found, k, r));
      }
      EXPECT_NEAR(static_cast<double>(product * unit * unit / largest),
                  static_cast<double>(inner_product(problem, rows[i], rows[k]) / largest), 1e-13)
          << "rows " << i << " and " << k;
    }
  }

  // A combination of the rows, there and back, and what the rows' scores are.
  const std::size_t classes = problem.classes();
  Vector x = c.vector(), back = c.vector(), u(weight_count(rank, classes) + bias_count(classes));
  std::copy_n(c.point().data(), x.size(), x.data());
  for (std::size_t cls = 0; cls < classes; ++cls) {
    for (std::size_t d = 0; d < problem.features(); ++d) {
      Real sum = 0;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        sum += static_cast<Real>((i + cls) % 3) * rows[i][d] / static_cast<Real>(problem.penalty_of(d));
      }
      x[weight_index(problem.features(), classes, cls, d)] = static_cast<double>(sum / std::sqrt(largest));
    }
  }
  space.restrict(x, u);
  space.expand(u, back);
  Real most = 0;
  for (std::size_t i = 0; i < problem.weights(); ++i) most = std::max(most, std::fabs(static_cast<Real>(x[i])));
  for (std::size_t i = 0; i < problem.weights(); ++i) {
    EXPECT_NEAR(static_cast<double>(static_cast<Real>(x[i]) / most),
                static_cast<double>(static_cast<Real>(back[i]) / most), 1e-10)
        << i;
  }
  for (std::size_t i = problem.weights(); i < x.size(); ++i) EXPECT_EQ(x[i], back[i]);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t cls = 0; cls < classes; ++cls) {
      Real there = 0, here = 0, size = 0;
      for (std::size_t d = 0; d < problem.features(); ++d) {
        const Real term = rows[i][d] * static_cast<Real>(x[weight_index(problem.features(), classes, cls, d)]);
        there += term;
        size += std::fabs(term);
      }
      for (std::size_t r = 0; r < rank; ++r) {
        here += static_cast<Real>(coordinate(found, i, r)) * static_cast<Real>(u[weight_index(rank, classes, cls, r)]);
      }
      EXPECT_NEAR(static_cast<double>(there), static_cast<double>(here), static_cast<double>(1e-11L * size + 1e-300L));
    }
  }

  // The rows themselves, as other rows.
  const Batch& again = space.coordinates_of(problem.data());
  ASSERT_EQ(again.rows(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t r = 0; r < rank; ++r) EXPECT_NEAR(coordinate(again, i, r), coordinate(found, i, r), 1e-6);
    if (!found.labels.empty()) {
      EXPECT_EQ(again.labels[i], found.labels[i]);
    }
    if (!found.sample_weights.empty()) {
      EXPECT_EQ(again.sample_weights[i], found.sample_weights[i]);
    }
  }
}

TEST_P(RowSpaceTest, CoordinatesKeepInnerProductsAndScores) {
  std::vector<FitCaseOptions> all(6);
  all[1].weights = all[1].selection = true;
  all[2].scaling = all[2].ignored = true;
  all[3].targets = TargetSort::probabilities;
  all[4].penalties = all[4].scaling = all[4].selection = all[4].weights = true;
  all[5].masked = true;
  Rng rng(901);
  for (const Shape& s : {Shape{1, 3, 2}, Shape{5, 40, 3}, Shape{16, 17, 5}, Shape{40, 300, 17}, Shape{65, 1200, 4},
                         Shape{140, 150, 3}}) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].l2 = true;
      const std::string name = describe_fit(s, all[i]);
      check_coordinates(FitCase<float>(table(), rng, s, all[i]), 1 + static_cast<int>(i % 3), name + " f32");
      check_coordinates(FitCase<double>(table(), rng, s, all[i]), 1, name + " f64");
    }
  }
}

/// Rows of many features, some of which tell of the class; what is odd about them is in `kind`.
struct WideData {
  std::size_t rows = 0, features = 0, classes = 0;
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  std::vector<float> centre, factor;  ///< of the fit that standardises

  WideData(std::uint64_t stream, std::size_t n, std::size_t d, std::size_t c, int kind)
      : rows(n), features(d), classes(c), centre(d), factor(d) {
    Rng rng(stream);
    x.resize(n * d);
    for (std::size_t i = 0; i < n; ++i) labels.push_back(static_cast<std::int32_t>(i < c ? i : rng.below(c)));
    for (std::size_t j = 0; j < d; ++j) {
      const double scale = kind == 1 ? std::pow(10, rng.between(-3, 3)) : kind == 2 ? 100 : 1;
      const double offset = kind == 3 ? rng.between(-100, 100) : 0, filled = kind == 4 ? 0.05 : 1;
      for (std::size_t i = 0; i < n; ++i) {
        const double told = j % 37 == static_cast<std::size_t>(labels[i]) ? 0.5 : 0;
        const double value = rng.unit() < filled ? rng.between(-1, 1) + rng.between(-1, 1) + told : 0;
        x[i * d + j] = static_cast<float>(kind == 6 && j % 3 == 0 ? 3 : offset + scale * value);
      }
    }
    for (std::size_t i = c; kind == 5 && i + 1 < n; i += 4) {  // the same row twice, perhaps with two labels
      std::copy_n(&x[i * d], d, &x[(i + 1) * d]);
    }
  }
  [[nodiscard]] Batch batch() const {
    Batch b;
    b.features = {x.data(), rows, features};
    b.labels = labels;
    return b;
  }
  [[nodiscard]] reference::NewtonProblem plain(double l2, bool standardised) const {
    reference::NewtonProblem p{rows, features, classes, {x.begin(), x.end()}, {labels.begin(), labels.end()}, {}, {}};
    p.penalty.assign(features, l2);
    for (std::size_t d = 0; standardised && d < features; ++d) {
      double mean = 0, square = 0;
      for (std::size_t i = 0; i < rows; ++i) mean += p.x[i * features + d] / static_cast<double>(rows);
      for (std::size_t i = 0; i < rows; ++i) {
        double& v = p.x[i * features + d];
        square += (v - mean) * (v - mean) / static_cast<double>(rows);
        v -= mean;
      }
      // Weights of features divided by their deviation; constant columns are centred.
      const bool constant = std::all_of(&labels[0], &labels[0] + rows,
                                        [&, i = std::size_t{0}](int) mutable { return x[i++ * features + d] == x[d]; });
      for (std::size_t i = 0; i < rows; ++i) p.x[i * features + d] *= constant ? 0 : 1 / std::sqrt(square);
    }
    return p;
  }
};

TEST_P(RowSpaceTest, RandomWideSetsReachTheirOptimumAndProveIt) {
  Rng rng(902);
  for (int set = 0; set < 28; ++set) {
    const int kind = set % 7;
    const std::size_t rows = 5 + rng.below(36), classes = std::min(rows, 2 + rng.below(4));
    const WideData data(1000 + static_cast<std::uint64_t>(set), rows, 60 + rng.below(1500), classes, kind);
    FitOptions o;
    o.execution = {1 + set % 3, GetParam()};
    o.objective.l2 = std::pow(10, rng.between(-8, 0));
    o.standardise = set % 2 == 1;
    const reference::NewtonResult right = reference::newton_optimum(data.plain(*o.objective.l2, o.standardise));
    const auto optimum = static_cast<double>(right.objective);
    SCOPED_TRACE(text("set ", set, ": ", rows, " x ", data.features, " x ", classes, ", l2 ", *o.objective.l2));
    ASSERT_LE(right.left, 1e-12L * right.objective);
    const Fitted usual = run_fit(data.batch(), o, classes);
    o.stopping.tolerance = 1e-10;
    const Fitted tight = run_fit(data.batch(), o, classes);
    for (const Fitted* f : {&usual, &tight}) {
      ASSERT_TRUE(f->status.ok()) << message(f->status);
      EXPECT_EQ(f->result.reason, StopReason::tolerance);
      EXPECT_TRUE(f->result.converged);
      // The optimum is 1e-9 to 1: what it is off is relative.
      EXPECT_GE(f->result.objective, optimum * (1 - 1e-7));
      EXPECT_LE(f->result.objective, optimum * (1 + 1e-6));
      EXPECT_GE(f->result.gap_bound, f->result.objective - optimum - 1e-7 * optimum);
      EXPECT_LE(f->result.gap_bound, 1e-4 * optimum);
    }
  }
}

// Many rows that are there twice with two labels: the optimum is far from where the curvature is first looked at.
TEST_P(RowSpaceTest, ConflictingRowsAndHardlyAPenalty) {
  const WideData data(68, 201, 4000, 4, 5);
  FitOptions o;
  o.execution.isa = GetParam();
  o.objective.l2 = 1e-8;
  for (const double tolerance : {1e-5, 1e-10}) {
    SCOPED_TRACE(tolerance);
    o.stopping.tolerance = tolerance;
    const Fitted f = run_fit(data.batch(), o, 4);
    ASSERT_TRUE(f.status.ok()) << message(f.status);
    EXPECT_EQ(f.result.reason, StopReason::tolerance);
    EXPECT_LE(f.result.gap_bound, 1e-6 * f.result.objective);
  }
}

// 12 rows of 6000 small whole numbers, four classes: values that an earlier version left at 1.3579 and 0.0295.
WideData twelve_rows() {
  WideData data(0, 12, 6000, 4, 0);
  std::uint64_t s = 7;
  for (std::size_t i = 0; i < data.rows; ++i) {
    data.labels[i] = static_cast<std::int32_t>(i % 4);
    for (std::size_t j = 0; j < data.features; ++j) {
      s = s * 48271 % 2147483647;
      data.x[i * data.features + j] = static_cast<float>(s % 100 + (j % 40 == i % 4 ? 60 : 0));
    }
  }
  return data;
}

TEST_P(RowSpaceTest, TwelveRowsOfSixThousandFeatures) {
  const WideData data = twelve_rows();
  FitOptions o;
  o.execution.isa = GetParam();
  o.objective.l2 = 1.0 / 12;
  const Fitted raw = run_fit(data.batch(), o, 4);
  o.standardise = true;
  const Fitted standardised = run_fit(data.batch(), o, 4);
  ASSERT_TRUE(raw.status.ok() && standardised.status.ok());
  EXPECT_NEAR(raw.result.objective, 1.3546222e-5, 1e-11);
  EXPECT_NEAR(standardised.result.objective, 0.00427625, 1e-8);
  for (const Fitted* f : {&raw, &standardised}) {
    EXPECT_EQ(f->result.reason, StopReason::tolerance);
    EXPECT_LE(f->result.gap_bound, 1e-4 * f->result.objective);
  }
}

// The first step of these saturates all rows: nothing is left of the curvature, and secants crawl.
TEST_P(RowSpaceTest, OtherGuidanceGetsThereToo) {
  const WideData data = twelve_rows();
  for (const Preconditioner kind : {Preconditioner::none, Preconditioner::diagonal}) {
    for (const bool standardised : {false, true}) {
      FitOptions o;
      o.execution.isa = GetParam();
      o.objective.l2 = 1.0 / 12;
      o.preconditioner = kind;
      o.standardise = standardised;
      SCOPED_TRACE(text(name_of(kind), standardised ? " standardised" : ""));
      const Fitted f = run_fit(data.batch(), o, 4);
      ASSERT_TRUE(f.status.ok()) << message(f.status);
      EXPECT_EQ(f.result.reason, StopReason::tolerance);
      const double optimum = standardised ? 0.00427625 : 1.3546222e-5;
      EXPECT_LE(f.result.objective, optimum * 1.01);
      EXPECT_GE(f.result.gap_bound, f.result.objective - optimum * (1 + 1e-6));
    }
  }
}

TEST_P(RowSpaceTest, WarmStartsValidationAndThreads) {
  const WideData data(77, 40, 700, 3, 0), other(78, 30, 700, 3, 0);
  FitOptions o;
  o.execution.isa = GetParam();
  o.objective.l2 = 1e-3;
  const Batch validation = other.batch();
  o.validation = &validation;
  Recorder seen;
  seen.watch(o);
  const Fitted first = run_fit(data.batch(), o, 3);
  ASSERT_TRUE(first.status.ok());
  ASSERT_FALSE(seen.seen.empty());
  // The last look at the other rows is at the weights that are returned, but for their rounding and the bias's polish.
  double loss = 0;
  for (std::size_t i = 0; i < other.rows; ++i) {
    double z[3] = {}, sum = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      z[c] = static_cast<double>(first.b[c]);
      for (std::size_t d = 0; d < other.features; ++d) {
        z[c] +=
            static_cast<double>(first.w[c * other.features + d]) * static_cast<double>(other.x[i * other.features + d]);
      }
    }
    for (const double v : z) sum += std::exp(v - z[other.labels[i]]);
    loss += std::log(sum) / static_cast<double>(other.rows);
  }
  EXPECT_NEAR(seen.seen.back().validation_loss, loss, 1e-5 * loss);

  // From the optimum there is nothing to do but to see that.
  o.warm_start = true;
  o.progress = nullptr;
  Fitted again = first;
  again.status = fit(data.batch(), o, view_of(again.w, again.b), again.result);
  ASSERT_TRUE(again.status.ok());
  EXPECT_LE(again.result.iterations, 3U);
  EXPECT_NEAR(again.result.objective, first.result.objective, 1e-9 * first.result.objective);

  o.warm_start = false;
  for (int threads = 2; threads <= 4; ++threads) {
    o.execution.threads = threads;
    const Fitted more = run_fit(data.batch(), o, 3);
    EXPECT_EQ(more.w, first.w);
    EXPECT_EQ(more.b, first.b);
    EXPECT_EQ(more.result.gap_bound, first.result.gap_bound);
  }
}

// The same path over the features as they are, which another preconditioner asks for. The same folds, too: of all rows,
// and of some that are selected twice and in another order.
TEST_P(RowSpaceTest, PathsAndFolds) {
  const WideData data(82, 30, 200, 3, 3);
  std::vector<std::uint32_t> twice;
  for (std::uint32_t row = 30; row-- > 2;) twice.insert(twice.end(), row % 3 == 0 ? 2 : 1, row);
  const double penalties[] = {1e-1, 1e-3};
  for (const bool selected : {false, true}) {
    SCOPED_TRACE(selected);
    Batch batch = data.batch();
    if (selected) batch.selection = twice;
    PathOptions o;
    o.fit.execution = {2, GetParam()};
    o.fit.standardise = true;
    o.fit.stopping.tolerance = 1e-9;
    o.l2 = penalties;
    o.folds = 4;
    std::vector<float> w(3 * 200), b(3);
    PathPoint here[2], there[2];
    PathResult result;
    Status status = fit_path(batch, o, here, view_of(w, b), result);
    ASSERT_TRUE(status.ok()) << message(status);
    EXPECT_LE(result.fit.gap_bound, 1e-6 * result.fit.objective);
    o.fit.preconditioner = Preconditioner::diagonal;
    status = fit_path(batch, o, there, view_of(w, b), result);
    ASSERT_TRUE(status.ok()) << message(status);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(here[i].finished && here[i].converged);
      EXPECT_NEAR(here[i].fit.objective, there[i].fit.objective, 1e-7 * there[i].fit.objective);
      EXPECT_NEAR(here[i].held_out_loss, there[i].held_out_loss, 1e-5 * there[i].held_out_loss);
      EXPECT_EQ(here[i].held_out_accuracy, there[i].held_out_accuracy);
      EXPECT_LE(here[i].fit.gradient_norm, 1e-6);
    }
  }
}

// Where the coordinates are not yet found, the path has the weights that it began with.
TEST_P(RowSpaceTest, InterruptedAtOnceAPathSaysSo) {
  const WideData data(82, 30, 200, 3, 3);
  const double penalties[] = {1e-1, 1e-3};
  PathOptions o;
  o.fit.execution.isa = GetParam();
  o.fit.cancelled = [](void*) noexcept { return true; };
  o.l2 = penalties;
  o.folds = 4;
  std::vector<float> w(3 * 200, 7), b(3, 7);
  PathPoint points[2];
  PathResult result;
  const Status status = fit_path(data.batch(), o, points, view_of(w, b), result);
  ASSERT_TRUE(status.ok()) << message(status);
  EXPECT_EQ(result.fit.reason, StopReason::interrupted);
  EXPECT_NEAR(result.fit.objective, std::log(3), 1e-12);
  EXPECT_TRUE(std::isnan(result.fit.gap_bound));
  EXPECT_EQ(std::count(w.begin(), w.end(), 0.0F), 600);
  EXPECT_FALSE(points[0].finished || points[1].finished);
}

TEST_P(RowSpaceTest, BadValuesAreNamed) {
  WideData data(79, 10, 200, 2, 0);
  data.x[3 * 200 + 17] = std::numeric_limits<float>::quiet_NaN();
  FitOptions o;
  o.execution.isa = GetParam();
  const Fitted f = run_fit(data.batch(), o, 2);
  EXPECT_EQ(f.status.code, StatusCode::not_finite);
  EXPECT_EQ(f.status.row, 3);
  EXPECT_EQ(f.status.column, 17);
  EXPECT_TRUE(untouched(f));
}

TEST_P(RowSpaceTest, RowsOfZerosAndUnpenalised) {
  WideData data(80, 8, 50, 2, 0);
  std::fill(data.x.begin(), data.x.end(), 0.0F);
  FitOptions o;
  o.execution.isa = GetParam();
  o.objective.l2 = 0.1;
  const Fitted zeros = run_fit(data.batch(), o, 2);
  ASSERT_TRUE(zeros.status.ok()) << message(zeros.status);
  double entropy = 0;
  for (int c = 0; c < 2; ++c) {
    const double share = static_cast<double>(std::count(data.labels.begin(), data.labels.end(), c)) / 8;
    entropy -= share * std::log(share);
  }
  EXPECT_NEAR(zeros.result.objective, entropy, 1e-7);
  EXPECT_TRUE(std::all_of(zeros.w.begin(), zeros.w.end(), [](float w) { return w == 0; }));

  const WideData separable(81, 8, 50, 2, 0);
  o.objective.l2 = 0;
  const Fitted free = run_fit(separable.batch(), o, 2);
  ASSERT_TRUE(free.status.ok()) << message(free.status);
  EXPECT_TRUE(free.result.converged);
  EXPECT_LE(free.result.objective, 1e-4);
}

}  // namespace
}  // namespace lanemax::checks
