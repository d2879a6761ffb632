// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_VERSION_H
#define LANEMAX_VERSION_H

/// Of these headers. A new minor version may change any C++ header, and the C++ ABI, until 1.0; a new patch changes
/// neither. lanemax.h, the C ABI, is only ever added to.
#define LANEMAX_VERSION_MAJOR 0
#define LANEMAX_VERSION_MINOR 2
#define LANEMAX_VERSION_PATCH 0

#endif
