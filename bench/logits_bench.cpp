// SPDX-License-Identifier: BSD-3-Clause
//
// Step 1, logits = X W' + b: the kernel over row blocks as the pass cuts them, into one block's buffer. Peers: one
// product of all rows, without the bias. More threads than one: blocks are handed out as in the pass, each thread has a
// buffer of its own.
#include "bench/pass_case.hpp"
#include "bench/peers/products.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::bench {
namespace {

class KernelCase : public Case {
 public:
  KernelCase(const KernelTable& table, const Shape& shape, int threads)
      : table_(table),
        threads_(threads),
        problem_(problem_of(shape)),
        weights_(*problem_),
        plan_(make_plan<float>(shape.rows, shape.features, shape.classes)),
        block_logits_(logit_count(plan_.capacity, shape.classes)),
        logits_(static_cast<std::size_t>(threads) * block_logits_) {
    args_.features = shape.features;
    args_.classes = shape.classes;
    args_.weights = weights_.weights.data();
    args_.bias = weights_.bias.data();
    args_.capacity = plan_.capacity;
    args_.form = logits_form<float>(table, shape.features, shape.classes);
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape, 1); }

  std::string check() override {
    for (const std::size_t index : sample_of(plan_.blocks, 8)) {
      for (std::size_t rank = 0; rank < static_cast<std::size_t>(threads_); ++rank) {
        std::string error = check_block(index, rank);
        if (!error.empty()) return error;
      }
    }
    return {};
  }

  void run() override {
    parallel(threads_, [&](const Team& team) {
      team.for_each(plan_.blocks, [&](std::size_t index) { run_block(index, team.rank()); });
    });
  }

 private:
  [[nodiscard]] float* buffer_of(std::size_t rank) const { return logits_.data() + rank * block_logits_; }

  void run_block(std::size_t index, std::size_t rank) const {
    LogitsArgs<float> args = args_;
    args.x = block_of(*problem_, plan_, index);
    args.logits = buffer_of(rank);
    table_.f32.logits(args);
  }

  std::string check_block(std::size_t index, std::size_t rank) {
    const Shape& shape = problem_->shape;
    std::fill_n(logits_.data(), logits_.size(), NAN);
    run_block(index, rank);
    const std::size_t first = index * plan_.block_rows;
    for (const std::size_t i : sample_of(block_of(*problem_, plan_, index).count, 16)) {
      for (const std::size_t c : sample_of(shape.classes, 32)) {
        const Expected z = expected_logit(*problem_, first + i, c, true);
        const float found = buffer_of(rank)[logit_index(args_.capacity, shape.classes, i, c)];
        std::string error = mismatch("logit " + std::to_string(c) + " of row " + std::to_string(first + i),
                                     static_cast<double>(found), z.value, z.tolerance);
        if (!error.empty()) return error;
      }
    }
    return {};
  }

  const KernelTable& table_;
  int threads_;
  std::shared_ptr<const Problem> problem_;
  EngineWeights weights_;
  PassPlan plan_;
  std::size_t block_logits_;
  Buffer<float> logits_;
  LogitsArgs<float> args_;
};

}  // namespace

void add_logits() {
  for (const Shape& shape : product_shapes()) {
    for (const Variant& v : variants()) {
      for (const int threads : settings().threads) {
        add_case({"logits", v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, shape, threads] { return std::make_unique<KernelCase>(*v.table, shape, threads); });
      }
    }
    add_peers("logits", shape, PeerSteps::Part::logits);
  }
}

}  // namespace lanemax::bench
