// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PARALLEL_HPP
#define LANEMAX_ENGINE_PARALLEL_HPP

// A pass is one parallel region; inside it, a Team hands out numbered items to whichever thread is free and waits for
// all of them. Results do not depend on who did what: every item writes its own place.
//
// Teams are of lanemax's own threads (thread_pool.cpp), of OpenMP's (LANEMAX_THREADS_OPENMP), or of the calling thread
// alone (LANEMAX_THREADS_NONE).
#include <cstddef>
#include <type_traits>

#if defined(LANEMAX_THREADS_OPENMP)
#include "engine/float_environment.hpp"

#include <omp.h>
#elif !defined(LANEMAX_THREADS_NONE)
#include "engine/thread_pool.hpp"
#endif

namespace lanemax {

/// How many threads a pass of this much work should ask for, at most `requested`: 1 if the work is small or the call
/// comes from inside of the host's own OpenMP region.
[[nodiscard]] int usable_threads(int requested, double flops, double serial_flops) noexcept;

class Team {
 public:
#if defined(LANEMAX_THREADS_OPENMP) || defined(LANEMAX_THREADS_NONE)
  Team(int rank, int size) noexcept : rank_(rank), size_(size) {}
#else
  Team(int rank, int size, Crew* crew = nullptr) noexcept : rank_(rank), size_(size), crew_(crew) {}
#endif
  [[nodiscard]] std::size_t rank() const noexcept { return static_cast<std::size_t>(rank_); }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(size_); }

  /// Calls f(item) for 0 <= item < count, each once, in any order and thread; returns when all are done. Every thread
  /// of the team calls this with the same count.
  template <class F>
  void for_each(std::size_t count, F&& f) const {
    if (size_ > 1) return share_out(count, f);
    for (std::size_t item = 0; item < count; ++item) f(item);
  }

  /// Calls f() in one thread; the others wait.
  template <class F>
  void once(F&& f) const {
    for_each(1, [&](std::size_t) { f(); });
  }

 private:
  template <class F>
  void share_out([[maybe_unused]] std::size_t count, [[maybe_unused]] F& f) const {
#if defined(LANEMAX_THREADS_OPENMP)
#pragma omp for schedule(dynamic, 1)
    for (std::size_t item = 0; item < count; ++item) f(item);
#elif !defined(LANEMAX_THREADS_NONE)
    for (std::size_t item = crew_->next_item(); item < count; item = crew_->next_item()) f(item);
    crew_->meet();
#endif
  }

  int rank_;
  int size_;
#if !defined(LANEMAX_THREADS_OPENMP) && !defined(LANEMAX_THREADS_NONE)
  Crew* crew_;
#endif
};

/// Runs f(team) in up to `threads` threads at once, the caller's among them: fewer where the system makes no more. f
/// must not throw.
template <class F>
void parallel([[maybe_unused]] int threads, F&& f) {
#if defined(LANEMAX_THREADS_OPENMP)
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    {
      const FloatEnvironment environment;
      f(Team(omp_get_thread_num(), omp_get_num_threads()));
    }
    return;
  }
#elif !defined(LANEMAX_THREADS_NONE)
  if (threads > 1) {
    const auto work = [](void* context, int rank, Crew& crew) {
      (*static_cast<std::remove_reference_t<F>*>(context))(Team(rank, crew.size(), &crew));
    };
    return run_crew(threads, work, &f);
  }
#endif
  f(Team(0, 1));
}

}  // namespace lanemax

#endif
