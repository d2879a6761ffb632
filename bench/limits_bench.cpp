// SPDX-License-Identifier: BSD-3-Clause
//
// The limits themselves, measured again: how steady is the machine, and was what the shares refer to too low?
#include "bench/limits/limits.hpp"
#include "bench/support.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace lanemax::bench {
namespace {

/// `once` runs for some milliseconds and returns a rate; `known` is what it was at the start.
void add_limit(const std::string& name, const char* unit, const std::function<double()>& once,
               const std::function<double()>& known) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    double best = 0;
    for (auto _ : state) best = std::max(best, once());  // NOLINT(clang-analyzer-deadcode.DeadStores)
    const double share = best / known();
    state.counters[unit] = best;
    state.counters["share_of_bound"] = share;
    if (share > 1.02) state.SkipWithError("measurement wrong: the limit measured at the start was too low, run again");
  });
}

}  // namespace

void add_limits() {
  for (const Variant& variant : variants()) {
    for (const int threads : settings().threads) {
      const Isa isa = variant.isa;
      const auto name = [&](const std::string& what) {
        return std::string("limits/") + variant.name + "/" + what + "/" + std::to_string(threads);
      };
      add_limit(
          name("arithmetic"), "GFLOPs", [=] { return run_arithmetic(isa, threads); },
          [=] { return limits_of(isa, threads).gflops; });
      for (const Level level : kLevels) {
        add_limit(
            name(std::string("read_") + name_of(level)), "GB/s", [=] { return run_read(isa, threads, level); },
            [=] { return limits_of(isa, threads).gbytes[static_cast<std::size_t>(level)]; });
      }
    }
  }
}

}  // namespace lanemax::bench
