// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_TINY_BLOCKS_HPP
#define LANEMAX_ENGINE_TINY_BLOCKS_HPP

namespace lanemax {

/// Whether blocks are as small as they can be, so that every loop iterates on small data. Not inline: only the engine
/// is compiled with the macro.
#ifdef LANEMAX_TINY_BLOCKS
constexpr bool kTinyBlocks = true;
#else
constexpr bool kTinyBlocks = false;
#endif

}  // namespace lanemax

#endif
