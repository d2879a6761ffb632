// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/path/held_out.hpp"

#include "engine/fit/curvature/sampled_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double correct_weight(const FitProblem& problem, const Vector& x) {
  SampledRows<float> rows(problem, x, problem.rows(), problem.threads());
  double correct = 0;
  for (std::size_t begin = 0; begin < rows.rows(); begin += rows.most_group_rows()) {
    const std::size_t count = std::min(rows.most_group_rows(), rows.rows() - begin);
    parallel(problem.threads_for(problem.pass_flops()), [&](const Team& team) { rows.load_group(team, begin, count); });
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t row = rows.source_row(begin + n);
      std::size_t best = 0;
      if (!problem.has_gauge()) best = rows.probability(n, 0) > 0.5f ? 1 : 0;
      for (std::size_t c = 1; problem.has_gauge() && c < problem.classes(); ++c) {
        if (rows.probability(n, c) > rows.probability(n, best)) best = c;
      }
      if (static_cast<std::int64_t>(best) == problem.data().labels[row]) correct += static_cast<double>(rows.weight(n));
    }
  }
  return correct;
}

}  // namespace

Batch selected(Batch batch, const std::vector<std::uint32_t>& rows) noexcept {
  batch.selection = rows;
  return batch;
}

ProblemSize size_of(const Batch& batch, const std::vector<std::uint32_t>& rows) noexcept {
  ProblemSize size{rows.size(), 0};
  for (const std::uint32_t row : rows) {
    size.total_weight += static_cast<double>(batch.weight(row));
  }
  return size;
}

Status judge(const FitProblem& problem, const Batch& batch, const std::vector<std::uint32_t>& rows, const Vector& x,
             HeldOut& held) {
  held = {};
  if (rows.empty()) return {};
  const Batch part = selected(batch, rows);
  FitProblem judging(part, problem.objective(), problem.classes(), problem.table(), problem.threads(),
                     size_of(batch, rows), {0.0});
  Value value;
  const Status status = judging.evaluate(x, Precision::f64, value, nullptr);
  if (!status.ok()) {
    const Status cause = find_bad_feature(part, problem.objective().ignored_label);
    if (!cause.ok()) return cause;
  }
  held.loss = status.ok() ? value.data_loss : std::numeric_limits<double>::infinity();
  held.weight = judging.total_weight();
  held.correct = part.labels.empty() ? kNaN : correct_weight(judging, x);
  return {};
}

void summarise(const std::vector<HeldOut>& folds, PathPoint& point) noexcept {
  double weight = 0, loss = 0, correct = 0, count = 0;
  for (const HeldOut& held : folds) {
    if (held.weight == 0) continue;  // all of its rows are left out
    count += 1;
    weight += held.weight;
    loss += held.weight * held.loss;
    correct += held.correct;
  }
  point.held_out_loss = loss / weight;
  point.held_out_accuracy = correct / weight;
  point.held_out_loss_error = kNaN;
  if (count < 2) return;
  double squares = 0;
  for (const HeldOut& held : folds) {
    const double off = held.weight * (held.loss - point.held_out_loss);
    squares += off * off;
  }
  point.held_out_loss_error = std::sqrt(squares * count / (count - 1)) / weight;
}

}  // namespace lanemax
