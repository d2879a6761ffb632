// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_NUMBER_TEXT_HPP
#define LANEMAX_ENGINE_FIT_NUMBER_TEXT_HPP

#include <charconv>
#include <concepts>
#include <string>

namespace lanemax {

/// The shortest text that gives the same number back.
template <class T>
  requires(std::floating_point<T> || std::integral<T>)
[[nodiscard]] std::string text_of(T value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof(digits), value).ptr};
}

}  // namespace lanemax

#endif
