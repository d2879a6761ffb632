// SPDX-License-Identifier: BSD-3-Clause
//
// What the command refuses, with which exit code and in which words.
#include "tests/support/command_fixture.hpp"
#include "tests/support/data_files.hpp"

namespace {

using namespace lanemax::testing;

TEST_F(CommandTest, EveryNumberIsCheckedAgainstItsRange) {
  const Words numbers{"--l2",        "--label-smoothing", "--learning-rate",
                      "--tolerance", "--time-limit",      "--validation-fraction"};
  const Words counts{"--epochs", "--batch-size", "--max-iterations", "--early-stopping", "--seed", "--threads"};
  for (const std::string& option : plus(numbers, counts)) {
    for (const char* value : {"nan", "inf", "-inf", "-1", "1e308", "abc", "1e", "", "0x10", " 1", "1 "}) {
      expect_refusal(plus({"train", "--model", "@m", option, value}, csv_), 2, option + ": '" + value + "'; expected");
    }
    expect_refusal(plus({"train", "--model", "@m", option + "="}, csv_), 2, option);
    expect_refusal(plus(plus({"train", "--model", "@m"}, csv_), {option}), 2, option);
  }
  for (const char* option : {"--learning-rate", "--time-limit", "--validation-fraction", "--batch-size",
                             "--max-iterations", "--early-stopping", "--threads"}) {
    expect_refusal(plus({"train", "--model", "@m", option, "0"}, csv_), 2, option);
  }
  expect_refusal(plus({"train", "--model", "@m", "--epochs", "9223372036854775808"}, csv_), 2, "--epochs");
  expect_refusal(plus({"train", "--model", "@m", "--threads", "1000000"}, csv_), 2, "--threads");
  expect_refusal(plus({"train", "--model", "@m", "--label-smoothing", "1.1"}, csv_), 2, "--label-smoothing");
}

TEST_F(CommandTest, WrongOptionsAreUsageErrors) {
  const Words base = plus({"train", "--model", "@m"}, csv_);
  expect_refusal({}, 2);
  expect_refusal({"fly"}, 2, "fly");
  expect_refusal({"train"}, 2, "--data");
  expect_refusal(plus({"train"}, csv_), 2, "--model");
  for (const char* option : {"--loss", "--solver", "--schedule", "--scale", "--format", "--header", "--decimal"}) {
    expect_refusal(plus(base, {option, "other"}), 2, option);
  }
  for (const char* solver : {"lbfgs", "newton"}) {
    expect_refusal(plus(base, {"--solver", solver, "--epochs", "3"}), 2, "--epochs");
    expect_refusal(plus(base, {"--solver", solver, "--schedule", "step"}), 2, "--schedule");
    expect_refusal(plus(base, {"--solver", solver, "--loss", "hinge"}), 2, solver);
  }
  expect_refusal(plus(base, {"--solver", "sgd", "--preconditioner", "gram"}), 2, "--preconditioner");
  expect_refusal(plus(base, {"--no-such-option", "f"}), 2, "--no-such-option");
  expect_refusal(plus(base, {"--resume"}), 2, "--checkpoint");
  expect_refusal(plus(base, {"--checkpoint", "@m"}), 2, "--checkpoint");
  expect_refusal(plus(base, {"--folds", "5", "--validation-fraction", "0.2"}), 2, "--folds");
  expect_refusal(plus(base, {"--folds", "5", "--solver", "sgd"}), 2, "--folds");
  expect_refusal(plus(base, {"--init", "@none"}), 5, "none");
  expect_refusal(plus(base, {"--init", "@all.csv"}), 4, "all.csv");
  expect_refusal(plus(base, {"--l2-path", "0.1"}), 2, "--folds");
  expect_refusal(plus(base, {"--l2-path", "0.1,0.1", "--folds", "5"}), 2, "twice");
  for (const char* list : {"", ",", "0.1,", "0.1,x", "0.1;0.2", "-1", "nan"}) {
    expect_refusal(plus(base, {"--l2-path", list, "--folds", "5"}), 2, "--l2-path");
  }
  for (const char* folds : {"0", "1", "-2", "1.5"}) {
    expect_refusal(plus(base, {"--l2-path", "0.1", "--folds", folds}), 2, "--folds");
  }
  const Words path = plus(base, {"--l2-path", "0.1", "--folds", "5"});
  expect_refusal(plus(path, {"--validation-fraction", "0.1"}), 2, "--l2-path");
  expect_refusal(plus(path, {"--l2", "0.1"}), 2, "--l2");
  expect_refusal(plus(path, {"--loss", "hinge"}), 2, "--l2-path");
  expect_refusal(plus(path, {"--solver", "adam"}), 2, "--l2-path");
  expect_refusal(plus(base, {"--l2", "1", "--l2", "2"}), 2, "--l2");
  expect_refusal(plus(base, {"--quiet", "--quiet"}), 2, "--quiet");
  expect_refusal(plus(base, {"--quiet=no"}), 2, "--quiet");
  expect_refusal(plus(base, {"--early-stopping", "3"}), 2, "--validation-fraction");
  expect_refusal(plus(base, {"--loss", "hinge", "--label-smoothing", "0.1"}), 2, "--label-smoothing");
  expect_refusal(plus(base, {"--test-labels", "@y.idx"}), 2, "--test-data");
  expect_refusal(plus(base, {"--separator", "ab"}), 2, "--separator");
  expect_refusal(plus(base, {"--scale", "unit"}), 2, "--scale");
  expect_refusal(plus(base, {"--label-column", "nose"}), 2, "nose");
  expect_refusal(plus(base, {"--sample-weight", "nose"}), 2, "nose");
  expect_refusal(plus(plus({"train", "--model", "@m"}, idx_), {"--sample-weight", "nose"}), 2, "nose");
  for (const char* option : {"--data", "--labels", "--test-data", "--test-labels", "--model"}) {
    expect_refusal({"train", option, "-"}, 2,
                   std::string(option) + ": '-'; expected a file, standard input is not read");
  }
  expect_refusal(plus(base, {"--", "x"}), 2, "'x'");
  expect_refusal(plus(base, {"--labels", "@y.idx"}), 2, "labels file");
  expect_refusal({"info", "stray"}, 2, "stray");
}

TEST_F(CommandTest, WrongInstructionSetsAreUsageErrors) {
  for (const char* name : {"avx9", "AVX2"}) {
    expect_refusal({"info"}, 2, "LANEMAX_ISA", {std::string("LANEMAX_ISA=") + name});
    expect_refusal(plus({"train", "--model", "@m"}, csv_), 2, "LANEMAX_ISA", {std::string("LANEMAX_ISA=") + name});
  }
  for (const char* name : {"packed", "garbage", ""}) {
    expect_refusal({"info"}, 2, "LANEMAX_SCHEDULE", {std::string("LANEMAX_SCHEDULE=") + name});
    expect_refusal(plus({"train", "--model", "@m"}, csv_), 2, "LANEMAX_SCHEDULE",
                   {std::string("LANEMAX_SCHEDULE=") + name});
  }
  expect_refusal({"info", "--isa", "avx9"}, 2, "avx9");
  expect_refusal({"info", "--isa", "neon_sse2"}, 2, "--isa");
}

TEST_F(CommandTest, OutputsAreCheckedBeforeTraining) {
  expect_refusal(plus({"train", "--model", "@nowhere/m"}, csv_), 5, "nowhere");
  expect_refusal({"train", "--data", "@all.csv", "--model", "@all.csv"}, 2, "--model");
  expect_refusal({"train", "--data", "@all.csv", "--model", "@./all.csv"}, 2, "--model");
  expect_refusal(plus({"train", "--model", "/dev/null"}, csv_), 5, "/dev/null");
  expect_refusal(plus({"train", "--model", "@"}, csv_), 5);
  expect_refusal(plus({"train", "--model", "@m", "--history", "@m"}, csv_), 2, "--history");
  expect_refusal(plus({"train", "--model", "@m", "--history", "@nowhere/h"}, csv_), 5, "--history");
  EXPECT_EQ(read_text(path("all.csv")), table());
}

TEST_F(CommandTest, BadDataIsNamed) {
  const Words train{"train", "--model", "@m"};
  write_text(path("short.idx"), images().substr(0, 300));
  write_text(path("few.idx"), digits(50));
  write_text(path("nan.csv"), "a,b,y\n1,2,u\n1,nan,v\n");
  write_text(path("ragged.csv"), "a,b,y\n1,2,u\n1,v\n");
  write_text(path("one.csv"), "a,b,y\n1,2,u\n1,3,u\n");
  write_text(path("empty.csv"), "");
  expect_refusal(plus(train, {"--data", "@none.csv"}), 5, "none.csv");
  expect_refusal(plus(train, {"--data", "@"}), 5);
  expect_refusal(plus(train, {"--data", "@x.idx", "--labels", "@none.idx"}), 5, "none.idx");
  expect_refusal(plus(train, {"--data", "@short.idx", "--labels", "@y.idx"}), 3, "short.idx");
  expect_refusal(plus(train, {"--data", "@x.idx", "--labels", "@few.idx"}), 3, "few.idx");
  expect_refusal(plus(train, {"--data", "@x.idx", "--labels", "@x.idx"}), 3, "x.idx");
  expect_refusal(plus(train, {"--data", "@x.idx"}), 3, "--labels");
  expect_refusal(plus(train, {"--data", "@nan.csv"}), 3, "nan.csv:3: ");
  expect_refusal(plus(train, {"--data", "@ragged.csv"}), 3, "ragged.csv:3: ");
  expect_refusal(plus(train, {"--data", "@one.csv"}), 3, "one.csv");
  expect_refusal(plus(train, {"--data", "@empty.csv"}), 3, "empty.csv");
  // Its beginning looks well, its end is missing.
  const std::string packed = lanemax::testing_data::gzip(images());
  write_text(path("cut.gz"), packed.substr(0, packed.size() - 9));
  const std::string ends_too_early =
      path("cut.gz") + ": gzip data 'ends too early', byte " + std::to_string(packed.size() - 9) + "; expected";
  expect_refusal(plus(train, {"--data", "@cut.gz", "--labels", "@y.idx"}), 3, ends_too_early);
  expect_refusal(plus(train, plus(idx_, {"--test-data", "@cut.gz", "--test-labels", "@y.idx"})), 3, ends_too_early);
  expect_refusal(plus(train, plus(idx_, {"--test-data", "@x.idx", "--test-labels", "@none.idx"})), 5,
                 path("none.idx") + ": cannot open: No such file");
  write_text(path("latin1.csv"), "a,b,y\n1,2,u\n1,3,M\xFCller\n");
  expect_refusal(plus(train, {"--data", "@latin1.csv"}), 3, "latin1.csv:3: label 'M?ller', column 2; expected UTF-8");
  expect_refusal(plus(train, {"--data", "@all.csv", "--loss", "logistic"}), 3, "logistic");
  expect_refusal(plus(train, {"--data", "@all.csv", "--test-data", "@unlabelled.csv"}), 3, "unlabelled.csv");
}

TEST_F(CommandTest, BadModelsAreNamed) {
  train(csv_);
  const std::string model = read_text(path("m"));
  std::string flipped = model;
  flipped[flipped.size() - 3] = static_cast<char>(flipped[flipped.size() - 3] ^ 1);
  write_text(path("flipped"), flipped);
  write_text(path("cut"), model.substr(0, model.size() - 1));
  const std::string packed = lanemax::testing_data::gzip(table());
  write_text(path("cut.gz"), packed.substr(0, packed.size() / 2));
  for (const char* command : {"evaluate", "predict"}) {
    for (const char* bad : {"@flipped", "@cut", "@all.csv", "@x.idx"}) {
      expect_refusal({command, "--model", bad, "--data", "@all.csv"}, 4, std::string(bad).substr(1));
    }
    expect_refusal({command, "--model", "@none", "--data", "@all.csv"}, 5, "none");
    expect_refusal({command, "--model", "@m", "--data", "@none.csv"}, 5, "none.csv");
    expect_refusal({command, "--model", "@m", "--data", "@cut.gz"}, 3, path("cut.gz") + ": gzip data 'ends too early'");
  }
  write_text(path("narrow.csv"), "a,b,species\n1,2,ant\n");
  write_text(path("renamed.csv"), "a,b,c,d,e,g\n1,2,3,4,5,6\n");
  expect_refusal({"evaluate", "--model", "@m", "--data", "@narrow.csv"}, 3, "narrow.csv");
  expect_refusal({"predict", "--model", "@m", "--data", "@narrow.csv", "--output", "@out.csv"}, 3, "narrow.csv");
  expect_refusal({"predict", "--model", "@m", "--data", "@renamed.csv"}, 3, "missing column 'f'");
  expect_refusal({"predict", "--model", "@m", "--data", "@unlabelled.csv", "--top-k", "4"}, 2, "--top-k");
  expect_refusal({"predict", "--model", "@m", "--data", "@unlabelled.csv", "--proba", "--logits"}, 2, "--logits");
  expect_refusal({"predict", "--model", "@m", "--data", "@unlabelled.csv", "--json"}, 2, "--json");
  expect_refusal({"predict", "--model", "@m", "--data", "@unlabelled.csv", "--output", "@m"}, 2, "--output");
}

TEST_F(CommandTest, FullDisksAndClosedPipesAreNoticed) {
  train(csv_);
  for (const Words& words : {Words{"info"}, Words{"evaluate", "--model", "@m", "--data", "@all.csv"},
                             Words{"predict", "--model", "@m", "--data", "@unlabelled.csv"}}) {
    const CommandResult full = run(words, {}, "/dev/full");
    EXPECT_EQ(full.exit_code, 5);
    EXPECT_EQ(lines_of(full.err), 1U) << full.err;
  }
  // A file size limit: nothing is left of the file that could not be finished, and an old one stays.
  write_text(path("old"), "old");
  for (const std::string words : {"predict --output \"$1/old\" --proba --model \"$1/m\" --data \"$1/unlabelled.csv\"",
                                  "train --quiet --model \"$1/old\" --data \"$1/all.csv\""}) {
    const auto before = directory_.files();
    const CommandResult limited =
        run_command({"/bin/sh", "-c", "ulimit -f 1; exec \"$0\" " + words, LANEMAX_COMMAND_PATH, path("")});
    EXPECT_EQ(limited.exit_code, 5) << limited.err;
    // LLVM's OpenMP run time warns in its own words when it cannot write the file it registers itself in.
    EXPECT_EQ(lines_of(limited.err) - lines_of(limited.err, "OMP: Warning"), 1U) << limited.err;
    EXPECT_EQ(read_text(path("old")), "old");
    EXPECT_EQ(directory_.files(), before);
  }
  // Nobody reads any more when the command writes.
  const CommandResult closed = run_command(
      {"/bin/sh", "-c", "(sleep 0.3; \"$0\" info; echo $? >\"$1\") | true", LANEMAX_COMMAND_PATH, path("code")});
  EXPECT_EQ(closed.err, "");
  EXPECT_EQ(read_text(path("code")), "5\n");
}

}  // namespace
