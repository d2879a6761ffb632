// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_C_API_CHECKS_H
#define LANEMAX_TESTS_C_API_CHECKS_H

#include <lanemax/lanemax.h>
#include <stdio.h>
#include <string.h>

extern int failures;

#define CHECK(holds)                                                          \
  do {                                                                        \
    if (!(holds)) {                                                           \
      ++failures;                                                             \
      (void)printf("%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
    }                                                                         \
  } while (0)

/// `call` uses `&status`. What it returns is `code`, and the status says the same.
#define CHECK_CODE(expected_code, call)                                                                 \
  do {                                                                                                  \
    lanemax_status status;                                                                              \
    int32_t returned;                                                                                   \
    char said[512];                                                                                     \
    memset(&status, 0x5a, sizeof status);                                                               \
    returned = (call);                                                                                  \
    (void)lanemax_status_message(&status, said, sizeof said);                                           \
    if (returned != (expected_code) || status.code != returned) {                                       \
      ++failures;                                                                                       \
      (void)printf("%s:%d: %s\n  returned %s, status %s; expected %s: %s\n", __FILE__, __LINE__, #call, \
                   lanemax_code_name(returned), said, lanemax_code_name(expected_code),                 \
                   lanemax_code_name(status.code));                                                     \
    }                                                                                                   \
  } while (0)
#define CHECK_OK(call) CHECK_CODE(LANEMAX_OK, call)
/// A bad argument of this name.
#define CHECK_REFUSED(argument, call)                                                                                  \
  do {                                                                                                                 \
    lanemax_status status = {0};                                                                                       \
    int32_t returned = (call);                                                                                         \
    if (returned != LANEMAX_INVALID_ARGUMENT || status.code != returned || strcmp(status.what, argument) != 0) {       \
      ++failures;                                                                                                      \
      (void)printf("%s:%d: %s\n  returned %s of '%s'; expected invalid_argument of '%s'\n", __FILE__, __LINE__, #call, \
                   lanemax_code_name(returned), status.what, argument);                                                \
    }                                                                                                                  \
  } while (0)

/// Six points around three corners.
extern const float points[12];
extern const int32_t corners[6];
extern const char* const corner_names[3];
lanemax_batch point_batch(void);
/// A model that knows the corners.
lanemax_model* point_model(void);

void check_status(void);
void check_model(const char* directory);
void check_predictor(const char* directory);
void check_trainer(void);
void check_fit(const char* directory);
void check_path(void);

#endif
