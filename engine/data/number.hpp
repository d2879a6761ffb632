// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_NUMBER_HPP
#define LANEMAX_ENGINE_DATA_NUMBER_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lanemax {

/// Why a text is not a usable number.
enum class NumberError : std::uint8_t {
  none,
  not_a_number,
  not_finite,    ///< nan, inf, infinity, in any case and with a sign
  out_of_range,  ///< a finite decimal number too large for the type
};

/// The whole of `text` as a decimal number: [+-] digits [. digits] [e [+-] digits], in any locale. No blanks, no
/// hexadecimal, no digit separators. Correctly rounded; a magnitude too small for a double becomes a zero of its sign.
[[nodiscard]] NumberError parse_number(std::string_view text, double& value) noexcept;

/// The same with a decimal comma. Throws std::bad_alloc.
[[nodiscard]] NumberError parse_comma_number(std::string_view text, double& value);

[[nodiscard]] inline NumberError parse_number(std::string_view text, char decimal, double& value) {
  return decimal == ',' ? parse_comma_number(text, value) : parse_number(text, value);
}

/// Whether `text` is a number with a comma between two digits for its decimal mark. Throws std::bad_alloc.
[[nodiscard]] bool has_decimal_comma(std::string_view text);

/// Rounds to the nearest float. False if that would be an infinity.
[[nodiscard]] bool round_to_float(double value, float& rounded) noexcept;

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// The common case of parse_number, on text whose end is a character no number contains: up to 15 digits and no
/// exponent. Digits and power of ten are then exact doubles, so that one division rounds correctly. Returns the end of
/// the number, or null if the general parser has to decide.
[[nodiscard]] inline const char* scan_short_decimal(const char* p, double& value, char decimal = '.') noexcept {
  constexpr std::ptrdiff_t kMaxDigits = 15;
  constexpr std::array<double, 16> kPowersOfTen = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = *p == '-';
  if (negative || *p == '+') ++p;
  const char* const first = p;
  std::uint64_t digits = 0;
  const auto scan_digits = [&] {
    for (; is_digit(*p) && p - first <= kMaxDigits; ++p) digits = digits * 10 + static_cast<std::uint64_t>(*p - '0');
  };
  scan_digits();
  std::ptrdiff_t count = p - first;
  std::ptrdiff_t decimals = 0;
  if (*p == decimal) {
    const char* const point = p++;
    scan_digits();
    decimals = p - point - 1;
    count += decimals;
  }
  if (count == 0 || count > kMaxDigits || is_digit(*p) || *p == 'e' || *p == 'E') return nullptr;
  auto magnitude = static_cast<double>(static_cast<std::int64_t>(digits));
  if (decimals != 0) magnitude /= kPowersOfTen[static_cast<std::size_t>(decimals)];
  value = negative ? -magnitude : magnitude;
  return p;
}

}  // namespace lanemax

#endif
