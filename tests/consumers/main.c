/* SPDX-License-Identifier: BSD-3-Clause */
#include <lanemax/lanemax.h>

#include <stdio.h>
#include <string.h>

int main(void) {
  const float weights[4] = {1, 0, 0, 1}, sample[2] = {0.25F, 0.5F};
  lanemax_const_weights given;
  lanemax_predictor* predictor = NULL;
  memset(&given, 0, sizeof given);
  given.weights.data = weights;
  given.weights.rows = given.weights.cols = given.weights.row_stride = 2;
  given.weights.col_stride = 1;
  if (lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &given, LANEMAX_ISA_DEFAULT, &predictor, NULL) != LANEMAX_OK) {
    return 1;
  }
  if (lanemax_predict(predictor, sample, LANEMAX_F32, 2) == 1) puts("as it should be");
  lanemax_predictor_free(predictor);
  return 0;
}
