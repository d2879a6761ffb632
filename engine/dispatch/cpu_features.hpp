// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DISPATCH_CPU_FEATURES_HPP
#define LANEMAX_ENGINE_DISPATCH_CPU_FEATURES_HPP

#include <cstdint>

namespace lanemax {

/// What the processor's identification and the operating system said; plain registers, so that tests can hand in any.
struct CpuidAnswers {
  std::uint32_t max_leaf = 0;
  std::uint32_t max_extended_leaf = 0;
  std::uint32_t leaf1_ecx = 0, leaf1_edx = 0;
  std::uint32_t leaf7_ebx = 0;
  std::uint32_t leaf80000001_ecx = 0;
  std::uint64_t xcr0 = 0;           ///< register state the operating system saves; 0 if it does not say (no OSXSAVE)
  bool amd = false;                 ///< AMD, or Hygon, which builds AMD's cores
  std::uint64_t l1_data_bytes = 0;  ///< 0: not said
};

/// Whether code of these levels may run: every feature the compiler is allowed to use for -march=x86-64-v3 and -v4, and
/// the operating system saves the registers it needs.
struct CpuLevels {
  bool x86_64_v3 = false;
  bool x86_64_v4 = false;
};
[[nodiscard]] CpuLevels levels_of(const CpuidAnswers& answers) noexcept;

/// Asks this processor. All zero on another architecture.
[[nodiscard]] CpuidAnswers ask_cpu() noexcept;
/// The same, asked once: each question leaves a virtual machine.
[[nodiscard]] const CpuidAnswers& this_cpu() noexcept;

}  // namespace lanemax

#endif
