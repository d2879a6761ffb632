// SPDX-License-Identifier: BSD-3-Clause
#include "engine/dispatch/cpu_features.hpp"
#include "engine/dispatch/schedule.hpp"
#include "engine/dispatch/select_isa.hpp"
#include "tests/support/table_checks.hpp"
#include "tests/support/testing.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace lanemax::checks {
namespace {

std::vector<IsaInfo> all_isas() {
  std::size_t count = 0;
  const IsaInfo* infos = known_isas(count);
  return {infos, infos + count};
}

/// What a shell command prints.
std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out;
  char buffer[4096];
  for (std::size_t n = 0; pipe != nullptr && (n = std::fread(buffer, 1, sizeof(buffer), pipe.get())) > 0;)
    out.append(buffer, n);
  return out;
}

/// What the probe says with LANEMAX_ISA set to `forced`, or unset if that is null.
std::string probe(const char* forced, const std::string& arguments = "") {
  const std::string variable = forced == nullptr ? "env -u LANEMAX_ISA " : "LANEMAX_ISA='" + std::string(forced) + "' ";
  return output_of(variable + "'" LANEMAX_ISA_PROBE "' " + arguments);
}

std::set<std::string> words(const std::string& text, char separator) {
  std::set<std::string> out;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, separator);) {
    if (!word.empty()) out.insert(word);
  }
  return out;
}

TEST(Dispatch, NamesRoundTrip) {
  ASSERT_EQ(all_isas().size(), 4U);
  for (const IsaInfo& info : all_isas()) {
    Isa isa = Isa::process_default;
    ASSERT_TRUE(isa_from_name(info.name, isa).ok());
    EXPECT_EQ(isa, info.isa);
    EXPECT_STREQ(name_of(isa), info.name);
  }
  EXPECT_EQ(words("avx512,avx2_fma,sse2,neon", ',').size(), 4U);
  for (const char* name : {"avx512", "avx2_fma", "sse2", "neon"}) {
    Isa isa = Isa::process_default;
    EXPECT_TRUE(isa_from_name(name, isa).ok()) << name;
  }
}

TEST(Dispatch, UnknownNamesAreErrors) {
  for (const char* name : {"", "avx", "AVX512", "avx512 ", " sse2", "avx2", "process_default", "garbage;rm"}) {
    Isa isa = Isa::neon;
    const Status status = isa_from_name(name, isa);
    EXPECT_EQ(status.code, StatusCode::isa_unknown) << name;
    EXPECT_EQ(isa, Isa::neon) << "the output was touched";
    EXPECT_STREQ(status.found, name);
  }
}

TEST(Dispatch, CheckIsaSaysWhatKnownIsasSay) {
  for (const IsaInfo& info : all_isas()) {
    const StatusCode want = !info.compiled    ? StatusCode::isa_not_compiled
                            : !info.supported ? StatusCode::isa_not_supported
                                              : StatusCode::ok;
    EXPECT_EQ(check_isa(info.isa).code, want) << info.name;
    const KernelTable* table = nullptr;
    EXPECT_EQ(select_kernels({.isa = info.isa}, table).code, want) << info.name;
    EXPECT_EQ(table != nullptr, info.supported) << info.name;
  }
  EXPECT_EQ(check_isa(Isa::process_default).code, StatusCode::isa_unknown);
}

TEST(Dispatch, TheTwoListsOfVariantsAgree) {
  const std::set<std::string> built = words(LANEMAX_BUILT_VARIANTS, ',');
  std::set<std::string> compiled;
  for (const IsaInfo& info : all_isas()) {
    if (info.compiled) compiled.insert(info.name);
  }
  ASSERT_FALSE(built.empty());
  EXPECT_EQ(built, compiled) << "engine/isa/variants.cmake against engine/dispatch/select_isa.cpp";
}

TEST(Dispatch, TablesBelongToTheirVariant) {
  for (const Isa isa : testable_isas()) {
    const KernelTable* table = table_of(isa);
    ASSERT_NE(table, nullptr);
    expect_ok(check_table(*table, isa));
  }
}

// ---- detection, from made-up answers ----

struct Bit {
  const char* name;
  std::uint32_t CpuidAnswers::* word;
  int bit;
};
constexpr Bit kV3Bits[] = {{"sse3", &CpuidAnswers::leaf1_ecx, 0},        {"ssse3", &CpuidAnswers::leaf1_ecx, 9},
                           {"fma", &CpuidAnswers::leaf1_ecx, 12},        {"cmpxchg16b", &CpuidAnswers::leaf1_ecx, 13},
                           {"sse4.1", &CpuidAnswers::leaf1_ecx, 19},     {"sse4.2", &CpuidAnswers::leaf1_ecx, 20},
                           {"movbe", &CpuidAnswers::leaf1_ecx, 22},      {"popcnt", &CpuidAnswers::leaf1_ecx, 23},
                           {"xsave", &CpuidAnswers::leaf1_ecx, 26},      {"osxsave", &CpuidAnswers::leaf1_ecx, 27},
                           {"avx", &CpuidAnswers::leaf1_ecx, 28},        {"f16c", &CpuidAnswers::leaf1_ecx, 29},
                           {"sse", &CpuidAnswers::leaf1_edx, 25},        {"sse2", &CpuidAnswers::leaf1_edx, 26},
                           {"bmi1", &CpuidAnswers::leaf7_ebx, 3},        {"avx2", &CpuidAnswers::leaf7_ebx, 5},
                           {"bmi2", &CpuidAnswers::leaf7_ebx, 8},        {"lahf", &CpuidAnswers::leaf80000001_ecx, 0},
                           {"lzcnt", &CpuidAnswers::leaf80000001_ecx, 5}};
constexpr Bit kV4Bits[] = {{"avx512f", &CpuidAnswers::leaf7_ebx, 16},
                           {"avx512dq", &CpuidAnswers::leaf7_ebx, 17},
                           {"avx512cd", &CpuidAnswers::leaf7_ebx, 28},
                           {"avx512bw", &CpuidAnswers::leaf7_ebx, 30},
                           {"avx512vl", &CpuidAnswers::leaf7_ebx, 31}};

CpuidAnswers with(const CpuidAnswers& answers, const Bit& bit, bool on) {
  CpuidAnswers out = answers;
  const std::uint32_t mask = std::uint32_t{1} << bit.bit;
  out.*bit.word = on ? out.*bit.word | mask : out.*bit.word & ~mask;
  return out;
}

/// A processor with exactly what the level needs.
CpuidAnswers exactly(bool v4) {
  CpuidAnswers a;
  a.max_leaf = 7;
  a.max_extended_leaf = 0x80000001U;
  a.xcr0 = v4 ? 0xe6 : 0x06;
  for (const Bit& bit : kV3Bits) a = with(a, bit, true);
  for (const Bit& bit : kV4Bits) a = with(a, bit, v4);
  return a;
}

void expect_levels(const CpuidAnswers& answers, bool v3, bool v4, const std::string& what) {
  EXPECT_EQ(levels_of(answers).x86_64_v3, v3) << what;
  EXPECT_EQ(levels_of(answers).x86_64_v4, v4) << what;
}

TEST(Detection, ExactlyTheRequiredBitsAreEnough) {
  expect_levels(exactly(true), true, true, "v4");
  expect_levels(exactly(false), true, false, "v3");
  expect_levels({}, false, false, "nothing");
}

TEST(Detection, EverySingleMissingBitTurnsTheLevelOff) {
  for (const Bit& bit : kV3Bits) {
    expect_levels(with(exactly(true), bit, false), false, false, bit.name);
    CpuidAnswers everything_else;  // all ones but this
    everything_else.max_leaf = everything_else.max_extended_leaf = 0xffffffffU;
    everything_else.leaf1_ecx = everything_else.leaf1_edx = everything_else.leaf7_ebx = 0xffffffffU;
    everything_else.leaf80000001_ecx = 0xffffffffU;
    everything_else.xcr0 = ~std::uint64_t{0};
    expect_levels(everything_else, true, true, "all ones");
    expect_levels(with(everything_else, bit, false), false, false, bit.name);
  }
  for (const Bit& bit : kV4Bits) expect_levels(with(exactly(true), bit, false), true, false, bit.name);
}

TEST(Detection, TheOperatingSystemMustSaveTheRegisters) {
  for (int bit = 0; bit < 64; ++bit) {
    CpuidAnswers a = exactly(true);
    a.xcr0 = 0xe7 & ~(std::uint64_t{1} << bit);
    const bool avx = bit != 1 && bit != 2, avx512 = avx && bit != 5 && bit != 6 && bit != 7;
    expect_levels(a, avx, avx512, "XCR0 without bit " + std::to_string(bit));
  }
}

TEST(Detection, LeavesThatDoNotExistAreNotBelieved) {
  CpuidAnswers a = exactly(true);
  a.max_leaf = 6;
  expect_levels(a, false, false, "no leaf 7");
  a = exactly(true);
  a.max_extended_leaf = 0x80000000U;
  expect_levels(a, false, false, "no leaf 0x80000001");
  a.max_extended_leaf = 0;
  expect_levels(a, false, false, "no extended leaves");
}

#if defined(__x86_64__)
TEST(Detection, AgreesWithTheCompilersOwn) {
  const CpuLevels levels = levels_of(ask_cpu());
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  EXPECT_EQ(levels.x86_64_v3, v3);
  EXPECT_EQ(levels.x86_64_v4, v4);
}
#endif

// ---- the process-wide choice, each time in a process of its own ----

TEST(ProcessChoice, TheBestWithoutTheVariable) {
  ASSERT_FALSE(testable_isas().empty());
  EXPECT_EQ(probe(nullptr), std::string(name_of(testable_isas().front())) + "\n");
  EXPECT_EQ(probe(nullptr, "default"), std::string("ok \n") + name_of(testable_isas().front()) + "\n");
}

TEST(ProcessChoice, ForcedByName) {
  for (const IsaInfo& info : all_isas()) {
    const std::string got = probe(info.name, "default");
    if (info.supported) {
      EXPECT_EQ(got, std::string("ok \n") + info.name + "\n");
    } else {
      const StatusCode want = info.compiled ? StatusCode::isa_not_supported : StatusCode::isa_not_compiled;
      EXPECT_EQ(got, std::string(name_of(want)) + " LANEMAX_ISA\nprocess_default\n");
    }
  }
}

TEST(ProcessChoice, GarbageIsAnErrorAndNotAFallback) {
  for (const char* name : {"", "garbage", "AVX512", "sse2 ", "avx512,sse2"}) {
    EXPECT_EQ(probe(name, "default"), "isa_unknown LANEMAX_ISA\nprocess_default\n") << name;
  }
}

TEST(ProcessChoice, IsMadeOnce) {
  const std::vector<Isa> isas = testable_isas();
  for (const Isa first : isas) {
    for (const Isa second : isas) {
      const std::string again = first == second ? "ok \n" : "invalid_argument isa\n";
      EXPECT_EQ(probe(nullptr, std::string(name_of(first)) + ' ' + name_of(second) + " default"),
                "ok \n" + again + "ok \n" + name_of(first) + "\n");
    }
  }
}

// ---- schedules ----

TEST(Schedules, NamesRoundTrip) {
  for (const KernelSchedule schedule : all_schedules()) {
    KernelSchedule found = KernelSchedule::machine_default;
    ASSERT_TRUE(schedule_from_name(name_of(schedule), found).ok());
    EXPECT_EQ(found, schedule);
  }
  for (const char* name : {"", "machine_default", "packed", "PACKED_32K", "in_place ", "garbage"}) {
    KernelSchedule found = KernelSchedule::packed_48k;
    const Status status = schedule_from_name(name, found);
    EXPECT_EQ(status.code, StatusCode::invalid_argument) << name;
    EXPECT_STREQ(status.found, name);
    EXPECT_EQ(found, KernelSchedule::packed_48k) << "the output was touched";
  }
}

TEST(Schedules, AreWhatWasAskedFor) {
  for (const Isa isa : testable_isas()) {
    for (const KernelSchedule schedule : all_schedules()) expect_ok(check_table(*table_of(isa, schedule), isa));
    KernelSchedule usual = KernelSchedule::machine_default;
    ASSERT_TRUE(default_schedule(isa, usual).ok());
    EXPECT_EQ(table_of(isa)->schedule, usual);
    const KernelTable* table = nullptr;
    const Status status = select_kernels({.isa = isa, .schedule = static_cast<KernelSchedule>(99)}, table);
    EXPECT_EQ(status.code, StatusCode::invalid_argument);
    EXPECT_STREQ(status.what, "schedule");
  }
}

TEST(Schedules, ByWhatTheProcessorSays) {
  struct Case {
    bool amd;
    std::uint64_t l1;
    Isa isa;
    KernelSchedule want;
  };
  constexpr std::uint64_t kSmall = 32 * 1024, kLarge = 48 * 1024;
  const Case cases[] = {
      {true, kSmall, Isa::avx512, KernelSchedule::in_place},      // Zen 4
      {true, kLarge, Isa::avx512, KernelSchedule::in_place},      // Zen 5
      {true, kSmall, Isa::avx2_fma, KernelSchedule::packed_32k},  // Zen 3
      {true, kLarge, Isa::avx2_fma, KernelSchedule::packed_48k},  // Zen 5
      {false, kLarge, Isa::avx512, KernelSchedule::packed_48k},   // Sapphire Rapids
      {false, kSmall, Isa::avx512, KernelSchedule::packed_32k},   // Skylake
      {false, kSmall, Isa::sse2, KernelSchedule::packed_32k},
      {false, 0, Isa::neon, KernelSchedule::packed_32k},  // does not say
  };
  for (const Case& c : cases) {
    CpuidAnswers cpu;
    cpu.amd = c.amd;
    cpu.l1_data_bytes = c.l1;
    EXPECT_EQ(suitable_schedule(c.isa, cpu), c.want) << name_of(c.isa) << ' ' << c.amd << ' ' << c.l1;
  }
}

#if defined(__x86_64__)
TEST(Schedules, TheCacheIsWhatTheSystemSays) {
  const std::string said = output_of("cat /sys/devices/system/cpu/cpu0/cache/index0/size 2>/dev/null");
  const std::string type = output_of("cat /sys/devices/system/cpu/cpu0/cache/index0/type 2>/dev/null");
  if (said.empty() || type != "Data\n") GTEST_SKIP() << "skipped: the system does not say how large L1 is";
  EXPECT_EQ(std::to_string(ask_cpu().l1_data_bytes / 1024) + "K\n", said);
}
#endif

TEST(Schedules, ForcedByTheEnvironment) {
  for (const KernelSchedule schedule : all_schedules()) {
    const std::string name = name_of(schedule);
    EXPECT_EQ(output_of("LANEMAX_SCHEDULE=" + name + " '" LANEMAX_ISA_PROBE "' schedule").substr(0, name.size() + 1),
              name + "\n");
  }
  for (const char* name : {"", "garbage", "machine_default"}) {
    EXPECT_EQ(output_of("LANEMAX_SCHEDULE='" + std::string(name) + "' '" LANEMAX_ISA_PROBE "' default schedule"),
              "invalid_argument LANEMAX_SCHEDULE\nmachine_default\nprocess_default\n")
        << name;
  }
}

// ---- what the compiler may use is what is detected ----

/// Names of the macros the compiler predefines with these options, without their underscores.
std::set<std::string> predefined(const std::string& options) {
  std::set<std::string> names;
  std::istringstream lines(output_of("'" LANEMAX_COMPILER "' " + options + " -dM -E -x c++ /dev/null"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    std::string define, name;
    in >> define >> name;
    if (name.size() > 4 && name.substr(0, 2) == "__" && name.substr(name.size() - 2) == "__") {
      names.insert(name.substr(2, name.size() - 4));
    } else if (name.substr(0, 6) == "__ARM_") {  // written without the trailing ones
      names.insert(name.substr(2));
    }
  }
  return names;
}

TEST(Features, AreWhatTheCompilerPredefines) {
  const std::vector<std::pair<std::string, std::string>> options = {
#include "variant_options.inc"
  };
  ASSERT_EQ(options.size(), words(LANEMAX_BUILT_VARIANTS, ',').size());
  // Part of something that is listed: CRC32 of SSE4.2, LAHF of the level (and detected), EVEX encodings of AVX-512.
  const std::set<std::string> implied = {"CRC32", "LAHF_SAHF", "EVEX256", "EVEX512"};
  for (const auto& [name, flags] : options) {
    Isa isa = Isa::process_default;
    ASSERT_TRUE(isa_from_name(name.c_str(), isa).ok());
    const KernelTable* table = nullptr;
    if (!select_kernels({.isa = isa}, table).ok()) {
      std::printf("[ SKIPPED  ] variant %s: its table cannot be had here\n", name.c_str());
      continue;
    }
    const std::set<std::string> listed = words(table->features, ' '), now = predefined(flags);
    ASSERT_GT(now.size(), 100U) << "the compiler said nothing";
    for (const std::string& feature : listed) EXPECT_EQ(now.count(feature), 1U) << name << " lists " << feature;
#if defined(__x86_64__)
    // The other way: what these options switch on that the bare processor does not have, and the names of instruction
    // sets that are on already.
    const std::set<std::string> bare = predefined("-march=x86-64");
    ASSERT_EQ(bare.count("SSE2"), 1U);
    for (const std::string& macro : now) {
      const bool vector = macro.substr(0, 3) == "SSE" && macro.find("MATH") == std::string::npos;
      if (bare.count(macro) == 1 && !vector) continue;
      if (macro.substr(0, 10) == "OPTIMIZE__" || macro == "OPTIMIZE" || macro == "NO_INLINE") continue;
      if (implied.count(macro) == 1) continue;
      if (macro.find("EXCEPTIONS") != std::string::npos || macro.find("RTTI") != std::string::npos) continue;
      EXPECT_EQ(listed.count(macro), 1U) << name << " may use " << macro << ", which is not on its list";
    }
#endif
  }
}

}  // namespace
}  // namespace lanemax::checks
