// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model/json_reader.hpp"

#include "engine/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace lanemax {
namespace {

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// What words are made of: "-1.5e+3", "true".
constexpr bool is_word(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

// Takes the digits in front of `word`; false where there are none.
bool take_digits(std::string_view& word) noexcept {
  const std::size_t count = static_cast<std::size_t>(std::ranges::find_if_not(word, is_digit) - word.begin());
  word.remove_prefix(count);
  return count > 0;
}

bool take_any_of(std::string_view& word, std::string_view characters) noexcept {
  const bool taken = !word.empty() && characters.find(word[0]) != std::string_view::npos;
  word.remove_prefix(taken ? 1 : 0);
  return taken;
}

bool is_number(std::string_view word) noexcept {
  take_any_of(word, "-");
  if (!take_any_of(word, "0") && !take_digits(word)) return false;
  if (take_any_of(word, ".") && !take_digits(word)) return false;
  if (!take_any_of(word, "eE")) return word.empty();
  take_any_of(word, "+-");
  return take_digits(word) && word.empty();
}

void append_utf8(std::string& text, std::uint32_t point) {
  const auto append = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto append_rest = [&](unsigned shift) { append(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) {
    append(point);
  } else if (point < 0x800) {
    append(0xC0 | point >> 6);
    append_rest(0);
  } else if (point < 0x10000) {
    append(0xE0 | point >> 12);
    append_rest(6);
    append_rest(0);
  } else {
    append(0xF0 | point >> 18);
    append_rest(12);
    append_rest(6);
    append_rest(0);
  }
}

}  // namespace

JsonToken JsonReader::next() {
  token_.clear();
  char c = skip_blanks();
  if (place_ == Place::behind) {
    if (depth_ == 0) return at_ == text_.size() ? JsonToken::end : malformed();
    if (c == ',') {
      ++at_;
      place_ = Place::entry;
      c = skip_blanks();
    } else if (c != (in_object() ? '}' : ']')) {
      return malformed();
    }
  } else if (place_ == Place::colon) {
    if (c != ':') return malformed();
    ++at_;
    place_ = Place::value;
    c = skip_blanks();
  }
  if ((place_ == Place::first || place_ == Place::behind) && c == (in_object() ? '}' : ']')) return close();
  if (c == '"') {
    const bool key = in_object() && place_ != Place::value;
    if (!read_string()) return malformed();
    place_ = key ? Place::colon : Place::behind;
    return key ? JsonToken::key : JsonToken::string;
  }
  if (in_object() && place_ != Place::value) return malformed();
  return c == '{' || c == '[' ? open(c == '{') : read_word();
}

// The character behind the blanks; 0, which no token begins with, at the end.
char JsonReader::skip_blanks() noexcept {
  at_ = std::min(text_.find_first_not_of(" \t\n\r", at_), text_.size());
  begin_ = at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

JsonToken JsonReader::open(bool object) {
  if (depth_ == kMaxDepth) return malformed();
  ++depth_;
  objects_ = objects_ << 1 | (object ? 1 : 0);
  place_ = Place::first;
  token_ = text_[at_++];
  return object ? JsonToken::object : JsonToken::list;
}

JsonToken JsonReader::close() {
  const bool object = in_object();
  --depth_;
  objects_ >>= 1;
  place_ = Place::behind;
  token_ = text_[at_++];
  return object ? JsonToken::object_end : JsonToken::list_end;
}

JsonToken JsonReader::read_word() {
  const std::string_view rest = text_.substr(at_);
  const std::string_view word =
      rest.substr(0, static_cast<std::size_t>(std::ranges::find_if_not(rest, is_word) - rest.begin()));
  at_ += word.size();
  if (!is_number(word) && word != "true" && word != "false" && word != "null") {
    at_ -= word.empty() ? 0 : 1;
    return malformed();
  }
  token_ = word;
  place_ = Place::behind;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), integer_);
  return error == std::errc{} && stop == word.data() + word.size() ? JsonToken::integer : JsonToken::word;
}

bool JsonReader::read_string() {
  ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\\') {
      if (!read_escape()) return false;
      continue;
    }
    const std::size_t length = utf8_character(text_.substr(at_));
    if (length == 0 || static_cast<unsigned char>(c) < 0x20) return false;
    if (c != '"') token_.append(text_, at_, length);
    at_ += length;
    if (c == '"') return true;
  }
  return false;
}

bool JsonReader::read_escape() {
  constexpr std::string_view kWritten = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  ++at_;
  if (at_ == text_.size()) return false;
  if (text_[at_] != 'u') {
    const std::size_t which = kWritten.find(text_[at_]);
    if (which == std::string_view::npos) return false;
    token_ += kMeant[which];
    ++at_;
    return true;
  }
  std::uint32_t point = 0;
  if (!read_code_unit(point) || (point & 0xFC00) == 0xDC00) return false;
  if ((point & 0xFC00) == 0xD800) {  // the first half of a character
    std::uint32_t second = 0;
    if (!text_.substr(at_).starts_with("\\u")) return false;
    ++at_;
    if (!read_code_unit(second) || (second & 0xFC00) != 0xDC00) return false;
    point = 0x10000 + ((point & 0x3FF) << 10 | (second & 0x3FF));
  }
  append_utf8(token_, point);
  return true;
}

// "uXXXX"
bool JsonReader::read_code_unit(std::uint32_t& unit) noexcept {
  const std::string_view digits = text_.substr(at_ + 1, 4);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
  if (error != std::errc{} || stop != digits.data() + 4) return false;
  at_ += 5;
  return true;
}

JsonToken JsonReader::malformed() {
  at_ = std::min(at_ + 1, text_.size());
  token_ = text_.substr(begin_, at_ - begin_);
  return JsonToken::malformed;
}

}  // namespace lanemax
