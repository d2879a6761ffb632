// SPDX-License-Identifier: BSD-3-Clause
//
// lanemax_bench: every kernel and call, against the limits of this machine and against other libraries, in one process.
// Names are family/variant/shape/threads, as in pass/avx512/60000x784x10/2; peers stand in the variant's place.
//
//   all of it                   lanemax_bench
//   one family, variant, shape  lanemax_bench --benchmark_filter='^pass/avx512/60000x784x10/'
//   what there is               lanemax_bench --benchmark_list_tests
//   the largest shapes, too     lanemax_bench --large              (or LANEMAX_BENCH_LARGE=1)
//   odd shapes by the hundred   lanemax_bench --sweep --benchmark_filter=^sweep/ --benchmark_min_time=0.005
//   every schedule of a variant lanemax_bench --schedules --benchmark_filter='^(logits|gradient|pass|train_step)/'
//   other numbers of threads    lanemax_bench --threads=1,2,4      (default: 1 and, where there are two processors, 2)
//   peers from elsewhere        lanemax_bench --peers=DIR          (bench/README.md)
//   figures for other programs  lanemax_bench --benchmark_out=FILE.json --benchmark_out_format=json
//
// bench/README.md tells how to make a report of it all and how to compare two builds. Before anything else the limits
// are measured (P: arithmetic in registers, B: reads from each cache and from memory); share_of_bound is max(flops / P,
// bytes / B) over the time taken, with the limits of the case's own variant and threads (peers: the best variant's). A
// case that beats them has them measured again; more than 1.02 then means a wrong measurement and is an error. A case
// whose result is wrong is not timed. Times and counters are of the wall clock but for the column CPU.
#include "bench/limits/limits.hpp"
#include "bench/peers/peers.hpp"
#include "bench/support.hpp"

#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace lanemax::bench {
namespace {

int processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

void print_help() {
  std::printf(
      "lanemax_bench: lanemax's kernels and calls against this machine's limits and other libraries\n\n"
      "          [--large]                     also the shapes that need gigabytes or minutes (LANEMAX_BENCH_LARGE=1)\n"
      "          [--sweep]                     also the pass over hundreds of odd shapes\n"
      "          [--schedules]                 every schedule of each variant, as avx2_fma:in_place\n"
      "          [--peers=<directory>]         where newer OpenBLAS, MKL and oneDNN are looked for\n"
      "          [--threads=<n>[,<n>...]]      thread counts to measure; default 1,2\n\n"
      "and Google Benchmark's own:\n\n");
  benchmark::PrintDefaultHelp();
}

/// "1,2,4"; false if it is anything else.
bool parse_threads(const char* text, std::vector<int>& threads) {
  threads.clear();
  while (true) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (end == text || n < 1 || n > 1024) return false;
    threads.push_back(static_cast<int>(n));
    if (*end == '\0') return true;
    if (*end != ',') return false;
    text = end + 1;
  }
}

/// Takes our own options out of argv.
bool read_options(int& argc, char** argv, bool& lists_only) {
  Settings& s = settings();
  s.threads = {1};
  if (processors() > 1) s.threads.push_back(2);
  const char* large = std::getenv("LANEMAX_BENCH_LARGE");
  s.large = large != nullptr && std::strcmp(large, "1") == 0;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--large") {
      s.large = true;
    } else if (argument == "--sweep") {
      s.sweep = true;
    } else if (argument == "--schedules") {
      s.schedules = true;
    } else if (argument.starts_with("--peers=")) {
      s.peer_directory = argument.substr(std::strlen("--peers="));
    } else if (argument.starts_with("--threads=")) {
      if (!parse_threads(argv[i] + std::strlen("--threads="), s.threads)) {
        std::fprintf(stderr, "lanemax_bench: %s: expected numbers from 1 to 1024, separated by commas\n", argv[i]);
        return false;
      }
    } else {
      lists_only = lists_only || (argument.starts_with("--benchmark_list_tests") && !argument.ends_with("=false"));
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  argv[argc] = nullptr;
  return true;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, text;
  while (std::getline(file, line) && !line.empty()) {
    for (const char* key : {"model name", "cpu family", "model\t", "CPU implementer", "CPU part"}) {
      if (!line.starts_with(key)) continue;
      const std::string value = line.substr(line.find(':') + 2);
      const std::string name(key, std::strcspn(key, "\t"));
      text += (text.empty() ? "" : ", ") + (name == "model name" ? value : name + " " + value);
    }
  }
  return text;
}

/// The header of every report, on the screen and in files.
void describe(bool with_limits) {
  const auto say = [](const std::string& key, const std::string& value) { benchmark::AddCustomContext(key, value); };
  say("compiler", LANEMAX_BENCH_COMPILER);
  say("flags", LANEMAX_BENCH_FLAGS);
  say("cpu", cpu_model());
  std::size_t count = 0;
  const IsaInfo* known = known_isas(count);
  std::string compiled, supported;
  for (std::size_t i = 0; i < count; ++i) {
    if (known[i].compiled) compiled += std::string(compiled.empty() ? "" : " ") + known[i].name;
    if (known[i].supported) supported += std::string(supported.empty() ? "" : " ") + known[i].name;
  }
  say("variants compiled", compiled);
  say("variants supported", supported);
  for (const GemmPeer& peer : peers().gemm) say(std::string("peer ") + peer.name, peer.version);
  for (const FunctionPeer& peer : peers().functions) {
    if (peer.softmax_loss != nullptr) say(std::string("peer ") + peer.name, peer.version);
  }
  for (const std::string& skipped : peers().skipped) say("skipped " + skipped.substr(0, skipped.find(':')), skipped);
  say("peers compiled for", name_of(peer_isa()));
  if (!with_limits) return;
  for (const Variant& variant : variants()) {
    for (const int threads : settings().threads) {
      const Limits& limits = limits_of(variant.isa, threads);
      char text[160];
      int length = std::snprintf(text, sizeof(text), "arithmetic=%.1f", limits.gflops);
      for (const Level level : kLevels) {
        length += std::snprintf(text + length, sizeof(text) - static_cast<std::size_t>(length), " read_%s=%.1f",
                                name_of(level), limits.gbytes[static_cast<std::size_t>(level)]);
      }
      say(std::string("limits/") + variant.name + "/" + std::to_string(threads), text);
    }
  }
}

}  // namespace
}  // namespace lanemax::bench

int main(int argc, char** argv) {
  using namespace lanemax::bench;
  bool lists_only = false;
  if (!read_options(argc, argv, lists_only)) return 2;
  benchmark::Initialize(&argc, argv, print_help);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  describe(!lists_only);
  add_limits();
  add_pass();
  add_train_step();
  add_logits();
  add_gradient();
  add_softmax_loss();
  add_predict();
  add_exp();
  add_epoch();
  if (settings().sweep) add_sweep();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
