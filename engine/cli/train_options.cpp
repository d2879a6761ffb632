// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/train_options.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/output.hpp"
#include "engine/fit/space/caller_side.hpp"

#include <algorithm>
#include <limits>

namespace lanemax::cli {

const char* name_of(Scaling scaling) noexcept {
  switch (scaling) {
    case Scaling::none: return "none";
    case Scaling::unit: return "unit";
    case Scaling::standard: return "standard";
  }
  return "";
}

namespace {

constexpr char kNotes[] =
    "Conventions:\n"
    "  What is minimised is L = (1/S) sum_i s_i loss_i + (LAMBDA/2) |W|^2 with S the sum of the sample weights s_i "
    "(class\n"
    "  weights multiplied in) over the training rows, or their number without weights. The bias is not penalised. "
    "Losses\n"
    "  are in nats (natural logarithm). With --scale the penalty acts on the weights of the scaled features.\n"
    "  scikit-learn's C is LAMBDA = 1/(C S): the default LAMBDA = 1/S is its C = 1 for three classes and more. For "
    "two\n"
    "  classes scikit-learn fits one weight row: --loss logistic matches it; softmax has two rows, penalised half as "
    "much.\n"
    "  With --validation-fraction, training rows are those that are left: `samples`, S, the scaling and "
    "train_accuracy\n"
    "  are about them. Test rows whose label was not in the training data count as wrong and take no part in the log "
    "loss.\n"
    "  --threshold takes no part in training. train_accuracy and the test accuracy are over the rows that the model\n"
    "  answers, `train_coverage` and `coverage` are their share; all other numbers are of all rows.\n"
    "  CSV features are read into 32 bits, or all of them into 64 where a column has values that are large beside "
    "their\n"
    "  spread: 2^-24 of the largest above 1e-4 of its population deviation, over all rows of --data.\n"
    "  With a penalty, `gap_bound` is the most by which the objective may be above the optimum. Entries of the "
    "gradient\n"
    "  shrink with the number of classes: for a thousand, a tolerance of 1e-5 is loose.\n"
    "  The same data, options and instruction set give the same model file for any number of threads, unless\n"
    "  --time-limit or a signal ends the run.\n"
    "  The first SIGINT or SIGTERM ends training after the current step or pass and saves the model; the second kills "
    "at\n"
    "  once. After a signal or the time limit one pass follows, for the numbers of the result, and `gap_bound` is "
    "null.\n";

constexpr NumberRange kSizeRange{0, 1e9};

void add_objective_options(OptionTable& table, TrainOptions& train) {
  Objective& objective = train.fit.objective;
  table.choice<Loss>("--loss", {{"softmax", Loss::softmax}, {"hinge", Loss::hinge}, {"logistic", Loss::logistic}},
                     objective.loss, "what is minimised; logistic: two classes, one weight row");
  table.number("--l2", "LAMBDA", kSizeRange, objective.l2,
               "penalty on the mean loss: mean loss + LAMBDA/2 |W|^2, bias free; default: 1/S (conventions below)");
  table.numbers("--l2-path", "LAMBDA,LAMBDA...", kSizeRange, train.l2_path,
                "fit every one of these penalties and save the model that does best on rows held out; needs --folds or "
                "--validation-fraction");
  table.count("--folds", "K", 2, kMaxCount, train.folds,
              "hold out each K-th part of the rows in turn (cross-validation, each class in its share): what every "
              "penalty of --l2-path, or the one there is, is worth");
  table.number("--label-smoothing", "E", {0, 1}, objective.label_smoothing, "softmax: targets (1-E) onehot + E/classes",
               DefaultInHelp::shown);
  table.text("--class-weight", "balanced|FILE", train.class_weight,
             "multiplies sample weights; balanced: S/(classes * weight of the class); FILE: CSV lines label,weight "
             "(labels not named: 1)");
  table.text("--sample-weight", "COLUMN|FILE", train.sample_weight,
             "a file of one number per line if a file of that name exists, else a column of the CSV");
  table.choice<Scaling>("--scale", {{"none", Scaling::none}, {"unit", Scaling::unit}, {"standard", Scaling::standard}},
                        train.scaling,
                        "unit: bytes / 255; standard: mean 0, population deviation 1 (constant columns only centred); "
                        "folded into the saved weights");
  table.number("--threshold", "P", {0, 1, true}, train.threshold,
               "abstain: the model is to name no class that it finds less probable than P; not for hinge, which has no "
               "probabilities; default: none");
}

void add_solver_options(OptionTable& table, TrainOptions& train) {
  FitOptions& fit = train.fit;
  MiniBatches& mini_batches = fit.mini_batches;
  const MiniBatches defaults = resolve({}, {1, 1}).mini_batches;
  table.choice<Solver>(
      "--solver",
      {{"auto", Solver::automatic},
       {"lbfgs", Solver::lbfgs},
       {"newton", Solver::newton},
       {"sgd", Solver::sgd},
       {"momentum", Solver::momentum},
       {"adam", Solver::adam},
       {"adagrad", Solver::adagrad}},
      fit.solver,
      "lbfgs, newton: to the optimum, over all rows at once; sgd, momentum, adam, adagrad: by mini-batches; newton "
      "inverts "
      "the whole Hessian where that is small or --preconditioner full, and is lbfgs elsewhere; auto: lbfgs, but "
      "momentum for hinge or with an option of mini-batches");
  table.choice<Preconditioner>("--preconditioner",
                               {{"auto", Preconditioner::automatic},
                                {"none", Preconditioner::none},
                                {"diagonal", Preconditioner::diagonal},
                                {"gram", Preconditioner::gram},
                                {"blocks", Preconditioner::blocks},
                                {"full", Preconditioner::full}},
                               fit.preconditioner,
                               "lbfgs, newton: the part of the Hessian whose inverse guides them; auto: by the shape");
  table.count("--epochs", "N", 0, kMaxCount, mini_batches.epochs, *defaults.epochs,
              "mini-batches: passes over the training rows; 0 saves the initial model");
  table.count("--batch-size", "N", 1, kMaxCount, mini_batches.batch_size, *defaults.batch_size,
              "mini-batches: rows per update, at most all");
  table.number("--learning-rate", "RATE", {0, 1e9, true}, mini_batches.learning_rate,
               "mini-batches; default: estimated from the curvature of the loss on a sample of rows, adam: 0.001, "
               "adagrad: 0.03");
  table.choice<Schedule>("--schedule",
                         {{"constant", Schedule::constant}, {"cosine", Schedule::cosine}, {"step", Schedule::step}},
                         mini_batches.schedule, *defaults.schedule,
                         "of the learning rate; step: a tenth after half, a hundredth after 3/4");
  table.number("--tolerance", "T", kSizeRange, fit.stopping.tolerance,
               "stop when the largest entry of the gradient is at most T; 0: never", DefaultInHelp::shown);
  table.count("--max-iterations", "N", 1, std::numeric_limits<std::int64_t>::max(), fit.stopping.max_iterations,
              "stop after N weight updates; default: no limit");
  table.number("--time-limit", "SECONDS", {0, 1e9, true}, fit.stopping.time_limit,
               "stop after this time; the only option that makes a model depend on the clock; default: none");
  table.count("--early-stopping", "PATIENCE", 1, kMaxCount, fit.stopping.early_stopping,
              "stop after PATIENCE epochs (lbfgs, newton: iterations) without a better validation loss; needs "
              "--validation-fraction");
  table.count("--seed", "S", 0, std::numeric_limits<std::uint64_t>::max(), fit.seed,
              "of the shuffling, the validation split and the folds", DefaultInHelp::shown);
  table.text("--checkpoint", "FILE", fit.checkpoint.file,
             "keep the state there every half minute and when the run is stopped before its end, so that it can go on");
  table.flag(
      "--resume", fit.checkpoint.resume,
      "go on from the checkpoint, to the same bits as without the interruption; refused if data or options differ");
}

// The last of the options of mini-batches that was given, or empty: it says which kind of solver is meant.
std::string mini_batch_option(const OptionTable& table) {
  std::string last;
  for (const char* name : {"--epochs", "--batch-size", "--learning-rate", "--schedule"}) {
    if (table.is_given(name)) last = name;
  }
  return last;
}

bool over_all_rows(Solver solver) {
  return solver == Solver::lbfgs || solver == Solver::newton;
}

void settle_solver(const std::string& mini_batch, FitOptions& fit) {
  const std::string solver = name_of(fit.solver);
  if (!mini_batch.empty() && over_all_rows(fit.solver)) {
    refuse_given(mini_batch, "with --solver " + solver, "sgd, momentum, adam or adagrad");
  }
  if (fit.objective.loss == Loss::hinge && over_all_rows(fit.solver)) {
    give_up_usage("--solver: '" + solver + "' given with --loss hinge; expected sgd, momentum, adam or adagrad");
  }
  if (fit.preconditioner != Preconditioner::automatic && fit.solver != Solver::automatic &&
      !over_all_rows(fit.solver)) {
    refuse_given("--preconditioner", "with --solver " + solver, "lbfgs or newton");
  }
  if (!mini_batch.empty() && fit.solver == Solver::automatic) fit.solver = Solver::momentum;
}

void check_path(const TrainOptions& train) {
  const FitOptions& fit = train.fit;
  if (train.l2_path.empty() && train.folds == 0) return;
  const char* const option = train.l2_path.empty() ? "--folds" : "--l2-path";
  if (!train.l2_path.empty() && fit.objective.l2) refuse_given("--l2", "with --l2-path", "one of them");
  if (!train.l2_path.empty() && (train.folds > 0) == (train.validation_fraction > 0)) {
    give_up_usage("--l2-path: expected either --folds or --validation-fraction, to choose a penalty by");
  }
  if (train.folds > 0 && train.validation_fraction > 0) {
    refuse_given("--folds", "with --validation-fraction", "one of them");
  }
  for (const double l2 : train.l2_path) {
    if (std::count(train.l2_path.begin(), train.l2_path.end(), l2) > 1) {
      give_up_usage("--l2-path: '" + number_text(l2) + "' is there twice; expected each penalty once");
    }
  }
  if (fit.objective.loss == Loss::hinge || (fit.solver != Solver::automatic && !over_all_rows(fit.solver))) {
    give_up_usage(std::string(option) + ": expected --solver lbfgs or newton, and --loss softmax or logistic");
  }
  if (fit.stopping.early_stopping > 0) refuse_given("--early-stopping", std::string("with ") + option, "one of them");
}

void check_rest(const TrainOptions& train) {
  if (train.fit.checkpoint.resume && train.fit.checkpoint.file.empty())
    refuse_given("--resume", "without --checkpoint", "both");
  if (!train.test_labels.empty() && train.test_data.empty()) {
    refuse_given("--test-labels", "without --test-data", "both");
  }
  if (train.fit.stopping.early_stopping > 0 && train.validation_fraction == 0) {
    refuse_given("--early-stopping", "without --validation-fraction", "both");
  }
  const Objective& objective = train.fit.objective;
  if (objective.label_smoothing > 0 && objective.loss != Loss::softmax) {
    refuse_given("--label-smoothing", std::string("with --loss ") + name_of(objective.loss), "--loss softmax");
  }
  if (train.threshold > 0 && objective.loss == Loss::hinge) {
    refuse_given("--threshold", "with --loss hinge", "--loss softmax or logistic");
  }
}

}  // namespace

bool read_train_options(const CommandLine& line, TrainOptions& train) {
  OptionTable table("train", "Fits a linear classifier and saves it.");
  add_input_options(table, train.input, "IDX label file (CSV files carry their labels)");
  table.file("--model", train.model, "where to save the model (safetensors)", Need::required);
  table.file("--init", train.init, "a model to begin from, instead of weights 0; classes and features by their names");
  table.file("--test-data", train.test_data, "samples to test the saved model on");
  table.file("--test-labels", train.test_labels, "their IDX label file");
  table.number("--validation-fraction", "F", {0, 1, true, true}, train.validation_fraction,
               "share of the rows kept out of training and watched; default: none");
  add_objective_options(table, train);
  add_solver_options(table, train);
  table.text("--history", "FILE", train.history,
             "CSV of every epoch or iteration: epoch,iteration,passes,loss,validation_loss,objective,gradient_norm,"
             "learning_rate,seconds,samples_per_second");
  add_run_options(table, train.run);
  add_json_option(table, train.run);
  table.set_notes(kNotes);
  if (!table.parse(line)) return false;
  train.command_line = line;
  settle_solver(mini_batch_option(table), train.fit);
  check_path(train);
  check_rest(train);
  return true;
}

}  // namespace lanemax::cli
