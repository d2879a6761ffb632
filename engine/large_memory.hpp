// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_LARGE_MEMORY_HPP
#define LANEMAX_ENGINE_LARGE_MEMORY_HPP

#include "engine/layout.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lanemax {

/// Memory aligned for the kernels, or null; std::free() takes it back. Large arrays are asked for in huge pages: a pass
/// visits thousands of pages, and to look one up can cost a virtual machine two walks through memory (60000 x 784 x 10
/// in f32 on Zen 3: 10 % of the pass). It is a request; where the system does not grant it, nothing is lost.
[[nodiscard]] inline void* allocate_aligned(std::size_t bytes) noexcept {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (bytes > ~std::size_t{0} - kHugePage) return nullptr;
  const bool is_large = bytes >= kHugePage;
  const std::size_t alignment = is_large ? kHugePage : kAlignment, whole = round_up(bytes, alignment);
  void* const data = std::aligned_alloc(alignment, whole);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (is_large && data != nullptr) madvise(data, whole, MADV_HUGEPAGE);
#endif
  return data;
}

/// For the vectors of a data set.
template <class T>
struct LargeAllocator {
  using value_type = T;
  LargeAllocator() = default;
  template <class U>
  explicit LargeAllocator(const LargeAllocator<U>&) noexcept {}
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > ~std::size_t{0} / 4 / sizeof(T)) throw std::bad_alloc();
    void* const data = allocate_aligned(count * sizeof(T));
    if (data == nullptr) throw std::bad_alloc();
    return static_cast<T*>(data);
  }
  void deallocate(T* data, std::size_t) noexcept { std::free(data); }
  friend bool operator==(const LargeAllocator&, const LargeAllocator&) noexcept { return true; }
};
template <class T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace lanemax

#endif
