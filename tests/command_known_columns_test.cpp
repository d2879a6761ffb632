// SPDX-License-Identifier: BSD-3-Clause
//
// The model remembers its columns: other tables with the same names, or the same order, are read as it was trained.
#include "tests/support/command_fixture.hpp"

#include <lanemax/model.hpp>

namespace {

using namespace lanemax::testing;

struct Row {
  std::string id, city;
  double length, width;
  int weight;
  std::string kind;
};

std::vector<Row> make_rows() {
  std::vector<Row> rows;
  for (int i = 0; i < 60; ++i) {
    rows.push_back({"P" + std::to_string(i), i % 2 == 0 ? "Oslo" : "Ube", i % 3 + i * 7 % 10 / 8.0,
                    2.0 * (i % 3) - i * 3 % 10 / 6.0, 1 + i % 4, std::string(1, "abc"[i % 3])});
  }
  return rows;
}

class CommandKnownColumnsTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    write("t.csv", "pid,city,len,wid,w,kind\n", "iclnwk");
    const CommandResult trained = run(plus(train_, {"--data", "@t.csv", "--id-column", "pid"}));
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    expected_ = run({"predict", "--model", "@m", "--data", "@t.csv", "--proba"});
    ASSERT_EQ(expected_.exit_code, 0) << expected_.err;
    ASSERT_EQ(split_lines(expected_.out)[0], "pid,class,p_a,p_b,p_c");
    ASSERT_EQ(lines_of(expected_.out), 61U);
    ASSERT_EQ(split_lines(expected_.out)[5].substr(0, 3), "P4,");
  }

  // Columns by letter: id, city, length, width (n), weight, kind, a number that is new (x).
  void write(const std::string& name, const std::string& header, const std::string& columns,
             const std::string& separator = ",") {
    std::string text = header;
    for (const Row& row : make_rows()) {
      for (std::size_t c = 0; c < columns.size(); ++c) {
        text += c > 0 ? separator : "";
        switch (columns[c]) {
          case 'i': text += row.id; break;
          case 'c': text += row.city; break;
          case 'l': text += std::to_string(row.length); break;
          case 'n': text += std::to_string(row.width); break;
          case 'w': text += std::to_string(row.weight); break;
          case 'k': text += row.kind; break;
          default: text += "17"; break;
        }
      }
      text += '\n';
    }
    write_text(path(name), text);
  }
  [[nodiscard]] CommandResult predict(const std::string& data, const Words& more = {}) const {
    return run(plus({"predict", "--model", "@m", "--proba", "--data", data}, more));
  }
  [[nodiscard]] CommandResult evaluate(const std::string& data, const Words& more = {}) const {
    return run(plus({"evaluate", "--model", "@m", "--json", "--data", data}, more));
  }
  // Without the first column, which is the id.
  static std::string without_ids(const std::string& table) {
    std::string text;
    for (const std::string& line : split_lines(table)) text += line.substr(line.find(',') + 1) + "\n";
    return text;
  }

  const Words train_{"train", "--model", "@m", "--drop", "city", "--sample-weight", "w", "--quiet"};
  CommandResult expected_;
};

TEST_F(CommandKnownColumnsTest, AreInTheModel) {
  lanemax::Model model;
  ASSERT_TRUE(lanemax::load_model(path("m").c_str(), model).ok());
  ASSERT_EQ(model.columns.size(), 6U);
  const std::pair<const char*, lanemax::ColumnRole> wanted[] = {
      {"pid", lanemax::ColumnRole::id},      {"city", lanemax::ColumnRole::dropped},
      {"len", lanemax::ColumnRole::feature}, {"wid", lanemax::ColumnRole::feature},
      {"w", lanemax::ColumnRole::weight},    {"kind", lanemax::ColumnRole::label}};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(model.columns[i].name, wanted[i].first);
    EXPECT_EQ(model.columns[i].role, wanted[i].second);
  }
  EXPECT_EQ(model.feature_names, (Words{"len", "wid"}));
  EXPECT_NE(read_text(path("m")).find(R"("lanemax_format":"2")"), std::string::npos);
}

TEST_F(CommandKnownColumnsTest, AreFoundByNameInAnyOrder) {
  write("other.csv", "kind,wid,w,pid,len\n", "knwil");
  EXPECT_EQ(predict("@other.csv").out, expected_.out);
  EXPECT_EQ(predict("@other.csv").err, "");
  EXPECT_EQ(evaluate("@other.csv").out, evaluate("@t.csv").out);
  write("bare.csv", "wid;len\n", "nl", ";");
  EXPECT_EQ(predict("@bare.csv").out, without_ids(expected_.out));
  // What the model has never seen is left out, and named unless that is not wanted.
  write("more.csv", "new,wid,city,len,newer\n", "xnclx");
  const CommandResult more = predict("@more.csv");
  EXPECT_EQ(more.out, without_ids(expected_.out));
  EXPECT_EQ(more.err,
            "note: " + path("more.csv") + ": columns that the model does not know are left out: 'new', 'newer'\n");
  EXPECT_EQ(predict("@more.csv", {"--quiet"}).err, "");
  // Several files, each in its own order.
  const CommandResult both = run({"predict", "--model", "@m", "--proba", "--data", "@t.csv", "@other.csv"});
  EXPECT_EQ(lines_of(both.out), 121U) << both.err;
  EXPECT_EQ(both.out.substr(0, expected_.out.size()), expected_.out);
  expect_refusal({"predict", "--model", "@m", "--data", "@t.csv", "@bare.csv"}, 3, "bare.csv:1: columns");
}

TEST_F(CommandKnownColumnsTest, MissingOnesAreRefusedByName) {
  write("one.csv", "pid,len,kind\n", "ilk");
  expect_refusal({"predict", "--model", "@m", "--data", "@one.csv"}, 3, "one.csv:1: missing column 'wid'");
  write("none.csv", "pid,kind\n", "ik");
  expect_refusal({"evaluate", "--model", "@m", "--data", "@none.csv"}, 3, "(missing: 'len', 'wid'; ");
  write("unlabelled.csv", "len,wid,w\n", "lnw");
  expect_refusal({"evaluate", "--model", "@m", "--data", "@unlabelled.csv"}, 3, "missing label column 'kind'");
  EXPECT_EQ(predict("@unlabelled.csv").out, without_ids(expected_.out));
  // Names that are no longer those of the model, in the right places.
  write("renamed.csv", "pid,city,length,width,w,kind\n", "iclnwk");
  expect_refusal({"predict", "--model", "@m", "--data", "@renamed.csv"}, 3, "missing column 'len'");
}

TEST_F(CommandKnownColumnsTest, WithoutAHeaderTheyGoByPosition) {
  write("all", "", "iclnwk");
  write("unlabelled", "", "iclnw");
  write("features", "", "ln");
  const std::string rows = expected_.out.substr(expected_.out.find('\n'));
  const std::string all = predict("@all").out;
  EXPECT_EQ(all.substr(0, all.find('\n')), "id,class,p_a,p_b,p_c");
  EXPECT_EQ(all.substr(all.find('\n')), rows);
  EXPECT_EQ(predict("@unlabelled").out, all);
  EXPECT_EQ(predict("@features").out, without_ids(expected_.out));
  EXPECT_EQ(evaluate("@all").out, evaluate("@t.csv").out);
  for (const char* file : {"@unlabelled", "@features"}) {
    expect_refusal({"evaluate", "--model", "@m", "--data", file}, 3, "number of columns");
  }
  write("some", "", "clnw");
  expect_refusal({"predict", "--model", "@m", "--data", "@some"}, 3, "number of columns '4, not 6'");
}

TEST_F(CommandKnownColumnsTest, WeightsCountInEvaluation) {
  write("even.csv", "pid,len,wid,kind\n", "ilnk");
  const json weighted = json::parse(evaluate("@t.csv").out);
  const CommandResult even = evaluate("@even.csv");
  EXPECT_EQ(even.err, "note: " + path("even.csv") + ": no column of weights 'w': all rows count alike\n");
  const json counted = json::parse(even.out);
  EXPECT_NE(weighted["log_loss"], counted["log_loss"]);
  EXPECT_EQ(weighted["confusion"], counted["confusion"]);
  // By hand, from the probabilities.
  double sum = 0, total = 0, right = 0;
  const std::vector<std::string> lines = split_lines(expected_.out);
  const std::vector<Row> rows = make_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::istringstream fields(lines[i + 1]);
    std::string id, label, p;
    std::getline(fields, id, ',');
    std::getline(fields, label, ',');
    for (char c = 'a'; c <= rows[i].kind[0]; ++c) std::getline(fields, p, ',');
    sum -= rows[i].weight * std::log(std::stod(p));
    right += label == rows[i].kind ? rows[i].weight : 0;
    total += rows[i].weight;
  }
  EXPECT_NEAR(weighted["log_loss"].get<double>(), sum / total, 1e-6);
  EXPECT_DOUBLE_EQ(weighted["accuracy"].get<double>(), right / total);
  const json trained = train({"--data", "@t.csv", "--drop", "city,pid", "--sample-weight", "w", "--class-weight",
                              "balanced", "--test-data", "@t.csv"});
  EXPECT_EQ(trained["train_accuracy"], trained["test"]["accuracy"]);
  EXPECT_DOUBLE_EQ(trained["train_accuracy"].get<double>(), 1);
}

TEST_F(CommandKnownColumnsTest, OptionsComeFirst) {
  write("other.csv", "truth,len,wid,w,number\n", "klnwi");
  EXPECT_EQ(evaluate("@other.csv", {"--label-column", "truth"}).out, evaluate("@t.csv").out);
  const CommandResult numbered = predict("@other.csv", {"--id-column", "number", "--drop", "truth,w"});
  EXPECT_EQ(numbered.out.substr(0, 7), "number,");
  EXPECT_EQ(without_ids(numbered.out), without_ids(expected_.out));
  EXPECT_EQ(numbered.err, "");
  expect_refusal({"predict", "--model", "@m", "--data", "@t.csv", "--drop", "len"}, 3, "missing column 'len'");
  expect_refusal({"predict", "--model", "@m", "--data", "@t.csv", "--id-column", "nose"}, 2, "id column 'nose'");
  expect_refusal(plus({"predict", "--model", "@m", "--id-column", "0"}, idx_), 2, "IDX");
  write("moved", "", "kiclnw");
  EXPECT_EQ(evaluate("@moved", {"--label-column", "0"}).out, evaluate("@t.csv").out);
}

TEST_F(CommandKnownColumnsTest, ATestSetIsReadAsTheTrainingSet) {
  write("other.csv", "kind,wid,len,w\n", "knlw");
  const json trained = train({"--data", "@t.csv", "--drop", "city,0", "--label-column", "5", "--sample-weight", "w",
                              "--test-data", "@other.csv"});
  EXPECT_EQ(trained["test"]["accuracy"], trained["train_accuracy"]);
}

// A model that was trained without names, or that is of format 1.
TEST_F(CommandKnownColumnsTest, ModelsThatSayNothingAreAsTheyWere) {
  write("bare", "", "lnk");
  write("first", "", "kln");
  write("features", "", "ln");
  write("header.csv", "len,wid,kind\n", "lnk");
  ASSERT_EQ(run({"train", "--model", "@m", "--data", "@bare", "--quiet"}).exit_code, 0);
  EXPECT_NE(read_text(path("m")).find(R"("lanemax_format":"1")"), std::string::npos);
  const std::string predicted = predict("@bare").out, evaluated = evaluate("@bare").out;
  EXPECT_EQ(lines_of(predicted), 61U);
  EXPECT_EQ(predict("@features").out, predicted);
  EXPECT_EQ(predict("@header.csv").out, predicted);
  EXPECT_EQ(evaluate("@header.csv").out, evaluated);
  ASSERT_EQ(run({"train", "--model", "@m", "--data", "@first", "--label-column", "0", "--quiet"}).exit_code, 0);
  EXPECT_NE(read_text(path("m")).find(R"("lanemax_format":"2")"), std::string::npos);
  EXPECT_EQ(predict("@first").out, predicted);
  EXPECT_EQ(predict("@features").out, predicted);
  EXPECT_EQ(evaluate("@first").out, evaluated);
}

TEST_F(CommandKnownColumnsTest, NamesThatAreNumbersNeedToBeDeclared) {
  write("numbers.csv", "1,2,kind\n", "lnk");
  write("values.csv", "1,2\n", "ln");
  ASSERT_EQ(run({"train", "--model", "@m", "--data", "@numbers.csv", "--header", "yes", "--quiet"}).exit_code, 0);
  EXPECT_EQ(lines_of(predict("@numbers.csv").out), 61U);
  expect_refusal({"predict", "--model", "@m", "--data", "@values.csv"}, 3, "--header yes or --header no");
  EXPECT_EQ(lines_of(predict("@values.csv", {"--header", "yes"}).out), 61U);
  EXPECT_EQ(lines_of(predict("@values.csv", {"--header", "no"}).out), 62U);
}

TEST_F(CommandKnownColumnsTest, ColumnsOfOneNameGoInTheirOrder) {
  write("twice.csv", "v,v,kind\n", "lnk");
  ASSERT_EQ(run({"train", "--model", "@m", "--data", "@twice.csv", "--quiet"}).exit_code, 0);
  const std::string predicted = predict("@twice.csv").out;
  write("kind-first.csv", "kind,v,v\n", "kln");
  EXPECT_EQ(predict("@kind-first.csv").out, predicted);
  write("once.csv", "kind,v\n", "kl");
  expect_refusal({"predict", "--model", "@m", "--data", "@once.csv"}, 3, "missing column 'v'");
}

}  // namespace
