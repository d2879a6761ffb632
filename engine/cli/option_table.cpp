// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/option_table.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace lanemax::cli {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& text, const std::string& expected) {
  give_up_usage(name + ": '" + one_line(text) + "'; expected " + expected);
}

// The whole text as a number; from_chars reads no sign +, no blanks and knows no locale.
template <class T>
std::optional<T> parse(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::string describe(const NumberRange& range) {
  std::string text = "a number ";
  text += range.open_low ? "above " : "from ";
  text += number_text(range.low) + (range.open_high ? " to below " : " to ");
  return text + number_text(range.high);
}

// False for NaN; the ends are finite.
bool contains(const NumberRange& range, double value) {
  return (range.open_low ? value > range.low : value >= range.low) &&
         (range.open_high ? value < range.high : value <= range.high);
}

// Another option where a value belongs is a forgotten value.
bool looks_like_option(const std::string& text) {
  return text.size() > 2 && text[0] == '-' && text[1] == '-' && text[2] >= 'a' && text[2] <= 'z';
}

void check_text(const std::string& name, const std::string& text) {
  if (text.empty() || looks_like_option(text)) refuse(name, text, "a value");
}

}  // namespace

CLI::Option* OptionTable::add(const std::string& name, const std::string& value_name,
                              const std::function<void(const std::string&)>& store, const std::string& help) {
  return app_.add_option_function<std::string>(name, store, help)->type_name(value_name);
}

CLI::Option* OptionTable::text(const std::string& name, const std::string& value_name, std::string& target,
                               const std::string& help) {
  const auto store = [name, &target](const std::string& text) {
    check_text(name, text);
    target = text;
  };
  return add(name, value_name, store, help);
}

CLI::Option* OptionTable::texts(const std::string& name, const std::string& value_name,
                                std::vector<std::string>& target, const std::string& help) {
  const auto store = [name, &target](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) check_text(name, text);
    target = texts;
  };
  return app_.add_option_function<std::vector<std::string>>(name, store, help)->type_name(value_name);
}

CLI::Option* OptionTable::flag(const std::string& name, bool& target, const std::string& help) {
  return app_.add_flag(name, target, help)->multi_option_policy(CLI::MultiOptionPolicy::Throw)->disable_flag_override();
}

CLI::Option* OptionTable::number(const std::string& name, const std::string& value_name, NumberRange range,
                                 const std::function<void(double)>& store, const std::string& help) {
  const auto checked = [=](const std::string& text) {
    const std::optional<double> value = parse<double>(text);
    if (!value || !contains(range, *value)) refuse(name, text, describe(range));
    store(*value);
  };
  return add(name, value_name, checked, help);
}

CLI::Option* OptionTable::numbers(const std::string& name, const std::string& value_name, NumberRange range,
                                  std::vector<double>& target, const std::string& help) {
  const auto checked = [=, &target](const std::string& text) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string word = text.substr(begin, end - begin);
      const std::optional<double> value = parse<double>(word);
      if (!value || !contains(range, *value)) refuse(name, word, describe(range));
      target.push_back(*value);
      begin = end + 1;
    }
  };
  return add(name, value_name, checked, help);
}

CLI::Option* OptionTable::count(const std::string& name, const std::string& value_name, std::uint64_t low,
                                std::uint64_t high, const std::function<void(std::uint64_t)>& store,
                                const std::string& help) {
  const auto checked = [=](const std::string& text) {
    const std::optional<std::uint64_t> value = parse<std::uint64_t>(text);
    if (!value || *value < low || *value > high) {
      refuse(name, text, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    store(*value);
  };
  return add(name, value_name, checked, help);
}

CLI::Option* OptionTable::word(const std::string& name, const std::vector<std::string>& words,
                               const std::function<void(std::size_t)>& store, const std::string& help) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : "|") + word;
  const auto checked = [=](const std::string& text) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] == text) return store(i);
    }
    refuse(name, text, "one of " + list);
  };
  return add(name, list, checked, help);
}

std::string OptionTable::help() const {
  constexpr std::size_t kHelpColumn = 36;
  const CLI::App& app = app_;
  std::string text = app.get_description() + "\nUsage: " + app.get_name() + " [OPTIONS]\n\nOptions:\n";
  for (const CLI::Option* option : app.get_options()) {
    std::string left = "  " + option->get_name(false, true);
    if (!option->get_type_name().empty()) left += " " + option->get_type_name();
    if (!option->get_default_str().empty()) left += "=" + option->get_default_str();
    if (option->get_expected_max() > 1) left += " ...";
    if (option->get_required()) left += " REQUIRED";
    if (left.size() >= kHelpColumn) {
      text += left + "\n";
      left.clear();
    }
    left.resize(kHelpColumn, ' ');
    text += left + option->get_description() + "\n";
  }
  if (!app.get_footer().empty()) text += "\n" + app.get_footer();
  return text;
}

}  // namespace lanemax::cli
