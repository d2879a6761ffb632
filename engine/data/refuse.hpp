// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_REFUSE_HPP
#define LANEMAX_ENGINE_DATA_REFUSE_HPP

#include <lanemax/status.hpp>

#include <algorithm>
#include <string_view>

namespace lanemax {

/// Copies as much of `text` as fits into `status.found`: control characters become '?', and no UTF-8 character is cut.
inline void set_found(Status& status, std::string_view text) noexcept {
  std::size_t length = std::min(text.size(), sizeof status.found - 1);
  if (length < text.size()) {
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
  }
  for (std::size_t i = 0; i < length; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    status.found[i] = c < 0x20 || c == 0x7F ? '?' : text[i];
  }
  status.found[length] = '\0';
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
