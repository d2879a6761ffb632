// SPDX-License-Identifier: BSD-3-Clause
#include "engine/dispatch/schedule.hpp"

#include "engine/fail.hpp"

#include <cstdlib>
#include <cstring>
#include <iterator>

namespace lanemax {
namespace {

constexpr const char* kNames[] = {"machine_default", "in_place", "packed_32k", "packed_48k"};
static_assert(std::size(kNames) == kKernelSchedules + 1);

// What the environment asks for, read once; machine_default if it does not.
struct Forced {
  KernelSchedule schedule = KernelSchedule::machine_default;
  Status status;
  Forced() {
    const char* name = std::getenv("LANEMAX_SCHEDULE");
    if (name != nullptr) status = schedule_from_name(name, schedule);
    if (!status.ok()) status.what = "LANEMAX_SCHEDULE";
  }
};

}  // namespace

const char* name_of(KernelSchedule schedule) noexcept {
  const auto index = static_cast<std::size_t>(schedule);
  return kNames[index < std::size(kNames) ? index : 0];
}

Status schedule_from_name(const char* name, KernelSchedule& schedule) noexcept {
  for (std::size_t i = 1; i < std::size(kNames); ++i) {
    if (std::strcmp(name, kNames[i]) != 0) continue;
    schedule = static_cast<KernelSchedule>(i);
    return {};
  }
  return fail(StatusCode::invalid_argument, "schedule", "in_place, packed_32k or packed_48k", name);
}

// In place is for the processors on which it was seen to win. On all others strips are the better bet: they are what
// every well-tuned GEMM does, and cost a few per cent where nothing was in the way.
KernelSchedule suitable_schedule(Isa isa, const CpuidAnswers& cpu) noexcept {
  if (isa == Isa::avx512 && cpu.amd) return KernelSchedule::in_place;
  return cpu.l1_data_bytes >= 48 * 1024 ? KernelSchedule::packed_48k : KernelSchedule::packed_32k;
}

Status default_schedule(Isa isa, KernelSchedule& schedule) noexcept {
  static const Forced forced;
  const bool is_forced = forced.schedule != KernelSchedule::machine_default;
  schedule = is_forced ? forced.schedule : suitable_schedule(isa, this_cpu());
  return forced.status;
}

}  // namespace lanemax
