// SPDX-License-Identifier: BSD-3-Clause
// Compiled for the baseline: nothing here may need what it is about to look for.
#include "engine/dispatch/cpu_features.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace lanemax {
namespace {

constexpr bool has_all(std::uint64_t word, std::uint64_t bits) {
  return (word & bits) == bits;
}
constexpr std::uint32_t bit(int n) {
  return std::uint32_t{1} << n;
}

// Leaf 1, ECX: SSE3, SSSE3, FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, XSAVE, OSXSAVE, AVX, F16C.
constexpr std::uint32_t kV3Leaf1Ecx =
    bit(0) | bit(9) | bit(12) | bit(13) | bit(19) | bit(20) | bit(22) | bit(23) | bit(26) | bit(27) | bit(28) | bit(29);
// Leaf 1, EDX: SSE, SSE2.
constexpr std::uint32_t kV3Leaf1Edx = bit(25) | bit(26);
// Leaf 7, EBX: BMI1, AVX2, BMI2.
constexpr std::uint32_t kV3Leaf7Ebx = bit(3) | bit(5) | bit(8);
// Leaf 0x80000001, ECX: LAHF-SAHF, LZCNT.
constexpr std::uint32_t kV3ExtendedEcx = bit(0) | bit(5);
// Leaf 7, EBX: AVX-512 F, DQ, CD, BW, VL.
constexpr std::uint32_t kV4Leaf7Ebx = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
// XCR0: SSE and AVX state; opmask and the two halves of the ZMM state.
constexpr std::uint64_t kAvxState = 0x06;
constexpr std::uint64_t kAvx512State = 0xe6;

#if defined(__x86_64__)
// "AuthenticAMD" or "HygonGenuine", of which the first word tells them from all others.
bool is_amd() {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return std::memcmp(&ebx, "Auth", 4) == 0 || std::memcmp(&ebx, "Hygo", 4) == 0;
}

// Leaf 4, or AMD's leaf of the same form: a cache for each subleaf, until there is none.
std::uint64_t l1_data_bytes(std::uint32_t leaf) {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  for (std::uint32_t index = 0; index < 16 && __get_cpuid_count(leaf, index, &eax, &ebx, &ecx, &edx) != 0; ++index) {
    const std::uint32_t type = eax & 0x1fU, level = (eax >> 5) & 0x7U;
    constexpr std::uint32_t kNone = 0, kData = 1;
    if (type == kNone) break;
    if (type != kData || level != 1) continue;
    const std::uint64_t ways = (ebx >> 22) + 1, partitions = ((ebx >> 12) & 0x3ffU) + 1, line = (ebx & 0xfffU) + 1;
    return ways * partitions * line * (std::uint64_t{ecx} + 1);
  }
  return 0;
}
#endif

}  // namespace

CpuLevels levels_of(const CpuidAnswers& a) noexcept {
  CpuLevels levels;
  levels.x86_64_v3 = a.max_leaf >= 7 && a.max_extended_leaf >= 0x80000001U && has_all(a.leaf1_ecx, kV3Leaf1Ecx) &&
                     has_all(a.leaf1_edx, kV3Leaf1Edx) && has_all(a.leaf7_ebx, kV3Leaf7Ebx) &&
                     has_all(a.leaf80000001_ecx, kV3ExtendedEcx) && has_all(a.xcr0, kAvxState);
  levels.x86_64_v4 = levels.x86_64_v3 && has_all(a.leaf7_ebx, kV4Leaf7Ebx) && has_all(a.xcr0, kAvx512State);
  return levels;
}

CpuidAnswers ask_cpu() noexcept {
  CpuidAnswers a;
#if defined(__x86_64__)
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  a.max_leaf = __get_cpuid_max(0, nullptr);
  a.max_extended_leaf = __get_cpuid_max(0x80000000U, nullptr);
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
    a.leaf1_ecx = ecx;
    a.leaf1_edx = edx;
  }
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) a.leaf7_ebx = ebx;
  if (__get_cpuid(0x80000001U, &eax, &ebx, &ecx, &edx) != 0) a.leaf80000001_ecx = ecx;
  constexpr std::uint32_t kOsXsave = bit(27);  // XGETBV itself faults without it
  if ((a.leaf1_ecx & kOsXsave) != 0) {
    std::uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    a.xcr0 = (static_cast<std::uint64_t>(high) << 32) | low;
  }
  a.amd = is_amd();
  a.l1_data_bytes = l1_data_bytes(a.amd ? 0x8000001dU : 4U);
#endif
  return a;
}

const CpuidAnswers& this_cpu() noexcept {
  static const CpuidAnswers answers = ask_cpu();
  return answers;
}

}  // namespace lanemax
