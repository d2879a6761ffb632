// SPDX-License-Identifier: BSD-3-Clause
#include "engine/predict/log_losses.hpp"

#include "engine/float_environment.hpp"
#include "engine/workspace.hpp"

#include <algorithm>

namespace lanemax {

void log_losses(const KernelTable& table, Loss loss, const MatrixView<const float>& scores, const std::int32_t* labels,
                double* losses) {
  const FloatEnvironment environment;
  constexpr std::size_t kRows = 64;
  const std::size_t capacity = kRows + (is_class_major(scores.cols) ? 0 : 1);
  const Buffer<double> logits(logit_count(capacity, scores.cols)), weights(kRows), found(kRows);
  const Buffer<std::int32_t> classes(kRows);
  std::fill_n(weights.data(), kRows, 1.0);
  LossArgs<double> args;
  args.logits = logits.data();
  args.capacity = capacity;
  args.classes = scores.cols;
  args.labels = classes.data();
  args.weights = weights.data();
  args.losses = found.data();
  for (std::size_t first = 0; first < scores.rows; first += kRows) {
    args.rows = std::min(kRows, scores.rows - first);
    const std::size_t padded = is_class_major(scores.cols) ? scores.cols : bias_count(scores.cols);
    for (std::size_t i = 0; i < args.rows; ++i) {
      classes[i] = std::max(labels[first + i], 0);
      for (std::size_t c = 0; c < padded; ++c) {
        logits[logit_index(capacity, scores.cols, i, c)] =
            c < scores.cols ? static_cast<double>(scores.at(first + i, c)) : -std::numeric_limits<double>::infinity();
      }
    }
    loss == Loss::logistic ? table.f64.logistic_loss(args) : table.f64.softmax_loss(args);
    std::copy_n(found.data(), args.rows, losses + first);
  }
}

}  // namespace lanemax
