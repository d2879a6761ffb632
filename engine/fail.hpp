// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FAIL_HPP
#define LANEMAX_ENGINE_FAIL_HPP

#include <lanemax/status.hpp>

#include "engine/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

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
/// A number, with six digits, as it is written in no locale.
inline void set_found(Status& status, double value) noexcept {
  constexpr int kDigits = 6;
  char* const end =
      std::to_chars(status.found, status.found + sizeof status.found - 1, value, std::chars_format::general, kDigits)
          .ptr;
  *end = '\0';
}

/// `text` as set_found() would show it.
[[nodiscard]] inline std::string shown(std::string_view text) {
  Status status;
  set_found(status, text);
  return status.found;
}

/// A status that says what is wrong, what was found and what would have been right; `what` and `expected` are static.
/// Positions are added by the caller.
[[nodiscard]] inline Status fail(StatusCode code, const char* what, const char* expected,
                                 std::string_view found = {}) noexcept {
  Status status;
  status.code = code;
  status.what = what;
  status.expected = expected;
  set_found(status, found);
  return status;
}

/// Where in an array something is.
struct Place {
  std::int64_t row = -1;
  std::int64_t column = -1;
};
[[nodiscard]] constexpr Place at_row(std::size_t row) noexcept {
  return {static_cast<std::int64_t>(row), -1};
}
[[nodiscard]] constexpr Place at_column(std::size_t column) noexcept {
  return {-1, static_cast<std::int64_t>(column)};
}
[[nodiscard]] constexpr Place at(std::size_t row, std::size_t column) noexcept {
  return {static_cast<std::int64_t>(row), static_cast<std::int64_t>(column)};
}

/// The same, of a number that was found there.
[[nodiscard]] inline Status fail_at(StatusCode code, const char* what, const char* expected, const Place& place,
                                    double found) noexcept {
  Status status = fail(code, what, expected);
  status.row = place.row;
  status.column = place.column;
  set_found(status, found);
  return status;
}

/// Runs the body of a public call; what it throws becomes a status. The containers and the parser throw for want of
/// memory only (std::bad_alloc, or std::length_error where a size cannot even be asked for).
template <class Body>
[[nodiscard]] Status without_exceptions(const char* what, const char* expected, const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    return fail(StatusCode::out_of_memory, what, expected);
  }
}

}  // namespace lanemax

#endif
