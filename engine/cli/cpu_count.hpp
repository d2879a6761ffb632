// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_CPU_COUNT_HPP
#define LANEMAX_ENGINE_CLI_CPU_COUNT_HPP

#include <string>

namespace lanemax::cli {

/// CPUs this process may use: those of its affinity mask, or fewer if a control group's quota (version 1 or 2, of the
/// process's group or one above it) allows less; a part of a CPU counts as one. At least 1.
/// `root` is put before /proc and /sys (for tests).
[[nodiscard]] int usable_cpus(const std::string& root = {});

/// The threads of a command that is told nothing: usable_cpus(), or fewer if OMP_NUM_THREADS (its first number, where
/// it is a list) says so. A text that is no number of at least 1 says nothing; the OpenMP run time complains about it.
[[nodiscard]] int default_threads(const std::string& root = {});

}  // namespace lanemax::cli

#endif
