// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/row_source.hpp"

#include "engine/layout.hpp"

#include <algorithm>

namespace lanemax {

template <class T>
bool RowSource<T>::lies_ready() const noexcept {
  constexpr FeatureType kOwn = sizeof(T) == sizeof(float) ? FeatureType::f32 : FeatureType::f64;
  return batch_.features.type == kOwn && batch_.features.col_stride == 1 && !batch_.selection && batch_.scaling.empty();
}

template <class T>
const char* RowSource<T>::row_at(std::size_t row) const noexcept {
  return static_cast<const char*>(batch_.features.data) +
         row * batch_.features.row_stride * size_of(batch_.features.type);
}

template <class T>
ReadAhead RowSource<T>::memory_of(std::size_t begin, std::size_t end) const noexcept {
  if (batch_.features.col_stride != 1) return {};
  const bool selected = batch_.selection.has_value();
  const std::size_t feature_bytes = size_of(batch_.features.type);
  return {row_at(selected ? 0 : begin), batch_.features.row_stride * feature_bytes, feature_bytes, end - begin,
          selected ? batch_.selection->data() + begin : nullptr};
}

template <class T>
RowBlock<T> RowSource<T>::load(std::size_t begin, std::size_t end, const RowBuffers<T>& buffers) const noexcept {
  // Without a selection, source rows are counted from the block's first, so that 32 bits do for any number of rows.
  const std::size_t base = batch_.selection ? 0 : begin;
  std::size_t kept = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const std::size_t row = batch_.row(i);
    const float weight = batch_.weight(row);
    const auto label = batch_.labels.empty() ? 0 : static_cast<std::int32_t>(batch_.labels[row]);
    if (weight == 0.0f || (!batch_.labels.empty() && label == ignored_label_)) continue;
    buffers.labels[kept] = label;
    buffers.weights[kept] = static_cast<T>(weight);
    buffers.rows[kept] = static_cast<std::uint32_t>(row - base);
    buffers.positions[kept] = static_cast<std::uint32_t>(i - begin);
    ++kept;
  }
  for (std::size_t i = kept; i < round_up(kept, kPanel); ++i) {
    buffers.labels[i] = 0;
    buffers.weights[i] = T(0);
  }
  if (lies_ready() && kept == end - begin) {
    return {reinterpret_cast<const T*>(row_at(begin)), batch_.features.row_stride, kept};
  }

  LoadArgs<T> args;
  args.data = row_at(base);
  args.type = batch_.features.type;
  args.stride = batch_.features.row_stride;
  args.rows = buffers.rows;
  args.count = kept;
  args.features = batch_.features.features;
  args.centre = batch_.scaling.centre.empty() ? nullptr : batch_.scaling.centre.data();
  args.factor = batch_.scaling.factor.empty() ? nullptr : batch_.scaling.factor.data();
  args.out = buffers.values;
  args.out_stride = buffers.stride;
  batch_.features.col_stride == 1 ? kernels_.load(args) : load_by_tiles(args);
  return {buffers.values, buffers.stride, kept};
}

namespace {

/// tile[r][d] = element (rows[r], d), whatever its type is.
template <class Element>
void gather_tile(const void* from, std::size_t row_stride, std::size_t col_stride, const std::uint32_t* rows,
                 std::size_t count, std::size_t features, std::size_t tile_stride, void* tile) {
  for (std::size_t d = 0; d < features; ++d) {
    const Element* const column = static_cast<const Element*>(from) + d * col_stride;
    Element* const to = static_cast<Element*>(tile) + d;
    for (std::size_t r = 0; r < count; ++r) to[r * tile_stride] = column[rows[r] * row_stride];
  }
}

}  // namespace

// Of column-major f32 a tile is one line of each of its columns.
template <class T>
void RowSource<T>::load_by_tiles(const LoadArgs<T>& all) const noexcept {
  constexpr std::size_t kRows = 16, kFeatures = 64;
  static constexpr std::uint32_t kInOrder[kRows] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  alignas(kAlignment) std::byte tile[kRows * kFeatures * sizeof(double)];
  const std::size_t col_stride = batch_.features.col_stride, size = size_of(all.type);
  for (std::size_t d = 0; d < all.features; d += kFeatures) {
    for (std::size_t r = 0; r < all.count; r += kRows) {
      LoadArgs<T> part = all;
      part.count = std::min(kRows, all.count - r);
      part.features = std::min(kFeatures, all.features - d);
      const void* const from = static_cast<const char*>(all.data) + d * col_stride * size;
      const auto gather = size == 1   ? &gather_tile<std::uint8_t>
                          : size == 2 ? &gather_tile<std::uint16_t>
                          : size == 4 ? &gather_tile<std::uint32_t>
                                      : &gather_tile<std::uint64_t>;
      gather(from, all.stride, col_stride, all.rows + r, part.count, part.features, kFeatures, tile);
      part.data = tile;
      part.stride = kFeatures;
      part.rows = kInOrder;
      if (all.centre != nullptr) part.centre += d;
      if (all.factor != nullptr) part.factor += d;
      part.out += r * all.out_stride + d;
      kernels_.load(part);
    }
  }
}

template class RowSource<float>;
template class RowSource<double>;

}  // namespace lanemax
