// SPDX-License-Identifier: BSD-3-Clause
//
// lanemax for C99 and for whatever calls C. What a call computes, and what it refuses, is what the C++ header of the
// same subject says; here is only what differs.
//
// Kept: what a program was compiled with goes on to work with every later library. Functions and constants are only
// added, and structs that may grow begin with `struct_size`.
//
// Structs. `lanemax_batch batch = {.struct_size = sizeof batch};` leaves out all that is 0. Options have an init
// function, as not all of their defaults are 0: `lanemax_fit_options_init(&options, sizeof options)`. Of a struct from
// an older header the missing fields count as left at their defaults; one from a newer header is accepted as long as
// all that this library does not know is 0. Structs without `struct_size` never change; `reserved` is 0. NULL for
// options means their defaults.
//
// Calls return LANEMAX_OK or another code of those below, and say more in `status` unless that is NULL. Except where
// it is said, a call that fails leaves what its output arguments point to as it was. A NULL handle, data that is NULL
// with a count that is not 0 and a number that is no constant of its kind are LANEMAX_INVALID_ARGUMENT. A count of 0
// means that there is none, whatever the pointer, but for `selection`.
//
// Handles are made by calls that write them to a pointer of the caller's, and ended by ..._free(), which takes NULL,
// too. Any number of threads may use a handle through pointers to const at the same time; else one. A call copies what
// it keeps. What accessors return belongs to the handle, as long as it lives and is not changed; accessors of a NULL
// handle return 0 or NULL. Texts are UTF-8 and end with NUL.
#ifndef LANEMAX_LANEMAX_H
#define LANEMAX_LANEMAX_H

#include <lanemax/version.h>

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LANEMAX_API __attribute__((visibility("default")))
#else
#define LANEMAX_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---- version ----

/// Of this header: 0.2.0 is 2000, 1.0.0 is 1000000.
#define LANEMAX_VERSION_NUMBER (LANEMAX_VERSION_MAJOR * 1000000 + LANEMAX_VERSION_MINOR * 1000 + LANEMAX_VERSION_PATCH)
/// Of the library that runs, as LANEMAX_VERSION_NUMBER and as "0.2.0".
LANEMAX_API int32_t lanemax_version_number(void);
LANEMAX_API const char* lanemax_version_string(void);

// ---- status.hpp ----

enum {
  LANEMAX_OK = 0,
  LANEMAX_INVALID_ARGUMENT = 1,
  LANEMAX_ISA_UNKNOWN = 2,
  LANEMAX_ISA_NOT_COMPILED = 3,
  LANEMAX_ISA_NOT_SUPPORTED = 4,
  LANEMAX_WORKSPACE_TOO_SMALL = 5,
  LANEMAX_SHAPE_MISMATCH = 6,
  LANEMAX_LABEL_OUT_OF_RANGE = 7,
  LANEMAX_NOT_FINITE = 8,
  LANEMAX_OUT_OF_RANGE = 9,
  LANEMAX_NO_ROWS = 10,
  LANEMAX_BAD_DATA = 11,
  LANEMAX_BAD_MODEL = 12,
  LANEMAX_BAD_CHECKPOINT = 13,
  LANEMAX_OVERFLOW = 14,
  LANEMAX_DIVERGED = 15,
  LANEMAX_INTERRUPTED = 16,
  LANEMAX_MISSING_FILE = 17,
  LANEMAX_IO_ERROR = 18,
  LANEMAX_OUT_OF_MEMORY = 19
};

/// The outcome of a call. Positions count from 0, lines from 1; one that does not apply is -1. Texts that do not fit
/// are cut.
typedef struct lanemax_status {
  int32_t code;
  int32_t system_error;  ///< errno of a failed system call, else 0
  int64_t line;
  int64_t row;
  int64_t column;
  int64_t byte;
  char what[96];       ///< the argument, field or token
  char expected[192];  ///< what would have been right
  char found[64];      ///< the offending text
  char file[128];      ///< the end of a path
  char reserved[248];
} lanemax_status;

/// The status as one line of text, at most `size` bytes with the NUL. Returns how long it is without one, however much
/// fitted; 0 for NULL.
LANEMAX_API size_t lanemax_status_message(const lanemax_status* status, char* buffer, size_t size);
/// "invalid_argument"; "unknown" for what is no code.
LANEMAX_API const char* lanemax_code_name(int32_t code);

// ---- isa.hpp ----

enum {
  LANEMAX_ISA_DEFAULT = 0,  ///< the process's
  LANEMAX_ISA_SSE2 = 1,
  LANEMAX_ISA_AVX2_FMA = 2,
  LANEMAX_ISA_AVX512 = 3,
  LANEMAX_ISA_NEON = 4
};

/// Chooses the process's variant now rather than in the first call, once.
LANEMAX_API int32_t lanemax_initialize(int32_t isa, lanemax_status* status);
/// The process's variant; LANEMAX_ISA_DEFAULT if LANEMAX_ISA or LANEMAX_SCHEDULE of the environment is wrong.
LANEMAX_API int32_t lanemax_active_isa(void);
/// The variants that this library knows, best first; behind the last, LANEMAX_ISA_DEFAULT.
LANEMAX_API int32_t lanemax_known_isa(size_t index);
/// LANEMAX_OK if the variant is compiled and this machine runs it.
LANEMAX_API int32_t lanemax_check_isa(int32_t isa, lanemax_status* status);
LANEMAX_API int32_t lanemax_isa_from_name(const char* name, int32_t* isa, lanemax_status* status);
/// "avx2_fma"; "unknown" for what is no variant.
LANEMAX_API const char* lanemax_isa_name(int32_t isa);

// ---- views.hpp ----

enum { LANEMAX_F32 = 0, LANEMAX_F64 = 1, LANEMAX_U8 = 2, LANEMAX_F16 = 3, LANEMAX_BF16 = 4 };
enum {
  LANEMAX_LABELS_I8 = 0,
  LANEMAX_LABELS_U8 = 1,
  LANEMAX_LABELS_I16 = 2,
  LANEMAX_LABELS_U16 = 3,
  LANEMAX_LABELS_I32 = 4,
  LANEMAX_LABELS_U32 = 5,
  LANEMAX_LABELS_I64 = 6,
  LANEMAX_LABELS_U64 = 7
};
/// An option that is left to the library.
#define LANEMAX_UNSET (-1)

/// Strides count elements; a row stride of 0 is `cols`, a column stride of 0 is 1.
typedef struct lanemax_matrix {
  float* data;
  size_t rows;
  size_t cols;
  size_t row_stride;
  size_t col_stride;
} lanemax_matrix;
typedef struct lanemax_const_matrix {
  const float* data;
  size_t rows;
  size_t cols;
  size_t row_stride;
  size_t col_stride;
} lanemax_const_matrix;
typedef struct lanemax_index_matrix {
  int32_t* data;
  size_t rows;
  size_t cols;
  size_t row_stride;
  size_t col_stride;
} lanemax_index_matrix;

/// Samples x features. Strides as those of a matrix; column-major: 1 and `samples`.
typedef struct lanemax_features {
  const void* data;
  size_t samples;
  size_t features;
  size_t row_stride;
  size_t col_stride;
  int32_t type;  ///< LANEMAX_F32, ...
  int32_t reserved;
} lanemax_features;

typedef struct lanemax_labels {
  const void* data;
  size_t count;
  int32_t type;  ///< LANEMAX_LABELS_I32, ...
  int32_t reserved;
} lanemax_labels;

typedef struct lanemax_scaling {
  const double* centre;
  size_t centre_count;
  const float* factor;
  size_t factor_count;
} lanemax_scaling;

/// W, scores x features, and b, one per score. Scores are as many as classes, or 1 for the logistic loss.
typedef struct lanemax_weights {
  lanemax_matrix weights;
  float* bias;
  size_t bias_count;
} lanemax_weights;
typedef struct lanemax_const_weights {
  lanemax_const_matrix weights;
  const float* bias;
  size_t bias_count;
} lanemax_const_weights;

/// Samples with labels or target probabilities.
typedef struct lanemax_batch {
  size_t struct_size;
  lanemax_features features;
  lanemax_labels labels;
  lanemax_const_matrix target_probabilities;
  const float* sample_weights;
  size_t sample_weight_count;
  const uint32_t* selection;  ///< rows to use, in this order; NULL: all
  size_t selection_count;
  lanemax_scaling scaling;
} lanemax_batch;

// ---- bytes ----

/// Bytes that a call has made.
typedef struct lanemax_bytes lanemax_bytes;
LANEMAX_API const uint8_t* lanemax_bytes_data(const lanemax_bytes* bytes);
LANEMAX_API size_t lanemax_bytes_size(const lanemax_bytes* bytes);
LANEMAX_API void lanemax_bytes_free(lanemax_bytes* bytes);

// ---- model.hpp ----

enum { LANEMAX_SOFTMAX = 0, LANEMAX_HINGE = 1, LANEMAX_LOGISTIC = 2 };
/// "softmax"; "unknown" for what is no loss.
LANEMAX_API const char* lanemax_loss_name(int32_t loss);

typedef struct lanemax_model lanemax_model;

/// What a model is made of.
typedef struct lanemax_model_parts {
  size_t struct_size;
  lanemax_const_weights weights;  ///< none for the bias: 0
  const double* centre;           ///< that the weights are around, one per feature, or none
  size_t centre_count;
  const char* const* class_labels;  ///< none: "0", "1", ...
  size_t class_count;
  const char* const* feature_names;  ///< one per feature, or none
  size_t feature_name_count;
  int32_t loss;
  int32_t reserved;
} lanemax_model_parts;

LANEMAX_API int32_t lanemax_model_create(const lanemax_model_parts* parts, lanemax_model** model,
                                         lanemax_status* status);
LANEMAX_API int32_t lanemax_model_load(const char* path, lanemax_model** model, lanemax_status* status);
LANEMAX_API int32_t lanemax_model_save(const lanemax_model* model, const char* path, lanemax_status* status);
LANEMAX_API int32_t lanemax_model_from_bytes(const void* bytes, size_t size, lanemax_model** model,
                                             lanemax_status* status);
LANEMAX_API int32_t lanemax_model_to_bytes(const lanemax_model* model, lanemax_bytes** bytes, lanemax_status* status);
LANEMAX_API void lanemax_model_free(lanemax_model* model);

LANEMAX_API int32_t lanemax_model_loss(const lanemax_model* model);
LANEMAX_API size_t lanemax_model_features(const lanemax_model* model);
LANEMAX_API size_t lanemax_model_classes(const lanemax_model* model);
LANEMAX_API size_t lanemax_model_scores(const lanemax_model* model);
/// NULL behind the last, and where there are none.
LANEMAX_API const char* lanemax_model_class_label(const lanemax_model* model, size_t class_index);
LANEMAX_API const char* lanemax_model_feature_name(const lanemax_model* model, size_t feature);
/// scores x features, row by row; one per score; one per feature, or NULL.
LANEMAX_API const float* lanemax_model_weights(const lanemax_model* model);
LANEMAX_API const float* lanemax_model_bias(const lanemax_model* model);
LANEMAX_API const double* lanemax_model_centre(const lanemax_model* model);
/// Predictors abstain where the probability of the best class is below it; 0: never.
LANEMAX_API double lanemax_model_threshold(const lanemax_model* model);
/// Above 0, at most 1; 0: none. Refused for hinge, which has no probabilities.
LANEMAX_API int32_t lanemax_model_set_threshold(lanemax_model* model, double threshold, lanemax_status* status);
/// One per feature, or none.
LANEMAX_API int32_t lanemax_model_set_feature_names(lanemax_model* model, const char* const* names, size_t count,
                                                    lanemax_status* status);

// ---- predictor.hpp ----

/// Why a sample has no class: below 0, never an index.
enum {
  LANEMAX_NO_CLASS_NOT_FINITE = -1,   ///< the sample, less the centre, or its scores
  LANEMAX_NO_CLASS_ABSTAINED = -2,    ///< the best class is less probable than the model's threshold
  LANEMAX_NO_CLASS_WRONG_SIZE = -3,   ///< of the sample, of an output or of the workspace; hinge has no probabilities
  LANEMAX_NO_CLASS_BAD_ARGUMENT = -4  ///< a NULL handle, data that is NULL with a count, no type of a feature
};

typedef struct lanemax_predictor lanemax_predictor;

LANEMAX_API int32_t lanemax_predictor_create(const lanemax_model* model, int32_t isa, lanemax_predictor** predictor,
                                             lanemax_status* status);
LANEMAX_API int32_t lanemax_predictor_load(const char* path, int32_t isa, lanemax_predictor** predictor,
                                           lanemax_status* status);
/// Its classes have no labels.
LANEMAX_API int32_t lanemax_predictor_from_weights(int32_t loss, const lanemax_const_weights* weights, int32_t isa,
                                                   lanemax_predictor** predictor, lanemax_status* status);
LANEMAX_API void lanemax_predictor_free(lanemax_predictor* predictor);

LANEMAX_API size_t lanemax_predictor_features(const lanemax_predictor* predictor);
LANEMAX_API size_t lanemax_predictor_classes(const lanemax_predictor* predictor);
LANEMAX_API size_t lanemax_predictor_scores(const lanemax_predictor* predictor);
/// NULL for what is no class, and where they have no labels.
LANEMAX_API const char* lanemax_predictor_label(const lanemax_predictor* predictor, int32_t class_index);
/// The model's; 0: none.
LANEMAX_API double lanemax_predictor_threshold(const lanemax_predictor* predictor);

/// The class of one sample, `size` features of this type next to each other; or one of LANEMAX_NO_CLASS_... These four
/// allocate nothing, take no lock and leave their outputs as they were where the sample has the wrong size or an
/// argument is bad; where it is not finite they fill them with NaN (and classes with -1). Where the model
/// abstains their outputs are as ever.
LANEMAX_API int32_t lanemax_predict(const lanemax_predictor* predictor, const void* sample, int32_t type, size_t size);
/// The same, and all scores.
LANEMAX_API int32_t lanemax_predict_logits(const lanemax_predictor* predictor, const void* sample, int32_t type,
                                           size_t size, float* logits, size_t count);
/// The same with the probabilities of all classes. For up to 4096 classes no workspace is needed.
LANEMAX_API int32_t lanemax_predict_probabilities(const lanemax_predictor* predictor, const void* sample, int32_t type,
                                                  size_t size, void* workspace, size_t workspace_size,
                                                  float* probabilities, size_t count);
/// The same with their logarithms: -infinity for a masked class.
LANEMAX_API int32_t lanemax_predict_log_probabilities(const lanemax_predictor* predictor, const void* sample,
                                                      int32_t type, size_t size, void* workspace, size_t workspace_size,
                                                      float* log_probabilities, size_t count);
/// The same with the k best classes and, unless that is NULL, their probabilities.
LANEMAX_API int32_t lanemax_predict_top_k(const lanemax_predictor* predictor, const void* sample, int32_t type,
                                          size_t size, void* workspace, size_t workspace_size, int32_t* classes,
                                          float* probabilities, size_t k);
LANEMAX_API size_t lanemax_predictor_workspace_bytes(const lanemax_predictor* predictor);

/// Where the predictions of many samples go; what is NULL is skipped.
typedef struct lanemax_predictions {
  size_t struct_size;
  int32_t* classes;
  size_t class_count;  ///< of entries in it: one per sample
  lanemax_matrix logits;
  lanemax_matrix probabilities;
  lanemax_matrix log_probabilities;
  lanemax_index_matrix top_classes;
  lanemax_matrix top_probabilities;
} lanemax_predictions;

LANEMAX_API int32_t lanemax_predict_batch(const lanemax_predictor* predictor, const lanemax_features* features,
                                          int32_t threads, void* workspace, size_t workspace_size,
                                          const lanemax_predictions* out, lanemax_status* status);
LANEMAX_API size_t lanemax_predictor_batch_workspace_bytes(const lanemax_predictor* predictor, int32_t threads);

// ---- objective.hpp ----

enum { LANEMAX_MEAN = 0, LANEMAX_SUM = 1 };

typedef struct lanemax_objective {
  double l2;  ///< LANEMAX_UNSET: 1/S in fits, else 0
  double label_smoothing;
  int32_t loss;
  int32_t reduction;
  int32_t ignored_label;
  int32_t reserved;
} lanemax_objective;

typedef struct lanemax_loss_options {
  size_t struct_size;
  lanemax_objective objective;
  int32_t threads;
  int32_t isa;
} lanemax_loss_options;
LANEMAX_API int32_t lanemax_loss_options_init(lanemax_loss_options* options, size_t size);

typedef struct lanemax_loss_result {
  size_t struct_size;
  double objective;
  double data_loss;
  double total_weight;
  size_t rows;
  int32_t threads;
  int32_t reserved;
} lanemax_loss_result;

/// In f32. `gradient` may be NULL: the loss alone.
LANEMAX_API int32_t lanemax_loss_and_gradient(const lanemax_loss_options* options, const lanemax_const_weights* weights,
                                              const lanemax_batch* batch, void* workspace, size_t workspace_size,
                                              lanemax_loss_result* result, const lanemax_weights* gradient,
                                              lanemax_status* status);
/// 0 if the shapes overflow.
LANEMAX_API size_t lanemax_loss_workspace_bytes(size_t rows, size_t features, size_t scores, int32_t threads);

// ---- train_step.hpp ----

enum { LANEMAX_GRADIENT_DESCENT = 0, LANEMAX_MOMENTUM = 1, LANEMAX_ADAM = 2, LANEMAX_ADAGRAD = 3 };

/// A training state in f32 with all the memory that its steps need.
typedef struct lanemax_trainer lanemax_trainer;

typedef struct lanemax_trainer_options {
  size_t struct_size;
  size_t features;
  size_t scores;      ///< as many as classes, or 1 for the logistic loss
  size_t batch_rows;  ///< of the largest batch to come; a larger one is LANEMAX_WORKSPACE_TOO_SMALL
  lanemax_objective objective;
  int32_t optimiser;
  int32_t threads;
  int32_t isa;
  int32_t reserved;
} lanemax_trainer_options;
LANEMAX_API int32_t lanemax_trainer_options_init(lanemax_trainer_options* options, size_t size);

typedef struct lanemax_step_options {
  size_t struct_size;
  double learning_rate;
  double momentum;
  double second_moment_decay;
  double total_weight;
  int32_t nesterov;  ///< 0 or 1
  int32_t reserved;
} lanemax_step_options;
LANEMAX_API int32_t lanemax_step_options_init(lanemax_step_options* options, size_t size);

LANEMAX_API int32_t lanemax_trainer_create(const lanemax_trainer_options* options, lanemax_trainer** trainer,
                                           lanemax_status* status);
LANEMAX_API void lanemax_trainer_free(lanemax_trainer* trainer);
LANEMAX_API size_t lanemax_trainer_features(const lanemax_trainer* trainer);
LANEMAX_API size_t lanemax_trainer_scores(const lanemax_trainer* trainer);

/// Loss, gradient and update; allocates nothing (on several threads, nothing after the first). `result` may be NULL.
LANEMAX_API int32_t lanemax_trainer_step(lanemax_trainer* trainer, const lanemax_step_options* options,
                                         const lanemax_batch* batch, lanemax_loss_result* result,
                                         lanemax_status* status);
/// `scaling` is that of the steps to come; NULL: none.
LANEMAX_API int32_t lanemax_trainer_set_weights(lanemax_trainer* trainer, const lanemax_const_weights* weights,
                                                const lanemax_scaling* scaling, lanemax_status* status);
/// Into the caller's memory; the bias and the centre may be left out.
LANEMAX_API int32_t lanemax_trainer_get_weights(const lanemax_trainer* trainer, const lanemax_weights* weights,
                                                double* centre, size_t centre_count, lanemax_status* status);
/// Everything that the next steps depend on, and back.
LANEMAX_API int32_t lanemax_trainer_to_bytes(const lanemax_trainer* trainer, lanemax_bytes** bytes,
                                             lanemax_status* status);
LANEMAX_API int32_t lanemax_trainer_from_bytes(lanemax_trainer* trainer, const void* bytes, size_t size,
                                               lanemax_status* status);
/// The weights so far, to save or to predict with: a model, around a centre if the steps' scaling has one. Without
/// labels its classes are "0", "1", ...
LANEMAX_API int32_t lanemax_trainer_model(const lanemax_trainer* trainer, const char* const* class_labels,
                                          size_t class_count, lanemax_model** model, lanemax_status* status);

// ---- fit.hpp ----

enum {
  LANEMAX_SOLVER_AUTO = 0,
  LANEMAX_SOLVER_LBFGS = 1,
  LANEMAX_SOLVER_NEWTON = 2,
  LANEMAX_SOLVER_SGD = 3,
  LANEMAX_SOLVER_MOMENTUM = 4,
  LANEMAX_SOLVER_ADAM = 5,
  LANEMAX_SOLVER_ADAGRAD = 6
};
enum {
  LANEMAX_PRECONDITIONER_AUTO = 0,
  LANEMAX_PRECONDITIONER_NONE = 1,
  LANEMAX_PRECONDITIONER_DIAGONAL = 2,
  LANEMAX_PRECONDITIONER_GRAM = 3,
  LANEMAX_PRECONDITIONER_BLOCKS = 4,
  LANEMAX_PRECONDITIONER_FULL = 5
};
enum { LANEMAX_SCHEDULE_CONSTANT = 0, LANEMAX_SCHEDULE_COSINE = 1, LANEMAX_SCHEDULE_STEP = 2 };
enum {
  LANEMAX_STOP_NONE = 0,
  LANEMAX_STOP_TOLERANCE = 1,
  LANEMAX_STOP_EPOCHS = 2,
  LANEMAX_STOP_MAX_ITERATIONS = 3,
  LANEMAX_STOP_TIME_LIMIT = 4,
  LANEMAX_STOP_EARLY_STOPPING = 5,
  LANEMAX_STOP_NO_PROGRESS = 6,
  LANEMAX_STOP_INTERRUPTED = 7,
  LANEMAX_STOP_DIVERGED = 8
};
/// "unknown" for what is none.
LANEMAX_API const char* lanemax_solver_name(int32_t solver);
LANEMAX_API const char* lanemax_preconditioner_name(int32_t preconditioner);
LANEMAX_API const char* lanemax_stop_reason_name(int32_t reason);

/// What a fit tells while it runs. Of a library that is older than this header, `struct_size` says what is there.
typedef struct lanemax_fit_progress {
  size_t struct_size;
  size_t epoch;
  size_t epochs;
  size_t iterations;
  size_t fold;
  double passes;
  double loss;
  double validation_loss;
  double objective;
  double gradient_norm;
  double learning_rate;
  double samples_per_second;
  double seconds;
  double seconds_left;
  double l2;
  double resumed_passes;
  int32_t checkpoint_failed;
  int32_t reserved;
} lanemax_fit_progress;

/// Both are called from the fitting thread and end the fit, as LANEMAX_STOP_INTERRUPTED, by returning anything but 0.
typedef int32_t (*lanemax_progress_callback)(const lanemax_fit_progress* progress, void* user);
typedef int32_t (*lanemax_cancel_callback)(void* user);

typedef struct lanemax_fit_options {
  size_t struct_size;
  lanemax_objective objective;
  const lanemax_model* initial;     ///< begin from its weights; NULL: from 0
  const lanemax_batch* validation;  ///< NULL: none
  lanemax_progress_callback progress;
  lanemax_cancel_callback cancelled;
  void* user;                   ///< handed to both
  const char* checkpoint_file;  ///< NULL: none
  const char* checkpoint_note;
  double checkpoint_seconds;
  double tolerance;
  double time_limit;
  size_t max_iterations;
  size_t early_stopping;
  uint64_t seed;
  int64_t epochs;  ///< this and the next five: LANEMAX_UNSET, or for sgd, momentum, adam, adagrad
  int64_t batch_size;
  double learning_rate;
  double momentum;
  double second_moment_decay;
  int32_t schedule;
  int32_t solver;
  int32_t preconditioner;
  int32_t bias;  ///< this and the next two: 0 or 1
  int32_t standardise;
  int32_t checkpoint_resume;
  int32_t threads;
  int32_t isa;
} lanemax_fit_options;
LANEMAX_API int32_t lanemax_fit_options_init(lanemax_fit_options* options, size_t size);

typedef struct lanemax_fit_result {
  size_t struct_size;
  double l2;
  double objective;
  double data_loss;
  double gradient_norm;
  double gap_bound;
  double rounding_cost;
  double learning_rate;
  double passes;
  double seconds;
  size_t iterations;
  int64_t rounded_feature;
  int32_t solver;
  int32_t preconditioner;
  int32_t reason;
  int32_t converged;
  int32_t threads;
  int32_t reserved;
  lanemax_status checkpoint_error;
} lanemax_fit_result;

/// Trains a model with one class per label; without labels they are "0", "1", ... up to the largest. With
/// LANEMAX_DIVERGED the model, of the last weights that were good, and the result are set all the same. `result` may be
/// NULL.
LANEMAX_API int32_t lanemax_fit(const lanemax_batch* data, const lanemax_fit_options* options,
                                const char* const* class_labels, size_t class_count, lanemax_model** model,
                                lanemax_fit_result* result, lanemax_status* status);

// ---- fit_path.hpp ----

typedef struct lanemax_path_options {
  size_t struct_size;
  const lanemax_fit_options* fit;  ///< NULL: the defaults
  const double* l2;                ///< penalties; none: the one of `fit`
  size_t l2_count;
  size_t folds;
  lanemax_labels fold_of_sample;  ///< or of the caller's own
  int32_t scale_l2;               ///< 0 or 1
  int32_t reserved;
} lanemax_path_options;

/// What fits with one penalty after the other have told.
typedef struct lanemax_path lanemax_path;

typedef struct lanemax_path_summary {
  size_t struct_size;
  size_t points;  ///< penalties
  size_t folds;   ///< 1 without folds: the validation rows
  size_t best;    ///< of the points; that of the model
  size_t left_out;
  double passes;
  double seconds;
} lanemax_path_summary;

typedef struct lanemax_path_point {
  size_t struct_size;
  double l2;
  double held_out_loss;
  double held_out_loss_error;
  double held_out_accuracy;
  int32_t converged;
  int32_t finished;
} lanemax_path_point;

typedef struct lanemax_fold_score {
  size_t struct_size;
  double loss;
  double accuracy;
  double weight;
} lanemax_fold_score;

/// As lanemax_fit(); the model is that of the best point. `path` may be NULL.
LANEMAX_API int32_t lanemax_fit_path(const lanemax_batch* data, const lanemax_path_options* options,
                                     const char* const* class_labels, size_t class_count, lanemax_model** model,
                                     lanemax_path** path, lanemax_status* status);
LANEMAX_API int32_t lanemax_path_get_summary(const lanemax_path* path, lanemax_path_summary* summary,
                                             lanemax_status* status);
/// Of the model; where the path ended early, its reason.
LANEMAX_API int32_t lanemax_path_get_result(const lanemax_path* path, lanemax_fit_result* result,
                                            lanemax_status* status);
/// In the order of the options' penalties: what was held out, and the fit over all rows.
LANEMAX_API int32_t lanemax_path_get_point(const lanemax_path* path, size_t point, lanemax_path_point* score,
                                           lanemax_status* status);
LANEMAX_API int32_t lanemax_path_get_point_fit(const lanemax_path* path, size_t point, lanemax_fit_result* result,
                                               lanemax_status* status);
/// Of a point that is not finished, zeros.
LANEMAX_API int32_t lanemax_path_get_fold(const lanemax_path* path, size_t point, size_t fold,
                                          lanemax_fold_score* score, lanemax_status* status);
LANEMAX_API void lanemax_path_free(lanemax_path* path);

#ifdef __cplusplus
}
#endif

#endif
