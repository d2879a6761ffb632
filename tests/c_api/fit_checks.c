// SPDX-License-Identifier: BSD-3-Clause
//
// Fits, with one penalty and with several.
#include "checks.h"

#include <math.h>

struct watcher {
  int told;
  int asked;
  int stop_after;
};

static int32_t on_progress(const lanemax_fit_progress* progress, void* user) {
  struct watcher* const watcher = user;
  CHECK(progress->struct_size == sizeof *progress && progress->iterations > 0);
  return ++watcher->told == watcher->stop_after;
}
static int32_t on_ask(void* user) {
  ++((struct watcher*)user)->asked;
  return 0;
}

static lanemax_fit_options options_of_fit(void) {
  lanemax_fit_options options;
  CHECK(lanemax_fit_options_init(&options, sizeof options) == LANEMAX_OK);
  return options;
}

static void check_options(void) {
  struct {
    lanemax_fit_options known;
    int64_t of_the_future;
  } newer;
  lanemax_fit_options options = options_of_fit();
  CHECK(options.struct_size == sizeof options && options.tolerance == 1e-5 && options.bias == 1);
  CHECK(options.epochs == LANEMAX_UNSET && options.objective.l2 == LANEMAX_UNSET && options.threads == 1);
  CHECK(lanemax_fit_options_init(NULL, sizeof options) == LANEMAX_INVALID_ARGUMENT);
  CHECK(lanemax_fit_options_init(&options, 215) == LANEMAX_INVALID_ARGUMENT);
  memset(&newer, 0x5a, sizeof newer);
  CHECK(lanemax_fit_options_init(&newer.known, sizeof newer) == LANEMAX_OK);
  CHECK(newer.known.struct_size == sizeof newer && newer.of_the_future == 0 && newer.known.tolerance == 1e-5);
}

static void check_refusals(void) {
  const lanemax_batch batch = point_batch();
  lanemax_batch bad = batch;
  lanemax_model *model = NULL, *const none = NULL;
  lanemax_fit_result result = {.struct_size = sizeof result};
  lanemax_fit_options options = options_of_fit();
  static const float far[12] = {3e38f, 1, 1, 0, 5, 1, 6, 0, 1, 6, 0, 7};
  result.objective = 77;
#define CALL(data, o, labels, n, r) lanemax_fit(data, o, labels, n, &model, r, &status)
  CHECK_REFUSED("batch", CALL(NULL, NULL, corner_names, 3, &result));
  CHECK_REFUSED("model", lanemax_fit(&batch, NULL, corner_names, 3, NULL, &result, &status));
  CHECK_REFUSED("class_labels", CALL(&batch, NULL, NULL, 3, &result));
  CHECK_CODE(LANEMAX_LABEL_OUT_OF_RANGE, CALL(&batch, NULL, corner_names, 2, &result));
#define CHECK_OPTION(name, field, value) \
  options = options_of_fit();            \
  options.field = value;                 \
  CHECK_REFUSED(name, CALL(&batch, &options, corner_names, 3, &result))
  CHECK_OPTION("options", struct_size, 8);
  CHECK_OPTION("solver", solver, 7);
  CHECK_OPTION("preconditioner", preconditioner, -1);
  CHECK_OPTION("schedule", schedule, 3);
  CHECK_OPTION("bias", bias, 2);
  CHECK_OPTION("standardise", standardise, -1);
  CHECK_OPTION("checkpoint_resume", checkpoint_resume, 7);
  CHECK_OPTION("epochs", epochs, -2);
  CHECK_OPTION("batch_size", batch_size, -2);
  CHECK_OPTION("loss", objective.loss, 256);
  CHECK_OPTION("isa", isa, 5);
  CHECK_OPTION("threads", threads, 0);
  CHECK_OPTION("tolerance", tolerance, -1);
  CHECK_OPTION("l2", objective.l2, -2);
  bad.struct_size = 0;
  CHECK_OPTION("batch", validation, &bad);
  result.struct_size = 8;
  CHECK_REFUSED("result", CALL(&batch, NULL, corner_names, 3, &result));
  result.struct_size = sizeof result;
  bad = batch;
  bad.features.data = far;
  CHECK_CODE(LANEMAX_OUT_OF_RANGE, CALL(&bad, NULL, corner_names, 3, &result));
#undef CHECK_OPTION
#undef CALL
  CHECK(model == none && result.objective == 77);
}

static void check_diverged(void) {
  const lanemax_batch batch = point_batch();
  lanemax_fit_options options = options_of_fit();
  lanemax_fit_result result = {.struct_size = sizeof result};
  lanemax_model* model = NULL;
  options.solver = LANEMAX_SOLVER_SGD;
  options.learning_rate = 1e38;
  options.epochs = 50;
  CHECK_CODE(LANEMAX_DIVERGED, lanemax_fit(&batch, &options, NULL, 0, &model, &result, &status));
  CHECK(model != NULL && result.reason == LANEMAX_STOP_DIVERGED);
  lanemax_model_free(model);
}

void check_fit(const char* directory) {
  char path[1024];
  struct watcher watcher = {0, 0, 0};
  const lanemax_batch batch = point_batch();
  lanemax_fit_options options = options_of_fit();
  lanemax_fit_result result = {.struct_size = sizeof result}, again = result;
  lanemax_model *model = NULL, *more = NULL;
  (void)snprintf(path, sizeof path, "%s/checkpoint", directory);
  check_options();
  check_refusals();
  check_diverged();

  options.progress = on_progress;
  options.cancelled = on_ask;
  options.user = &watcher;
  options.validation = &batch;
  CHECK_OK(lanemax_fit(&batch, &options, corner_names, 3, &model, &result, &status));
  CHECK(result.converged == 1 && result.reason == LANEMAX_STOP_TOLERANCE && result.l2 == 1.0 / 6);
  CHECK(result.gradient_norm <= 1e-5 && result.gap_bound >= 0 && result.threads == 1 && result.rounded_feature == -1);
  CHECK(result.checkpoint_error.code == LANEMAX_OK && watcher.told > 1 && watcher.asked > 1);
  CHECK(lanemax_model_classes(model) == 3 && strcmp(lanemax_model_class_label(model, 0), "low") == 0);

  // Stopped by its caller, and gone on from its checkpoint to the same end.
  watcher.stop_after = watcher.told + 1;
  options.checkpoint_file = path;
  options.checkpoint_note = "points";
  CHECK_OK(lanemax_fit(&batch, &options, corner_names, 3, &more, &again, &status));
  CHECK(again.reason == LANEMAX_STOP_INTERRUPTED && again.converged == 0);
  lanemax_model_free(more);
  watcher.stop_after = 0;
  options.checkpoint_resume = 1;
  CHECK_OK(lanemax_fit(&batch, &options, corner_names, 3, &more, &again, &status));
  CHECK(again.converged == 1 && again.objective == result.objective);
  CHECK(memcmp(lanemax_model_weights(more), lanemax_model_weights(model), 6 * sizeof(float)) == 0);
  lanemax_model_free(more);

  // From a model that is there already: nothing to do.
  options = options_of_fit();
  options.initial = model;
  CHECK_OK(lanemax_fit(&batch, &options, NULL, 0, &more, &again, &status));
  CHECK(again.converged == 1 && again.iterations < result.iterations);
  CHECK(strcmp(lanemax_model_class_label(more, 1), "right") == 0);
  lanemax_model_free(more);
  lanemax_model_free(model);

  options = options_of_fit();
  options.solver = LANEMAX_SOLVER_ADAM;
  options.epochs = 3;
  options.batch_size = 2;
  options.schedule = LANEMAX_SCHEDULE_STEP;
  options.learning_rate = 0.125;
  CHECK_OK(lanemax_fit(&batch, &options, NULL, 0, &model, &result, &status));
  CHECK(result.iterations == 9 && result.learning_rate == 0.125 && result.reason == LANEMAX_STOP_EPOCHS);
  CHECK(strcmp(lanemax_model_class_label(model, 2), "2") == 0);
  lanemax_model_free(model);
}

void check_path(void) {
  static const double l2[2] = {0.01, 0.1};
  static const int8_t own_folds[6] = {0, 1, 0, 1, 0, 1}, gap[6] = {0, 100, 0, 100, 0, 100};
  const lanemax_batch batch = point_batch();
  lanemax_path_options options = {.struct_size = sizeof options};
  lanemax_path_summary summary = {.struct_size = sizeof summary};
  lanemax_path_point point = {.struct_size = sizeof point};
  lanemax_fold_score fold = {.struct_size = sizeof fold};
  lanemax_fit_result at_best = {.struct_size = sizeof at_best}, of_point = at_best;
  lanemax_path *path = NULL, *const none = NULL;
  lanemax_model* model = NULL;
  options.l2 = l2;
  options.l2_count = 2;
  options.folds = 2;
  CHECK_OK(lanemax_fit_path(&batch, &options, corner_names, 3, &model, &path, &status));
  CHECK_OK(lanemax_path_get_summary(path, &summary, &status));
  CHECK(summary.points == 2 && summary.folds == 2 && summary.best < 2 && summary.left_out == 0);
  CHECK_OK(lanemax_path_get_point(path, summary.best, &point, &status));
  CHECK(point.l2 == l2[summary.best] && point.finished == 1 && point.converged == 1 && point.held_out_accuracy == 1);
  CHECK_OK(lanemax_path_get_result(path, &at_best, &status));
  CHECK_OK(lanemax_path_get_point_fit(path, summary.best, &of_point, &status));
  CHECK(at_best.l2 == l2[summary.best] && fabs(of_point.objective / at_best.objective - 1) < 1e-6);
  CHECK_OK(lanemax_path_get_fold(path, 1, 1, &fold, &status));
  CHECK(fold.weight == 3 && fold.accuracy == 1 && fold.loss > 0);
  CHECK(strcmp(lanemax_model_class_label(model, 0), "low") == 0);

  fold.loss = point.l2 = at_best.l2 = 77;
  CHECK_REFUSED("path", lanemax_path_get_summary(NULL, &summary, &status));
  CHECK_REFUSED("summary", lanemax_path_get_summary(path, NULL, &status));
  CHECK_REFUSED("path", lanemax_path_get_result(NULL, &at_best, &status));
  CHECK_REFUSED("result", lanemax_path_get_result(path, NULL, &status));
  CHECK_REFUSED("path", lanemax_path_get_point(NULL, 0, &point, &status));
  CHECK_REFUSED("point", lanemax_path_get_point(path, 2, &point, &status));
  CHECK_REFUSED("score", lanemax_path_get_point(path, 0, NULL, &status));
  CHECK_REFUSED("point", lanemax_path_get_point_fit(path, 2, &at_best, &status));
  CHECK_REFUSED("result", lanemax_path_get_point_fit(path, 0, NULL, &status));
  CHECK_REFUSED("path", lanemax_path_get_fold(NULL, 0, 0, &fold, &status));
  CHECK_REFUSED("point", lanemax_path_get_fold(path, 2, 0, &fold, &status));
  CHECK_REFUSED("fold", lanemax_path_get_fold(path, 0, 2, &fold, &status));
  CHECK_REFUSED("score", lanemax_path_get_fold(path, 0, 0, NULL, &status));
  fold.struct_size = 0;
  CHECK_REFUSED("score", lanemax_path_get_fold(path, 0, 0, &fold, &status));
  CHECK(fold.loss == 77 && point.l2 == 77 && at_best.l2 == 77);
  lanemax_path_free(path);
  lanemax_path_free(NULL);
  lanemax_model_free(model);
  path = NULL;
  model = NULL;

  options.folds = 0;
  options.fold_of_sample.data = own_folds;
  options.fold_of_sample.count = 6;
  options.fold_of_sample.type = LANEMAX_LABELS_I8;
  CHECK_OK(lanemax_fit_path(&batch, &options, NULL, 0, &model, NULL, &status));
  lanemax_model_free(model);
  model = NULL;
  options.fold_of_sample.data = gap;
  CHECK(lanemax_fit_path(&batch, &options, NULL, 0, &model, &path, NULL) != LANEMAX_OK);
  CHECK_REFUSED("batch", lanemax_fit_path(NULL, &options, NULL, 0, &model, &path, &status));
  CHECK_REFUSED("model", lanemax_fit_path(&batch, &options, NULL, 0, NULL, &path, &status));
  options.scale_l2 = 2;
  CHECK_REFUSED("scale_l2", lanemax_fit_path(&batch, &options, NULL, 0, &model, &path, &status));
  options.scale_l2 = 0;
  options.fold_of_sample.type = 9;
  CHECK_REFUSED("fold_of_sample", lanemax_fit_path(&batch, &options, NULL, 0, &model, &path, &status));
  options.l2 = NULL;
  options.fold_of_sample.count = 0;
  CHECK_REFUSED("l2", lanemax_fit_path(&batch, &options, NULL, 0, &model, &path, &status));
  CHECK(lanemax_fit_path(&batch, NULL, NULL, 0, &model, &path, NULL) != LANEMAX_OK);  // nothing to be held out
  CHECK(path == none && model == NULL);
}
