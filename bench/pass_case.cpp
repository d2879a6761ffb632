// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pass_case.hpp"

#include "bench/recent.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

namespace lanemax::bench {
namespace {

FeatureType type_of(Rows rows) {
  switch (rows) {
    case Rows::u8: return FeatureType::u8;
    case Rows::f16: return FeatureType::f16;
    case Rows::bf16: return FeatureType::bf16;
    case Rows::f64: return FeatureType::f64;
    default: return FeatureType::f32;
  }
}

/// A whole number below 256 as binary16: exact.
std::uint16_t f16_of(unsigned value) {
  if (value == 0) return 0;
  const unsigned exponent = static_cast<unsigned>(std::bit_width(value)) - 1;
  return static_cast<std::uint16_t>(((exponent + 15) << 10) | ((value << (10 - exponent)) & 0x3ffU));
}

using Bytes = Buffer<std::byte>;

Bytes make_encoded(const Problem& problem, FeatureType type) {
  Bytes made(problem.x.size() * size_of(type));
  const auto fill = [&](auto encode) {
    using Value = decltype(encode(0.0f));
    for (std::size_t i = 0; i < problem.x.size(); ++i) {
      const Value value = encode(problem.x[i]);
      std::memcpy(made.data() + i * sizeof(Value), &value, sizeof(Value));
    }
  };
  const auto byte_of = [](float x) { return static_cast<unsigned>(std::lround(x / Problem::kFactor)); };
  switch (type) {
    case FeatureType::u8: fill([&](float x) { return static_cast<std::uint8_t>(byte_of(x)); }); break;
    case FeatureType::f16: fill([&](float x) { return f16_of(byte_of(x)); }); break;
    case FeatureType::bf16:
      fill([&](float x) {
        return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(byte_of(x))) >> 16);
      });
      break;
    case FeatureType::f64: fill([](float x) { return static_cast<double>(x); }); break;
    case FeatureType::f32: fill([&](float x) { return static_cast<float>(byte_of(x)); }); break;
  }
  return made;
}

/// The problem's features in another type.
std::shared_ptr<const Bytes> encoded(const Problem& problem, FeatureType type) {
  static Recent<Bytes> recent;
  return recent.get(
      problem.shape.text() + "/" + std::to_string(static_cast<int>(type)), 1e9,
      [&] { return std::make_shared<Bytes>(make_encoded(problem, type)); },
      [](const Bytes& bytes) { return static_cast<double>(bytes.size()); });
}

class PassCase : public Case {
 public:
  PassCase(const KernelTable& table, const Shape& shape, int threads, Rows rows)
      : problem_(problem_of(shape)), type_(type_of(rows)), weights_(*problem_), factor_(shape.features) {
    batch_.features = {problem_->x.data(), shape.rows, shape.features};
    batch_.labels = {problem_->labels.data(), shape.rows};
    if (rows == Rows::shuffled) {
      selection_ = shuffled_rows(shape.rows);
      batch_.selection = {selection_.data(), selection_.size()};
    } else if (rows != Rows::in_place) {
      encoded_ = encoded(*problem_, type_);
      batch_.features = {encoded_->data(), type_, shape.rows, shape.features, shape.features};
      for (std::size_t d = 0; d < shape.features; ++d) factor_[d] = Problem::kFactor;
      if (rows != Rows::f64) batch_.scaling.factor = {factor_.data(), shape.features};
    }
    const PassNeeds needs{.goal = PassGoal::gradient};
    const PassPlan plan = make_plan<float>(shape.rows, shape.features, shape.classes);
    Arena measure;
    memory_.lay_out(measure, plan, threads, needs);
    workspace_ = Workspace(measure.bytes());
    std::memset(workspace_.data(), 0, workspace_.size());  // pages that are there
    Arena arena(workspace_);
    memory_.lay_out(arena, plan, threads, needs);
    input_.table = &table;
    input_.objective = &objective_;
    input_.batch = &batch_;
    input_.weights = weights_.weights.data();
    input_.bias = weights_.bias.data();
    input_.total_weight = static_cast<double>(shape.rows);
  }

  [[nodiscard]] Work work() const override { return work_of(problem_->shape, 2, static_cast<double>(size_of(type_))); }
  void count(benchmark::State& state) override {
    state.counters["workspace_MiB"] = static_cast<double>(workspace_.size()) / (1 << 20);
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

  void run() override { status_ = run_pass<float>(input_, memory_, {}, {}, result_); }

 private:
  std::shared_ptr<const Problem> problem_;
  FeatureType type_;
  EngineWeights weights_;
  Buffer<float> factor_;
  std::shared_ptr<const Bytes> encoded_;
  Buffer<std::uint32_t> selection_;
  Objective objective_;
  Batch batch_;
  Workspace workspace_;
  PassMemory<float> memory_;
  PassInput<float> input_;
  LossResult result_;
  Status status_;
};

}  // namespace

std::unique_ptr<Case> make_pass(const KernelTable& table, const Shape& shape, int threads, Rows rows) {
  return std::make_unique<PassCase>(table, shape, threads, rows);
}

RowBlock<float> block_of(const Problem& problem, const PassPlan& plan, std::size_t index) {
  const auto [rows, features, classes, large] = problem.shape;
  const std::size_t first = index * plan.block_rows;
  return {problem.x.data() + first * features, features, std::min(plan.block_rows, rows - first)};
}

Buffer<std::uint32_t> shuffled_rows(std::size_t count) {
  Buffer<std::uint32_t> rows(count);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = count; i > 1; --i) std::swap(rows[i - 1], rows[random_at(i, 10) % i]);
  return rows;
}

}  // namespace lanemax::bench
