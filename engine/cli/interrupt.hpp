// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_INTERRUPT_HPP
#define LANEMAX_ENGINE_CLI_INTERRUPT_HPP

namespace lanemax::cli {

/// From here on the first SIGINT or SIGTERM is only noted; the second kills the process at once. A signal that the
/// parent had ignored (nohup, a background job) stays ignored.
void note_interrupts() noexcept;

/// The signal that was noted, or 0.
[[nodiscard]] int noted_interrupt() noexcept;

}  // namespace lanemax::cli

#endif
