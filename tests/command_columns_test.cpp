// SPDX-License-Identifier: BSD-3-Clause
//
// Tables as people have them: with row numbers, an id, a city, blanks, a price for a label.
#include "tests/support/command_fixture.hpp"

#include <lanemax/model.hpp>

namespace {

using namespace lanemax::testing;

// Sorted by class, which the features tell only roughly: row numbers would tell it exactly.
std::string sorted_rows(const std::string& header, bool numbers, char separator = ',') {
  std::string text = header;
  for (int row = 0; row < 120; ++row) {
    if (numbers) text += '"' + std::to_string(row + 1) + '"' + separator;
    text += std::to_string(row * 7 % 10 + row / 60) + separator + (row < 60 ? "u\n" : "v\n");
  }
  return text;
}

TEST_F(CommandTest, RowNumbersAreNoFeature) {
  write_text(path("plain.csv"), sorted_rows("a,y\n", false));
  write_text(path("write.csv"), sorted_rows("\"\",\"a\",\"y\"\n", true));
  write_text(path("write.table"), sorted_rows("\"a\" \"y\"\n", true, ' '));
  write_text(path("part.csv"), ",a,y\n17,3,u\n90,9,v\n4,2,u\n");
  const json plain = train({"--data", "@plain.csv"});
  EXPECT_LT(plain["train_accuracy"].get<double>(), 0.8);
  const auto tensors_of = [&](const std::string& file) {
    lanemax::Model m;
    EXPECT_TRUE(lanemax::load_model(path(file).c_str(), m).ok());
    return std::pair(m.weight, m.bias);
  };
  const auto model = tensors_of("m");
  const std::string predictions = run({"predict", "--model", "@m", "--data", "@plain.csv"}).out;
  for (const std::string file : {"write.csv", "write.table"}) {
    const CommandResult trained = run({"train", "--model", "@m", "--data", "@" + file, "--test-data", "@" + file});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    EXPECT_TRUE(tensors_of("m") == model) << file;
    EXPECT_EQ(lines_of(trained.err, "note: " + path(file) + ": column 0 has no name and numbers the rows: left out"),
              1U);
    const CommandResult evaluated = run({"evaluate", "--model", "@m", "--data", "@" + file, "--json"});
    ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
    EXPECT_EQ(json::parse(evaluated.out)["accuracy"], plain["train_accuracy"]);
    // The numbers are the rows' names.
    std::istringstream predicted(run({"predict", "--model", "@m", "--data", "@" + file}).out);
    std::string classes;
    std::size_t row = 0;
    for (std::string line; std::getline(predicted, line); ++row) {
      const std::string id = row == 0 ? "id," : std::to_string(row) + ",";
      ASSERT_EQ(line.substr(0, id.size()), id) << file;
      classes += line.substr(id.size()) + "\n";
    }
    EXPECT_EQ(classes, predictions) << file;
    EXPECT_EQ(run({"predict", "--model", "@m", "--data", "@plain.csv"}).out, predictions) << file;
  }
  EXPECT_EQ(lines_of(run({"predict", "--model", "@m", "--data", "@part.csv", "--label-column", "y"}).out), 4U);
  // With a name it is a feature, and a warning also for the quiet.
  write_text(path("named.csv"), sorted_rows("id,a,y\n", true));
  const CommandResult named = run({"train", "--model", "@m", "--data", "@named.csv", "--quiet"});
  EXPECT_EQ(lines_of(named.err, "warning: " + path("named.csv") + ": column 0 'id' counts the rows"), 1U) << named.err;
  const json dropped = train({"--data", "@named.csv", "--drop", "id"});
  EXPECT_EQ(dropped["objective"], plain["objective"]);
  const Words evaluate{"evaluate", "--model", "@m", "--data", "@named.csv"};
  EXPECT_EQ(run(plus(evaluate, {"--drop", "id"})).out, run(evaluate).out);
  EXPECT_EQ(run({"predict", "--model", "@m", "--data", "@named.csv", "--drop", "0,y"}).out, predictions);
}

TEST_F(CommandTest, ATableIsRefusedOnce) {
  write_text(path("own.csv"), "id,city,age,\"in, come\",active,class\nA17,Cape Town,31,1200,1,yes\nA18,,NA,?,0,no\n");
  const Words refused{"train", "--model", "@x", "--data", "@own.csv"};
  expect_refusal(
      refused, 3,
      "own.csv:2: value 'A17', column 0; expected a number (4 columns cannot be read: 0 'id': text in 2 of 2 rows, "
      "1 'city': text in 2 of 2 rows from line 2, 2 'age': missing value in 1 of 2 rows from line 3, "
      "3 'in, come': missing value in 1 of 2 rows from line 3; --drop id,city,age,3 leaves them out, "
      "--label-column says which column holds classes)\n");
  train({"--data", "@own.csv", "--drop", "id,city,age,3"});
  EXPECT_EQ(run({"evaluate", "--model", "@m", "--data", "@own.csv", "--drop", " \"in, come\" , age,0,1"}).exit_code, 0);
  for (const char* columns : {"", ",", "id,", "id,,age", "\"id"}) {
    expect_refusal(plus(refused, {"--drop", columns}), 2, "--drop");
  }
  expect_refusal(plus(refused, {"--drop", "id,nose"}), 2, "'nose'");
  expect_refusal(plus(refused, {"--drop", "class", "--label-column", "class"}), 2, "label column 'class'");
  expect_refusal(plus({"train", "--model", "@x", "--drop", "0"}, idx_), 2, "IDX");
}

TEST_F(CommandTest, APriceIsNoClass) {
  std::string prices = "x,price\n";
  for (int row = 0; row < 150; ++row) prices += std::to_string(row * 7 % 10) + "," + std::to_string(row) + ".5\n";
  write_text(path("prices.csv"), prices);
  write_text(path("some.csv"), prices + "1,7.5\n");
  expect_refusal(
      {"train", "--model", "@x", "--data", "@prices.csv"}, 3,
      "prices.csv: labels that are no classes '150 classes of one row each'; expected classes of several rows "
      "(--label-column says which column holds them) (they are in column 1 'price')\n");
  const CommandResult some = run({"train", "--model", "@m", "--data", "@some.csv", "--quiet", "--max-iterations", "1"});
  EXPECT_EQ(some.exit_code, 0) << some.err;
  EXPECT_EQ(lines_of(some.err, "warning: " + path("some.csv") + ": 149 of 150 classes have a single row"), 1U)
      << some.err;
  EXPECT_EQ(run({"evaluate", "--model", "@m", "--data", "@prices.csv"}).exit_code, 0);
}

}  // namespace
