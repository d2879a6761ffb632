// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DISPATCH_SCHEDULE_HPP
#define LANEMAX_ENGINE_DISPATCH_SCHEDULE_HPP

#include <lanemax/isa.hpp>

#include "engine/dispatch/cpu_features.hpp"

namespace lanemax {

/// The schedule of a variant that suits a processor, by what it says of itself.
[[nodiscard]] KernelSchedule suitable_schedule(Isa isa, const CpuidAnswers& cpu) noexcept;

/// What machine_default is for a variant here: LANEMAX_SCHEDULE, or what suits this processor.
[[nodiscard]] Status default_schedule(Isa isa, KernelSchedule& schedule) noexcept;

}  // namespace lanemax

#endif
