// SPDX-License-Identifier: BSD-3-Clause
//
// lanemax.h beside the C++ calls that it stands for: the same bits of everything, for every way in which data can be
// handed over; hot calls allocate nothing, the others say when there is no memory.
#include <lanemax/lanemax.h>
#include <lanemax/lanemax.hpp>

#include "engine/c_api/sized.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/feature_types.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/model_bytes.hpp"
#include "tests/support/testing.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 120, kFeatures = 5, kClasses = 3;
const char* const kNames[] = {"a", "b", "c"};

template <class Handle, auto free>
struct Free {
  void operator()(Handle* handle) const noexcept { free(handle); }
};
template <class Handle, auto free>
using Owned = std::unique_ptr<Handle, Free<Handle, free>>;
using OwnedModel = Owned<lanemax_model, lanemax_model_free>;
using OwnedPredictor = Owned<lanemax_predictor, lanemax_predictor_free>;
using OwnedTrainer = Owned<lanemax_trainer, lanemax_trainer_free>;
using OwnedBytes = Owned<lanemax_bytes, lanemax_bytes_free>;
using OwnedPath = Owned<lanemax_path, lanemax_path_free>;

/// The same batch twice: for C and for C++.
class CApiTest : public ::testing::Test {
 protected:
  CApiTest() {
    Rng rng(4711);
    for (std::size_t n = 0; n < kRows; ++n) {
      labels_.push_back(static_cast<std::int16_t>(n % kClasses));
      sample_weights_.push_back(static_cast<float>(rng.between(0.5, 2)));
      if (n % 5 != 0) selection_.push_back(static_cast<std::uint32_t>(kRows - 1 - n));
      for (std::size_t d = 0; d < kFeatures; ++d) {
        x_.push_back(static_cast<float>(rng.below(200) + (n % kClasses == d ? 56 : 0)));
      }
      for (std::size_t c = 0; c < kClasses; ++c) targets_.push_back(static_cast<float>(rng.unit()));
    }
    for (std::size_t d = 0; d < kFeatures; ++d) {
      centre_.push_back(rng.between(90, 110));
      factor_.push_back(static_cast<float>(rng.between(0.01, 0.02)));
    }
    for (std::size_t i = 0; i < kClasses * kFeatures; ++i) w_.push_back(static_cast<float>(rng.between(-0.02, 0.02)));
    for (std::size_t c = 0; c < kClasses; ++c) b_.push_back(static_cast<float>(rng.between(-1, 1)));
    c_.features = {x_.data(), kRows, kFeatures, 0, 0, LANEMAX_F32, 0};
    cpp_.features = {x_.data(), kRows, kFeatures};
    use_labels();
  }
  void use_labels() {
    c_.labels = {labels_.data(), kRows, LANEMAX_LABELS_I16, 0};
    cpp_.labels = labels_;
  }
  void use_scaling() {
    c_.scaling = {centre_.data(), kFeatures, factor_.data(), kFeatures};
    cpp_.scaling = {centre_, factor_};
  }
  [[nodiscard]] lanemax_const_weights weights() const {
    return {{w_.data(), kClasses, kFeatures, 0, 0}, b_.data(), kClasses};
  }
  [[nodiscard]] WeightsView<const float> weights_view() const { return {{w_.data(), kClasses, kFeatures}, b_}; }
  /// Loss and gradient of the batch in both languages.
  void expect_same_gradient(const char* what) const {
    SCOPED_TRACE(what);
    std::vector<float> c_dw(w_.size()), c_db(kClasses), dw(w_.size()), db(kClasses);
    lanemax_loss_options options;
    ASSERT_EQ(lanemax_loss_options_init(&options, sizeof options), LANEMAX_OK);
    options.objective.l2 = 0.125;
    lanemax_loss_result c_result = {};
    c_result.struct_size = sizeof c_result;
    const std::size_t bytes = lanemax_loss_workspace_bytes(kRows, kFeatures, kClasses, 1);
    ASSERT_EQ(bytes, loss_workspace_bytes<float>(kRows, kFeatures, kClasses, 1));
    const Workspace scratch(bytes);
    const lanemax_const_weights at = weights();
    const lanemax_weights gradient{{c_dw.data(), kClasses, kFeatures, 0, 0}, c_db.data(), kClasses};
    lanemax_status status;
    ASSERT_EQ(lanemax_loss_and_gradient(&options, &at, &c_, scratch.data(), bytes, &c_result, &gradient, &status), 0)
        << status.what;
    LossResult result;
    Objective objective;
    objective.l2 = 0.125;
    ASSERT_TRUE(loss_and_gradient(objective, weights_view(), cpp_, {}, scratch, result,
                                  WeightsView<float>{{dw.data(), kClasses, kFeatures}, db})
                    .ok());
    EXPECT_EQ(c_result.objective, result.objective);
    EXPECT_EQ(c_result.data_loss, result.data_loss);
    EXPECT_EQ(c_result.total_weight, result.total_weight);
    EXPECT_EQ(c_result.rows, result.rows);
    EXPECT_TRUE(same_bits(c_dw, dw) && same_bits(c_db, db));
    c_result.objective = 0;
    ASSERT_EQ(lanemax_loss_and_gradient(&options, &at, &c_, scratch.data(), bytes, &c_result, nullptr, nullptr), 0);
    EXPECT_EQ(c_result.objective, result.objective);
  }
  /// The model of a fit, in both languages.
  void expect_same_fit(const lanemax_fit_options& c_options, const FitOptions& options) const {
    lanemax_model* made = nullptr;
    lanemax_fit_result c_result = {};
    c_result.struct_size = sizeof c_result;
    lanemax_status status;
    ASSERT_EQ(lanemax_fit(&c_, &c_options, kNames, kClasses, &made, &c_result, &status), LANEMAX_OK) << status.what;
    const OwnedModel c_model(made);
    Model model;
    FitResult result;
    ASSERT_TRUE(fit(cpp_, options, {"a", "b", "c"}, model, result).ok());
    expect_same(c_model.get(), model);
    expect_same(c_result, result);
  }
  static void expect_same(const lanemax_fit_result& c, const FitResult& cpp) {
    EXPECT_EQ(c.l2, cpp.l2);
    EXPECT_EQ(c.objective, cpp.objective);
    EXPECT_EQ(c.data_loss, cpp.data_loss);
    EXPECT_EQ(c.gradient_norm, cpp.gradient_norm);
    EXPECT_TRUE(same_bits(c.gap_bound, cpp.gap_bound) || (std::isnan(c.gap_bound) && std::isnan(cpp.gap_bound)));
    EXPECT_EQ(c.rounding_cost, cpp.rounding_cost);
    EXPECT_EQ(c.learning_rate, cpp.learning_rate);
    EXPECT_EQ(c.passes, cpp.passes);
    EXPECT_EQ(c.iterations, cpp.iterations);
    EXPECT_EQ(c.rounded_feature, cpp.rounded_feature);
    EXPECT_EQ(c.solver, static_cast<std::int32_t>(cpp.solver));
    EXPECT_EQ(c.preconditioner, static_cast<std::int32_t>(cpp.preconditioner));
    EXPECT_EQ(c.reason, static_cast<std::int32_t>(cpp.reason));
    EXPECT_EQ(c.converged, cpp.converged ? 1 : 0);
    EXPECT_EQ(c.threads, cpp.threads);
  }
  /// By the bytes of their files.
  static void expect_same(const lanemax_model* c_model, const Model& model) {
    lanemax_bytes* made = nullptr;
    ASSERT_EQ(lanemax_model_to_bytes(c_model, &made, nullptr), LANEMAX_OK);
    const OwnedBytes c_bytes(made);
    std::vector<std::uint8_t> bytes;
    ASSERT_TRUE(model_to_bytes(model, bytes).ok());
    EXPECT_EQ(std::vector(lanemax_bytes_data(made), lanemax_bytes_data(made) + lanemax_bytes_size(made)), bytes);
  }

  std::vector<float> x_, sample_weights_, targets_, factor_, w_, b_;
  std::vector<double> centre_;
  std::vector<std::int16_t> labels_;
  std::vector<std::uint32_t> selection_;
  lanemax_batch c_ = {.struct_size = sizeof(lanemax_batch),
                      .features = {},
                      .labels = {},
                      .target_probabilities = {},
                      .sample_weights = nullptr,
                      .sample_weight_count = 0,
                      .selection = nullptr,
                      .selection_count = 0,
                      .scaling = {}};
  Batch cpp_;
};

TEST_F(CApiTest, BatchesArriveAsTheyAre) {
  expect_same_gradient("labels");
  c_.sample_weights = sample_weights_.data();
  c_.sample_weight_count = kRows;
  cpp_.sample_weights = sample_weights_;
  expect_same_gradient("weights");
  c_.selection = selection_.data();
  c_.selection_count = selection_.size();
  cpp_.selection = selection_;
  expect_same_gradient("selection");
  use_scaling();
  expect_same_gradient("scaling");
  c_.labels = {};
  cpp_.labels = {};
  c_.target_probabilities = {targets_.data(), kRows, kClasses, 0, 0};
  cpp_.target_probabilities = {targets_.data(), kRows, kClasses};
  expect_same_gradient("targets");
  c_.features = {x_.data(), kRows, kFeatures, 1, kRows, LANEMAX_F32, 0};
  cpp_.features = cpp_.features.column_major();
  expect_same_gradient("column-major");
}

TEST_F(CApiTest, EveryTypeOfFeatureAndLabelArrives) {
  const std::vector<double> values(x_.begin(), x_.end());
  for (const FeatureType type : kAllFeatureTypes) {
    const TypedFeatures typed(values, kRows, kFeatures, type, 3);
    c_.features = {typed.bytes.data(), kRows, kFeatures, kFeatures + 3, 1, static_cast<std::int32_t>(type), 0};
    cpp_.features = typed.view;
    expect_same_gradient("features");
  }
  c_.features = {x_.data(), kRows, kFeatures, 0, 0, LANEMAX_F32, 0};
  cpp_.features = {x_.data(), kRows, kFeatures};
  const auto expect_labels = [&]<class T>(T, std::int32_t type) {
    const std::vector<T> typed(labels_.begin(), labels_.end());
    c_.labels = {typed.data(), kRows, type, 0};
    cpp_.labels = typed;
    expect_same_gradient(("labels of type " + std::to_string(type)).c_str());
  };
  expect_labels(std::int8_t{}, LANEMAX_LABELS_I8);
  expect_labels(std::uint8_t{}, LANEMAX_LABELS_U8);
  expect_labels(std::int16_t{}, LANEMAX_LABELS_I16);
  expect_labels(std::uint16_t{}, LANEMAX_LABELS_U16);
  expect_labels(std::int32_t{}, LANEMAX_LABELS_I32);
  expect_labels(std::uint32_t{}, LANEMAX_LABELS_U32);
  expect_labels(std::int64_t{}, LANEMAX_LABELS_I64);
  expect_labels(std::uint64_t{}, LANEMAX_LABELS_U64);
}

TEST_F(CApiTest, StepsAreTheSame) {
  use_scaling();
  for (const Optimiser optimiser :
       {Optimiser::gradient_descent, Optimiser::momentum, Optimiser::adam, Optimiser::adagrad}) {
    lanemax_trainer_options options;
    ASSERT_EQ(lanemax_trainer_options_init(&options, sizeof options), LANEMAX_OK);
    options.features = kFeatures;
    options.scores = kClasses;
    options.batch_rows = kRows;
    options.optimiser = static_cast<std::int32_t>(optimiser);
    options.objective.l2 = 0.01;
    options.objective.label_smoothing = 0.1;
    lanemax_trainer* made = nullptr;
    ASSERT_EQ(lanemax_trainer_create(&options, &made, nullptr), LANEMAX_OK);
    const OwnedTrainer trainer(made);
    const Workspace memory(TrainState<float>::bytes(kFeatures, kClasses, optimiser));
    const Workspace scratch(train_step_workspace_bytes<float>(kRows, kFeatures, kClasses, 1));
    TrainState<float> state;
    ASSERT_TRUE(TrainState<float>::create(kFeatures, kClasses, optimiser, memory, state).ok());
    const lanemax_const_weights at = weights();
    ASSERT_EQ(lanemax_trainer_set_weights(made, &at, &c_.scaling, nullptr), LANEMAX_OK);
    ASSERT_TRUE(state.set_weights(weights_view(), cpp_.scaling).ok());

    lanemax_step_options c_step;
    ASSERT_EQ(lanemax_step_options_init(&c_step, sizeof c_step), LANEMAX_OK);
    c_step.learning_rate = 0.03;
    c_step.momentum = 0.8;
    c_step.second_moment_decay = 0.95;
    c_step.total_weight = 100;
    c_step.nesterov = optimiser == Optimiser::momentum ? 1 : 0;
    const StepOptions step{.learning_rate = 0.03,
                           .momentum = 0.8,
                           .second_moment_decay = 0.95,
                           .nesterov = optimiser == Optimiser::momentum,
                           .total_weight = 100};
    Objective objective;
    objective.l2 = 0.01;
    objective.label_smoothing = 0.1;
    lanemax_loss_result c_result = {};
    c_result.struct_size = sizeof c_result;
    LossResult result;
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(lanemax_trainer_step(made, &c_step, &c_, &c_result, nullptr), LANEMAX_OK);
      ASSERT_TRUE(train_step(state, objective, cpp_, step, {}, scratch, result).ok());
      ASSERT_EQ(c_result.objective, result.objective);
    }
    std::vector<float> c_w(w_.size()), c_b(kClasses), w(w_.size()), b(kClasses);
    std::vector<double> c_centre(kFeatures), centre(kFeatures);
    const lanemax_weights out{{c_w.data(), kClasses, kFeatures, 0, 0}, c_b.data(), kClasses};
    ASSERT_EQ(lanemax_trainer_get_weights(made, &out, c_centre.data(), kFeatures, nullptr), LANEMAX_OK);
    ASSERT_TRUE(state.get_weights(view_of(w, b), centre).ok());
    EXPECT_TRUE(same_bits(c_w, w) && same_bits(c_b, b) && same_bits(c_centre, centre));
    lanemax_bytes* c_made = nullptr;
    ASSERT_EQ(lanemax_trainer_to_bytes(made, &c_made, nullptr), LANEMAX_OK);
    const OwnedBytes c_bytes(c_made);
    std::vector<std::uint8_t> bytes;
    ASSERT_TRUE(state.to_bytes(bytes).ok());
    EXPECT_EQ(std::vector(lanemax_bytes_data(c_made), lanemax_bytes_data(c_made) + lanemax_bytes_size(c_made)), bytes);
  }
}

TEST_F(CApiTest, FitsAreTheSame) {
  lanemax_fit_options c_options;
  ASSERT_EQ(lanemax_fit_options_init(&c_options, sizeof c_options), LANEMAX_OK);
  FitOptions options;
  expect_same_fit(c_options, options);

  c_options.objective.l2 = options.objective.l2.emplace(0.02);
  c_options.objective.label_smoothing = options.objective.label_smoothing = 0.05;
  c_options.solver = LANEMAX_SOLVER_NEWTON;
  options.solver = Solver::newton;
  c_options.preconditioner = LANEMAX_PRECONDITIONER_BLOCKS;
  options.preconditioner = Preconditioner::blocks;
  c_options.standardise = 1;
  options.standardise = true;
  c_options.bias = 0;
  options.bias = false;
  c_options.tolerance = options.stopping.tolerance = 1e-3;
  c_options.max_iterations = options.stopping.max_iterations = 7;
  expect_same_fit(c_options, options);

  c_options.preconditioner = LANEMAX_PRECONDITIONER_AUTO;
  options.preconditioner = Preconditioner::automatic;
  c_options.solver = LANEMAX_SOLVER_ADAM;
  options.solver = Solver::adam;
  c_options.max_iterations = options.stopping.max_iterations = 0;
  c_options.epochs = 5;
  c_options.batch_size = 16;
  c_options.learning_rate = 0.02;
  c_options.momentum = 0.8;
  c_options.second_moment_decay = 0.99;
  c_options.schedule = LANEMAX_SCHEDULE_STEP;
  options.mini_batches = {.epochs = 5,
                          .batch_size = 16,
                          .learning_rate = 0.02,
                          .schedule = Schedule::step,
                          .momentum = 0.8,
                          .second_moment_decay = 0.99};
  c_options.seed = options.seed = 12345;
  c_options.validation = &c_;
  options.validation = &cpp_;
  c_options.early_stopping = options.stopping.early_stopping = 3;
  expect_same_fit(c_options, options);
}

TEST_F(CApiTest, ProgressArrivesAsItIs) {
  lanemax_fit_options c_options;
  ASSERT_EQ(lanemax_fit_options_init(&c_options, sizeof c_options), LANEMAX_OK);
  std::vector<lanemax_fit_progress> seen;
  c_options.user = &seen;
  c_options.validation = &c_;
  c_options.progress = [](const lanemax_fit_progress* progress, void* user) {
    static_cast<std::vector<lanemax_fit_progress>*>(user)->push_back(*progress);
    return std::int32_t{0};
  };
  FitOptions options;
  options.validation = &cpp_;
  Recorder recorder;
  recorder.watch(options);
  expect_same_fit(c_options, options);
  ASSERT_EQ(seen.size(), recorder.seen.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].iterations, recorder.seen[i].iterations);
    EXPECT_EQ(seen[i].passes, recorder.seen[i].passes);
    EXPECT_EQ(seen[i].loss, recorder.seen[i].loss);
    EXPECT_EQ(seen[i].validation_loss, recorder.seen[i].validation_loss);
    EXPECT_EQ(seen[i].objective, recorder.seen[i].objective);
    EXPECT_EQ(seen[i].gradient_norm, recorder.seen[i].gradient_norm);
    EXPECT_EQ(seen[i].learning_rate, recorder.seen[i].learning_rate);
    EXPECT_EQ(seen[i].l2, recorder.seen[i].l2);
  }
}

TEST_F(CApiTest, PathsAreTheSame) {
  const double l2[] = {1e-3, 1e-1, 1e-2};
  lanemax_fit_options c_fit;
  ASSERT_EQ(lanemax_fit_options_init(&c_fit, sizeof c_fit), LANEMAX_OK);
  c_fit.standardise = 1;
  c_fit.seed = 3;
  lanemax_path_options c_options = {};
  c_options.struct_size = sizeof c_options;
  c_options.fit = &c_fit;
  c_options.l2 = l2;
  c_options.l2_count = 3;
  c_options.folds = 4;
  c_options.scale_l2 = 1;
  lanemax_model* made = nullptr;
  lanemax_path* told = nullptr;
  lanemax_status status;
  ASSERT_EQ(lanemax_fit_path(&c_, &c_options, kNames, kClasses, &made, &told, &status), LANEMAX_OK) << status.what;
  const OwnedModel c_model(made);
  const OwnedPath c_path(told);

  PathOptions options;
  options.fit.standardise = true;
  options.fit.seed = 3;
  options.l2 = l2;
  options.folds = 4;
  options.scale_l2 = true;
  std::vector<PathPoint> points(3);
  std::vector<FoldScore> scores(12);
  std::vector<float> w(w_.size()), b(kClasses);
  std::vector<double> centre(kFeatures);
  PathResult result;
  ASSERT_TRUE(fit_path(cpp_, options, points, view_of(w, b), result,
                       {.scaling = {{}, {}, centre}, .folds = {scores.data(), 3, 4}, .weights = {}})
                  .ok());
  EXPECT_EQ(std::vector(lanemax_model_weights(made), lanemax_model_weights(made) + w.size()), w);
  EXPECT_EQ(std::vector(lanemax_model_bias(made), lanemax_model_bias(made) + kClasses), b);
  lanemax_fit_result c_result = {};
  c_result.struct_size = sizeof c_result;
  ASSERT_EQ(lanemax_path_get_result(told, &c_result, nullptr), LANEMAX_OK);
  expect_same(c_result, result.fit);
  lanemax_path_summary summary = {};
  summary.struct_size = sizeof summary;
  ASSERT_EQ(lanemax_path_get_summary(told, &summary, nullptr), LANEMAX_OK);
  EXPECT_EQ(summary.best, result.best);
  EXPECT_EQ(summary.passes, result.passes);
  for (std::size_t i = 0; i < 3; ++i) {
    lanemax_path_point point = {};
    point.struct_size = sizeof point;
    ASSERT_EQ(lanemax_path_get_point(told, i, &point, nullptr), LANEMAX_OK);
    EXPECT_EQ(point.l2, points[i].l2);
    EXPECT_EQ(point.held_out_loss, points[i].held_out_loss);
    EXPECT_EQ(point.held_out_loss_error, points[i].held_out_loss_error);
    EXPECT_EQ(point.held_out_accuracy, points[i].held_out_accuracy);
    ASSERT_EQ(lanemax_path_get_point_fit(told, i, &c_result, nullptr), LANEMAX_OK);
    expect_same(c_result, points[i].fit);
    for (std::size_t k = 0; k < 4; ++k) {
      lanemax_fold_score score = {};
      score.struct_size = sizeof score;
      ASSERT_EQ(lanemax_path_get_fold(told, i, k, &score, nullptr), LANEMAX_OK);
      EXPECT_EQ(score.loss, scores[i * 4 + k].loss);
      EXPECT_EQ(score.accuracy, scores[i * 4 + k].accuracy);
      EXPECT_EQ(score.weight, scores[i * 4 + k].weight);
    }
  }
}

TEST_F(CApiTest, PredictionsAreTheSameAndAllocateNothing) {
  if (test::kSeesAllocations) test::expect_allocations_are_seen();
  const lanemax_const_weights at = weights();
  lanemax_predictor* made = nullptr;
  ASSERT_EQ(lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &at, LANEMAX_ISA_DEFAULT, &made, nullptr), LANEMAX_OK);
  const OwnedPredictor c(made);
  Predictor cpp;
  ASSERT_TRUE(Predictor::create(Loss::softmax, weights_view(), {}, cpp).ok());
  const std::vector<double> values(x_.begin(), x_.end());
  for (const FeatureType type : kAllFeatureTypes) {
    const TypedFeatures typed(values, kRows, kFeatures, type);
    const auto c_type = static_cast<std::int32_t>(type);
    for (std::size_t n = 0; n < kRows; ++n) {
      const void* const x = &typed.bytes[n * kFeatures * size_of(type)];
      const SampleView sample(x, type, kFeatures);
      std::vector<float> c_z(kClasses), c_p(kClasses), c_best(2), z(kClasses), p(kClasses), best(2);
      std::vector<std::int32_t> c_top(2), top(2);
      std::int32_t chosen[4];
      const test::Allocations seen = test::watch_allocations([&] {
        chosen[0] = lanemax_predict(made, x, c_type, kFeatures);
        chosen[1] = lanemax_predict_logits(made, x, c_type, kFeatures, c_z.data(), kClasses);
        chosen[2] = lanemax_predict_probabilities(made, x, c_type, kFeatures, nullptr, 0, c_p.data(), kClasses);
        chosen[3] = lanemax_predict_top_k(made, x, c_type, kFeatures, nullptr, 0, c_top.data(), c_best.data(), 2);
      });
      EXPECT_EQ(seen.made, 0U);
      ASSERT_EQ(cpp.logits(sample, z), chosen[0]);
      ASSERT_EQ(cpp.probabilities(sample, {}, p), chosen[0]);
      ASSERT_EQ(cpp.top_k(sample, {}, top, best), chosen[0]);
      EXPECT_TRUE(chosen[1] == chosen[0] && chosen[2] == chosen[0] && chosen[3] == chosen[0]);
      EXPECT_TRUE(same_bits(c_z, z) && same_bits(c_p, p) && same_bits(c_best, best) && c_top == top);
    }
  }
}

TEST_F(CApiTest, StatusesSayTheSame) {
  labels_[7] = 9;
  lanemax_model* made = nullptr;
  lanemax_status c_status;
  EXPECT_EQ(lanemax_fit(&c_, nullptr, kNames, kClasses, &made, nullptr, &c_status), LANEMAX_LABEL_OUT_OF_RANGE);
  EXPECT_EQ(made, nullptr);
  Model model;
  FitResult result;
  const Status status = fit(cpp_, {}, {"a", "b", "c"}, model, result);
  char text[512];
  EXPECT_EQ(lanemax_status_message(&c_status, text, sizeof text), message(status).size());
  EXPECT_EQ(text, message(status));
  EXPECT_EQ(c_status.row, 7);

  const std::string path = "/no/such/" + std::string(200, 'd') + "/file\n";
  EXPECT_EQ(lanemax_model_load(path.c_str(), &made, &c_status), LANEMAX_MISSING_FILE);
  const Status of_file = load_model(path.c_str(), model);
  lanemax_status_message(&c_status, text, sizeof text);
  EXPECT_EQ(text, message(of_file));
  EXPECT_EQ(c_status.system_error, ENOENT);
}

/// Whichever allocation of the call fails, it says so, changes nothing and keeps nothing.
void expect_out_of_memory(const char* name, const std::function<std::int32_t()>& run) {
  SCOPED_TRACE(name);
  bool done = false;
  for (std::size_t after = 0; !done && after < 2000; ++after) {
    std::int32_t code = LANEMAX_OK;
    const test::Allocations seen = test::watch_allocations([&] { code = run(); }, {after, false});
    done = seen.refused == 0;
    if (done) {
      EXPECT_EQ(code, LANEMAX_OK);
    } else if (code != LANEMAX_OK) {
      EXPECT_EQ(code, LANEMAX_OUT_OF_MEMORY) << "allocation " << after;
      EXPECT_EQ(seen.kept, 0) << "allocation " << after;
    }
  }
  EXPECT_TRUE(done);
}

TEST_F(CApiTest, WithoutMemoryCallsSaySo) {
  if (!test::kSeesAllocations) GTEST_SKIP() << "the allocations of this C library cannot be seen";
  lanemax_model* model = nullptr;
  ASSERT_EQ(lanemax_fit(&c_, nullptr, kNames, kClasses, &model, nullptr, nullptr), LANEMAX_OK);
  const OwnedModel first(model);
  const auto fresh = [](auto*& handle, auto free, std::int32_t code) {
    if (code == LANEMAX_OK) {
      free(handle);
    } else {
      EXPECT_EQ(handle, nullptr);
    }
    handle = nullptr;
    return code;
  };
  lanemax_model* other = nullptr;
  lanemax_path* path = nullptr;
  lanemax_bytes* bytes = nullptr;
  lanemax_predictor* predictor = nullptr;
  lanemax_trainer* trainer = nullptr;
  expect_out_of_memory("fit", [&] {
    return fresh(other, lanemax_model_free, lanemax_fit(&c_, nullptr, kNames, kClasses, &other, nullptr, nullptr));
  });
  lanemax_path_options path_options = {};
  path_options.struct_size = sizeof path_options;
  path_options.folds = 2;
  expect_out_of_memory("fit_path", [&] {
    const std::int32_t code = lanemax_fit_path(&c_, &path_options, kNames, kClasses, &other, &path, nullptr);
    fresh(path, lanemax_path_free, code);
    return fresh(other, lanemax_model_free, code);
  });
  expect_out_of_memory(
      "to_bytes", [&] { return fresh(bytes, lanemax_bytes_free, lanemax_model_to_bytes(model, &bytes, nullptr)); });
  expect_out_of_memory("predictor", [&] {
    return fresh(predictor, lanemax_predictor_free, lanemax_predictor_create(model, 0, &predictor, nullptr));
  });
  lanemax_trainer_options options;
  ASSERT_EQ(lanemax_trainer_options_init(&options, sizeof options), LANEMAX_OK);
  options.features = kFeatures;
  options.scores = kClasses;
  options.batch_rows = kRows;
  expect_out_of_memory("trainer", [&] {
    return fresh(trainer, lanemax_trainer_free, lanemax_trainer_create(&options, &trainer, nullptr));
  });
  lanemax_status status;
  EXPECT_EQ(lanemax_model_load("/no/such/file/of/a/model", &other, &status), LANEMAX_MISSING_FILE);
  char text[64];
  std::size_t length = 0;
  test::watch_allocations([&] { length = lanemax_status_message(&status, text, sizeof text); }, {0, true});
  EXPECT_EQ(std::string(text), "missing_file");
  EXPECT_EQ(length, 12U);
}

TEST_F(CApiTest, OneHandleServesManyThreads) {
  const lanemax_const_weights at = weights();
  lanemax_predictor* made = nullptr;
  ASSERT_EQ(lanemax_predictor_from_weights(LANEMAX_SOFTMAX, &at, LANEMAX_ISA_DEFAULT, &made, nullptr), LANEMAX_OK);
  const OwnedPredictor predictor(made);
  const auto all = [&] {
    std::vector<std::int32_t> classes;
    for (std::size_t n = 0; n < kRows; ++n) {
      classes.push_back(lanemax_predict(made, &x_[n * kFeatures], LANEMAX_F32, kFeatures));
    }
    return classes;
  };
  const std::vector<std::int32_t> expected = all();
  std::vector<std::vector<std::int32_t>> seen(4);
  std::vector<std::thread> threads;
  for (auto& classes : seen) threads.emplace_back([&] { classes = all(); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& classes : seen) EXPECT_EQ(classes, expected);
}

/// A struct that has grown by two fields, one of which has a default.
struct Grown {
  std::size_t struct_size;
  double first;
  double appended;
  double appended_too;
};
constexpr std::size_t kGrownFirst = offsetof(Grown, appended);

}  // namespace
}  // namespace lanemax::checks

template <>
inline constexpr std::size_t lanemax::c_api::kFirstSize<lanemax::checks::Grown> = lanemax::checks::kGrownFirst;
template <>
lanemax::checks::Grown lanemax::c_api::defaults() noexcept {
  return {0, 1, 2, 0};
}

namespace lanemax::checks {
namespace {

TEST(CApiStructs, OldAndNewHeadersAreServed) {
  constexpr double kElse = 77;  // what is not the library's to read or to write
  const Grown unknown{0, kElse, kElse, kElse};
  for (const std::size_t size : {kGrownFirst, kGrownFirst + 8, sizeof(Grown), 2 * sizeof(Grown)}) {
    const bool has_appended = size > kGrownFirst, has_all = size >= sizeof(Grown), has_more = size > sizeof(Grown);
    std::vector<Grown> caller(2, unknown);  // a newer header's struct is as large as two
    EXPECT_EQ(c_api::init_sized(caller.data(), size), LANEMAX_OK);
    EXPECT_EQ(caller[0].struct_size, size);
    EXPECT_TRUE(caller[0].first == 1 && caller[0].appended == (has_appended ? 2 : kElse));
    EXPECT_EQ(caller[0].appended_too, has_all ? 0 : kElse);
    EXPECT_EQ(caller[1].appended_too, has_more ? 0 : kElse);

    caller.assign(2, unknown);
    caller[0].struct_size = size;
    auto taken = c_api::defaults<Grown>();
    EXPECT_EQ(c_api::read_sized(caller.data(), taken), !has_more);
    EXPECT_TRUE(taken.first == kElse && taken.appended == (has_appended ? kElse : 2));
    EXPECT_EQ(taken.appended_too, has_all ? kElse : 0);
  }
  std::vector<Grown> caller(2, unknown);
  EXPECT_EQ(c_api::init_sized(caller.data(), kGrownFirst - 1), LANEMAX_INVALID_ARGUMENT);
  EXPECT_EQ(c_api::init_sized(caller.data(), c_api::kMostSize + 1), LANEMAX_INVALID_ARGUMENT);
  EXPECT_EQ(caller[0].first, kElse);
}

}  // namespace
}  // namespace lanemax::checks
