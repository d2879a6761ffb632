// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_GRADIENT_HPP
#define LANEMAX_ENGINE_STEPS_GRADIENT_HPP

#include "engine/gemm/feature_gradient.hpp"
#include "engine/gemm/outer.hpp"
#include "engine/gemm/panel.hpp"

namespace lanemax {
namespace {

// Step 3: dW (+)= dlogits' X and db (+)= sum of dlogits over one row block, rows ascending.
template <class Arch, class T, class Schedule>
void gradient(const GradientArgs<T>& args) {
  is_class_major(args.classes) ? outer_gradient<Arch, T>(args) : panel_gradient<Arch, T, Schedule>(args);
}

template <class Arch, class T>
void bias_gradient(const BiasGradientArgs<T>& args) {
  using V = Vec<Arch, T>;
  if (is_class_major(args.classes)) {  // lanes over rows
    for (std::size_t c = 0; c < args.classes; ++c) {
      V sum(T(0));
      for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
        sum = sum + load_up_to<Arch>(args.dlogits + c * args.capacity + n, args.rows - n);
      }
      args.dbias[c] = lane_sum<Arch, T>(sum) + (args.accumulate ? args.dbias[c] : T(0));
    }
    if (!args.accumulate) {
      for (std::size_t c = args.classes; c < bias_count(args.classes); ++c) args.dbias[c] = T(0);
    }
    return;
  }
  for (std::size_t p = 0; p < panel_count(args.classes); ++p) {  // lanes over classes
    for (std::size_t lane = 0; lane < kPanel; lane += kLanes<Arch, T>) {
      const T* g = args.dlogits + p * args.capacity * kPanel + lane;
      V sum = args.accumulate ? load<Arch>(static_cast<const T*>(args.dbias + p * kPanel + lane)) : V(T(0));
      for (std::size_t n = 0; n < args.rows; ++n) sum = sum + load<Arch>(g + n * kPanel);
      store<Arch>(args.dbias + p * kPanel + lane, sum);
    }
  }
}

template <class Arch, class T>
void feature_gradient(const FeatureGradientArgs<T>& args) {
  is_class_major(args.classes) ? class_major_feature_gradient<Arch, T>(args) : panel_feature_gradient<Arch, T>(args);
}

}  // namespace
}  // namespace lanemax

#endif
