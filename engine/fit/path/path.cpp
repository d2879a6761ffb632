// SPDX-License-Identifier: BSD-3-Clause
//
// For every penalty, from the largest: fit all rows, then every fold, each from where it was at the penalty before
#include <lanemax/fit_path.hpp>

#include "engine/fail.hpp"
#include "engine/fit/certificate.hpp"
#include "engine/fit/path/folds.hpp"
#include "engine/fit/path/path_state.hpp"
#include "engine/fit/solvers/descent.hpp"
#include "engine/fit/space/caller_side.hpp"
#include "engine/fit/space/fit_space.hpp"
#include "engine/float_environment.hpp"

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

class Path final : public Enclosing {
 public:
  Path(CallerSide<float>& caller, const PathOptions& options, std::span<const double> penalties, std::size_t folds,
       const FitSizes& sizes, const PathOutputs& outputs)
      : caller_(caller),
        options_(caller.options()),
        l2_(penalties.begin(), penalties.end()),
        order_(penalties.size()),
        sizes_(sizes),
        control_(options_),
        whole_(caller.data(), options_.objective, caller.classes(), *sizes.table, options_.execution.threads,
               sizes.training, caller.penalties(l2_[0]), options_.bias),
        space_(whole_, caller.options(), [&caller](double l2) { return caller.penalties(l2); }),
        asked_(options),
        outputs_(outputs),
        folds_wanted_(folds) {
    if (options_.progress != nullptr) {
      options_.progress = [](const FitProgress& progress, void* user) noexcept {
        const Path& self = *static_cast<const Path*>(user);
        FitProgress more = progress;
        more.l2 = self.l2_at_work();
        more.fold = self.state_.fold;
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
    options_.stopping.early_stopping = 0;
    control_.enclose(*this);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [this](std::size_t a, std::size_t b) { return l2_[a] > l2_[b]; });
    state_.best = order_.front();
    state_.points.resize(l2_.size());
    for (std::size_t i = 0; i < l2_.size(); ++i) state_.points[i].l2 = l2_[i];
  }

  /// `points`, `given` and the caller's weights are set where the status is ok or diverged.
  Status run(std::span<PathPoint> points, PathResult& given) {
    Status status = find_place();
    if (status.ok()) status = prepare_folds();
    if (status.ok() && options_.checkpoint.resume && stopped_ == StopReason::none) status = resume();
    for (; status.ok() && stopped_ == StopReason::none && state_.at < order_.size(); ++state_.at) {
      PathPoint& point = state_.points[order_[state_.at]];
      status = fit_point(point);
      const bool better = point.finished && point.held_out_loss < state_.points[state_.best].held_out_loss;
      if (state_.at > 0 && !better) continue;
      state_.best = order_[state_.at];
      copy(state_.best_x, state_.x);
      state_.best_bound = state_.bound;
    }
    return status.ok() || status.code == StatusCode::diverged ? hand_over(status, points, given) : status;
  }

  Resumable& around(Resumable& descent) override {
    at_work_ = &descent;
    return *this;
  }
  void exchange(Archive& archive) override {
    state_.exchange(archive);
    curvature_sample_ = curvature_->empty() ? 0 : curvature_->sample();
    if (curvature_sample_ > 0) copy(curvature_at_, curvature_->point());
    archive.count("shared_curvature_sample", curvature_sample_, curvature_->most_sample());
    archive.array("shared_curvature_at", curvature_at_);
    at_work_->exchange(archive);
  }

 private:
  [[nodiscard]] double l2_at_work() const noexcept { return l2_[order_[std::min(state_.at, order_.size() - 1)]]; }

  // ---- before the first penalty ----

  Status find_place() {
    const Vector x(whole_.parameters());
    Status status = caller_.initial_point(whole_, x);
    if (!status.ok()) return status;
    status = space_.find(control_);
    options_.solver = space_.options().solver;
    caller_.set_solver(options_.solver);
    if (status.code == StatusCode::interrupted && !options_.checkpoint.resume) {
      stopped_ = early_end();
      status = {};
    }
    if (!status.ok()) return status;
    const FitOptions& asked = caller_.options();
    if (!asked.checkpoint.file.empty()) {
      control_.identify(identity_of_path(caller_.data(), asked_, asked, l2_, folds_wanted_, caller_.classes(),
                                         whole_.table().name, asked.warm_start ? &x : nullptr));
    }
    state_.x = space_.enter(x);
    state_.best_x = space_.enter(x);
    state_.best_bound = -kInfinity;
    curvature_.emplace(space_.problem(), choose_preconditioner(space_.problem(), options_), true);
    curvature_at_ = Vector(state_.x.size());
    // A row that is selected twice is two in a place of its own: the folds are those of the caller's rows.
    const bool renumbered = &space_.data() != &whole_.data();
    folds_.emplace(whole_.data(), options_.objective, caller_.classes(), folds_wanted_, options_.seed, renumbered,
                   asked_.fold_of_sample);
    return {};
  }

  Status prepare_folds() {
    std::size_t judges = 0;
    if (folds_->count() == 0) {
      const Batch& validation = *space_.options().validation;
      validation_rows_ = folds_->known_rows(validation);
      judges = validation_rows_.size();
      left_out_ = sizes_.validation.rows - judges;
    } else {
      if (asked_.fold_of_sample.empty() && folds_->count() > folds_->most_folds()) {
        return fail(StatusCode::invalid_argument, "folds", "no more folds than rows");
      }
      left_out_ = folds_->left_out();
      judges = folds_->held_out_rows() - left_out_;
    }
    if (judges == 0) return fail(StatusCode::no_rows, "held-out rows", "one whose class some training row has, too");
    state_.held.resize(std::max<std::size_t>(folds_->count(), 1));
    state_.scores.resize(state_.points.size() * state_.held.size());
    if (!outputs_.weights.empty()) {
      state_.all_x = Buffer<double>(state_.points.size() * state_.x.size());
      state_.bounds.assign(state_.points.size(), -kInfinity);
    }
    // The first fit of a fold begins at 0, but for classes that the caller masks: warm weights may have seen its rows.
    state_.fold_weights = Buffer<double>(folds_->count() * state_.x.size());
    for (std::size_t fold = 0; fold < folds_->count(); ++fold) {
      double* const bias = weights_of(fold) + space_.problem().weights();
      for (std::size_t c = 0; c < bias_count(caller_.classes()); ++c) {
        bias[c] = std::isinf(state_.x[space_.problem().weights() + c]) ? -kInfinity : 0;
      }
    }
    return {};
  }
  [[nodiscard]] double* weights_of(std::size_t fold) const noexcept {
    return state_.fold_weights.data() + fold * state_.x.size();
  }

  /// Takes everything from the checkpoint but the state of the descent at work, which takes that itself.
  Status resume() {
    descent_.emplace(space_.problem(), options_, 0, control_, *curvature_);
    const Status status = control_.resume(*descent_);
    if (!status.ok()) return status;
    whole_.count_passes(state_.whole_passes - whole_.passes());
    space_.problem().count_passes(state_.passes - space_.problem().passes());
    control_.resumed_after(space_.passes() + state_.other_passes);
    space_.set_penalty(l2_at_work());
    if (curvature_sample_ > 0) curvature_->refresh(curvature_at_, curvature_sample_);
    options_.checkpoint.resume = !state_.is_fitted;
    is_begun_ = true;
    return status;
  }

  // ---- a penalty ----

  /// All rows into state_.x, then the rows held out.
  Status fit_point(PathPoint& point) {
    if (!std::exchange(is_begun_, false)) begin_point();
    if (state_.fold == 0) {
      const Status status = fit_all_rows(point);
      if (!status.ok() || stopped_ != StopReason::none) return status;
      state_.fold = 1;
    }
    state_.is_fitted = false;
    if (folds_->count() == 0) {
      const Status status = judge_by(*space_.options().validation, validation_rows_, state_.x, state_.held[0]);
      if (!status.ok()) return status;
    }
    for (; state_.fold <= folds_->count(); ++state_.fold) {
      FitResult result;
      const Status status = fit_fold(state_.fold - 1, point.l2, result);
      if (!status.ok() || stopped_ != StopReason::none) return status;
      point.converged = point.converged && result.reason == StopReason::tolerance;
    }
    summarise(state_.held, point);
    point.finished = true;
    const std::size_t at = order_[state_.at];
    std::ranges::copy(state_.held, state_.scores.begin() + static_cast<std::ptrdiff_t>(at * state_.held.size()));
    if (!state_.all_x.empty()) {
      std::copy_n(state_.x.data(), state_.x.size(), state_.all_x.data() + at * state_.x.size());
      state_.bounds[at] = state_.bound;
    }
    return {};
  }

  void begin_point() {
    space_.set_penalty(l2_at_work());
    curvature_->penalty_changed();
    state_.fold = 0;
    state_.bound = -kInfinity;
    state_.passes_at_point = space_.passes();
  }

  Status fit_all_rows(PathPoint& point) {
    if (!state_.is_fitted) {
      const Status status = descend(space_.problem(), *curvature_, state_.x, point.fit);
      if (!status.ok() || stopped_ != StopReason::none) return status;
      state_.is_fitted = true;
      count_work();
    }
    const Vector u(state_.x.size()), x(whole_.parameters());
    copy(u, state_.x);
    state_.bound = lower_bound(space_.problem(), u, true, control_);
    if (control_.is_stopping()) {
      stopped_ = early_end();
      control_.finish(*descent_, stopped_);
      return {};
    }
    copy(state_.x, u);
    space_.leave(u, x);
    const Status status = measure(whole_, x, state_.bound, options_.stopping.tolerance, point.fit, Vector(x.size()));
    if (!status.ok()) return status;
    point.fit.passes = space_.passes() - state_.passes_at_point;
    point.converged = point.fit.converged;
    return {};
  }

  /// The fold's rows into its weights, then those it holds out.
  Status fit_fold(std::size_t fold, double l2, FitResult& result) {
    const std::vector<std::uint32_t> training = folds_->training(fold), held_out = folds_->held_out(fold);
    const std::vector<std::size_t> absent = absent_classes(fold);
    if (absent.size() + 1 >= folds_->classes()) {  // the one class that is there is certain
      const double weight = size_of(space_.data(), held_out).total_weight;
      state_.held[fold] = {0, space_.data().labels.empty() ? kNaN : weight, weight};
      result.reason = StopReason::tolerance;
      return {};
    }
    const Batch batch = selected(space_.data(), training);
    const ProblemSize size = size_of(batch, training);
    const double scale = asked_.scale_l2 ? whole_.total_weight() / size.total_weight : 1;
    FitProblem problem = space_.problem_of(batch, size, l2 * scale);
    const Vector x(state_.x.size());
    std::copy_n(weights_of(fold), x.size(), x.data());
    // Shared curvature is that of all rows. It changes the way to the optimum, not the optimum, where there is one. It
    // is of places near the optimum, and misleads at 0.
    bool share = state_.at > 0 && problem.is_penalised();
    for (const std::size_t c : absent) {
      x[problem.weights() + c] = -kInfinity;
      share = share && std::isinf(state_.x[problem.weights() + c]);
    }
    problem.set_masked(x);
    PreconditionerMatrix own(problem, curvature_->kind());
    const Status status = descend(problem, share ? *curvature_ : own, x, result);
    descent_.reset();
    std::copy_n(x.data(), x.size(), weights_of(fold));
    state_.other_passes += problem.passes() * work_of(training.size());
    if (!status.ok() || stopped_ != StopReason::none) return status;
    return judge_by(space_.data(), held_out, x, state_.held[fold]);
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
    count_work();
    result.solver = options_.solver;
    descent_.emplace(problem, options_, 0, control_, preconditioner);
    const Status status = descent_->run(x, result);
    options_.checkpoint.resume = false;
    if (is_early_end(result.reason) || result.reason == StopReason::diverged) stopped_ = result.reason;
    return status;
  }

  Status judge_by(const Batch& batch, const std::vector<std::uint32_t>& rows, const Vector& x, HeldOut& held) {
    state_.other_passes += work_of(rows.size());
    return judge(space_.problem(), batch, rows, x, held);
  }

  /// Of a pass over so many rows, in passes over the whole.
  [[nodiscard]] double work_of(std::size_t rows) {
    return static_cast<double>(rows) / static_cast<double>(whole_.rows()) * space_.problem().pass_flops() /
           whole_.pass_flops();
  }
  void count_work() {
    state_.whole_passes = whole_.passes();
    state_.passes = space_.problem().passes();
  }

  [[nodiscard]] StopReason early_end() const noexcept {
    return control_.was_cancelled() ? StopReason::interrupted : StopReason::time_limit;
  }

  // ---- after the last ----

  Status hand_over(const Status& status, std::span<PathPoint> points, PathResult& given) {
    const Status written = write_other_weights();
    if (!written.ok()) return written;
    PathResult result;
    result.best = state_.best;
    result.left_out = left_out_;
    const PathPoint& best = state_.points[state_.best];
    result.fit = best.fit;
    result.fit.l2 = best.l2;
    space_.set_penalty(best.l2);
    const Vector x(whole_.parameters());
    space_.leave(state_.best_x, x);
    const bool whole_path = stopped_ == StopReason::none;
    const Status measured = caller_.finish(whole_, x, whole_path ? state_.best_bound : -kInfinity, result.fit);
    if (!measured.ok()) return measured;
    if (!whole_path) {
      result.fit.reason = stopped_;
      result.fit.converged = false;
    }
    result.fit.checkpoint_error = control_.checkpoint_error();
    result.passes = space_.passes() + state_.other_passes;
    result.seconds = control_.seconds();
    caller_.give_back();
    if (!outputs_.weights.empty() && best.finished) caller_.give(outputs_.weights[state_.best]);
    std::ranges::copy(state_.points, points.begin());
    write_scores();
    given = result;
    return status;
  }

  /// Of every finished point but the best.
  Status write_other_weights() {
    if (outputs_.weights.empty()) return {};
    const Vector x(whole_.parameters()), u(state_.x.size());
    for (std::size_t i = 0; i < state_.points.size(); ++i) {
      if (!state_.points[i].finished || i == state_.best) continue;
      std::copy_n(state_.all_x.data() + i * u.size(), u.size(), u.data());
      space_.set_penalty(l2_[i]);
      space_.leave(u, x);
      const Status status = caller_.finish(whole_, x, state_.bounds[i], state_.points[i].fit);
      if (!status.ok()) return status;
      caller_.give(outputs_.weights[i]);
    }
    return {};
  }

  void write_scores() const {
    const std::size_t folds = state_.held.size();
    for (std::size_t i = 0; i < state_.points.size() && !outputs_.folds.empty(); ++i) {
      for (std::size_t fold = 0; fold < folds && state_.points[i].finished; ++fold) {
        const HeldOut& held = state_.scores[i * folds + fold];
        const bool judged = held.weight > 0;
        outputs_.folds.at(i, fold) = {judged ? held.loss : kNaN, judged ? held.correct / held.weight : kNaN,
                                      held.weight};
      }
    }
  }

  CallerSide<float>& caller_;
  FitOptions options_;  // of each descent: the callbacks come here
  std::vector<double> l2_;
  std::vector<std::size_t> order_;  // of the penalties, the largest first
  const FitSizes& sizes_;
  Control control_;
  FitProblem whole_;  // over all rows, as the caller sees it
  FitSpace space_;    // where all fits work
  const PathOptions& asked_;
  const PathOutputs& outputs_;
  std::size_t folds_wanted_;
  std::optional<Folds> folds_;
  std::vector<std::uint32_t> validation_rows_;  // that can judge
  std::size_t left_out_ = 0;

  PathState state_;
  bool is_begun_ = false;                          // the penalty at work, before this run
  std::optional<PreconditionerMatrix> curvature_;  // shared
  std::uint64_t curvature_sample_ = 0;             // it is from so many, at this point
  Vector curvature_at_;
  std::optional<SolverDescent> descent_;   // the last one of all rows, or the one at work
  Resumable* at_work_ = nullptr;           // the same, while it is kept or resumed
  StopReason stopped_ = StopReason::none;  // why the path ends early
};

Status refuse(const char* what, const char* expected) {
  return fail(StatusCode::invalid_argument, what, expected);
}
Status refuse_shape(const char* what, const char* expected) {
  return fail(StatusCode::shape_mismatch, what, expected);
}

/// How many folds there will be.
Status count_folds(const Batch& data, const PathOptions& o, std::size_t& folds) {
  folds = o.folds;
  if (o.fold_of_sample.empty()) {
    if (folds == 1) return refuse("folds", "2 or more, or 0 for none");
    if (folds == 0 && o.fit.validation == nullptr) return refuse("folds", "2 or more, or a validation batch");
  } else {
    if (folds != 0) return refuse("folds", "a number of them, or the fold of each sample");
    if (o.fold_of_sample.size() != data.features.samples) return refuse_shape("fold_of_sample", "one per sample");
    for (std::size_t i = 0; i < o.fold_of_sample.size(); ++i) {
      const std::int64_t fold = o.fold_of_sample[i];
      if (fold >= static_cast<std::int64_t>(o.fold_of_sample.size()) || fold < -1) {
        return fail_at(StatusCode::invalid_argument, "fold_of_sample", "folds from 0, fewer than samples, or -1",
                       at_row(i), static_cast<double>(fold));
      }
      folds = std::max(folds, static_cast<std::size_t>(fold + 1));
    }
    std::vector<bool> seen(folds);
    for (std::size_t i = 0; i < o.fold_of_sample.size(); ++i) {
      if (o.fold_of_sample[i] >= 0) seen[static_cast<std::size_t>(o.fold_of_sample[i])] = true;
    }
    if (folds == 0 || std::ranges::count(seen, false) > 0) {
      return refuse("fold_of_sample", "folds from 0, without a gap, that hold out a sample each");
    }
  }
  if (folds != 0 && o.fit.validation != nullptr) return refuse("folds", "either folds or a validation batch");
  return {};
}

Status check_path(const PathOptions& o, std::size_t folds, std::span<const PathPoint> points,
                  const PathOutputs& outputs, const WeightsView<float>& weights) {
  const std::size_t penalties = std::max<std::size_t>(o.l2.size(), 1);
  if (points.size() != penalties) return refuse_shape("points", "an entry per penalty");
  for (auto l2 = o.l2.begin(); l2 != o.l2.end(); ++l2) {
    if (!(*l2 >= 0) || !std::isfinite(*l2)) return refuse("l2_path", "finite numbers >= 0");
    if (std::find(o.l2.begin(), l2, *l2) != l2) return refuse("l2_path", "each penalty once");
  }
  if (!o.l2.empty() && o.fit.objective.l2) return refuse("l2", "unset: a path has penalties of its own");
  if (o.fit.stopping.early_stopping > 0) return refuse("early_stopping", "0: a path stops by its tolerance");
  if (!is_over_all_rows(choose_solver(o.fit))) return refuse("solver", "lbfgs or newton, for softmax or logistic");
  const auto& scores = outputs.folds;
  if (!scores.empty() && (scores.rows != penalties || scores.cols != std::max<std::size_t>(folds, 1))) {
    return refuse_shape("fold scores", "a row per penalty, a column per fold");
  }
  if (!outputs.weights.empty() && outputs.weights.size() != penalties) {
    return refuse_shape("weights of points", "one per penalty");
  }
  for (const WeightsView<float>& w : outputs.weights) {
    if (w.weights.empty() || w.weights.rows != weights.weights.rows || w.weights.cols != weights.weights.cols ||
        w.bias.size() != weights.bias.size()) {
      return refuse_shape("weights of points", "room for weights and bias of the shape of the others");
    }
  }
  return {};
}

}  // namespace

Status fit_path(const Batch& data, const PathOptions& options, std::span<PathPoint> points,
                const WeightsView<float>& weights, PathResult& result, const PathOutputs& outputs) noexcept {
  const FloatEnvironment environment;
  return without_exceptions("fit_path", "memory for the parameters and a few row blocks", [&] {
    std::size_t folds = 0;
    Status status = count_folds(data, options, folds);
    if (status.ok()) status = check_path(options, folds, points, outputs, weights);
    if (!status.ok()) return status;
    FitOptions fit = options.fit;
    if (!options.l2.empty()) fit.objective.l2 = *std::ranges::max_element(options.l2);
    FitSizes sizes;
    status = check_fit(data, fit, weights, outputs.scaling, sizes);
    if (!status.ok()) return status;
    CallerSide<float> caller(data, fit, sizes, weights, outputs.scaling);
    status = caller.map_features(*sizes.table, sizes.training.rows);
    if (!status.ok()) return status;
    const double alone = *caller.options().objective.l2;
    const std::span<const double> l2 = options.l2.empty() ? std::span(&alone, 1) : options.l2;
    return Path(caller, options, l2, folds, sizes, outputs).run(points, result);
  });
}

}  // namespace lanemax
