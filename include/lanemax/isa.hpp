// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ISA_HPP
#define LANEMAX_ISA_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <cstdint>

#pragma GCC visibility push(default)
namespace lanemax {

/// The kernel variants, by instruction set. `process_default` is the best one this processor runs, or the one that the
/// environment variable LANEMAX_ISA names.
enum class Isa : std::uint8_t { process_default, sse2, avx2_fma, avx512, neon };

/// What is known of one variant on this machine.
struct IsaInfo {
  Isa isa = Isa::process_default;
  const char* name = "";
  bool compiled = false;   ///< part of this build
  bool supported = false;  ///< compiled, and this processor and operating system run it
};

/// All variants lanemax knows, best first. `count` receives how many.
[[nodiscard]] const IsaInfo* known_isas(std::size_t& count) noexcept;

/// The variant of this name; isa_unknown if there is none. Does not ask whether it can run.
[[nodiscard]] Status isa_from_name(const char* name, Isa& isa) noexcept;

/// Ok if the variant is compiled and this machine can run it; else isa_not_compiled or isa_not_supported.
[[nodiscard]] Status check_isa(Isa isa) noexcept;

/// Makes the process-wide choice now rather than in the first call (which would pay for the CPU detection). The choice
/// is made once: `isa` = process_default takes LANEMAX_ISA or the best variant; a later call that asks for another
/// variant than the one chosen is an invalid_argument. A wrong LANEMAX_ISA or LANEMAX_SCHEDULE is an error here and in
/// every compute call that leaves the variant or the schedule to it; there is no fallback.
[[nodiscard]] Status initialize(Isa isa = Isa::process_default) noexcept;

/// The process-wide choice; makes it if need be. process_default if LANEMAX_ISA or LANEMAX_SCHEDULE is wrong.
[[nodiscard]] Isa active_isa() noexcept;

/// The variant's name as LANEMAX_ISA takes it.
[[nodiscard]] const char* name_of(Isa isa) noexcept;

/// In which pieces the kernels go through memory. Results are the same in all of them; which is the fastest depends on
/// the processor. `machine_default` is what suits it, by its maker and its L1, or what the environment variable
/// LANEMAX_SCHEDULE names.
enum class KernelSchedule : std::uint8_t {
  machine_default,
  in_place,    ///< features are read where they lie (but on sse2); the gradient asks for what comes next
  packed_32k,  ///< of many classes, the gradient copies features to L1, of which it uses what 32 KB can spare; of few,
               ///< the logits ask for what comes next, too
  packed_48k,  ///< the same for an L1 of 48 KB and more
};
inline constexpr std::size_t kKernelSchedules = 3;  ///< those with a number from 1 on

/// The schedule of this name; an invalid_argument if there is none (`machine_default` has none), and `schedule` is left
/// as it was.
[[nodiscard]] Status schedule_from_name(const char* name, KernelSchedule& schedule) noexcept;
/// The schedule's name as LANEMAX_SCHEDULE takes it.
[[nodiscard]] const char* name_of(KernelSchedule schedule) noexcept;
/// What `machine_default` is for the process-wide variant; machine_default if LANEMAX_ISA or LANEMAX_SCHEDULE is wrong.
[[nodiscard]] KernelSchedule active_schedule() noexcept;

/// How a call is carried out. The result's bits depend on the variant and never on the number of threads.
struct Execution {
  int threads = 1;                 ///< at most this many, the calling thread included, fewer where the system gives no
                                   ///< more; 1 inside of an OpenMP region of the host's; >= 1
  Isa isa = Isa::process_default;  ///< nothing global is switched
  KernelSchedule schedule = KernelSchedule::machine_default;  ///< touches no result
};

}  // namespace lanemax
#pragma GCC visibility pop

#endif
