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
  const AlignedArray<float>& source = dxc ? problem_->transposed : problem_->weights;
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

}  // namespace lanemax::bench
