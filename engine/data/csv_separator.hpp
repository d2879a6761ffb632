// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_SEPARATOR_HPP
#define LANEMAX_ENGINE_DATA_CSV_SEPARATOR_HPP

#include <lanemax/status.hpp>

namespace lanemax {

/// How a message calls a separator.
[[nodiscard]] const char* name_of_separator(char separator) noexcept;

/// True for what may separate fields: punctuation that is no part of a number, a name or a quoted field, tab, blank.
[[nodiscard]] bool is_separator(char c) noexcept;

/// The end of a first line "sep=;" (in quotes or not), which names the separator; `text` if it does not begin with one.
[[nodiscard]] const char* skip_separator_line(const char* text, char& separator) noexcept;

/// Finds the separator of `text` in its first rows: the comma, semicolon or tab that splits all rows alike into two
/// fields or more (the first, maybe a header, into one less at most), with the most numbers among them. Of equals the
/// one whose fields hold the others least, then the one of most fields. Without any, runs of blanks, or else the comma
/// (a single column).
///
/// A number with a decimal comma is one for every separator but the comma, and where `decimal` is a comma, the
/// separator is not. Refused as ambiguous: commas that may as well be decimal commas of fields with blanks between.
/// Throws std::bad_alloc.
[[nodiscard]] Status find_separator(const char* text, char decimal, char& separator);

}  // namespace lanemax

#endif
