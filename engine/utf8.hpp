// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_UTF8_HPP
#define LANEMAX_ENGINE_UTF8_HPP

#include <cstddef>
#include <string_view>

namespace lanemax {

/// Bytes of the well-formed UTF-8 character that `text` begins with (no overlong forms, no surrogates, nothing above
/// U+10FFFF), or 0. `text` is not empty.
[[nodiscard]] constexpr std::size_t utf8_character(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length > text.size()) return 0;
  for (std::size_t k = 1; k < length; ++k) {
    const auto next = static_cast<unsigned char>(text[k]);
    // The second byte is confined further after E0 and F0 (overlong), ED (surrogates), F4 (above U+10FFFF).
    const unsigned low = k > 1 ? 0x80 : first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = k > 1 ? 0xBF : first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (next < low || next > high) return 0;
  }
  return length;
}

[[nodiscard]] constexpr bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_character(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace lanemax

#endif
