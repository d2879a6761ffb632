// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

#include <cmath>

namespace lanemax::bench {

double plain_softmax_loss(float* logits, std::size_t rows, std::size_t classes, const float* bias,
                          const std::int32_t* labels, float scale) {
  double loss = 0;
  for (std::size_t n = 0; n < rows; ++n) {
    float* z = logits + n * classes;
    const auto label = static_cast<std::size_t>(labels[n]);
    float max = z[0] + bias[0];
    for (std::size_t c = 0; c < classes; ++c) {
      z[c] += bias[c];
      max = z[c] > max ? z[c] : max;
    }
    const float distance = max - z[label];
    float sum = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      z[c] = std::exp(z[c] - max);
      sum += z[c];
    }
    loss += static_cast<double>(std::log(sum) + distance);
    const float inverse = scale / sum;
    for (std::size_t c = 0; c < classes; ++c) z[c] *= inverse;
    z[label] -= scale;
  }
  return loss;
}

std::size_t plain_argmax(const float* logits, std::size_t classes) {
  std::size_t best = 0;
  for (std::size_t c = 1; c < classes; ++c) best = logits[c] > logits[best] ? c : best;
  return best;
}

}  // namespace lanemax::bench
