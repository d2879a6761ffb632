// SPDX-License-Identifier: BSD-3-Clause
//
// The class of one sample. predict, everything warm: the mean comes from the timed loop; the percentiles from single
// calls between two readings of the clock, whose own cost is taken off. predict_cold: before each call a buffer larger
// than every cache is read; the counters are those of the median call, the time that Google Benchmark prints holds the
// reading, too. Peers: the bare product and an argmax, without bias and checks.
#include "bench/limits/limits.hpp"
#include "bench/peers/peers.hpp"
#include "bench/support.hpp"

#include <lanemax/predictor.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace lanemax::bench {
namespace {

constexpr Shape kShapes[] = {{32, 784, 10}, {32, 54, 7}, {32, 128, 2}, {32, 768, 1000}, {2, 1024, 32000}};
struct Percentile {
  const char* name;
  double p;
};
constexpr Percentile kPercentiles[] = {
    {"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p99.9_ns", 0.999}, {"max_ns", 1}};
constexpr std::size_t kColdCalls = 15;  // at least, for a median

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

/// The p-th of sorted times.
double percentile(const std::vector<double>& sorted, double p) {
  return sorted[static_cast<std::size_t>(p * static_cast<double>(sorted.size() - 1))];
}

/// What two readings of the clock take.
double clock_cost() {
  std::vector<double> times(1000);
  for (double& time : times) time = nanoseconds_since(Clock::now());
  std::sort(times.begin(), times.end());
  return percentile(times, 0.5);
}

/// Fills every cache with something else.
void evict_caches() {
  static const Buffer<float> memory(std::max(std::size_t{64} << 20, 4 * cache_bytes(Level::l3)) / sizeof(float));
  float sum = 0;
  for (std::size_t i = 0; i < memory.size(); i += 64 / sizeof(float)) sum += memory[i];
  benchmark::DoNotOptimize(sum);
}

class PredictCase : public Case {
 public:
  PredictCase(const Shape& shape, bool cold) : problem_(problem_of(shape)), cold_(cold) {}

  [[nodiscard]] Work work() const override {
    const double weights = static_cast<double>(problem_->weights.size());
    const double bytes = 4 * (weights + static_cast<double>(problem_->shape.features));
    // However much is read before a cold call, some of W may still be in L3.
    return {2 * weights, bytes, cold_ ? static_cast<double>(cache_bytes(Level::l3)) : bytes, 1};
  }

  std::string check() override {
    const auto [rows, features, classes, large] = problem_->shape;
    for (std::size_t n = 0; n < rows; ++n) {
      // Any class will do that is the best but for rounding.
      const auto found = class_of(problem_->x.data() + n * features);
      if (found < 0 || static_cast<std::size_t>(found) >= classes) return "wrong result: no class";
      Expected best{-INFINITY, 0};
      for (std::size_t c = 0; c < classes; ++c) {
        const Expected z = expected_logit(*problem_, n, c, with_bias());
        if (z.value > best.value) best = z;
      }
      const Expected z = expected_logit(*problem_, n, static_cast<std::size_t>(found), with_bias());
      std::string error =
          mismatch("best logit of row " + std::to_string(n), z.value, best.value, z.tolerance + best.tolerance);
      if (!error.empty()) return error;
    }
    return {};
  }

  void run() override {
    if (cold_) {
      evict_caches();
      times_.push_back(timed_call());
    } else {
      call();
    }
  }

  [[nodiscard]] double seconds(double loop_mean) override {
    if (cold_) {
      while (times_.size() < kColdCalls) run();
    } else {
      times_.resize(work().flops > 1e7 ? 200 : work().flops > 1e5 ? 2000 : 20000);
      for (double& time : times_) time = timed_call();
    }
    std::sort(times_.begin(), times_.end());
    const double clock = clock_cost();
    for (std::size_t i = 0; i < std::size(kPercentiles); ++i) {
      found_[i] = percentile(times_, kPercentiles[i].p) - clock;
    }
    times_.clear();
    return cold_ ? found_[0] * 1e-9 : loop_mean;
  }
  void count(benchmark::State& state) override {
    for (std::size_t i = 0; i < std::size(kPercentiles); ++i) {
      if (i == 0 || !cold_) state.counters[kPercentiles[i].name] = found_[i];
    }
  }

 protected:
  virtual std::int32_t class_of(const float* x) = 0;
  [[nodiscard]] virtual bool with_bias() const = 0;
  std::shared_ptr<const Problem> problem_;

 private:
  void call() {
    std::int32_t c = class_of(problem_->x.data());
    benchmark::DoNotOptimize(c);
  }
  double timed_call() {
    const auto start = Clock::now();
    call();
    return nanoseconds_since(start);
  }

  bool cold_;
  std::vector<double> times_;  // nanoseconds of single calls
  double found_[std::size(kPercentiles)] = {};
};

class EngineCase : public PredictCase {
 public:
  EngineCase(Isa isa, const Shape& shape, bool cold) : PredictCase(shape, cold) {
    Model model;
    model.features = shape.features;
    model.weight.assign(problem_->weights.data(), problem_->weights.data() + problem_->weights.size());
    model.bias.assign(problem_->bias.data(), problem_->bias.data() + shape.classes);
    for (std::size_t c = 0; c < shape.classes; ++c) model.class_labels.push_back(std::to_string(c));
    // Without a model there is no class, which the check refuses.
    static_cast<void>(Predictor::create(model, isa, predictor_));
  }

 private:
  std::int32_t class_of(const float* x) override {
    return predictor_.predict({x, FeatureType::f32, problem_->shape.features});
  }
  [[nodiscard]] bool with_bias() const override { return true; }
  Predictor predictor_;
};

class PeerCase : public PredictCase {
 public:
  PeerCase(const GemmPeer& peer, const Shape& shape, bool cold)
      : PredictCase(shape, cold), peer_(peer), logits_(shape.classes) {}
  void prepare() override { peer_.set_threads(1); }

 private:
  std::int32_t class_of(const float* x) override {
    const std::size_t features = problem_->shape.features, classes = problem_->shape.classes;
    peer_.multiply_vector(classes, features, problem_->weights.data(), x, logits_.data());
    return static_cast<std::int32_t>(plain_argmax(logits_.data(), classes));
  }
  [[nodiscard]] bool with_bias() const override { return false; }
  const GemmPeer& peer_;
  Buffer<float> logits_;
};

}  // namespace

void add_predict() {
  for (const Shape& shape : kShapes) {
    const std::string text = std::to_string(shape.features) + "x" + std::to_string(shape.classes);
    for (const bool cold : {false, true}) {
      const char* family = cold ? "predict_cold" : "predict";
      for (const Variant& v : variants()) {
        add_case({family, v.name, text, 1, v.isa, ""},
                 [&v, &shape, cold] { return std::make_unique<EngineCase>(v.isa, shape, cold); });
      }
      for (const GemmPeer& peer : peers().gemm) {
        add_case({family, peer.name, text, 1, variants().front().isa, peer.pool},
                 [&peer, &shape, cold] { return std::make_unique<PeerCase>(peer, shape, cold); });
      }
    }
  }
}

}  // namespace lanemax::bench
