// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/evaluation.hpp"
#include "engine/cli/json.hpp"
#include "engine/cli/options.hpp"
#include "engine/cli/output.hpp"
#include "engine/cli/published_results.hpp"

#include <array>
#include <cstdio>
#include <filesystem>

namespace lanemax::cli {
namespace {

struct SelfcheckOptions {
  RunOptions run;
  std::string data;  ///< directory of data files; empty: only what is embedded
};

constexpr char kNotes[] =
    "Embedded: contraceptive choice in El Salvador, Spector and Mazzeo's grades, three rows of scores. With --data "
    "also,\n"
    "of the files that are there: hsbdemo.csv, iris.csv, letter.csv, pendigits.csv, segment.csv, glass.csv,\n"
    "mfeat-pixel.csv, waveform.csv, mnist-{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz, and Fashion-MNIST in\n"
    "DIR/fashion-mnist or where Debian's dataset-fashion-mnist puts it. Exit code 1 if a value does not hold.\n";

bool read_options(const CommandLine& line, SelfcheckOptions& options) {
  OptionTable table("selfcheck", "Reproduces published results.");
  table.text("--data", "DIR", options.data, "also check what needs data files, from this directory");
  add_run_options(table, options.run);
  add_json_option(table, options.run);
  table.set_notes(kNotes);
  if (!table.parse(line)) return false;
  std::error_code error;
  if (!options.data.empty() && !std::filesystem::is_directory(options.data, error)) {
    give_up(kInputOutput, options.data + ": cannot be read; expected a directory");
  }
  return true;
}

std::string fourteen_digits(double value) {
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%.14g", value);
  return text.data();
}

Json row_of(const Reproduction& reproduction) {
  const PublishedResult& published = reproduction.published;
  return {{"name", published.name},       {"published", published.text},
          {"ours", reproduction.ours},    {"difference", difference(reproduction)},
          {"holds", holds(reproduction)}, {"source", published.source}};
}

std::string table_of(const Json& rows) {
  std::string text;
  const auto line = [&text](const std::string& name, const std::string& published, const std::string& ours,
                            const std::string& off, const std::string& verdict) {
    std::array<char, 200> buffer;
    std::snprintf(buffer.data(), buffer.size(), "%-36s%22s%22s%12s  %s\n", name.c_str(), published.c_str(),
                  ours.c_str(), off.c_str(), verdict.c_str());
    text += buffer.data();
  };
  line("", "published", "ours", "difference", "");
  for (const Json& row : rows) {
    line(row["name"], row["published"], fourteen_digits(row["ours"]), readable(row["difference"], 2),
         row["holds"].get<bool>() ? "holds" : "DOES NOT HOLD");
  }
  return text;
}

}  // namespace

int run_selfcheck(const CommandLine& line) {
  SelfcheckOptions options;
  if (!read_options(line, options)) return kDone;
  const Isa isa = chosen_isa(options.run);
  std::vector<std::string> missing;
  Json rows = Json::array();
  std::size_t held = 0;
  for (const Reproduction& reproduction :
       reproduce(published_results(), options.data, {options.run.threads, isa}, missing)) {
    rows.push_back(row_of(reproduction));
    if (holds(reproduction)) ++held;
  }
  for (const std::string& file : missing) say("skipped: " + file + " is not there");
  if (options.data.empty()) say("skipped: what needs files (--data DIR)");

  const std::string summary = std::to_string(held) + " of " + std::to_string(rows.size()) + " published values hold";
  if (options.run.json) {
    const Json json = {
        {"isa", name_of(isa)}, {"checked", rows.size()}, {"held", held}, {"skipped", missing}, {"rows", rows}};
    write_stdout(json_text(json));
  } else {
    write_stdout(table_of(rows) + summary + " (" + name_of(isa) + ")\n");
  }
  if (held == rows.size()) return kDone;
  give_up(kFailure, summary + "; expected all of them to");
}

}  // namespace lanemax::cli
