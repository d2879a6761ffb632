// SPDX-License-Identifier: BSD-3-Clause
//
// A whole training step of one mini-batch, the public call with its checks: loss, gradient, update. Peers: both
// products, a plain softmax and a plain update. small_batch: the same for a few rows, where W is most of what is read.
#include "bench/peers/products.hpp"
#include "bench/training.hpp"

namespace lanemax::bench {
namespace {

class EngineCase : public Training {
 public:
  EngineCase(const KernelTable& table, const Shape& shape, int threads) : Training(table, shape, shape.rows, threads) {}

  [[nodiscard]] Work work() const override { return work_of_step(problem_->shape); }

  std::string check() override {
    start_again();
    // So large a rate that the weights' own rounding is no part of the difference.
    const double rate = static_cast<double>(problem_->shape.classes);
    options_.learning_rate = rate;
    run();
    std::string error = read_weights();
    const auto taken = [&](float before, float after) {
      return static_cast<float>((static_cast<double>(before) - static_cast<double>(after)) / rate);
    };
    if (error.empty()) {
      error = check_pass(
          *problem_, result_.objective,
          [&](std::size_t c, std::size_t d) {
            const std::size_t index = c * problem_->shape.features + d;
            return taken(problem_->weights[index], weights_[index]);
          },
          [&](std::size_t c) { return taken(problem_->bias[c], bias_[c]); });
    }
    start_again();
    options_.learning_rate = 1e-3;
    return error;
  }

  void run() override { step(); }
};

}  // namespace

void add_train_step() {
  const auto add = [](const char* family, const Shape& shape) {
    for (const Variant& v : variants()) {
      for (const int threads : settings().threads) {
        add_case({family, v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, shape, threads] { return std::make_unique<EngineCase>(*v.table, shape, threads); });
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
