// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_TRAINING_HPP
#define LANEMAX_BENCH_TRAINING_HPP

#include <lanemax/train_step.hpp>

#include "bench/support.hpp"
#include "engine/workspace.hpp"

#include <cstring>

namespace lanemax::bench {

/// Training by the public train_step(), on batches of up to `batch_rows` of a problem's rows.
class Training : public Case {
 public:
  Training(const KernelTable& table, const Shape& shape, std::size_t batch_rows, int threads)
      : problem_(problem_of(shape)),
        weights_(shape.features * shape.classes),
        bias_(shape.classes),
        state_memory_(TrainState<float>::bytes(shape.features, shape.classes, Optimiser::gradient_descent)),
        workspace_(train_step_workspace_bytes<float>(batch_rows, shape.features, shape.classes, threads)) {
    std::memset(workspace_.data(), 0, workspace_.size());  // pages that are there
    execution_.isa = table.isa;
    execution_.schedule = table.schedule;
    execution_.threads = threads;
    batch_.features = {problem_->x.data(), shape.rows, shape.features};
    batch_.labels = {problem_->labels.data(), shape.rows};
    status_ =
        TrainState<float>::create(shape.features, shape.classes, Optimiser::gradient_descent, state_memory_, state_);
    start_again();
  }

  void count(benchmark::State& state) override {
    state.counters["workspace_MiB"] = static_cast<double>(workspace_.size()) / (1 << 20);
  }

 protected:
  /// Sets the problem's weights.
  void start_again() {
    const Shape& shape = problem_->shape;
    if (!status_.ok()) return;
    status_ = state_.set_weights(
        {{problem_->weights.data(), shape.classes, shape.features}, {problem_->bias.data(), shape.classes}});
  }
  void step() {
    if (!status_.ok()) return;
    status_ = train_step(state_, objective_, batch_, options_, execution_, workspace_, result_);
  }
  /// Gets weights_ and bias_; an empty text says that all went well up to now.
  [[nodiscard]] std::string read_weights() {
    const Shape& shape = problem_->shape;
    if (status_.ok()) {
      status_ = state_.get_weights({{weights_.data(), shape.classes, shape.features}, {bias_.data(), shape.classes}});
    }
    return status_.ok() ? std::string() : "a step failed: " + message(status_);
  }

  std::shared_ptr<const Problem> problem_;
  Batch batch_;
  StepOptions options_;
  LossResult result_;
  Buffer<float> weights_, bias_;

 private:
  Workspace state_memory_, workspace_;
  TrainState<float> state_;
  Objective objective_;
  Execution execution_;
  Status status_;
};

}  // namespace lanemax::bench

#endif
