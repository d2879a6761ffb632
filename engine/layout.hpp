// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_LAYOUT_HPP
#define LANEMAX_ENGINE_LAYOUT_HPP

#include <cstddef>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "lanemax looks for NaN and infinity: compile it without -ffast-math and -ffinite-math-only"
#endif

namespace lanemax {

// How W, its gradient, the logits and their gradient lie in memory. One choice, made by the number of classes C alone,
// the same on every instruction set, so that a model in training never has to be repacked:
//
//   class-major   W [C][D padded to 16]     logits of a row block [C][capacity]            C < 16, 17..23, 33..35
//   panels        W [ceil(C/16)][D][16]     logits of a row block [ceil(C/16)][capacity][16]        all others
//
// Panels pad classes, class-major pads features. Where panels would waste more than a quarter of their lanes,
// class-major is taken beyond 16 classes too: 17 classes of 784 features run at 88 % of peak instead of 50 % (AVX-512).
//
// Both products see the same picture in the panel layout: element (k, class) of the left-hand panel, (row, class) of
// the result. Padding of W is 0 and stays 0. The bias is padded to a multiple of 16 with -infinity: a padded class has
// logit -infinity, hence probability and gradient 0, and no kernel needs to know that it is padding.
inline constexpr std::size_t kPanel = 16;
inline constexpr std::size_t kAlignment = 64;  ///< of all arrays in bytes: a line of cache, an AVX-512 vector

[[nodiscard]] constexpr std::size_t round_up(std::size_t n, std::size_t multiple) noexcept {
  return (n + multiple - 1) / multiple * multiple;
}
[[nodiscard]] constexpr bool is_class_major(std::size_t classes) noexcept {
  return classes < kPanel || 4 * classes < 3 * round_up(classes, kPanel);
}
inline constexpr std::size_t kMostClassMajor = 35;  ///< no more classes than this are class-major
[[nodiscard]] constexpr std::size_t panel_count(std::size_t classes) noexcept {
  return (classes + kPanel - 1) / kPanel;
}
[[nodiscard]] constexpr std::size_t weight_count(std::size_t features, std::size_t classes) noexcept {
  return is_class_major(classes) ? classes * round_up(features, kPanel) : panel_count(classes) * features * kPanel;
}
[[nodiscard]] constexpr std::size_t bias_count(std::size_t classes) noexcept {
  return round_up(classes, kPanel);
}
[[nodiscard]] constexpr std::size_t weight_index(std::size_t features, std::size_t classes, std::size_t c,
                                                 std::size_t d) noexcept {
  return is_class_major(classes) ? c * round_up(features, kPanel) + d
                                 : (c / kPanel * features + d) * kPanel + c % kPanel;
}
/// Elements of the logits of a row block of `capacity` rows.
[[nodiscard]] constexpr std::size_t logit_count(std::size_t capacity, std::size_t classes) noexcept {
  return is_class_major(classes) ? classes * capacity : panel_count(classes) * capacity * kPanel;
}
[[nodiscard]] constexpr std::size_t logit_index(std::size_t capacity, std::size_t classes, std::size_t row,
                                                std::size_t c) noexcept {
  return is_class_major(classes) ? c * capacity + row : (c / kPanel * capacity + row) * kPanel + c % kPanel;
}

}  // namespace lanemax

#endif
