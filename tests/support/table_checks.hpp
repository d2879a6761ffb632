// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_TABLE_CHECKS_HPP
#define LANEMAX_TESTS_SUPPORT_TABLE_CHECKS_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "tests/support/verdict.hpp"

namespace lanemax::checks {

/// The table is that of the variant: its name, no slot empty, and no slot that belongs to another variant's table.
[[nodiscard]] Verdict check_table(const KernelTable& table, Isa isa);

}  // namespace lanemax::checks

#endif
