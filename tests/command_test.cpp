// SPDX-License-Identifier: BSD-3-Clause
//
// The command as a user meets it: the real program, its files, its results.
#include <lanemax/model.hpp>

#include "tests/support/command_fixture.hpp"

#include <cmath>
#include <cstdio>

namespace {

using namespace lanemax::testing;

TEST_F(CommandTest, TrainJsonHasExactlyTheFieldsOfTheContract) {
  const json result = train(plus(idx_, {"--scale", "unit", "--test-data", "@x.idx", "--test-labels", "@y.idx"}));
  EXPECT_EQ(keys(result),
            (std::set<std::string>{
                "samples", "features",  "classes",        "threads",   "loss",          "solver",          "isa",
                "model",   "reason",    "objective",      "data_loss", "gradient_norm", "gap_bound",       "iterations",
                "passes",  "converged", "train_accuracy", "test",      "seconds",       "checkpoint_error"}));
  EXPECT_EQ(keys(result["test"]), (std::set<std::string>{"samples", "accuracy", "log_loss"}));
  EXPECT_EQ(keys(result["seconds"]), (std::set<std::string>{"read", "fit", "total"}));
  EXPECT_EQ(result["samples"], kRows);
  EXPECT_EQ(result["features"], kFeatures);
  EXPECT_EQ(result["classes"], 3);
  EXPECT_TRUE(result["gap_bound"].get<double>() >= 0);
  EXPECT_TRUE(result["converged"].is_boolean());
  EXPECT_EQ(result["model"], path("m"));
  EXPECT_EQ(result["test"]["accuracy"], result["train_accuracy"]);
  EXPECT_NEAR(result["test"]["log_loss"].get<double>(), result["data_loss"].get<double>(), 1e-5);
  EXPECT_GT(result["train_accuracy"].get<double>(), 0.85);
  EXPECT_TRUE(train(idx_)["test"].is_null());
}

TEST_F(CommandTest, EvaluateAgreesWithTrain) {
  const json trained = train(plus(idx_, {"--scale", "standard"}));
  const CommandResult result = run(plus({"evaluate", "--model", "@m", "--json"}, idx_));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json evaluated = json::parse(result.out);
  EXPECT_EQ(keys(evaluated),
            (std::set<std::string>{"samples", "accuracy", "log_loss", "coverage", "labels", "confusion"}));
  EXPECT_EQ(evaluated["accuracy"], trained["train_accuracy"]);
  EXPECT_NEAR(evaluated["log_loss"].get<double>(), trained["data_loss"].get<double>(), 1e-4);
  EXPECT_EQ(evaluated["labels"], json({"3", "4", "5"}));
  std::size_t total = 0;
  std::size_t right = 0;
  for (std::size_t truth = 0; truth < 3; ++truth) {
    for (std::size_t predicted = 0; predicted < 3; ++predicted) {
      total += evaluated["confusion"][truth][predicted].get<std::size_t>();
    }
    right += evaluated["confusion"][truth][truth].get<std::size_t>();
  }
  EXPECT_EQ(total, kRows);
  EXPECT_DOUBLE_EQ(static_cast<double>(right) / kRows, evaluated["accuracy"].get<double>());

  const CommandResult text = run(plus({"evaluate", "--model", "@m"}, idx_));
  EXPECT_NE(text.out.find("accuracy"), std::string::npos);
  EXPECT_NE(text.out.find("confusion"), std::string::npos);
}

// More rows than are predicted at a time; all are copies of the small data.
TEST_F(CommandTest, LargeDataIsEvaluatedPieceByPiece) {
  constexpr std::size_t kCopies = 800;
  const std::string values = images().substr(16);
  const std::string numbers = digits().substr(8);
  std::string many_values;
  std::string many_numbers;
  for (std::size_t i = 0; i < kCopies; ++i) {
    many_values += values;
    many_numbers += numbers;
  }
  write_text(path("X"), idx_bytes({kRows * kCopies, 2, 3}, {many_values.begin(), many_values.end()}));
  write_text(path("Y"), idx_bytes({kRows * kCopies}, {many_numbers.begin(), many_numbers.end()}));
  const json trained = train(plus(idx_, {"--scale", "unit"}));
  const Words evaluate{"evaluate", "--model", "@m", "--json", "--data", "@X", "--labels", "@Y"};
  const json evaluated = json::parse(run(evaluate).out);
  EXPECT_EQ(evaluated["samples"], kRows * kCopies);
  EXPECT_EQ(evaluated["accuracy"], trained["train_accuracy"]);
}

TEST_F(CommandTest, PredictWritesTheColumnsAskedFor) {
  train(csv_);
  const Words predict{"predict", "--model", "@m", "--data", "@unlabelled.csv"};
  const CommandResult classes = run(predict);
  ASSERT_EQ(classes.exit_code, 0) << classes.err;
  std::vector<std::string> lines = split_lines(classes.out);
  ASSERT_EQ(lines.size(), kRows + 1);
  EXPECT_EQ(lines[0], "class");
  EXPECT_EQ(lines[1], "ant");
  EXPECT_EQ(lines[2], "bee");
  EXPECT_EQ(lines[3], "\"cat, \"\"big\"\"\"");

  lines = split_lines(run(plus(predict, {"--proba"})).out);
  EXPECT_EQ(lines[0], "class,p_ant,p_bee,\"p_cat, \"\"big\"\"\"");
  double a = 0;
  double b = 0;
  double c = 0;
  ASSERT_EQ(std::sscanf(lines[1].c_str(), "ant,%lf,%lf,%lf", &a, &b, &c), 3) << lines[1];
  EXPECT_NEAR(a + b + c, 1, 1e-6);
  EXPECT_EQ(split_lines(run(plus(predict, {"--logits"})).out)[0], "class,z_ant,z_bee,\"z_cat, \"\"big\"\"\"");
  lines = split_lines(run(plus(predict, {"--top-k", "2"})).out);
  EXPECT_EQ(lines[0], "class_1,p_1,class_2,p_2");
  EXPECT_EQ(lines[1].rfind("ant," + std::to_string(a).substr(0, 4), 0), 0U) << lines[1];

  ASSERT_EQ(run(plus(predict, {"--output", "@out.csv"})).exit_code, 0);
  EXPECT_EQ(read_text(path("out.csv")), classes.out);
  EXPECT_EQ(run({"predict", "--model", "@m", "--data", "@all.csv", "--label-column", "species"}).out, classes.out);
  EXPECT_EQ(lines_of(run({"predict", "--model", "@m", "--data", "@x.idx", "--labels", "@not-used"}).out), kRows + 1);
}

TEST_F(CommandTest, CompressedFilesAreRead) {
  train(idx_);
  const std::string model = read_text(path("m"));
  for (const char* name : {"x.idx", "y.idx", "all.csv"}) {
    ASSERT_EQ(run_command({"/bin/sh", "-c", "gzip -c \"$0\" >\"$0.gz\"", path(name)}).exit_code, 0);
  }
  train({"--data", "@x.idx.gz", "--labels", "@y.idx.gz"});
  EXPECT_TRUE(read_text(path("m")) == model);
  train(csv_);
  const std::string from_text = read_text(path("m"));
  train({"--data", "@all.csv.gz"});
  EXPECT_TRUE(read_text(path("m")) == from_text);
}

TEST_F(CommandTest, SeveralFilesAreOneDataSet) {
  train({"--data", "@all.csv", "@all.csv"});
  const std::string model = read_text(path("m"));
  train({"--data", "@all.csv", "--data", "@all.csv"});
  EXPECT_TRUE(read_text(path("m")) == model);
  write_text(path("all2.csv"), table() + table().substr(table().find('\n') + 1));
  train({"--data", "@all2.csv"});
  EXPECT_TRUE(read_text(path("m")) == model);
}

TEST_F(CommandTest, LargeValuesOfSmallSpreadAreReadInF64) {
  std::string times = "t,y\n";
  std::string counts = "t,y\n";
  for (int row = 0; row < 40; ++row) {
    times += std::to_string(1700000000 + 60 * row) + (row < 20 ? ",u\n" : ",v\n");
    counts += std::to_string(60 * row) + (row < 20 ? ",u\n" : ",v\n");
  }
  write_text(path("times.csv"), times);
  write_text(path("counts.csv"), counts);
  for (const auto& [file, in_f64] : {std::pair{"@times.csv", true}, std::pair{"@counts.csv", false}}) {
    const CommandResult result = run({"train", "--model", "@m", "--data", file, "--test-data", file});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err.find("1 features in f64, 2 classes") != std::string::npos, in_f64) << result.err;
  }
}

TEST_F(CommandTest, DecimalCommasAreReadAndSaid) {
  std::string commas = "a;b;y\n";
  std::string points = "a,b,y\n";
  for (int row = 0; row < 40; ++row) {
    const std::string whole = std::to_string(row % 7), tenth = std::to_string(row % 5);
    commas += whole + "," + tenth + ";" + whole + (row % 3 ? ";u\n" : ";v\n");
    points += whole + "." + tenth + "," + whole + (row % 3 ? ",u\n" : ",v\n");
  }
  write_text(path("commas.csv"), commas);
  write_text(path("points.csv"), points);
  train({"--data", "@points.csv"});
  const std::string model = read_text(path("m"));
  for (const Words& options : {Words{}, Words{"--quiet"}, Words{"--decimal", ","}}) {
    const CommandResult result = run(plus({"train", "--model", "@m", "--data", "@commas.csv"}, options));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(read_text(path("m")) == model);
    EXPECT_EQ(lines_of(result.err, "note: " + path("commas.csv") + ":2: decimal commas: '0,0'"), options.empty());
  }
  const CommandResult said = run({"predict", "--model", "@m", "--data", "@commas.csv", "--label-column", "y"});
  EXPECT_EQ(lines_of(said.err, "note: "), 1U);
  EXPECT_EQ(said.out, run({"predict", "--model", "@m", "--data", "@points.csv", "--label-column", "y"}).out);
  EXPECT_EQ(lines_of(run({"evaluate", "--model", "@m", "--data", "@commas.csv"}).err, "note: "), 1U);
  expect_refusal({"train", "--model", "@n", "--data", "@commas.csv", "--decimal", "."}, 3, "--decimal ,");
}

TEST_F(CommandTest, InfoTellsVariantsCachesAndThreads) {
  const CommandResult result = run({"info", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json info = json::parse(result.out);
  EXPECT_EQ(keys(info), (std::set<std::string>{"version", "threads", "caches", "isa", "schedule"}));
  EXPECT_EQ(keys(info["isa"]), (std::set<std::string>{"compiled", "supported", "active"}));
  EXPECT_GE(info["threads"].get<int>(), 1);
  EXPECT_NE(std::find(info["isa"]["supported"].begin(), info["isa"]["supported"].end(), info["isa"]["active"]),
            info["isa"]["supported"].end());
  EXPECT_EQ(json::parse(run({"info", "--json"}, {"OMP_NUM_THREADS=1"}).out)["threads"], 1);
  EXPECT_EQ(run({"info"}).exit_code, 0);
  EXPECT_EQ(run({"--version"}).exit_code, 0);
}

TEST_F(CommandTest, HelpShowsDefaultsAndConventions) {
  EXPECT_EQ(run({"--help"}).exit_code, 0);
  const CommandResult help = run({"train", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* part : {"--epochs N=20", "--tolerance T=1e-05", "scikit-learn", "nats", "training rows"}) {
    EXPECT_NE(help.out.find(part), std::string::npos) << part;
  }
}

// To the letter: CLI11's own help is another in each of its versions.
TEST_F(CommandTest, HelpIsLaidOutTheSameEverywhere) {
  const std::string indent(36, ' ');
  const std::string train = run({"train", "--help"}).out;
  EXPECT_TRUE(
      train.starts_with("Fits a linear classifier and saves it.\n"
                        "Usage: lanemax train [OPTIONS]\n"
                        "\n"
                        "Options:\n"
                        "  -h,--help                         print this help and exit\n"
                        "  --data FILE ... REQUIRED          samples: "))
      << train;
  for (const char* part : {"\n  --labels FILE                     IDX", "\n  --seed S=0                        of",
                           "\n  --resume                          go", "\n\nConventions:\n  What is minimised"}) {
    EXPECT_NE(train.find(part), std::string::npos) << part;
  }
  EXPECT_NE(train.find("\n  --loss softmax|hinge|logistic=softmax\n" + indent + "what is"), std::string::npos);
  EXPECT_TRUE(train.ends_with(" is null.\n") && !train.ends_with("\n\n"));

  // An option is on one line, or on two if its left side is too long; nothing is wrapped.
  for (const char* command : {"train", "evaluate", "predict", "info", "selfcheck"}) {
    const std::vector<std::string> lines = split_lines(run({command, "--help"}).out);
    for (std::size_t i = 4; i < lines.size() && !lines[i].empty(); ++i) {
      const bool after_long = lines[i - 1].size() >= indent.size() && lines[i - 1].find("  ", 2) == std::string::npos;
      EXPECT_TRUE(lines[i].starts_with(after_long ? indent : "  -")) << command << ": " << lines[i];
    }
  }
}

TEST_F(CommandTest, HingeAndLogisticModelsServe) {
  EXPECT_EQ(train(plus(csv_, {"--loss", "hinge"}))["loss"], "hinge");
  const CommandResult hinge = run({"evaluate", "--model", "@m", "--data", "@all.csv", "--json"});
  EXPECT_TRUE(json::parse(hinge.out)["log_loss"].is_null());
  expect_refusal({"predict", "--model", "@m", "--data", "@unlabelled.csv", "--proba"}, 2, "--proba");

  EXPECT_EQ(train({"--data", "@two.csv", "--loss", "logistic", "--scale", "standard"})["classes"], 2);
  const CommandResult logits = run({"predict", "--model", "@m", "--data", "@unlabelled.csv", "--logits"});
  EXPECT_EQ(split_lines(logits.out)[0], "class,z_bee");
  const CommandResult logistic = run({"evaluate", "--model", "@m", "--data", "@two.csv", "--json"});
  EXPECT_GT(json::parse(logistic.out)["log_loss"].get<double>(), 0);
}

// The same rows, moved, and the same weights around a centre as far away: the same answers, to the digit.
TEST_F(CommandTest, ModelsAroundACentreServe) {
  train(csv_);
  const Words predict{"predict", "--logits", "--data", "@unlabelled.csv", "--model"};
  const Words evaluate{"evaluate", "--json", "--data", "@all.csv", "--model"};
  const std::string predicted = run(plus(predict, {"@m"})).out, evaluated = run(plus(evaluate, {"@m"})).out;
  lanemax::Model model;
  ASSERT_TRUE(lanemax::load_model(path("m").c_str(), model).ok());
  constexpr long kOffset = 1000;
  model.centre.assign(kFeatures, kOffset);
  ASSERT_TRUE(lanemax::save_model(model, path("centred").c_str()).ok());
  write_text(path("all.csv"), table(true, false, kOffset));
  write_text(path("unlabelled.csv"), table(false, false, kOffset));
  EXPECT_EQ(run(plus(predict, {"@centred"})).out, predicted);
  EXPECT_EQ(run(plus(evaluate, {"@centred"})).out, evaluated);
  EXPECT_NE(run(plus(predict, {"@m"})).out, predicted);
}

TEST_F(CommandTest, UnknownLabelsCountAsWrong) {
  train({"--data", "@two.csv"});
  const CommandResult result = run({"evaluate", "--model", "@m", "--data", "@all.csv", "--json", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("warning: "), std::string::npos);
  const json evaluated = json::parse(result.out);
  EXPECT_EQ(evaluated["samples"], kRows);
  EXPECT_LT(evaluated["accuracy"].get<double>(), 0.7);
  EXPECT_TRUE(evaluated["log_loss"].is_number());
}

TEST_F(CommandTest, ModelsDoNotDependOnThreads) {
  const json info = json::parse(run({"info", "--json"}).out);
  for (const auto& isa : info["isa"]["supported"]) {
    std::string first;
    for (const char* threads : {"1", "2", "3"}) {
      const json result = train(plus(idx_, {"--isa", isa.get<std::string>(), "--threads", threads, "--scale",
                                            "standard", "--validation-fraction", "0.2", "--batch-size", "16"}));
      EXPECT_EQ(result["isa"], isa);
      EXPECT_EQ(result["samples"], 72);
      if (first.empty()) first = read_text(path("m"));
      EXPECT_TRUE(read_text(path("m")) == first) << isa << " with " << threads << " threads";
    }
    EXPECT_EQ(train(idx_, {"LANEMAX_ISA=" + isa.get<std::string>()})["isa"], isa);
  }
}

TEST_F(CommandTest, NothingOfTheRunIsInTheModel) {
  train(plus(csv_, {"--history", "@h.csv"}));
  const std::string model = read_text(path("m"));
  EXPECT_EQ(model.find(path("")), std::string::npos);
  train({"--data", "@all.csv", "--threads", "2"});
  EXPECT_TRUE(read_text(path("m")) == model);
}

TEST_F(CommandTest, HistoryHasALinePerEpoch) {
  train(plus(csv_, {"--history", "@h.csv", "--epochs", "5", "--tolerance", "0", "--validation-fraction", "0.1"}));
  const std::vector<std::string> lines = split_lines(read_text(path("h.csv")));
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(
      lines[0],
      "epoch,iteration,passes,loss,validation_loss,objective,gradient_norm,learning_rate,seconds,samples_per_second");
  EXPECT_EQ(lines[5].rfind("5,", 0), 0U);
  EXPECT_EQ(std::count(lines[5].begin(), lines[5].end(), ','), 9);
  EXPECT_NE(lines[5].find(",,,"), std::string::npos) << lines[5];  // what an epoch does not know
}

TEST_F(CommandTest, WeightsActLikeRepeatedRows) {
  std::string weighted = "w,a,b,y\n";
  std::string repeated = "a,b,y\n";
  std::string file;
  for (int row = 0; row < 40; ++row) {
    const std::string values = std::to_string(row % 7) + "," + std::to_string(row % 5) + "," + (row % 3 ? "u" : "v");
    const int times = row % 4;
    weighted += std::to_string(times) + "," + values + "\n";
    file += std::to_string(times) + "\n";
    for (int i = 0; i < times; ++i) repeated += values + "\n";
  }
  write_text(path("weighted.csv"), weighted);
  write_text(path("repeated.csv"), repeated);
  write_text(path("w.txt"), file);
  write_text(path("short.txt"), "1\n2\n");
  write_text(path("classes.csv"), "u,2\n\"v\",2\n");
  write_text(path("other.csv"), "u,2\nz,2\n");
  // Steps over all rows, so that the order of rows does not matter; the penalty's default is 1 / (sum of weights).
  const Words still{"--batch-size", "1000",     "--epochs",        "300", "--solver", "sgd",
                    "--schedule",   "constant", "--learning-rate", "0.05"};
  const json a = train(plus({"--data", "@weighted.csv", "--sample-weight", "w"}, still));
  const json b = train(plus({"--data", "@repeated.csv"}, still));
  EXPECT_NEAR(a["objective"].get<double>(), b["objective"].get<double>(), 1e-5);
  // A directory of the column's name is no file of weights.
  std::filesystem::create_directory(path("w"));
  const CommandResult here =
      run_command({"/bin/sh", "-c", "cd \"$1\"; exec \"$0\" train --data weighted.csv --model here --sample-weight w",
                   LANEMAX_COMMAND_PATH, path("")});
  EXPECT_EQ(here.exit_code, 0) << here.err;
  const json c = train(plus({"--data", "@weighted.csv", "--label-column", "y", "--sample-weight", "w", "--class-weight",
                             "@classes.csv", "--l2", "0.01"},
                            still));
  const json d = train(plus({"--data", "@repeated.csv", "--l2", "0.01"}, still));
  EXPECT_NEAR(c["objective"].get<double>(), d["objective"].get<double>(), 1e-5);
  train({"--data", "@weighted.csv", "--sample-weight", "@w.txt", "--class-weight", "balanced"});
  const Words base{"train", "--model", "@n", "--data", "@weighted.csv"};
  expect_refusal(plus(base, {"--sample-weight", "@short.txt"}), 3, "short.txt");
  expect_refusal(plus(base, {"--sample-weight", "@classes.csv"}), 3, "classes.csv:1");
  expect_refusal(plus(base, {"--class-weight", "@other.csv"}), 3, "other.csv:2");
  expect_refusal(plus(base, {"--class-weight", "@none.csv"}), 5, "none.csv");
}

TEST_F(CommandTest, BalancedWeightsAreTheirFormula) {
  std::string rows = "a,y\n";
  for (int row = 0; row < 12; ++row) rows += std::to_string(row) + (row < 3 ? ",u\n" : ",v\n");
  write_text(path("rows.csv"), rows);
  write_text(path("factors.csv"), "u,2\nv,0.66666666666666663\n");
  const json balanced = train({"--data", "@rows.csv", "--class-weight", "balanced"});
  const json given = train({"--data", "@rows.csv", "--class-weight", "@factors.csv"});
  const json plain = train({"--data", "@rows.csv"});
  EXPECT_NEAR(balanced["objective"].get<double>(), given["objective"].get<double>(), 1e-9);
  EXPECT_GT(std::fabs(balanced["objective"].get<double>() - plain["objective"].get<double>()), 1e-3);
}

TEST_F(CommandTest, UnitScalingIsDivisionBy255) {
  std::ostringstream scaled;
  scaled.precision(9);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t feature = 0; feature < kFeatures; ++feature) scaled << pixel(row, feature) / 255.0 << ',';
    scaled << 3 + label(row) << '\n';
  }
  write_text(path("scaled.csv"), scaled.str());
  const json bytes = train(plus(idx_, {"--scale", "unit", "--learning-rate", "0.5"}));
  const json text = train({"--data", "@scaled.csv", "--learning-rate", "0.5"});
  EXPECT_NEAR(bytes["objective"].get<double>(), text["objective"].get<double>(), 1e-6);
  EXPECT_NE(bytes["objective"], train(plus(idx_, {"--learning-rate", "0.5"}))["objective"]);
}

// One row is kept out, so the accuracy over the training rows is neither 0 nor 1: a tenth of the labels is wrong.
TEST_F(CommandTest, ValidationRowsDoNotTrain) {
  const json result = train(plus(csv_, {"--validation-fraction", "0.01"}));
  EXPECT_EQ(result["samples"], kRows - 1);
  EXPECT_GT(result["train_accuracy"].get<double>(), 0.8);
  EXPECT_LT(result["train_accuracy"].get<double>(), 1.0);
  const json stopped = train(plus(csv_, {"--validation-fraction", "0.3", "--early-stopping", "1", "--epochs", "2000",
                                         "--tolerance", "0", "--schedule", "constant", "--l2", "0"}));
  EXPECT_EQ(stopped["samples"], 63);
}

TEST_F(CommandTest, NotConvergedIsSaid) {
  const CommandResult result = run(plus({"train", "--model", "@m", "--epochs", "0", "--quiet"}, csv_));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("not converged"), std::string::npos);
  EXPECT_NE(result.out.find("not converged"), std::string::npos);
  const json still = train(plus(csv_, {"--epochs", "0"}));
  EXPECT_FALSE(still["converged"].get<bool>());
  EXPECT_NEAR(still["data_loss"].get<double>(), std::log(3.0), 1e-6);
}

TEST_F(CommandTest, DivergenceKeepsTheLastGoodModel) {
  const CommandResult result = run(plus({"train", "--model", "@m", "--json", "--quiet", "--learning-rate", "1e9",
                                         "--l2", "1e9", "--schedule", "constant"},
                                        csv_));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_EQ(json::parse(result.out)["reason"], "diverged");
  EXPECT_EQ(run({"evaluate", "--model", "@m", "--data", "@all.csv"}).exit_code, 0);
}

// Both signals wait for the stopped process, so the second comes long before an epoch can end in between.
TEST_F(CommandTest, ASecondSignalKillsAtOnce) {
  RunningCommand training(command(plus({"train", "--model", "@m", "--json", "--epochs", "1000000", "--tolerance", "0",
                                        "--schedule", "constant", "--threads", "1"},
                                       csv_)));
  ASSERT_TRUE(training.wait_for("epoch 3/"));
  for (const int signal : {SIGSTOP, SIGINT, SIGTERM, SIGCONT}) training.send(signal);
  const CommandResult result = training.finish();
  EXPECT_TRUE(result.killed);
  EXPECT_EQ(result.out, "");
  EXPECT_FALSE(std::filesystem::exists(path("m")));
}

TEST_F(CommandTest, SignalsSaveTheModel) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    RunningCommand training(command(
        plus({"train", "--model", "@m", "--json", "--epochs", "1000000", "--tolerance", "0", "--schedule", "constant"},
             csv_)));
    ASSERT_TRUE(training.wait_for("epoch 3/"));
    training.send(signal);
    const CommandResult result = training.finish();
    EXPECT_EQ(result.exit_code, code);
    EXPECT_FALSE(result.killed);
    EXPECT_EQ(json::parse(result.out)["reason"], "interrupted");
    EXPECT_EQ(run({"evaluate", "--model", "@m", "--data", "@all.csv"}).exit_code, 0);
    std::filesystem::remove(path("m"));
  }
}

}  // namespace
