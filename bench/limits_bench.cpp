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

/// `once` runs for some milliseconds and returns a rate. One that is better than the limit found before shows that
/// other programs were at work then: it is measured again.
void add_limit(const std::string& name, const char* unit, Isa isa, int threads, const std::function<double()>& once,
               const std::function<double(const Limits&)>& part) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    double best = 0;
    for (auto _ : state) best = std::max(best, once());  // NOLINT(clang-analyzer-deadcode.DeadStores)
    double known = part(limits_of(isa, threads));
    if (best > known) known = part(limits_again(isa, threads));
    state.counters[unit] = best;
    state.counters["share_of_bound"] = best / known;
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
          name("arithmetic"), "GFLOPs", isa, threads, [=] { return run_arithmetic(isa, threads); },
          [](const Limits& limits) { return limits.gflops; });
      for (const Level level : kLevels) {
        add_limit(
            name(std::string("read_") + name_of(level)), "GB/s", isa, threads,
            [=] { return run_read(isa, threads, level); },
            [=](const Limits& limits) { return limits.gbytes[static_cast<std::size_t>(level)]; });
      }
    }
  }
}

}  // namespace lanemax::bench
