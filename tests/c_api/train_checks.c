// SPDX-License-Identifier: BSD-3-Clause
//
// Single passes: loss and gradient, steps of a training state.
#include "checks.h"

#include <math.h>
#include <stdlib.h>

static void check_loss(void) {
  const float w[6] = {0};
  float dw[6], db[3];
  lanemax_loss_options options;
  lanemax_loss_result result = {.struct_size = sizeof result};
  const lanemax_const_weights weights = {{w, 3, 2, 0, 0}, NULL, 0};
  const lanemax_weights gradient = {{dw, 3, 2, 0, 0}, db, 3};
  lanemax_batch batch = point_batch(), bad;
  const size_t size = lanemax_loss_workspace_bytes(6, 2, 3, 1);
  void* const scratch = malloc(size);
  CHECK(size > 0 && lanemax_loss_workspace_bytes((size_t)-1, (size_t)-1, 3, 1) == 0);
  CHECK(lanemax_loss_options_init(&options, sizeof options) == LANEMAX_OK && options.objective.l2 == LANEMAX_UNSET);
  CHECK(lanemax_loss_options_init(NULL, sizeof options) == LANEMAX_INVALID_ARGUMENT);
  CHECK(lanemax_loss_options_init(&options, 8) == LANEMAX_INVALID_ARGUMENT);

  CHECK_OK(lanemax_loss_and_gradient(NULL, &weights, &batch, scratch, size, &result, NULL, &status));
  CHECK(fabs(result.objective - log(3)) < 1e-7 && result.rows == 6 && result.total_weight == 6);
  result.objective = 0;
  CHECK_OK(lanemax_loss_and_gradient(&options, &weights, &batch, scratch, size, &result, &gradient, &status));
  CHECK(fabs(result.objective - log(3)) < 1e-7 && fabsf(db[0]) < 1e-7f && fabsf(dw[0] - (13.0f / 3 - 1) / 6) < 1e-6f);

  result.objective = 77;
  dw[0] = 77;
#define CALL(o, at, data, s, n, r, g) lanemax_loss_and_gradient(o, at, data, s, n, r, g, &status)
  CHECK_REFUSED("weights", CALL(&options, NULL, &batch, scratch, size, &result, &gradient));
  CHECK_REFUSED("batch", CALL(&options, &weights, NULL, scratch, size, &result, &gradient));
  CHECK_REFUSED("workspace", CALL(&options, &weights, &batch, NULL, size, &result, &gradient));
  CHECK_CODE(LANEMAX_WORKSPACE_TOO_SMALL, CALL(&options, &weights, &batch, NULL, 0, &result, &gradient));
  CHECK_REFUSED("result", CALL(&options, &weights, &batch, scratch, size, NULL, &gradient));
  result.struct_size = 40;
  CHECK_REFUSED("result", CALL(&options, &weights, &batch, scratch, size, &result, &gradient));
  result.struct_size = sizeof result;
  options.objective.loss = 3;
  CHECK_REFUSED("loss", CALL(&options, &weights, &batch, scratch, size, &result, &gradient));
  options.objective.loss = LANEMAX_SOFTMAX;
  options.objective.reduction = 2;
  CHECK_REFUSED("reduction", CALL(&options, &weights, &batch, scratch, size, &result, &gradient));
  options.objective.reduction = LANEMAX_SUM;
  options.objective.l2 = -0.5;
  CHECK_REFUSED("l2", CALL(&options, &weights, &batch, scratch, size, &result, &gradient));
  options.objective.l2 = LANEMAX_UNSET;
  options.isa = 9;
  CHECK_REFUSED("isa", CALL(&options, &weights, &batch, scratch, size, &result, &gradient));
  options.isa = LANEMAX_ISA_DEFAULT;

  bad = batch;
  bad.struct_size = 1;
  CHECK_REFUSED("batch", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.labels.type = 8;
  CHECK_REFUSED("labels", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.labels.data = NULL;
  CHECK_REFUSED("labels", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.sample_weight_count = 6;
  CHECK_REFUSED("sample_weights", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.selection_count = 6;
  CHECK_REFUSED("selection", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad.selection = (const uint32_t[]){6};
  bad.selection_count = 1;
  CHECK_REFUSED("selection", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad.selection_count = 0;  // of no rows
  CHECK_CODE(LANEMAX_NO_ROWS, CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.scaling.centre_count = 2;
  CHECK_REFUSED("scaling centre", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.target_probabilities.rows = bad.target_probabilities.cols = 3;
  CHECK_REFUSED("target_probabilities", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.labels.count = 5;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
  bad = batch;
  bad.features.data = NULL;
  CHECK_REFUSED("features", CALL(&options, &weights, &bad, scratch, size, &result, &gradient));
#undef CALL
  CHECK(result.objective == 77 && dw[0] == 77);
  free(scratch);
}

static lanemax_trainer_options options_of_trainer(void) {
  lanemax_trainer_options options;
  CHECK(lanemax_trainer_options_init(&options, sizeof options) == LANEMAX_OK);
  options.features = 2;
  options.scores = 3;
  options.batch_rows = 6;
  options.optimiser = LANEMAX_ADAM;
  return options;
}

static void check_making(void) {
  lanemax_trainer *trainer = NULL, *const none = NULL;
  lanemax_trainer_options options = options_of_trainer();
  CHECK(lanemax_trainer_options_init(&options, 79) == LANEMAX_INVALID_ARGUMENT);
  CHECK_REFUSED("options", lanemax_trainer_create(NULL, &trainer, &status));
  CHECK_REFUSED("trainer", lanemax_trainer_create(&options, NULL, &status));
  options.optimiser = 4;
  CHECK_REFUSED("optimiser", lanemax_trainer_create(&options, &trainer, &status));
  options = options_of_trainer();
  options.threads = 0;
  CHECK_REFUSED("threads", lanemax_trainer_create(&options, &trainer, &status));
  options = options_of_trainer();
  options.batch_rows = 0;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_trainer_create(&options, &trainer, &status));
  options.batch_rows = 6;
  options.features = (size_t)-1;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_trainer_create(&options, &trainer, &status));
  options = options_of_trainer();
  options.struct_size = 72;
  CHECK_REFUSED("options", lanemax_trainer_create(&options, &trainer, &status));
  CHECK(trainer == none);
  CHECK(lanemax_trainer_features(NULL) == 0 && lanemax_trainer_scores(NULL) == 0);
  lanemax_trainer_free(NULL);
}

static void check_state(lanemax_trainer* trainer) {
  float w[6], b[3], w_again[6], b_again[3];
  double centre[2];
  const lanemax_weights out = {{w, 3, 2, 0, 0}, b, 3}, out_again = {{w_again, 3, 2, 0, 0}, b_again, 3};
  const lanemax_const_weights in = {{w, 3, 2, 0, 0}, b, 3};
  lanemax_weights bad = out;
  const lanemax_scaling scaling = {NULL, 2, NULL, 0};
  const lanemax_batch batch = point_batch();
  lanemax_loss_result first = {.struct_size = sizeof first}, second = first;
  lanemax_bytes *bytes = NULL, *const none = NULL;
  lanemax_model* model = NULL;

  CHECK_OK(lanemax_trainer_to_bytes(trainer, &bytes, &status));
  CHECK_OK(lanemax_trainer_step(trainer, NULL, &batch, NULL, &status));
  CHECK_OK(lanemax_trainer_step(trainer, NULL, &batch, &first, &status));
  CHECK_OK(lanemax_trainer_get_weights(trainer, &out, NULL, 0, &status));
  CHECK_OK(lanemax_trainer_from_bytes(trainer, lanemax_bytes_data(bytes), lanemax_bytes_size(bytes), &status));
  CHECK_OK(lanemax_trainer_step(trainer, NULL, &batch, NULL, &status));
  CHECK_OK(lanemax_trainer_step(trainer, NULL, &batch, &second, &status));
  CHECK_OK(lanemax_trainer_get_weights(trainer, &out_again, centre, 2, &status));
  CHECK(first.objective == second.objective && memcmp(w, w_again, sizeof w) == 0 && memcmp(b, b_again, sizeof b) == 0);
  CHECK(centre[0] == 0 && centre[1] == 0);

  CHECK_OK(lanemax_trainer_model(trainer, corner_names, 3, &model, &status));
  CHECK(memcmp(lanemax_model_weights(model), w, sizeof w) == 0 && memcmp(lanemax_model_bias(model), b, sizeof b) == 0);
  CHECK(strcmp(lanemax_model_class_label(model, 2), "up") == 0 && lanemax_model_centre(model) == NULL);
  lanemax_model_free(model);
  CHECK_OK(lanemax_trainer_model(trainer, NULL, 0, &model, &status));
  CHECK(strcmp(lanemax_model_class_label(model, 2), "2") == 0);
  lanemax_model_free(model);
  model = NULL;
  CHECK_OK(lanemax_trainer_set_weights(trainer, &in, NULL, &status));

  CHECK(lanemax_trainer_model(trainer, corner_names, 2, &model, NULL) != LANEMAX_OK && model == NULL);
  CHECK_REFUSED("trainer", lanemax_trainer_model(NULL, corner_names, 3, &model, &status));
  CHECK_REFUSED("model", lanemax_trainer_model(trainer, corner_names, 3, NULL, &status));
  CHECK_REFUSED("class_labels", lanemax_trainer_model(trainer, NULL, 3, &model, &status));
  CHECK_REFUSED("trainer", lanemax_trainer_set_weights(NULL, &in, NULL, &status));
  CHECK_REFUSED("weights", lanemax_trainer_set_weights(trainer, NULL, NULL, &status));
  CHECK_REFUSED("scaling centre", lanemax_trainer_set_weights(trainer, &in, &scaling, &status));
  CHECK_REFUSED("trainer", lanemax_trainer_get_weights(NULL, &out, NULL, 0, &status));
  CHECK_REFUSED("weights", lanemax_trainer_get_weights(trainer, NULL, NULL, 0, &status));
  CHECK_REFUSED("centre", lanemax_trainer_get_weights(trainer, &out, NULL, 2, &status));
  w[0] = 77;
  bad.weights.rows = 2;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_trainer_get_weights(trainer, &bad, NULL, 0, &status));
  CHECK(w[0] == 77);
  CHECK_REFUSED("trainer", lanemax_trainer_from_bytes(NULL, "", 0, &status));
  CHECK_REFUSED("bytes", lanemax_trainer_from_bytes(trainer, NULL, 8, &status));
  CHECK_CODE(LANEMAX_BAD_CHECKPOINT,
             lanemax_trainer_from_bytes(trainer, lanemax_bytes_data(bytes), lanemax_bytes_size(bytes) - 1, &status));
  lanemax_bytes_free(bytes);
  bytes = none;
  CHECK_REFUSED("trainer", lanemax_trainer_to_bytes(NULL, &bytes, &status));
  CHECK_REFUSED("bytes", lanemax_trainer_to_bytes(trainer, NULL, &status));
  CHECK(bytes == none);
}

static void check_centred(void) {
  static const double centre[2] = {1e9, 0};
  static const double far[12] = {1e9, 1, 1e9 + 1, 0, 1e9 + 5, 1, 1e9 + 6, 0, 1e9 + 1, 6, 1e9, 7};
  const lanemax_trainer_options options = options_of_trainer();
  lanemax_batch batch = point_batch();
  lanemax_trainer* trainer = NULL;
  lanemax_model* model = NULL;
  lanemax_predictor* predictor = NULL;
  batch.features.data = far;
  batch.features.type = LANEMAX_F64;
  batch.scaling.centre = centre;
  batch.scaling.centre_count = 2;
  CHECK_OK(lanemax_trainer_create(&options, &trainer, &status));
  for (int i = 0; i < 500; ++i) CHECK_OK(lanemax_trainer_step(trainer, NULL, &batch, NULL, &status));
  CHECK_OK(lanemax_trainer_model(trainer, corner_names, 3, &model, &status));
  CHECK(memcmp(lanemax_model_centre(model), centre, sizeof centre) == 0);
  CHECK_OK(lanemax_predictor_create(model, LANEMAX_ISA_DEFAULT, &predictor, &status));
  for (int i = 0; i < 6; ++i) CHECK(lanemax_predict(predictor, far + 2 * i, LANEMAX_F64, 2) == corners[i]);
  lanemax_predictor_free(predictor);
  lanemax_model_free(model);
  lanemax_trainer_free(trainer);
}

void check_trainer(void) {
  const lanemax_trainer_options options = options_of_trainer();
  lanemax_batch batch = point_batch(), large = batch;
  lanemax_step_options step;
  lanemax_loss_result result = {.struct_size = sizeof result};
  lanemax_trainer* trainer = NULL;
  float more_points[2 * 4096];
  int32_t more_corners[4096];
  memset(more_points, 0, sizeof more_points);
  memset(more_corners, 0, sizeof more_corners);
  check_loss();
  check_making();
  check_centred();
  CHECK(lanemax_step_options_init(&step, sizeof step) == LANEMAX_OK && step.learning_rate == 0.01);
  CHECK(lanemax_step_options_init(&step, 0) == LANEMAX_INVALID_ARGUMENT);
  CHECK_OK(lanemax_trainer_create(&options, &trainer, &status));
  CHECK(lanemax_trainer_features(trainer) == 2 && lanemax_trainer_scores(trainer) == 3);
  for (int i = 0; i < 500; ++i) CHECK_OK(lanemax_trainer_step(trainer, &step, &batch, &result, &status));
  CHECK(result.objective > 0 && result.objective < 0.3 && result.rows == 6 && result.threads == 1);
  check_state(trainer);

  result.objective = 77;
  CHECK_REFUSED("trainer", lanemax_trainer_step(NULL, &step, &batch, &result, &status));
  CHECK_REFUSED("batch", lanemax_trainer_step(trainer, &step, NULL, &result, &status));
  step.nesterov = 2;
  CHECK_REFUSED("nesterov", lanemax_trainer_step(trainer, &step, &batch, &result, &status));
  step.nesterov = 0;
  step.learning_rate = -1;
  CHECK_REFUSED("learning_rate", lanemax_trainer_step(trainer, &step, &batch, &result, &status));
  step.learning_rate = 0.01;
  step.struct_size = 40;
  CHECK_REFUSED("options", lanemax_trainer_step(trainer, &step, &batch, &result, &status));
  result.struct_size = 0;
  CHECK_REFUSED("result", lanemax_trainer_step(trainer, NULL, &batch, &result, &status));
  result.struct_size = sizeof result;
  large.features.data = more_points;
  large.features.samples = large.labels.count = 4096;
  large.labels.data = more_corners;
  CHECK_CODE(LANEMAX_WORKSPACE_TOO_SMALL, lanemax_trainer_step(trainer, NULL, &large, &result, &status));
  CHECK(result.objective == 77);
  lanemax_trainer_free(trainer);
}
