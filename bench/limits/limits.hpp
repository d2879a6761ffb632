// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_LIMITS_LIMITS_HPP
#define LANEMAX_BENCH_LIMITS_LIMITS_HPP

#include <lanemax/isa.hpp>

#include <cstddef>

namespace lanemax::bench {

enum class Level { l1, l2, l3, dram };
inline constexpr Level kLevels[] = {Level::l1, Level::l2, Level::l3, Level::dram};
[[nodiscard]] const char* name_of(Level level);

/// Of this machine, in bytes; l1 and l2 are one core's. A level that the system does not report gets a usual size.
[[nodiscard]] std::size_t cache_bytes(Level level);

/// One short run on `threads` threads at once, the fastest of the loop's kinds. 0 if the variant has no such loops.
[[nodiscard]] double run_arithmetic(Isa isa, int threads);         ///< GFLOP/s
[[nodiscard]] double run_read(Isa isa, int threads, Level level);  ///< GB/s

/// What a variant can do at best with so many threads: the best of several short runs, made once per process.
struct Limits {
  double gflops = 0;      ///< P: registers only
  double gbytes[4] = {};  ///< B: reads, by Level
};
[[nodiscard]] const Limits& limits_of(Isa isa, int threads);

/// Measures again, for whoever beat them: other programs may have been at work the first time. Never lower.
const Limits& limits_again(Isa isa, int threads);

/// The level that data of this size, shared out among `threads`, can stay in from one run to the next.
[[nodiscard]] Level level_of(double bytes, int threads);

}  // namespace lanemax::bench

#endif
