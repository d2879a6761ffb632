// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_ROW_BUFFERS_HPP
#define LANEMAX_ENGINE_FIT_ROW_BUFFERS_HPP

#include "engine/fit/vectors.hpp"
#include "engine/pass/row_source.hpp"

namespace lanemax {

/// Memory for so many rows that a RowSource loads. May throw std::bad_alloc.
template <class T>
class OwnedRowBuffers {
 public:
  OwnedRowBuffers() = default;
  OwnedRowBuffers(std::size_t rows, std::size_t stride)
      : values(rows * stride), weights(rows), stride_(stride), labels_(rows), rows_(rows), positions_(rows) {}

  /// Of the rows from the n-th on.
  [[nodiscard]] RowBuffers<T> at(std::size_t n) const noexcept {
    return {values.data() + n * stride_, stride_,          labels_.data() + n,
            weights.data() + n,          rows_.data() + n, positions_.data() + n};
  }

  Buffer<T> values, weights;

 private:
  std::size_t stride_ = 0;
  Buffer<std::int32_t> labels_;
  Buffer<std::uint32_t> rows_, positions_;
};

}  // namespace lanemax

#endif
