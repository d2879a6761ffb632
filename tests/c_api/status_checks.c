// SPDX-License-Identifier: BSD-3-Clause
//
// Version, statuses, instruction sets, names, the sizes of structs.
#include "checks.h"

#include <stddef.h>

// What programs have been compiled with. Fields are only appended: these sizes may grow, the places stay.
static void check_layout(void) {
  if (sizeof(void*) != 8) return;
  CHECK(sizeof(lanemax_status) == 768 && offsetof(lanemax_status, reserved) == 520);
  CHECK(sizeof(lanemax_features) == 48 && sizeof(lanemax_labels) == 24 && sizeof(lanemax_scaling) == 32);
  CHECK(sizeof(lanemax_matrix) == 40 && sizeof(lanemax_const_matrix) == 40 && sizeof(lanemax_index_matrix) == 40);
  CHECK(sizeof(lanemax_weights) == 56 && sizeof(lanemax_const_weights) == 56 && sizeof(lanemax_objective) == 32);
  CHECK(sizeof(lanemax_batch) == 184 && offsetof(lanemax_batch, scaling) == 152);
  CHECK(sizeof(lanemax_model_parts) == 120 && offsetof(lanemax_model_parts, reserved) == 116);
  CHECK(sizeof(lanemax_predictions) == 224 && offsetof(lanemax_predictions, top_probabilities) == 184);
  CHECK(sizeof(lanemax_loss_options) == 48 && offsetof(lanemax_loss_options, isa) == 44);
  CHECK(sizeof(lanemax_loss_result) == 48 && offsetof(lanemax_loss_result, reserved) == 44);
  CHECK(sizeof(lanemax_trainer_options) == 80 && offsetof(lanemax_trainer_options, reserved) == 76);
  CHECK(sizeof(lanemax_step_options) == 48 && offsetof(lanemax_step_options, reserved) == 44);
  CHECK(sizeof(lanemax_fit_progress) == 136 && offsetof(lanemax_fit_progress, reserved) == 132);
  CHECK(sizeof(lanemax_fit_options) == 216 && offsetof(lanemax_fit_options, isa) == 212);
  CHECK(sizeof(lanemax_fit_result) == 888 && offsetof(lanemax_fit_result, checkpoint_error) == 120);
  CHECK(sizeof(lanemax_path_options) == 72 && offsetof(lanemax_path_options, reserved) == 68);
  CHECK(sizeof(lanemax_path_summary) == 56 && offsetof(lanemax_path_summary, seconds) == 48);
  CHECK(sizeof(lanemax_path_point) == 48 && offsetof(lanemax_path_point, finished) == 44);
  CHECK(sizeof(lanemax_fold_score) == 32 && offsetof(lanemax_fold_score, weight) == 24);
}

static void check_names(void) {
  CHECK(strcmp(lanemax_code_name(LANEMAX_OK), "ok") == 0);
  CHECK(strcmp(lanemax_code_name(LANEMAX_OUT_OF_MEMORY), "out_of_memory") == 0);
  CHECK(strcmp(lanemax_code_name(20), "unknown") == 0 && strcmp(lanemax_code_name(256), "unknown") == 0);
  CHECK(strcmp(lanemax_loss_name(LANEMAX_HINGE), "hinge") == 0);
  CHECK(strcmp(lanemax_loss_name(-1), "unknown") == 0 && strcmp(lanemax_loss_name(256), "unknown") == 0);
  CHECK(strcmp(lanemax_solver_name(LANEMAX_SOLVER_NEWTON), "newton") == 0);
  CHECK(strcmp(lanemax_solver_name(7), "unknown") == 0);
  CHECK(strcmp(lanemax_preconditioner_name(LANEMAX_PRECONDITIONER_GRAM), "gram") == 0);
  CHECK(strcmp(lanemax_preconditioner_name(6), "unknown") == 0);
  CHECK(strcmp(lanemax_stop_reason_name(LANEMAX_STOP_NO_PROGRESS), "no_progress") == 0);
  CHECK(strcmp(lanemax_stop_reason_name(9), "unknown") == 0);
  CHECK(strcmp(lanemax_isa_name(LANEMAX_ISA_AVX2_FMA), "avx2_fma") == 0);
  CHECK(strcmp(lanemax_isa_name(LANEMAX_ISA_DEFAULT), "unknown") == 0 && strcmp(lanemax_isa_name(258), "unknown") == 0);
}

static void check_message(void) {
  const char* const whole = "labels: label out of range '7', row 3; expected class indices";
  char text[128], part[8];
  lanemax_status made;
  CHECK(lanemax_isa_from_name("mmx", &(int32_t){0}, &made) == LANEMAX_ISA_UNKNOWN);
  CHECK(lanemax_status_message(&made, text, sizeof text) == strlen(text));
  CHECK(strcmp(text, "isa: unknown instruction set 'mmx'; expected avx512, avx2_fma, sse2 or neon") == 0);

  memset(&made, 0, sizeof made);
  made.code = LANEMAX_LABEL_OUT_OF_RANGE;
  made.row = 3;
  made.line = made.column = made.byte = -1;
  (void)strcpy(made.what, "labels");
  (void)strcpy(made.expected, "class indices");
  (void)strcpy(made.found, "7");
  CHECK(lanemax_status_message(&made, text, sizeof text) == strlen(whole) && strcmp(text, whole) == 0);
  CHECK(lanemax_status_message(&made, part, sizeof part) == strlen(whole) && strcmp(part, "labels:") == 0);
  CHECK(lanemax_status_message(&made, NULL, 0) == strlen(whole));
  CHECK(lanemax_status_message(&made, NULL, 5) == strlen(whole));
  CHECK(lanemax_status_message(NULL, text, sizeof text) == 0);
  memset(&made, 'x', sizeof made);  // no NUL anywhere
  CHECK(lanemax_status_message(&made, text, sizeof text) > 0 && strlen(text) < sizeof text);
}

static void check_isas(void) {
  const int32_t active = lanemax_active_isa();
  int32_t found = 77;
  size_t known = 0;
  CHECK(active > LANEMAX_ISA_DEFAULT && active <= LANEMAX_ISA_NEON);
  CHECK_OK(lanemax_check_isa(active, &status));
  CHECK_OK(lanemax_initialize(LANEMAX_ISA_DEFAULT, &status));
  CHECK_OK(lanemax_initialize(active, &status));
  CHECK(lanemax_initialize(active, NULL) == LANEMAX_OK);
  for (; lanemax_known_isa(known) != LANEMAX_ISA_DEFAULT; ++known) {
    const int32_t isa = lanemax_known_isa(known), checked = lanemax_check_isa(isa, NULL);
    CHECK_OK(lanemax_isa_from_name(lanemax_isa_name(isa), &found, &status));
    CHECK(found == isa);
    CHECK(checked == LANEMAX_OK || checked == LANEMAX_ISA_NOT_COMPILED || checked == LANEMAX_ISA_NOT_SUPPORTED);
  }
  CHECK(known == 4 && lanemax_known_isa((size_t)-1) == LANEMAX_ISA_DEFAULT);
  CHECK_REFUSED("isa", lanemax_check_isa(5, &status));
  CHECK_REFUSED("isa", lanemax_check_isa(256, &status));
  CHECK_REFUSED("isa", lanemax_initialize(-1, &status));
  found = 77;
  CHECK_REFUSED("name", lanemax_isa_from_name(NULL, &found, &status));
  CHECK_REFUSED("isa", lanemax_isa_from_name("sse2", NULL, &status));
  CHECK_CODE(LANEMAX_ISA_UNKNOWN, lanemax_isa_from_name("SSE2", &found, &status));
  CHECK(found == 77);
}

void check_status(void) {
  char version[32];
  (void)snprintf(version, sizeof version, "%d.%d.%d", LANEMAX_VERSION_MAJOR, LANEMAX_VERSION_MINOR,
                 LANEMAX_VERSION_PATCH);
  CHECK(strcmp(lanemax_version_string(), version) == 0);
  CHECK(lanemax_version_number() == LANEMAX_VERSION_NUMBER);
  check_layout();
  check_names();
  check_message();
  check_isas();
}
