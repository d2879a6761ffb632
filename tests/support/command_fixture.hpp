// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_COMMAND_FIXTURE_HPP
#define LANEMAX_TESTS_SUPPORT_COMMAND_FIXTURE_HPP

#include "tests/support/run_command.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace lanemax::testing {

using nlohmann::json;
using Words = std::vector<std::string>;

inline constexpr std::size_t kRows = 90;
inline constexpr std::size_t kFeatures = 6;

// Three classes, each bright in two of six places; every tenth row carries the next class's label.
inline std::uint8_t pixel(std::size_t row, std::size_t feature) {
  const std::size_t noise = (row * 37 + feature * 101 + row * feature * 13) % 60;
  return static_cast<std::uint8_t>(feature / 2 == row % 3 ? 140 + noise : noise);
}
inline std::size_t label(std::size_t row) {
  return row % 10 == 9 ? (row + 1) % 3 : row % 3;
}

inline std::string images() {
  std::vector<std::uint8_t> values;
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t feature = 0; feature < kFeatures; ++feature) values.push_back(pixel(row, feature));
  }
  return idx_bytes({kRows, 2, 3}, values);
}

inline std::string digits(std::size_t rows = kRows) {
  std::vector<std::uint8_t> values;
  for (std::size_t row = 0; row < rows; ++row) values.push_back(static_cast<std::uint8_t>(3 + label(row)));
  return idx_bytes({static_cast<std::uint32_t>(rows)}, values);
}

// The same data as text, moved by an offset; rows of class 2 are left out where only two are wanted.
inline std::string table(bool with_label = true, bool two_classes = false, long offset = 0) {
  const char* names[] = {"ant", "bee", "\"cat, \"\"big\"\"\""};
  std::ostringstream text;
  text << "a,b,c,d,e,f" << (with_label ? ",species\n" : "\n");
  for (std::size_t row = 0; row < kRows; ++row) {
    if (two_classes && label(row) == 2) continue;
    for (std::size_t feature = 0; feature < kFeatures; ++feature) {
      text << (feature == 0 ? "" : ",") << offset + pixel(row, feature);
    }
    if (with_label) text << ',' << names[label(row)];
    text << '\n';
  }
  return text.str();
}

inline std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

inline std::vector<std::string> split_lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Lines that begin with `prefix`.
inline std::size_t lines_of(const std::string& text, const std::string& prefix) {
  const std::vector<std::string> lines = split_lines(text);
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [&](const std::string& line) { return line.starts_with(prefix); }));
}

inline std::set<std::string> keys(const json& object) {
  std::set<std::string> names;
  for (const auto& entry : object.items()) names.insert(entry.key());
  return names;
}

class CommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_text(directory_ / "x.idx", images());
    write_text(directory_ / "y.idx", digits());
    write_text(directory_ / "all.csv", table());
    write_text(directory_ / "two.csv", table(true, true));
    write_text(directory_ / "unlabelled.csv", table(false));
  }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }

  // Runs `lanemax words...`; a word @name becomes the path of that file in the test's directory.
  CommandResult run(Words words, const Words& environment = {}, const std::string& stdout_path = {}) const {
    return run_command(command(std::move(words)), environment, stdout_path);
  }
  [[nodiscard]] Words command(Words words) const {
    for (std::string& word : words) {
      if (word[0] == '@') word = path(word.substr(1));
    }
    words.insert(words.begin(), LANEMAX_COMMAND_PATH);
    return words;
  }

  static Words plus(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // Runs train with --json on data whose options are given, expecting success.
  json train(const Words& more, const Words& environment = {}) const {
    const CommandResult result = run(plus({"train", "--model", "@m", "--quiet", "--json"}, more), environment);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out, nullptr, false);
  }

  // One clear line, the right code, nothing on stdout, no file that was not there before.
  void expect_refusal(const Words& words, int exit_code, const std::string& mentions = "",
                      const Words& environment = {}) const {
    const auto before = directory_.files();
    const CommandResult result = run(words, environment);
    const std::string shown = ::testing::PrintToString(words) + "\n" + result.err;
    EXPECT_EQ(result.exit_code, exit_code) << shown;
    EXPECT_EQ(result.out, "") << shown;
    EXPECT_EQ(lines_of(result.err), 1U) << shown;
    EXPECT_EQ(result.err.rfind("lanemax: ", 0), 0U) << shown;
    // A failed system call speaks for itself.
    if (exit_code != 5) {
      EXPECT_NE(result.err.find("expected"), std::string::npos) << shown;
    }
    EXPECT_NE(result.err.find(mentions), std::string::npos) << shown;
    EXPECT_EQ(directory_.files(), before) << shown;
  }

  const Words idx_{"--data", "@x.idx", "--labels", "@y.idx"};
  const Words csv_{"--data", "@all.csv"};
  TemporaryDirectory directory_;
};

}  // namespace lanemax::testing

#endif
