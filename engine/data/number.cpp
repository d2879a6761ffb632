// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

namespace lanemax {

namespace {

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

bool names_a_non_finite(std::string_view unsigned_text) {
  return equals_ignoring_case(unsigned_text, "nan") || equals_ignoring_case(unsigned_text, "inf") ||
         equals_ignoring_case(unsigned_text, "infinity");
}

// std::from_chars does not say on which side a number left the range: true if the power of ten of the first non-zero
// digit is positive. `text` is a valid unsigned number that is not zero.
bool is_huge(std::string_view text) {
  constexpr long kFar = 1'000'000'000'000;  // longer than any text, short enough to add
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  const std::string_view digits = text.substr(0, e);
  const auto point = static_cast<long>(std::min(digits.find('.'), digits.size()));
  const auto first = static_cast<long>(std::min(digits.find_first_of("123456789"), digits.size()));
  long power = first < point ? point - first - 1 : point - first;
  long exponent = 0;
  bool negative = false;
  for (const char c : text.substr(std::min(e + 1, text.size()))) {
    if (c == '-') negative = true;
    if (is_digit(c)) exponent = std::min(exponent * 10 + (c - '0'), kFar);
  }
  power += negative ? -exponent : exponent;
  return power > 0;
}

}  // namespace

NumberError parse_number(std::string_view text, double& value) noexcept {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  // from_chars would take a second '-', "nan(...)" and "inf".
  if (text.empty() || !(is_digit(text.front()) || text.front() == '.')) {
    return names_a_non_finite(text) ? NumberError::not_finite : NumberError::not_a_number;
  }
  double magnitude = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, magnitude);
  if (error == std::errc::invalid_argument || stop != end) return NumberError::not_a_number;
  if (error == std::errc::result_out_of_range) {
    if (is_huge(text)) return NumberError::out_of_range;
    magnitude = 0;
  }
  value = negative ? -magnitude : magnitude;
  return NumberError::none;
}

NumberError parse_comma_number(std::string_view text, double& value) {
  if (text.find('.') != std::string_view::npos) return NumberError::not_a_number;
  std::string pointed(text);
  std::replace(pointed.begin(), pointed.end(), ',', '.');
  return parse_number(pointed, value);
}

bool has_decimal_comma(std::string_view text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || comma == 0 || comma + 1 == text.size()) return false;
  double value = 0;
  return is_digit(text[comma - 1]) && is_digit(text[comma + 1]) && parse_comma_number(text, value) == NumberError::none;
}

bool round_to_float(double value, float& rounded) noexcept {
  // Half way between the largest float and 2^128; a tie there goes to 2^128.
  constexpr double kRoundsToInfinity = 0x1.ffffffp127;
  if (!(std::fabs(value) < kRoundsToInfinity)) return false;
  rounded = static_cast<float>(value);
  return true;
}

}  // namespace lanemax
