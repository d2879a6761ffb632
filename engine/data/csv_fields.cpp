// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_fields.hpp"

#include <cstring>

#include "engine/fail.hpp"

namespace lanemax {

const char* FieldScanner::skip_line_end(const char* p) noexcept {
  if (*p == '\0') return p;
  ++line_;
  return p + (p[0] == '\r' && p[1] == '\n' ? 2 : 1);
}

bool FieldScanner::next_row(bool comments) noexcept {
  const char* p = at_;
  if (is_line_end(*p)) p = skip_line_end(p);
  for (;;) {
    const char* const line = p;
    p = skip_blanks(line);
    if (comments && *p == '#') {
      while (!is_line_end(*p)) ++p;
    }
    if (!is_line_end(*p)) {
      at_ = line;
      row_line_ = line_;
      return true;
    }
    if (*p == '\0') {
      at_ = p;
      return false;
    }
    p = skip_line_end(p);
  }
}

Status FieldScanner::read_field(Field& field, bool& last) {
  const char* const begin = skip_blanks(at_);
  if (*begin == '"') return read_quoted(begin + 1, field, last);
  const char* end = begin;
  while (!ends_field(*end)) ++end;
  const char* const stop = end;
  while (end > begin && is_blank(end[-1])) --end;
  field = {{begin, static_cast<std::size_t>(end - begin)}, false};
  static_cast<void>(finish_field(stop, last));
  return {};
}

Status FieldScanner::read_quoted(const char* begin, Field& field, bool& last) {
  const std::int64_t first_line = line_;
  unescaped_.clear();
  const char* part = begin;
  const char* p = begin;
  for (;;) {
    p += std::strcspn(p, "\"\n\r");
    if (*p == '\0') {
      Status status = fail(StatusCode::bad_data, "quoted field without end", "a closing double quote",
                           {begin, static_cast<std::size_t>(p - begin)});
      status.line = first_line;
      return status;
    }
    if (*p != '"') {
      p = skip_line_end(p);
      continue;
    }
    if (p[1] != '"') break;
    unescaped_.append(part, p + 1);
    p += 2;
    part = p;
  }
  field.quoted = true;
  field.text = {begin, static_cast<std::size_t>(p - begin)};
  if (part != begin) field.text = unescaped_.append(part, p);
  if (finish_field(p + 1, last)) return {};
  Status status = fail(StatusCode::bad_data, "text after a closing quote",
                       "a separator or the end of the line (write a quote inside quotes twice)", field.text);
  status.line = line_;
  return status;
}

Status FieldScanner::count_fields(std::size_t& count) {
  count = 0;
  bool last = false;
  do {
    Field field;
    if (Status status = read_field(field, last); !status.ok()) return status;
    ++count;
  } while (!last);
  return {};
}

}  // namespace lanemax
