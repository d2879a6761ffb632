// SPDX-License-Identifier: BSD-3-Clause
//
// Cross-validation: which rows are held out, and that what they say is what an independent fit of the others makes of
// them.
#include <lanemax/fit_path.hpp>

#include "engine/fit/path/folds.hpp"
#include "engine/fit/solvers/shuffle.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/plain_fit.hpp"
#include "tests/support/testing.hpp"

#include <cmath>
#include <numeric>
#include <set>

namespace lanemax::checks {
namespace {

using reference::Problem;

// ---- by the oracle ----

std::size_t classes_of(const Problem& p) {
  return p.loss == reference::Loss::logistic ? 2 : p.classes;
}
bool takes_part(const Problem& p, std::size_t row) {
  if (!p.sample_weights.empty() && p.sample_weights[row] == 0) return false;
  return !p.targets.empty() || p.labels[row] != p.ignored_label;
}
double target_of(const Problem& p, std::size_t row, std::size_t c) {
  if (p.targets.empty()) return p.labels[row] == static_cast<int>(c) ? 1 : 0;
  if (p.loss == reference::Loss::logistic) return c == 1 ? p.targets[row] : 1 - p.targets[row];
  return p.targets[row * p.classes + c];
}
Problem part_of(const Problem& p, const std::vector<std::size_t>& rows) {
  Problem part = p;
  part.rows = rows.size();
  part.x.clear();
  part.labels.clear();
  part.targets.clear();
  part.sample_weights.clear();
  for (const std::size_t row : rows) {
    for (std::size_t d = 0; d < p.features; ++d) part.x.push_back(p.x[row * p.features + d]);
    if (!p.labels.empty()) part.labels.push_back(p.labels[row]);
    if (!p.sample_weights.empty()) part.sample_weights.push_back(p.sample_weights[row]);
    for (std::size_t c = 0; !p.targets.empty() && c < p.classes; ++c) {
      part.targets.push_back(p.targets[row * p.classes + c]);
    }
  }
  return part;
}

// The rows of each fold, dealt as fit_path.hpp says.
std::vector<std::vector<std::size_t>> deal(const Problem& p, std::size_t folds, std::uint64_t seed) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < p.rows; ++row) {
    if (takes_part(p, row)) rows.push_back(row);
  }
  SplitMix64 random(seed ^ 0x666F6C6473000000U);
  shuffle(rows.data(), rows.size(), random);
  const auto main_class = [&](std::size_t row) {
    std::size_t most = 0;
    for (std::size_t c = 1; c < classes_of(p); ++c) {
      if (target_of(p, row, c) > target_of(p, row, most)) most = c;
    }
    return most;
  };
  std::vector<std::uint32_t> by_class;
  for (std::size_t c = 0; c < classes_of(p); ++c) {
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(by_class),
                 [&](auto row) { return main_class(row) == c; });
  }
  std::vector<std::vector<std::size_t>> dealt(folds);
  for (std::size_t i = 0; i < by_class.size(); ++i) dealt[i % folds].push_back(by_class[i]);
  return dealt;
}

struct Expected {
  double loss = 0, error = 0, accuracy = 0;
  std::size_t left_out = 0;
};
Expected expected_of(const Problem& p, const std::vector<std::vector<std::size_t>>& dealt) {
  struct Sums {
    double weight = 0, loss = 0;
  };
  std::vector<Sums> folds;
  Expected e;
  Sums all;
  double correct = 0;
  for (const std::vector<std::size_t>& out : dealt) {
    std::vector<std::size_t> rest, judges;
    for (std::size_t row = 0; row < p.rows; ++row) {
      if (takes_part(p, row) && std::find(out.begin(), out.end(), row) == out.end()) rest.push_back(row);
    }
    std::vector<bool> present(classes_of(p));
    for (const std::size_t row : rest) {
      for (std::size_t c = 0; c < present.size(); ++c) present[c] = present[c] || target_of(p, row, c) > 0;
    }
    for (const std::size_t row : out) {
      bool known = true;
      for (std::size_t c = 0; c < present.size(); ++c) known = known && (present[c] || target_of(p, row, c) == 0);
      if (known) judges.push_back(row);
      e.left_out += known ? 0 : 1;
    }
    Problem training = part_of(p, rest);
    Sums fold;
    const auto seen = std::count(present.begin(), present.end(), true);
    if (seen > 1 || p.smoothing > 0) {
      training.b.resize(p.classes, 0);
      for (std::size_t c = 0; p.smoothing == 0 && p.loss == reference::Loss::softmax && c < p.classes; ++c) {
        if (!present[c]) training.b[c] = -kInf<double>;
      }
      PlainFit(training).run();
    }
    for (const std::size_t row : judges) {
      const double weight = p.sample_weights.empty() ? 1 : p.sample_weights[row];
      fold.weight += weight;
      if (seen == 1 && p.smoothing == 0) {  // certain
        correct += weight;
        continue;
      }
      Problem one = part_of(p, {row});
      one.w = training.w;
      one.b = training.b;
      const reference::Solution s = reference::solve(one, reference::arithmetic_of<double>());
      fold.loss += weight * static_cast<double>(s.sample_losses[0].value);
      std::size_t best = 0;
      for (std::size_t c = 1; c < p.classes; ++c) best = s.logits[c].value > s.logits[best].value ? c : best;
      if (p.loss == reference::Loss::logistic) best = s.logits[0].value > 0 ? 1 : 0;
      if (target_of(p, row, best) == 1) correct += weight;
    }
    all.weight += fold.weight;
    all.loss += fold.loss;
    if (fold.weight > 0) folds.push_back(fold);
  }
  e.loss = all.loss / all.weight;
  e.accuracy = p.targets.empty() ? correct / all.weight : kNaN<double>;
  // Of a ratio of two sums over the folds.
  const auto n = static_cast<double>(folds.size());
  double squares = 0;
  for (const Sums& fold : folds) squares += std::pow(fold.loss - fold.weight * e.loss, 2);
  e.error = std::sqrt(squares * n / (n - 1)) / all.weight;
  return e;
}

// ---- by the engine ----

constexpr double kPenalties[] = {0.02, 0.5};

struct Judged {
  Status status;
  std::vector<PathPoint> points{2};
  PathResult result;
  std::vector<float> w, b;
};

class HeldOutTest : public IsaTest {
 protected:
  /// Classes that overlap, in unequal numbers: of the last one a single row.
  static Problem make(const ProblemOptions& o = {}, std::size_t rows = 41, std::size_t classes = 4) {
    Rng rng(300 + rows);
    const bool logistic = o.loss == reference::Loss::logistic;
    Problem p = make_problem<float>(rng, {rows, 3, logistic ? 1 : classes}, o);
    p.w.assign(p.w.size(), 0);
    p.b.clear();
    p.l2 = 0;
    for (std::size_t n = 0; n < p.labels.size(); ++n) {
      if (p.labels[n] == p.ignored_label) continue;
      if (p.labels[n] + 1 == static_cast<int>(classes_of(p))) p.labels[n] = 0;
    }
    if (!p.labels.empty()) p.labels[std::min<std::size_t>(24, rows - 1)] = static_cast<int>(classes_of(p)) - 1;
    return p;
  }
  [[nodiscard]] PathOptions options(const Problem& p, std::size_t folds) const {
    PathOptions o;
    o.fit.objective = ProblemArrays<float>(p).objective;
    o.fit.objective.l2.reset();
    o.fit.stopping.tolerance = 1e-11;
    o.fit.seed = 5;
    o.fit.execution.isa = GetParam();
    o.l2 = kPenalties;
    o.folds = folds;
    return o;
  }
  static Judged run(const PathOptions& o, const Batch& data, std::size_t classes) {
    Judged r;
    const std::size_t features = data.features.features;
    r.w.assign(classes * features, 0);
    r.b.assign(classes, 0);
    r.status = fit_path(data, o, r.points, view_of(r.w, r.b), r.result);
    return r;
  }
  /// `converges`: also the fit of all rows.
  void check(const Problem& p, std::size_t folds, std::size_t left_out, bool converges = true) const {
    SCOPED_TRACE(text(folds, " folds of ", p.rows, " rows"));
    const ProblemArrays<float> arrays(p);
    const PathOptions o = options(p, folds);
    const Judged r = run(o, arrays.batch, p.classes);
    ASSERT_TRUE(r.status.ok()) << message(r.status);
    const auto dealt = deal(p, folds, o.fit.seed);
    EXPECT_EQ(r.result.left_out, left_out);
    for (std::size_t i = 0; i < 2; ++i) {
      Problem with_penalty = p;
      with_penalty.l2 = kPenalties[i];
      const Expected e = expected_of(with_penalty, dealt);
      EXPECT_EQ(e.left_out, left_out);
      if (converges) {
        EXPECT_TRUE(r.points[i].converged);
      }
      EXPECT_NEAR(r.points[i].held_out_loss, e.loss, 1e-9);
      EXPECT_NEAR(r.points[i].held_out_loss_error, e.error, 1e-9);
      if (p.targets.empty()) {
        EXPECT_NEAR(r.points[i].held_out_accuracy, e.accuracy, 1e-12);
      } else {
        EXPECT_TRUE(std::isnan(r.points[i].held_out_accuracy));
      }
    }
  }
};
INSTANTIATE_PER_ISA(HeldOutTest);

TEST_P(HeldOutTest, LabelsWithARowOfItsOwnClass) {
  for (const std::size_t folds : {2U, 5U, 41U}) check(make(), folds, 1);
}

TEST_P(HeldOutTest, WeightsAndIgnoredLabels) {
  ProblemOptions o;
  o.weights = o.ignored = true;
  for (const std::size_t folds : {2U, 3U, 7U}) {
    Problem p = make(o);
    check(p, folds, 1);
    p.labels[25] = 3;  // two rows, one of them of weight 0
    p.sample_weights[25] = 0;
    check(p, folds, 1);
    p.sample_weights[25] = 2;
    check(p, folds, 0);
  }
}

TEST_P(HeldOutTest, SmoothedLabels) {
  ProblemOptions o;
  o.smoothing = true;
  for (const std::size_t folds : {2U, 41U}) check(make(o), folds, 1);
}

TEST_P(HeldOutTest, AClassThatNoRowHas) {
  Problem p = make();
  p.labels[24] = 0;
  for (const std::size_t folds : {2U, 6U}) check(p, folds, 0, false);  // with all rows its bias has no end
}

// A class of three rows is in every training part, however many folds there are.
TEST_P(HeldOutTest, MoreFoldsThanRowsOfAClass) {
  Problem p = make();
  p.labels[3] = p.labels[30] = 3;
  for (const std::size_t folds : {2U, 4U, 10U, 41U}) check(p, folds, 0);
}

TEST_P(HeldOutTest, Logistic) {
  ProblemOptions o;
  o.loss = reference::Loss::logistic;
  Problem p = make(o, 40);
  for (const std::size_t folds : {2U, 5U, 40U}) check(p, folds, 1);  // the rest of a fold can be of one class only
  for (std::size_t n = 0; n < 40; n += 3) p.labels[n] = 1;
  for (const std::size_t folds : {2U, 5U, 40U}) check(p, folds, 0);
}

TEST_P(HeldOutTest, TwoClassesOfWhichOneHasARow) {
  for (const std::size_t folds : {2U, 5U}) check(make({}, 41, 2), folds, 1);
}

TEST_P(HeldOutTest, TargetProbabilities) {
  ProblemOptions o;
  o.targets = TargetSort::probabilities;
  for (const bool weights : {false, true}) {
    o.weights = weights;
    Problem p = make(o);
    for (const std::size_t folds : {2U, 5U}) check(p, folds, 0);
    for (std::size_t n = 0; n < p.rows; ++n) {
      if (n != 9) p.targets[n * 4 + 2] = 0;  // only one row knows class 2
    }
    p.targets[9 * 4 + 2] = 0.5;
    for (const std::size_t folds : {2U, 5U}) check(p, folds, 1);
  }
  o.loss = reference::Loss::logistic;
  o.weights = false;
  Problem p = make(o, 40);
  for (const std::size_t folds : {2U, 40U}) check(p, folds, 0);
  for (const double rest : {0.0, 1.0}) {
    for (std::size_t n = 0; n < p.rows; ++n) p.targets[n] = n == 9 ? 0.25 : rest;
    for (const std::size_t folds : {2U, 40U}) check(p, folds, 1);
  }
}

TEST_P(HeldOutTest, ClassesThatTheCallerMasks) {
  Problem p = make();
  for (int& label : p.labels) label = label == 1 ? 0 : label;
  const ProblemArrays<float> arrays(p);
  PathOptions o = options(p, 5);
  o.fit.warm_start = true;
  Judged r;
  r.w.assign(p.classes * p.features, 0);
  r.b = {0, -kInf<float>, 0, 0};
  r.status = fit_path(arrays.batch, o, r.points, view_of(r.w, r.b), r.result);
  ASSERT_TRUE(r.status.ok()) << message(r.status);
  EXPECT_EQ(r.b[1], -kInf<float>);
  const auto dealt = deal(p, 5, o.fit.seed);
  for (std::size_t i = 0; i < 2; ++i) {
    p.l2 = kPenalties[i];
    EXPECT_NEAR(r.points[i].held_out_loss, expected_of(p, dealt).loss, 1e-9);
  }
}

// A fit that stops anywhere on its way has seen nothing of what it is judged by.
TEST_P(HeldOutTest, NoWayFromTheHeldOutRowsIntoTheirFit) {
  const Problem p = make();
  const ProblemArrays<float> arrays(p);
  PathOptions o = options(p, 4);
  const Judged best = run(o, arrays.batch, 4);
  o.fit.stopping.tolerance = 100;  // it is where it is to go
  o.fit.warm_start = true;
  Judged r = best;
  r.status = fit_path(arrays.batch, o, r.points, view_of(r.w, r.b), r.result);
  ASSERT_TRUE(r.status.ok()) << message(r.status);
  // 39 rows of four classes, and one left out: where class 3 is masked, one of three.
  const auto dealt = deal(p, 4, o.fit.seed);
  double want = 0;
  for (const std::vector<std::size_t>& out : dealt) {
    const bool lone = std::find(out.begin(), out.end(), 24) != out.end();
    want += lone ? static_cast<double>(out.size() - 1) * std::log(3) : static_cast<double>(out.size()) * std::log(4);
  }
  for (const PathPoint& point : r.points) EXPECT_NEAR(point.held_out_loss, want / 40, 1e-12);
}

TEST_P(HeldOutTest, TheToleranceAndTheOrderOfPenaltiesDoNotMatter) {
  const Problem p = make();
  const ProblemArrays<float> arrays(p);
  PathOptions o = options(p, 5);
  const Judged exact = run(o, arrays.batch, 4);
  for (const double tolerance : {1e-3, 1e-5, 1e-7}) {
    o.fit.stopping.tolerance = tolerance;
    const Judged r = run(o, arrays.batch, 4);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_NEAR(r.points[i].held_out_loss, exact.points[i].held_out_loss, 20 * tolerance) << tolerance;
    }
    const double other_way[] = {kPenalties[1], kPenalties[0]};
    PathOptions reversed = o;
    reversed.l2 = other_way;
    const Judged s = run(reversed, arrays.batch, 4);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(same_bits(s.points[1 - i].held_out_loss, r.points[i].held_out_loss));
      EXPECT_TRUE(same_bits(s.points[1 - i].held_out_loss_error, r.points[i].held_out_loss_error));
    }
    EXPECT_TRUE(same_bits(r.w, s.w));
  }
}

TEST_P(HeldOutTest, SameBitsForAnyThreads) {
  const Problem p = make();
  const ProblemArrays<float> arrays(p);
  PathOptions o = options(p, 3);
  const double none[] = {0, 1e-3};
  o.l2 = none;
  o.fit.stopping.max_iterations = 30;  // without a penalty there may be no optimum
  const Judged first = run(o, arrays.batch, 4);
  ASSERT_TRUE(first.status.ok());
  for (const int threads : {2, 3, 4}) {
    o.fit.execution.threads = threads;
    const Judged r = run(o, arrays.batch, 4);
    EXPECT_TRUE(same_bits(r.w, first.w));
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(same_bits(r.points[i].held_out_loss, first.points[i].held_out_loss));
      EXPECT_TRUE(same_bits(r.points[i].held_out_loss_error, first.points[i].held_out_loss_error));
    }
  }
}

TEST_P(HeldOutTest, ValidationRowsOfAClassThatNoRowTrains) {
  Problem p = make(), v = make({}, 60);
  p.labels[24] = 0;
  const ProblemArrays<float> training(p), validation(v);
  PathOptions o = options(p, 0);
  o.fit.validation = &validation.batch;
  o.fit.stopping.tolerance = 1e-7;  // the absent class has no end of its bias
  const Judged r = run(o, training.batch, 4);
  ASSERT_TRUE(r.status.ok()) << message(r.status);
  EXPECT_EQ(r.result.left_out, 1U);
  for (std::size_t i = 0; i < 2; ++i) {
    Problem fitted = p;
    fitted.l2 = kPenalties[i];
    fitted.b = {0, 0, 0, -kInf<double>};
    PlainFit(fitted).run();
    std::vector<std::size_t> known;
    for (std::size_t n = 0; n < v.rows; ++n) {
      if (v.labels[n] != 3) known.push_back(n);
    }
    Problem rest = part_of(v, known);
    rest.w = fitted.w;
    rest.b = fitted.b;
    const reference::Solution want = reference::solve(rest, reference::arithmetic_of<double>());
    EXPECT_TRUE(r.points[i].converged);
    EXPECT_NEAR(r.points[i].held_out_loss, static_cast<double>(want.data_loss.value), 1e-6);
  }
  for (int& label : v.labels) label = 3;
  const ProblemArrays<float> strange(v);
  o.fit.validation = &strange.batch;
  EXPECT_EQ(run(o, training.batch, 4).status.code, StatusCode::no_rows);
}

TEST_P(HeldOutTest, Refusals) {
  Problem p = make({}, 4);
  p.labels = {0, 1, 2, 3};
  const ProblemArrays<float> each_its_own(p);
  const Judged r = run(options(p, 2), each_its_own.batch, 4);
  EXPECT_EQ(r.status.code, StatusCode::no_rows);
  EXPECT_STREQ(r.status.what, "held-out rows");
  EXPECT_FALSE(r.points[0].finished);

  Problem v = make();
  v.x[7] = kNaN<double>;
  const ProblemArrays<float> training(make()), validation(v);
  PathOptions o = options(make(), 0);
  o.fit.validation = &validation.batch;
  const Status status = run(o, training.batch, 4).status;
  EXPECT_EQ(status.code, StatusCode::not_finite);
  EXPECT_EQ(status.row, 2);
  EXPECT_EQ(status.column, 1);
}

// ---- dealing ----

TEST(FoldsTest, EveryRowIsHeldOutOnceAndEveryClassOfTwoRowsIsTrainedByAll) {
  Rng rng(301);
  for (int round = 0; round < 300; ++round) {
    const std::size_t rows = 2 + rng.below(40), classes = 1 + rng.below(9), folds = 2 + rng.below(rows - 1);
    std::vector<float> x(rows);
    std::vector<std::int32_t> labels(rows);
    std::vector<std::uint32_t> selection;
    std::vector<std::size_t> different(classes);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(rng.below(classes));
    for (std::uint32_t row = 0; row < rows; ++row) {
      selection.insert(selection.end(), 1 + rng.below(2), row);  // some of them twice
      ++different[static_cast<std::size_t>(labels[row])];
    }
    for (std::size_t i = selection.size(); i > 1; --i) std::swap(selection[i - 1], selection[rng.below(i)]);
    Batch batch;
    batch.features = {x.data(), rows, 1};
    batch.labels = labels;
    batch.selection = selection;
    const Folds dealt(batch, {}, classes, folds, rng.bits());
    EXPECT_EQ(dealt.most_folds(), rows);
    EXPECT_EQ(dealt.rows(), selection.size());
    std::vector<std::uint32_t> all;
    std::size_t smallest = rows, largest = 0;
    for (std::size_t fold = 0; fold < folds; ++fold) {
      const std::vector<std::uint32_t> training = dealt.training(fold), held_out = dealt.held_out(fold);
      EXPECT_TRUE(std::is_sorted(training.begin(), training.end()));
      const std::set<std::uint32_t> seen(training.begin(), training.end());
      for (const std::uint32_t row : held_out) EXPECT_EQ(seen.count(row), 0U);
      smallest = std::min(smallest, rows - seen.size());
      largest = std::max(largest, rows - seen.size());
      for (std::size_t c = 0; c < classes; ++c) {
        const bool lacks = std::none_of(training.begin(), training.end(),
                                        [&](std::uint32_t row) { return labels[row] == static_cast<std::int32_t>(c); });
        EXPECT_EQ(dealt.lacks(fold, c), lacks);
        if (different[c] >= 2) {
          EXPECT_FALSE(lacks);
        }
      }
      all.insert(all.end(), held_out.begin(), held_out.end());
    }
    EXPECT_LE(largest - smallest, 1U);
    std::size_t lone = 0;
    for (const std::uint32_t row : selection) lone += different[static_cast<std::size_t>(labels[row])] == 1 ? 1 : 0;
    EXPECT_EQ(dealt.left_out(), lone);
    EXPECT_EQ(all.size() + lone, selection.size());
  }
}

}  // namespace
}  // namespace lanemax::checks
