// SPDX-License-Identifier: BSD-3-Clause
#include "checks.h"

static const float weights[6] = {1, 2, 3, 4, 5, 6};
static const float bias[3] = {7, 8, 9};
static const char* const feature_names[2] = {"east", "north"};

static lanemax_model_parts parts_of_model(void) {
  lanemax_model_parts parts = {.struct_size = sizeof parts};
  parts.weights.weights.data = weights;
  parts.weights.weights.rows = 3;
  parts.weights.weights.cols = 2;
  parts.weights.bias = bias;
  parts.weights.bias_count = 3;
  parts.class_labels = corner_names;
  parts.class_count = 3;
  parts.feature_names = feature_names;
  parts.feature_name_count = 2;
  return parts;
}

static void check_accessors(const lanemax_model* model) {
  CHECK(lanemax_model_loss(model) == LANEMAX_SOFTMAX);
  CHECK(lanemax_model_features(model) == 2 && lanemax_model_classes(model) == 3 && lanemax_model_scores(model) == 3);
  CHECK(strcmp(lanemax_model_class_label(model, 2), "up") == 0 && lanemax_model_class_label(model, 3) == NULL);
  CHECK(strcmp(lanemax_model_feature_name(model, 1), "north") == 0 && lanemax_model_feature_name(model, 2) == NULL);
  CHECK(memcmp(lanemax_model_weights(model), weights, sizeof weights) == 0);
  CHECK(memcmp(lanemax_model_bias(model), bias, sizeof bias) == 0);
  CHECK(lanemax_model_centre(model) == NULL);
  CHECK(lanemax_model_threshold(model) == 0);
}

static void check_nothing(void) {
  CHECK(lanemax_model_loss(NULL) == 0 && lanemax_model_features(NULL) == 0 && lanemax_model_classes(NULL) == 0);
  CHECK(lanemax_model_scores(NULL) == 0 && lanemax_model_class_label(NULL, 0) == NULL);
  CHECK(lanemax_model_feature_name(NULL, 0) == NULL && lanemax_model_weights(NULL) == NULL);
  CHECK(lanemax_model_bias(NULL) == NULL && lanemax_model_centre(NULL) == NULL);
  CHECK(lanemax_model_threshold(NULL) == 0);
  CHECK(lanemax_bytes_data(NULL) == NULL && lanemax_bytes_size(NULL) == 0);
  lanemax_model_free(NULL);
  lanemax_bytes_free(NULL);
}

static void check_parts(void) {
  static const float by_features[6] = {1, 3, 5, 2, 4, 6};
  static const double centre[2] = {1e9, 2e9};
  static const char* const no_text[3] = {"low", NULL, "up"};
  struct {
    lanemax_model_parts known;
    char of_the_future[16];
  } newer;
  lanemax_model_parts parts = parts_of_model();
  lanemax_model *model = NULL, *const none = NULL;

  parts.weights.weights.data = by_features;  // features x classes
  parts.weights.weights.row_stride = 1;
  parts.weights.weights.col_stride = 3;
  CHECK_OK(lanemax_model_create(&parts, &model, &status));
  check_accessors(model);
  lanemax_model_free(model);

  parts = parts_of_model();
  parts.class_labels = NULL;
  parts.class_count = 0;
  parts.weights.bias_count = 0;
  parts.centre = centre;
  parts.centre_count = 2;
  CHECK_OK(lanemax_model_create(&parts, &model, &status));
  CHECK(strcmp(lanemax_model_class_label(model, 2), "2") == 0 && lanemax_model_bias(model)[2] == 0);
  CHECK(memcmp(lanemax_model_centre(model), centre, sizeof centre) == 0);
  lanemax_model_free(model);
  model = none;

  parts = parts_of_model();
  CHECK_REFUSED("parts", lanemax_model_create(NULL, &model, &status));
  CHECK_REFUSED("model", lanemax_model_create(&parts, NULL, &status));
  parts.struct_size -= 8;
  CHECK_REFUSED("parts", lanemax_model_create(&parts, &model, &status));
  parts.struct_size = (size_t)-1;
  CHECK_REFUSED("parts", lanemax_model_create(&parts, &model, &status));
  parts.struct_size = 0;
  CHECK_REFUSED("parts", lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.loss = 3;
  CHECK_REFUSED("loss", lanemax_model_create(&parts, &model, &status));
  parts.loss = 256;
  CHECK_REFUSED("loss", lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.weights.weights.data = NULL;
  CHECK_REFUSED("weights", lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.weights.bias = NULL;
  CHECK_REFUSED("bias", lanemax_model_create(&parts, &model, &status));
  parts.weights.bias = bias;
  parts.weights.bias_count = 2;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.class_labels = no_text;
  CHECK_REFUSED("class_labels", lanemax_model_create(&parts, &model, &status));
  parts.class_labels = NULL;
  CHECK_REFUSED("class_labels", lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.class_count = 2;
  CHECK(lanemax_model_create(&parts, &model, NULL) != LANEMAX_OK);
  parts = parts_of_model();
  parts.weights.weights.rows = 0;
  CHECK_CODE(LANEMAX_SHAPE_MISMATCH, lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.weights.weights.rows = (size_t)-1;
  parts.weights.weights.cols = (size_t)-1;
  parts.weights.bias_count = 0;
  CHECK_CODE(LANEMAX_OUT_OF_MEMORY, lanemax_model_create(&parts, &model, &status));
  parts = parts_of_model();
  parts.reserved = 1;
  CHECK_REFUSED("reserved", lanemax_model_create(&parts, &model, &status));
  CHECK(model == none);

  // A header with more fields is as good while they are 0.
  memset(&newer, 0, sizeof newer);
  newer.known = parts_of_model();
  newer.known.struct_size = sizeof newer;
  CHECK_OK(lanemax_model_create(&newer.known, &model, &status));
  lanemax_model_free(model);
  model = none;
  newer.of_the_future[15] = 1;
  CHECK_REFUSED("parts", lanemax_model_create(&newer.known, &model, &status));
  CHECK(model == none);
}

void check_model(const char* directory) {
  char path[1024];
  const lanemax_model_parts parts = parts_of_model();
  lanemax_model *model = NULL, *loaded = NULL, *const none = NULL;
  lanemax_bytes *bytes = NULL, *again = NULL;
  (void)snprintf(path, sizeof path, "%s/model.safetensors", directory);

  check_nothing();
  check_parts();
  CHECK_OK(lanemax_model_create(&parts, &model, &status));
  check_accessors(model);
  CHECK_OK(lanemax_model_save(model, path, &status));
  CHECK_OK(lanemax_model_load(path, &loaded, &status));
  check_accessors(loaded);
  lanemax_model_free(loaded);
  CHECK_OK(lanemax_model_to_bytes(model, &bytes, &status));
  CHECK_OK(lanemax_model_from_bytes(lanemax_bytes_data(bytes), lanemax_bytes_size(bytes), &loaded, &status));
  check_accessors(loaded);
  CHECK_OK(lanemax_model_to_bytes(loaded, &again, &status));
  CHECK(lanemax_bytes_size(bytes) == lanemax_bytes_size(again) &&
        memcmp(lanemax_bytes_data(bytes), lanemax_bytes_data(again), lanemax_bytes_size(bytes)) == 0);

  CHECK_REFUSED("names", lanemax_model_set_feature_names(model, NULL, 2, &status));
  CHECK(lanemax_model_set_feature_names(model, feature_names, 1, NULL) != LANEMAX_OK);
  check_accessors(model);
  CHECK_OK(lanemax_model_set_feature_names(model, NULL, 0, &status));
  CHECK(lanemax_model_feature_name(model, 0) == NULL);
  CHECK_OK(lanemax_model_set_feature_names(model, feature_names, 2, &status));
  check_accessors(model);
  CHECK_REFUSED("model", lanemax_model_set_feature_names(NULL, feature_names, 2, &status));
  lanemax_model_free(loaded);
  loaded = none;

  CHECK_OK(lanemax_model_set_threshold(model, 0.9, &status));
  CHECK_REFUSED("threshold", lanemax_model_set_threshold(model, 1.5, &status));
  CHECK_REFUSED("threshold", lanemax_model_set_threshold(model, -0.1, &status));
  CHECK_REFUSED("model", lanemax_model_set_threshold(NULL, 0.5, &status));
  CHECK(lanemax_model_set_threshold(model, 2, NULL) != LANEMAX_OK);
  CHECK(lanemax_model_threshold(model) == 0.9);
  CHECK_OK(lanemax_model_save(model, path, &status));
  CHECK_OK(lanemax_model_load(path, &loaded, &status));
  CHECK(lanemax_model_threshold(loaded) == 0.9);
  lanemax_model_free(loaded);
  loaded = none;
  CHECK_OK(lanemax_model_set_threshold(model, 0, &status));
  check_accessors(model);

  CHECK_REFUSED("path", lanemax_model_load(NULL, &loaded, &status));
  CHECK_REFUSED("model", lanemax_model_load(path, NULL, &status));
  CHECK_CODE(LANEMAX_MISSING_FILE, lanemax_model_load("/no/such/file", &loaded, &status));
  CHECK_REFUSED("model", lanemax_model_save(NULL, path, &status));
  CHECK_REFUSED("path", lanemax_model_save(model, NULL, &status));
  CHECK_CODE(LANEMAX_IO_ERROR, lanemax_model_save(model, "/no/such/directory/file", &status));
  CHECK_REFUSED("bytes", lanemax_model_from_bytes(NULL, 8, &loaded, &status));
  CHECK_REFUSED("model", lanemax_model_from_bytes("", 0, NULL, &status));
  CHECK_CODE(LANEMAX_BAD_MODEL, lanemax_model_from_bytes(NULL, 0, &loaded, &status));
  CHECK_CODE(LANEMAX_BAD_MODEL,
             lanemax_model_from_bytes(lanemax_bytes_data(bytes), lanemax_bytes_size(bytes) - 1, &loaded, &status));
  CHECK_REFUSED("model", lanemax_model_to_bytes(NULL, &bytes, &status));
  CHECK_REFUSED("bytes", lanemax_model_to_bytes(model, NULL, &status));
  CHECK(loaded == none);
  lanemax_bytes_free(bytes);
  lanemax_bytes_free(again);
  lanemax_model_free(model);
}
