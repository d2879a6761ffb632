// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_OPTION_TABLE_HPP
#define LANEMAX_ENGINE_CLI_OPTION_TABLE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lanemax::cli {

/// The numbers an option takes; ends belong to it unless they are open.
struct NumberRange {
  double low;
  double high;
  bool open_low = false;
  bool open_high = false;
};

/// Declares options on a CLI11 parser. Values are taken as text and checked here, so that every refusal names the
/// option, the text and what was expected. An option that takes one value may be given once. The help is written here,
/// too: CLI11's differs from version to version.
class OptionTable {
 public:
  explicit OptionTable(CLI::App& app) : app_(app) {}

  CLI::Option* text(const std::string& name, const std::string& value_name, std::string& target,
                    const std::string& help);
  CLI::Option* texts(const std::string& name, const std::string& value_name, std::vector<std::string>& target,
                     const std::string& help);
  CLI::Option* flag(const std::string& name, bool& target, const std::string& help);
  CLI::Option* number(const std::string& name, const std::string& value_name, NumberRange range,
                      const std::function<void(double)>& store, const std::string& help);
  /// Numbers with commas between them, each in the range.
  CLI::Option* numbers(const std::string& name, const std::string& value_name, NumberRange range,
                       std::vector<double>& target, const std::string& help);
  CLI::Option* count(const std::string& name, const std::string& value_name, std::uint64_t low, std::uint64_t high,
                     const std::function<void(std::uint64_t)>& store, const std::string& help);

  /// One word of a list.
  template <class E>
  CLI::Option* choice(const std::string& name, const std::vector<std::pair<std::string, E>>& choices, E& target,
                      const std::string& help) {
    std::vector<std::string> words;
    words.reserve(choices.size());
    for (const auto& entry : choices) words.push_back(entry.first);
    return word(name, words, [&target, choices](std::size_t index) { target = choices[index].second; }, help);
  }

  /// What the command does, a line `--name VALUE=default ... REQUIRED  help` per option, and the parser's footer.
  [[nodiscard]] std::string help() const;

 private:
  CLI::Option* add(const std::string& name, const std::string& value_name,
                   const std::function<void(const std::string&)>& store, const std::string& help);
  CLI::Option* word(const std::string& name, const std::vector<std::string>& words,
                    const std::function<void(std::size_t)>& store, const std::string& help);

  CLI::App& app_;
};

}  // namespace lanemax::cli

#endif
