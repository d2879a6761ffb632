// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_VERSION_HPP
#define LANEMAX_VERSION_HPP

/// Of these headers. A new minor version may change any of them, and the ABI, until 1.0; a new patch changes neither.
#define LANEMAX_VERSION_MAJOR 0
#define LANEMAX_VERSION_MINOR 2
#define LANEMAX_VERSION_PATCH 0

#pragma GCC visibility push(default)
namespace lanemax {

/// Of the library that runs: "0.2.0".
[[nodiscard]] const char* version() noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
