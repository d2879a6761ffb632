// SPDX-License-Identifier: BSD-3-Clause
//
// Step 2, losses and residuals of rows of logits, in place. A run starts from what the last one left: residuals are
// logits like others, and no branch depends on them. FLOP are nominal, kFlops per logit.
#include "bench/peers/peers.hpp"
#include "bench/support.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::bench {
namespace {

// Maximum, subtraction, exp (2 for the exponent, 4 for the reduction, 10 for the polynomial, 3 to put it together),
// sum, scaling.
constexpr double kFlops = 23;

// C = 10 and C = 1000: in L2. C = 128000: in L3.
constexpr Shape kShapes[] = {{4096, 0, 10}, {64, 0, 1000}, {16, 0, 128000}};

class LossCase : public Case {
 public:
  explicit LossCase(const Shape& shape)
      : rows_(shape.rows), classes_(shape.classes), labels_(round_up(rows_, 16)), losses_(round_up(rows_, 16)) {
    for (std::size_t n = 0; n < rows_; ++n) labels_[n] = static_cast<std::int32_t>(random_at(n, 7) % classes_);
  }

  [[nodiscard]] Work work() const override {
    const double logits = static_cast<double>(rows_) * static_cast<double>(classes_);
    return {kFlops * logits, 8 * logits, 4 * logits, static_cast<double>(rows_)};
  }
  void count(benchmark::State& state) override { state.counters["logits/row"] = static_cast<double>(classes_); }

  std::string check() override {
    for (std::size_t n = 0; n < rows_; ++n) {
      for (std::size_t c = 0; c < classes_; ++c) logit(c, n) = start(c, n);
    }
    run();
    return check_softmax(
        rows_, classes_, labels_.data(), [&](std::size_t c, std::size_t n) { return start(c, n); },
        [&](std::size_t c, std::size_t n) { return logit(c, n); }, losses_.data());
  }

 protected:
  [[nodiscard]] virtual float& logit(std::size_t c, std::size_t n) = 0;

  std::size_t rows_, classes_;
  Buffer<std::int32_t> labels_;
  Buffer<float> losses_;

 private:
  [[nodiscard]] float start(std::size_t c, std::size_t n) const {  // in [-8, 8)
    return static_cast<float>(static_cast<std::int32_t>(random_at(n * classes_ + c, 8))) * 0x1p-28f;
  }
};

class KernelCase : public LossCase {
 public:
  KernelCase(const KernelTable& table, const Shape& shape)
      : LossCase(shape),
        table_(table),
        capacity_(round_up(rows_, 16)),
        logits_(logit_count(capacity_, classes_)),
        weights_(capacity_) {
    std::fill_n(weights_.data(), capacity_, 1.0f);
    // Padding of the classes is what a bias of -infinity makes it (for the check; later runs find residuals of 0
    // there).
    for (std::size_t c = classes_; !is_class_major(classes_) && c < round_up(classes_, kPanel); ++c) {
      for (std::size_t n = 0; n < capacity_; ++n) logits_[logit_index(capacity_, classes_, n, c)] = -INFINITY;
    }
    args_.logits = logits_.data();
    args_.capacity = capacity_;
    args_.rows = rows_;
    args_.classes = classes_;
    args_.labels = labels_.data();
    args_.weights = weights_.data();
    args_.losses = losses_.data();
  }
  void run() override { table_.f32.softmax_loss(args_); }

 private:
  float& logit(std::size_t c, std::size_t n) override { return logits_[logit_index(capacity_, classes_, n, c)]; }

  const KernelTable& table_;
  std::size_t capacity_;
  Buffer<float> logits_, weights_;
  LossArgs<float> args_;
};

class PeerCase : public LossCase {
 public:
  PeerCase(const FunctionPeer& peer, const Shape& shape) : LossCase(shape), peer_(peer), logits_(rows_ * classes_) {}
  void run() override { peer_.softmax_loss(logits_.data(), rows_, classes_, labels_.data(), losses_.data()); }

 private:
  float& logit(std::size_t c, std::size_t n) override { return logits_[n * classes_ + c]; }

  const FunctionPeer& peer_;
  Buffer<float> logits_;
};

}  // namespace

void add_softmax_loss() {
  for (const Shape& shape : kShapes) {
    const std::string text = std::to_string(shape.rows) + "x" + std::to_string(shape.classes);
    for (const Variant& v : variants()) {
      add_case({"softmax_loss", v.name, text, 1, v.isa, ""},
               [&v, &shape] { return std::make_unique<KernelCase>(*v.table, shape); });
    }
    for (const FunctionPeer& peer : peers().functions) {
      if (peer.softmax_loss == nullptr) continue;
      add_case({"softmax_loss", peer.name, text, 1, variants().front().isa, ""},
               [&peer, &shape] { return std::make_unique<PeerCase>(peer, shape); });
    }
  }
}

}  // namespace lanemax::bench
