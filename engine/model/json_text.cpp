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

}  // namespace lanemax
