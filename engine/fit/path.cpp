// SPDX-License-Identifier: BSD-3-Clause
//
// For every penalty, from the largest: fit all rows, then every fold, each from where it was at the penalty before
#include <lanemax/fit_path.hpp>

#include "engine/fail.hpp"
#include "engine/fit/caller_side.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/descent.hpp"
#include "engine/fit/fit_space.hpp"
#include "engine/fit/folds.hpp"
#include "engine/fit/sampled_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <vector>

namespace lanemax {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

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
        l2_(options.l2, options.l2 + options.points),
        order_(options.points),
        sizes_(sizes),
        points_(points),
        control_(options_, {}),
        whole_(caller.data(), options_.objective, caller.classes(), *sizes.table, options_.execution.threads,
               sizes.training, caller.penalties(l2_[0])),
        space_(whole_, caller.options(), [&caller](double l2) { return caller.penalties(l2); }),
        folds_wanted_(options.folds) {
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
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [this](std::size_t a, std::size_t b) { return l2_[a] > l2_[b]; });
    options_.early_stopping = 0;
  }

  Status run(PathResult& given) {
    Status status = find_place();
    if (status.ok()) status = prepare_folds();
    if (!status.ok()) return status;
    PathResult result;
    result.best = order_.front();
    result.left_out = left_out_;
    for (at_ = 0; at_ < order_.size() && stopped_ == StopReason::none; ++at_) {
      PathPoint& point = points_[order_[at_]];
      status = fit_point(point);
      if (!status.ok() && status.code != StatusCode::diverged) return status;
      const bool better = point.finished && point.held_out_loss < points_[result.best].held_out_loss;
      if (at_ > 0 && !better) continue;
      result.best = order_[at_];
      copy(best_, x_);
      best_bound_ = bound_;
    }
    result.fit = points_[result.best].fit;
    space_.set_penalty(points_[result.best].l2);
    const Vector best(whole_.parameters());
    space_.leave(best_, best);
    if (stopped_ != StopReason::none) best_bound_ = -kInfinity;
    const Status measured = caller_.finish(whole_, best, best_bound_, result.fit);
    if (!measured.ok()) return measured;
    if (stopped_ != StopReason::none) {
      result.fit.reason = stopped_;
      result.fit.converged = false;
    }
    result.passes = space_.passes() + other_passes_;
    result.seconds = control_.seconds();
    caller_.give_back();
    given = result;
    return status;
  }

 private:
  Status find_place() {
    const Vector x(whole_.parameters());
    Status status = caller_.initial_point(whole_, x);
    if (status.ok()) status = space_.find(control_);
    if (status.code == StatusCode::interrupted) {
      stopped_ = early_end();
    } else if (!status.ok()) {
      return status;
    }
    x_ = space_.enter(x);
    best_ = space_.enter(x);
    preconditioner_.emplace(space_.problem(), choose_preconditioner(space_.problem(), options_), true);
    // A row that is selected twice is two in a place of its own: the folds are those of the caller's rows.
    const bool renumbered = &space_.data() != &whole_.data();
    folds_.emplace(whole_.data(), options_.objective, caller_.classes(), folds_wanted_, options_.seed, renumbered);
    return {};
  }

  /// At the penalty of the point: all rows into x_, then the rows held out.
  Status fit_point(PathPoint& point) {
    l2_at_work_ = point.l2;
    fold_at_work_ = 0;
    space_.set_penalty(point.l2);
    preconditioner_->penalty_changed();
    const double before = space_.passes();
    bound_ = -kInfinity;
    Status status = descend(space_.problem(), *preconditioner_, x_, point.fit);
    if (!status.ok() || stopped_ != StopReason::none) return status;
    bound_ = lower_bound(space_.problem(), x_, true, control_);
    if (control_.is_stopping()) {
      stopped_ = early_end();
      return {};
    }
    const Vector x(whole_.parameters());
    space_.leave(x_, x);
    status = measure(whole_, x, bound_, options_.tolerance, point.fit, Vector(x.size()));
    if (!status.ok()) return status;
    point.fit.passes = space_.passes() - before;
    point.converged = point.fit.converged;

    std::vector<HeldOut> held;
    if (folds_->count() == 0) {
      held.emplace_back();
      status = judge(*space_.options().validation, validation_rows_, x_, held.back());
      if (!status.ok()) return status;
    }
    for (std::size_t fold = 0; fold < folds_->count(); ++fold) {
      ++fold_at_work_;
      held.emplace_back();
      FitResult result;
      status = fit_fold(fold, point.l2, result, held.back());
      if (!status.ok() || stopped_ != StopReason::none) return status;
      point.converged = point.converged && result.reason == StopReason::tolerance;
    }
    summarise(held, point);
    point.finished = true;
    return {};
  }

  /// The fold's rows into its weights, then those it holds out.
  Status fit_fold(std::size_t fold, double l2, FitResult& result, HeldOut& held) {
    const std::vector<std::uint32_t> training = folds_->training(fold), held_out = folds_->held_out(fold);
    const std::vector<std::size_t> absent = absent_classes(fold);
    if (absent.size() + 1 >= folds_->classes()) {  // the one class that is there is certain
      held.weight = size_of(space_.data(), held_out).total_weight;
      held.correct = space_.data().labels == nullptr ? kNaN : held.weight;
      result.reason = StopReason::tolerance;
      return {};
    }
    const Batch batch = selected(space_.data(), training);
    FitProblem problem = space_.problem_of(batch, size_of(batch, training), l2);
    double* const kept = fold_weights_.data() + fold * x_.size();
    const Vector x(x_.size());
    std::copy_n(kept, x.size(), x.data());
    // Shared curvature is that of all rows. It changes the way to the optimum, not the optimum, where there is one. It
    // is of places near the optimum, and misleads at 0.
    bool share = at_ > 0 && problem.is_penalised();
    for (const std::size_t c : absent) {
      x[problem.weights() + c] = -kInfinity;
      share = share && std::isinf(x_[problem.weights() + c]);
    }
    problem.set_masked(x);
    PreconditionerMatrix own(problem, preconditioner_->kind());
    const Status status = descend(problem, share ? *preconditioner_ : own, x, result);
    std::copy_n(x.data(), x.size(), kept);
    other_passes_ += problem.passes() * work_of(training.size());
    if (!status.ok() || stopped_ != StopReason::none) return status;
    return judge(space_.data(), held_out, x, held);
  }

  // Classes that have no place in a fold's fit. Smoothed targets have weight on every class.
  [[nodiscard]] std::vector<std::size_t> absent_classes(std::size_t fold) const {
    std::vector<std::size_t> absent;
    for (std::size_t c = 0; options_.objective.label_smoothing == 0 && c < folds_->classes(); ++c) {
      if (folds_->lacks(fold, c)) absent.push_back(c);
    }
    return absent;
  }

  Status descend(FitProblem& problem, PreconditionerMatrix& preconditioner, const Vector& x, FitResult& result) {
    result.solver = options_.solver;
    const Status status = fit_by_descent(problem, options_, 0, control_, preconditioner, x, result);
    if (is_early_end(result.reason) || result.reason == StopReason::diverged) stopped_ = result.reason;
    return status;
  }

  [[nodiscard]] StopReason early_end() const noexcept {
    return control_.was_cancelled() ? StopReason::interrupted : StopReason::time_limit;
  }

  // ---- rows held out ----

  Status prepare_folds() {
    std::size_t judges = 0;
    if (folds_->count() == 0) {
      const Batch& validation = *space_.options().validation;
      validation_rows_ = folds_->known_rows(validation);
      judges = validation_rows_.size();
      left_out_ = sizes_.validation.rows - judges;
    } else {
      if (folds_->count() > folds_->most_folds()) {
        return fail(StatusCode::invalid_argument, "folds", "no more folds than rows");
      }
      left_out_ = folds_->left_out();
      judges = folds_->rows() - left_out_;
    }
    if (judges == 0) return fail(StatusCode::no_rows, "held-out rows", "one whose class some training row has, too");
    // The first fit of a fold begins at 0, but for classes that the caller masks: warm weights may have seen its rows.
    fold_weights_ = Buffer<double>(folds_->count() * x_.size());
    for (std::size_t fold = 0; fold < folds_->count(); ++fold) {
      double* const bias = fold_weights_.data() + fold * x_.size() + space_.problem().weights();
      for (std::size_t c = 0; c < bias_count(caller_.classes()); ++c) {
        bias[c] = std::isinf(x_[space_.problem().weights() + c]) ? -kInfinity : 0;
      }
    }
    return {};
  }

  [[nodiscard]] static Batch selected(Batch batch, const std::vector<std::uint32_t>& rows) {
    batch.selection = rows.data();
    batch.selected = rows.size();
    return batch;
  }
  [[nodiscard]] static ProblemSize size_of(const Batch& batch, const std::vector<std::uint32_t>& rows) {
    ProblemSize size{rows.size(), 0};
    for (const std::uint32_t row : rows) {
      size.total_weight += batch.sample_weights == nullptr ? 1.0 : static_cast<double>(batch.sample_weights[row]);
    }
    return size;
  }

  /// What these rows say of the weights. Nothing where there are none.
  Status judge(const Batch& whole, const std::vector<std::uint32_t>& rows, const Vector& x, HeldOut& held) {
    if (rows.empty()) return {};
    const Batch batch = selected(whole, rows);
    const ProblemSize size = size_of(batch, rows);
    FitProblem problem(batch, options_.objective, caller_.classes(), *sizes_.table, options_.execution.threads, size,
                       {0.0});
    Value value;
    const Status status = problem.evaluate(x, Precision::f64, value, nullptr);
    if (!status.ok()) {
      const Status cause = find_bad_feature(batch, options_.objective.ignored_label);
      if (!cause.ok()) return cause;
    }
    held.loss = status.ok() ? value.data_loss : kInfinity;
    held.weight = size.total_weight;
    held.correct = batch.labels == nullptr ? kNaN : correct_weight(problem, x);
    other_passes_ += work_of(size.rows);
    return {};
  }

  /// Of a pass over so many rows, in passes over the whole.
  [[nodiscard]] double work_of(std::size_t rows) {
    return static_cast<double>(rows) / static_cast<double>(whole_.rows()) * space_.problem().pass_flops() /
           whole_.pass_flops();
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

  // The mean over all rows is a ratio of two sums over the folds, and so is its standard error. A fold all of whose
  // rows are left out has no say.
  static void summarise(const std::vector<HeldOut>& held, PathPoint& point) {
    double weight = 0, loss = 0, correct = 0, folds = 0;
    for (const HeldOut& h : held) {
      if (h.weight == 0) continue;
      folds += 1;
      weight += h.weight;
      loss += h.weight * h.loss;
      correct += h.correct;
    }
    point.held_out_loss = loss / weight;
    point.held_out_accuracy = correct / weight;
    point.held_out_loss_error = kNaN;
    if (folds < 2) return;
    double squares = 0;
    for (const HeldOut& h : held) {
      const double off = h.weight * (h.loss - point.held_out_loss);
      squares += off * off;
    }
    point.held_out_loss_error = std::sqrt(squares * folds / (folds - 1)) / weight;
  }

  CallerSide<float>& caller_;
  FitOptions options_;  // of each descent: the callbacks come here
  std::vector<double> l2_;
  std::vector<std::size_t> order_;  // of the penalties, the largest first
  std::size_t at_ = 0;              // which of them is at work
  const FitSizes& sizes_;
  PathPoint* points_;
  Control control_;
  FitProblem whole_;
  FitSpace space_;  // where all points but the returned one are
  std::size_t folds_wanted_;
  std::optional<PreconditionerMatrix> preconditioner_;
  std::optional<Folds> folds_;
  std::vector<std::uint32_t> validation_rows_;
  std::size_t left_out_ = 0;
  Vector x_, best_;
  Buffer<double> fold_weights_;  // of every fold, at the last penalty that it was fitted with
  double bound_ = -kInfinity, best_bound_ = -kInfinity, other_passes_ = 0;
  double l2_at_work_ = 0;
  std::size_t fold_at_work_ = 0;
  StopReason stopped_ = StopReason::none;  // why the path ends early
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
    for (std::size_t i = 0; i < options.points; ++i) staged[i].l2 = options.l2[i];
    Path path(caller, options, sizes, staged.data());
    status = path.run(result);
    if (status.ok() || status.code == StatusCode::diverged) std::copy(staged.begin(), staged.end(), points);
    return status;
  } catch (const std::bad_alloc&) {
    return fail(StatusCode::out_of_memory, "fit_path", "memory for the parameters and a few row blocks");
  }
}

}  // namespace lanemax
