// SPDX-License-Identifier: BSD-3-Clause
#include "checks.h"

#include <math.h>

static void check_one(const lanemax_predictor* p) {
  const float right[2] = {5, 2};
  const double right_f64[2] = {5, 2};
  const uint8_t right_u8[2] = {5, 2};
  const uint16_t right_f16[2] = {0x4500, 0x4000}, right_bf16[2] = {0x40a0, 0x4000};
  const float not_finite[2] = {5, NAN};
  float z[3], p_all[3], p_best[2];
  int32_t best[2];

  CHECK(lanemax_predict(p, right, LANEMAX_F32, 2) == 1);
  CHECK(lanemax_predict(p, right_f64, LANEMAX_F64, 2) == 1);
  CHECK(lanemax_predict(p, right_u8, LANEMAX_U8, 2) == 1);
  CHECK(lanemax_predict(p, right_f16, LANEMAX_F16, 2) == 1);
  CHECK(lanemax_predict(p, right_bf16, LANEMAX_BF16, 2) == 1);
  CHECK(lanemax_predict_logits(p, right, LANEMAX_F32, 2, z, 3) == 1 && z[1] > z[0] && z[1] > z[2]);
  CHECK(lanemax_predict_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, p_all, 3) == 1 && p_all[1] > 0.5f);
  CHECK(fabsf(p_all[0] + p_all[1] + p_all[2] - 1) < 1e-6f);
  CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 0, best, p_best, 2) == 1);
  CHECK(best[0] == 1 && p_best[0] == p_all[1] && p_best[1] == p_all[best[1]]);
  CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 0, best, NULL, 2) == 1);

  CHECK(lanemax_predict(p, not_finite, LANEMAX_F32, 2) == LANEMAX_NO_CLASS_NOT_FINITE);
  CHECK(lanemax_predict_logits(p, not_finite, LANEMAX_F32, 2, z, 3) == LANEMAX_NO_CLASS_NOT_FINITE && isnan(z[2]));

  z[0] = p_all[0] = p_best[0] = 77;
  best[0] = 77;
  CHECK(lanemax_predict(p, right, LANEMAX_F32, 3) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict(p, NULL, LANEMAX_F32, 0) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict(p, NULL, LANEMAX_F32, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict(NULL, right, LANEMAX_F32, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict(p, right, 5, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict(p, right, 256, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict(p, right, -1, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_logits(p, right, LANEMAX_F32, 2, z, 2) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict_logits(p, right, LANEMAX_F32, 2, NULL, 3) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_logits(NULL, right, LANEMAX_F32, 2, z, 3) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, p_all, 2) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict_probabilities(p, right, LANEMAX_F32, 2, NULL, 1, p_all, 3) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, NULL, 3) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_log_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, p_all, 2) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict_log_probabilities(p, right, LANEMAX_F32, 2, NULL, 1, p_all, 3) ==
        LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_log_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, NULL, 3) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_log_probabilities(NULL, right, LANEMAX_F32, 2, NULL, 0, p_all, 3) ==
        LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_probabilities(NULL, right, LANEMAX_F32, 2, NULL, 0, p_all, 3) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 0, best, p_best, 4) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 0, best, p_best, 0) == LANEMAX_NO_CLASS_WRONG_SIZE);
  CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 0, NULL, p_best, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 9, best, p_best, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(lanemax_predict_top_k(NULL, right, LANEMAX_F32, 2, NULL, 0, best, p_best, 2) == LANEMAX_NO_CLASS_BAD_ARGUMENT);
  CHECK(z[0] == 77 && p_all[0] == 77 && p_best[0] == 77 && best[0] == 77);
}

static void check_batch(const lanemax_predictor* p) {
  int32_t classes[6], best[6];
  float log_p[18];
  float z[18], p_all[18], p_best[6];
  char workspace[65536];
  const lanemax_batch batch = point_batch();
  const lanemax_features x = batch.features;
  lanemax_features bad = x;
  lanemax_predictions out = {.struct_size = sizeof out};
  lanemax_predictions bad_out;
  const size_t size = lanemax_predictor_batch_workspace_bytes(p, 1);
  CHECK(size > 0 && size <= sizeof workspace);
  CHECK(lanemax_predictor_batch_workspace_bytes(p, 2) > size && lanemax_predictor_batch_workspace_bytes(NULL, 1) == 0);

  out.classes = classes;
  out.class_count = 6;
  out.logits = (lanemax_matrix){z, 6, 3, 0, 0};
  out.probabilities = (lanemax_matrix){p_all, 6, 3, 0, 0};
  out.log_probabilities = (lanemax_matrix){log_p, 6, 3, 0, 0};
  out.top_classes = (lanemax_index_matrix){best, 6, 1, 0, 0};
  out.top_probabilities = (lanemax_matrix){p_best, 6, 1, 0, 0};
  CHECK_OK(lanemax_predict_batch(p, &x, 1, workspace, sizeof workspace, &out, &status));
  CHECK(memcmp(classes, corners, sizeof classes) == 0 && memcmp(best, corners, sizeof best) == 0);
  for (int i = 0; i < 6; ++i) {
    float one[3];
    CHECK(lanemax_predict_logits(p, points + 2 * i, LANEMAX_F32, 2, one, 3) == classes[i]);
    CHECK(memcmp(one, z + 3 * i, sizeof one) == 0);
    CHECK(lanemax_predict_probabilities(p, points + 2 * i, LANEMAX_F32, 2, NULL, 0, one, 3) == classes[i]);
    CHECK(memcmp(one, p_all + 3 * i, sizeof one) == 0 && p_best[i] == one[best[i]]);
    for (int c = 0; c < 3; ++c) CHECK(fabsf(expf(log_p[3 * i + c]) - one[c]) < 1e-6f);
    CHECK(lanemax_predict_log_probabilities(p, points + 2 * i, LANEMAX_F32, 2, NULL, 0, one, 3) == classes[i]);
    CHECK(memcmp(one, log_p + 3 * i, sizeof one) == 0);
  }

  classes[0] = 77;
  CHECK_REFUSED("predictor", lanemax_predict_batch(NULL, &x, 1, workspace, sizeof workspace, &out, &status));
  CHECK_REFUSED("features", lanemax_predict_batch(p, NULL, 1, workspace, sizeof workspace, &out, &status));
  CHECK_REFUSED("out", lanemax_predict_batch(p, &x, 1, workspace, sizeof workspace, NULL, &status));
  CHECK_REFUSED("workspace", lanemax_predict_batch(p, &x, 1, NULL, sizeof workspace, &out, &status));
  CHECK_REFUSED("threads", lanemax_predict_batch(p, &x, 0, workspace, sizeof workspace, &out, &status));
  CHECK_CODE(LANEMAX_WORKSPACE_TOO_SMALL, lanemax_predict_batch(p, &x, 1, workspace, size - 1, &out, &status));
  bad.type = 5;
  CHECK_REFUSED("features.type", lanemax_predict_batch(p, &bad, 1, workspace, sizeof workspace, &out, &status));
  bad = x;
  bad.data = NULL;
  CHECK_REFUSED("features", lanemax_predict_batch(p, &bad, 1, workspace, sizeof workspace, &out, &status));
  bad = x;
  bad.features = 3;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_predict_batch(p, &bad, 1, workspace, sizeof workspace, &out, &status));
  bad = x;
  bad.reserved = 1;
  CHECK_REFUSED("reserved", lanemax_predict_batch(p, &bad, 1, workspace, sizeof workspace, &out, &status));
  bad_out = out;
  bad_out.classes = NULL;
  CHECK_REFUSED("classes", lanemax_predict_batch(p, &x, 1, workspace, sizeof workspace, &bad_out, &status));
  bad_out = out;
  bad_out.logits.data = NULL;
  CHECK_REFUSED("logits", lanemax_predict_batch(p, &x, 1, workspace, sizeof workspace, &bad_out, &status));
  bad_out = out;
  bad_out.class_count = 5;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_predict_batch(p, &x, 1, workspace, sizeof workspace, &bad_out, &status));
  bad_out = out;
  bad_out.struct_size = 8;
  CHECK_REFUSED("out", lanemax_predict_batch(p, &x, 1, workspace, sizeof workspace, &bad_out, &status));
  CHECK(classes[0] == 77);
}

static void check_from_weights(void) {
  const float w[2] = {1, -1}, one[2] = {3, 1};
  lanemax_const_weights weights = {{w, 1, 2, 0, 0}, NULL, 0};
  lanemax_predictor *p = NULL, *const none = NULL;
  float z, p_both[2];
  CHECK_OK(lanemax_predictor_from_weights(LANEMAX_LOGISTIC, &weights, LANEMAX_ISA_DEFAULT, &p, &status));
  CHECK(lanemax_predictor_classes(p) == 2 && lanemax_predictor_scores(p) == 1 && lanemax_predictor_features(p) == 2);
  CHECK(lanemax_predictor_label(p, 0) == NULL);
  CHECK(lanemax_predict_logits(p, one, LANEMAX_F32, 2, &z, 1) == 1 && z == 2);
  CHECK(lanemax_predict_probabilities(p, one, LANEMAX_F32, 2, NULL, 0, p_both, 2) == 1 && p_both[1] > 0.88f);
  lanemax_predictor_free(p);
  p = none;
  CHECK_REFUSED("loss", lanemax_predictor_from_weights(7, &weights, LANEMAX_ISA_DEFAULT, &p, &status));
  CHECK_REFUSED("weights", lanemax_predictor_from_weights(LANEMAX_SOFTMAX, NULL, LANEMAX_ISA_DEFAULT, &p, &status));
  CHECK_REFUSED("isa", lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &weights, 99, &p, &status));
  CHECK_REFUSED("predictor", lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &weights, 0, NULL, &status));
  weights.bias_count = 1;
  CHECK_REFUSED("bias", lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &weights, 0, &p, &status));
  weights.bias_count = 0;
  weights.weights.rows = 0;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &weights, 0, &p, &status));
  CHECK(p == none);
}

static void check_threshold(lanemax_model* model) {
  const float right[2] = {5, 2};
  lanemax_predictor *p = NULL, *const none = NULL;
  float p_all[3], p_again[3], z[3];
  int32_t best[1];
  CHECK(lanemax_predictor_threshold(NULL) == 0);
  CHECK_OK(lanemax_predictor_create(model, LANEMAX_ISA_DEFAULT, &p, &status));
  CHECK(lanemax_predictor_threshold(p) == 0);
  CHECK(lanemax_predict_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, p_all, 3) == 1 && p_all[1] < 1);
  lanemax_predictor_free(p);
  for (int abstains = 0; abstains < 2; ++abstains) {
    const double threshold = abstains ? nextafterf(p_all[1], 1) : p_all[1];
    const int32_t expected = abstains ? LANEMAX_NO_CLASS_ABSTAINED : 1;
    p = none;
    CHECK_OK(lanemax_model_set_threshold(model, threshold, &status));
    CHECK_OK(lanemax_predictor_create(model, LANEMAX_ISA_DEFAULT, &p, &status));
    CHECK(lanemax_predictor_threshold(p) == threshold);
    CHECK(lanemax_predict(p, right, LANEMAX_F32, 2) == expected);
    CHECK(lanemax_predict_logits(p, right, LANEMAX_F32, 2, z, 3) == expected && z[1] > z[0] && z[1] > z[2]);
    CHECK(lanemax_predict_probabilities(p, right, LANEMAX_F32, 2, NULL, 0, p_again, 3) == expected);
    CHECK(memcmp(p_all, p_again, sizeof p_all) == 0);
    CHECK(lanemax_predict_top_k(p, right, LANEMAX_F32, 2, NULL, 0, best, NULL, 1) == expected && best[0] == 1);
    lanemax_predictor_free(p);
  }
  CHECK_OK(lanemax_model_set_threshold(model, 0, &status));
}

void check_predictor(const char* directory) {
  char path[1024];
  lanemax_model* const model = point_model();
  lanemax_predictor *p = NULL, *loaded = NULL, *const none = NULL;
  (void)snprintf(path, sizeof path, "%s/predicted.safetensors", directory);
  CHECK_OK(lanemax_predictor_create(model, LANEMAX_ISA_DEFAULT, &p, &status));
  CHECK(lanemax_predictor_features(p) == 2 && lanemax_predictor_classes(p) == 3 && lanemax_predictor_scores(p) == 3);
  CHECK(lanemax_predictor_workspace_bytes(p) == 0 && lanemax_predictor_workspace_bytes(NULL) == 0);
  CHECK(strcmp(lanemax_predictor_label(p, 1), "right") == 0);
  CHECK(lanemax_predictor_label(p, 3) == NULL && lanemax_predictor_label(p, -1) == NULL);
  CHECK(lanemax_predictor_label(NULL, 0) == NULL && lanemax_predictor_features(NULL) == 0);
  CHECK(lanemax_predictor_classes(NULL) == 0 && lanemax_predictor_scores(NULL) == 0);
  check_one(p);
  check_batch(p);
  check_from_weights();
  check_threshold(model);

  CHECK_OK(lanemax_model_save(model, path, &status));
  CHECK_OK(lanemax_predictor_load(path, lanemax_active_isa(), &loaded, &status));
  check_one(loaded);
  lanemax_predictor_free(loaded);
  loaded = none;
  CHECK_REFUSED("model", lanemax_predictor_create(NULL, LANEMAX_ISA_DEFAULT, &loaded, &status));
  CHECK_REFUSED("isa", lanemax_predictor_create(model, 5, &loaded, &status));
  CHECK_REFUSED("predictor", lanemax_predictor_create(model, LANEMAX_ISA_DEFAULT, NULL, &status));
  CHECK_REFUSED("path", lanemax_predictor_load(NULL, LANEMAX_ISA_DEFAULT, &loaded, &status));
  CHECK_REFUSED("isa", lanemax_predictor_load(path, -1, &loaded, &status));
  CHECK_REFUSED("predictor", lanemax_predictor_load(path, LANEMAX_ISA_DEFAULT, NULL, &status));
  CHECK_CODE(LANEMAX_MISSING_FILE, lanemax_predictor_load("/no/such/file", LANEMAX_ISA_DEFAULT, &loaded, &status));
  CHECK(loaded == none);
  lanemax_predictor_free(NULL);
  lanemax_predictor_free(p);
  lanemax_model_free(model);
}
