// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_FIELDS_HPP
#define LANEMAX_ENGINE_DATA_CSV_FIELDS_HPP

#include <lanemax/status.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/data/number.hpp"

namespace lanemax {

/// One field of a row, without the blanks around it and without its quotes.
struct Field {
  std::string_view text;  ///< valid until the next field is read
  bool quoted = false;
};

/// The separator that stands for runs of blanks (spaces and tabs).
inline constexpr char kBlankRuns = ' ';

/// Walks over the fields of CSV text (RFC 4180) that ends with a NUL byte and contains no other.
///
/// Lines end with LF, CRLF or CR. A field in double quotes may contain separators and line ends as they are; "" stands
/// for one quote. Single quotes are ordinary characters: a separator between them separates. Blanks around fields and
/// around quotes are dropped. Empty and blank lines are skipped.
class FieldScanner {
 public:
  FieldScanner(const char* text, char separator) noexcept : at_(text), separator_(separator) {}

  /// What read_number() takes for the decimal mark; at first a point.
  void set_decimal(char decimal) noexcept { decimal_ = decimal; }

  /// Moves from the end of a row (or the beginning of the text) to the beginning of the next one. With `comments`,
  /// lines whose first non-blank character is '#' are skipped. False if no row is left.
  [[nodiscard]] bool next_row(bool comments) noexcept;

  /// Reads the next field if it is a short decimal number in no quotes; otherwise false, and nothing has moved.
  /// `last`: the row ends here; the next call must be next_row().
  [[nodiscard]] bool read_number(double& value, bool& last) noexcept {
    const char* const end = scan_short_decimal(skip_blanks(at_), value, decimal_);
    return end != nullptr && finish_field(end, last);
  }

  [[nodiscard]] Status read_field(Field& field, bool& last);

  /// How many fields the row has from here on. Moves to its end.
  [[nodiscard]] Status count_fields(std::size_t& count);

  /// The line on which the current row begins, counted from 1.
  [[nodiscard]] std::int64_t row_line() const noexcept { return row_line_; }
  [[nodiscard]] const char* position() const noexcept { return at_; }
  /// Back to the beginning of the current row, which is `position` as it was after next_row().
  void rewind_row(const char* position) noexcept {
    at_ = position;
    line_ = row_line_;
  }

 private:
  [[nodiscard]] static bool is_line_end(char c) noexcept { return c == '\n' || c == '\r' || c == '\0'; }
  [[nodiscard]] bool is_blank(char c) const noexcept { return c == ' ' || (c == '\t' && separator_ != '\t'); }
  [[nodiscard]] bool ends_field(char c) const noexcept {
    return is_line_end(c) || (separator_ == kBlankRuns ? is_blank(c) : c == separator_);
  }
  [[nodiscard]] const char* skip_blanks(const char* p) const noexcept {
    while (is_blank(*p)) ++p;
    return p;
  }
  const char* skip_line_end(const char* p) noexcept;

  // Moves behind the separator that follows `end`, or onto the end of the line. False if neither follows.
  [[nodiscard]] bool finish_field(const char* end, bool& last) noexcept {
    const char* const p = skip_blanks(end);
    last = is_line_end(*p);
    if (last || (separator_ == kBlankRuns && p != end)) {
      at_ = p;
      return true;
    }
    if (separator_ == kBlankRuns || *p != separator_) return false;
    at_ = p + 1;
    return true;
  }
  [[nodiscard]] Status read_quoted(const char* begin, Field& field, bool& last);

  const char* at_;
  char separator_;
  char decimal_ = '.';
  std::int64_t line_ = 1;
  std::int64_t row_line_ = 1;
  std::string unescaped_;
};

}  // namespace lanemax

#endif
