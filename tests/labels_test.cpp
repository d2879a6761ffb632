// SPDX-License-Identifier: BSD-3-Clause
// Class names, and the number parser that labels and values share.
#include "engine/data/labels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "engine/data/number.hpp"

namespace lanemax {
namespace {

using Strings = std::vector<std::string>;

Strings sorted(Strings classes) {
  sort_classes(classes);
  return classes;
}

TEST(Labels, SortNumericallyOnlyIfAllAreNumbers) {
  EXPECT_EQ(sorted({"10", "9", "-1", "2.5"}), (Strings{"-1", "2.5", "9", "10"}));
  EXPECT_EQ(sorted({"10", "9", "x"}), (Strings{"10", "9", "x"}));
  EXPECT_EQ(sorted({"b", "B", "\xC3\xA9", "a"}), (Strings{"B", "a", "b", "\xC3\xA9"}));
  EXPECT_EQ(sorted({"10", "9", "inf"}), (Strings{"10", "9", "inf"}));
  EXPECT_EQ(sorted({"10", "9", "1e400"}), (Strings{"10", "1e400", "9"}));
  EXPECT_EQ(sorted({"+1", "-1"}), (Strings{"-1", "+1"}));
}

TEST(Labels, DifferentSpellingsStayDifferent) {
  EXPECT_EQ(sorted({"2", "1.0", "1", "01"}), (Strings{"01", "1", "1.0", "2"}));
  EXPECT_EQ(sorted({"0", "-0"}), (Strings{"-0", "0"}));
}

TEST(Labels, TableNumbersTextsInOrder) {
  LabelTable table;
  EXPECT_EQ(table.number_of("b"), 0);
  EXPECT_EQ(table.number_of("a"), 1);
  EXPECT_EQ(table.number_of("b"), 0);
  for (int i = 0; i < 10007; ++i) EXPECT_EQ(table.number_of("class " + std::to_string(i)), i + 2);
  EXPECT_EQ(table.text(0), "b");
  EXPECT_EQ(table.text(10008), "class 10006");
}

TEST(Labels, AssignsIndicesAndCountsUnknown) {
  LabelTable table;
  Dataset dataset;
  for (const char* text : {"20", "3", "20"}) dataset.labels.push_back(table.number_of(text));
  dataset.labels.push_back(Dataset::kUnknownLabel);
  Dataset mapped = dataset;
  assign_classes(table, nullptr, dataset);
  EXPECT_EQ(dataset.class_labels, (Strings{"3", "20"}));
  EXPECT_EQ(dataset.labels, (std::vector<std::int32_t>{1, 0, 1, -1}));
  EXPECT_EQ(dataset.unknown_labels, 1U);
  const Strings known = {"x", "3", "3.0"};
  assign_classes(table, &known, mapped);
  EXPECT_EQ(mapped.labels, (std::vector<std::int32_t>{-1, 1, -1, -1}));
  EXPECT_EQ(mapped.class_labels, known);
  EXPECT_EQ(mapped.unknown_labels, 3U);
}

// The short path must give the bits of the general one, for every number of digits before and after the point.
TEST(Numbers, ShortDecimalsRoundLikeFromChars) {
  std::uint64_t state = 1;
  for (int i = 0; i < 200000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    std::string digits = std::to_string(state >> (i % 60));
    if (i % 3 != 0) digits.insert(1 + (state >> 40) % digits.size(), 1, '.');
    std::string text = i % 2 == 0 ? "-" : "";
    text += digits;
    double expected = 0, general = 0, quick = 0;
    ASSERT_EQ(std::from_chars(text.data(), text.data() + text.size(), expected).ec, std::errc{});
    ASSERT_EQ(parse_number(text, general), NumberError::none);
    ASSERT_EQ(std::memcmp(&general, &expected, sizeof expected), 0) << text;
    const char* const end = scan_short_decimal(text.c_str(), quick);
    const std::size_t count = digits.size() - (digits.find('.') != std::string::npos ? 1 : 0);
    ASSERT_EQ(end != nullptr, count <= 15) << text;
    if (end == nullptr) continue;
    ASSERT_EQ(end, text.c_str() + text.size()) << text;
    ASSERT_EQ(std::memcmp(&quick, &expected, sizeof expected), 0) << text;
  }
}

TEST(Numbers, ShortPathLeavesTheRestAlone) {
  double value = 7;
  for (const char* text : {"", "-", ".", "+.", "e5", "1e5", "1E5", "1.e5", "nan", "inf", "x", "1234567890123456",
                           "0.1234567890123456", "123456789012345678901234567890"}) {
    EXPECT_EQ(scan_short_decimal(text, value), nullptr) << text;
  }
  for (const char* text : {"1", "1.", ".5", "+1", "-0", "123456789012345", "0.12345678901234"}) {
    EXPECT_EQ(scan_short_decimal(text, value), text + std::strlen(text)) << text;
  }
}

TEST(Numbers, DecimalCommas) {
  for (const char* text :
       {"1,5", "-0,25", "+3", "12345678901234,5", "1,2345678901234567890", "1,5e3", "2e-3", ",5", "1,"}) {
    std::string pointed = text;
    std::replace(pointed.begin(), pointed.end(), ',', '.');
    double expected = 0, general = 1, quick = 2;
    ASSERT_EQ(parse_number(pointed, expected), NumberError::none) << text;
    EXPECT_EQ(parse_number(text, ',', general), NumberError::none) << text;
    EXPECT_EQ(general, expected) << text;
    EXPECT_EQ(scan_short_decimal(text, quick, ',') != nullptr, scan_short_decimal(pointed.c_str(), quick) != nullptr);
    if (scan_short_decimal(text, quick, ',') == nullptr) continue;
    EXPECT_EQ(quick, expected) << text;
  }
  double value = 0;
  for (const char* text : {"1.5", "1,2,3", "1.2,3", "1,2.3", "", ",", "1,5 "}) {
    EXPECT_EQ(parse_number(text, ',', value), NumberError::not_a_number) << text;
  }
  EXPECT_EQ(parse_number("1,5e999", ',', value), NumberError::out_of_range);
  for (const char* text : {"1,5", "-1,5", "0,72", "1,5e3", "1,234"}) EXPECT_TRUE(has_decimal_comma(text)) << text;
  for (const char* text : {"1.5", "15", "1,", ",5", "1,2,3", "1,2.3", "a,b", "1,b", "", ",", "1,5e999"}) {
    EXPECT_FALSE(has_decimal_comma(text)) << text;
  }
}

TEST(Numbers, RoundToFloat) {
  float rounded = 0;
  EXPECT_TRUE(round_to_float(0x1.fffffefffffffp127, rounded));
  EXPECT_EQ(rounded, 0x1.fffffep127F);
  EXPECT_FALSE(round_to_float(0x1.ffffffp127, rounded));
  EXPECT_FALSE(round_to_float(-1e300, rounded));
  EXPECT_TRUE(round_to_float(-1e-300, rounded));
  EXPECT_EQ(rounded, 0.0F);
}

}  // namespace
}  // namespace lanemax
