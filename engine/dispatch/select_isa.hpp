// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DISPATCH_SELECT_ISA_HPP
#define LANEMAX_ENGINE_DISPATCH_SELECT_ISA_HPP

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {

/// The kernels of a variant in a schedule, or of the process-wide choice, which is made here if it was not made before.
[[nodiscard]] Status select_kernels(const Execution& execution, const KernelTable*& table) noexcept;

}  // namespace lanemax

#endif
