// SPDX-License-Identifier: BSD-3-Clause
//
// A whole training step of one mini-batch, the public call with its checks: loss, gradient, update. Peers: both
// products, a plain softmax and a plain update. small_batch: the same for a few rows, where W is most of what is read.
#include "bench/peers/products.hpp"
#include "bench/support.hpp"
#include "engine/workspace.hpp"

#include <lanemax/train_step.hpp>

#include <cstring>

namespace lanemax::bench {
namespace {

constexpr double kRate = 1e-3;

class EngineCase : public Case {
 public:
  EngineCase(Isa isa, const Shape& shape, int threads)
      : problem_(problem_of(shape)),
        state_memory_(TrainState<float>::bytes(shape.features, shape.classes, Optimiser::gradient_descent)),
        workspace_(train_step_workspace_bytes<float>(shape.rows, shape.features, shape.classes, threads)) {
    std::memset(workspace_.view().data, 0, workspace_.view().bytes);  // pages that are there
    execution_.isa = isa;
    execution_.threads = threads;
    batch_.features = {problem_->x.data(), shape.rows, shape.features};
    batch_.labels = problem_->labels.data();
    status_ = TrainState<float>::create(shape.features, shape.classes, Optimiser::gradient_descent,
                                        state_memory_.view(), state_);
  }

  [[nodiscard]] Work work() const override { return work_of_step(problem_->shape); }
  void count(benchmark::State& state) override {
    state.counters["workspace_MiB"] = static_cast<double>(workspace_.view().bytes) / (1 << 20);
  }

  std::string check() override {
    const auto [rows, features, classes, large] = problem_->shape;
    const auto set = [&] {
      status_ = state_.set_weights({{problem_->weights.data(), classes, features}, problem_->bias.data()});
    };
    if (status_.ok()) set();
    // So large a rate that the weights' own rounding is no part of the difference.
    const double rate = static_cast<double>(classes);
    options_.learning_rate = rate;
    if (status_.ok()) run();
    AlignedArray<float> weights(features * classes), bias(classes);
    if (status_.ok()) status_ = state_.get_weights({weights.data(), classes, features}, bias.data());
    if (!status_.ok()) return "the step failed: " + message(status_);
    const auto step = [&](float before, float after) {
      return static_cast<float>((static_cast<double>(before) - static_cast<double>(after)) / rate);
    };
    std::string error = check_pass(
        *problem_, result_.objective,
        [&, d_count = features](std::size_t c, std::size_t d) {
          return step(problem_->weights[c * d_count + d], weights[c * d_count + d]);
        },
        [&](std::size_t c) { return step(problem_->bias[c], bias[c]); });
    set();
    options_.learning_rate = kRate;
    return error;
  }

  void run() override {
    status_ = train_step(state_, objective_, batch_, options_, execution_, workspace_.view(), result_);
  }

 private:
  std::shared_ptr<const Problem> problem_;
  OwnedWorkspace state_memory_, workspace_;
  TrainState<float> state_;
  Objective objective_;
  StepOptions options_;
  Batch batch_;
  Execution execution_;
  LossResult result_;
  Status status_;
};

}  // namespace

void add_train_step() {
  const auto add = [](const char* family, const Shape& shape) {
    for (const Variant& v : variants()) {
      for (const int threads : settings().threads) {
        add_case({family, v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, shape, threads] { return std::make_unique<EngineCase>(v.isa, shape, threads); });
      }
    }
    add_peers(family, shape, PeerSteps::Part::train_step);
  };
  for (const Shape& shape : {Shape{256, 784, 10}, Shape{1024, 768, 1000}, Shape{512, 1024, 32000, true}}) {
    if (settings().large || !shape.large) add("train_step", shape);
  }
  for (const std::size_t rows : {1U, 8U, 32U}) {
    add("small_batch", {rows, 784, 10});
    add("small_batch", {rows, 768, 1000});
  }
}

}  // namespace lanemax::bench
