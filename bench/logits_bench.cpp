// SPDX-License-Identifier: BSD-3-Clause
//
// Step 1, logits = X W' + b: the kernel over row blocks as the pass cuts them, into one block's buffer. Peers: one
// product of all rows, without the bias. One thread for the kernels, which know of no others.
#include "bench/peers/products.hpp"
#include "bench/support.hpp"
#include "engine/pass.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lanemax::bench {
namespace {

Work work_of(const Shape& shape) {
  return {shape.flops_per_product(), shape.feature_bytes(), shape.feature_bytes(), static_cast<double>(shape.rows)};
}

class KernelCase : public Case {
 public:
  KernelCase(const KernelTable& table, const Shape& shape)
      : table_(table),
        problem_(problem_of(shape)),
        weights_(*problem_),
        plan_(make_plan<float>(shape.rows, shape.features, shape.classes)),
        logits_(logit_count(plan_.block_rows, shape.classes)) {
    args_.features = shape.features;
    args_.classes = shape.classes;
    args_.weights = weights_.weights.data();
    args_.bias = weights_.bias.data();
    args_.logits = logits_.data();
    args_.capacity = plan_.block_rows;
    args_.form = logits_form<float>(table, shape.features, shape.classes);
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape); }

  std::string check() override {
    const Shape& shape = problem_->shape;
    for (const std::size_t index : sample_of(plan_.blocks, 8)) {
      std::fill_n(logits_.data(), logits_.size(), NAN);
      run_block(index);
      const std::size_t first = index * plan_.block_rows;
      for (const std::size_t i : sample_of(args_.x.count, 16)) {
        for (const std::size_t c : sample_of(shape.classes, 32)) {
          const Expected z = expected_logit(*problem_, first + i, c, true);
          const double found = static_cast<double>(logits_[logit_index(args_.capacity, shape.classes, i, c)]);
          std::string error = mismatch("logit " + std::to_string(c) + " of row " + std::to_string(first + i), found,
                                       z.value, z.tolerance);
          if (!error.empty()) return error;
        }
      }
    }
    return {};
  }

  void run() override {
    for (std::size_t index = 0; index < plan_.blocks; ++index) run_block(index);
  }

 private:
  void run_block(std::size_t index) {
    const Shape& shape = problem_->shape;
    const std::size_t first = index * plan_.block_rows;
    args_.x = {problem_->x.data() + first * shape.features, shape.features,
               std::min(plan_.block_rows, shape.rows - first)};
    table_.f32.logits(args_);
  }

  const KernelTable& table_;
  std::shared_ptr<const Problem> problem_;
  EngineWeights weights_;
  PassPlan plan_;
  AlignedArray<float> logits_;
  LogitsArgs<float> args_;
};

class PeerCase : public Case {
 public:
  PeerCase(const GemmPeer& peer, int threads, bool dxc, const Shape& shape)
      : steps_(peer, threads, dxc, problem_of(shape)) {}

  [[nodiscard]] Work work() const override { return work_of(steps_.problem().shape); }
  void prepare() override { steps_.use(); }
  void run() override { steps_.logits(); }
  std::string check() override {
    run();
    const Shape& shape = steps_.problem().shape;
    for (const std::size_t n : sample_of(shape.rows, 32)) {
      for (const std::size_t c : sample_of(shape.classes, 16)) {
        const Expected z = expected_logit(steps_.problem(), n, c, false);
        std::string error = mismatch("logit " + std::to_string(c) + " of row " + std::to_string(n),
                                     static_cast<double>(steps_.logit_at(c, n)), z.value, z.tolerance);
        if (!error.empty()) return error;
      }
    }
    return {};
  }

 private:
  PeerSteps steps_;
};

}  // namespace

void add_logits() {
  for (const Shape& shape : product_shapes()) {
    for (const Variant& v : variants()) {
      add_case({"logits", v.name, shape.text(), 1, v.isa, ""},
               [&v, shape] { return std::make_unique<KernelCase>(*v.table, shape); });
    }
    for_each_peer([&](const GemmPeer& peer, bool dxc, const std::string& name) {
      for (const int threads : settings().threads) {
        add_case({"logits", name, shape.text(), threads, variants().front().isa, peer.pool},
                 [&peer, threads, dxc, shape] { return std::make_unique<PeerCase>(peer, threads, dxc, shape); });
      }
    });
  }
}

}  // namespace lanemax::bench
