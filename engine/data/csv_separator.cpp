// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_separator.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/data/csv_fields.hpp"
#include "engine/data/number.hpp"
#include "engine/fail.hpp"

namespace lanemax {

namespace {

constexpr std::string_view kCandidates = ",;\t";

// A row as one of the separators would split it.
struct SplitRow {
  std::size_t fields = 0;
  std::size_t numbers = 0;
  std::size_t comma_numbers = 0;  // of these
  std::size_t foreign = 0;        // fields without quotes that hold another candidate, but as a decimal comma
};

// The first rows of a text, split.
struct Split {
  char separator = ',';
  bool consistent = false;  // all rows have as many fields as most, or the first one less
  std::size_t fields = 0;   // what most rows have
  SplitRow sum;             // over the rows that have as many
};

SplitRow& operator+=(SplitRow& sum, const SplitRow& row) {
  sum.fields += row.fields;
  sum.numbers += row.numbers;
  sum.comma_numbers += row.comma_numbers;
  sum.foreign += row.foreign;
  return sum;
}

void count_field(const Field& field, char separator, SplitRow& row) {
  double value = 0;
  const bool comma_number = separator != ',' && has_decimal_comma(field.text);
  ++row.fields;
  if (comma_number || parse_number(field.text, value) == NumberError::none) ++row.numbers;
  if (comma_number) ++row.comma_numbers;
  const auto is_foreign = [&](char c) { return c != separator && kCandidates.find(c) != std::string_view::npos; };
  if (!comma_number && !field.quoted && std::any_of(field.text.begin(), field.text.end(), is_foreign)) ++row.foreign;
}

// Up to a row that this separator cannot split (a quote where none may be) and a bound on rows and bytes.
std::vector<SplitRow> split_rows(const char* text, char separator) {
  constexpr std::size_t kMaxRows = 64;
  constexpr std::ptrdiff_t kMaxBytes = std::ptrdiff_t{1} << 16;
  std::vector<SplitRow> rows;
  FieldScanner scanner(text, separator);
  while (rows.size() < kMaxRows && scanner.position() - text < kMaxBytes && scanner.next_row(rows.size() < 2)) {
    SplitRow row;
    for (bool last = false; !last;) {
      Field field;
      if (!scanner.read_field(field, last).ok()) return rows;
      count_field(field, separator, row);
    }
    rows.push_back(row);
  }
  return rows;
}

Split split(const char* text, char separator) {
  Split result;
  result.separator = separator;
  const std::vector<SplitRow> rows = split_rows(text, separator);
  if (rows.empty()) return result;
  const auto second = rows.begin() + (rows.size() > 1 ? 1 : 0);  // the first may be a header
  const auto rows_with = [&](std::size_t fields) {
    return std::count_if(second, rows.end(), [fields](const SplitRow& row) { return row.fields == fields; });
  };
  const auto most = std::max_element(second, rows.end(), [&](const SplitRow& a, const SplitRow& b) {
    return rows_with(a.fields) < rows_with(b.fields);
  });
  result.fields = most->fields;
  const std::size_t first = rows.front().fields;
  const bool first_fits = first == result.fields || (first >= 2 && first + 1 == result.fields);
  result.consistent = first_fits && rows_with(result.fields) == rows.end() - second;
  for (const SplitRow& row : rows) {
    if (row.fields == result.fields) result.sum += row;
  }
  return result;
}

bool is_better(const Split& a, const Split& b) {
  const auto merits = [](const Split& split) {
    const auto most = static_cast<std::size_t>(-1);
    return std::tuple(split.consistent, split.sum.numbers, most - split.sum.foreign, split.fields);
  };
  return merits(a) > merits(b);
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

Status check_encoding(const FileText& file, std::size_t& skipped) {
  const std::string_view text(file.data.get(), file.size);
  skipped = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  Status status;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    status = fail(StatusCode::bad_data, "text encoding", "UTF-8 text", "UTF-16");
    status.byte = 0;
  } else if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    status = fail(StatusCode::bad_data, "NUL byte in text", "UTF-8 text (neither binary data nor UTF-16)");
    status.byte = static_cast<std::int64_t>(nul);
  }
  return status;
}

// Punctuation that is no part of a number, a name or a quoted field, tab, blank.
bool is_separator(char c) noexcept {
  constexpr std::string_view kNever = "\"'.+-#_\\";
  return c == '\t' || (c >= ' ' && c < 0x7F && !is_digit(c) && !(lower(c) >= 'a' && lower(c) <= 'z') &&
                       kNever.find(c) == std::string_view::npos);
}

// The end of a first line "sep=;" (in quotes or not), or `text`.
const char* skip_separator_line(const char* text, char& separator) noexcept {
  const bool quoted = *text == '"';
  const char* p = text + (quoted ? 1 : 0);
  for (const char c : {'s', 'e', 'p', '='}) {
    if (lower(*p) != c) return text;
    ++p;
  }
  const char named = *p;
  if (!is_separator(named)) return text;
  ++p;
  if (quoted && *p++ != '"') return text;
  if (*p != '\n' && *p != '\r' && *p != '\0') return text;
  separator = named;
  return p;
}

}  // namespace

const char* name_of_separator(char separator) noexcept {
  switch (separator) {
    case ',': return "commas";
    case ';': return "semicolons";
    case '\t': return "tabs";
    case kBlankRuns: return "blanks";
    default: return "the --separator";
  }
}

Status find_separator(const char* text, char decimal, char& separator) {
  Split best;
  for (const char candidate : kCandidates) {
    if (candidate == ',' && decimal == ',') continue;
    const Split found = split(text, candidate);
    if (found.fields >= 2 && (best.fields < 2 || is_better(found, best))) best = found;
  }
  separator = best.fields < 2 && decimal == ',' ? ';' : best.separator;
  const Split blanks = split(text, kBlankRuns);
  const bool most_numbers = blanks.consistent && blanks.sum.numbers > best.sum.numbers;
  if (blanks.fields >= 2 && (best.fields < 2 || (!best.consistent && most_numbers))) {
    separator = kBlankRuns;
  } else if (separator == ',' && blanks.consistent && blanks.sum.comma_numbers > 0 &&
             blanks.sum.numbers >= best.sum.numbers) {
    return fail(StatusCode::bad_data, "separator not clear", "to be told: --separator ',' or --separator ' '",
                "commas, or blanks and decimal commas");
  }
  return {};
}

Status begin_csv(const FileText& file, char separator, char decimal, CsvText& text) {
  if (separator != 0 && !is_separator(separator)) {
    return fail(StatusCode::invalid_argument, "separator", "a comma, semicolon, tab, blank or other punctuation",
                {&separator, 1});
  }
  std::size_t skipped = 0;
  if (Status status = check_encoding(file, skipped); !status.ok()) return status;
  char named = 0;
  text.begin = skip_separator_line(file.data.get() + skipped, named);
  text.separator = separator != 0 ? separator : named;
  FieldScanner scanner(text.begin, ',');
  if (!scanner.next_row(false)) return fail(StatusCode::bad_data, "no data rows", "a row of values");
  if (text.separator != 0) return {};
  Status status = find_separator(text.begin, decimal, text.separator);
  if (!status.ok()) {
    FieldScanner rows(text.begin, ',');
    if (rows.next_row(true)) status.line = rows.row_line();
  }
  return status;
}

}  // namespace lanemax
