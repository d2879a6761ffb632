// SPDX-License-Identifier: BSD-3-Clause
//
// A whole training step of one mini-batch, the public call with its checks: loss, gradient, update. Peers: both
// products, a plain softmax and a plain update.
#include "bench/peers/products.hpp"
#include "bench/support.hpp"
#include "engine/workspace.hpp"

#include <lanemax/train_step.hpp>

namespace lanemax::bench {
namespace {

constexpr Shape kShapes[] = {{256, 784, 10}, {1024, 768, 1000}};
constexpr double kRate = 1e-3;

Work work_of(const Shape& shape) {
  const double parameters = static_cast<double>(shape.features) * static_cast<double>(shape.classes);
  return {2 * shape.flops_per_product(), shape.feature_bytes(), shape.feature_bytes() + 8 * parameters,
          static_cast<double>(shape.rows)};
}

class EngineCase : public Case {
 public:
  EngineCase(Isa isa, const Shape& shape, int threads)
      : problem_(problem_of(shape)),
        state_memory_(TrainState<float>::bytes(shape.features, shape.classes, Optimiser::gradient_descent)),
        workspace_(train_step_workspace_bytes<float>(shape.rows, shape.features, shape.classes, threads)) {
    execution_.isa = isa;
    execution_.threads = threads;
    batch_.features = {problem_->x.data(), shape.rows, shape.features};
    batch_.labels = problem_->labels.data();
    status_ = TrainState<float>::create(shape.features, shape.classes, Optimiser::gradient_descent,
                                        state_memory_.view(), state_);
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape); }
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

class PeerCase : public Case {
 public:
  PeerCase(const GemmPeer& peer, int threads, bool dxc, const Shape& shape)
      : steps_(peer, threads, dxc, problem_of(shape)) {}

  [[nodiscard]] Work work() const override { return work_of(steps_.problem().shape); }
  void prepare() override { steps_.use(); }
  void run() override {
    steps_.logits();
    loss_ = steps_.loss();
    steps_.gradient();
    steps_.update(static_cast<float>(kRate));
  }
  std::string check() override {
    run();
    return check_pass(steps_.problem(), loss_, [&](std::size_t c, std::size_t d) { return steps_.dweight_at(c, d); },
                      {});
  }

 private:
  PeerSteps steps_;
  double loss_ = 0;
};

}  // namespace

void add_train_step() {
  for (const Shape& shape : kShapes) {
    for (const int threads : settings().threads) {
      for (const Variant& v : variants()) {
        add_case({"train_step", v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, &shape, threads] { return std::make_unique<EngineCase>(v.isa, shape, threads); });
      }
      for_each_peer([&](const GemmPeer& peer, bool dxc, const std::string& name) {
        add_case({"train_step", name, shape.text(), threads, variants().front().isa, peer.pool},
                 [&peer, threads, dxc, &shape] { return std::make_unique<PeerCase>(peer, threads, dxc, shape); });
      });
    }
  }
}

}  // namespace lanemax::bench
