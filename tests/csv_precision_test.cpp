// SPDX-License-Identifier: BSD-3-Clause
// When decimal text is kept in f64.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "tests/support/data_files.hpp"

namespace lanemax {
namespace {

using testing_data::PeakMemory;
using testing_data::read_content;
using testing_data::status_of;
using testing_data::TempFile;
using Doubles = LargeVector<double>;
using Floats = LargeVector<float>;

const ReadOptions kAsNeeded = {.precision = TextPrecision::as_needed};
const ReadOptions kF64 = {.precision = TextPrecision::f64};

Dataset read(const std::string& content, const ReadOptions& options = kAsNeeded) {
  Dataset dataset;
  const FileStatus result = read_content(content, dataset, options);
  EXPECT_TRUE(result.ok()) << message(result.status);
  return dataset;
}

std::string text_of(double value) {
  std::string text(40, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.17g", value)));
  return text;
}

// Rows whose first column is one of the values (each in turn) and whose second is 0.1 or 0.2.
std::string rows_of(const Doubles& values, std::size_t rows = 40) {
  std::string text;
  for (std::size_t i = 0; i < rows; ++i) {
    text += text_of(values[i % values.size()]) + (i % 2 == 0 ? ",0.1,x\n" : ",0.2,y\n");
  }
  return text;
}

TEST(CsvPrecision, UnixTimesAndDatesAreKeptWhole) {
  for (const Doubles& values : {Doubles{1.7e9, 1.7e9 + 9001, 1.7e9 - 8999}, Doubles{20180131, 20180201, 20181231}}) {
    const Dataset dataset = read(rows_of(values));
    ASSERT_EQ(dataset.type, FeatureType::f64);
    ASSERT_EQ(dataset.doubles.size(), 80U);
    EXPECT_TRUE(dataset.values.empty());
    EXPECT_EQ(dataset.view().data, dataset.doubles.data());
    EXPECT_EQ(dataset.view().type, FeatureType::f64);
    for (std::size_t i = 0; i < 40; ++i) {
      EXPECT_EQ(dataset.doubles[2 * i], values[i % 3]);
      EXPECT_EQ(dataset.doubles[2 * i + 1], i % 2 == 0 ? 0.1 : 0.2);  // all features, not only the one that needs it
    }
    EXPECT_EQ(dataset.samples, 40U);
    EXPECT_EQ(dataset.labels.size(), 40U);
    EXPECT_EQ(dataset.class_labels, (std::vector<std::string>{"x", "y"}));
  }
}

// Two values in turn have a deviation of half their difference; the limit is 2^-24 max|x| = 1e-4 deviation.
TEST(CsvPrecision, TheLimitIsWhereTheRuleSays) {
  for (const double largest : {1.0, -1.0, 3e-30, 1e9, -2.5e30}) {
    const double limit = 2 * 0x1p-24 * largest / 1e-4;
    for (const double factor : {0.0, 1e-13, 1e-6, 0.5, 0.99, 1.01, 2.0, 3e3}) {
      const FeatureType expected = factor > 0 && factor < 1 ? FeatureType::f64 : FeatureType::f32;
      const double other = largest - limit * factor;
      if (other == largest && factor > 0) continue;  // not to be told apart in f64 either
      if (std::fabs(other) > std::fabs(largest)) continue;
      EXPECT_EQ(read(rows_of({largest, other})).type, expected) << largest << ' ' << factor;
      EXPECT_EQ(read(rows_of({other, largest})).type, expected) << largest << ' ' << factor;
    }
  }
}

// 1,700,000,000 to 1,700,000,009 are one number in f32: constant there, but not in the file.
TEST(CsvPrecision, ValuesThatF32CannotTellApartAreNotConstant) {
  EXPECT_EQ(read(rows_of({1.7e9, 1.7e9 + 9})).type, FeatureType::f64);
  EXPECT_EQ(read(rows_of({1.7e9})).type, FeatureType::f32);
  EXPECT_EQ(read(rows_of({0.1})).type, FeatureType::f32);
  EXPECT_EQ(read("1700000000,a\n").type, FeatureType::f32);
}

TEST(CsvPrecision, AnOutlierAtTheBeginningDoesNotBlindTheRule) {
  // 1000 times around 1e9 with a deviation of 1, after one 0: a deviation of 3e7 in all.
  std::string text = "0,x\n";
  for (int i = 0; i < 1000; ++i) text += i % 2 == 0 ? "1000000001,y\n" : "999999999,x\n";
  EXPECT_EQ(read(text).type, FeatureType::f32);
  // The same without the outlier, and with one that is not far enough.
  EXPECT_EQ(read(text.substr(4)).type, FeatureType::f64);
  EXPECT_EQ(read("999990000" + text.substr(1)).type, FeatureType::f64);
}

TEST(CsvPrecision, AllFilesOfASetCountTogether) {
  const TempFile first(rows_of({1.7e9})), second(rows_of({1.7e9 + 500})), far(rows_of({0}));
  Dataset dataset;
  ASSERT_TRUE(read_dataset({first.path(), first.path()}, "", kAsNeeded, dataset).ok());
  EXPECT_EQ(dataset.type, FeatureType::f32);
  ASSERT_TRUE(read_dataset({first.path(), second.path()}, "", kAsNeeded, dataset).ok());
  ASSERT_EQ(dataset.type, FeatureType::f64);
  EXPECT_EQ(dataset.samples, 80U);
  EXPECT_EQ(dataset.doubles[0], 1.7e9);
  EXPECT_EQ(dataset.doubles[159 - 1], 1.7e9 + 500);
  ASSERT_TRUE(read_dataset({first.path(), second.path(), far.path()}, "", kAsNeeded, dataset).ok());
  EXPECT_EQ(dataset.type, FeatureType::f32);
  EXPECT_EQ(dataset.samples, 120U);
}

TEST(CsvPrecision, LabelsAndWeightsAreNotFeatures) {
  std::string text = "t,w,y\n";
  for (int i = 0; i < 10; ++i) text += std::to_string(i) + ",170000000" + std::to_string(i) + ",180000000" + "\n";
  EXPECT_EQ(read(text).type, FeatureType::f64);
  const ReadOptions weighted = {.weight_column = "w", .precision = TextPrecision::as_needed};
  const Dataset dataset = read(text, weighted);
  EXPECT_EQ(dataset.type, FeatureType::f32);
  EXPECT_EQ(dataset.sample_weights.size(), 10U);
}

TEST(CsvPrecision, IsWhatWasAskedFor) {
  const std::string text = "1,0.1,x\n1e-400,0.12345678901234567,y\n-0,3.4028235e38,x\n";
  Dataset dataset = read(text, kF64);
  EXPECT_EQ(dataset.type, FeatureType::f64);
  EXPECT_EQ(dataset.doubles, (Doubles{1, 0.1, 0, 0.12345678901234567, 0, 3.4028235e38}));
  EXPECT_TRUE(std::signbit(dataset.doubles[4]));
  EXPECT_EQ(read("1,2,x\n", kF64).doubles, (Doubles{1, 2}));
  dataset = read(rows_of({1.7e9, 1.7e9 + 9}), {});
  EXPECT_EQ(dataset.type, FeatureType::f32);
  EXPECT_EQ(dataset.values[0], 1.7e9F);
  EXPECT_TRUE(dataset.doubles.empty());
  // What f32 cannot hold is refused in either precision.
  for (const char* large : {"1e39", "3.4028236e38", "-1e300", "1e400"}) {
    for (const ReadOptions& options : {ReadOptions{}, kF64, kAsNeeded}) {
      EXPECT_STREQ(status_of(std::string(large) + ",x\n", options).what, "value too large") << large;
    }
  }
}

// Around the sizes in which rows are kept, and wider than them.
TEST(CsvPrecision, EveryShapeIsKeptWhole) {
  for (const std::size_t features : {1U, 2U, 3U, 31U, 511U, 512U, 513U, 1023U, 1024U, 1025U, 3000U}) {
    for (const std::size_t rows : {1U, 2U, 3U, 33U, 34U, 65U}) {
      std::string text;
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t d = 0; d < features; ++d) text += std::to_string(i * features + d) + ".25,";
        text += "x\n";
      }
      const Dataset narrow = read(text, {}), wide = read(text, kF64), watched = read(text);
      ASSERT_EQ(narrow.values.size(), rows * features);
      ASSERT_EQ(wide.doubles.size(), rows * features);
      for (std::size_t i = 0; i < rows * features; ++i) {
        ASSERT_EQ(wide.doubles[i], static_cast<double>(i) + 0.25);
        ASSERT_EQ(narrow.values[i], static_cast<float>(wide.doubles[i]));
      }
      if (watched.type == FeatureType::f32) {
        EXPECT_EQ(watched.values, narrow.values);
      } else {
        EXPECT_EQ(watched.doubles, wide.doubles);
      }
    }
  }
}

TEST(CsvPrecision, WatchingTakesNoMemory) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "1.25,2.5,3.75,4.5,5.25,6,7,8,x\n2,3,4,5,6,7,8,9,y\n";
  const TempFile file(text);
  const auto growth = [&](TextPrecision precision) {
    const PeakMemory memory;
    Dataset dataset;
    EXPECT_TRUE(read_dataset({file.path()}, "", {.precision = precision}, dataset).ok());
    return memory.growth();
  };
  if (growth(TextPrecision::f32) == 0) GTEST_SKIP() << "the peak of memory cannot be measured here";
  const std::size_t before = growth(TextPrecision::f32);
  EXPECT_LT(growth(TextPrecision::as_needed), before + (std::size_t{1} << 20));
  // In f64: the values twice as large, once.
  EXPECT_LT(growth(TextPrecision::f64), before + (std::size_t{1} << 20) + 200000 * 8 * 4);
}

}  // namespace
}  // namespace lanemax
