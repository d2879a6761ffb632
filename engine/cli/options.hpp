// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_OPTIONS_HPP
#define LANEMAX_ENGINE_CLI_OPTIONS_HPP

#include "engine/cli/option_table.hpp"
#include "engine/data/dataset.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// The options that commands share; each command's own are beside it.
namespace lanemax::cli {

constexpr std::uint64_t kMaxCount = 1000000000;

/// How a command runs and reports.
struct RunOptions {
  int threads = 1;
  std::string isa;  ///< empty: the process default
  bool json = false;
  bool quiet = false;
};
void add_run_options(OptionTable& table, RunOptions& run);
void add_json_option(OptionTable& table, RunOptions& run);

/// Where samples come from.
struct InputOptions {
  std::vector<std::string> data;
  std::string labels;
  ReadOptions read;
};
void add_input_options(OptionTable& table, InputOptions& input, const char* labels_help);

/// Of the commands that apply a model.
void add_model_option(OptionTable& table, std::string& model);
/// What their help says of the columns of tables.
extern const char* const kColumnNotes;

}  // namespace lanemax::cli

#endif
