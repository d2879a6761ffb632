// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/workspace.hpp>

#include "engine/fail.hpp"
#include "engine/large_memory.hpp"

namespace lanemax {

Workspace::Workspace(std::size_t bytes) noexcept
    : data_(static_cast<std::byte*>(allocate_aligned(bytes))), size_(bytes) {}

Status Workspace::reserve(std::size_t bytes) noexcept {
  if (bytes <= size()) return {};
  Workspace larger(bytes);
  if (larger.empty()) return fail(StatusCode::out_of_memory, "workspace", "as much memory as was asked for");
  *this = std::move(larger);
  return {};
}

void Workspace::Free::operator()(std::byte* data) const noexcept {
  std::free(data);
}

}  // namespace lanemax
