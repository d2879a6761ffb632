// SPDX-License-Identifier: BSD-3-Clause
//
// load_often LIBRARY: a host that loads the library, predicts on two threads and unloads it, a hundred times. From the
// first round on it has as many threads as before, and the answers are the same.
#include <lanemax/lanemax.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2000, FEATURES = 100, CLASSES = 40, ROUNDS = 100 };
static float weights[CLASSES * FEATURES], samples[ROWS * FEATURES];
static int32_t first_classes[ROWS], classes[ROWS];

static int count_threads(void) {
  int count = 0;
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == NULL) return -1;
  for (const struct dirent* task; (task = readdir(tasks)) != NULL;) count += task->d_name[0] != '.';
  closedir(tasks);
  return count;
}

// POSIX lets what dlsym() finds be a function; C has no cast for it.
#define FIND(library, name)                  \
  __typeof__(&name) name##_;                 \
  *(void**)&name##_ = dlsym(library, #name); \
  if (name##_ == NULL) return "dlsym: " #name

static const char* predict(void* library) {
  FIND(library, lanemax_predictor_from_weights);
  FIND(library, lanemax_predictor_free);
  FIND(library, lanemax_predictor_batch_workspace_bytes);
  FIND(library, lanemax_predict_batch);
  const lanemax_const_weights given = {{weights, CLASSES, FEATURES, FEATURES, 1}, NULL, 0};
  const lanemax_features features = {samples, ROWS, FEATURES, FEATURES, 1, LANEMAX_F32, 0};
  lanemax_predictor* predictor = NULL;
  if (lanemax_predictor_from_weights_(LANEMAX_SOFTMAX, &given, LANEMAX_ISA_DEFAULT, &predictor, NULL) != LANEMAX_OK) {
    return "no predictor";
  }
  const size_t size = lanemax_predictor_batch_workspace_bytes_(predictor, 2);
  void* const workspace = malloc(size);
  lanemax_predictions out;
  memset(&out, 0, sizeof out);
  out.struct_size = sizeof out;
  out.classes = classes;
  out.class_count = ROWS;
  const int32_t code = lanemax_predict_batch_(predictor, &features, 2, workspace, size, &out, NULL);
  free(workspace);
  lanemax_predictor_free_(predictor);
  return code == LANEMAX_OK ? NULL : "no predictions";
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (size_t i = 0; i < sizeof weights / sizeof *weights; ++i) weights[i] = (float)(i * 7919 % 101) / 101 - 0.5f;
  for (size_t i = 0; i < sizeof samples / sizeof *samples; ++i) samples[i] = (float)(i * 104729 % 97) / 97 - 0.5f;
  const int before = count_threads();
  for (int round = 0; round < ROUNDS; ++round) {
    void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return printf("round %d: %s\n", round, dlerror()), 1;
    const char* const wrong = predict(library);
    if (wrong != NULL) return printf("round %d: %s\n", round, wrong), 1;
    if (round == 0) memcpy(first_classes, classes, sizeof classes);
    if (memcmp(first_classes, classes, sizeof classes) != 0) return printf("round %d: other classes\n", round), 1;
    if (dlclose(library) != 0) return printf("round %d: %s\n", round, dlerror()), 1;
    const int threads = count_threads();
    if (threads != before) return printf("round %d: %d threads, before it %d\n", round, threads, before), 1;
  }
  puts("as it should be");
  return 0;
}
