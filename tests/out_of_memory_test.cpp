// SPDX-License-Identifier: BSD-3-Clause
//
// Whichever allocation of a public call fails, alone or with all that follow: the call says out_of_memory, its outputs
// are untouched and nothing is lost; or it can do without, and gives the same.
#include <lanemax/fit_path.hpp>
#include <lanemax/model.hpp>
#include <lanemax/predictor.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/fitting.hpp"
#include "tests/support/model_bytes.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>

#include <unistd.h>

namespace lanemax::checks {
namespace {

using test::Allocations;
using test::Refusal;

test::Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const std::string& path, const test::Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// A call that is made many times.
class Attempt {
 public:
  virtual ~Attempt() = default;
  /// All outputs as they are before.
  virtual void prepare() = 0;
  [[nodiscard]] virtual Status call() = 0;
  [[nodiscard]] virtual bool untouched() const = 0;
  /// Of a call that succeeded; a call that was refused something may succeed with the same.
  [[nodiscard]] virtual std::vector<unsigned char> outcome() const = 0;
  /// After a call that was refused something and did without.
  [[nodiscard]] virtual bool says_what_is_missing() const { return false; }
  /// Whether a call that succeeded keeps allocations.
  [[nodiscard]] virtual bool keeps_memory() const { return false; }
};

void refuse_each(const std::string& name, Attempt& attempt) {
  SCOPED_TRACE(name);
  attempt.prepare();
  const Status first = attempt.call();  // what a process allocates but once is there from here on
  ASSERT_TRUE(first.ok()) << message(first);
  const std::vector<unsigned char> want = attempt.outcome();
  ASSERT_FALSE(want.empty());
  for (const bool all_later : {false, true}) {
    std::size_t failed = 0;
    for (std::size_t after = 0;; ++after) {
      attempt.prepare();
      Status status;
      const Allocations seen = test::watch_allocations([&] { status = attempt.call(); }, {after, all_later});
      SCOPED_TRACE(text("allocation ", after, all_later ? " and all later" : "", ": ", message(status)));
      if (status.ok()) {
        ASSERT_EQ(attempt.outcome(), want);
        ASSERT_TRUE(seen.refused == 0 || attempt.says_what_is_missing());
      } else {
        ASSERT_GT(seen.refused, 0U);
        ASSERT_EQ(status.code, StatusCode::out_of_memory);
        ASSERT_TRUE(attempt.untouched());
        ++failed;
      }
      if (!status.ok() || !attempt.keeps_memory()) {
        ASSERT_EQ(seen.kept, 0);
      }
      if (seen.refused == 0) break;
    }
    EXPECT_GT(failed, 2U);
    std::cout << name << ": " << failed << (all_later ? " times with all later ones" : " allocations") << '\n';
  }
}

template <class T>
void append(std::vector<unsigned char>& bits, const T* values, std::size_t count) {
  const auto* first = reinterpret_cast<const unsigned char*>(values);
  bits.insert(bits.end(), first, first + count * sizeof(T));
}
void append(std::vector<unsigned char>& bits, const FitResult& r) {
  for (const double value : {r.objective, r.data_loss, r.gradient_norm, r.gap_bound, r.rounding_cost, r.passes}) {
    append(bits, &value, 1);
  }
  append(bits, &r.iterations, 1);
  append(bits, &r.reason, 1);
}

class OutOfMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::kSeesAllocations) GTEST_SKIP() << "the allocations of this C library cannot be seen";
    test::expect_allocations_are_seen();
    // Where the system has a file system in memory, there: hundreds of checkpoints are synced.
    const std::filesystem::path memory = "/dev/shm";
    const bool is_there = ::access(memory.c_str(), W_OK) == 0;
    std::string pattern = ((is_there ? memory : std::filesystem::temp_directory_path()) / "lanemax-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    if (directory_.empty()) return;
    EXPECT_LE(std::distance(std::filesystem::directory_iterator(directory_), {}), 1) << "temporary files are left";
    std::filesystem::remove_all(directory_);
  }
  [[nodiscard]] std::string file() const { return directory_ / "file"; }

 private:
  std::filesystem::path directory_;
};

/// Overlapping classes; the first has a row of three.
reference::Problem problem(const Shape& shape) {
  Rng rng(410);
  reference::Problem p = make_learnable(rng, shape);
  for (double& x : p.x) x = (x - 5) / 4;
  for (int& label : p.labels) {
    if (rng.below(3) == 0) label = 0;
  }
  return p;
}

// ---- fit() and fit_path() ----

class FitAttempt : public Attempt {
 public:
  explicit FitAttempt(const Shape& shape) : classes(shape.classes), problem_(problem(shape)), arrays_(problem_) {
    data = arrays_.batch;
    options.objective.l2 = 0.01;
    options.stopping.max_iterations = 7;  // the curvature is looked at anew after five
  }
  void prepare() override {
    const auto value = static_cast<float>(kUntouched);
    w_.assign(classes * data.features.features, value);
    b_.assign(classes, value);
    centre_.assign(data.features.features, kUntouched);
    factor_.assign(data.features.features, value);
    result_ = {};
    result_.objective = kUntouched;
    if (options.standardise) {
      scaling.centre_used = centre_;
      scaling.factor_used = factor_;
    }
    if (has_mini_batches(options.solver)) options.mini_batches = {.epochs = 2, .batch_size = 16};
    asked_ = 0;
    options.user = this;
    options.cancelled = [](void* user) noexcept {
      auto& self = *static_cast<FitAttempt*>(user);
      return ++self.asked_ == self.stop_at;
    };
    if (before) before();
  }
  [[nodiscard]] Status call() override { return fit(data, options, view_of(w_, b_), result_, scaling); }
  [[nodiscard]] bool untouched() const override {
    const auto is_untouched = [](auto v) { return v == static_cast<decltype(v)>(kUntouched); };
    const auto all = [&](const auto& values) { return std::all_of(values.begin(), values.end(), is_untouched); };
    return all(w_) && all(b_) && all(centre_) && all(factor_) && result_.objective == kUntouched &&
           result_.iterations == 0;
  }
  [[nodiscard]] std::vector<unsigned char> outcome() const override {
    std::vector<unsigned char> bits;
    append(bits, w_.data(), w_.size());
    append(bits, b_.data(), b_.size());
    append(bits, centre_.data(), centre_.size());
    append(bits, result_);
    return bits;
  }

  [[nodiscard]] bool says_what_is_missing() const override {
    return result_.checkpoint_error.code == StatusCode::out_of_memory;
  }

  std::size_t classes;
  Batch data;
  FitOptions options;
  FitScaling scaling;
  std::function<void()> before;  ///< each call
  std::size_t stop_at = 0;       ///< the how manieth question whether to; 0: never

 protected:
  std::vector<float> w_, b_, factor_;
  std::vector<double> centre_;
  FitResult result_;

 private:
  reference::Problem problem_;
  ProblemArrays<float> arrays_;
  std::size_t asked_ = 0;
};

TEST_F(OutOfMemoryTest, EverySolver) {
  for (const Solver solver :
       {Solver::lbfgs, Solver::newton, Solver::sgd, Solver::momentum, Solver::adam, Solver::adagrad}) {
    for (const bool standardise : {false, true}) {
      FitAttempt attempt({60, 5, 3});
      attempt.options.solver = solver;
      attempt.options.standardise = standardise;
      attempt.options.validation = &attempt.data;
      attempt.options.stopping.early_stopping = 5;
      refuse_each(text(name_of(solver), standardise ? ", standardised" : ""), attempt);
    }
  }
}

TEST_F(OutOfMemoryTest, EveryKindOfCurvature) {
  for (const Preconditioner kind : {Preconditioner::none, Preconditioner::diagonal, Preconditioner::gram,
                                    Preconditioner::blocks, Preconditioner::full}) {
    FitAttempt attempt({500, 8, 6});
    attempt.options.preconditioner = kind;
    attempt.options.execution.threads = 2;
    refuse_each(name_of(kind), attempt);
  }
}

// Of pairs: the first class's block has sums of its own, the others' are from the pairs' side.
TEST_F(OutOfMemoryTest, BlocksOfManyClasses) {
  FitAttempt attempt({500, 88, 17});
  attempt.options.preconditioner = Preconditioner::blocks;
  attempt.options.execution.threads = 2;
  refuse_each("17 classes", attempt);
}

TEST_F(OutOfMemoryTest, FewRowsOfManyFeatures) {
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::momentum}) {
    FitAttempt attempt({16, 80, 3});
    attempt.options.solver = solver;
    attempt.options.execution.threads = 2;
    refuse_each(text("wide, ", name_of(solver)), attempt);
  }
}

TEST_F(OutOfMemoryTest, FeaturesFarFromZero) {
  FitAttempt attempt({60, 5, 3});
  std::vector<double> x, centre(5);
  for (std::size_t i = 0; i < 300; ++i) {
    x.push_back(static_cast<double>(static_cast<const float*>(attempt.data.features.data)[i]) + 1.7e9);
  }
  attempt.data.features = {x.data(), 60, 5};
  attempt.scaling.model_centre = centre;
  attempt.before = [&] { centre.assign(5, kUntouched); };
  refuse_each("far from 0", attempt);
}

// A checkpoint that there was no memory for does not end a fit; one that cannot be read does.
TEST_F(OutOfMemoryTest, Checkpoints) {
  const std::string path = file();
  for (const Solver solver : {Solver::lbfgs, Solver::newton, Solver::adam}) {
    FitAttempt attempt({60, 5, 3});
    attempt.options.solver = solver;
    attempt.options.checkpoint.file = path;
    attempt.options.checkpoint.seconds = 1e9;
    attempt.stop_at = 5;
    refuse_each(text("keeping, ", name_of(solver)), attempt);
    ASSERT_TRUE(std::filesystem::exists(path));
    const test::Bytes kept = read_file(path);
    attempt.options.checkpoint.resume = true;
    attempt.stop_at = 0;
    attempt.before = [&] { write_file(path, kept); };
    refuse_each(text("going on, ", name_of(solver)), attempt);
    std::filesystem::remove(path);
  }
}

class PathAttempt final : public FitAttempt {
 public:
  explicit PathAttempt(const Shape& shape, std::size_t folds) : FitAttempt(shape) {
    static constexpr double kPenalties[] = {0.01, 0.1};
    options.stopping.max_iterations = 4;
    path_.l2 = kPenalties;
    path_.folds = folds;
  }
  void prepare() override {
    FitAttempt::prepare();
    path_.fit = options;
    path_.fit.objective.l2.reset();
    points_.assign(2, {});
    points_[0].l2 = kUntouched;
    path_result_ = {};
    path_result_.passes = kUntouched;
  }
  [[nodiscard]] Status call() override {
    return fit_path(data, path_, points_, view_of(w_, b_), path_result_, {.scaling = scaling});
  }
  [[nodiscard]] bool untouched() const override {
    return FitAttempt::untouched() && points_[0].l2 == kUntouched && points_[1].l2 == 0 &&
           path_result_.passes == kUntouched;
  }
  [[nodiscard]] std::vector<unsigned char> outcome() const override {
    std::vector<unsigned char> bits = FitAttempt::outcome();
    for (const PathPoint& point : points_) {
      append(bits, point.fit);
      append(bits, &point.held_out_loss, 1);
      append(bits, &point.finished, 1);
    }
    append(bits, path_result_.fit);
    append(bits, &path_result_.best, 1);
    return bits;
  }
  [[nodiscard]] bool says_what_is_missing() const override {
    return path_result_.fit.checkpoint_error.code == StatusCode::out_of_memory;
  }

 private:
  PathOptions path_;  ///< copied before the call: its texts take memory
  std::vector<PathPoint> points_;
  PathResult path_result_;
};

TEST_F(OutOfMemoryTest, Paths) {
  const std::string path = file();
  for (const Shape& shape : {Shape{60, 5, 3}, Shape{60, 5, 18}, Shape{16, 80, 3}}) {
    PathAttempt attempt(shape, 2);
    attempt.options.solver = shape.classes == 3 ? Solver::newton : Solver::lbfgs;
    attempt.options.standardise = shape.classes == 3;
    refuse_each(text("path, ", shape.features, " x ", shape.classes), attempt);
  }
  PathAttempt judged({60, 5, 3}, 0);
  judged.options.validation = &judged.data;
  refuse_each("path, validation rows", judged);

  // In the middle of the second fold.
  PathAttempt kept({60, 5, 3}, 2);
  kept.options.checkpoint.file = path;
  kept.options.checkpoint.seconds = 1e9;
  kept.stop_at = 30;
  refuse_each("path, keeping", kept);
  ASSERT_TRUE(std::filesystem::exists(path));
  const test::Bytes state = read_file(path);
  kept.options.checkpoint.resume = true;
  kept.stop_at = 0;
  kept.before = [&] { write_file(path, state); };
  refuse_each("path, going on", kept);
}

// ---- models ----

class ReadingAttempt final : public Attempt {
 public:
  explicit ReadingAttempt(std::function<Status(Model&)> read) : read_(std::move(read)) {}
  void prepare() override { model_ = test::make_model(2, 2); }
  [[nodiscard]] Status call() override { return read_(model_); }
  [[nodiscard]] bool untouched() const override {
    return test::to_bytes(model_) == test::to_bytes(test::make_model(2, 2));
  }
  [[nodiscard]] std::vector<unsigned char> outcome() const override { return test::to_bytes(model_); }
  [[nodiscard]] bool keeps_memory() const override { return true; }

 private:
  std::function<Status(Model&)> read_;
  Model model_;
};

class WritingAttempt final : public Attempt {
 public:
  WritingAttempt(const Model& model, std::string path) : model_(model), path_(std::move(path)) {}
  void prepare() override {
    bytes_ = {1, 2, 3};
    if (!path_.empty()) write_file(path_, bytes_);
  }
  [[nodiscard]] Status call() override {
    return path_.empty() ? model_to_bytes(model_, bytes_) : save_model(model_, path_.c_str());
  }
  [[nodiscard]] bool untouched() const override { return outcome() == test::Bytes{1, 2, 3}; }
  [[nodiscard]] std::vector<unsigned char> outcome() const override {
    return path_.empty() ? bytes_ : read_file(path_);
  }
  [[nodiscard]] bool keeps_memory() const override { return path_.empty(); }

 private:
  const Model& model_;
  std::string path_;
  test::Bytes bytes_;
};

class PredictorAttempt final : public Attempt {
 public:
  explicit PredictorAttempt(const Model& model) : model_(model) {}
  void prepare() override {
    predictor_ = {};
    const Model other = test::make_model(2, 1);
    EXPECT_TRUE(Predictor::create(other, Isa::process_default, predictor_).ok());
  }
  [[nodiscard]] Status call() override { return Predictor::create(model_, Isa::process_default, predictor_); }
  [[nodiscard]] bool untouched() const override { return predictor_.features() == 1 && predictor_.classes() == 2; }
  [[nodiscard]] std::vector<unsigned char> outcome() const override {
    std::vector<unsigned char> bits;
    const std::vector<float> sample(model_.features, 0.5F);
    const std::int32_t c = predictor_.predict(sample);
    append(bits, &c, 1);
    return bits;
  }
  [[nodiscard]] bool keeps_memory() const override { return true; }

 private:
  const Model& model_;
  Predictor predictor_;
};

TEST_F(OutOfMemoryTest, Models) {
  Model centred = test::centred_model(), table = test::model_of_a_table(), large = test::make_model(40, 60);
  for (float& w : large.weight) w = 0.25F;
  for (float& b : large.bias) b = 0.25F;
  for (const Model* model : {&centred, &table, &large}) {
    const test::Bytes bytes = test::to_bytes(*model);
    const std::string path = file();
    write_file(path, bytes);
    ReadingAttempt from_bytes([&](Model& read) { return model_from_bytes(bytes.data(), bytes.size(), read); });
    refuse_each("model_from_bytes", from_bytes);
    ReadingAttempt from_file([&](Model& read) { return load_model(path.c_str(), read); });
    refuse_each("load_model", from_file);
    WritingAttempt to_bytes(*model, "");
    refuse_each("model_to_bytes", to_bytes);
    WritingAttempt to_file(*model, path);
    refuse_each("save_model", to_file);
  }
  for (Model* model : {&centred, &large}) {
    for (float& w : model->weight) w = 0.25F;
    PredictorAttempt predictor(*model);
    refuse_each("Predictor::create", predictor);
  }
}

}  // namespace
}  // namespace lanemax::checks
