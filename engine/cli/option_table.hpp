// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_OPTION_TABLE_HPP
#define LANEMAX_ENGINE_CLI_OPTION_TABLE_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lanemax::cli {

/// The program, the command, its options.
using CommandLine = std::vector<std::string>;

/// The numbers an option takes; ends belong to it unless they are open.
struct NumberRange {
  double low;
  double high;
  bool open_low = false;
  bool open_high = false;
};

enum class Need : std::uint8_t { optional, required };
enum class DefaultInHelp : std::uint8_t { hidden, shown };

/// `option: 'text'; expected ...`, a usage error.
[[noreturn]] void refuse_value(const std::string& option, const std::string& text, const std::string& expected);
/// `option: given with[out] ...; expected ...`, a usage error.
[[noreturn]] void refuse_given(const std::string& option, const std::string& how, const std::string& expected);

/// The options of a command, each with the place that its value goes to and that holds its default. Values are taken as
/// text and checked here, so that every refusal names the option, the text and what was expected. An option that takes
/// one value may be given once. The help is written here, too: that of CLI11, which reads the words, differs from
/// version to version.
class OptionTable {
 public:
  OptionTable(const char* command, const char* description);
  ~OptionTable();
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;

  void text(const std::string& name, const std::string& value_name, std::string& target, const std::string& help);
  /// Files by name: standard input is none.
  void file(const std::string& name, std::string& target, const std::string& help, Need need = Need::optional);
  void files(const std::string& name, std::vector<std::string>& target, const std::string& help, Need need);
  void flag(const std::string& name, bool& target, const std::string& help);
  void number(const std::string& name, const std::string& value_name, NumberRange range, double& target,
              const std::string& help, DefaultInHelp shows = DefaultInHelp::hidden);
  void number(const std::string& name, const std::string& value_name, NumberRange range, std::optional<double>& target,
              const std::string& help);
  /// Numbers with commas between them, each in the range.
  void numbers(const std::string& name, const std::string& value_name, NumberRange range, std::vector<double>& target,
               const std::string& help);

  template <class Integer>
  void count(const std::string& name, const std::string& value_name, std::uint64_t low, std::uint64_t high,
             Integer& target, const std::string& help, DefaultInHelp shows = DefaultInHelp::hidden) {
    add_count(
        name, value_name, low, high, [&target](std::uint64_t n) { target = static_cast<Integer>(n); }, help,
        shows == DefaultInHelp::shown ? std::to_string(target) : "");
  }

  /// The same; not set unless given. The help shows what is taken then.
  template <class Integer>
  void count(const std::string& name, const std::string& value_name, std::uint64_t low, std::uint64_t high,
             std::optional<Integer>& target, Integer otherwise, const std::string& help) {
    add_count(
        name, value_name, low, high, [&target](std::uint64_t n) { target = static_cast<Integer>(n); }, help,
        std::to_string(otherwise));
  }

  /// One word of a list; the help shows the default if it is one of them.
  template <class Value>
  void choice(const std::string& name, const std::vector<std::pair<std::string, Value>>& choices, Value& target,
              const std::string& help) {
    choice(name, choices, target, target, help);
  }
  /// The same; not set unless given. The help shows what is taken then.
  template <class Value, class Target>
  void choice(const std::string& name, const std::vector<std::pair<std::string, Value>>& choices, Target& target,
              Value otherwise, const std::string& help) {
    std::vector<std::string> words;
    std::string default_text;
    for (const auto& [word, value] : choices) {
      words.push_back(word);
      if (value == otherwise) default_text = word;
    }
    add_choice(
        name, words, [&target, choices](std::size_t index) { target = choices[index].second; }, help, default_text);
  }

  /// A text that `store` reads, or refuses with refuse_value().
  void parsed(const std::string& name, const std::string& value_name,
              const std::function<void(const std::string&)>& store, const std::string& help);

  /// Text below the options in the help.
  void set_notes(const std::string& notes);

  /// Sets the targets. If help is asked for, prints it and returns false: what the command does, a line
  /// `--name VALUE=default ... REQUIRED  help` per option, and the notes.
  [[nodiscard]] bool parse(const CommandLine& line);

  /// Of an option declared before parse(): whether the line had it.
  [[nodiscard]] bool is_given(const std::string& name) const;

 private:
  using Store = std::function<void(const std::string&)>;
  CLI::Option* add(const std::string& name, const std::string& value_name, const Store& store, const std::string& help,
                   const std::string& default_text = {});
  void add_number(const std::string& name, const std::string& value_name, NumberRange range,
                  const std::function<void(double)>& store, const std::string& help, const std::string& default_text);
  void add_count(const std::string& name, const std::string& value_name, std::uint64_t low, std::uint64_t high,
                 const std::function<void(std::uint64_t)>& store, const std::string& help,
                 const std::string& default_text);
  void add_choice(const std::string& name, const std::vector<std::string>& words,
                  const std::function<void(std::size_t)>& store, const std::string& help,
                  const std::string& default_text);
  [[nodiscard]] std::string help() const;

  std::unique_ptr<CLI::App> app_;
};

}  // namespace lanemax::cli

#endif
