// SPDX-License-Identifier: BSD-3-Clause
// The text of a status.
#include "engine/fail.hpp"
#include "engine/workspace.hpp"
#include "tests/support/comma_locale.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iostream>
#include <limits>
#include <set>
#include <string>

namespace lanemax {
namespace {

TEST(StatusMessage, HasEveryPositionThatIsKnown) {
  Status status = fail(StatusCode::bad_data, "value", "a number", "x\ny");
  status.line = 7;
  status.row = 5;
  status.column = 2;
  status.byte = 99;
  EXPECT_EQ(message(status), "value 'x?y', line 7, row 5, column 2, byte 99; expected a number");
  EXPECT_EQ(message({}), "ok");
}

TEST(StatusMessage, BeginsWithTheFile) {
  const Status missing = of_file("a/b.safetensors", cannot_open(ENOENT));
  EXPECT_EQ(message(missing), "a/b.safetensors: cannot open: No such file or directory");
  const Status kept = of_file("state", fail(StatusCode::bad_checkpoint, "l2", "the same", "1\n2"));
  EXPECT_EQ(message(kept), "state: checkpoint: l2 '1?2'; expected the same");
  EXPECT_EQ(of_file("state", Status{}).file, std::string());
  EXPECT_EQ(of_file("a\nb\xFF", kept).file, std::string("a?b?"));
}

// Whole characters from the end.
TEST(StatusMessage, ALongPathIsCutOnItsLeft) {
  constexpr std::size_t kLongest = sizeof(Status::file) - 1;
  const Status status = fail(StatusCode::io_error, "cannot read", "");
  for (const std::string character : {"d", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    for (std::size_t size = kLongest - 8; size < kLongest + 9; ++size) {
      std::string path;
      while (path.size() + character.size() + 5 <= size) path += character;
      path += "/file";
      while (path.size() < size) path.insert(0, "/");
      const std::string file = of_file(path, status).file;
      if (size <= kLongest) {
        EXPECT_EQ(file, path);
        continue;
      }
      ASSERT_TRUE(file.starts_with("...")) << file;
      EXPECT_TRUE(path.ends_with(file.substr(3))) << file;
      EXPECT_TRUE(is_utf8(file)) << file;
      EXPECT_LE(file.size(), kLongest);
      EXPECT_GT(file.size() + character.size(), kLongest);
    }
  }
}

TEST(StatusMessage, NumbersAreWrittenInNoLocale) {
  const checks::CommaLocale locale;
  if (!locale.is_at_work()) std::cout << "[ SKIPPED  ] C's part of the locale" << std::endl;
  const auto text_of = [](double value) {
    Status status;
    set_found(status, value);
    return std::string(status.found);
  };
  EXPECT_EQ(text_of(1234.5), "1234.5");
  EXPECT_EQ(text_of(-1), "-1");
  EXPECT_EQ(text_of(1e300), "1e+300");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "nan");
  Status status = fail(StatusCode::bad_data, "value", "");
  status.line = 1234567;
  EXPECT_EQ(message(status), "value, line 1234567");
}

TEST(StatusMessage, WhatWasFoundIsCutBetweenCharacters) {
  const auto shown_of = [](const std::string& text) {
    const std::string shown_text = shown(text);
    EXPECT_LT(shown_text.size(), sizeof(Status::found));
    return shown_text;
  };
  const std::string euro = "\xE2\x82\xAC";
  std::string many;
  for (int i = 0; i < 100; ++i) many += euro;
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string text = std::string(before, 'x') + many, got = shown_of(text);
    EXPECT_EQ(text.compare(0, got.size(), got), 0);
    EXPECT_EQ((got.size() - before) % 3, 0U);
    EXPECT_GT(got.size() + 3, sizeof(Status::found) - 1);
  }
  EXPECT_EQ(shown_of("a\xFF\xE2\x82"
                     "b\x7F\x1B"),
            "a???b??");
}

TEST(StatusMessage, EveryCodeHasANameOfItsOwn) {
  std::set<std::string> names;
  int code = 0;
  for (; name_of(static_cast<StatusCode>(code)) != std::string("unknown"); ++code) {
    const Status status = fail(static_cast<StatusCode>(code), "", "");
    EXPECT_TRUE(names.insert(name_of(status.code)).second) << name_of(status.code);
    EXPECT_EQ(message(status).find(name_of(status.code)) == std::string::npos, false) << message(status);
  }
  EXPECT_EQ(code, static_cast<int>(StatusCode::out_of_memory) + 1);
}

TEST(StatusMessage, SaysWhatTheSystemSaid) {
  Status status = fail(StatusCode::io_error, "write", "");
  status.system_error = ENOSPC;
  EXPECT_EQ(message(status), std::string("write: ") + std::strerror(ENOSPC));
}

TEST(StatusMessage, AWorkspaceSaysHowMuchIsMissing) {
  std::byte memory[64];
  EXPECT_EQ(message(check_workspace(memory, 4096)),
            "workspace '64 of 4096'; expected as many bytes as the size query returns");
  EXPECT_EQ(message(check_workspace({}, 4096)),
            "workspace '0 of 4096'; expected as many bytes as the size query returns");
}

}  // namespace
}  // namespace lanemax
