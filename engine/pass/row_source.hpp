// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_ROW_SOURCE_HPP
#define LANEMAX_ENGINE_PASS_ROW_SOURCE_HPP

#include <lanemax/objective.hpp>

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {

/// Buffers that loading a row block fills; room for `capacity` rows, rounded up to 16. `values` is only written when
/// the rows cannot be used where they lie.
template <class T>
struct RowBuffers {
  T* values = nullptr;  ///< capacity x stride
  std::size_t stride = 0;
  std::int32_t* labels = nullptr;
  T* weights = nullptr;
  std::uint32_t* rows = nullptr;       ///< scratch: which source rows
  std::uint32_t* positions = nullptr;  ///< which rows of the batch, counted from the block's first
};

/// Calls f(row, weight) for the rows of the batch that take part, in order: not those of weight 0 or with the ignored
/// label. `row` counts the rows of the features.
template <class F>
void for_each_kept_row(const Batch& batch, std::int32_t ignored_label, const F& f) {
  for (std::size_t i = 0; i < batch.rows(); ++i) {
    const std::size_t row = batch.row(i);
    const float weight = batch.weight(row);
    if (weight == 0.0f || (!batch.labels.empty() && batch.labels[row] == ignored_label)) continue;
    f(row, static_cast<double>(weight));
  }
}

/// Where row blocks come from. Rows that lie ready (scalar type T, not selected, not scaled, none left out) are handed
/// over in place; any others are gathered, converted and scaled into the block's buffer, where a column is contiguous
/// and not a row by way of small tiles. Rows of weight 0 or with the ignored label are left out here: no kernel sees
/// them.
template <class T>
class RowSource {
 public:
  RowSource(const Batch& batch, const Objective& objective, const Kernels<T>& kernels) noexcept
      : batch_(batch), ignored_label_(objective.ignored_label), kernels_(kernels) {}

  /// Loads rows [begin, end) of the batch. The returned block holds the rows that take part, in order.
  [[nodiscard]] RowBlock<T> load(std::size_t begin, std::size_t end, const RowBuffers<T>& buffers) const noexcept;

  /// Where load() will read these rows.
  [[nodiscard]] ReadAhead memory_of(std::size_t begin, std::size_t end) const noexcept;

 private:
  [[nodiscard]] bool lies_ready() const noexcept;
  [[nodiscard]] const char* row_at(std::size_t row) const noexcept;
  void load_by_tiles(const LoadArgs<T>& rows) const noexcept;

  const Batch& batch_;
  std::int32_t ignored_label_;
  const Kernels<T>& kernels_;
};

}  // namespace lanemax

#endif
