// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_FIT_MODEL_HPP
#define LANEMAX_ENGINE_FIT_FIT_MODEL_HPP

#include <lanemax/fit_path.hpp>

namespace lanemax {

/// fit_path() into a model, as fit() does it: the best point's weights. `folds` is that of PathOutputs.
[[nodiscard]] Status fit_path(const Batch& data, const PathOptions& options,
                              const std::vector<std::string>& class_labels, std::span<PathPoint> points, Model& model,
                              PathResult& result, const MatrixView<FoldScore>& folds) noexcept;

}  // namespace lanemax

#endif
