// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_IDX_HPP
#define LANEMAX_ENGINE_DATA_IDX_HPP

#include <lanemax/status.hpp>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/data/file_bytes.hpp"

namespace lanemax {

/// IDX, the format of MNIST: two zero bytes, a type byte, the number of dimensions, the dimensions as 32-bit big-endian
/// numbers, then the values. Only unsigned bytes (type 0x08) are read; the other types are refused by name.

/// True if the content begins like an IDX file, or like one whose header was written in little-endian order.
[[nodiscard]] bool looks_like_idx(std::span<const std::uint8_t> head) noexcept;

/// Appends the samples of a file of 2 to 4 dimensions: samples first, the product of the others is the number of
/// features. Sets type, samples, features and bytes of `dataset`; a second file must have the same features.
[[nodiscard]] Status append_idx_samples(ByteSource& source, Dataset& dataset);

/// Reads a file of one dimension.
[[nodiscard]] Status read_idx_labels(ByteSource& source, LargeVector<std::uint8_t>& labels);

}  // namespace lanemax

#endif
