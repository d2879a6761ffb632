// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_THREAD_POOL_HPP
#define LANEMAX_ENGINE_THREAD_POOL_HPP

#include <atomic>
#include <cstddef>

namespace lanemax {

/// The threads of one call, at work on one region.
class Crew {
 public:
  explicit Crew(int size) noexcept : size_(size) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  [[nodiscard]] int size() const noexcept { return size_; }

  /// 0, 1, 2, ... to whoever asks, until all have met.
  [[nodiscard]] std::size_t next_item() noexcept { return next_.fetch_add(1, std::memory_order_relaxed); }
  /// Returns when every thread of the crew has come here.
  void meet() noexcept;

 private:
  int size_;
  alignas(64) std::atomic<std::size_t> next_{0};
  alignas(64) std::atomic<int> arrived_{0};
  std::atomic<int> meetings_{0};
};

/// Runs work(context, rank, crew) in up to `threads` threads at once, this one (rank 0) among them. Of the others,
/// those that have nothing to do are taken first; more are made where they are too few. What the system does not give,
/// the crew goes without.
///
/// A thread that waits looks for some microseconds and then sleeps: it takes no processor from a neighbour who has
/// work. All signals are blocked in it. After fork() a child begins with none, and makes its own; where the library is
/// unloaded they end first.
void run_crew(int threads, void (*work)(void* context, int rank, Crew& crew), void* context) noexcept;

}  // namespace lanemax

#endif
