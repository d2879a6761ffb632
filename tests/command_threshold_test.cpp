// SPDX-License-Identifier: BSD-3-Clause
//
// Models that abstain: trained with --threshold, they leave classes empty, and what is said of them is said of the rows
// that they answer.
#include "tests/support/command_fixture.hpp"

#include <lanemax/model.hpp>

namespace {

using namespace lanemax::testing;

// Two classes that a tells apart, with some noise between them; weights of 1 to 3.
std::string rows() {
  std::string text = "a,w,y\n";
  for (int row = 0; row < 60; ++row) {
    const int a = row % 20;
    const bool is_noise = a >= 7 && a < 13 && row / 20 == 1;
    const bool is_u = is_noise ? a >= 10 : a < 10;
    text += std::to_string(a) + "," + std::to_string(1 + row % 3) + (is_u ? ",u\n" : ",v\n");
  }
  return text;
}

// What a table of probabilities (class,p_u,p_v) makes of the rows above, by the rule itself.
struct Expected {
  double all = 0, answered = 0, right = 0;
  std::size_t answered_rows = 0;
  Expected(const std::vector<std::string>& predicted, const std::vector<std::string>& data, double threshold,
           bool weighted) {
    for (std::size_t row = 1; row < data.size(); ++row) {
      const std::string& line = predicted[row];
      const std::size_t first = line.find(','), second = line.find(',', first + 1);
      const float u = std::stof(line.substr(first + 1)), v = std::stof(line.substr(second + 1));
      const double weight = weighted ? std::stod(data[row].substr(data[row].find(',') + 1)) : 1;
      all += weight;
      if (std::max(u, v) < static_cast<float>(threshold)) continue;
      answered += weight;
      ++answered_rows;
      if (data[row].back() == (u >= v ? 'u' : 'v')) right += weight;
    }
  }
};

class CommandThresholdTest : public CommandTest {
 protected:
  void SetUp() override { write_text(path("rows.csv"), rows()); }
};

TEST_F(CommandThresholdTest, IsOfTheModelAndOfNothingElse) {
  for (const Words& loss : {Words{}, Words{"--loss", "logistic"}}) {
    const Words options = plus({"--data", "@rows.csv"}, loss);
    EXPECT_FALSE(train(options).contains("train_coverage"));
    lanemax::Model plain, model;
    ASSERT_TRUE(lanemax::load_model(path("m").c_str(), plain).ok());
    EXPECT_EQ(plain.threshold, 0);
    train(plus(options, {"--threshold", "0.75"}));
    ASSERT_TRUE(lanemax::load_model(path("m").c_str(), model).ok());
    EXPECT_EQ(model.threshold, 0.75);
    EXPECT_EQ(model.weight, plain.weight);
    EXPECT_EQ(model.bias, plain.bias);
    EXPECT_EQ(model.training, plain.training);
  }
}

TEST_F(CommandThresholdTest, IsAboveZeroAndAtMostOneAndNotForHinge) {
  const Words base{"train", "--model", "@m", "--data", "@rows.csv"};
  for (const char* bad : {"0", "-0.5", "1.001", "nan", "half", ""}) {
    expect_refusal(plus(base, {"--threshold", bad}), 2, "--threshold");
  }
  expect_refusal(plus(base, {"--threshold", "0.5", "--loss", "hinge"}), 2, "--threshold");
  EXPECT_EQ(run(plus(base, {"--threshold", "1"})).exit_code, 0);
}

TEST_F(CommandThresholdTest, RowsBelowItHaveNoClassAndEverythingElse) {
  const Words predict{"predict", "--model", "@m", "--data", "@rows.csv"};
  train({"--data", "@rows.csv"});
  const std::vector<std::string> plain = split_lines(run(plus(predict, {"--proba"})).out);
  const std::string best = run(plus(predict, {"--top-k", "2"})).out;
  const std::vector<std::string> scores = split_lines(run(plus(predict, {"--logits"})).out);
  train({"--data", "@rows.csv", "--threshold", "0.75"});
  const CommandResult abstaining = run(plus(predict, {"--proba"}));
  const std::vector<std::string> lines = split_lines(abstaining.out);
  const std::vector<std::string> with_scores = split_lines(run(plus(predict, {"--logits"})).out);
  const std::vector<std::string> classes = split_lines(run(predict).out);
  ASSERT_EQ(lines.size(), plain.size());
  ASSERT_EQ(classes.size(), plain.size());
  std::size_t empty = 0;
  for (std::size_t row = 1; row < lines.size(); ++row) {
    const bool abstains = Expected({"", plain[row]}, {"", "0,1,u"}, 0.75, false).answered == 0;
    const auto expected = [&](const std::string& line) { return abstains ? line.substr(line.find(',')) : line; };
    EXPECT_EQ(lines[row], expected(plain[row]));
    EXPECT_EQ(with_scores[row], expected(scores[row]));
    EXPECT_EQ(classes[row], abstains ? "\"\"" : plain[row].substr(0, 1));
    empty += abstains;
  }
  EXPECT_GT(empty, 5U);
  EXPECT_LT(empty, 55U);
  EXPECT_EQ(run(plus(predict, {"--top-k", "2"})).out, best);
  const std::string note = "note: the model abstains from " + std::to_string(empty) + " of 60 rows";
  EXPECT_EQ(lines_of(abstaining.err, note), 1U) << abstaining.err;
  EXPECT_EQ(lines_of(abstaining.err), 1U) << abstaining.err;
  EXPECT_EQ(run(plus(predict, {"--quiet"})).err, "");
}

TEST_F(CommandThresholdTest, IsEvaluatedOnTheRowsAnswered) {
  for (const Words& weights : {Words{"--drop", "w"}, Words{"--sample-weight", "w"}}) {
    const Words options = plus({"--data", "@rows.csv", "--test-data", "@rows.csv"}, weights);
    const bool weighted = weights[0] == "--sample-weight";
    const Words evaluate{"evaluate", "--model", "@m", "--data", "@rows.csv"};
    train(options);
    const std::vector<std::string> predicted =
        split_lines(run({"predict", "--model", "@m", "--data", "@rows.csv", "--proba"}).out);
    const json without = json::parse(run(plus(evaluate, {"--json"})).out);
    EXPECT_EQ(without["coverage"], 1);
    EXPECT_EQ(run(evaluate).out.find("coverage"), std::string::npos);

    const Expected want(predicted, split_lines(rows()), 0.75, weighted);
    const json trained = train(plus(options, {"--threshold", "0.75"}));
    const json evaluated = json::parse(run(plus(evaluate, {"--json"})).out);
    EXPECT_EQ(evaluated["samples"], 60);
    EXPECT_DOUBLE_EQ(evaluated["coverage"].get<double>(), want.answered / want.all);
    EXPECT_DOUBLE_EQ(evaluated["accuracy"].get<double>(), want.right / want.answered);
    EXPECT_GT(evaluated["accuracy"], without["accuracy"]);
    EXPECT_EQ(evaluated["log_loss"], without["log_loss"]);
    std::size_t counted = 0;
    for (const json& row : evaluated["confusion"]) {
      for (const json& count : row) counted += count.get<std::size_t>();
    }
    EXPECT_EQ(counted, want.answered_rows);
    EXPECT_EQ(trained["train_accuracy"], evaluated["accuracy"]);
    EXPECT_EQ(trained["train_coverage"], evaluated["coverage"]);
    EXPECT_EQ(trained["test"]["accuracy"], evaluated["accuracy"]);
    EXPECT_EQ(trained["test"]["coverage"], evaluated["coverage"]);
    const std::string said = " over the rows answered, coverage ";
    EXPECT_NE(run(evaluate).out.find(said), std::string::npos);
    const std::string text = run(plus({"train", "--model", "@m", "--threshold", "0.75"}, options)).out;
    EXPECT_NE(text.find("train accuracy"), std::string::npos);
    EXPECT_NE(text.find(said), text.rfind(said)) << text;  // of the training and of the test
  }
}

// Where the confusion is a list: no row in it is one without a class.
TEST_F(CommandThresholdTest, IsNoConfusionOfManyClasses) {
  std::string text = "a,y\n";
  for (int row = 0; row < 50; ++row) text += std::to_string(row) + ",class" + std::to_string(row % 25) + "\n";
  write_text(path("many.csv"), text);
  const Words evaluate{"evaluate", "--model", "@m", "--data", "@many.csv"};
  train({"--data", "@many.csv"});
  EXPECT_NE(run(evaluate).out.find("most confused"), std::string::npos);
  train({"--data", "@many.csv", "--threshold", "1"});
  const CommandResult result = run(evaluate);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("coverage 0 "), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("most confused"), std::string::npos) << result.out;
}

// Rows that are not finite are none that a model could answer; labels that it does not know are wrong where it does.
TEST_F(CommandThresholdTest, RowsThatNobodyCouldAnswer) {
  train({"--data", "@rows.csv", "--drop", "w", "--threshold", "0.75"});
  // The first is sure, the second is not; of the last two nobody knows the label.
  write_text(path("odd.csv"), "a,w,y\n-30,1,u\n9.5,1,u\n1e38,1,v\n-30,1,x\n9.5,1,x\n");
  lanemax::Model model;
  ASSERT_TRUE(lanemax::load_model(path("m").c_str(), model).ok());
  for (float& w : model.weight) w *= 1e3F;                        // 1e38 overflows now, and -30 is surer still
  model.bias = {0, -9.5F * (model.weight[1] - model.weight[0])};  // a tie at 9.5
  ASSERT_TRUE(lanemax::save_model(model, path("m").c_str()).ok());
  const CommandResult result = run({"evaluate", "--model", "@m", "--data", "@odd.csv", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json evaluated = json::parse(result.out);
  EXPECT_EQ(evaluated["samples"], 5);
  EXPECT_DOUBLE_EQ(evaluated["coverage"].get<double>(), 2.0 / 4);
  EXPECT_DOUBLE_EQ(evaluated["accuracy"].get<double>(), 1.0 / 3);
  EXPECT_NE(result.err.find("counted as wrong where answered"), std::string::npos) << result.err;

  write_text(path("unsure.csv"), "a,w,y\n9.5,1,u\n9.5,1,v\n");
  const json unsure = json::parse(run({"evaluate", "--model", "@m", "--data", "@unsure.csv", "--json"}).out);
  EXPECT_EQ(unsure["coverage"], 0);
  EXPECT_TRUE(unsure["accuracy"].is_null());
  EXPECT_TRUE(unsure["log_loss"].is_number());
}

}  // namespace
