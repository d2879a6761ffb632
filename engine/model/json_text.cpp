// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model/json_text.hpp"

#include <cstddef>

namespace lanemax {

void append_json_string(std::string& json, std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  json += '"';
  for (const char c : text) {
    switch (c) {
      case '"': json += "\\\""; break;
      case '\\': json += "\\\\"; break;
      case '\n': json += "\\n"; break;
      case '\r': json += "\\r"; break;
      case '\t': json += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          json += "\\u00";
          json += kHex[c >> 4];
          json += kHex[c & 15];
        } else {
          json += c;
        }
    }
  }
  json += '"';
}

std::string write_string_list(const std::vector<std::string>& list) {
  std::string json = "[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) json += ',';
    append_json_string(json, list[i]);
  }
  return json += ']';
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    if (length == 0 || length > text.size() - i) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      // The second byte is confined further after E0 and F0 (overlong), ED (surrogates), F4 (above U+10FFFF).
      const unsigned low = k > 1 ? 0x80 : first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
      const unsigned high = k > 1 ? 0xBF : first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
      if (next < low || next > high) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace lanemax
