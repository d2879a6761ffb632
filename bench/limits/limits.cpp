// SPDX-License-Identifier: BSD-3-Clause
#include "bench/limits/limits.hpp"

#include "bench/limits/loops.hpp"
#include "bench/support.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lanemax::bench {
namespace {

const LimitLoops* loops_of(Isa isa) {
  switch (isa) {
#ifdef LANEMAX_BENCH_X86
    case Isa::avx512: return &kAvx512Loops;
    case Isa::avx2_fma: return &kAvx2FmaLoops;
    case Isa::sse2: return &kSse2Loops;
#else
    case Isa::neon: return &kNeonLoops;
#endif
    default: return nullptr;
  }
}

using Clock = std::chrono::steady_clock;

/// Seconds from the first thread's start to the last one's end. All start together, after one untimed call each.
template <class F>
double seconds_together(int threads, F&& f) {
  std::atomic<int> waiting{threads};
  std::vector<std::pair<Clock::time_point, Clock::time_point>> times(static_cast<std::size_t>(threads));
  const auto work = [&](std::size_t rank) {
    f(rank);
    waiting.fetch_sub(1);
    while (waiting.load() > 0) {
    }
    times[rank].first = Clock::now();
    f(rank);
    times[rank].second = Clock::now();
  };
  std::vector<std::thread> others;
  for (std::size_t rank = 1; rank < times.size(); ++rank) others.emplace_back(work, rank);
  work(0);
  for (std::thread& other : others) other.join();
  auto [begin, end] = times[0];
  for (const auto& time : times) {
    begin = std::min(begin, time.first);
    end = std::max(end, time.second);
  }
  return std::chrono::duration<double>(end - begin).count();
}

// Written by the loops, one place per thread.
float* sink_of(std::size_t rank) {
  static Buffer<float> sinks(std::size_t{1024} * 64);
  return sinks.data() + rank % 1024 * 64;
}

/// Of all threads together: far more than the caches hold.
std::size_t dram_bytes() {
  return std::clamp(8 * cache_bytes(Level::l3), std::size_t{256} << 20, std::size_t{1} << 30);
}

std::size_t bytes_per_thread(Level level, int threads) {
  const auto whole = [](std::size_t bytes) { return std::max(bytes / kReadUnit * kReadUnit, kReadUnit); };
  const auto n = static_cast<std::size_t>(threads);
  switch (level) {
    case Level::l1: return whole(cache_bytes(Level::l1) / 4 * 3);
    case Level::l2: return whole(cache_bytes(Level::l2) / 2);
    case Level::l3: {  // several times L2; well below what other tenants of a shared L3 may leave
      const std::size_t most = cache_bytes(Level::l3) / 2;
      return whole(std::min(4 * cache_bytes(Level::l2), most / n));
    }
    case Level::dram: break;
  }
  return whole(dram_bytes() / n);
}

const float* memory_to_read() {
  static Buffer<float> memory = [] {
    Buffer<float> made(std::max(dram_bytes(), std::size_t{1024} * kReadUnit) / sizeof(float));
    std::fill_n(made.data(), made.size(), 1.0f);  // every page is there and is a page of its own
    return made;
  }();
  return memory.data();
}

std::size_t cache_size_from_system(int index) {
  const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index";
  std::ifstream file(folder + std::to_string(index) + "/size");
  std::size_t size = 0;
  char unit = ' ';
  file >> size >> unit;
  return unit == 'K' ? size << 10 : unit == 'M' ? size << 20 : size;
}

}  // namespace

const char* name_of(Level level) {
  constexpr const char* kNames[] = {"l1", "l2", "l3", "dram"};
  return kNames[static_cast<std::size_t>(level)];
}

std::size_t cache_bytes(Level level) {
  static const std::array<std::size_t, 3> sizes = [] {
    std::array<std::size_t, 3> found = {32 << 10, 1 << 20, 32 << 20};
    constexpr int kIndex[] = {0, 2, 3};  // 1 holds instructions
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t size = cache_size_from_system(kIndex[i]);
      if (size != 0) found[i] = size;
    }
    return found;
  }();
  return level == Level::dram ? ~std::size_t{0} : sizes[static_cast<std::size_t>(level)];
}

double run_arithmetic(Isa isa, int threads) {
  const LimitLoops* loops = loops_of(isa);
  if (loops == nullptr) return 0;
  double best = 0;
  for (const auto arithmetic : loops->arithmetic) {
    std::vector<double> flops(static_cast<std::size_t>(threads));
    const double seconds = seconds_together(threads, [&](std::size_t rank) {
      flops[rank] = arithmetic(std::size_t{500000}, 1.0f + 0x1p-23f, 0x1p-23f, sink_of(rank));
    });
    best = std::max(best, flops[0] * threads / seconds * 1e-9);
  }
  return best;
}

double run_read(Isa isa, int threads, Level level) {
  const LimitLoops* loops = loops_of(isa);
  if (loops == nullptr) return 0;
  const std::size_t bytes = bytes_per_thread(level, threads);
  constexpr std::size_t kCachedBytes = std::size_t{96} << 20;  // read in one run
  const std::size_t times = level == Level::dram ? 1 : std::max<std::size_t>(kCachedBytes / bytes, 1);
  const float* memory = memory_to_read();
  double best = 0;
  for (const auto read : loops->read) {
    const double seconds = seconds_together(threads, [&](std::size_t rank) {
      for (std::size_t i = 0; i < times; ++i) read(memory + rank * bytes / sizeof(float), bytes, sink_of(rank));
    });
    best = std::max(best, static_cast<double>(bytes * times) * threads / seconds * 1e-9);
  }
  return best;
}

namespace {

/// Until several runs in a row have not been better: few on a quiet machine, more where others are at work.
template <class Once>
double best_of(Once&& once) {
  double best = once();
  int idle = 0;
  for (int run = 0; run < 40 && idle < 5; ++run) {
    const double rate = once();
    idle = rate > 1.005 * best ? 0 : idle + 1;
    best = std::max(best, rate);
  }
  return best;
}

}  // namespace

namespace {

std::map<std::pair<Isa, int>, Limits>& measured() {
  static std::map<std::pair<Isa, int>, Limits> limits;
  return limits;
}

}  // namespace

const Limits& limits_of(Isa isa, int threads) {
  const auto entry = measured().find({isa, threads});
  return entry != measured().end() ? entry->second : limits_again(isa, threads);
}

const Limits& limits_again(Isa isa, int threads) {
  Limits& limits = measured()[{isa, threads}];
  limits.gflops = std::max(limits.gflops, best_of([=] { return run_arithmetic(isa, threads); }));
  for (const Level level : kLevels) {
    double& known = limits.gbytes[static_cast<std::size_t>(level)];
    known = std::max(known, best_of([=] { return run_read(isa, threads, level); }));
  }
  return limits;
}

Level level_of(double bytes, int threads) {
  // What is a little larger than a cache still finds most of itself there.
  for (const Level level : {Level::l1, Level::l2}) {
    if (bytes <= 1.5 * static_cast<double>(cache_bytes(level)) * threads) return level;
  }
  return bytes <= static_cast<double>(cache_bytes(Level::l3)) ? Level::l3 : Level::dram;
}

}  // namespace lanemax::bench
