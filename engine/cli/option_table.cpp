// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/option_table.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/output.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>

namespace lanemax::cli {
namespace {

// The whole text as a number; from_chars reads no sign +, no blanks and knows no locale.
template <class T>
std::optional<T> parse_whole(const std::string& text) {
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

double number_in(const NumberRange& range, const std::string& option, const std::string& text) {
  const std::optional<double> value = parse_whole<double>(text);
  if (!value || !contains(range, *value)) refuse_value(option, text, describe(range));
  return *value;
}

// Another option where a value belongs is a forgotten value.
bool looks_like_option(const std::string& text) {
  return text.size() > 2 && text[0] == '-' && text[1] == '-' && text[2] >= 'a' && text[2] <= 'z';
}

void check_text(const std::string& option, const std::string& text) {
  if (text.empty() || looks_like_option(text)) refuse_value(option, text, "a value");
}

void check_file(const std::string& option, const std::string& path) {
  check_text(option, path);
  if (path == "-") refuse_value(option, path, "a file, standard input is not read");
}

// A value left out after `=`: CLI11 would take the next word instead.
void check_words(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1) {
      give_up_usage(word.substr(0, word.size() - 1) + ": no value; expected one after '='");
    }
  }
}

std::string text_of(const CLI::ParseError& error, const CLI::App& app) {
  const std::string help = "; expected what `" + app.get_name() + " --help` lists";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extras = app.remaining();
    if (!extras.empty()) return "'" + one_line(extras.front()) + "': unknown option or argument" + help;
  }
  const std::string text = one_line(error.what());
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return text + help;
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string name = text.substr(0, text.find_first_of(": "));
    if (text.find("missing") != std::string::npos) return name + ": no value" + help;
    if (text.find("At Most") != std::string::npos) return name + ": given more than once; expected at most once";
    if (text.find("flag override") != std::string::npos) return "--" + name + ": takes no value" + help;
  }
  return text + help;
}

}  // namespace

void refuse_value(const std::string& option, const std::string& text, const std::string& expected) {
  give_up_usage(option + ": '" + one_line(text) + "'; expected " + expected);
}

void refuse_given(const std::string& option, const std::string& how, const std::string& expected) {
  give_up_usage(option + ": given " + how + "; expected " + expected);
}

OptionTable::OptionTable(const char* command, const char* description)
    : app_(std::make_unique<CLI::App>(description, std::string("lanemax ") + command)) {
  app_->set_help_flag("-h,--help", "print this help and exit");
}

OptionTable::~OptionTable() = default;

CLI::Option* OptionTable::add(const std::string& name, const std::string& value_name, const Store& store,
                              const std::string& help, const std::string& default_text) {
  return app_->add_option_function<std::string>(name, store, help)->type_name(value_name)->default_str(default_text);
}

void OptionTable::parsed(const std::string& name, const std::string& value_name, const Store& store,
                         const std::string& help) {
  add(name, value_name, store, help);
}

void OptionTable::text(const std::string& name, const std::string& value_name, std::string& target,
                       const std::string& help) {
  const auto store = [name, &target](const std::string& text) {
    check_text(name, text);
    target = text;
  };
  add(name, value_name, store, help);
}

void OptionTable::file(const std::string& name, std::string& target, const std::string& help, Need need) {
  const auto store = [name, &target](const std::string& path) {
    check_file(name, path);
    target = path;
  };
  add(name, "FILE", store, help)->required(need == Need::required);
}

void OptionTable::files(const std::string& name, std::vector<std::string>& target, const std::string& help, Need need) {
  const auto store = [name, &target](const std::vector<std::string>& paths) {
    for (const std::string& path : paths) check_file(name, path);
    target = paths;
  };
  app_->add_option_function<std::vector<std::string>>(name, store, help)
      ->type_name("FILE")
      ->required(need == Need::required);
}

void OptionTable::flag(const std::string& name, bool& target, const std::string& help) {
  app_->add_flag(name, target, help)->multi_option_policy(CLI::MultiOptionPolicy::Throw)->disable_flag_override();
}

void OptionTable::number(const std::string& name, const std::string& value_name, NumberRange range, double& target,
                         const std::string& help, DefaultInHelp shows) {
  add_number(
      name, value_name, range, [&target](double value) { target = value; }, help,
      shows == DefaultInHelp::shown ? number_text(target) : "");
}

void OptionTable::number(const std::string& name, const std::string& value_name, NumberRange range,
                         std::optional<double>& target, const std::string& help) {
  add_number(name, value_name, range, [&target](double value) { target = value; }, help, "");
}

void OptionTable::add_number(const std::string& name, const std::string& value_name, NumberRange range,
                             const std::function<void(double)>& store, const std::string& help,
                             const std::string& default_text) {
  const auto checked = [=](const std::string& text) { store(number_in(range, name, text)); };
  add(name, value_name, checked, help, default_text);
}

void OptionTable::numbers(const std::string& name, const std::string& value_name, NumberRange range,
                          std::vector<double>& target, const std::string& help) {
  const auto checked = [=, &target](const std::string& text) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      target.push_back(number_in(range, name, text.substr(begin, end - begin)));
      begin = end + 1;
    }
  };
  add(name, value_name, checked, help);
}

void OptionTable::add_count(const std::string& name, const std::string& value_name, std::uint64_t low,
                            std::uint64_t high, const std::function<void(std::uint64_t)>& store,
                            const std::string& help, const std::string& default_text) {
  const auto checked = [=](const std::string& text) {
    const std::optional<std::uint64_t> value = parse_whole<std::uint64_t>(text);
    if (!value || *value < low || *value > high) {
      refuse_value(name, text, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    store(*value);
  };
  add(name, value_name, checked, help, default_text);
}

void OptionTable::add_choice(const std::string& name, const std::vector<std::string>& words,
                             const std::function<void(std::size_t)>& store, const std::string& help,
                             const std::string& default_text) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : "|") + word;
  const auto checked = [=](const std::string& text) {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found == words.end()) refuse_value(name, text, "one of " + list);
    store(static_cast<std::size_t>(found - words.begin()));
  };
  add(name, list, checked, help, default_text);
}

void OptionTable::set_notes(const std::string& notes) {
  app_->footer(notes);
}

bool OptionTable::parse(const CommandLine& line) {
  std::vector<std::string> words(line.begin() + 2, line.end());
  check_words(words);
  std::reverse(words.begin(), words.end());
  try {
    app_->parse(words);
  } catch (const CLI::CallForHelp&) {
    write_stdout(help());
    return false;
  } catch (const CLI::ParseError& error) {
    give_up_usage(text_of(error, *app_));
  }
  return true;
}

bool OptionTable::is_given(const std::string& name) const {
  return app_->count(name) > 0;
}

std::string OptionTable::help() const {
  constexpr std::size_t kHelpColumn = 36;
  const CLI::App& app = *app_;
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
