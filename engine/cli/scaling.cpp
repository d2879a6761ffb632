// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/scaling.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/data/statistics.hpp"

#include <cmath>

namespace lanemax::cli {
namespace {

ScalingValues unit_scaling(const FeaturesView& features) {
  if (features.type != FeatureType::u8) {
    fail_usage("--scale: 'unit' on features that are not bytes; expected IDX files of bytes, or standard");
  }
  return {std::vector<float>(features.features, 0.0F), std::vector<float>(features.features, 1.0F / 255.0F)};
}

// A deviation so small that its inverse leaves f32 counts as none.
float factor_of(double deviation) {
  const float factor = static_cast<float>(1 / deviation);
  return deviation > 0 && std::isfinite(factor) ? factor : 1.0F;
}

ScalingValues standard_scaling(const FeaturesView& features, std::span<const std::uint32_t> rows) {
  const FeatureStatistics statistics = feature_statistics(features, rows);
  ScalingValues scaling;
  for (const double mean : statistics.mean) scaling.centre.push_back(static_cast<float>(mean));
  for (const double deviation : statistics.deviation) scaling.factor.push_back(factor_of(deviation));
  return scaling;
}

}  // namespace

ScalingValues make_scaling(Scaling kind, const FeaturesView& features, std::span<const std::uint32_t> rows) {
  switch (kind) {
    case Scaling::none: break;
    case Scaling::unit: return unit_scaling(features);
    case Scaling::standard: return standard_scaling(features, rows);
  }
  return {};
}

void fold_scaling(const ScalingValues& scaling, Model& model) {
  if (scaling.factor.empty()) return;
  for (std::size_t c = 0; c < model.rows(); ++c) {
    float* weights = model.weight.data() + c * model.features;
    double shift = 0;
    for (std::size_t d = 0; d < model.features; ++d) {
      const double folded = static_cast<double>(weights[d]) * static_cast<double>(scaling.factor[d]);
      shift += folded * static_cast<double>(scaling.centre[d]);
      weights[d] = static_cast<float>(folded);
    }
    model.bias[c] = static_cast<float>(static_cast<double>(model.bias[c]) - shift);
  }
  model.scaling_centre = scaling.centre;
  model.scaling_factor = scaling.factor;
}

}  // namespace lanemax::cli
