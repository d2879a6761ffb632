// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_SCALING_HPP
#define LANEMAX_ENGINE_CLI_SCALING_HPP

#include "engine/cli/options.hpp"

#include <lanemax/model.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace lanemax::cli {

/// The map of each feature used in training, (x - centre) * factor. Empty: as FeatureScaling's null.
struct ScalingValues {
  std::vector<float> centre;
  std::vector<float> factor;

  [[nodiscard]] FeatureScaling view() const noexcept {
    return {centre.empty() ? nullptr : centre.data(), factor.empty() ? nullptr : factor.data()};
  }
};

/// The scaling of this kind for the training rows (empty: all). `unit` on anything but bytes is a usage error.
[[nodiscard]] ScalingValues make_scaling(Scaling kind, const FeaturesView& features,
                                         std::span<const std::uint32_t> rows);

/// Turns weights for scaled features into weights for raw ones, in double: W x' + b with x' = (x - centre) * factor
/// is (W * factor) x + (b - sum_d W * factor * centre). Keeps a record of the scaling in the model.
void fold_scaling(const ScalingValues& scaling, Model& model);

}  // namespace lanemax::cli

#endif
