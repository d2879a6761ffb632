// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "engine/data/csv.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/number.hpp"
#include "tests/support/comma_locale.hpp"
#include "tests/support/data_files.hpp"

namespace lanemax {
namespace {

using testing_data::expect_refused;
using testing_data::expect_same;
using testing_data::read;
using testing_data::read_content;
using testing_data::status_of;
using testing_data::TempFile;
using Strings = std::vector<std::string>;
using Floats = LargeVector<float>;
using Labels = std::vector<std::int32_t>;

const ReadOptions kHeader = {.header = HeaderMode::yes};
const ReadOptions kNoHeader = {.header = HeaderMode::no};

TEST(Csv, ReadsNumbersLabelsAndNames) {
  const Dataset dataset = read("a,b,kind\n1,2.5,x\n-3,4e2,y\n+.5, 6. ,x\n");
  EXPECT_EQ(dataset.samples, 3U);
  EXPECT_EQ(dataset.features, 2U);
  EXPECT_EQ(dataset.type, FeatureType::f32);
  EXPECT_EQ(dataset.values, (Floats{1, 2.5F, -3, 400, 0.5F, 6}));
  EXPECT_EQ(dataset.labels, (Labels{0, 1, 0}));
  EXPECT_EQ(dataset.class_labels, (Strings{"x", "y"}));
  EXPECT_EQ(dataset.feature_names, (Strings{"a", "b"}));
  EXPECT_TRUE(dataset.sample_weights.empty());
  EXPECT_EQ(dataset.view().data, dataset.values.data());
}

TEST(Csv, LineEndsMarksAndBlankLinesDoNotMatter) {
  const std::string text = "a,b,c\n1,2,x\n\"3\",4,\"y z\"\n";
  const Dataset expected = read(text);
  const auto with = [&](const std::string& line_end) {
    std::string changed;
    for (const char c : text) changed += c == '\n' ? line_end : std::string(1, c);
    return changed;
  };
  expect_same(read(with("\r\n")), expected);
  expect_same(read(with("\r")), expected);
  expect_same(read(with("\n\n  \n\t\n")), expected);
  expect_same(read(text.substr(0, text.size() - 1)), expected);
  expect_same(read(text + "\n\n\r\n  "), expected);
  expect_same(read("\xEF\xBB\xBF" + text), expected);
  expect_same(read(testing_data::gzip(text)), expected);
  expect_same(read("# a comment, with commas\n  # another\n" + text), expected);
  expect_same(read("a,b,c\n# between\n" + text.substr(6)), expected);
}

TEST(Csv, LabelsAreKeptAsText) {
  EXPECT_EQ(read("1,  a b \t\n").class_labels, (Strings{"a b"}));
  const Dataset dataset = read(
      "1, <=50K.\n2,'build wind non-float'\n3,\"one, two\"\n4,\"say \"\"hi\"\" \"\n5,\"two\nlines\"\n6,1\" pipe\n"
      "7,  \" padded \"  \n8,-\n9,\"NA\"\n10,\xC3\xA9\n");
  EXPECT_EQ(dataset.samples, 10U);
  const Strings expected = {
      "<=50K.",  "'build wind non-float'", "one, two", "say \"hi\" ", "two\nlines", "1\" pipe", " padded ", "-", "NA",
      "\xC3\xA9"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(dataset.class_labels[static_cast<std::size_t>(dataset.labels[i])], expected[i]);
  }
  // Single quotes do not quote: a comma between them separates.
  expect_refused("1,2,'a b'\n3,4,'a, b'\n", "number of columns", "4, not 3", 2, -1);
}

TEST(Csv, MissingLabels) {
  for (const char* mark : {"", "\"\"", "?", "NA", "N/A", "na", "null", "NULL", "nan", "NaN"}) {
    const std::string text = std::string("1,a\n2,") + mark + "\n";
    const std::string found = mark[0] == '"' ? "" : mark;
    expect_refused(text, "missing label", found.c_str(), 2, 1);
    const Dataset dataset = read(text, {.label_column = "1", .labels_optional = true});
    EXPECT_EQ(dataset.labels, (Labels{0, Dataset::kUnknownLabel}));
    EXPECT_EQ(dataset.unknown_labels, 1U);
  }
}

TEST(Csv, FindsTheLabelColumn) {
  const std::string text = "a,b,c\nx,1,2\ny,3,4\n";
  for (const char* column : {"0", "-3", "a"}) {
    const Dataset dataset = read(text, {.label_column = column});
    EXPECT_EQ(dataset.class_labels, (Strings{"x", "y"}));
    EXPECT_EQ(dataset.values, (Floats{1, 2, 3, 4}));
    EXPECT_EQ(dataset.feature_names, (Strings{"b", "c"}));
  }
  EXPECT_EQ(read("p,q\n1,2\n", {.label_column = "none"}).features, 2U);
  EXPECT_TRUE(read("p,q\n1,2\n", {.label_column = "none"}).labels.empty());
  EXPECT_EQ(read("1,2\n", {.labels_optional = true}).features, 2U);
  EXPECT_EQ(read("1\n2\n", {.labels_optional = true}).features, 1U);
  EXPECT_EQ(read("'p' 'q'\n1 2\n", {.label_column = "p"}).class_labels, (Strings{"1"}));
}

TEST(Csv, RefusesColumnsThatAreNotThere) {
  const StatusCode usage = StatusCode::invalid_argument;
  const std::string text = "a,b,c\n1,2,x\n";
  for (const char* column : {"3", "-4", "d", "99999999999999999999", "1.5", " "}) {
    expect_refused(text, "label column", column, -1, -1, {.label_column = column}, usage);
    expect_refused(text, "weight column", column, -1, -1, {.weight_column = column}, usage);
  }
  Dataset dataset;
  EXPECT_EQ(read_content(text, dataset, {.label_column = "d"}).note, "the file has 3 columns: 0 a, 1 b, 2 c");
  EXPECT_EQ(read_content(text, dataset, {.label_column = "9"}).note, "the file has 3 columns");
  EXPECT_EQ(read_content(text, dataset).note, "");
  expect_refused(text, "label column", "a", -1, -1, {.header = HeaderMode::no, .label_column = "a"}, usage);
  expect_refused("a,a,c\n1,2,x\n", "label column", "a", -1, -1, {.label_column = "a"}, usage);
  expect_refused(text, "weight column", "c", -1, -1, {.label_column = "2", .weight_column = "c"}, usage);
  // An index that is the name of another column, in a file with numbered names.
  expect_refused("y,0,1\na,2,3\n", "label column", "0", -1, -1, {.header = HeaderMode::yes, .label_column = "0"},
                 usage);
  EXPECT_EQ(read("y,0,1\na,2,3\n", {.header = HeaderMode::yes, .label_column = "-3"}).class_labels, (Strings{"a"}));
}

TEST(Csv, SampleWeights) {
  const Dataset dataset = read("a,w,b,c\n1,0.5,2,x\n3,0,4,y\n", {.weight_column = "w"});
  EXPECT_EQ(dataset.sample_weights, (std::vector<float>{0.5F, 0}));
  EXPECT_EQ(dataset.values, (Floats{1, 2, 3, 4}));
  EXPECT_EQ(dataset.feature_names, (Strings{"a", "b"}));
  // The label is the last column that is not the weight.
  EXPECT_EQ(read("1,x,7\n", {.weight_column = "-1"}).class_labels, (Strings{"x"}));
  for (const char* bad : {"-1", "-1e-300", "x", "", "1e39", "1e400", "0x1"}) {
    expect_refused(std::string("1,1,x\n1,") + bad + ",x\n", "sample weight", bad, 2, 1, {.weight_column = "1"});
  }
  for (const char* bad : {"nan", "inf", "-Infinity"}) {
    expect_refused(std::string("1,1,x\n1,") + bad + ",x\n", "sample weight", bad, 2, 1, {.weight_column = "1"},
                   StatusCode::not_finite);
  }
}

TEST(Csv, DecidesWhetherThereIsAHeader) {
  EXPECT_EQ(read("1,2,x\n3,4,y\n").samples, 2U);
  EXPECT_EQ(read("a,b,x\n3,4,y\n").samples, 1U);
  EXPECT_EQ(read("1,2,x\n3,4,y\n", kHeader).samples, 1U);
  EXPECT_EQ(read("1,2,x\n3,4,y\n", kHeader).feature_names, (Strings{"1", "2"}));
  EXPECT_EQ(read("a,,x\n3,4,y\n").feature_names, (Strings{"a", ""}));
  EXPECT_EQ(read("1,b,x\n3,4,y\n").samples, 1U);
  expect_refused("a,b,x\n3,4,y\n", "value", "a", 1, 0, kNoHeader);
  // Neither a missing mark nor a damaged number makes a header of a row of values.
  for (const char* mark : {"?", "-", "NA", "null"}) {
    expect_refused(std::string("1,") + mark + ",x\n3,4,y\n", "missing value", mark, 1, 1);
  }
  expect_refused("1,,x\n3,4,y\n", "missing value", "", 1, 1);
  expect_refused("1,1.2.3,x\n3,4,y\n", "value", "1.2.3", 1, 1);
  expect_refused("1,nan,x\n3,4,y\n", "value", "nan", 1, 1, {}, StatusCode::not_finite);
  // A row of values with one mistyped cell is not swallowed either.
  expect_refused("1,x2,3,x\n3,4,5,y\n", "first row has names and numbers", "x2", 1, 1);
  EXPECT_EQ(read("1,x2,3,x\n3,4,5,y\n", kHeader).samples, 1U);
}

TEST(Csv, NumberedNamesAreNeverTakenForASample) {
  const char* what = "first row may be a header of numbers";
  const std::string rows = "A,5,6,7\nB,2,3,4\nA,4,4,4\nB,1,1,1\n";
  const ReadOptions first = {.label_column = "0"};
  expect_refused("Letter,1,2,3\n" + rows, what, "Letter", 1, -1, first);
  expect_refused("# comment\n\nLetter,0,1,2\n" + rows, what, "Letter", 3, -1, first);
  expect_refused("Letter,7,1,2\n1,2,3,4\n2,2,3,4\n", what, "Letter", 1, -1, first);
  expect_refused("0,1,2,3,4,5,6,7\n9,9,9,9,9,9,9,0\n", what, "", 1, -1);
  expect_refused("0,1,2,3,4,5,6,7\n9,9,9,9,9,9,9,0\n", what, "", 1, -1, {.labels_optional = true});
  EXPECT_EQ(read("Letter,1,2,3\n" + rows, {.header = HeaderMode::yes, .label_column = "0"}).samples, 4U);
  EXPECT_EQ(read("Letter,1,2,3\n" + rows, {.header = HeaderMode::no, .label_column = "0"}).class_labels,
            (Strings{"A", "B", "Letter"}));
  // What only resembles it.
  EXPECT_EQ(read("A,1,2,3\n" + rows, first).samples, 5U);
  EXPECT_EQ(read("C,1,2,4\n" + rows, first).samples, 5U);
  EXPECT_EQ(read("1,2,3,a\n4,5,6,b\n").samples, 2U);
  EXPECT_EQ(read("1,2,3,4\n5,6,7,8\n").samples, 2U);
  const Strings known = {"Letter", "1"};
  EXPECT_EQ(read("Letter,1,2,3\n1,2,3,4\n", {.label_column = "0", .known_classes = &known}).samples, 2U);
}

TEST(Csv, RefusesFilesWithoutRows) {
  for (const char* text : {"", "\n", " \r\n\t\n", "\xEF\xBB\xBF", "\xEF\xBB\xBF\n", "# only a comment", "#\n#\n"}) {
    expect_refused(text, "no data rows", "", -1, -1);
  }
  for (const char* text : {"a,b,c", "a,b,c\n", "a,b,c\r\n\r\n", "a,b,c\n# comment\n"}) {
    expect_refused(text, "no data rows", "", -1, -1);
    EXPECT_STREQ(status_of(text).expected, "a row of values after the header");
  }
  expect_refused("1,2\n", "no data rows", "", -1, -1, kHeader);
}

TEST(Csv, RefusesTextThatIsNotUtf8) {
  const auto byte_of = [](std::string_view text, const char* what) {
    const Status status = status_of(text, {.format = FileFormat::csv});
    EXPECT_EQ(status.code, StatusCode::bad_data);
    EXPECT_STREQ(status.what, what);
    return status.byte;
  };
  EXPECT_EQ(byte_of(std::string_view("\xFF\xFE"
                                     "1\0,\0",
                                     6),
                    "text encoding"),
            0);
  EXPECT_EQ(byte_of(std::string_view("\xFE\xFF\0"
                                     "1\0,",
                                     6),
                    "text encoding"),
            0);
  EXPECT_EQ(byte_of(std::string_view("1\0,\0002\0\n\0", 8), "NUL byte in text"), 1);
  EXPECT_EQ(byte_of(std::string_view("1,2\n3,4\n5,\0\n", 12), "NUL byte in text"), 10);
  EXPECT_EQ(byte_of(std::string_view("1,2\n\0", 5), "NUL byte in text"), 4);
}

// What no model can hold is refused where it stands, not after training.
TEST(Csv, RefusesNamesThatAreNotUtf8) {
  const std::string latin1 = "x,y,M\xFCller\n1,2,a\n3,4,Z\xFCrich\n";
  expect_refused("x,y,c\n1,2,a\n3,4,Z\xFCrich\n", "label", "Z?rich", 3, 2);
  expect_refused("x,y,c\n1,2,a\n3,4,\"Z\xFCrich\"\n", "label", "Z?rich", 3, 2);
  expect_refused("x,y,c\n1,2,\xE2\x82\n", "label", "??", 2, 2);
  expect_refused(
      "x,gr\xF6\xDF"
      "e,c\n1,2,a\n",
      "header name", "gr??e", 1, 1);
  expect_refused(latin1, "header name", "M?ller", 1, 2);
  const Strings known = {"a", "b"};
  expect_refused("x,c\n1,\xE4\n", "label", "?", 2, 1, {.known_classes = &known});
  // Where the label is of no use, so is its encoding.
  EXPECT_EQ(read("x,c\n1,\xE4\n", {.label_column = "c", .labels_optional = true, .known_classes = &known}).samples, 1U);
  // Comments go nowhere, and well-formed text of any script is welcome.
  EXPECT_EQ(read("# M\xFCller\nx,\xE6\x95\xB0,c\n1,2,\xF0\x9F\x90\x88\n").class_labels, (Strings{"\xF0\x9F\x90\x88"}));
  EXPECT_STREQ(status_of("x,c\n1,a\n2,\xED\xA0\x80\n").found, "???");
}

TEST(Csv, RefusesRaggedRows) {
  expect_refused("1,2,x\n3,4,y\n5,y\n", "number of columns", "2, not 3", 3, -1);
  expect_refused("1,2,x\n3,4,5,y\n", "number of columns", "4, not 3", 2, -1);
  expect_refused("1,2,x\r\n\r\n3\r\n", "number of columns", "1, not 3", 3, -1);
  expect_refused("1,2,x\n3,4,y,\n", "number of columns", "4, not 3", 2, -1);
  expect_refused("1 2 x\n3 4 y z\n", "number of columns", "4, not 3", 2, -1);
  expect_refused("1,\"2\n\n\",x\n", "value", "2??", 1, 1);
  expect_refused("1,2,\"x\ny\"\n1,2\n", "number of columns", "2, not 3", 3, -1);
  expect_refused("1,2,x\n3,4\n", "number of columns", "2, not 3", 2, -1,
                 {.label_column = "2", .labels_optional = true});
  std::string large = "a,b,c\n";
  for (int i = 0; i < 1000001; ++i) large += "1,2,3\n";
  expect_refused(large + "4,5\n", "number of columns", "2, not 3", 1000003, -1);
}

TEST(Csv, RefusesBrokenQuotes) {
  expect_refused("1,a\n2,\"b\n3,c\n", "quoted field without end", "b?3,c?", 2, -1);
  expect_refused("1,a\n2,\"b\"\"", "quoted field without end", "b\"\"", 2, -1);
  expect_refused("1,a\n2,\"b\" c\n", "text after a closing quote", "b", 2, -1);
  expect_refused("\"a\"b,c\n1,2\n", "text after a closing quote", "a", 1, -1);
}

TEST(Csv, RefusesCellsThatAreNotNumbers) {
  for (const char* bad : {"abc", "0x10", "1e", "1e+",      "1.2.3", "1_000", "--1",  "+-1", "+",  ".",    "e5",
                          "1 2", "1d5",  "1f", "\xD9\xA1", "0b1",   "1e5.0", "{0 5", "$5",  "5%", "1'000"}) {
    expect_refused(std::string("1,2,x\n3,") + bad + ",y\n", "value", bad, 2, 1);
    expect_refused(std::string("1,2,x\n3,\"") + bad + "\",y\n", "value", bad, 2, 1);
  }
  for (const char* bad : {"nan", "NaN", "-nan", "inf", "+INF", "-Infinity"}) {
    expect_refused(std::string("1,2,x\n") + bad + ",3,y\n", "value", bad, 2, 0, {}, StatusCode::not_finite);
  }
  for (const char* bad : {"1e39", "-1e39", "3.4028236e38", "1e400", "-1e999999999999999999999", "0.001e404"}) {
    expect_refused(std::string("1,2,x\n") + bad + ",3,y\n", "value too large", bad, 2, 0);
  }
  for (const char* bad : {"?", "", "NA", "N/A", "-", "null"}) {
    expect_refused(std::string("1,2,x\n3,") + bad + ",y\n", "missing value", bad, 2, 1);
  }
  expect_refused("a,b,c\n{0 5,5 1}\n", "number of columns", "2, not 3", 2, -1);
  expect_refused("a,c\n{0 5,5 1}\n", "value", "{0 5", 2, 0);
}

TEST(Csv, NumbersRoundThroughDoubleToFloat) {
  const auto value_of = [](const std::string& text) { return read("0," + text + ",x\n").values[1]; };
  EXPECT_EQ(value_of("3.4028235e38"), std::numeric_limits<float>::max());
  EXPECT_EQ(value_of("3.40282356e38"), std::numeric_limits<float>::max());
  EXPECT_EQ(value_of("1e-400"), 0.0F);
  EXPECT_EQ(value_of("1e-99999999999999999999"), 0.0F);
  EXPECT_EQ(value_of("0e99999999999999999999"), 0.0F);
  EXPECT_EQ(value_of("0." + std::string(400, '0') + "1e5"), 0.0F);
  EXPECT_EQ(value_of("0." + std::string(400, '0') + "1e401"), 1.0F);
  EXPECT_TRUE(std::signbit(value_of("-0")));
  EXPECT_TRUE(std::signbit(value_of("-1e-400")));
  EXPECT_EQ(value_of("1e-45"), std::numeric_limits<float>::denorm_min());
}

TEST(Csv, SeveralFilesAreOneDataSet) {
  const TempFile a("p,q,c\n1,2,z\n"), b("p,q,c\r\n3,4,y\r\n"), bare("5,6,z\n"), wide("1,2,3,z\n");
  const TempFile renamed("p,r,c\n3,4,y\n"), semicolons("'p';q;c\n7;8;x\n");
  Dataset dataset;
  ASSERT_TRUE(read_dataset({a.path(), b.path(), bare.path(), semicolons.path()}, "", {}, dataset).ok());
  EXPECT_EQ(dataset.values, (Floats{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(dataset.class_labels, (Strings{"x", "y", "z"}));
  EXPECT_EQ(dataset.labels, (Labels{2, 1, 2, 0}));
  const auto refused = [&](const TempFile& first, const TempFile& second, const char* what, const char* found,
                           std::int64_t column, const ReadOptions& options = {}) {
    const FileStatus result = read_dataset({first.path(), second.path()}, "", options, dataset);
    EXPECT_EQ(result.status.code, StatusCode::shape_mismatch);
    EXPECT_STREQ(result.status.what, what);
    EXPECT_STREQ(result.status.found, found);
    EXPECT_EQ(result.status.line, 1);
    EXPECT_EQ(result.status.column, column);
    EXPECT_EQ(result.file, second.path());
  };
  refused(a, wide, "number of columns", "4, not 3", -1);
  refused(a, renamed, "header", "r", 1);
  refused(a, renamed, "header", "r", 1, kHeader);
  refused(a, bare, "header", "5", 0, kHeader);
  refused(bare, a, "header", "p", -1);
  EXPECT_EQ(dataset.samples, 4U);
  // A header that had to be declared is recognised again.
  const TempFile numbered("0,1,y\n5,6,z\n");
  ASSERT_TRUE(read_dataset({numbered.path(), numbered.path()}, "", kHeader, dataset).ok());
  EXPECT_EQ(dataset.samples, 2U);
}

TEST(Csv, LeavesTheDataSetAloneOnErrors) {
  Dataset dataset;
  ASSERT_TRUE(read_content("1,2,x\n", dataset).ok());
  const Dataset before = dataset;
  EXPECT_FALSE(read_content("3,4,y\n5,?,y\n", dataset).ok());
  expect_same(dataset, before);
}

TEST(Csv, EveryPrefixIsRefusedOrValid) {
  const std::string text =
      "\xEF\xBB\xBF# c\r\n\"a\"\"b\",b , w,class\r\n+1.5,2e3,1,\"x\ny\"\r\n -7, .5 ,0,' z'\n\n8,9,1,\"p \"\"q\"\"\"";
  const TempFile file("");
  std::size_t valid = 0;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    for (const char* weight : {"", "2"}) {
      file.write(std::string_view(text).substr(0, size));
      Dataset dataset;
      const FileStatus result = read_dataset({file.path()}, "", {.weight_column = weight}, dataset);
      EXPECT_EQ(result.ok(), dataset.samples > 0);
      EXPECT_EQ(dataset.values.size(), dataset.samples * dataset.features);
      EXPECT_EQ(dataset.labels.size(), dataset.samples);
      if (result.ok()) ++valid;
    }
  }
  EXPECT_GT(valid, 4U);
  EXPECT_LT(valid, text.size());
}

TEST(Csv, EveryBitFlipIsRefusedOrValid) {
  const std::string text = "a,b,c\n1,2.5,x\n-3,4e1,\"y\"\n";
  const TempFile file("");
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string bytes = text;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    file.write(bytes);
    Dataset dataset;
    const FileStatus result = read_dataset({file.path()}, "", {}, dataset);
    EXPECT_EQ(result.ok(), dataset.samples > 0);
    for (const float value : dataset.values) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Csv, ManyColumnsAndManyRows) {
  std::string wide;
  for (int i = 0; i < 1000000; ++i) wide += "1,";
  EXPECT_EQ(read(wide + "x\n").features, 1000000U);
  expect_refused(std::string(2000000, ','), "number of columns", "", 1, -1);
  // A first row that promises many columns for many lines.
  expect_refused(wide + "x\n" + std::string(1000000, '\n') + "1\n", "number of columns", "1, not 1000001", 1000002, -1);
  std::string tall;
  for (int i = 0; i < 1000000; ++i) tall += "7\n";
  EXPECT_EQ(read(tall, {.label_column = "none"}).samples, 1000000U);
}

TEST(Csv, LocaleDoesNotMatter) {
  const std::string text = "1234.5,1e3,20000\n0.25,12345678901234567890,3\n";
  const Dataset expected = read(text);
  const checks::CommaLocale locale;
  if (!locale.is_at_work()) std::cout << "[ SKIPPED  ] C's part of the locale" << std::endl;
  const Dataset dataset = read(text);
  expect_same(dataset, expected);
  EXPECT_EQ(dataset.values[0], 1234.5F);
}

}  // namespace
}  // namespace lanemax
