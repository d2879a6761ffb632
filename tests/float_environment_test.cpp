// SPDX-License-Identifier: BSD-3-Clause
//
// Hosts that flush subnormals to 0 or round otherwise: every result is what it is elsewhere, on the caller's thread and
// on those that work for it, and the caller's mode is afterwards what it was.
#include <lanemax/lanemax.hpp>

#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <cfenv>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lanemax::checks {
namespace {

/// What a host may have set.
struct Mode {
  const char* name;
  int rounding;
  bool flushes;
};
constexpr Mode kModes[] = {{"up", FE_UPWARD, false},
                           {"down", FE_DOWNWARD, false},
                           {"to zero", FE_TOWARDZERO, false},
                           {"flushing", FE_TONEAREST, true},
                           {"up, flushing", FE_UPWARD, true}};

std::uint64_t control() {
#if defined(__x86_64__)
  return _mm_getcsr() & ~0x3FU;
#elif defined(__aarch64__)
  std::uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#endif
}

class SetMode {
 public:
  explicit SetMode(const Mode& mode) {
    std::fesetround(mode.rounding);
    if (!mode.flushes) return;
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" : : "r"(control() | std::uint64_t{1} << 24));
#endif
  }
  ~SetMode() { std::fesetenv(FE_DFL_ENV); }
  SetMode(const SetMode&) = delete;
  SetMode& operator=(const SetMode&) = delete;
};

template <class T>
void append(std::vector<unsigned char>& bits, const T* values, std::size_t count) {
  const auto* first = reinterpret_cast<const unsigned char*>(values);
  bits.insert(bits.end(), first, first + count * sizeof(T));
}

/// Some work of every kind of call; all but the fits on features so small that half of their gradients are subnormal.
class Work {
 public:
  Work() {
    Rng rng(104);
    problem_ = make_problem<float>(rng, Shape{3000, 40, 6}, {});
    ordinary_ = std::make_unique<ProblemArrays<float>>(problem_);
    for (double& x : problem_.x) x *= 0x1p-126;
    arrays_ = std::make_unique<ProblemArrays<float>>(problem_);
  }
  [[nodiscard]] std::vector<unsigned char> run(Isa isa, int threads) const {
    std::vector<unsigned char> bits;
    CallOptions options;
    options.isa = isa;
    options.threads = threads;
    const CallOutputs<float> out = call(*arrays_, options, true);
    EXPECT_TRUE(out.status.ok());
    append(bits, out.dweights.data(), out.dweights.size());
    append(bits, out.sample_losses.data(), out.sample_losses.size());
    append(bits, &out.result.objective, 1);
    const CallOutputs<float> loss_alone = call(*arrays_, options, false);
    EXPECT_TRUE(loss_alone.status.ok());
    append(bits, loss_alone.probabilities.data(), loss_alone.probabilities.size());
    append(bits, &loss_alone.result.objective, 1);

    std::vector<float> weights;
    for (const ProblemArrays<float>* arrays : {ordinary_.get(), arrays_.get()}) {
      OwnedState<float> owned(problem_.features, problem_.classes, Optimiser::momentum);
      EXPECT_TRUE(owned.state.set_weights(arrays->weights).ok());
      LossResult result;
      for (int step = 0; step < 2; ++step) {
        EXPECT_TRUE(owned.step({}, arrays->batch, step_options(kRules[1], 0.125, 0.875), {threads, isa}, result).ok());
      }
      weights = owned.weights();
      append(bits, weights.data(), weights.size());
    }

    // Scaled on the way in and out.
    const std::vector<double> centre(problem_.features, 0.1);
    const std::vector<float> factor(problem_.features, 0.3F);
    OwnedState<float> in(problem_.features, problem_.classes, Optimiser::gradient_descent);
    EXPECT_TRUE(in.state.set_weights(arrays_->weights, {centre, factor}).ok());
    const std::vector<std::byte> scaled = in.contents();
    append(bits, scaled.data(), scaled.size());
    const std::vector<float> w_out = in.weights(), b_out = in.bias();
    append(bits, w_out.data(), w_out.size());
    append(bits, b_out.data(), b_out.size());

    FitOptions fit_options;
    fit_options.objective.l2 = 1e-3;
    fit_options.execution = {threads, isa};
    fit_options.stopping.max_iterations = 3;
    std::vector<float> w(weights.size()), b(problem_.classes);
    const WeightsView<float> fit_weights{{w.data(), problem_.classes, problem_.features}, b};
    FitResult fitted;
    EXPECT_TRUE(fit(ordinary_->batch, fit_options, fit_weights, fitted).ok());
    append(bits, w.data(), w.size());
    append(bits, &fitted.objective, 1);
    append(bits, &fitted.gap_bound, 1);

    constexpr double kPenalties[] = {1e-3, 1e-2};
    PathOptions path;
    path.fit = fit_options;
    path.fit.objective.l2.reset();
    path.l2 = kPenalties;
    path.folds = 2;
    PathPoint points[2];
    PathResult best;
    EXPECT_TRUE(fit_path(ordinary_->batch, path, points, fit_weights, best).ok());
    append(bits, w.data(), w.size());
    for (const PathPoint& point : points) {
      append(bits, &point.held_out_loss, 1);
      append(bits, &point.held_out_loss_error, 1);
    }

    Model model;
    model.features = problem_.features;
    model.weight = weights;
    model.bias.assign(problem_.classes, 0x1p-130f);
    for (std::size_t c = 0; c < problem_.classes; ++c) model.class_labels.push_back(std::to_string(c));
    model.scaling_centre.assign(problem_.features, 0);
    model.scaling_factor.assign(problem_.features, 0x1p-140F);  // where a small factor counts as 0, it is none
    EXPECT_TRUE(check_model(model).ok());
    std::vector<std::uint8_t> file;
    EXPECT_TRUE(model_to_bytes(model, file).ok());
    append(bits, file.data(), file.size());
    Model read;
    EXPECT_TRUE(model_from_bytes(file.data(), file.size(), read).ok());
    Predictor predictor;
    EXPECT_TRUE(Predictor::create(model, isa, predictor).ok());
    const auto* x = static_cast<const float*>(arrays_->batch.features.data);
    for (std::size_t n = 0; n < 50; ++n) {
      const std::size_t at = n * problem_.features;
      const std::span single(x + at, problem_.features);
      const std::span wide(&problem_.x[at], problem_.features);
      for (const std::int32_t c : {predictor.predict(single), predictor.predict(wide)}) append(bits, &c, 1);
    }
    std::vector<float> probabilities(problem_.rows * problem_.classes);
    Predictions predictions;
    predictions.probabilities = {probabilities.data(), problem_.rows, problem_.classes};
    Scratch scratch;
    EXPECT_TRUE(predictor
                    .predict_batch(arrays_->batch.features, threads, scratch(predictor.batch_workspace_bytes(threads)),
                                   predictions)
                    .ok());
    append(bits, probabilities.data(), probabilities.size());
    return bits;
  }

 private:
  reference::Problem problem_;
  std::unique_ptr<ProblemArrays<float>> ordinary_, arrays_;
};

class FloatEnvironmentTest : public IsaTest {};
INSTANTIATE_PER_ISA(FloatEnvironmentTest);

TEST_P(FloatEnvironmentTest, TheCallersModeChangesNothingAndStays) {
  const Work work;
  const std::vector<unsigned char> want = work.run(table().isa, 2);  // the pool's threads are made in this mode
  for (const Mode& mode : kModes) {
    for (const int threads : {1, 2, 3}) {
      std::vector<unsigned char> got;
      std::uint64_t before = 0, after = 1;
      {
        const SetMode set(mode);
        before = control();
        got = work.run(table().isa, threads);
        after = control();
      }
      EXPECT_EQ(got, want) << mode.name << ", " << threads << " threads";
      EXPECT_EQ(after, before) << mode.name;
    }
  }
}

/// Threads that are made by a caller in another mode work for others, too.
TEST_P(FloatEnvironmentTest, NorThatInWhichThreadsWereMade) {
  const Work work;
  {
    const SetMode set(kModes[4]);
    static_cast<void>(work.run(table().isa, 5));
  }
  EXPECT_EQ(work.run(table().isa, 5), work.run(table().isa, 1));
}

}  // namespace
}  // namespace lanemax::checks
