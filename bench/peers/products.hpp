// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_PEERS_PRODUCTS_HPP
#define LANEMAX_BENCH_PEERS_PRODUCTS_HPP

#include "bench/peers/peers.hpp"
#include "bench/support.hpp"

namespace lanemax::bench {

/// The same steps made of a library's calls over all rows at once. W is held C x D, as in lanemax's interface, or D x
/// C, which some libraries prefer (variant names <peer> and <peer>_dxc): both are measured, the better one is the peer.
class PeerSteps {
 public:
  enum class Part { logits, gradient, pass, train_step };

  PeerSteps(const GemmPeer& peer, int threads, bool dxc, std::shared_ptr<const Problem> problem);

  void use() const { peer_.set_threads(threads_); }
  void logits();  ///< without the bias
  double loss();  ///< softmax, bias and mean included; dlogits in place of the logits
  void gradient();
  void update(float rate);

  [[nodiscard]] float logit_at(std::size_t c, std::size_t n) const { return z_[n * shape_.classes + c]; }
  [[nodiscard]] float dweight_at(std::size_t c, std::size_t d) const { return dw_[at(c, d)]; }
  [[nodiscard]] float weight_at(std::size_t c, std::size_t d) const { return w_[at(c, d)]; }
  /// Sets dlogits(c, row).
  void fill_dlogits(const Entry& value);
  [[nodiscard]] const Problem& problem() const { return *problem_; }

 private:
  [[nodiscard]] std::size_t at(std::size_t c, std::size_t d) const {
    return dxc_ ? d * shape_.classes + c : c * shape_.features + d;
  }
  const GemmPeer& peer_;
  int threads_;
  bool dxc_;
  std::shared_ptr<const Problem> problem_;
  Shape shape_;
  Buffer<float> w_, z_, dw_;
};

/// Adds a part of the steps for every peer, layout of W and thread count, under the family's name.
void add_peers(const std::string& family, const Shape& shape, PeerSteps::Part part);

/// The dlogits that both sides of the gradient's benchmark start from.
[[nodiscard]] float made_up_dlogit(std::size_t c, std::size_t n);

}  // namespace lanemax::bench

#endif
