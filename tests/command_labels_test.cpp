// SPDX-License-Identifier: BSD-3-Clause
//
// What the command writes, it reads back as it was: labels in predictions, weights of classes and rows.
#include "tests/support/command_fixture.hpp"

namespace {

using namespace lanemax::testing;

// Labels that a careless writer or reader would change: quotes, separators, line ends, blanks around, marks of missing
// values, comments, numbers in other spellings.
const Words kNasty{" before",    "after ", "\ttab",    "NA",   "N/A",      "na",    "n/a",        "nan",
                   "NaN",        "null",   "NULL",     "?",    "-",        "a\"b",  "\"quoted\"", "'single'",
                   "two\nlines", "cr\rlf", "crlf\r\n", "1",    "1.0",      "01",    "1e3",        "1,5",
                   "a,b",        ";",      "a;b",      ",",    "#comment", "sep=;", " ",          "\xC3\xA9",
                   "\"",         "\n",     "true",     "0x10", "inf"};

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + '"';
}

class CommandLabelsTest : public CommandTest {
 protected:
  // Ten rows for each label, told apart by features that count in base 6.
  void SetUp() override {
    CommandTest::SetUp();
    std::string text = "label,a,b,c\n";
    for (std::size_t row = 0; row < 10 * kNasty.size(); ++row) {
      const std::size_t label = row % kNasty.size();
      text += quoted(kNasty[label]);
      for (const std::size_t digit : {label % 6, label / 6 % 6, label * label % 7}) text += "," + std::to_string(digit);
      text += '\n';
    }
    write_text(path("nasty.csv"), text);
  }

  [[nodiscard]] json labels_of(const std::string& model, const std::string& data) const {
    const CommandResult result =
        run({"evaluate", "--model", model, "--data", data, "--label-column", "0", "--json", "--quiet"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out)["labels"];
  }
};

TEST_F(CommandLabelsTest, PredictionsAreReadBackAsTheyWere) {
  train({"--data", "@nasty.csv", "--label-column", "label", "--l2", "1e-6"});
  const json labels = labels_of("@m", "@nasty.csv");
  Words sorted = kNasty;
  std::sort(sorted.begin(), sorted.end());
  ASSERT_EQ(labels, json(sorted));
  const Words predict{"predict", "--model", "@m", "--data", "@nasty.csv", "--label-column", "label"};
  for (const Words& columns : {Words{"--proba"}, Words{"--logits"}, Words{"--top-k", "1"}}) {
    ASSERT_EQ(run(plus(plus(predict, columns), {"--output", "@out.csv"})).exit_code, 0);
    const CommandResult again = run({"train", "--model", "@n", "--data", "@out.csv", "--label-column", "0", "--quiet",
                                     "--max-iterations", "1", "--json"});
    ASSERT_EQ(again.exit_code, 0) << columns[0] << again.err;
    EXPECT_EQ(json::parse(again.out)["samples"], 10 * kNasty.size());
    EXPECT_EQ(labels_of("@n", "@out.csv"), labels) << columns[0];
  }
}

// The only column: a row without an answer is a field all the same, not an empty line, which is no row.
TEST_F(CommandLabelsTest, RowsWithoutAnAnswerAreRows) {
  write_text(path("small.csv"), "a,y\n1e-30,u\n-1e-30,v\n");
  write_text(path("large.csv"), "a\n1\n3e38\n-3e38\n2\n");
  train({"--data", "@small.csv", "--scale", "standard"});
  const CommandResult classes = run({"predict", "--model", "@m", "--data", "@large.csv"});
  ASSERT_NE(classes.err.find("2 of 4 rows have no finite scores"), std::string::npos) << classes.err;
  EXPECT_EQ(classes.out, "class\nu\n\"\"\n\"\"\nu\n");
  const CommandResult proba = run({"predict", "--model", "@m", "--data", "@large.csv", "--top-k", "1"});
  EXPECT_EQ(lines_of(proba.out, ","), 2U) << proba.out;
}

TEST_F(CommandLabelsTest, FilesOfClassWeightsAreCsv) {
  std::string weights, quoted_weights, semicolons = "\xEF\xBB\xBF";
  for (std::size_t i = 0; i < kNasty.size(); ++i) {
    const std::string factor = std::to_string(i % 3) + "." + std::to_string(i % 5);
    quoted_weights += quoted(kNasty[i]) + "," + quoted(factor) + "\r\n";
    semicolons += " " + quoted(kNasty[i]) + " ; " + std::to_string(i % 3) + "," + std::to_string(i % 5) + "\n\n";
  }
  write_text(path("weights.csv"), quoted_weights);
  write_text(path("semicolons.csv"), semicolons);
  const Words base{"--data", "@nasty.csv", "--label-column", "label"};
  const json plain = train(base);
  const json weighted = train(plus(base, {"--class-weight", "@weights.csv"}));
  EXPECT_NE(weighted["objective"], plain["objective"]);
  EXPECT_EQ(train(plus(base, {"--class-weight", "@semicolons.csv"}))["objective"], weighted["objective"]);
  const Words refused = plus({"train", "--model", "@x"}, plus(base, {"--class-weight", "@bad.csv", "--quiet"}));
  for (const auto& [text, place] : {std::pair{"NA,1\nsomething,2\n", "bad.csv:2: "},
                                    {"NA,1\n\"NA\",2\n", "bad.csv:2: "},
                                    {"NA,1\nna,-1\n", "bad.csv:2: "},
                                    {"NA,1\nna,nan\n", "bad.csv:2: "},
                                    {"NA,1\nna,\n", "bad.csv:2: "},
                                    {"NA,1\nna,1e39\n", "bad.csv:2: "},
                                    {"NA,1\nna\n", "bad.csv:2: "},
                                    {"a,b,1\n", "bad.csv:1: "},
                                    {"NA,1\n\n\"na,2\n", "bad.csv:3: "},
                                    {"", "bad.csv: "}}) {
    write_text(path("bad.csv"), text);
    expect_refusal(refused, 3, place);
  }
  write_text(path("bad.csv"), "NA,\xFF\xFE\n");
  expect_refusal(refused, 3, "bad.csv:1: ");
}

TEST_F(CommandLabelsTest, FilesOfSampleWeightsAreText) {
  std::string weights, dressed = "\xEF\xBB\xBF";
  for (std::size_t row = 0; row < kRows; ++row) {
    weights += std::to_string(row % 4) + "\n";
    dressed += " " + std::to_string(row % 4) + " \r\n";
  }
  write_text(path("w.txt"), weights);
  write_text(path("d.txt"), dressed);
  const json weighted = train(plus(csv_, {"--sample-weight", "@w.txt"}));
  EXPECT_EQ(train(plus(csv_, {"--sample-weight", "@d.txt"}))["objective"], weighted["objective"]);
  const Words refused = plus({"train", "--model", "@x", "--sample-weight", "@bad.txt"}, csv_);
  for (const auto& [text, place] : {std::pair{"1\nx\n", "bad.txt:2: "},
                                    {"1\n-1\n", "bad.txt:2: "},
                                    {"1\n2;3\n", "bad.txt:2: "},
                                    {"1\n2,3\n", "bad.txt: 2 weights"},
                                    {"1\n2\n", "bad.txt: "},
                                    {"", "bad.txt: "}}) {
    write_text(path("bad.txt"), text);
    expect_refusal(refused, 3, place);
  }
  write_text(path("bad.txt"), weights + "1\n");
  expect_refusal(refused, 3, "bad.txt:91: ");
}

}  // namespace
