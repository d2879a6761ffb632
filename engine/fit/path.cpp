// SPDX-License-Identifier: BSD-3-Clause
//
// For every penalty, from the largest: fit all rows, then every fold, from where the fit before ended
#include <lanemax/fit_path.hpp>

#include "engine/fail.hpp"
#include "engine/fit/caller_side.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/descent.hpp"
#include "engine/fit/sampled_rows.hpp"
#include "engine/fit/shuffle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>
#include <vector>

namespace lanemax {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kFoldStream = 0x666F6C6473000000U;  // "folds"

struct Fold {
  std::vector<std::uint32_t> training, held_out;
};

/// What rows that a fit has not seen say of it.
struct HeldOut {
  double loss = 0;
  double correct = 0;  ///< weight of the rows whose class is the most probable one
  double weight = 0;
};

class Path {
 public:
  Path(CallerSide<float>& caller, const PathOptions& options, const FitSizes& sizes, PathPoint* points)
      : caller_(caller),
        options_(caller.options()),
        folds_wanted_(options.folds),
        l2_(options.l2, options.l2 + options.points),
        sizes_(sizes),
        points_(points),
        control_(options_, {}),
        problem_(caller.data(), options_.objective, caller.classes(), *sizes.table, options_.execution.threads,
                 sizes.training, caller.penalties(l2_[0])),
        preconditioner_(problem_, choose_preconditioner(problem_, options_), true),
        x_(problem_.parameters()),
        best_(problem_.parameters()) {
    if (options_.progress != nullptr) {
      options_.progress = [](const FitProgress& progress, void* user) noexcept {
        const Path& self = *static_cast<const Path*>(user);
        FitProgress more = progress;
        more.l2 = self.l2_at_work_;
        more.fold = self.fold_at_work_;
        more.seconds = self.control_.seconds();
        return self.caller_.options().progress(more, self.caller_.options().user);
      };
    }
    if (options_.cancelled != nullptr) {
      options_.cancelled = [](void* user) noexcept {
        const FitOptions& asked = static_cast<const Path*>(user)->caller_.options();
        return asked.cancelled(asked.user);
      };
    }
    options_.user = this;
    options_.validation = nullptr;
    options_.early_stopping = 0;
  }

  Status run(PathResult& given) {
    Status status = caller_.initial_point(problem_, x_);
    if (status.ok()) status = deal_folds();
    if (!status.ok()) return status;
    std::vector<std::size_t> order(l2_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) { return l2_[a] > l2_[b]; });

    PathResult result;
    double least = std::numeric_limits<double>::infinity();
    for (const std::size_t index : order) {
      PathPoint point;
      point.l2 = l2_[index];
      status = fit_point(point);
      if (!status.ok()) return status;
      points_[index] = point;
      const bool first = index == order.front();
      if (first || (point.finished && point.held_out_loss < least)) {
        if (point.finished) least = point.held_out_loss;
        result.best = index;
        copy(best_, x_);
        best_bound_ = bound_;
        result.fit = point.fit;
      }
      if (!point.finished) break;
    }
    problem_.set_penalty(caller_.penalties(points_[result.best].l2));
    status = caller_.finish(problem_, best_, best_bound_, result.fit);
    if (!status.ok()) return status;
    result.passes = problem_.passes() + other_passes_;
    result.seconds = control_.seconds();
    caller_.give_back();
    given = result;
    return {};
  }

 private:
  /// At the penalty of the point: all rows into x_, then the rows held out.
  Status fit_point(PathPoint& point) {
    l2_at_work_ = point.l2;
    fold_at_work_ = 0;
    problem_.set_penalty(caller_.penalties(point.l2));
    preconditioner_.penalty_changed();
    const double before = problem_.passes();
    Status status = descend(problem_, x_, point.fit);
    if (!status.ok()) return status;
    bound_ = lower_bound(problem_, x_, true);
    status = measure(problem_, x_, bound_, options_.tolerance, point.fit, Vector(x_.size()));
    if (!status.ok()) return status;
    point.fit.passes = problem_.passes() - before;
    point.converged = point.fit.converged;
    if (stopped(point.fit)) return {};

    std::vector<HeldOut> held;
    if (folds_.empty()) {
      held.push_back(look_at(*caller_.options().validation, sizes_.validation));
    }
    const Vector start(x_.size());
    for (const Fold& fold : folds_) {
      ++fold_at_work_;
      copy(start, x_);
      FitResult result;
      status = fit_fold(fold, start, point.l2, result);
      if (!status.ok()) return status;
      point.converged = point.converged && result.reason == StopReason::tolerance;
      if (stopped(result)) return {};
      held.push_back(look_at(batch_of(fold.held_out), size_of_rows(fold.held_out), &start));
    }
    summarise(held, point);
    point.finished = true;
    return {};
  }

  Status fit_fold(const Fold& fold, const Vector& x, double l2, FitResult& result) {
    const Batch batch = batch_of(fold.training);
    FitProblem problem(batch, options_.objective, caller_.classes(), *sizes_.table, options_.execution.threads,
                       size_of_rows(fold.training), caller_.penalties(l2));
    problem.set_masked(x);
    const Status status = descend(problem, x, result);
    other_passes_ +=
        problem.passes() * static_cast<double>(fold.training.size()) / static_cast<double>(problem_.rows());
    return status;
  }

  Status descend(FitProblem& problem, const Vector& x, FitResult& result) {
    result.solver = options_.solver;
    return fit_by_descent(problem, options_, 0, control_, preconditioner_, x, result);
  }

  [[nodiscard]] static bool stopped(const FitResult& fit) {
    return fit.reason == StopReason::interrupted || fit.reason == StopReason::time_limit;
  }

  // ---- rows held out ----

  Status deal_folds() {
    if (folds_wanted_ == 0) return {};
    const Batch& data = caller_.data();
    std::vector<std::uint32_t> rows;
    for_each_kept_row(data, options_.objective.ignored_label,
                      [&](std::size_t row, double) { rows.push_back(static_cast<std::uint32_t>(row)); });
    if (rows.size() < folds_wanted_) return fail(StatusCode::invalid_argument, "folds", "no more folds than rows");
    SplitMix64 random(options_.seed ^ kFoldStream);
    shuffle(rows.data(), rows.size(), random);
    if (data.labels != nullptr) {  // by label, in the shuffled order
      std::vector<std::uint64_t> keys;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        keys.push_back(static_cast<std::uint64_t>(data.labels[rows[i]]) << 32 | i);
      }
      std::sort(keys.begin(), keys.end());
      const std::vector<std::uint32_t> shuffled = rows;
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = shuffled[keys[i] & 0xffffffffU];
    }
    folds_.resize(folds_wanted_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t f = 0; f < folds_.size(); ++f) {
        (i % folds_.size() == f ? folds_[f].held_out : folds_[f].training).push_back(rows[i]);
      }
    }
    for (Fold& fold : folds_) {  // in memory's order
      std::sort(fold.training.begin(), fold.training.end());
      std::sort(fold.held_out.begin(), fold.held_out.end());
    }
    return {};
  }

  [[nodiscard]] Batch batch_of(const std::vector<std::uint32_t>& rows) const {
    Batch batch = caller_.data();
    batch.selection = rows.data();
    batch.selected = rows.size();
    return batch;
  }
  [[nodiscard]] ProblemSize size_of_rows(const std::vector<std::uint32_t>& rows) const {
    const float* weights = caller_.data().sample_weights;
    ProblemSize size{rows.size(), 0};
    for (const std::uint32_t row : rows)
      size.total_weight += weights == nullptr ? 1.0 : static_cast<double>(weights[row]);
    return size;
  }

  HeldOut look_at(const Batch& batch, const ProblemSize& size, const Vector* at = nullptr) {
    const Vector& x = at == nullptr ? x_ : *at;
    FitProblem problem(batch, options_.objective, caller_.classes(), *sizes_.table, options_.execution.threads, size,
                       {0.0});
    HeldOut held;
    Value value;
    const Status status = problem.evaluate(x, Precision::f32, value, nullptr);
    held.loss = status.ok() ? value.data_loss : std::numeric_limits<double>::infinity();
    held.weight = size.total_weight;
    held.correct = batch.labels == nullptr ? kNaN : correct_weight(problem, x);
    other_passes_ += static_cast<double>(size.rows) / static_cast<double>(problem_.rows());
    return held;
  }

  [[nodiscard]] double correct_weight(const FitProblem& problem, const Vector& x) const {
    SampledRows<float> rows(problem, x, problem.rows(), problem.threads());
    double correct = 0;
    for (std::size_t begin = 0; begin < rows.rows(); begin += rows.most_group_rows()) {
      const std::size_t count = std::min(rows.most_group_rows(), rows.rows() - begin);
      parallel(usable_threads(problem.threads(), problem.pass_flops(), problem.table().blocks.serial_flops),
               [&](const Team& team) { rows.load_group(team, begin, count); });
      for (std::size_t n = 0; n < count; ++n) {
        const std::size_t row = rows.source_row(begin + n);
        std::size_t best = 0;
        if (!problem.has_gauge()) best = rows.probability(n, 0) > 0.5f ? 1 : 0;
        for (std::size_t c = 1; problem.has_gauge() && c < problem.classes(); ++c) {
          if (rows.probability(n, c) > rows.probability(n, best)) best = c;
        }
        if (static_cast<std::int32_t>(best) == problem.data().labels[row])
          correct += static_cast<double>(rows.weight(n));
      }
    }
    return correct;
  }

  static void summarise(const std::vector<HeldOut>& held, PathPoint& point) {
    double weight = 0, loss = 0, correct = 0;
    for (const HeldOut& h : held) {
      weight += h.weight;
      loss += h.weight * h.loss;
      correct += h.correct;
    }
    point.held_out_loss = loss / weight;
    point.held_out_accuracy = correct / weight;
    point.held_out_loss_error = kNaN;
    if (held.size() < 2) return;
    double squares = 0;
    for (const HeldOut& h : held) squares += (h.loss - point.held_out_loss) * (h.loss - point.held_out_loss);
    const double folds = static_cast<double>(held.size());
    point.held_out_loss_error = std::sqrt(squares / (folds - 1) / folds);
  }

  CallerSide<float>& caller_;
  FitOptions options_;  // of each descent: the callbacks come here
  std::size_t folds_wanted_;
  std::vector<double> l2_;
  const FitSizes& sizes_;
  PathPoint* points_;
  Control control_;
  FitProblem problem_;
  PreconditionerMatrix preconditioner_;
  Vector x_, best_;
  double bound_ = 0, best_bound_ = 0, other_passes_ = 0;
  std::vector<Fold> folds_;
  double l2_at_work_ = 0;
  std::size_t fold_at_work_ = 0;
};

Status check_path(const PathOptions& o, const PathPoint* points) {
  const auto refuse = [](const char* what, const char* expected) {
    return fail(StatusCode::invalid_argument, what, expected);
  };
  if (o.l2 == nullptr || o.points == 0 || points == nullptr)
    return refuse("l2_path", "at least one penalty, and room for its point");
  for (std::size_t i = 0; i < o.points; ++i) {
    if (!(o.l2[i] >= 0) || !std::isfinite(o.l2[i])) return refuse("l2_path", "finite numbers >= 0");
    if (std::find(o.l2, o.l2 + i, o.l2[i]) != o.l2 + i) return refuse("l2_path", "each penalty once");
  }
  if (o.folds == 1) return refuse("folds", "2 or more, or 0 for none");
  if (o.folds == 0 && o.fit.validation == nullptr) return refuse("folds", "2 or more, or a validation batch");
  if (o.folds != 0 && o.fit.validation != nullptr) return refuse("folds", "either folds or a validation batch");
  if (!is_over_all_rows(choose_solver(o.fit))) return refuse("solver", "lbfgs or newton, for softmax or logistic");
  if (o.fit.checkpoint != nullptr) return refuse("checkpoint", "none: a path has no checkpoint");
  return {};
}

}  // namespace

Status fit_path(const Batch& data, const PathOptions& options, PathPoint* points, MatrixView<float> weights,
                float* bias, PathResult& result) noexcept {
  Status status = check_path(options, points);
  if (status.ok() && (weights.empty() || bias == nullptr)) {
    status = fail(StatusCode::invalid_argument, "weights", "room for the weights and the bias");
  }
  FitSizes sizes;
  FitOptions fit = options.fit;
  fit.early_stopping = 0;
  if (status.ok()) fit.objective.l2 = *std::max_element(options.l2, options.l2 + options.points);
  if (status.ok()) status = check_fit(data, fit, weights.cols, weights.rows, sizes);
  if (!status.ok()) return status;
  try {
    CallerSide<float> caller(data, fit, weights, bias);
    status = caller.map_features(*sizes.table, sizes.training.rows);
    if (!status.ok()) return status;
    std::vector<PathPoint> staged(options.points);
    Path path(caller, options, sizes, staged.data());
    status = path.run(result);
    if (status.ok()) std::copy(staged.begin(), staged.end(), points);
    return status;
  } catch (const std::bad_alloc&) {
    return fail(StatusCode::out_of_memory, "fit_path", "memory for the parameters and a few row blocks");
  }
}

}  // namespace lanemax
