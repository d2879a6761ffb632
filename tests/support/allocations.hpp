// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_ALLOCATIONS_HPP
#define LANEMAX_TESTS_SUPPORT_ALLOCATIONS_HPP

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LANEMAX_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define LANEMAX_TEST_SANITIZED 1
#endif
#endif

// Sees every allocation of the one program that includes this, in any thread and by whichever name it is made, and
// refuses those that a test picks.
namespace lanemax::test {

#ifdef __GLIBC__
inline constexpr bool kSeesAllocations = true;
#else
inline constexpr bool kSeesAllocations = false;
#endif

/// What a call did with memory.
struct Allocations {
  std::size_t made = 0;  ///< or refused
  std::size_t refused = 0;
  std::size_t largest = 0;  ///< bytes
  long kept = 0;            ///< made less freed
};
/// Which allocations of a call are refused: that after the first so many, and maybe all after it.
struct Refusal {
  std::size_t after = std::numeric_limits<std::size_t>::max();
  bool all_later = false;
};

namespace allocations {

inline constinit std::atomic<bool> watched{false};
inline constinit std::atomic<std::size_t> made{0}, refused{0}, largest{0};
inline constinit std::atomic<long> kept{0};
inline Refusal refusal;

/// Whether an allocation is to be made.
inline bool admit(std::size_t size) noexcept {
  if (!watched.load(std::memory_order_relaxed)) return true;
  const std::size_t before = made.fetch_add(1);
  std::size_t most = largest.load();
  while (size > most && !largest.compare_exchange_weak(most, size)) {
  }
  if (before != refusal.after && (before < refusal.after || !refusal.all_later)) return true;
  refused.fetch_add(1);
  errno = ENOMEM;
  return false;
}
inline void* count(void* memory) noexcept {
  if (memory != nullptr && watched.load(std::memory_order_relaxed)) kept.fetch_add(1);
  return memory;
}
inline void uncount(const void* memory) noexcept {
  if (memory != nullptr && watched.load(std::memory_order_relaxed)) kept.fetch_sub(1);
}

}  // namespace allocations

/// Watches the allocations during call(), those of other threads, too.
template <class Call>
Allocations watch_allocations(const Call& call, const Refusal& refusal = {}) {
  namespace a = allocations;
  a::made = a::refused = a::largest = 0;
  a::kept = 0;
  a::refusal = refusal;
  a::watched = true;
  call();
  a::watched = false;
  return {a::made, a::refused, a::largest, a::kept};
}

/// Fails the test where an allocation goes unseen.
inline void expect_allocations_are_seen() {
  // Of memory that nobody looks at the compiler may leave out the allocation.
  const auto look_at = [](void* memory) { asm volatile("" : : "r"(memory) : "memory"); };
  const auto expect = [&](const char* name, auto make, auto free) {
    void* memory = nullptr;
    const Allocations seen = watch_allocations([&] { look_at(memory = make()); });
    EXPECT_TRUE(seen.made == 1 && seen.largest >= 128 && seen.kept == 1) << name << " is not seen";
    const Allocations freed = watch_allocations([&] { free(memory); });
    EXPECT_EQ(freed.kept, -1) << name << ": its end is not seen";
    const Allocations none = watch_allocations(
        [&] {
          try {
            look_at(memory = make());
          } catch (const std::bad_alloc&) {
            memory = nullptr;
          }
        },
        {0, false});
    EXPECT_TRUE(none.refused == 1 && memory == nullptr) << name << " is not refused";
  };
  constexpr std::align_val_t kAligned{64};
  expect("malloc", [] { return std::malloc(128); }, [](void* p) { std::free(p); });
  expect("calloc", [] { return std::calloc(2, 64); }, [](void* p) { std::free(p); });
  expect("realloc", [] { return std::realloc(nullptr, 128); }, [](void* p) { std::free(p); });
  expect("aligned_alloc", [] { return std::aligned_alloc(64, 128); }, [](void* p) { std::free(p); });
  expect(
      "posix_memalign",
      [] {
        void* memory = nullptr;
        return posix_memalign(&memory, 64, 128) == 0 ? memory : nullptr;
      },
      [](void* p) { std::free(p); });
  expect("operator new", [] { return ::operator new(128); }, [](void* p) { ::operator delete(p); });
  expect("operator new[]", [] { return ::operator new[](128); }, [](void* p) { ::operator delete[](p); });
  expect(
      "operator new that does not throw", [] { return ::operator new(128, std::nothrow); },
      [](void* p) { ::operator delete(p); });
  expect(
      "aligned operator new", [] { return ::operator new(128, kAligned); },
      [](void* p) { ::operator delete(p, kAligned); });
  expect(
      "aligned operator new[]", [] { return ::operator new[](128, kAligned); },
      [](void* p) { ::operator delete[](p, kAligned); });
}

}  // namespace lanemax::test

#ifdef __GLIBC__
// glibc lets a program bring its own; what libraries call, and libstdc++'s operator new, ends up here too. Sanitizers
// have theirs under another name.
#ifdef LANEMAX_TEST_SANITIZED
#define LANEMAX_TEST_REAL(name) __interceptor_##name
#else
#define LANEMAX_TEST_REAL(name) __libc_##name
#endif

#pragma GCC visibility push(default)
extern "C" {
void* LANEMAX_TEST_REAL(malloc)(std::size_t);
void* LANEMAX_TEST_REAL(calloc)(std::size_t, std::size_t);
void* LANEMAX_TEST_REAL(realloc)(void*, std::size_t);
void* LANEMAX_TEST_REAL(memalign)(std::size_t, std::size_t);
void LANEMAX_TEST_REAL(free)(void*);

void* malloc(std::size_t size) noexcept {
  namespace a = lanemax::test::allocations;
  return a::admit(size) ? a::count(LANEMAX_TEST_REAL(malloc)(size)) : nullptr;
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  namespace a = lanemax::test::allocations;
  return a::admit(count * size) ? a::count(LANEMAX_TEST_REAL(calloc)(count, size)) : nullptr;
}
void* realloc(void* old, std::size_t size) noexcept {
  namespace a = lanemax::test::allocations;
  if (!a::admit(size)) return nullptr;
  void* const memory = LANEMAX_TEST_REAL(realloc)(old, size);
  if (memory != nullptr || size == 0) a::uncount(old);
  return a::count(memory);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  namespace a = lanemax::test::allocations;
  return a::admit(size) ? a::count(LANEMAX_TEST_REAL(memalign)(alignment, size)) : nullptr;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  void* const memory = memalign(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
void free(void* memory) noexcept {
  lanemax::test::allocations::uncount(memory);
  LANEMAX_TEST_REAL(free)(memory);
}
}
#pragma GCC visibility pop

#ifdef LANEMAX_TEST_SANITIZED
// Theirs does not call malloc.
inline void* new_by_malloc(void* memory) {
  return memory != nullptr ? memory : throw std::bad_alloc();
}
void* operator new(std::size_t size) {
  return new_by_malloc(malloc(size));
}
void* operator new[](std::size_t size) {
  return new_by_malloc(malloc(size));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return malloc(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return malloc(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return new_by_malloc(memalign(static_cast<std::size_t>(alignment), size));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return new_by_malloc(memalign(static_cast<std::size_t>(alignment), size));
}
void operator delete(void* memory) noexcept {
  free(memory);
}
void operator delete[](void* memory) noexcept {
  free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  free(memory);
}
#endif

#endif

#endif
