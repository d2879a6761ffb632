// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_REFUSE_HPP
#define LANEMAX_ENGINE_MODEL_REFUSE_HPP

#include <lanemax/status.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace lanemax {

/// Puts as much of `text` into `status.found` as fits, whole UTF-8 characters only; control characters become '?'.
inline void set_found(Status& status, std::string_view text) noexcept {
  std::size_t size = std::min(text.size(), sizeof(status.found) - 1);
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) --size;
  }
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    status.found[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
  }
  status.found[size] = '\0';
}

[[nodiscard]] inline Status refuse(StatusCode code, const char* what, const char* expected,
                                   std::string_view found = {}) noexcept {
  Status status;
  status.code = code;
  status.what = what;
  status.expected = expected;
  set_found(status, found);
  return status;
}

/// Runs the body of a public call; what it throws becomes a status. The containers and the parser throw for want of
/// memory only (std::bad_alloc, or std::length_error where a size cannot even be asked for).
template <class Body>
[[nodiscard]] Status without_exceptions(const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    return refuse(StatusCode::out_of_memory, "model", "");
  }
}

}  // namespace lanemax

#endif
