// SPDX-License-Identifier: BSD-3-Clause
// What the columns of a CSV file are taken for where nobody says: row numbers, labels that are no classes.
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

// The remarks of a kind, without the file's name before them.
Strings remarks(const Dataset& dataset, bool warnings) {
  Strings texts;
  for (const Remark& remark : dataset.remarks) {
    if (remark.warning == warnings) texts.push_back(remark.text.substr(remark.text.find(": ") + 2));
  }
  return texts;
}
Strings notes(const Dataset& dataset) {
  return remarks(dataset, false);
}
Strings warnings(const Dataset& dataset) {
  return remarks(dataset, true);
}

const std::string kLeftOut = "column 0 has no name and numbers the rows: left out";

// A table of twelve rows, `number` before each.
template <class Number>
std::string table(const std::string& header, const Number& number, const std::string& separator = ",") {
  std::string text = header;
  for (int row = 0; row < 12; ++row) {
    text += number(row) + separator + std::to_string(row % 5) + ".5" + separator + (row % 2 == 0 ? "u\n" : "v\n");
  }
  return text;
}
std::string from_0(int row) {
  return std::to_string(row);
}
std::string from_1(int row) {
  return std::to_string(row + 1);
}
std::string shuffled(int row) {
  return std::to_string(row * 5 % 12 + 30);
}
std::string quoted(int row) {
  return '"' + std::to_string(row + 1) + '"';
}

TEST(CsvColumns, RowNumbersWithoutANameAreLeftOut) {
  const Dataset plain = read("a,y\n" + [] {
    std::string text = table("", from_0), rest;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      rest += text.substr(text.find(',', at) + 1, text.find('\n', at) - text.find(',', at));
    }
    return rest;
  }());
  EXPECT_TRUE(plain.remarks.empty());
  for (const std::string& text : {table(",a,y\n", from_0), table(",a,y\n", from_1), table("\"\",\"a\",\"y\"\n", quoted),
                                  table(";a;y\n", from_1, ";"), table(",a,y\n", shuffled), table("a,y\n", from_1),
                                  table("\"a\" \"y\"\n", quoted, " "), table("a\ty\n", from_0, "\t"),
                                  table("# written by R\n\"a\",\"y\"\n", quoted)}) {
    SCOPED_TRACE(text.substr(0, 40));
    const Dataset dataset = read(text);
    EXPECT_EQ(dataset.features, 1U);
    EXPECT_EQ(dataset.values, plain.values);
    EXPECT_EQ(dataset.feature_names, (Strings{"a"}));
    EXPECT_EQ(dataset.class_labels, (Strings{"u", "v"}));
    EXPECT_EQ(notes(dataset), (Strings{kLeftOut}));
    EXPECT_TRUE(warnings(dataset).empty());
    ASSERT_EQ(dataset.columns.size(), 3U);
    EXPECT_EQ(dataset.columns[0].role, ColumnRole::id);
    EXPECT_EQ(dataset.columns[0].name, "");
    EXPECT_EQ(dataset.columns[1].role, ColumnRole::feature);
    EXPECT_EQ(dataset.columns[2].role, ColumnRole::label);
    // For prediction, too, with or without the labels.
    EXPECT_EQ(read(text, {.label_column = "y", .labels_optional = true}).values, plain.values);
  }
  EXPECT_EQ(read(",a,b\n1,2,3\n", {.labels_optional = true}).values, (Floats{2, 3}));
  EXPECT_EQ(read("a,b\n7,2,3\n", {.labels_optional = true}).values, (Floats{2, 3}));
}

TEST(CsvColumns, OnlyWholeNumbersOfOneRowEachNumberRows) {
  const auto features = [](const std::string& text, const ReadOptions& options = {}) {
    return read(text, options).features;
  };
  EXPECT_EQ(features(",a,y\n1,2,u\n1,3,v\n"), 2U);
  EXPECT_EQ(features(",a,y\n1,2,u\n2.5,3,v\n"), 2U);
  EXPECT_EQ(features(",a,y\n-1,2,u\n2,3,v\n"), 2U);
  EXPECT_EQ(features("n,a,y\n1,2,u\n2,3,v\n"), 2U);
  EXPECT_EQ(features(",,y\n1,2,u\n2,3,v\n", {.header = HeaderMode::yes}), 1U);
  EXPECT_EQ(features("a,,y\n1,2,u\n2,3,v\n"), 2U);
  // Text is refused with the option that helps, and dropping it does.
  expect_refused(",a,y\nx1,2,u\nx2,3,v\n", "value", "x1", 2, 0);
  EXPECT_EQ(features(",a,y\nx1,2,u\nx2,3,v\n", {.drop = {"0"}}), 1U);
  // An option that names the column knows better.
  EXPECT_EQ(read(",a,b\n1,2,3\n2,3,4\n", {.header = HeaderMode::yes, .label_column = "0"}).class_labels,
            (Strings{"1", "2"}));
  EXPECT_EQ(read(",a,y\n1,2,u\n2,3,v\n", {.weight_column = "0"}).sample_weights, (std::vector<float>{1, 2}));
  EXPECT_EQ(features(",a,y\n1,2,u\n2,3,v\n", {.drop = {"0"}}), 1U);
  expect_refused(",y\n1,u\n2,v\n", "no feature columns", "2 columns", 1, -1, {.header = HeaderMode::yes});
}

TEST(CsvColumns, AHeaderOneFieldShort) {
  const std::string words = "mpg,cyl,am\n\"Mazda RX4\",21,6,1\n\"Datsun 710\",22.8,4,0\n";
  expect_refused(words, "number of columns in the header", "3, not 4", 1, -1);
  Dataset dataset;
  EXPECT_EQ(read_content(words, dataset).note, "--drop 0 leaves out the column without a name");
  EXPECT_EQ(read(words, {.drop = {"0"}}).feature_names, (Strings{"mpg", "cyl"}));
  EXPECT_EQ(read(words, {.drop = {"0"}}).class_labels, (Strings{"0", "1"}));
  expect_refused("a,b,y\n1.5,2,3,u\n2.5,3,4,v\n", "number of columns in the header", "3, not 4", 1, -1);
  // Rows of values are not headers.
  expect_refused("1,2\n3,4,u\n", "number of columns", "3, not 2", 2, -1);
  expect_refused("a,b,y\n1,2,3,4,u\n", "number of columns", "5, not 3", 2, -1);
}

TEST(CsvColumns, SeparatorsAtTheEndsOfLines) {
  const Dataset expected = read("a,b,y\n1,2,u\n3,4,v\n");
  const std::string left_out = "all lines end with a separator (semicolons): the empty last column is left out";
  for (const std::string text : {"a;b;y;\n1;2;u;\n3;4;v;\n", "a;b;y\n1;2;u;\n3;4;v;\n", "a;b;y;\n1;2;u; \n3;4;v;"}) {
    SCOPED_TRACE(text);
    expect_same(read(text), expected);
    EXPECT_EQ(notes(read(text)), (Strings{left_out}));
    expect_same(read(text, {.drop = {"-1"}}), expected);
    expect_same(read(text, {.label_column = "y"}), expected);
    ASSERT_EQ(read(text).columns.size(), 4U);
    EXPECT_EQ(read(text).columns[3].role, ColumnRole::dropped);
  }
  EXPECT_EQ(read("1;2;u;\n3;4;v;\n").class_labels, (Strings{"u", "v"}));
  EXPECT_EQ(read("1;2;u;\n3;4;v;\n").features, 2U);
  EXPECT_EQ(read("a;b;\n1;2;\n", {.labels_optional = true}).features, 2U);
  EXPECT_EQ(read("1;2;\n", {.labels_optional = true}).features, 2U);
  EXPECT_EQ(read("1\t2\tu\t\n3\t4\tv\t\n").class_labels, (Strings{"u", "v"}));
  // With row numbers before them.
  EXPECT_EQ(read(";a;y;\n1;2;u;\n2;4;v;\n").values, (Floats{2, 4}));
  // A column with a name, or with something in it, or for which there is another reason.
  expect_refused("a;b;y\n1;2;\n3;4;\n", "missing label", "", 2, 2);
  expect_refused("1;2;\n3;4;u\n", "missing label", "", 1, 2);
  expect_refused("1;2;\n3;4;\"\"\n", "missing label", "", 1, 2);
  Dataset dataset;
  EXPECT_NE(read_content("a;b;y;\n1;2;u;\n3;4;v\n", dataset)
                .note.find("line 3 has 3 columns, not 4, fields are separated by semicolons"),
            std::string::npos);
  expect_refused("a;b;\n1;2;\n", "label column", "2", -1, -1, {.label_column = "2"}, StatusCode::invalid_argument);
}

TEST(CsvColumns, TheFirstFileDecides) {
  const TempFile first(table("a,y\n", from_1)), again(table("a,y\n", from_1)), named(table(",a,y\n", shuffled));
  const TempFile bare("x,1.5,u\n"), other("n,a,y\n1,2,u\n");
  Dataset dataset;
  ASSERT_TRUE(read_dataset({first.path(), again.path(), named.path(), bare.path()}, "", {}, dataset).ok());
  EXPECT_EQ(dataset.features, 1U);
  EXPECT_EQ(dataset.samples, 37U);
  EXPECT_EQ(notes(dataset), (Strings{kLeftOut}));
  ASSERT_TRUE(read_dataset({named.path(), first.path()}, "", {}, dataset).ok());
  EXPECT_EQ(dataset.samples, 24U);
  EXPECT_EQ(read_dataset({first.path(), other.path()}, "", {}, dataset).status.code, StatusCode::shape_mismatch);
}

TEST(CsvColumns, ColumnsThatCountAreKeptWithAWarning) {
  const Dataset dataset = read(table("id,a,y\n", from_1));
  EXPECT_EQ(dataset.features, 2U);
  EXPECT_TRUE(notes(dataset).empty());
  EXPECT_EQ(warnings(dataset),
            (Strings{"column 0 'id' counts the rows and is kept as a feature (--drop id leaves it out)"}));
  EXPECT_EQ(warnings(read(table("", from_0))),
            (Strings{"column 0 counts the rows and is kept as a feature (--drop 0 leaves it out)"}));
  EXPECT_EQ(warnings(read(table("id,a,y\n", from_1), {.precision = TextPrecision::f64})).size(), 1U);
  EXPECT_TRUE(warnings(read(table("id,a,y\n", shuffled))).empty());
  EXPECT_TRUE(warnings(read(table("id,a,y\n", from_1), {.drop = {"id"}})).empty());
  EXPECT_TRUE(warnings(read(table("id,a,y\n", from_1), {.label_column = "y", .labels_optional = true})).empty());
  const Strings known = {"u", "v"};
  EXPECT_TRUE(warnings(read(table("id,a,y\n", from_1), {.known_classes = &known})).empty());
  // In the middle; of several files, in the first; not in a handful of rows.
  std::string text;
  for (int row = 0; row < 2000; ++row)
    text += std::to_string(row % 7) + "," + std::to_string(row) + (row % 2 ? ",u\n" : ",v\n");
  EXPECT_EQ(warnings(read(text)).size(), 1U);
  const TempFile first(text), second(table("", from_0));
  Dataset both;
  ASSERT_TRUE(read_dataset({first.path(), second.path()}, "", {}, both).ok());
  EXPECT_EQ(warnings(both).size(), 1U);
  EXPECT_TRUE(warnings(read("1,u\n2,v\n3,u\n4,v\n")).empty());
}

std::string rows_of_labels(const Strings& labels) {
  std::string text = "x,price\n";
  for (std::size_t i = 0; i < labels.size(); ++i) text += std::to_string(i * 7 % 10) + "," + labels[i] + "\n";
  return text;
}

TEST(CsvColumns, ATargetThatIsNoClass) {
  Strings labels;
  for (int i = 0; i < 101; ++i) labels.push_back(std::to_string(i) + ".25");
  expect_refused(rows_of_labels(labels), "labels that are no classes", "101 classes of one row each", -1, -1);
  Dataset dataset;
  EXPECT_EQ(read_content(rows_of_labels(labels), dataset).note, "they are in column 1 'price'");
  const Strings known = {"1.25"};
  EXPECT_EQ(read(rows_of_labels(labels), {.known_classes = &known}).samples, 101U);
  EXPECT_EQ(read(rows_of_labels(labels), {.label_column = "1", .labels_optional = true}).samples, 101U);
  // A class of two rows among them, or one label less: a warning.
  labels.push_back("7.25");
  EXPECT_EQ(warnings(read(rows_of_labels(labels))),
            (Strings{"100 of 101 classes have a single row; are the labels (column 1 'price') classes? "
                     "--label-column says which column holds them"}));
  labels.resize(100);
  EXPECT_EQ(warnings(read(rows_of_labels(labels))).size(), 1U);
  // Half of them is not more than half.
  EXPECT_TRUE(warnings(read(rows_of_labels({"a", "b", "b", "c", "d", "d"}))).empty());
  EXPECT_EQ(warnings(read(rows_of_labels({"a", "b", "b", "c"}))).size(), 1U);
}

TEST(CsvColumns, OneNumberInTwoSpellings) {
  const auto said = [](const Strings& labels) { return notes(read(rows_of_labels(labels))); };
  EXPECT_EQ(said({"1", "1.0", "2", "1", "1.0", "2"}),
            (Strings{"the labels '1' and '1.0' are one number, but two classes"}));
  EXPECT_EQ(said({"01", "x", "1", "x", "01", "1"}),
            (Strings{"the labels '01' and '1' are one number, but two classes"}));
  EXPECT_TRUE(said({"1", "2", "1a", "1", "2", "1a"}).empty());
  EXPECT_TRUE(said({"a", "b", "a", "b"}).empty());
}

}  // namespace
}  // namespace lanemax
