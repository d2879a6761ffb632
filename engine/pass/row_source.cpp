// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/row_source.hpp"

#include "engine/layout.hpp"

namespace lanemax {

template <class T>
bool RowSource<T>::lies_ready() const noexcept {
  constexpr FeatureType kOwn = sizeof(T) == sizeof(float) ? FeatureType::f32 : FeatureType::f64;
  return batch_.features.type == kOwn && batch_.selection == nullptr && batch_.scaling.centre == nullptr &&
         batch_.scaling.factor == nullptr;
}

template <class T>
const char* RowSource<T>::row_at(std::size_t row) const noexcept {
  return static_cast<const char*>(batch_.features.data) +
         row * batch_.features.row_stride * size_of(batch_.features.type);
}

template <class T>
ReadAhead RowSource<T>::memory_of(std::size_t begin, std::size_t end) const noexcept {
  const bool selected = batch_.selection != nullptr;
  const std::size_t feature_bytes = size_of(batch_.features.type);
  return {row_at(selected ? 0 : begin), batch_.features.row_stride * feature_bytes, feature_bytes, end - begin,
          selected ? batch_.selection + begin : nullptr};
}

template <class T>
RowBlock<T> RowSource<T>::load(std::size_t begin, std::size_t end, const RowBuffers<T>& buffers) const noexcept {
  // Without a selection, source rows are counted from the block's first, so that 32 bits do for any number of rows.
  const std::size_t base = batch_.selection == nullptr ? begin : 0;
  std::size_t kept = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const std::size_t row = batch_.selection == nullptr ? i : batch_.selection[i];
    const float weight = batch_.sample_weights == nullptr ? 1.0f : batch_.sample_weights[row];
    const std::int32_t label = batch_.labels == nullptr ? 0 : batch_.labels[row];
    if (weight == 0.0f || (batch_.labels != nullptr && label == ignored_label_)) continue;
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
  args.centre = batch_.scaling.centre;
  args.factor = batch_.scaling.factor;
  args.out = buffers.values;
  args.out_stride = buffers.stride;
  kernels_.load(args);
  return {buffers.values, buffers.stride, kept};
}

template class RowSource<float>;
template class RowSource<double>;

}  // namespace lanemax
