// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_ALIGNED_MEMORY_HPP
#define LANEMAX_ENGINE_CLI_ALIGNED_MEMORY_HPP

#include <lanemax/objective.hpp>

#include <algorithm>
#include <cstddef>
#include <new>

namespace lanemax::cli {

/// Scratch as the library wants it.
class AlignedMemory {
 public:
  explicit AlignedMemory(std::size_t bytes)
      : data_(::operator new(std::max<std::size_t>(bytes, 1), kAlignment)), bytes_(bytes) {}
  ~AlignedMemory() { ::operator delete(data_, kAlignment); }
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;
  [[nodiscard]] Workspace view() const noexcept { return {data_, bytes_}; }

 private:
  static constexpr std::align_val_t kAlignment{kWorkspaceAlignment};
  void* data_;
  std::size_t bytes_;
};

}  // namespace lanemax::cli

#endif
