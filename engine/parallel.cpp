// SPDX-License-Identifier: BSD-3-Clause
#include "engine/parallel.hpp"

#include <algorithm>

#if !defined(LANEMAX_THREADS_OPENMP) && !defined(LANEMAX_THREADS_NONE)
// Of the OpenMP run time that the host program has, if it has one: GNU's and LLVM's have the same name for it.
extern "C" [[gnu::weak]] int omp_in_parallel() noexcept;
#endif

namespace lanemax {
namespace {

constexpr int kMostThreads = 1024;

bool in_host_region() noexcept {
#if defined(LANEMAX_THREADS_OPENMP)
  return omp_in_parallel() != 0;
#elif !defined(LANEMAX_THREADS_NONE)
  return omp_in_parallel != nullptr && omp_in_parallel() != 0;
#else
  return true;
#endif
}

}  // namespace

int usable_threads(int requested, double flops, double serial_flops) noexcept {
  return requested <= 1 || flops < serial_flops || in_host_region() ? 1 : std::min(requested, kMostThreads);
}

}  // namespace lanemax
