// SPDX-License-Identifier: BSD-3-Clause
//
// What fit() refuses: the status says what and where, and no output is touched.
#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <functional>

namespace lanemax::checks {
namespace {

class FitRefusalTest : public IsaTest {
 protected:
  FitRefusalTest() : arrays_(make()) { validation_ = arrays_.batch; }
  static reference::Problem make() {
    Rng rng(81);
    return make_problem<float>(rng, {60, 5, 3}, {});
  }
  float* x() { return static_cast<float*>(const_cast<void*>(arrays_.batch.features.data)); }

  void expect_refused(const std::string& name, StatusCode code, const std::string& what,
                      const std::function<void(Batch&, FitOptions&)>& change, std::int64_t row = -1,
                      std::int64_t column = -1) {
    Batch data = arrays_.batch;
    FitOptions options;
    options.execution.isa = GetParam();
    change(data, options);
    const Fitted fitted = run_fit(data, options, 3);
    SCOPED_TRACE(name + ": " + message(fitted.status));
    EXPECT_EQ(lanemax::name_of(fitted.status.code), std::string(lanemax::name_of(code)));
    EXPECT_EQ(fitted.status.what, what);
    EXPECT_EQ(fitted.status.row, row);
    EXPECT_EQ(fitted.status.column, column);
    EXPECT_TRUE(untouched(fitted));
  }

  ProblemArrays<float> arrays_;
  Batch validation_;
};
INSTANTIATE_PER_ISA(FitRefusalTest);

TEST_P(FitRefusalTest, Options) {
  const StatusCode argument = StatusCode::invalid_argument;
  expect_refused("batch size", argument, "batch_size", [](Batch&, FitOptions& o) { o.mini_batches.batch_size = 0; });
  for (const double rate : {0.0, -1e-9, kNaN<double>, kInf<double>, 1e300}) {  // 1e300 is no float
    expect_refused("rate", argument, "learning_rate",
                   [=](Batch&, FitOptions& o) { o.mini_batches.learning_rate = rate; });
  }
  for (const double momentum : {-0.1, 1.0, kNaN<double>}) {
    expect_refused("momentum", argument, "momentum",
                   [=](Batch&, FitOptions& o) { o.mini_batches.momentum = momentum; });
  }
  for (const double decay : {-0.1, 1.0, kNaN<double>}) {
    expect_refused("second moment", argument, "second_moment_decay", [=](Batch&, FitOptions& o) {
      o.solver = Solver::adam;
      o.mini_batches.second_moment_decay = decay;
    });
  }
  for (const double bad : {-1.0, kNaN<double>, kInf<double>}) {
    expect_refused("tolerance", argument, "tolerance", [=](Batch&, FitOptions& o) { o.stopping.tolerance = bad; });
    expect_refused("time limit", argument, "time_limit", [=](Batch&, FitOptions& o) { o.stopping.time_limit = bad; });
    expect_refused("seconds", argument, "checkpoint seconds",
                   [=](Batch&, FitOptions& o) { o.checkpoint.seconds = bad; });
    expect_refused("l2", argument, "l2", [=](Batch&, FitOptions& o) { o.objective.l2 = bad; });
  }
  expect_refused("patience without validation", argument, "early_stopping",
                 [](Batch&, FitOptions& o) { o.stopping.early_stopping = 1; });
  expect_refused("nothing to go on from", argument, "resume",
                 [](Batch&, FitOptions& o) { o.checkpoint.resume = true; });
  for (const int threads : {0, -1}) {
    expect_refused("threads", argument, "threads", [=](Batch&, FitOptions& o) { o.execution.threads = threads; });
  }
  expect_refused("sum", argument, "reduction", [](Batch&, FitOptions& o) { o.objective.reduction = Reduction::sum; });
  expect_refused("smoothed hinge", argument, "label_smoothing", [](Batch&, FitOptions& o) {
    o.objective.loss = Loss::hinge;
    o.objective.label_smoothing = 0.1;
  });
  expect_refused("logistic with three rows", StatusCode::shape_mismatch, "weights",
                 [](Batch&, FitOptions& o) { o.objective.loss = Loss::logistic; });
}

TEST_P(FitRefusalTest, OptionsThatTheSolverHasNoUseFor) {
  const auto expect_unused = [&](const char* what, Solver solver, const std::function<void(FitOptions&)>& set) {
    expect_refused(text(what, ", ", name_of(solver)), StatusCode::invalid_argument, what, [&](Batch&, FitOptions& o) {
      o.solver = solver;
      set(o);
    });
  };
  for (const Solver solver : {Solver::lbfgs, Solver::newton}) {
    expect_unused("epochs", solver, [](FitOptions& o) { o.mini_batches.epochs = 20; });
    expect_unused("batch_size", solver, [](FitOptions& o) { o.mini_batches.batch_size = 128; });
    expect_unused("learning_rate", solver, [](FitOptions& o) { o.mini_batches.learning_rate = 0.1; });
    expect_unused("schedule", solver, [](FitOptions& o) { o.mini_batches.schedule = Schedule::cosine; });
    expect_unused("momentum", solver, [](FitOptions& o) { o.mini_batches.momentum = 0.9; });
    expect_unused("second_moment_decay", solver, [](FitOptions& o) { o.mini_batches.second_moment_decay = 0.999; });
    expect_unused("solver", solver, [](FitOptions& o) { o.objective.loss = Loss::hinge; });
  }
  for (const Solver solver : {Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad}) {
    for (const Preconditioner kind : {Preconditioner::none, Preconditioner::gram, Preconditioner::full}) {
      expect_unused("preconditioner", solver, [=](FitOptions& o) { o.preconditioner = kind; });
    }
  }
  expect_unused("momentum", Solver::sgd, [](FitOptions& o) { o.mini_batches.momentum = 0.9; });
  for (const Solver solver : {Solver::sgd, Solver::momentum, Solver::automatic}) {
    expect_unused("second_moment_decay", solver, [](FitOptions& o) { o.mini_batches.second_moment_decay = 0.999; });
  }
  // Automatic is momentum then.
  expect_unused("preconditioner", Solver::automatic, [](FitOptions& o) {
    o.preconditioner = Preconditioner::gram;
    o.mini_batches.epochs = 20;
  });
}

TEST_P(FitRefusalTest, Lengths) {
  const StatusCode shape = StatusCode::shape_mismatch;
  const std::vector<std::int32_t> labels(61);
  const std::vector<float> weights(61, 1.0F), targets(61 * 4, 0.25F), factor(6, 0.5F);
  const std::vector<double> centre(6);
  const auto expect_both = [&](const char* what, const std::function<void(Batch&)>& change) {
    expect_refused("data", shape, what, [&](Batch& b, FitOptions&) { change(b); });
    expect_refused("validation", shape, what, [&](Batch&, FitOptions& o) {
      validation_ = arrays_.batch;
      change(validation_);
      o.validation = &validation_;
    });
  };
  for (const std::size_t size : {1U, 59U, 61U}) {
    expect_both("labels", [&](Batch& b) { b.labels = std::span(labels).first(size); });
    expect_both("sample_weights", [&](Batch& b) { b.sample_weights = std::span(weights).first(size); });
    expect_both("target_probabilities", [&](Batch& b) {
      b.labels = {};
      b.target_probabilities = {targets.data(), size, 3};
    });
  }
  expect_both("target_probabilities", [&](Batch& b) {
    b.labels = {};
    b.target_probabilities = {targets.data(), 60, 4};
  });
  // As many as there are samples, however few are selected.
  const std::vector<std::uint32_t> few{5, 2};
  expect_both("labels", [&](Batch& b) {
    b.selection = few;
    b.labels = std::span(labels).first(2);
  });
  for (const std::size_t size : {1U, 4U, 6U}) {
    expect_both("scaling", [&](Batch& b) { b.scaling.centre = std::span(centre).first(size); });
    expect_both("scaling", [&](Batch& b) { b.scaling.factor = std::span(factor).first(size); });
  }
}

TEST_P(FitRefusalTest, Data) {
  expect_refused("no rows", StatusCode::no_rows, "batch", [](Batch& b, FitOptions&) { b.features.samples = 0; });
  expect_refused("no labels", StatusCode::invalid_argument, "targets", [](Batch& b, FitOptions&) { b.labels = {}; });
  std::vector<std::int32_t> labels = arrays_.labels;
  labels[44] = 3;
  expect_refused(
      "label", StatusCode::label_out_of_range, "labels", [&](Batch& b, FitOptions&) { b.labels = labels; }, 44);
  std::fill(labels.begin(), labels.end(), -1);
  expect_refused("all ignored", StatusCode::no_rows, "batch", [&](Batch& b, FitOptions&) { b.labels = labels; });
  std::vector<float> weights(60, 1.0f);
  weights[3] = -1;
  expect_refused(
      "weight", StatusCode::invalid_argument, "sample_weights",
      [&](Batch& b, FitOptions&) { b.sample_weights = weights; }, 3);
  for (const float bad : {kNaN<float>, kInf<float>, -kInf<float>}) {
    for (const Solver solver : {Solver::automatic, Solver::lbfgs, Solver::newton}) {
      const float was = x()[57 * 5 + 4];
      x()[57 * 5 + 4] = bad;
      expect_refused(
          text("X, ", name_of(solver)), StatusCode::not_finite, "features",
          [=](Batch&, FitOptions& o) { o.solver = solver; }, 57, 4);
      x()[57 * 5 + 4] = was;
    }
    for (const std::size_t batch_size : {1U, 16U, 60U}) {
      for (const std::size_t epochs : {0U, 1U, 5U}) {  // the final pass sees every row
        const float was = x()[57 * 5 + 4];
        x()[57 * 5 + 4] = bad;
        expect_refused(
            text("X, ", epochs, " epochs of batches of ", batch_size), StatusCode::not_finite, "features",
            [=](Batch&, FitOptions& o) {
              o.mini_batches.batch_size = batch_size;
              o.mini_batches.epochs = epochs;
            },
            57, 4);
        x()[57 * 5 + 4] = was;
      }
    }
  }
}

TEST_P(FitRefusalTest, Validation) {
  expect_refused("validation of another width", StatusCode::shape_mismatch, "features", [&](Batch&, FitOptions& o) {
    validation_.features.features = 4;
    o.validation = &validation_;
  });
  validation_ = arrays_.batch;
  std::vector<std::int32_t> labels = arrays_.labels;
  labels[9] = 7;
  expect_refused(
      "validation label", StatusCode::label_out_of_range, "labels",
      [&](Batch&, FitOptions& o) {
        validation_.labels = labels;
        o.validation = &validation_;
      },
      9);
  validation_ = arrays_.batch;
  std::vector<float> rows(60 * 5, 0.5f);
  rows[11 * 5 + 2] = kNaN<float>;
  expect_refused(
      "validation X", StatusCode::not_finite, "features",
      [&](Batch&, FitOptions& o) {
        validation_.features.data = rows.data();
        o.validation = &validation_;
      },
      11, 2);
}

TEST_P(FitRefusalTest, Scaling) {
  const StatusCode argument = StatusCode::invalid_argument, finite = StatusCode::not_finite;
  const std::vector<double> centre{0, 1, kNaN<double>, 2, 3};
  for (const float bad : {0.0F, 1e-40F, kNaN<float>, kInf<float>}) {
    std::vector<float> factor(5, 0.5F);
    factor[3] = bad;
    const StatusCode code = std::isfinite(bad) ? argument : finite;
    for (const Solver solver : {Solver::lbfgs, Solver::sgd}) {
      expect_refused(
          "factor", code, "scaling factor",
          [&](Batch& b, FitOptions& o) {
            b.scaling.factor = factor;
            o.solver = solver;
          },
          -1, 3);
      expect_refused(
          "validation factor", code, "scaling factor",
          [&](Batch&, FitOptions& o) {
            validation_ = arrays_.batch;
            validation_.scaling.factor = factor;
            o.validation = &validation_;
            o.solver = solver;
          },
          -1, 3);
    }
  }
  expect_refused("centre", finite, "scaling centre", [&](Batch& b, FitOptions&) { b.scaling.centre = centre; }, -1, 2);
  const std::vector<double> zeros(5);
  expect_refused("standardise twice", argument, "standardise", [&](Batch& b, FitOptions& o) {
    b.scaling.centre = zeros;
    o.standardise = true;
  });
}

TEST_P(FitRefusalTest, Outputs) {
  FitOptions o;
  o.execution.isa = GetParam();
  std::vector<float> w(15), b(3);
  FitResult result;
  EXPECT_EQ(fit(arrays_.batch, o, WeightsView<float>{{nullptr, 3, 5}, b}, result).code, StatusCode::invalid_argument);
  EXPECT_EQ(fit(arrays_.batch, o, WeightsView<float>{{w.data(), 3, 5}, {}}, result).code, StatusCode::invalid_argument);
  EXPECT_EQ(fit(arrays_.batch, o, WeightsView<float>{{w.data(), 3, 4}, b}, result).code, StatusCode::shape_mismatch);
  // Room for more or fewer numbers than there are.
  std::vector<float> wrong(9, 7), factor(6, 7);
  std::vector<double> centre(6, 7);
  const auto expect_shape = [&](const char* what, std::size_t biases, const FitScaling& scaling) {
    const WeightsView<float> weights{{w.data(), 3, 5}, std::span(wrong).first(biases)};
    const Status refused = fit(arrays_.batch, o, weights, result, scaling);
    EXPECT_EQ(refused.code, StatusCode::shape_mismatch) << message(refused);
    EXPECT_EQ(refused.what, std::string(what));
  };
  for (const std::size_t size : {1U, 2U, 4U}) expect_shape("bias", size, {});
  for (const std::size_t size : {1U, 4U, 6U}) {
    expect_shape("scaling", 3, {.centre_used = std::span(centre).first(size)});
    expect_shape("scaling", 3, {.factor_used = std::span(factor).first(size)});
    expect_shape("scaling", 3, {.model_centre = std::span(centre).first(size)});
  }
  EXPECT_EQ(result.iterations, 0U);
  for (const std::vector<float>* values : {&wrong, &factor}) {
    EXPECT_EQ(std::count(values->begin(), values->end(), 7.0F), static_cast<std::ptrdiff_t>(values->size()));
  }
  EXPECT_EQ(std::count(centre.begin(), centre.end(), 7.0), 6);
  EXPECT_EQ(std::count(w.begin(), w.end(), 0.0F), 15);
  // Weights to begin with are checked like any others.
  o.warm_start = true;
  w[7] = kNaN<float>;
  const Status status = fit(arrays_.batch, o, view_of(w, b), result);
  EXPECT_EQ(status.code, StatusCode::not_finite);
  EXPECT_EQ(status.row, 1);
  EXPECT_EQ(status.column, 2);
  EXPECT_EQ(w[6], 0.0f);
  // Without a warm start nobody looks at them.
  o.warm_start = false;
  EXPECT_TRUE(fit(arrays_.batch, o, view_of(w, b), result).ok());
}

}  // namespace
}  // namespace lanemax::checks
