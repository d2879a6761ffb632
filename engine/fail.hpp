// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FAIL_HPP
#define LANEMAX_ENGINE_FAIL_HPP

#include <lanemax/status.hpp>

#include "engine/utf8.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lanemax {

/// Copies as many whole characters of `text` as fit, and a NUL. Control characters become '?', as does every byte that
/// is not UTF-8.
inline void copy_shown(std::string_view text, char* to, std::size_t room) noexcept {
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t length = utf8_character(text);
    const std::size_t taken = std::max<std::size_t>(length, 1);
    if (used + taken >= room) break;
    const auto c = static_cast<unsigned char>(text[0]);
    if (length == 0 || c < 0x20 || c == 0x7F) {
      to[used] = '?';
    } else {
      text.copy(to + used, length);
    }
    used += taken;
    text.remove_prefix(taken);
  }
  to[used] = '\0';
}

/// Sets `status.found` to the beginning of `text`, as copy_shown() writes it.
inline void set_found(Status& status, std::string_view text) noexcept {
  copy_shown(text, status.found, sizeof status.found);
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

/// `status`, with the file that it is about unless it is ok: the end of a long path says more than its beginning.
[[nodiscard]] inline Status of_file(std::string_view path, Status status) noexcept {
  if (status.ok()) return status;
  constexpr std::string_view kCut = "...";
  constexpr std::size_t kLongest = sizeof status.file - 1;
  std::size_t shown = 0;
  if (path.size() > kLongest) {
    path.remove_prefix(path.size() - (kLongest - kCut.size()));
    while (!path.empty() && (static_cast<unsigned char>(path[0]) & 0xC0) == 0x80) path.remove_prefix(1);
    shown = kCut.copy(status.file, kCut.size());
  }
  copy_shown(path, status.file + shown, sizeof status.file - shown);
  return status;
}

/// A system call has failed with this error.
[[nodiscard]] inline Status system_failure(const char* what, int error = errno) noexcept {
  Status status = fail(StatusCode::io_error, what, "");
  status.system_error = error;
  return status;
}
/// The same of opening a file to read it, which may not be there.
[[nodiscard]] inline Status cannot_open(int error = errno) noexcept {
  Status status = system_failure("cannot open", error);
  if (error == ENOENT || error == ENOTDIR) status.code = StatusCode::missing_file;
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
