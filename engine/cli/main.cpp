// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/version.hpp>

#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/output.hpp"

#include <csignal>
#include <exception>
#include <new>

namespace lanemax::cli {
namespace {

constexpr char kOverview[] =
    "lanemax: softmax linear classifiers on CPUs\n"
    "\n"
    "Usage: lanemax COMMAND [OPTIONS]\n"
    "\n"
    "  train     fit a model to samples and labels in files, and save it\n"
    "  evaluate  accuracy, log loss and confusion matrix of a model on labelled samples\n"
    "  predict   classes, probabilities or scores of samples, as CSV\n"
    "  info      instruction sets, caches, threads and version\n"
    "  selfcheck reproduces published results on this machine and says which hold\n"
    "\n"
    "`lanemax COMMAND --help` lists a command's options, defaults and conventions.\n"
    "\n"
    "Words and progress go to stderr, results to stdout. Exit codes: 0 done, 1 diverged or failed, 2 usage, 3 bad "
    "data,\n"
    "4 bad model, 5 missing or unreadable file, 6 out of memory, 130/143 interrupted (the model so far is saved).\n"
    "LANEMAX_ISA=NAME forces an instruction set (see `lanemax info`), LANEMAX_SCHEDULE=NAME the order in which its\n"
    "kernels go through memory (in_place, packed_32k, packed_48k: the same results); a wrong name is an error.\n";

constexpr char kCommands[] = "train, evaluate, predict, info or selfcheck";

int run(const CommandLine& line) {
  if (line.size() < 2) give_up_usage(std::string("no command; expected ") + kCommands + " (see lanemax --help)");
  const std::string& name = line[1];
  if (name == "train") return run_train(line);
  if (name == "evaluate") return run_evaluate(line);
  if (name == "predict") return run_predict(line);
  if (name == "info") return run_info(line);
  if (name == "selfcheck") return run_selfcheck(line);
  const bool help = name == "--help" || name == "-h" || name == "help";
  if (!help && name != "--version") {
    give_up_usage("'" + one_line(name) + "': unknown command; expected " + kCommands);
  }
  write_stdout(help ? kOverview : std::string("lanemax ") + version() + "\n");
  return kDone;
}

int report(int exit_code, const std::string& text) {
  if (!text.empty()) say("lanemax: " + text);
  return exit_code;
}

int run_command_line(int argc, char** argv) {
  try {
    return run(CommandLine(argv, argv + argc));
  } catch (const CommandError& error) {
    return report(error.exit_code, error.text);
  } catch (const std::bad_alloc&) {
    return report(kOutOfMemory, "out of memory");
  } catch (const std::exception& error) {
    return report(kFailure, error.what());
  }
}

}  // namespace
}  // namespace lanemax::cli

int main(int argc, char** argv) {
  // A closed pipe or a file at its size limit then shows as a failed write, which has an exit code of its own.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return lanemax::cli::run_command_line(argc, argv);
}
