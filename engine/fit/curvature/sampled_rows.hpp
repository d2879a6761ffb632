// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CURVATURE_SAMPLED_ROWS_HPP
#define LANEMAX_ENGINE_FIT_CURVATURE_SAMPLED_ROWS_HPP

#include "engine/fit/problem.hpp"
#include "engine/fit/row_buffers.hpp"
#include "engine/parallel.hpp"

#include <atomic>
#include <vector>

namespace lanemax {

/// Rows evenly spaced over the data, and their probabilities at some weights, a group at a time: as many as stay in L3
/// while everything there is to do with them is done. T is the scalar. Members may throw std::bad_alloc before the
/// first group.
template <class T>
class SampledRows {
 public:
  /// At most `rows` rows, at least one. `threads`: of the largest team that will load.
  SampledRows(const FitProblem& problem, const Vector& x, std::size_t rows, int threads);

  [[nodiscard]] std::size_t rows() const noexcept { return selection_.size(); }
  [[nodiscard]] std::size_t most_group_rows() const noexcept { return group_rows_; }
  [[nodiscard]] double total_weight() const noexcept { return total_weight_; }
  /// Which row of the features is the n-th of the sample.
  [[nodiscard]] std::size_t source_row(std::size_t n) const noexcept { return selection_[n]; }
  /// Features and a 1 for the bias.
  [[nodiscard]] std::size_t columns() const noexcept { return problem_.features() + 1; }

  /// Loads rows [begin, begin + count) of the sample. Every thread of the team calls this.
  void load_group(const Team& team, std::size_t begin, std::size_t count);
  /// Whether no row so far had a NaN among its scores.
  [[nodiscard]] bool finite() const noexcept { return finite_.load(); }

  // Of the group: values of row n from n * stride() on, columns() of them; its weight s (times the sum of its targets);
  // its probabilities, laid out as logits of capacity() rows.
  [[nodiscard]] T* values() const noexcept { return rows_.values.data(); }
  [[nodiscard]] std::size_t stride() const noexcept { return round_up(columns(), kPanel); }
  [[nodiscard]] T& weight(std::size_t n) const noexcept { return rows_.weights[n]; }
  [[nodiscard]] T* probabilities() const noexcept { return probabilities_.data(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] T& probability(std::size_t n, std::size_t c) const noexcept {
    return probabilities_[logit_index(capacity_, problem_.classes(), n, c)];
  }

 private:
  void choose_rows(std::size_t wanted);
  void load_part(std::size_t group, std::size_t first, std::size_t end, std::size_t rank);
  void weigh_by_mass(std::size_t group, std::size_t first, std::size_t count);

  const FitProblem& problem_;
  const Kernels<T>& kernel_;
  Batch sample_;
  std::vector<std::uint32_t> selection_;
  double total_weight_ = 0;
  std::size_t group_rows_ = 0, capacity_ = 0;
  OwnedRowBuffers<T> rows_;
  Buffer<T> weights_, bias_, probabilities_, logits_;
  std::atomic<bool> finite_{true};
};

}  // namespace lanemax

#endif
