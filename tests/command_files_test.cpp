// SPDX-License-Identifier: BSD-3-Clause
//
// What is on the disk after a run that did not go as planned.
#include "tests/support/command_fixture.hpp"

#include <sys/stat.h>

namespace {

using namespace lanemax::testing;

class CommandFilesTest : public CommandTest {
 protected:
  // Many rows, whose predictions take a while.
  void write_many_rows() const {
    std::string values;
    for (int i = 0; i < 4000; ++i) values += images().substr(16);
    write_text(path("X"), idx_bytes({kRows * 4000, 2, 3}, {values.begin(), values.end()}));
  }
  [[nodiscard]] static bool is_temporary(const std::string& name) { return name.find(".tmp") != std::string::npos; }

  const Words endless_ =
      plus(plus({"train", "--model", "@m"}, csv_), {"--tolerance", "0", "--solver", "sgd", "--epochs", "100000000"});
};

TEST_F(CommandFilesTest, InterruptedPredictionsLeaveNothing) {
  write_many_rows();
  train(idx_);
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const bool replaces : {false, true}) {
      if (replaces) write_text(path("out.csv"), "old\n");
      const auto before = directory_.files();
      RunningCommand predicting(
          command({"predict", "--model", "@m", "--data", "@X", "--proba", "--output", "@out.csv", "--threads", "1"}));
      bool begun = false;
      for (int tries = 0; tries < 30000 && !begun; ++tries) {
        for (const std::string& file : directory_.files()) begun = begun || is_temporary(file);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      ASSERT_TRUE(begun);
      predicting.send(signal);
      const CommandResult result = predicting.finish();
      EXPECT_FALSE(result.killed);
      EXPECT_EQ(result.exit_code, 128 + signal) << result.err;
      EXPECT_EQ(result.out, "");
      EXPECT_EQ(lines_of(result.err, "lanemax: " + path("out.csv") + ": not written"), 1U) << result.err;
      EXPECT_EQ(directory_.files(), before);
      EXPECT_EQ(read_text(path("out.csv")), replaces ? "old\n" : "");
      std::filesystem::remove(path("out.csv"));
    }
  }
}

TEST_F(CommandFilesTest, PredictionsKeepPermissionsAndLinks) {
  train(csv_);
  write_text(path("real.csv"), "old\n");
  ASSERT_EQ(::chmod(path("real.csv").c_str(), 0640), 0);
  std::filesystem::create_symlink("real.csv", path("out.csv"));
  ASSERT_EQ(run({"predict", "--model", "@m", "--data", "@all.csv", "--output", "@out.csv"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(path("out.csv")));
  struct stat info{};
  ASSERT_EQ(::stat(path("real.csv").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
  EXPECT_EQ(lines_of(read_text(path("real.csv"))), kRows + 1);
}

// The model is worth more than its history.
TEST_F(CommandFilesTest, AHistoryThatCannotBeWrittenCostsNothing) {
  std::filesystem::create_directory(path("logs"));
  RunningCommand training(command(plus(endless_, {"--history", "@logs/h.csv", "--json"})));
  ASSERT_TRUE(training.wait_for("epoch 2/"));
  std::filesystem::remove_all(path("logs"));
  training.send(SIGINT);
  const CommandResult result = training.finish();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(lines_of(result.err, "warning: " + path("logs/h.csv")), 1U) << result.err;
  EXPECT_NE(result.err.find("No such file"), std::string::npos) << result.err;
  EXPECT_EQ(json::parse(result.out)["reason"], "interrupted");
  EXPECT_EQ(run({"evaluate", "--model", "@m", "--data", "@all.csv"}).exit_code, 0);
}

// The command that goes on is printed, and works in a shell as it stands.
TEST_F(CommandFilesTest, SaysHowToGoOnAndFromWhereItDid) {
  const Words words = plus(endless_, {"--checkpoint", "@it's a \"check\"point"});
  std::string next;
  for (int runs = 0; runs < 3; ++runs) {
    RunningCommand training(runs == 0 ? command(words) : Words{"/bin/sh", "-c", "exec " + next});
    ASSERT_TRUE(training.wait_for("epoch "));
    training.send(SIGINT);
    const CommandResult result = training.finish();
    ASSERT_EQ(result.exit_code, 130) << result.err;
    EXPECT_EQ(lines_of(result.err, "resumed from " + path("it's a \"check\"point, after ")), runs == 0 ? 0U : 1U)
        << result.err;
    ASSERT_EQ(lines_of(result.err, "to go on: "), 1U) << result.err;
    for (const std::string& line : split_lines(result.err)) {
      if (line.starts_with("to go on: ")) next = line.substr(10);
    }
    EXPECT_TRUE(next.ends_with(" --resume")) << next;
    EXPECT_EQ(next.find("--resume"), next.size() - 8);
  }
  const CommandResult refused = run(plus(words, {"--resume", "--l2", "0.5"}));
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_NE(refused.err.find(": l2 'kept 0.01"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find(", now 0.5'"), std::string::npos) << refused.err;
  RunningCommand unkept(command(endless_));
  ASSERT_TRUE(unkept.wait_for("epoch 2/"));
  unkept.send(SIGINT);
  EXPECT_EQ(lines_of(unkept.finish().err, "to go on: "), 0U);
}

}  // namespace
