// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_WORKSPACE_HPP
#define LANEMAX_ENGINE_WORKSPACE_HPP

#include <lanemax/views.hpp>

#include "engine/fail.hpp"
#include "engine/large_memory.hpp"
#include "engine/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace lanemax {

/// Hands out aligned pieces of caller-owned memory, or, without memory, only adds up what they would take. Laying out
/// and asking for the size are thus the same code.
class Arena {
 public:
  Arena() = default;
  explicit Arena(const Workspace& workspace) noexcept
      : data_(static_cast<std::byte*>(workspace.data)), size_(workspace.bytes) {}

  /// Room for `count` elements, aligned to 64 bytes. Null when only counting, or when it does not fit.
  template <class T>
  T* take(std::size_t count) noexcept {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, sizeof(T), &bytes) || bytes > kMost || used_ > kMost - bytes) {
      overflow_ = true;
      return nullptr;
    }
    const std::size_t at = used_;
    used_ += round_up(bytes, kWorkspaceAlignment);
    return data_ != nullptr && used_ <= size_ ? reinterpret_cast<T*>(data_ + at) : nullptr;
  }
  /// Bytes taken so far; 0 if the sizes overflowed.
  [[nodiscard]] std::size_t bytes() const noexcept { return overflow_ ? 0 : used_; }
  [[nodiscard]] bool fits() const noexcept { return !overflow_ && used_ <= size_; }

 private:
  static constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max() / 4;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  bool overflow_ = false;
};

[[nodiscard]] inline Status check_workspace(const Workspace& workspace, std::size_t needed) noexcept {
  if (needed == 0) {
    return fail(StatusCode::shape_mismatch, "workspace", "sizes whose product fits the address space");
  }
  if (workspace.data == nullptr || workspace.bytes < needed) {
    Status status = fail(StatusCode::workspace_too_small, "workspace", "as many bytes as the size query returns");
    char* end = std::to_chars(status.found, status.found + 20, workspace.data == nullptr ? 0 : workspace.bytes).ptr;
    end = std::copy_n(" of ", 4, end);
    *std::to_chars(end, end + 20, needed).ptr = '\0';
    return status;
  }
  if (reinterpret_cast<std::uintptr_t>(workspace.data) % kWorkspaceAlignment != 0) {
    return fail(StatusCode::misaligned, "workspace", "memory aligned to 64 bytes");
  }
  return {};
}

/// Workspace memory that a convenience type owns. Empty if there was not enough.
class OwnedWorkspace {
 public:
  OwnedWorkspace() = default;
  explicit OwnedWorkspace(std::size_t bytes) noexcept
      : data_(allocate_aligned(bytes), &std::free), bytes_(data_ != nullptr ? bytes : 0) {}
  [[nodiscard]] Workspace view() const noexcept { return {data_.get(), bytes_}; }
  [[nodiscard]] bool empty() const noexcept { return data_ == nullptr; }

 private:
  std::unique_ptr<void, void (*)(void*)> data_{nullptr, &std::free};
  std::size_t bytes_ = 0;
};

/// An array that its holder owns, aligned for the kernels, zero at first. Throws std::bad_alloc.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t count) : size_(count) {
    if (count == 0) return;
    if (count > std::size_t{1} << 58) throw std::bad_alloc();
    memory_ = OwnedWorkspace(count * sizeof(T));
    if (memory_.empty()) throw std::bad_alloc();
    std::fill_n(data(), count, T(0));
  }
  [[nodiscard]] T* data() const noexcept { return static_cast<T*>(memory_.view().data); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  T& operator[](std::size_t i) const noexcept { return data()[i]; }

 private:
  OwnedWorkspace memory_;
  std::size_t size_ = 0;
};

}  // namespace lanemax

#endif
