// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/text_table.hpp"

#include "engine/data/csv_fields.hpp"
#include "engine/data/csv_separator.hpp"
#include "engine/data/file_bytes.hpp"

namespace lanemax {

Status read_text_table(const std::string& path, char separator,
                       const std::function<Status(const std::vector<std::string>& fields)>& use) {
  ByteSource source;
  FileText file;
  if (Status status = source.open(path); !status.ok()) return status;
  if (Status status = read_text(source, file); !status.ok()) return status;
  CsvText text;
  if (Status status = begin_csv(file, separator, 0, text); !status.ok()) return status;
  FieldScanner scanner(text.begin, text.separator);
  std::vector<std::string> fields;
  while (scanner.next_row(false)) {
    fields.clear();
    for (bool last = false; !last;) {
      Field field;
      if (Status status = scanner.read_field(field, last); !status.ok()) return status;
      fields.emplace_back(field.text);
    }
    if (Status status = use(fields); !status.ok()) {
      status.line = scanner.row_line();
      return status;
    }
  }
  return {};
}

}  // namespace lanemax
