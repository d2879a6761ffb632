// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_WORKSPACE_HPP
#define LANEMAX_WORKSPACE_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <memory>
#include <span>

#pragma GCC visibility push(default)
namespace lanemax {

/// Memory for a call, or for what a handle stands for. Calls take `std::span<std::byte>`: any memory will do, of any
/// alignment, of at least the size that the call's size query returns. Scratch memory carries nothing from call to
/// call. This class owns such memory, in huge pages where it is large.
class Workspace {
 public:
  Workspace() noexcept = default;
  /// Empty if there is not enough memory: a call that is given it says so. 0 bytes are what some calls need.
  explicit Workspace(std::size_t bytes) noexcept;

  /// At least `bytes` from now on; what was in it is lost if that takes more memory. out_of_memory leaves it as it was.
  [[nodiscard]] Status reserve(std::size_t bytes) noexcept;

  [[nodiscard]] std::byte* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return data_ == nullptr ? 0 : size_; }
  [[nodiscard]] bool empty() const noexcept { return data_ == nullptr; }
  operator std::span<std::byte>() const noexcept { return {data(), size()}; }

 private:
  struct Free {
    void operator()(std::byte* data) const noexcept;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace lanemax
#pragma GCC visibility pop

#endif
