// SPDX-License-Identifier: BSD-3-Clause
//
// A C99 program that calls every function of lanemax.h, with good arguments and with bad ones.
//   c_api_test DIRECTORY   where files may be written
#include "checks.h"

int failures = 0;

const float points[12] = {0, 1, 1, 0, 5, 1, 6, 0, 1, 6, 0, 7};
const int32_t corners[6] = {0, 0, 1, 1, 2, 2};
const char* const corner_names[3] = {"low", "right", "up"};

lanemax_batch point_batch(void) {
  lanemax_batch batch = {.struct_size = sizeof batch};
  batch.features.data = points;
  batch.features.samples = 6;
  batch.features.features = 2;
  batch.labels.data = corners;
  batch.labels.count = 6;
  batch.labels.type = LANEMAX_LABELS_I32;
  return batch;
}

lanemax_model* point_model(void) {
  const lanemax_batch batch = point_batch();
  lanemax_model* model = NULL;
  CHECK_OK(lanemax_fit(&batch, NULL, corner_names, 3, &model, NULL, &status));
  return model;
}

int main(int count, char** arguments) {
  if (count != 2) return (void)fprintf(stderr, "expected a directory\n"), 2;
  check_status();
  check_model(arguments[1]);
  check_predictor(arguments[1]);
  check_trainer();
  check_fit(arguments[1]);
  check_path();
  if (failures > 0) return (void)printf("%d failures\n", failures), 1;
  (void)printf("as it should be\n");
  return 0;
}
