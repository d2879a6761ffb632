// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/version.hpp>

#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/evaluation.hpp"
#include "engine/cli/json.hpp"
#include "engine/cli/output.hpp"
#include "engine/dispatch/select_isa.hpp"

#include <fstream>
#include <optional>
#include <span>

namespace lanemax::cli {
namespace {

std::optional<std::string> first_word(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  if (file >> word) return word;
  return std::nullopt;
}

// The kernel writes sizes as 32K or 1M.
std::optional<std::uint64_t> bytes_of(const std::string& text) {
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && value < (std::uint64_t{1} << 40); ++i) {
    value = value * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  if (i == 0) return std::nullopt;
  const std::string unit = text.substr(i);
  if (unit.empty()) return value;
  if (unit == "K") return value << 10;
  if (unit == "M") return value << 20;
  return std::nullopt;
}

// Bytes of the data caches of CPU 0; null where the kernel does not say.
Json caches_json() {
  Json caches = {{"l1d", nullptr}, {"l2", nullptr}, {"l3", nullptr}};
  for (int index = 0; index < 16; ++index) {
    const std::string directory = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    const auto level = first_word(directory + "/level");
    const auto type = first_word(directory + "/type");
    const auto size = first_word(directory + "/size");
    if (!level || !type || !size || *type == "Instruction") continue;
    const std::string name = *level == "1" ? "l1d" : "l" + *level;
    if (const auto bytes = bytes_of(*size)) caches[name] = *bytes;
  }
  return caches;
}

std::vector<std::string> isa_names(bool IsaInfo::* property) {
  std::size_t count = 0;
  const IsaInfo* known = known_isas(count);
  std::vector<std::string> names;
  for (const IsaInfo& isa : std::span(known, count)) {
    if (isa.*property) names.emplace_back(isa.name);
  }
  return names;
}

Json info_json(const RunOptions& options, Isa active) {
  Json json;
  json["version"] = version();
  json["threads"] = options.threads;
  json["caches"] = caches_json();
  json["isa"] = {{"compiled", isa_names(&IsaInfo::compiled)},
                 {"supported", isa_names(&IsaInfo::supported)},
                 {"active", name_of(active)}};
  const KernelTable* kernels = nullptr;
  check(select_kernels({.isa = active}, kernels));
  json["schedule"] = name_of(kernels->schedule);
  return json;
}

std::string words(const Json& names) {
  std::string text;
  for (const auto& name : names) {
    if (!text.empty()) text += ' ';
    text += name.get<std::string>();
  }
  return text;
}

std::string info_text(const Json& info) {
  std::string text = "lanemax " + info["version"].get<std::string>() + "\nthreads " + info["threads"].dump() + "\n";
  for (const auto& [name, bytes] : info["caches"].items()) {
    text += "cache " + name + " " + (bytes.is_null() ? "unknown" : bytes.dump() + " bytes") + "\n";
  }
  text += "isa compiled " + words(info["isa"]["compiled"]) + "\n";
  text += "isa supported " + words(info["isa"]["supported"]) + "\n";
  text += "isa active " + info["isa"]["active"].get<std::string>() + "\n";
  return text + "schedule " + info["schedule"].get<std::string>() + "\n";
}

}  // namespace

int run_info(const CommandLine& line) {
  RunOptions options;
  OptionTable table("info", "Says what this build and this machine can do.");
  add_run_options(table, options);
  add_json_option(table, options);
  if (!table.parse(line)) return kDone;
  const Isa active = chosen_isa(options);
  const Json info = info_json(options, active);
  write_stdout(options.json ? json_text(info) : info_text(info));
  return kDone;
}

}  // namespace lanemax::cli
