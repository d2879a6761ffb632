// SPDX-License-Identifier: BSD-3-Clause
//
// The class of one sample, everything warm. The mean comes from the timed loop; p50 and p99.9 from single calls between
// two readings of the clock, whose own cost is taken off. Peers: the bare product and an argmax, without bias and
// checks.
#include "bench/peers/peers.hpp"
#include "bench/support.hpp"

#include <lanemax/predictor.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace lanemax::bench {
namespace {

constexpr Shape kShapes[] = {{32, 784, 10}, {32, 768, 1000}};

class PredictCase : public Case {
 public:
  explicit PredictCase(const Shape& shape) : problem_(problem_of(shape)) {}

  [[nodiscard]] Work work() const override {
    const double weights = static_cast<double>(problem_->weights.size());
    const double bytes = 4 * (weights + static_cast<double>(problem_->shape.features));
    return {2 * weights, bytes, bytes, 1};
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
    std::int32_t c = class_of(problem_->x.data());
    benchmark::DoNotOptimize(c);
  }

  void count(benchmark::State& state) override {
    using Clock = std::chrono::steady_clock;
    const std::size_t calls = work().flops > 1e5 ? 2000 : 20000;
    std::vector<double> empty(calls), full(calls);
    const auto nanoseconds = [](Clock::duration d) { return std::chrono::duration<double, std::nano>(d).count(); };
    for (double& time : empty) {
      const auto start = Clock::now();
      time = nanoseconds(Clock::now() - start);
    }
    for (double& time : full) {
      const auto start = Clock::now();
      run();
      time = nanoseconds(Clock::now() - start);
    }
    std::sort(empty.begin(), empty.end());
    std::sort(full.begin(), full.end());
    const double clock = empty[calls / 2];
    state.counters["p50_ns"] = full[calls / 2] - clock;
    state.counters["p99.9_ns"] = full[calls - 1 - calls / 1000] - clock;
  }

 protected:
  virtual std::int32_t class_of(const float* x) = 0;
  [[nodiscard]] virtual bool with_bias() const = 0;
  std::shared_ptr<const Problem> problem_;
};

class EngineCase : public PredictCase {
 public:
  EngineCase(Isa isa, const Shape& shape) : PredictCase(shape) {
    Model model;
    model.features = shape.features;
    model.weight.assign(problem_->weights.data(), problem_->weights.data() + problem_->weights.size());
    model.bias.assign(problem_->bias.data(), problem_->bias.data() + shape.classes);
    for (std::size_t c = 0; c < shape.classes; ++c) model.class_labels.push_back(std::to_string(c));
    // Without a model every answer is -1, which the check refuses.
    static_cast<void>(Predictor::create(model, isa, predictor_));
  }

 private:
  std::int32_t class_of(const float* x) override { return predictor_.predict(x); }
  [[nodiscard]] bool with_bias() const override { return true; }
  Predictor predictor_;
};

class PeerCase : public PredictCase {
 public:
  PeerCase(const GemmPeer& peer, const Shape& shape) : PredictCase(shape), peer_(peer), logits_(shape.classes) {}
  void prepare() override { peer_.set_threads(1); }

 private:
  std::int32_t class_of(const float* x) override {
    const std::size_t features = problem_->shape.features, classes = problem_->shape.classes;
    peer_.multiply_vector(classes, features, problem_->weights.data(), x, logits_.data());
    return static_cast<std::int32_t>(plain_argmax(logits_.data(), classes));
  }
  [[nodiscard]] bool with_bias() const override { return false; }
  const GemmPeer& peer_;
  AlignedArray<float> logits_;
};

}  // namespace

void add_predict() {
  for (const Shape& shape : kShapes) {
    const std::string text = std::to_string(shape.features) + "x" + std::to_string(shape.classes);
    for (const Variant& v : variants()) {
      add_case({"predict", v.name, text, 1, v.isa, ""},
               [&v, &shape] { return std::make_unique<EngineCase>(v.isa, shape); });
    }
    for (const GemmPeer& peer : peers().gemm) {
      add_case({"predict", peer.name, text, 1, variants().front().isa, peer.pool},
               [&peer, &shape] { return std::make_unique<PeerCase>(peer, shape); });
    }
  }
}

}  // namespace lanemax::bench
