// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/options.hpp"

#include "engine/cli/cpu_count.hpp"
#include "engine/data/csv_fields.hpp"

#include <algorithm>

namespace lanemax::cli {
namespace {

void set_separator(char& separator, const std::string& text) {
  if (text == "\\t" || text == "tab") {
    separator = '\t';
  } else if (text.size() == 1 && text[0] != '"' && text[0] != '\n' && text[0] != '\r' && text[0] != '\0') {
    separator = text[0];
  } else {
    refuse_value("--separator", text, "one character (no quote or line break) or tab");
  }
}

// Names or indices with commas between them; a name with a comma is in double quotes.
void set_columns(std::vector<std::string>& columns, const std::string& text) {
  FieldScanner scanner(text.c_str(), ',');
  bool last = !scanner.next_row(false);
  if (last) refuse_value("--drop", text, "names or indices of columns");
  while (!last) {
    Field field;
    if (!scanner.read_field(field, last).ok() || field.text.empty()) {
      refuse_value("--drop", text, "names or indices with commas between them");
    }
    columns.emplace_back(field.text);
  }
}

}  // namespace

const char* const kColumnNotes =
    "Columns of CSV files are found by the names that the model remembers, in any order, and by position where there\n"
    "is no header; others are left out.\n";

void add_run_options(OptionTable& table, RunOptions& run) {
  constexpr int kMaxThreads = 1024;
  run.threads = std::min(default_threads(), kMaxThreads);
  table.count("--threads", "N", 1, kMaxThreads, run.threads,
              "threads to use; default: as many as the CPUs that this process may use, at most OMP_NUM_THREADS");
  table.text("--isa", "NAME", run.isa, "instruction set variant; default: LANEMAX_ISA or the best (see lanemax info)");
  table.flag("--quiet", run.quiet, "no progress, only results, warnings and errors");
}

void add_json_option(OptionTable& table, RunOptions& run) {
  table.flag("--json", run.json, "results as one JSON object on stdout");
}

void add_input_options(OptionTable& table, InputOptions& input, const char* labels_help) {
  ReadOptions& read = input.read;
  table.files("--data", input.data, "samples: IDX or CSV files, also gzip-compressed; several are one data set",
              Need::required);
  table.file("--labels", input.labels, labels_help);
  table.choice<FileFormat>("--format",
                           {{"auto", FileFormat::automatic}, {"idx", FileFormat::idx}, {"csv", FileFormat::csv}},
                           read.format, "how the files are written");
  table.text("--label-column", "NAME|INDEX", read.label_column,
             "CSV: header name, 0-based index (negative from the end) or none; default: the last column");
  table.parsed(
      "--drop", "COLUMNS", [&read](const std::string& text) { set_columns(read.drop, text); },
      "CSV: columns to leave out, by header name or 0-based index, with commas between them");
  table.text("--id-column", "NAME|INDEX", read.id_column,
             "CSV: a column that names the rows: no feature; predict passes it through");
  table.choice<HeaderMode>("--header",
                           {{"auto", HeaderMode::automatic}, {"yes", HeaderMode::yes}, {"no", HeaderMode::no}},
                           read.header, "CSV: whether the first line names the columns");
  table.parsed(
      "--separator", "CHAR", [&read](const std::string& text) { set_separator(read.separator, text); },
      "CSV: character between fields, or tab; default: found from the first lines");
  table.choice<char>("--decimal", {{".", '.'}, {",", ','}}, read.decimal,
                     "CSV: decimal mark of numbers; default: a point, or a comma where numbers have one and fields are "
                     "separated by something else");
}

void add_model_option(OptionTable& table, std::string& model) {
  table.file("--model", model, "the model (safetensors)", Need::required);
}

}  // namespace lanemax::cli
