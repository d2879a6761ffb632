// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_LOGISTIC_LOSS_HPP
#define LANEMAX_ENGINE_STEPS_LOGISTIC_LOSS_HPP

#include "engine/simd/exp.hpp"
#include "engine/simd/log.hpp"
#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// Step 2, binary logistic: one score z per row, target t in [0, 1] (a label is 0 or 1), e = exp(-|z|):
//
//   loss = max(z, 0) - t z + log1p(e)       dz = s (sigmoid(z) - t),  sigmoid(z) = (z >= 0 ? 1 : e) / (1 + e)
//
// For t = 1 and z >= 0 both are written without the cancellation: loss = log1p(e), dz = -e / (1 + e).
template <class Arch, class T>
void logistic_loss(const LossArgs<T>& args) {
  using V = Vec<Arch, T>;
  const V zero(T(0)), one(T(1));
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    V target;
    if (args.targets != nullptr) {
      target = load<Arch>(args.targets + n);
    } else {
      alignas(64) T lanes[kLanes<Arch, T>];
      for (std::size_t i = 0; i < kLanes<Arch, T>; ++i) lanes[i] = static_cast<T>(args.labels[n + i]);
      target = load<Arch>(static_cast<const T*>(lanes));
    }
    const V z = load<Arch>(static_cast<const T*>(args.logits + n));
    const auto negative = z < zero;
    const V e = exp_negative<Arch, T>(xsimd::select(negative, z, zero - z), exp_cut<T>(2));
    const V p_small = e / (one + e);  // probability of the less likely class
    const V p = xsimd::select(negative, p_small, one / (one + e));
    // max(z, 0) - t z = z (1 - t) for z >= 0, -t z below; a target 0 on a score -infinity counts 0.
    const V factor = xsimd::select(negative, zero - target, one - target);
    const V linear = xsimd::select(factor == zero, zero, z * factor);
    // +infinity, alone among the scores, would look like a perfect answer for target 1: z - z makes it NaN.
    const V checked = xsimd::select(negative, zero, z - z);
    store<Arch>(args.losses + n, linear + (log1p_positive<Arch, T>(e) + checked));
    if (args.probabilities != nullptr) store<Arch>(args.probabilities + n, p);
    const V residual = xsimd::select(negative, p - target, (one - target) - p_small);
    store<Arch>(args.logits + n, load<Arch>(args.weights + n) * residual);
  }
}

}  // namespace
}  // namespace lanemax

#endif
