// SPDX-License-Identifier: BSD-3-Clause
//
// The fused pass: mean loss and gradient of all rows, weights in the engine's layout already. pass_u8: the same from
// bytes, scaled as they are loaded. Peers: both products and a plain softmax, one after the other.
#include "bench/peers/products.hpp"
#include "bench/support.hpp"
#include "engine/pass.hpp"

namespace lanemax::bench {
namespace {

Work work_of(const Shape& shape, FeatureType type) {
  const double bytes = shape.feature_bytes() / 4 * static_cast<double>(size_of(type));
  return {2 * shape.flops_per_product(), bytes, bytes, static_cast<double>(shape.rows)};
}

class EngineCase : public Case {
 public:
  EngineCase(const KernelTable& table, const Shape& shape, int threads, FeatureType type)
      : problem_(problem_of(shape)), type_(type), weights_(*problem_), factor_(shape.features) {
    for (std::size_t d = 0; d < shape.features; ++d) factor_[d] = Problem::kFactor;
    if (type == FeatureType::u8) {
      bytes_ = problem_->bytes();
      batch_.features = {bytes_.data(), shape.rows, shape.features};
      batch_.scaling.factor = factor_.data();
    } else {
      batch_.features = {problem_->x.data(), shape.rows, shape.features};
    }
    batch_.labels = problem_->labels.data();
    needs_.gradient = true;
    needs_.targets = false;
    needs_.probabilities = false;
    const PassPlan plan = make_plan<float>(shape.rows, shape.features, shape.classes);
    Arena measure;
    memory_.lay_out(measure, plan, threads, needs_);
    workspace_ = OwnedWorkspace(measure.bytes());
    Arena arena(workspace_.view());
    memory_.lay_out(arena, plan, threads, needs_);
    input_.table = &table;
    input_.objective = &objective_;
    input_.batch = &batch_;
    input_.weights = weights_.weights.data();
    input_.bias = weights_.bias.data();
    input_.total_weight = static_cast<double>(shape.rows);
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape, type_); }
  void count(benchmark::State& state) override {
    state.counters["workspace_MiB"] = static_cast<double>(workspace_.view().bytes) / (1 << 20);
  }

  std::string check() override {
    const Shape& shape = problem_->shape;
    run();
    if (!status_.ok()) return "the pass failed: " + message(status_);
    if (result_.rows != shape.rows) return "wrong result: not all rows took part";
    const float* dbias = memory_.gradient + weight_count(shape.features, shape.classes);
    return check_pass(
        *problem_, result_.objective,
        [&](std::size_t c, std::size_t d) {
          return memory_.gradient[weight_index(shape.features, shape.classes, c, d)];
        },
        [&](std::size_t c) { return dbias[c]; });
  }

  void run() override { status_ = run_pass<float>(input_, memory_, needs_, {}, {}, result_); }

 private:
  std::shared_ptr<const Problem> problem_;
  FeatureType type_;
  EngineWeights weights_;
  AlignedArray<float> factor_;
  AlignedArray<std::uint8_t> bytes_;
  Objective objective_;
  Batch batch_;
  PassNeeds needs_;
  OwnedWorkspace workspace_;
  PassMemory<float> memory_;
  PassInput<float> input_;
  LossResult result_;
  Status status_;
};

class PeerCase : public Case {
 public:
  PeerCase(const GemmPeer& peer, int threads, bool dxc, const Shape& shape)
      : steps_(peer, threads, dxc, problem_of(shape)) {}

  [[nodiscard]] Work work() const override { return work_of(steps_.problem().shape, FeatureType::f32); }
  void prepare() override { steps_.use(); }
  void run() override {
    steps_.logits();
    loss_ = steps_.loss();
    steps_.gradient();
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

void add_pass() {
  const auto add_engine = [](const char* family, const Shape& shape, FeatureType type) {
    for (const Variant& v : variants()) {
      for (const int threads : settings().threads) {
        add_case({family, v.name, shape.text(), threads, v.isa, "openmp"},
                 [&v, shape, threads, type] { return std::make_unique<EngineCase>(*v.table, shape, threads, type); });
      }
    }
  };
  for (const Shape& shape : product_shapes()) {
    add_engine("pass", shape, FeatureType::f32);
    for_each_peer([&](const GemmPeer& peer, bool dxc, const std::string& name) {
      for (const int threads : settings().threads) {
        add_case({"pass", name, shape.text(), threads, variants().front().isa, peer.pool},
                 [&peer, threads, dxc, shape] { return std::make_unique<PeerCase>(peer, threads, dxc, shape); });
      }
    });
  }
  add_engine("pass_u8", {60000, 784, 10}, FeatureType::u8);
}

}  // namespace lanemax::bench
