// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_GEMM_CLASS_GROUPS_HPP
#define LANEMAX_ENGINE_GEMM_CLASS_GROUPS_HPP

#include <cstddef>

namespace lanemax {
namespace {

/// A number of classes that is known when a register tile is compiled.
template <std::size_t N>
struct ClassCount {
  static constexpr std::size_t value = N;
};

template <std::size_t kMost, class Tiles>
inline void with_class_count(std::size_t count, const Tiles& tiles, std::size_t first_class) {
  if (count == kMost) {
    tiles(ClassCount<kMost>{}, first_class);
  } else if constexpr (kMost > 1) {
    with_class_count<kMost - 1>(count, tiles, first_class);
  }
}

/// Calls tiles(ClassCount<n>, first class) for groups of at most kMost classes, as equal as can be: seven are 4 + 3,
/// not 5 + 2.
template <std::size_t kMost, class Tiles>
inline void for_class_groups(std::size_t classes, const Tiles& tiles) {
  std::size_t groups = (classes + kMost - 1) / kMost;
  for (std::size_t c = 0; c < classes; --groups) {
    const std::size_t count = (classes - c + groups - 1) / groups;
    with_class_count<kMost>(count, tiles, c);
    c += count;
  }
}

}  // namespace
}  // namespace lanemax

#endif
