// SPDX-License-Identifier: BSD-3-Clause
#include "engine/parallel.hpp"

#include <atomic>

#ifdef _OPENMP
#include <pthread.h>
#endif

namespace lanemax {

#ifdef _OPENMP
namespace {

// libgomp's worker threads do not survive fork, and a region in the child waits for them for ever. A child runs
// serially.
std::atomic<bool> in_forked_child{false};
const int at_fork_registered = pthread_atfork(nullptr, nullptr, [] { in_forked_child.store(true); });

void* return_at_once(void* nothing) {
  return nothing;
}

// libgomp exits the process when it cannot make a thread. Before the first region of a new size, that many threads are
// made and joined: if one fails, the team is as large as what could be made.
int probe_threads(int threads) {
  static std::atomic<int> proven{1};
  if (threads <= proven.load(std::memory_order_relaxed)) return threads;
  constexpr int kMost = 1024;
  pthread_t made[kMost];
  int count = 0;
  while (count < threads - 1 && count < kMost && pthread_create(&made[count], nullptr, return_at_once, nullptr) == 0) {
    ++count;
  }
  for (int i = 0; i < count; ++i) pthread_join(made[i], nullptr);
  int seen = proven.load(std::memory_order_relaxed);
  while (count + 1 > seen && !proven.compare_exchange_weak(seen, count + 1, std::memory_order_relaxed)) {
  }
  return count + 1;
}

}  // namespace
#endif

int usable_threads(int requested, double flops, double serial_flops) noexcept {
#ifdef _OPENMP
  if (requested <= 1 || flops < serial_flops || omp_in_parallel() != 0 || in_forked_child.load()) return 1;
  return probe_threads(requested);
#else
  static_cast<void>(requested);
  static_cast<void>(flops);
  static_cast<void>(serial_flops);
  return 1;
#endif
}

}  // namespace lanemax
