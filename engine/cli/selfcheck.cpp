// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/evaluation.hpp"
#include "engine/cli/json.hpp"
#include "engine/cli/output.hpp"
#include "engine/cli/published_fits.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lanemax::cli {
namespace {

std::string seventeen_digits(double value) {
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%.14g", value);
  return text.data();
}

Json row_of(const PublishedValue& published, double ours) {
  return {{"name", published.name},
          {"published", published.text},
          {"ours", ours},
          {"difference", difference(published, ours)},
          {"holds", holds(published, ours)},
          {"source", published.source}};
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
    line(row["name"], row["published"], seventeen_digits(row["ours"]), readable(row["difference"], 2),
         row["holds"].get<bool>() ? "holds" : "DOES NOT HOLD");
  }
  return text;
}

}  // namespace

int run(const SelfcheckOptions& options) {
  const Isa isa = chosen_isa(options.run);
  std::vector<std::string> missing;
  const std::vector<ComputedValue> computed = compute_published_fits(options.data, options.run.threads, isa, missing);

  Json rows = Json::array();
  std::size_t held = 0;
  for (const PublishedValue& published : published_values()) {
    const auto ours = std::find_if(computed.begin(), computed.end(),
                                   [&](const ComputedValue& value) { return value.name == published.name; });
    if (ours == computed.end()) continue;
    rows.push_back(row_of(published, ours->value));
    if (holds(published, ours->value)) ++held;
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
