// SPDX-License-Identifier: BSD-3-Clause
//
// Fits in C, with one penalty or with several.
#include "engine/fit/fit_model.hpp"

#include "engine/c_api/call.hpp"
#include "engine/c_api/fit_request.hpp"
#include "engine/c_api/handles.hpp"

#include <algorithm>

namespace lanemax::c_api {
namespace {

/// Whether a fit that ended so has a model and a result.
bool has_ended(const Status& status) noexcept {
  return status.ok() || status.code == StatusCode::diverged;
}

/// How many folds these are, or 0 if they are not numbered from 0 without a gap, which the fit refuses.
std::size_t count_folds(const PathOptions& options) noexcept {
  if (options.fold_of_sample.empty()) return std::max<std::size_t>(options.folds, 1);  // 1: the validation rows
  std::int64_t last = -1;
  for (std::size_t i = 0; i < options.fold_of_sample.size(); ++i) last = std::max(last, options.fold_of_sample[i]);
  const auto count = static_cast<std::uint64_t>(last) + 1;
  return count <= options.fold_of_sample.size() ? static_cast<std::size_t>(count) : 0;
}

PathOptions take_path(Taker& take, const lanemax_path_options& given) {
  PathOptions taken;
  taken.l2 = take.array(given.l2, given.l2_count, "l2");
  taken.folds = given.folds;
  taken.fold_of_sample = take.labels(given.fold_of_sample, "fold_of_sample");
  taken.scale_l2 = take.flag(given.scale_l2, "scale_l2");
  take.reserved(given.reserved);
  return taken;
}

void take_point(Taker& take, const lanemax_path* path, std::size_t point) noexcept {
  take.handle(path, "path");
  take.need(!take.ok() || point < path->points.size(), "point", "one of the path's");
}

}  // namespace
}  // namespace lanemax::c_api

using namespace lanemax;
using namespace lanemax::c_api;

int32_t lanemax_fit_options_init(lanemax_fit_options* options, size_t size) {
  return init_sized(options, size);
}
int32_t lanemax_fit(const lanemax_batch* data, const lanemax_fit_options* options, const char* const* class_labels,
                    size_t class_count, lanemax_model** model, lanemax_fit_result* result, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const Batch rows = take.batch(data);
    const FitRequest request(take, options);
    const std::vector<std::string> labels = take.texts(class_labels, class_count, "class_labels");
    take.place(model, "model");
    take.room(result, "result");
    if (!take.ok()) return take.status();
    auto made = std::make_unique<lanemax_model>(lanemax_model{request.initial()});
    FitResult of_fit;
    const Status outcome = fit(rows, request.options(), labels, made->model, of_fit);
    if (!has_ended(outcome)) return outcome;
    *model = made.release();
    write_sized(in_c(of_fit), result);
    return outcome;
  });
}

int32_t lanemax_fit_path(const lanemax_batch* data, const lanemax_path_options* options,
                         const char* const* class_labels, size_t class_count, lanemax_model** model,
                         lanemax_path** path, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const lanemax_path_options given = take.sized(options, "options");
    const Batch rows = take.batch(data);
    const FitRequest request(take, given.fit);
    PathOptions of_path = take_path(take, given);
    const std::vector<std::string> labels = take.texts(class_labels, class_count, "class_labels");
    take.place(model, "model");
    if (!take.ok()) return take.status();
    of_path.fit = request.options();
    auto made = std::make_unique<lanemax_model>(lanemax_model{request.initial()});
    auto told = std::make_unique<lanemax_path>();
    told->points.resize(std::max<std::size_t>(of_path.l2.size(), 1));
    told->folds = count_folds(of_path);
    told->scores.resize(told->points.size() * told->folds);
    const MatrixView<FoldScore> scores(told->scores.data(), told->points.size(), told->folds);
    const Status outcome = fit_path(rows, of_path, labels, told->points, made->model, told->result, scores);
    if (!has_ended(outcome)) return outcome;
    *model = made.release();
    if (path != nullptr) *path = told.release();
    return outcome;
  });
}
int32_t lanemax_path_get_summary(const lanemax_path* path, lanemax_path_summary* summary, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(path, "path");
    take.place(summary, "summary");
    take.room(summary, "summary");
    if (!take.ok()) return take.status();
    lanemax_path_summary made = {};
    made.points = path->points.size();
    made.folds = path->folds;
    made.best = path->result.best;
    made.left_out = path->result.left_out;
    made.passes = path->result.passes;
    made.seconds = path->result.seconds;
    write_sized(made, summary);
    return Status();
  });
}
int32_t lanemax_path_get_result(const lanemax_path* path, lanemax_fit_result* result, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(path, "path");
    take.place(result, "result");
    take.room(result, "result");
    if (take.ok()) write_sized(in_c(path->result.fit), result);
    return take.status();
  });
}
int32_t lanemax_path_get_point(const lanemax_path* path, size_t point, lanemax_path_point* score,
                               lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take_point(take, path, point);
    take.place(score, "score");
    take.room(score, "score");
    if (!take.ok()) return take.status();
    const PathPoint& from = path->points[point];
    lanemax_path_point made = {};
    made.l2 = from.l2;
    made.held_out_loss = from.held_out_loss;
    made.held_out_loss_error = from.held_out_loss_error;
    made.held_out_accuracy = from.held_out_accuracy;
    made.converged = from.converged;
    made.finished = from.finished;
    write_sized(made, score);
    return Status();
  });
}
int32_t lanemax_path_get_point_fit(const lanemax_path* path, size_t point, lanemax_fit_result* result,
                                   lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take_point(take, path, point);
    take.place(result, "result");
    take.room(result, "result");
    if (take.ok()) write_sized(in_c(path->points[point].fit), result);
    return take.status();
  });
}
int32_t lanemax_path_get_fold(const lanemax_path* path, size_t point, size_t fold, lanemax_fold_score* score,
                              lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take_point(take, path, point);
    take.need(!take.ok() || fold < path->folds, "fold", "one of the path's");
    take.place(score, "score");
    take.room(score, "score");
    if (!take.ok()) return take.status();
    const FoldScore& from = path->scores[point * path->folds + fold];
    lanemax_fold_score made = {};
    made.loss = from.loss;
    made.accuracy = from.accuracy;
    made.weight = from.weight;
    write_sized(made, score);
    return Status();
  });
}
void lanemax_path_free(lanemax_path* path) {
  delete path;
}

const char* lanemax_solver_name(int32_t solver) {
  return solver >= LANEMAX_SOLVER_AUTO && solver <= LANEMAX_SOLVER_ADAGRAD ? name_of(static_cast<Solver>(solver))
                                                                           : "unknown";
}
const char* lanemax_preconditioner_name(int32_t preconditioner) {
  return preconditioner >= LANEMAX_PRECONDITIONER_AUTO && preconditioner <= LANEMAX_PRECONDITIONER_FULL
             ? name_of(static_cast<Preconditioner>(preconditioner))
             : "unknown";
}
const char* lanemax_stop_reason_name(int32_t reason) {
  return reason >= LANEMAX_STOP_NONE && reason <= LANEMAX_STOP_DIVERGED ? name_of(static_cast<StopReason>(reason))
                                                                        : "unknown";
}
