// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_REFUSE_HPP
#define LANEMAX_ENGINE_DATA_REFUSE_HPP

#include <lanemax/status.hpp>

#include <algorithm>
#include <string>
#include <string_view>

#include "engine/utf8.hpp"

namespace lanemax {

/// Copies as many whole characters of `text` as fit into `status.found`. Control characters become '?', as does every
/// byte that is not UTF-8.
inline void set_found(Status& status, std::string_view text) noexcept {
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t length = utf8_character(text);
    const std::size_t taken = std::max<std::size_t>(length, 1);
    if (used + taken >= sizeof status.found) break;
    const auto c = static_cast<unsigned char>(text[0]);
    if (length == 0 || c < 0x20 || c == 0x7F) {
      status.found[used] = '?';
    } else {
      text.copy(status.found + used, length);
    }
    used += taken;
    text.remove_prefix(taken);
  }
  status.found[used] = '\0';
}

/// `text` as set_found() would show it, for the texts of the reader.
[[nodiscard]] inline std::string shown(std::string_view text) {
  Status status;
  set_found(status, text);
  return status.found;
}

/// A failure with its words; `what` and `expected` are static strings. Positions are added by the caller.
inline Status refuse(StatusCode code, const char* what, const char* expected, std::string_view found = {}) noexcept {
  Status status;
  status.code = code;
  status.what = what;
  status.expected = expected;
  set_found(status, found);
  return status;
}

}  // namespace lanemax

#endif
