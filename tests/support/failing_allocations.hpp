// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP
#define LANEMAX_TESTS_SUPPORT_FAILING_ALLOCATIONS_HPP

#include <cstdlib>
#include <new>

// Replaces operator new of the one program that includes this: the largest allocation seen, and one to refuse. Not
// inlined: g++ 12 would take the free() below for a mismatch with operator new.
namespace {
[[maybe_unused]] std::size_t g_largest = 0;
long g_until_failure = -1;
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  if (size > g_largest) g_largest = size;
  if (g_until_failure == 0) throw std::bad_alloc{};
  if (g_until_failure > 0) --g_until_failure;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

#endif
