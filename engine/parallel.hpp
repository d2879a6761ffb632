// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PARALLEL_HPP
#define LANEMAX_ENGINE_PARALLEL_HPP

// The only OpenMP in the library. A pass is one parallel region; inside it, a Team hands out numbered items to
// whichever thread is free and waits for all of them. Results do not depend on who did what: every item writes its own
// place.
#include <cstddef>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace lanemax {

/// How many threads a pass of this much work should really use, at most `requested`: 1 if the work is small, inside
/// another parallel region, in a child after fork (libgomp would hang there) or if no more threads can be made (libgomp
/// would exit the process).
[[nodiscard]] int usable_threads(int requested, double flops, double serial_flops) noexcept;

class Team {
 public:
  Team(int rank, int size) noexcept : rank_(rank), size_(size) {}
  [[nodiscard]] std::size_t rank() const noexcept { return static_cast<std::size_t>(rank_); }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(size_); }

  /// Calls f(item) for 0 <= item < count, each once, in any order and thread; returns when all are done. Every thread
  /// of the team calls this with the same count.
  template <class F>
  void for_each(std::size_t count, F&& f) const {
#ifdef _OPENMP
    if (size_ > 1) {  // a worksharing loop outside our own region would bind to the host program's
#pragma omp for schedule(dynamic, 1)
      for (std::size_t item = 0; item < count; ++item) f(item);
      return;
    }
#endif
    for (std::size_t item = 0; item < count; ++item) f(item);
  }

  /// Calls f() in one thread; the others wait.
  template <class F>
  void once(F&& f) const {
    for_each(1, [&](std::size_t) { f(); });
  }

 private:
  int rank_;
  int size_;
};

/// Runs f(team) in `threads` threads at once, the caller's among them. f must not throw.
template <class F>
void parallel([[maybe_unused]] int threads, F&& f) {
#ifdef _OPENMP
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    f(Team(omp_get_thread_num(), omp_get_num_threads()));
    return;
  }
#endif
  f(Team(0, 1));
}

}  // namespace lanemax

#endif
