// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_SEPARATOR_HPP
#define LANEMAX_ENGINE_DATA_CSV_SEPARATOR_HPP

#include <lanemax/status.hpp>

#include <string_view>

#include "engine/data/file_bytes.hpp"

namespace lanemax {

/// How a message calls a separator.
[[nodiscard]] const char* name_of_separator(char separator) noexcept;

/// Finds the separator of `text` in its first rows: the comma, semicolon or tab that splits all rows alike into two
/// fields or more (the first, maybe a header, into one less at most), with the most numbers among them. Of equals the
/// one whose fields hold the others least, then the one of most fields. Without any, runs of blanks, or else the comma
/// (a single column).
///
/// A number with a decimal comma is one for every separator but the comma, and where `decimal` is a comma, the
/// separator is not. Refused as ambiguous: commas that may as well be decimal commas of fields with blanks between.
/// Throws std::bad_alloc.
[[nodiscard]] Status find_separator(const char* text, char decimal, char& separator);

/// Where the rows of a file begin, and what separates their fields.
struct CsvText {
  const char* begin = "";
  char separator = ',';
};

/// Refuses UTF-16 and NUL bytes; skips a byte order mark; takes `separator` (refused if it cannot be one), else (if it
/// is 0) the one that a first line "sep=;" names, else the one that find_separator() finds. Where that line was,
/// `begin` is its end, so that lines are counted right. A file with no text but blanks is refused. Throws
/// std::bad_alloc.
[[nodiscard]] Status begin_csv(const FileText& file, char separator, char decimal, CsvText& text);

}  // namespace lanemax

#endif
