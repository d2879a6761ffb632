// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_WORKSPACE_HPP
#define LANEMAX_ENGINE_WORKSPACE_HPP

#include <lanemax/workspace.hpp>

#include "engine/fail.hpp"
#include "engine/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

namespace lanemax {

/// Hands out aligned pieces of caller-owned memory, which may begin anywhere, or, without memory, only adds up what
/// they would take. Laying out and asking for the size are thus the same code.
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::span<std::byte> memory) noexcept : data_(memory.data()), size_(memory.size()) {
    const std::size_t skipped = (0 - reinterpret_cast<std::uintptr_t>(data_)) % kAlignment;
    if (data_ == nullptr || skipped > size_) return;
    data_ += skipped;
    size_ -= skipped;
  }

  /// Room for `count` elements, aligned to 64 bytes. Null when only counting, or when it does not fit.
  template <class T>
  T* take(std::size_t count) noexcept {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(count, sizeof(T), &bytes) || bytes > kMost || used_ > kMost - bytes) {
      overflow_ = true;
      return nullptr;
    }
    const std::size_t at = used_;
    used_ += round_up(bytes, kAlignment);
    return data_ != nullptr && used_ <= size_ ? reinterpret_cast<T*>(data_ + at) : nullptr;
  }
  /// Bytes taken so far, and as many as may be skipped before them; 0 if the sizes overflowed, or nothing was taken.
  [[nodiscard]] std::size_t bytes() const noexcept { return overflow_ || used_ == 0 ? 0 : used_ + kAlignment - 1; }
  [[nodiscard]] bool fits() const noexcept { return !overflow_ && used_ <= size_; }

 private:
  static constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max() / 4;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  bool overflow_ = false;
};

[[nodiscard]] inline Status check_workspace(std::span<std::byte> workspace, std::size_t needed,
                                            const char* what = "workspace") noexcept {
  if (needed == 0) return fail(StatusCode::shape_mismatch, what, "sizes whose product fits the address space");
  if (workspace.size() < needed) {
    Status status = fail(StatusCode::workspace_too_small, what, "as many bytes as the size query returns");
    char* end = std::to_chars(status.found, status.found + 20, workspace.size()).ptr;
    end = std::copy_n(" of ", 4, end);
    *std::to_chars(end, end + 20, needed).ptr = '\0';
    return status;
  }
  return {};
}

/// An array that its holder owns, aligned for the kernels, zero at first. Throws std::bad_alloc.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t count) : size_(count) {
    if (count == 0) return;
    if (count > std::size_t{1} << 58) throw std::bad_alloc();
    memory_ = Workspace(count * sizeof(T));
    if (memory_.empty()) throw std::bad_alloc();
    std::fill_n(data(), count, T(0));
  }
  [[nodiscard]] T* data() const noexcept { return reinterpret_cast<T*>(memory_.data()); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  T& operator[](std::size_t i) const noexcept { return data()[i]; }

 private:
  Workspace memory_;
  std::size_t size_ = 0;
};

}  // namespace lanemax

#endif
