// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_VERSION_HPP
#define LANEMAX_VERSION_HPP

#include <lanemax/version.h>

#pragma GCC visibility push(default)
namespace lanemax {

/// Of the library that runs: "0.2.0".
[[nodiscard]] const char* version() noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
