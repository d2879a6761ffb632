// SPDX-License-Identifier: BSD-3-Clause
#include "engine/dispatch/select_isa.hpp"

#include "engine/dispatch/cpu_features.hpp"
#include "engine/dispatch/schedule.hpp"
#include "engine/fail.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace lanemax {

extern const ScheduledKernels kAvx512Kernels;
extern const ScheduledKernels kAvx2FmaKernels;
extern const ScheduledKernels kSse2Kernels;
extern const ScheduledKernels kNeonKernels;

namespace {

struct Variant {
  Isa isa;
  const char* name;
  const ScheduledKernels* kernels;  // null if not part of this build
  bool (*runs_here)(const CpuLevels&);
};

// Best first. The other list of variants is engine/isa/variants.cmake.
constexpr Variant kVariants[] = {
#ifdef LANEMAX_HAVE_AVX512
    {Isa::avx512, "avx512", &kAvx512Kernels, [](const CpuLevels& cpu) { return cpu.x86_64_v4; }},
#else
    {Isa::avx512, "avx512", nullptr, nullptr},
#endif
#ifdef LANEMAX_HAVE_AVX2_FMA
    {Isa::avx2_fma, "avx2_fma", &kAvx2FmaKernels, [](const CpuLevels& cpu) { return cpu.x86_64_v3; }},
#else
    {Isa::avx2_fma, "avx2_fma", nullptr, nullptr},
#endif
#ifdef LANEMAX_HAVE_SSE2
    {Isa::sse2, "sse2", &kSse2Kernels, [](const CpuLevels&) { return true; }},
#else
    {Isa::sse2, "sse2", nullptr, nullptr},
#endif
#ifdef LANEMAX_HAVE_NEON
    {Isa::neon, "neon", &kNeonKernels, [](const CpuLevels&) { return true; }},
#else
    {Isa::neon, "neon", nullptr, nullptr},
#endif
};
constexpr std::size_t kCount = sizeof(kVariants) / sizeof(kVariants[0]);

const Variant* find(Isa isa) {
  for (const Variant& variant : kVariants) {
    if (variant.isa == isa) return &variant;
  }
  return nullptr;
}

struct KnownIsas {
  IsaInfo info[kCount];
  KnownIsas() {
    const CpuLevels cpu = levels_of(this_cpu());
    for (std::size_t i = 0; i < kCount; ++i) {
      const Variant& v = kVariants[i];
      info[i] = {v.isa, v.name, v.kernels != nullptr, v.kernels != nullptr && v.runs_here(cpu)};
    }
  }
};
const KnownIsas& known() {
  static const KnownIsas isas;
  return isas;
}

// The process-wide choice: unset until the first use or initialize(), then never changed.
std::atomic<const KernelTable*> process_table{nullptr};

// The kernels of a variant that may be missing, in a schedule or the one that is its default here.
Status find_table(Isa isa, KernelSchedule schedule, const KernelTable*& table) {
  Status status = check_isa(isa);
  if (status.ok() && static_cast<std::size_t>(schedule) > kKernelSchedules) {
    status = fail(StatusCode::invalid_argument, "schedule", "one of the enumeration");
  }
  if (status.ok() && schedule == KernelSchedule::machine_default) status = default_schedule(isa, schedule);
  if (status.ok()) table = &(*find(isa)->kernels)[schedule];
  return status;
}

// What the environment asks for, or the best variant.
Status preferred_isa(Isa& isa) {
  const char* forced = std::getenv("LANEMAX_ISA");
  if (forced == nullptr) {
    std::size_t count = 0;
    const IsaInfo* infos = known_isas(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (infos[i].supported) {
        isa = infos[i].isa;
        return {};
      }
    }
    return fail(StatusCode::isa_not_supported, "isa", "");
  }
  Status status = isa_from_name(forced, isa);
  if (status.ok()) status = check_isa(isa);
  if (!status.ok()) status.what = "LANEMAX_ISA";
  return status;
}

}  // namespace

const IsaInfo* known_isas(std::size_t& count) noexcept {
  count = kCount;
  return known().info;
}

Status isa_from_name(const char* name, Isa& isa) noexcept {
  for (const Variant& variant : kVariants) {
    if (std::strcmp(variant.name, name) == 0) {
      isa = variant.isa;
      return {};
    }
  }
  Status status = fail(StatusCode::isa_unknown, "isa", "", name);
  status.expected = "avx512, avx2_fma, sse2 or neon";
  return status;
}

Status check_isa(Isa isa) noexcept {
  for (const IsaInfo& info : known().info) {
    if (info.isa != isa) continue;
    if (!info.compiled) return fail(StatusCode::isa_not_compiled, "isa", "", info.name);
    if (!info.supported) return fail(StatusCode::isa_not_supported, "isa", "", info.name);
    return {};
  }
  return fail(StatusCode::isa_unknown, "isa", "");
}

const char* name_of(Isa isa) noexcept {
  const Variant* variant = find(isa);
  return variant != nullptr ? variant->name : "process_default";
}

Status initialize(Isa isa) noexcept {
  const KernelTable* chosen = process_table.load(std::memory_order_acquire);
  if (chosen == nullptr) {
    const KernelTable* table = nullptr;
    Isa wanted = isa;
    Status status;
    if (wanted == Isa::process_default) status = preferred_isa(wanted);
    if (status.ok()) status = find_table(wanted, KernelSchedule::machine_default, table);
    if (!status.ok()) return status;
    // Two threads may race here; the first to store wins. Whoever left the choice to the process has it made.
    if (process_table.compare_exchange_strong(chosen, table, std::memory_order_acq_rel)) return {};
  }
  if (isa != Isa::process_default && isa != chosen->isa) {
    Status status = fail(StatusCode::invalid_argument, "isa", "", name_of(isa));
    status.expected = "the variant this process already uses";
    return status;
  }
  return {};
}

Isa active_isa() noexcept {
  return initialize().ok() ? process_table.load(std::memory_order_acquire)->isa : Isa::process_default;
}

KernelSchedule active_schedule() noexcept {
  return initialize().ok() ? process_table.load(std::memory_order_acquire)->schedule : KernelSchedule::machine_default;
}

Status select_kernels(const Execution& execution, const KernelTable*& table) noexcept {
  const bool is_default = execution.schedule == KernelSchedule::machine_default;
  if (execution.isa != Isa::process_default) return find_table(execution.isa, execution.schedule, table);
  table = process_table.load(std::memory_order_acquire);
  if (table == nullptr) {
    const Status status = initialize();
    if (!status.ok()) return status;
    table = process_table.load(std::memory_order_acquire);
  }
  return is_default ? Status{} : find_table(table->isa, execution.schedule, table);
}

}  // namespace lanemax
