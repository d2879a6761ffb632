// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PREDICT_LOG_LOSSES_HPP
#define LANEMAX_ENGINE_PREDICT_LOG_LOSSES_HPP

#include <lanemax/objective.hpp>

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {

/// The losses of rows whose scores are known, in double, by the kernels that train. `labels`: one per row; a row whose
/// label is negative has a loss that means nothing. softmax or logistic. Throws std::bad_alloc.
void log_losses(const KernelTable& table, Loss loss, const MatrixView<const float>& scores, const std::int32_t* labels,
                double* losses);

}  // namespace lanemax

#endif
