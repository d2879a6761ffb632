// SPDX-License-Identifier: BSD-3-Clause
// How a file is cut into fields: its separator and its decimal mark.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
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

Strings decimal_notes(const Dataset& dataset) {
  Strings notes;
  for (const Remark& remark : dataset.remarks) {
    if (!remark.warning && remark.text.find("decimal commas") != std::string::npos) notes.push_back(remark.text);
  }
  return notes;
}

TEST(CsvSeparator, IsFound) {
  const Dataset expected = read("1.5,2,x\n3,4,y\n");
  expect_same(read("1.5;2;x\n3;4;y\n"), expected);
  expect_same(read("1.5\t2\tx\n3\t4\ty\n"), expected);
  expect_same(read("  1.5   2   x \n3 4 y\n"), expected);
  expect_same(read("1.5 2\tx\n3\t4 y\n", {.separator = ' '}), expected);
  expect_same(read("1.5 , 2 , x\n3 , 4,y\n"), expected);
  expect_same(read("1.5|2|x\n3|4|y\n", {.separator = '|'}), expected);
  expect_same(read("1.5 2 x\n3\t4 y\n", {.separator = ' '}), expected);
  expect_same(read("1.5:2:\"x\"\n3:4:y\n", {.separator = ':'}), expected);
  EXPECT_EQ(read("\"p,q\";s;t\n1;2;x\n").feature_names, (Strings{"p,q", "s"}));
  EXPECT_EQ(read("1\t2\ta b\n").class_labels, (Strings{"a b"}));
  EXPECT_EQ(read("\"a b\" c d\n1 2 x\n").feature_names, (Strings{"a b", "c"}));
  for (const char separator : {'1', 'e', '"', '\'', '.', '-', '+', '\n', '#'}) {
    EXPECT_EQ(status_of("1,2\n", {.separator = separator}).code, StatusCode::invalid_argument) << separator;
  }
  expect_refused("1,2,x\n3,4,y\n", "no feature columns", "1 column", 1, -1, {.separator = ';'});
  expect_refused("1;2\n", "value", "1;2", 1, 0, {.separator = ',', .labels_optional = true});
  expect_refused("1\t2\t\tx\n", "missing value", "", 1, 2);
}

// What another candidate stands for in these files is part of a field.
TEST(CsvSeparator, IsWhatSplitsAllRowsAlike) {
  EXPECT_EQ(read("a;b, in m;y\n1;2;u\n3;4;v\n").feature_names, (Strings{"a", "b, in m"}));
  EXPECT_EQ(read("1\tSmith, John\n2\tDoe\n").class_labels, (Strings{"Doe", "Smith, John"}));
  EXPECT_EQ(read("1\tSmith, J\n2\tDoe, J\n").class_labels, (Strings{"Doe, J", "Smith, J"}));
  EXPECT_EQ(read("1,2,p;q\n3,4,r;s\n").class_labels, (Strings{"p;q", "r;s"}));
  EXPECT_EQ(read("0.5,Class;1\n0.25,Class;2\n").class_labels, (Strings{"Class;1", "Class;2"}));
  EXPECT_EQ(read("0.5\tClass 1\n0.25\tClass 2\n").class_labels, (Strings{"Class 1", "Class 2"}));
  EXPECT_EQ(read("0.5,Class 1\n0.25,Class 2\n").class_labels, (Strings{"Class 1", "Class 2"}));
  EXPECT_EQ(read("0.5,4 doors\n5,2 doors\n").class_labels, (Strings{"2 doors", "4 doors"}));
  EXPECT_EQ(read("a b c\n1 2 x,y\n3 4 z\n").class_labels, (Strings{"x,y", "z"}));
  EXPECT_EQ(read("1;2;\"a,\nb;c\"\n3;4;d\n").class_labels, (Strings{"a,\nb;c", "d"}));
  // Lists of different lengths, fields of text: what matters is where the message points.
  expect_refused("1,2,3;7;a\n4,5,6,8;8;b\n1,2,3;9;a\n", "value", "1,2,3", 1, 0);
  expect_refused("p,q;r;s\n", "value", "p,q", 1, 0, {.header = HeaderMode::no});
  // A row of another length does not change what most rows say.
  expect_refused("a;b, in m;y\n1;2;u\n3;v\n5;6;u\n", "number of columns", "2, not 3", 3, -1);
  expect_refused("1,2,a b\n3,4,c d\n5,e f\n", "number of columns", "2, not 3", 3, -1);
}

TEST(CsvSeparator, MayBeNamedByTheFirstLine) {
  const Dataset expected = read("a;b;y\n1;2;u\n3;4;v\n");
  for (const char* line : {"sep=;\n", "SEP=;\r\n", "\"sep=;\"\r", "\xEF\xBB\xBFsep=;\n"}) {
    expect_same(read(line + std::string("a;b;y\n1;2;u\n3;4;v\n")), expected);
  }
  expect_same(read("sep=|\na|b|y\n1|2|u\n3|4|v\n"), expected);
  expect_same(read("sep=\t\na\tb\ty\n1\t2\tu\n3\t4\tv\n"), expected);
  expect_same(read("sep=,\na;b;y\n1;2;u\n3;4;v\n", {.separator = ';'}), expected);
  // Its line counts, and what only resembles it is a header.
  expect_refused("sep=;\na;b;y\n1;x;u\n", "value", "x", 3, 1);
  EXPECT_EQ(read("sep=a,y\n1,u\n").feature_names, (Strings{"sep=a"}));
  EXPECT_EQ(read("sep=,y\n1,u\n").feature_names, (Strings{"sep="}));
  expect_refused("sep=;", "no data rows", "", -1, -1);
  expect_refused("sep=;\n\n", "no data rows", "", -1, -1);
}

TEST(CsvSeparator, DecimalCommasAreRead) {
  const Dataset expected = read("0.72,1.5,a\n-2,1e-3,b\n+31.25,4,a\n");
  for (const std::string between : {";", "\t", " ; "}) {
    const std::string text = "0,72" + between + "1,5" + between + "a\n-2" + between + "1e-3" + between + "b\n+31,25" +
                             between + "4" + between + "a\n";
    Dataset dataset = read(text);
    expect_same(dataset, expected);
    ASSERT_EQ(decimal_notes(dataset).size(), 1U);
    EXPECT_NE(decimal_notes(dataset)[0].find(":1: decimal commas: '0,72' is read as 0.72"), std::string::npos)
        << decimal_notes(dataset)[0];
    dataset = read(text, {.decimal = ','});
    expect_same(dataset, expected);
    EXPECT_TRUE(decimal_notes(dataset).empty());
    expect_refused(text, "value", "0,72", 1, 0, {.decimal = '.'});
  }
  expect_same(read("0,72 1,5 a\n-2 1e-3 b\n+31,25 4 a\n", {.separator = ' '}), expected);
  expect_same(read("0,72 1,5 a\n-2 1e-3 b\n+31,25 4 a\n", {.decimal = ','}), expected);
  expect_refused("\"0,72\",2,a\n", "value", "0,72", 1, 0);
  expect_same(read("\"0,72\",\"1,5\",a\n-2,1e-3,b\n\"+31,25\",4,a\n", {.separator = ',', .decimal = ','}), expected);
  // One feature only, and no text at all.
  EXPECT_EQ(read("0,72;a\n1;b\n").values, (Floats{0.72F, 1}));
  EXPECT_EQ(read("0,72;a\n").class_labels, (Strings{"a"}));
  EXPECT_EQ(read("1,5;2,5;3,5;4,5\n", {.labels_optional = true}).values, (Floats{1.5F, 2.5F, 3.5F, 4.5F}));
  EXPECT_EQ(read("len, cm;y\n1,5;a\n2,5;b\n").feature_names, (Strings{"len, cm"}));
  EXPECT_EQ(read("1,5\n2,5\n", {.decimal = ',', .labels_optional = true}).values, (Floats{1.5F, 2.5F}));
  // Weights, too; labels stay as they are.
  const Dataset weighted = read("1;0,5;0,1\n2;1;0,2\n", {.weight_column = "1"});
  EXPECT_EQ(weighted.sample_weights, (std::vector<float>{0.5F, 1}));
  EXPECT_EQ(weighted.class_labels, (Strings{"0,1", "0,2"}));
  // Where there are none there is nothing to say.
  EXPECT_TRUE(decimal_notes(read("1;2;a,b\n3;4.5;c\n")).empty());
  EXPECT_EQ(read("0,12345678901234567;1,5e3;a\n", {.precision = TextPrecision::f64}).doubles,
            (LargeVector<double>{0.12345678901234567, 1500}));
}

TEST(CsvSeparator, OneDecimalMarkInAFile) {
  const char* what = "decimal point and decimal commas";
  expect_refused("1;2;a\n3;4.5;b\n1,5;2;a\n", what, "4.5", 2, 1);
  expect_refused("1.5;0,72;a\n", what, "1.5", 1, 0);
  expect_refused("x;y\n1.5;a\n\"2,5\";b\n", what, "1.5", 2, 0);
  expect_refused("1,5;2;a\n3;4.5;b\n", "value", "4.5", 2, 1);
  expect_refused("3;4.5;b\n", "value", "4.5", 1, 1, {.decimal = ','});
  Dataset dataset;
  EXPECT_EQ(read_content("1;2;a\n3;4.5;b\n1,5;2;a\n", dataset).note, "line 3 has '1,5'");
  for (const char* bad : {"1,234.5", "1.234,5", "1,2,3", "1,", ",5", ",", "1,5e", "0x1,5", "1 ,5"}) {
    expect_refused(std::string("1;2;x\n3;") + bad + ";y\n", "value", bad, 2, 1);
  }
  // A label with a point, a name with one: no numbers.
  EXPECT_EQ(read("v1.0;y\n1,5;a.b\n2;1.5\n").values, (Floats{1.5F, 2}));
  // Each file by itself.
  const TempFile commas("1,5;a\n"), points("2.5;b\n3,a\n"), first("4.5,a\n");
  EXPECT_FALSE(read_dataset({commas.path(), points.path()}, "", {}, dataset).ok());
  points.write("2.5;b\n");
  ASSERT_TRUE(read_dataset({commas.path(), points.path(), first.path(), commas.path()}, "", {}, dataset).ok());
  EXPECT_EQ(dataset.values, (Floats{1.5F, 2.5F, 4.5F, 1.5F}));
  EXPECT_EQ(decimal_notes(dataset).size(), 2U);
}

// "0,72 a" may be a number and a class, or two fields with a comma between them.
TEST(CsvSeparator, IsAskedForWhereItIsNotClear) {
  const char* what = "separator not clear";
  const char* found = "commas, or blanks and decimal commas";
  expect_refused("0,72 a\n0,5 b\n", what, found, 1, -1);
  expect_refused("# c\nx y\n1,5 a\n", what, found, 2, -1);
  expect_refused("0,72 1,5 a\n0,5 2,5 b\n", what, found, 1, -1);
  EXPECT_EQ(read("0,72 a\n0,5 b\n", {.separator = ' '}).values, (Floats{0.72F, 0.5F}));
  EXPECT_EQ(read("0,72 a\n0,5 b\n", {.separator = ','}).class_labels, (Strings{"5 b", "72 a"}));
  EXPECT_EQ(read("x y\n1,5 a\n", {.decimal = ','}).values, (Floats{1.5F}));
}

}  // namespace
}  // namespace lanemax
