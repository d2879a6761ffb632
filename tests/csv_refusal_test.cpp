// SPDX-License-Identifier: BSD-3-Clause
// What a refused CSV file is told about: all columns that cannot be read at once, with what would help.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "tests/support/data_files.hpp"

namespace lanemax {
namespace {

using testing_data::expect_refused;
using testing_data::read;
using testing_data::read_content;
using testing_data::status_of;
using testing_data::TempFile;
using Strings = std::vector<std::string>;
using Floats = LargeVector<float>;

std::string note_of(const std::string& content, const ReadOptions& options = {}) {
  Dataset dataset;
  const FileStatus result = read_content(content, dataset, options);
  EXPECT_FALSE(result.ok()) << content;
  EXPECT_EQ(result.note.find_first_of("\n\r\t"), std::string::npos);
  return result.note;
}

const std::string kOwnTable =
    "id,city,age,income,active,class\n"
    "A17,Cape Town,31,1200.5,1,yes\n"
    "A18,,NA,2200,0,no\n"
    "A19,Bern,47,?,1,yes\n"
    "A20,Oslo,28,inf,1,no\n";

TEST(CsvRefusal, NamesAllColumnsThatCannotBeRead) {
  expect_refused(kOwnTable, "value", "A17", 2, 0);
  EXPECT_EQ(note_of(kOwnTable),
            "4 columns cannot be read: 0 'id': text in 4 of 4 rows, 1 'city': text in 4 of 4 rows from line 2, "
            "2 'age': missing value in 1 of 4 rows from line 3, 3 'income': missing value in 2 of 4 rows from line 4; "
            "--drop id,city,age,income leaves them out, --label-column says which column holds classes");
  EXPECT_EQ(note_of(kOwnTable, {.drop = {"id", "1", "age"}}),
            "column 3 'income': missing value in 2 of 4 rows; --drop income leaves it out");
  const Dataset dataset = read(kOwnTable, {.drop = {"id", "city", "age", "income"}});
  EXPECT_EQ(dataset.feature_names, (Strings{"active"}));
  EXPECT_EQ(dataset.class_labels, (Strings{"no", "yes"}));
  // By index where there is no name that can be given so.
  EXPECT_EQ(
      note_of("x,1,x\n3,x y,u\n4,5,v\n", {.header = HeaderMode::yes}),
      "column 1 '1': text in 1 of 2 rows; --drop 1 leaves it out, --label-column says which column holds classes");
  EXPECT_EQ(note_of("1,2,?,u\n3,4,5,v\n"), "column 2: missing value in 1 of 2 rows; --drop 2 leaves it out");
}

TEST(CsvRefusal, ListsTenColumnsAndCountsTheOthers) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "c" + std::to_string(i) + ",";
  text += "y\n";
  for (int i = 0; i < 30; ++i) text += i < 22 ? "?," : "1,";
  text += "u\n";
  const std::string note = note_of(text);
  EXPECT_EQ(note.rfind("22 columns cannot be read: 0 'c0': missing value in 1 of 1 rows, 1 'c1'", 0), 0U) << note;
  EXPECT_NE(note.find("9 'c9': missing value in 1 of 1 rows from line 2, and 12 more; --drop COLUMNS leaves them out"),
            std::string::npos)
      << note;
  std::string long_names = std::string(5000, 'a') + "," + std::string(5000, 'b') + ",y\n?,x,u\n";
  EXPECT_LT(note_of(long_names).size(), 400U);
  // Each option that drops them is a valid one.
  EXPECT_EQ(read(kOwnTable + "A21,Rome,?,1,1,no\n", {.drop = {"id", "city", "age", "income"}}).samples, 5U);
}

TEST(CsvRefusal, SaysWhatWouldHelp) {
  EXPECT_EQ(note_of("a,b,u\n1,2,v\n3,4,u\n", {.header = HeaderMode::no}),
            "2 columns cannot be read: 0: text in 1 of 3 rows, 1: text in 1 of 3 rows from line 1; "
            "--header yes takes the first line for names");
  EXPECT_EQ(note_of("a;b;y\n1,5;2;u\n", {.decimal = '.'}),
            "column 0 'a': decimal comma in 1 of 1 rows; --decimal , reads commas, --drop a leaves it out");
  EXPECT_EQ(note_of("a,b,y\n\"1,5\",2,u\n"),
            "column 0 'a': decimal comma in 1 of 1 rows; --separator , --decimal , reads commas in quotes, "
            "--drop a leaves it out");
  EXPECT_EQ(note_of("1.5;2;u\n", {.decimal = ','}),
            "column 0: decimal point in 1 of 1 rows; --decimal . reads points, --drop 0 leaves it out");
  EXPECT_EQ(note_of("a;b\n1;2\n", {.separator = ',', .labels_optional = true}),
            "column 0 'a;b': text in 1 of 1 rows; --separator says what is between fields, "
            "--label-column says which column holds classes");
  EXPECT_EQ(note_of("1,2,x\n3,4,\n5,6,y\n"), "column 2: missing label in 1 of 3 rows");
  EXPECT_EQ(note_of("1,2,x\n3,4,\xFC\n?,6,y\n"),
            "2 columns cannot be read: 0: missing value in 1 of 3 rows, "
            "2: label not UTF-8 in 1 of 3 rows from line 2; --drop 0 leaves it out");
  EXPECT_EQ(note_of("a,w,y\n1,-2,u\n3,x,v\n", {.weight_column = "w"}), "column 1 'w': negative weight in 2 of 2 rows");
}

TEST(CsvRefusal, NamesTheSeparatorWhereRowsDiffer) {
  expect_refused("a;b;y\n1;2;u\n3;4;5;v\n", "number of columns", "4, not 3", 3, -1);
  EXPECT_EQ(note_of("a;b;y\n1;2;u\n3;4;5;v\n"), "fields are separated by semicolons");
  EXPECT_EQ(note_of("1\t2\tu\n3\tv\n"), "fields are separated by tabs");
  EXPECT_EQ(note_of("1 2 u\n3 v\n"), "fields are separated by blanks");
  EXPECT_EQ(note_of("1|2|u\n3|v\n", {.separator = '|'}), "fields are separated by the --separator");
  // Both: the columns and the row, in whichever order.
  EXPECT_EQ(
      note_of("a,b,y\n?,2,u\n3,v\n4,?,u\n"),
      "2 columns cannot be read: 0 'a': missing value in 1 of 2 rows, 1 'b': missing value in 1 of 2 rows from line "
      "4; line 3 has 2 columns, not 3, fields are separated by commas; --separator says what is between fields");
  expect_refused("a,b,y\n3,v\n4,?,u\n", "number of columns", "2, not 3", 2, -1);
  EXPECT_EQ(note_of("a,b,y\n3,v\n4,?,u\n"),
            "column 1 'b': missing value in 1 of 1 rows; line 2 has 2 columns, not 3, fields are separated by commas; "
            "--drop b leaves it out");
}

TEST(CsvRefusal, DroppedColumnsMayHoldAnything) {
  const std::string text = "n,a,b,y\n\"x, \"\"y\"\"\",1,2,u\n\xFC,3,4,v\n,5,6,u\n";
  for (const Strings& drop : {Strings{"n"}, Strings{"0"}, Strings{"-4"}, Strings{"n", "0"}}) {
    const Dataset dataset = read(text, {.drop = drop});
    EXPECT_EQ(dataset.values, (Floats{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(dataset.feature_names, (Strings{"a", "b"}));
    ASSERT_EQ(dataset.columns.size(), 4U);
    EXPECT_EQ(dataset.columns[0].name, "n");
    EXPECT_EQ(dataset.columns[0].role, ColumnRole::dropped);
    EXPECT_EQ(dataset.columns[1].role, ColumnRole::feature);
    EXPECT_EQ(dataset.columns[3].role, ColumnRole::label);
  }
  // The label is the last column that is left, and names that are no numbers do not make a header any more.
  EXPECT_EQ(read("1,u,x\n2,v,y\n", {.drop = {"-1"}}).class_labels, (Strings{"u", "v"}));
  EXPECT_EQ(read("k1,1,u\nk2,2,v\n", {.drop = {"0"}}).samples, 2U);
  EXPECT_EQ(read("1,0.5,u,7\n2,1,v,8\n", {.weight_column = "1", .drop = {"3"}}).sample_weights,
            (std::vector<float>{0.5F, 1}));
  const StatusCode usage = StatusCode::invalid_argument;
  expect_refused(text, "column to drop", "nose", -1, -1, {.drop = {"nose"}}, usage);
  expect_refused(text, "column to drop", "4", -1, -1, {.drop = {"4"}}, usage);
  expect_refused(text, "column to drop", "n", -1, -1, {.header = HeaderMode::no, .drop = {"0", "n"}}, usage);
  expect_refused(text, "label column", "y", -1, -1, {.label_column = "y", .drop = {"y"}}, usage);
  expect_refused(text, "weight column", "a", -1, -1, {.weight_column = "a", .drop = {"1"}}, usage);
  expect_refused(text, "no feature columns", "4 columns", 1, -1, {.drop = {"0", "1", "2"}});
  // In all files of a set.
  const TempFile first(text), second("q,7,8,v\n");
  Dataset dataset;
  ASSERT_TRUE(read_dataset({first.path(), second.path()}, "", {.drop = {"n"}}, dataset).ok());
  EXPECT_EQ(dataset.values, (Floats{1, 2, 3, 4, 5, 6, 7, 8}));
}

// The whole file is looked at, in which nothing else may stop the search.
TEST(CsvRefusal, LooksThroughTheWholeFile) {
  std::string text = "a,b,c,y\n";
  for (int i = 0; i < 100000; ++i) text += "1,2,3,u\n";
  EXPECT_EQ(note_of("a,b,c,y\n?,2,3,u\n" + text.substr(8) + "1,x,3,u\n1,2,\"\n\"\"?\",u\n"),
            "3 columns cannot be read: 0 'a': missing value in 1 of 100003 rows, "
            "1 'b': text in 1 of 100003 rows from line 100003, 2 'c': text in 1 of 100003 rows from line 100004; "
            "--separator says what is between fields, --label-column says which column holds classes");
  // To a quote without end: then what was found before is said.
  expect_refused("a,b,y\n1,?,u\n1,\"2,u\n", "missing value", "?", 2, 1);
  EXPECT_EQ(note_of("a,b,y\n1,?,u\n1,\"2,u\n"), "column 1 'b': missing value in 1 of 1 rows; --drop b leaves it out");
  expect_refused("a,b,y\n1,2,u\n1,\"2,u\n", "quoted field without end", "2,u?", 3, -1);
}

}  // namespace
}  // namespace lanemax
