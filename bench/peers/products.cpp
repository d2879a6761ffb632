// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/products.hpp"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

namespace lanemax::bench {

PeerSteps::PeerSteps(const GemmPeer& peer, int threads, bool dxc, std::shared_ptr<const Problem> problem)
    : peer_(peer),
      threads_(threads),
      dxc_(dxc),
      problem_(std::move(problem)),
      shape_(problem_->shape),
      w_(shape_.features * shape_.classes),
      z_(shape_.rows * shape_.classes),
      dw_(w_.size()) {
  const Buffer<float>& source = dxc ? problem_->transposed : problem_->weights;
  std::copy_n(source.data(), source.size(), w_.data());
}

void PeerSteps::logits() {
  const auto [n, d, c, large] = shape_;
  peer_.multiply(n, c, d, {problem_->x.data(), d, false}, {w_.data(), dxc_ ? c : d, !dxc_}, z_.data(), c);
}

double PeerSteps::loss() {
  const std::size_t rows = shape_.rows, classes = shape_.classes;
  const float scale = 1.0f / static_cast<float>(rows);
  const auto part = [&](std::size_t begin, std::size_t end) {
    return plain_softmax_loss(z_.data() + begin * classes, end - begin, classes, problem_->bias.data(),
                              problem_->labels.data() + begin, scale);
  };
  // Threads made for the occasion cost some 30 microseconds, and get in no library's way afterwards.
  const std::size_t workers = z_.size() < 200000 ? 1 : static_cast<std::size_t>(threads_);
  std::vector<double> sums(workers);
  std::vector<std::thread> others;
  const auto begin_of = [&](std::size_t i) { return rows * i / workers; };
  for (std::size_t i = 1; i < workers; ++i) {
    others.emplace_back([&, i] { sums[i] = part(begin_of(i), begin_of(i + 1)); });
  }
  double sum = part(0, begin_of(1));
  for (std::thread& other : others) other.join();
  for (std::size_t i = 1; i < workers; ++i) sum += sums[i];
  return sum / static_cast<double>(rows);
}

void PeerSteps::gradient() {
  const auto [n, d, c, large] = shape_;
  const GemmPeer::Matrix x{problem_->x.data(), d, dxc_}, g{z_.data(), c, !dxc_};
  dxc_ ? peer_.multiply(d, c, n, x, g, dw_.data(), c) : peer_.multiply(c, d, n, g, x, dw_.data(), d);
}

void PeerSteps::update(float rate) {
  for (std::size_t i = 0; i < w_.size(); ++i) w_[i] -= rate * dw_[i];
}

void PeerSteps::fill_dlogits(const Entry& value) {
  for (std::size_t n = 0; n < shape_.rows; ++n) {
    for (std::size_t c = 0; c < shape_.classes; ++c) z_[n * shape_.classes + c] = value(c, n);
  }
}

float made_up_dlogit(std::size_t c, std::size_t n) {
  return static_cast<float>(static_cast<std::int32_t>(random_at(c * 4096 + n, 6))) * 0x1p-31f;
}

namespace {

class PeerCase : public Case {
 public:
  using Part = PeerSteps::Part;
  PeerCase(const GemmPeer& peer, int threads, bool dxc, const Shape& shape, Part part)
      : steps_(peer, threads, dxc, problem_of(shape)), part_(part) {
    if (part == Part::gradient) steps_.fill_dlogits(made_up_dlogit);
  }

  [[nodiscard]] Work work() const override {
    const Shape& shape = steps_.problem().shape;
    switch (part_) {
      case Part::pass: return work_of(shape, 2);
      case Part::train_step: return work_of_step(shape);
      default: return work_of(shape, 1);
    }
  }
  void prepare() override { steps_.use(); }

  void run() override {
    if (part_ != Part::gradient) steps_.logits();
    if (part_ == Part::logits) return;
    if (part_ != Part::gradient) loss_ = steps_.loss();
    steps_.gradient();
    if (part_ == Part::train_step) steps_.update(1e-3f);
  }

  std::string check() override {
    run();
    const auto dweight_at = [&](std::size_t c, std::size_t d) { return steps_.dweight_at(c, d); };
    switch (part_) {
      case Part::logits: return check_logits();
      case Part::gradient: return check_product_gradient(steps_.problem(), made_up_dlogit, dweight_at);
      default: return check_pass(steps_.problem(), loss_, dweight_at, {});
    }
  }

 private:
  std::string check_logits() {
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

  PeerSteps steps_;
  Part part_;
  double loss_ = 0;
};

}  // namespace

void add_peers(const std::string& family, const Shape& shape, PeerSteps::Part part) {
  for (const GemmPeer& peer : peers().gemm) {
    for (const bool dxc : {false, true}) {
      const std::string name = std::string(peer.name) + (dxc ? "_dxc" : "");
      for (const int threads : settings().threads) {
        add_case(
            {family, name, shape.text(), threads, variants().front().isa, peer.pool},
            [&peer, threads, dxc, shape, part] { return std::make_unique<PeerCase>(peer, threads, dxc, shape, part); });
      }
    }
  }
}

}  // namespace lanemax::bench
