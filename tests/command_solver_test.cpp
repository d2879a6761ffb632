// SPDX-License-Identifier: BSD-3-Clause
//
// lanemax train to the optimum: solvers, paths of penalties, checkpoints.
#include "tests/support/command_fixture.hpp"

#include <cmath>
#include <csignal>
#include <filesystem>

namespace lanemax::testing {
namespace {

TEST_F(CommandTest, SolversReachOneOptimumAndSaySo) {
  const json best = train(plus(csv_, {"--tolerance", "1e-8", "--l2", "0.01"}));
  EXPECT_EQ(best["solver"], "lbfgs");
  EXPECT_EQ(best["reason"], "tolerance");
  EXPECT_TRUE(best["converged"].get<bool>());
  EXPECT_LE(best["gap_bound"].get<double>(), 1e-6);
  const json newton = train(plus(csv_, {"--tolerance", "1e-8", "--l2", "0.01", "--solver", "newton"}));
  EXPECT_NEAR(newton["objective"].get<double>(), best["objective"].get<double>(), 1e-10);
  EXPECT_EQ(newton["solver"], "newton");
  for (const char* solver : {"sgd", "momentum", "adam", "adagrad"}) {
    const json other = train(plus(csv_, {"--l2", "0.01", "--solver", solver, "--epochs", "50"}));
    EXPECT_EQ(other["solver"], solver);
    EXPECT_GE(other["objective"].get<double>(), best["objective"].get<double>());
    EXPECT_GE(other["gap_bound"].get<double>(), other["objective"].get<double>() - best["objective"].get<double>());
  }
  for (const char* kind : {"none", "diagonal", "gram", "blocks", "full"}) {
    const json other = train(plus(csv_, {"--l2", "0.01", "--tolerance", "1e-6", "--preconditioner", kind}));
    EXPECT_NEAR(other["objective"].get<double>(), best["objective"].get<double>(), 1e-7) << kind;
  }
  EXPECT_TRUE(train(plus(csv_, {"--l2", "0", "--max-iterations", "5"}))["gap_bound"].is_null());
  EXPECT_EQ(train(plus(csv_, {"--batch-size", "16"}))["solver"], "momentum");
  EXPECT_EQ(train(plus(csv_, {"--loss", "hinge"}))["solver"], "momentum");
}

// What runs is what is said and what the model file says: the bytes of lbfgs.
TEST_F(CommandTest, NewtonIsLbfgsWhereTheHessianIsNotSmall) {
  std::string wide;
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t d = 0; d < 20; ++d) wide += std::to_string((row * (d + 3) + label(row) * d) % 17) + ',';
    wide += std::to_string(label(row)) + '\n';
  }
  write_text(path("wide.csv"), wide);
  for (const Words& data : {Words{"--data", "@wide.csv"}, plus(csv_, {"--preconditioner", "gram"})}) {
    EXPECT_EQ(train(plus(data, {"--solver", "lbfgs"}))["solver"], "lbfgs");
    const std::string lbfgs = read_text(path("m"));
    EXPECT_EQ(train(plus(data, {"--solver", "newton"}))["solver"], "lbfgs");
    EXPECT_TRUE(read_text(path("m")) == lbfgs);
    const CommandResult said = run(plus({"train", "--model", "@m", "--solver", "newton"}, data));
    EXPECT_NE(said.out.find("; softmax, lbfgs, "), std::string::npos) << said.out;
  }
}

TEST_F(CommandTest, MiniBatchesLearnFashionMnistWithoutBeingTold) {
  const std::string stem = "/usr/share/datasets/fashion-mnist/", images = "-images-idx3-ubyte.gz",
                    labels = "-labels-idx1-ubyte.gz";
  if (!std::filesystem::exists(stem + "train" + images)) GTEST_SKIP() << "Fashion-MNIST is not installed";
  for (const char* solver : {"sgd", "momentum", "adam", "adagrad"}) {
    const json result =
        train({"--data", stem + "train" + images, "--labels", stem + "train" + labels, "--scale", "unit", "--test-data",
               stem + "t10k" + images, "--test-labels", stem + "t10k" + labels, "--solver", solver});
    EXPECT_GE(result["test"]["accuracy"].get<double>(), 0.84) << solver;
  }
}

TEST_F(CommandTest, StandardScalingDoesNotCareForTheScale) {
  const json raw = train(plus(csv_, {"--scale", "standard", "--tolerance", "1e-7"}));
  std::ostringstream stretched;
  stretched.precision(9);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t feature = 0; feature < kFeatures; ++feature) {
      stretched << pixel(row, feature) * std::pow(8.0, static_cast<double>(feature)) + 1000.0 << ',';
    }
    stretched << label(row) << '\n';
  }
  write_text(path("stretched.csv"), stretched.str());
  const json other = train({"--data", "@stretched.csv", "--scale", "standard", "--tolerance", "1e-7"});
  EXPECT_NEAR(other["objective"].get<double>(), raw["objective"].get<double>(), 1e-7);
  EXPECT_TRUE(other["converged"].get<bool>());
}

TEST_F(CommandTest, PathsAreTablesAndSaveTheBest) {
  const Words path = plus(csv_, {"--l2-path", "0.001,1,0.03", "--folds", "5", "--tolerance", "1e-6"});
  const json result = train(path);
  const json& points = result["path"]["points"];
  EXPECT_EQ(result["path"]["folds"], 5);
  ASSERT_EQ(points.size(), 3U);
  double least = 1e9, best_l2 = 0;
  for (const json& point : points) {
    const json alone = train(plus(csv_, {"--l2", point["l2"].dump(), "--tolerance", "1e-6"}));
    EXPECT_NEAR(point["objective"].get<double>(), alone["objective"].get<double>(), 1e-7);
    EXPECT_TRUE(point["converged"].get<bool>());
    EXPECT_GT(point["held_out_accuracy"].get<double>(), 0.5);
    if (point["held_out_log_loss"].get<double>() < least) {
      least = point["held_out_log_loss"].get<double>();
      best_l2 = point["l2"].get<double>();
    }
  }
  const json alone = train(plus(csv_, {"--l2", json(best_l2).dump(), "--tolerance", "1e-6"}));
  EXPECT_NEAR(result["objective"].get<double>(), alone["objective"].get<double>(), 1e-6);
  const CommandResult text = run(plus(plus({"train", "--model", "@m", "--quiet"}, path), {}));
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_NE(text.out.find("held-out log loss"), std::string::npos);
  EXPECT_NE(text.out.find("  best"), std::string::npos);
  EXPECT_FALSE(train(csv_).contains("path"));
}

TEST_F(CommandTest, FoldsAloneJudgeTheOnePenalty) {
  for (const bool given : {false, true}) {
    const Words options = plus(csv_, given ? Words{"--l2", "0.03", "--folds", "5"} : Words{"--folds", "5"});
    const json result = train(options), alone = train(given ? plus(csv_, {"--l2", "0.03"}) : csv_);
    const json& points = result["path"]["points"];
    ASSERT_EQ(points.size(), 1U);
    EXPECT_EQ(points[0]["l2"].get<double>(), given ? 0.03 : 1 / 90.0);
    EXPECT_GT(points[0]["held_out_log_loss"].get<double>(), 0);
    EXPECT_NEAR(result["objective"].get<double>(), alone["objective"].get<double>(), 1e-7);
  }
}

// From the model of the same data there is nothing left to do; columns in another order and classes that it does not
// know are found by name.
TEST_F(CommandTest, InitBeginsFromAModel) {
  const Words tight = plus(csv_, {"--tolerance", "1e-6"});
  const json cold = train(tight);
  std::filesystem::rename(path("m"), path("first"));
  const json warm = train(plus(tight, {"--init", "@first"}));
  EXPECT_LE(warm["iterations"].get<int>(), 2);
  EXPECT_GT(cold["iterations"].get<int>(), 5);
  EXPECT_NEAR(warm["objective"].get<double>(), cold["objective"].get<double>(), 1e-7);

  std::string turned;
  for (const std::string& line : split_lines(table())) {  // f,a,b,c,d,e
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; fields.size() < 6 && std::getline(stream, field, ',');) fields.push_back(field);
    std::string label;
    std::getline(stream, label);
    turned += fields[5];
    for (std::size_t d = 0; d < 5; ++d) turned += ',' + fields[d];
    turned += ',' + label + '\n';
  }
  write_text(path("turned.csv"), turned);
  const json by_name = train({"--data", "@turned.csv", "--tolerance", "1e-6", "--init", "@first"});
  EXPECT_LE(by_name["iterations"].get<int>(), 2);

  train({"--data", "@two.csv"});
  std::filesystem::rename(path("m"), path("of_two"));
  EXPECT_TRUE(train(plus(tight, {"--init", "@of_two"}))["converged"].get<bool>());
  const auto refused = [&](const Words& words, const std::string& mentions) {
    expect_refusal(plus({"train", "--model", "@m"}, words), 4, mentions);
  };
  refused({"--data", "@two.csv", "--init", "@first"}, "class");
  refused({"--data", "@all.csv", "--drop", "a", "--init", "@first"}, "6 features");
  refused({"--data", "@all.csv", "--loss", "hinge", "--init", "@first"}, "softmax");
  write_text(path("other.csv"), "z" + table().substr(1));
  refused({"--data", "@other.csv", "--init", "@first"}, "'z'");
}

// A constant feature: what is held out is judged by how often its class is among the others. Six rows of a, three of b
// and one of c are dealt as aa, ab, ab, ab, ac; the c has no other to be judged by.
TEST_F(CommandTest, HeldOutLossesAreThoseOfTheRowsThatWereSeen) {
  std::string text = "x,y\n";
  for (const char label : {'a', 'a', 'a', 'a', 'a', 'a', 'b', 'b', 'b', 'c'}) text += std::string("0,") + label + '\n';
  write_text(path("ten.csv"), text);
  const double losses[] = {2 * std::log(2), std::log(8 / 5.0) + std::log(4), std::log(8 / 5.0)};
  const double want = (losses[0] + 3 * losses[1] + losses[2]) / 9;
  for (const char* tolerance : {"1e-4", "1e-5", "1e-8"}) {
    const CommandResult result = run({"train", "--model", "@m", "--quiet", "--json", "--data", "@ten.csv", "--l2-path",
                                      "1,0.01", "--folds", "5", "--tolerance", tolerance});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(lines_of(result.err, "warning: 1 row held out has a class that no row trains"), 1U) << result.err;
    const json found = json::parse(result.out)["path"];
    EXPECT_EQ(keys(found), (std::set<std::string>{"folds", "left_out", "points"}));
    EXPECT_EQ(found["left_out"], 1);
    for (const json& point : found["points"]) {
      EXPECT_NEAR(point["held_out_log_loss"].get<double>(), want, 5 * std::stod(tolerance));
      EXPECT_NEAR(point["held_out_accuracy"].get<double>(), 6 / 9.0, 1e-12);
    }
  }
  write_text(path("four.csv"), "0,a\n0,b\n0,c\n0,d\n");
  const CommandResult none = run({"train", "--model", "@n", "--data", "@four.csv", "--l2-path", "1", "--folds", "2"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_EQ(lines_of(none.err, "warning: "), 1U) << none.err;  // classes of one row
  EXPECT_EQ(lines_of(none.err, "lanemax: held-out rows: "), 1U) << none.err;
}

TEST_F(CommandTest, APathThatEndsEarlySaysSoAndSavesTheBestThereIs) {
  std::string penalties = "1";
  for (int i = 2; i < 2000; ++i) penalties += ",0." + std::to_string(10000 - i);
  const Words options = plus(csv_, {"--l2-path", penalties, "--folds", "30", "--tolerance", "1e-9"});
  for (const bool some : {false, true}) {
    RunningCommand training(command(plus({"train", "--model", "@m", "--json"}, options)));
    ASSERT_TRUE(training.wait_for(some ? "fold 30" : "fold 1 "));
    training.send(SIGINT);
    const CommandResult stopped = training.finish();
    EXPECT_EQ(stopped.exit_code, 130);
    const json result = json::parse(stopped.out);
    EXPECT_EQ(result["reason"], "interrupted");
    EXPECT_FALSE(result["converged"].get<bool>());
    EXPECT_EQ(result["solver"], "lbfgs");
    EXPECT_GT(result["objective"].get<double>(), 0);
    const std::size_t finished = result["path"]["points"].size();
    EXPECT_LT(finished, 1999U);
    EXPECT_EQ(lines_of(stopped.err, "warning: the path ended early (interrupted): " + std::to_string(finished) + " of"),
              1U);
  }
}

TEST_F(CommandTest, ResumedModelsAreTheSameBytes) {
  for (const Words& solver : {Words{"--solver", "lbfgs"}, Words{"--solver", "newton"}, Words{"--solver", "momentum"},
                              Words{"--solver", "adam", "--epochs", "7"}}) {
    const Words options = plus(plus(csv_, solver), {"--tolerance", "1e-9"});
    train(options);
    const std::string whole = read_text(path("m"));
    std::filesystem::remove(path("m"));
    for (const char* most : {"2", "4"}) {
      const json part = train(plus(options, {"--checkpoint", "@c", "--max-iterations", most}));
      EXPECT_EQ(part["reason"], "max_iterations");
      EXPECT_TRUE(std::filesystem::exists(path("c")));
      train(plus(options, {"--checkpoint", "@c", "--resume", "--threads", "1"}));
      EXPECT_TRUE(read_text(path("m")) == whole) << solver[1];
      std::filesystem::remove(path("c"));
    }
  }
}

// A path that is stopped wherever it is goes on to the same model file and the same numbers.
TEST_F(CommandTest, ResumedPathsAreTheSameBytes) {
  std::string penalties = "1";
  for (int i = 2; i < 400; ++i) penalties += ",0." + std::to_string(1000 - i);
  const Words options =
      plus(csv_, {"--l2-path", penalties, "--folds", "5", "--tolerance", "1e-9", "--checkpoint", "@c"});
  const auto without_time = [](json result) {
    result.erase("seconds");
    result.erase("threads");
    return result;
  };
  const json whole = without_time(train(options));
  const std::string model = read_text(path("m"));
  int stops = 0;
  for (const int milliseconds : {0, 30, 100}) {
    SCOPED_TRACE(milliseconds);
    RunningCommand training(command(plus({"train", "--model", "@m", "--json"}, options)));
    ASSERT_TRUE(training.wait_for("fold 1 "));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    training.send(SIGINT);
    const CommandResult stopped = training.finish();
    if (stopped.exit_code == 0) continue;  // too late
    ++stops;
    EXPECT_EQ(stopped.exit_code, 130);
    EXPECT_EQ(json::parse(stopped.out)["reason"], "interrupted");
    EXPECT_EQ(without_time(train(plus(options, {"--resume", "--threads", "1"}))), whole);
    EXPECT_TRUE(read_text(path("m")) == model);
    std::filesystem::remove(path("c"));
  }
  EXPECT_GT(stops, 0);
}

TEST_F(CommandTest, ResumingSomethingElseIsRefused) {
  const Words base = plus({"train", "--model", "@m"}, csv_);
  const Words checkpoint{"--checkpoint", "@c", "--max-iterations", "3", "--quiet"};
  EXPECT_EQ(run(plus(base, checkpoint)).exit_code, 0);
  const Words resume{"--checkpoint", "@c", "--resume"};
  expect_refusal(plus(plus(base, resume), {"--l2", "0.5"}), 4, "l2");
  expect_refusal(plus(plus(base, resume), {"--solver", "newton"}), 4, "solver");
  expect_refusal(plus(plus(base, resume), {"--scale", "standard"}), 4);
  std::string text = table();
  text.replace(text.find("ant"), 3, "asp");
  write_text(path("other.csv"), text);
  expect_refusal(plus({"train", "--model", "@m", "--data", "@other.csv"}, resume), 4);
  EXPECT_EQ(run(plus(base, {"--quiet"})).exit_code, 0);
  expect_refusal(plus(base, {"--checkpoint", "@none", "--resume"}), 5, "none");
  std::filesystem::copy_file(path("m"), path("model"));
  expect_refusal(plus(base, {"--checkpoint", "@model", "--resume"}), 4, "model");
}

TEST_F(CommandTest, SignalsLeaveACheckpoint) {
  const Words options = plus(csv_, {"--epochs", "1000000", "--tolerance", "0", "--schedule", "constant"});
  RunningCommand training(command(plus(plus({"train", "--model", "@m", "--json"}, options), {"--checkpoint", "@c"})));
  ASSERT_TRUE(training.wait_for("epoch 3/"));
  training.send(SIGINT);
  const CommandResult stopped = training.finish();
  EXPECT_EQ(stopped.exit_code, 130);
  ASSERT_TRUE(std::filesystem::exists(path("c")));
  const std::uint64_t done = json::parse(stopped.out)["iterations"].get<std::uint64_t>();
  const std::string most = std::to_string(done + 7);
  train(plus(options, {"--checkpoint", "@c", "--resume", "--max-iterations", most}));
  const std::string resumed = read_text(path("m"));
  train(plus(options, {"--max-iterations", most}));
  EXPECT_TRUE(read_text(path("m")) == resumed);
}

TEST_F(CommandTest, ACheckpointThatCannotBeWrittenCostsNoModel) {
  std::filesystem::create_directory(path("ck"));
  const Words options = plus(csv_, {"--epochs", "1000000", "--tolerance", "0", "--schedule", "constant"});
  RunningCommand training(
      command(plus(plus({"train", "--model", "@m", "--json"}, options), {"--checkpoint", "@ck/c"})));
  ASSERT_TRUE(training.wait_for("epoch 3/"));
  std::filesystem::remove(path("ck"));
  training.send(SIGTERM);
  const CommandResult stopped = training.finish();
  EXPECT_EQ(stopped.exit_code, 143);
  EXPECT_TRUE(std::filesystem::exists(path("m")));
  const json result = json::parse(stopped.out);
  const std::string error = result["checkpoint_error"].get<std::string>();
  EXPECT_NE(error.find("ck/c: "), std::string::npos) << error;
  EXPECT_NE(error.find("No such file"), std::string::npos) << error;
  EXPECT_NE(stopped.err.find(error), std::string::npos) << stopped.err;
  EXPECT_TRUE(train(csv_)["checkpoint_error"].is_null());
}

}  // namespace
}  // namespace lanemax::testing
