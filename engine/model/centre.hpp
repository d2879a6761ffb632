// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_CENTRE_HPP
#define LANEMAX_ENGINE_MODEL_CENTRE_HPP

#include <lanemax/model.hpp>

namespace lanemax {

/// A model around a centre becomes one for raw features, as far as an f32 bias has the digits.
inline void fold_centre(Model& model) {
  for (std::size_t c = 0; c < model.rows() && !model.centre.empty(); ++c) {
    double shift = 0;
    for (std::size_t d = 0; d < model.features; ++d) {
      shift += static_cast<double>(model.weight[c * model.features + d]) * model.centre[d];
    }
    model.bias[c] = static_cast<float>(static_cast<double>(model.bias[c]) - shift);
  }
  model.centre.clear();
}

}  // namespace lanemax

#endif
