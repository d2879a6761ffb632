// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/options.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/cpu_count.hpp"
#include "engine/cli/option_table.hpp"
#include "engine/cli/output.hpp"
#include "engine/data/csv_fields.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
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
    "LANEMAX_ISA=NAME forces an instruction set (see `lanemax info`); a wrong name is an error.\n";

constexpr char kTrainNotes[] =
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

constexpr char kColumnNotes[] =
    "Columns of CSV files are found by the names that the model remembers, in any order, and by position where there\n"
    "is no header; others are left out.\n";

constexpr char kEvaluateNotes[] =
    "Rows count by the weights that the model was trained with, if the file has them.\n"
    "Rows whose label is not a class of the model count as wrong and take no part in the log loss. The log loss is in\n"
    "nats, and null for hinge models. `confusion` has a row per true and a column per predicted class, in the order\n"
    "of `labels`; it counts rows, and is null for models of more than 1000 classes.\n";

constexpr char kPredictNotes[] =
    "The label is skipped. Output: the id, if there is one, and class; with --proba also p_LABEL per class, with\n"
    "--logits z_LABEL per score (a logistic model has one, that of its positive label); with --top-k\n"
    "class_1,p_1,class_2,p_2... instead. Lines end with LF; fields are quoted as in RFC 4180. Rows without a finite\n"
    "score have empty fields. Ties go to the class that sorts first.\n";

constexpr char kSelfcheckNotes[] =
    "Embedded: contraceptive choice in El Salvador, Spector and Mazzeo's grades, three rows of scores. With --data "
    "also,\n"
    "of the files that are there: hsbdemo.csv, iris.csv, letter.csv, pendigits.csv, segment.csv, glass.csv,\n"
    "mfeat-pixel.csv, waveform.csv, mnist-{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz, and Fashion-MNIST in\n"
    "DIR/fashion-mnist or where Debian's dataset-fashion-mnist puts it. Exit code 1 if a value does not hold.\n";

const NumberRange kSizeRange{0, 1e9};
constexpr std::uint64_t kMaxCount = 1000000000;
constexpr std::uint64_t kMaxThreads = 1024;

void add_run_options(OptionTable& table, RunOptions& run) {
  run.threads = 0;
  table.count(
      "--threads", "N", 1, kMaxThreads, [&run](std::uint64_t n) { run.threads = static_cast<int>(n); },
      "threads to use; default: as many as the CPUs that this process may use, at most OMP_NUM_THREADS");
  table.text("--isa", "NAME", run.isa, "instruction set variant; default: LANEMAX_ISA or the best (see lanemax info)");
  table.flag("--quiet", run.quiet, "no progress, only results, warnings and errors");
}

void add_json_option(OptionTable& table, RunOptions& run) {
  table.flag("--json", run.json, "results as one JSON object on stdout");
}

void set_separator(char& separator, const std::string& text) {
  if (text == "\\t" || text == "tab") {
    separator = '\t';
  } else if (text.size() == 1 && text[0] != '"' && text[0] != '\n' && text[0] != '\r' && text[0] != '\0') {
    separator = text[0];
  } else {
    give_up_usage("--separator: '" + one_line(text) + "'; expected one character (no quote or line break) or tab");
  }
}

// Names or indices with commas between them; a name with a comma is in double quotes.
void set_columns(std::vector<std::string>& columns, const std::string& text) {
  FieldScanner scanner(text.c_str(), ',');
  bool last = !scanner.next_row(false);
  if (last) give_up_usage("--drop: ''; expected names or indices of columns");
  while (!last) {
    Field field;
    if (!scanner.read_field(field, last).ok() || field.text.empty()) {
      give_up_usage("--drop: '" + one_line(text) + "'; expected names or indices with commas between them");
    }
    columns.emplace_back(field.text);
  }
}

void add_input_options(CLI::App& app, OptionTable& table, InputOptions& input, const char* labels_help) {
  ReadOptions& read = input.read;
  table
      .texts("--data", "FILE", input.data, "samples: IDX or CSV files, also gzip-compressed; several are one data set")
      ->required();
  table.text("--labels", "FILE", input.labels, labels_help);
  table
      .choice<FileFormat>("--format",
                          {{"auto", FileFormat::automatic}, {"idx", FileFormat::idx}, {"csv", FileFormat::csv}},
                          read.format, "how the files are written")
      ->default_str("auto");
  table.text("--label-column", "NAME|INDEX", read.label_column,
             "CSV: header name, 0-based index (negative from the end) or none; default: the last column");
  app.add_option_function<std::string>(
         "--drop", [&read](const std::string& text) { set_columns(read.drop, text); },
         "CSV: columns to leave out, by header name or 0-based index, with commas between them")
      ->type_name("COLUMNS");
  table.text("--id-column", "NAME|INDEX", read.id_column,
             "CSV: a column that names the rows: no feature; predict passes it through");
  table
      .choice<HeaderMode>("--header",
                          {{"auto", HeaderMode::automatic}, {"yes", HeaderMode::yes}, {"no", HeaderMode::no}},
                          read.header, "CSV: whether the first line names the columns")
      ->default_str("auto");
  app.add_option_function<std::string>(
         "--separator", [&read](const std::string& text) { set_separator(read.separator, text); },
         "CSV: character between fields, or tab; default: found from the first lines")
      ->type_name("CHAR");
  table.choice<char>("--decimal", {{".", '.'}, {",", ','}}, read.decimal,
                     "CSV: decimal mark of numbers; default: a point, or a comma where numbers have one and fields are "
                     "separated by something else");
}

void add_objective_options(OptionTable& table, TrainOptions& train) {
  Objective& objective = train.fit.objective;
  table
      .choice<Loss>("--loss", {{"softmax", Loss::softmax}, {"hinge", Loss::hinge}, {"logistic", Loss::logistic}},
                    objective.loss, "what is minimised; logistic: two classes, one weight row")
      ->default_str("softmax");
  table.number(
      "--l2", "LAMBDA", kSizeRange, [&train](double value) { train.l2 = value; },
      "penalty on the mean loss: mean loss + LAMBDA/2 |W|^2, bias free; default: 1/S (conventions below)");
  table.numbers("--l2-path", "LAMBDA,LAMBDA...", kSizeRange, train.l2_path,
                "fit every one of these penalties and save the model that does best on rows held out; needs --folds or "
                "--validation-fraction");
  table.count(
      "--folds", "K", 2, kMaxCount, [&train](std::uint64_t n) { train.folds = n; },
      "with --l2-path: hold out each K-th part of the rows in turn (cross-validation, each class in its share)");
  table
      .number(
          "--label-smoothing", "E", {0, 1}, [&objective](double value) { objective.label_smoothing = value; },
          "softmax: targets (1-E) onehot + E/classes")
      ->default_str("0");
  table.text("--class-weight", "balanced|FILE", train.class_weight,
             "multiplies sample weights; balanced: S/(classes * weight of the class); FILE: CSV lines label,weight "
             "(labels not named: 1)");
  table.text("--sample-weight", "COLUMN|FILE", train.sample_weight,
             "a file of one number per line if a file of that name exists, else a column of the CSV");
  table
      .choice<Scaling>("--scale", {{"none", Scaling::none}, {"unit", Scaling::unit}, {"standard", Scaling::standard}},
                       train.scaling,
                       "unit: bytes / 255; standard: mean 0, population deviation 1 (constant columns only centred); "
                       "folded into the saved weights")
      ->default_str("none");
}

void add_solver_options(OptionTable& table, TrainOptions& train) {
  FitOptions& fit = train.fit;
  table
      .choice<Solver>(
          "--solver",
          {{"auto", Solver::automatic},
           {"lbfgs", Solver::lbfgs},
           {"newton", Solver::newton},
           {"sgd", Solver::sgd},
           {"momentum", Solver::momentum},
           {"adam", Solver::adam}},
          fit.solver,
          "lbfgs, newton: to the optimum, over all rows at once; sgd, momentum, adam: by mini-batches; newton inverts "
          "the whole Hessian where that is small or --preconditioner full, and is lbfgs elsewhere; auto: lbfgs, but "
          "momentum for hinge or with an option of mini-batches")
      ->default_str("auto");
  table
      .choice<Preconditioner>("--preconditioner",
                              {{"auto", Preconditioner::automatic},
                               {"none", Preconditioner::none},
                               {"diagonal", Preconditioner::diagonal},
                               {"gram", Preconditioner::gram},
                               {"blocks", Preconditioner::blocks},
                               {"full", Preconditioner::full}},
                              fit.preconditioner,
                              "lbfgs, newton: the part of the Hessian whose inverse guides them; auto: by the shape")
      ->default_str("auto");
  // An option of mini-batches says which kind of solver is meant.
  const auto mini_batch = [&train](const char* name) {
    return [&train, name](const std::string&) { train.mini_batch_option = name; };
  };
  table
      .count(
          "--epochs", "N", 0, kMaxCount, [&fit](std::uint64_t n) { fit.epochs = n; },
          "mini-batches: passes over the training rows; 0 saves the initial model")
      ->default_str(std::to_string(fit.epochs))
      ->each(mini_batch("--epochs"));
  table
      .count(
          "--batch-size", "N", 1, kMaxCount, [&fit](std::uint64_t n) { fit.batch_size = n; },
          "mini-batches: rows per update, at most all")
      ->default_str(std::to_string(fit.batch_size))
      ->each(mini_batch("--batch-size"));
  table
      .number(
          "--learning-rate", "RATE", {0, 1e9, true}, [&fit](double value) { fit.learning_rate = value; },
          "mini-batches; default: estimated from the curvature of the loss on a sample of rows, adam: 0.001")
      ->each(mini_batch("--learning-rate"));
  table
      .choice<Schedule>("--schedule",
                        {{"constant", Schedule::constant}, {"cosine", Schedule::cosine}, {"step", Schedule::step}},
                        fit.schedule, "of the learning rate; step: a tenth after half, a hundredth after 3/4")
      ->default_str(name_of(fit.schedule))
      ->each(mini_batch("--schedule"));
  table
      .number(
          "--tolerance", "T", kSizeRange, [&fit](double value) { fit.tolerance = value; },
          "stop when the largest entry of the gradient is at most T; 0: never")
      ->default_str(number_text(fit.tolerance));
  table.count(
      "--max-iterations", "N", 1, std::numeric_limits<std::int64_t>::max(),
      [&fit](std::uint64_t n) { fit.max_iterations = n; }, "stop after N weight updates; default: no limit");
  table.number(
      "--time-limit", "SECONDS", {0, 1e9, true}, [&fit](double value) { fit.time_limit = value; },
      "stop after this time; the only option that makes a model depend on the clock; default: none");
  table.count(
      "--early-stopping", "PATIENCE", 1, kMaxCount, [&fit](std::uint64_t n) { fit.early_stopping = n; },
      "stop after PATIENCE epochs (lbfgs, newton: iterations) without a better validation loss; needs "
      "--validation-fraction");
  table
      .count(
          "--seed", "S", 0, std::numeric_limits<std::uint64_t>::max(), [&fit](std::uint64_t n) { fit.seed = n; },
          "of the shuffling, the validation split and the folds")
      ->default_str("0");
  table.text("--checkpoint", "FILE", train.checkpoint,
             "keep the state there every half minute and when the run is stopped before its end, so that it can go on");
  table.flag(
      "--resume", fit.resume,
      "go on from the checkpoint, to the same bits as without the interruption; refused if data or options differ");
}

void add_train_options(CLI::App& app, OptionTable& table, TrainOptions& train) {
  add_input_options(app, table, train.input, "IDX label file (CSV files carry their labels)");
  table.text("--model", "FILE", train.model, "where to save the model (safetensors)")->required();
  table.text("--test-data", "FILE", train.test_data, "samples to test the saved model on");
  table.text("--test-labels", "FILE", train.test_labels, "their IDX label file");
  table.number(
      "--validation-fraction", "F", {0, 1, true, true}, [&train](double value) { train.validation_fraction = value; },
      "share of the rows kept out of training and watched; default: none");
  add_objective_options(table, train);
  add_solver_options(table, train);
  table.text("--history", "FILE", train.history,
             "CSV of every epoch or iteration: epoch,iteration,passes,loss,validation_loss,objective,gradient_norm,"
             "learning_rate,seconds,samples_per_second");
  add_run_options(table, train.run);
  add_json_option(table, train.run);
  app.footer(kTrainNotes);
}

void add_model_and_input(CLI::App& app, OptionTable& table, std::string& model, InputOptions& input,
                         const char* labels_help) {
  table.text("--model", "FILE", model, "the model (safetensors)")->required();
  add_input_options(app, table, input, labels_help);
}

// A value left out after `=`: CLI11 would take the next word instead.
void check_words(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1) {
      give_up_usage(word.substr(0, word.size() - 1) + ": no value; expected one after '='");
    }
  }
}

std::string text_of(const CLI::ParseError& error, const CLI::App& app) {
  const std::string help = "; expected what `" + app.get_name() + " --help` lists";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extras = app.remaining();
    if (!extras.empty()) return "'" + one_line(extras.front()) + "': unknown option or argument" + help;
  }
  const std::string text = one_line(error.what());
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return text + help;
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string name = text.substr(0, text.find_first_of(": "));
    if (text.find("missing") != std::string::npos) return name + ": no value" + help;
    if (text.find("At Most") != std::string::npos) return name + ": given more than once; expected at most once";
    if (text.find("flag override") != std::string::npos) return "--" + name + ": takes no value" + help;
  }
  return text + help;
}

// Runs the parser over the words; true if help was asked for.
bool parse(CLI::App& app, std::vector<std::string> words) {
  check_words(words);
  std::reverse(words.begin(), words.end());
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    return true;
  } catch (const CLI::ParseError& error) {
    give_up_usage(text_of(error, app));
  }
  return false;
}

void check_no_stdin(const char* option, const std::string& path) {
  if (path == "-") give_up_usage(std::string(option) + ": '-'; expected a file, standard input is not read");
}

void check_input(const InputOptions& input) {
  for (const std::string& path : input.data) check_no_stdin("--data", path);
  check_no_stdin("--labels", input.labels);
}

bool over_all_rows(Solver solver) {
  return solver == Solver::lbfgs || solver == Solver::newton;
}

void check_solver(TrainOptions& train) {
  FitOptions& fit = train.fit;
  const std::string solver = name_of(fit.solver);
  if (!train.mini_batch_option.empty() && over_all_rows(fit.solver)) {
    give_up_usage(train.mini_batch_option + ": given with --solver " + solver + "; expected sgd, momentum or adam");
  }
  if (fit.objective.loss == Loss::hinge && over_all_rows(fit.solver)) {
    give_up_usage("--solver: '" + solver + "' given with --loss hinge; expected sgd, momentum or adam");
  }
  if (fit.preconditioner != Preconditioner::automatic && fit.solver != Solver::automatic &&
      !over_all_rows(fit.solver)) {
    give_up_usage("--preconditioner: given with --solver " + solver + "; expected lbfgs or newton");
  }
  if (!train.mini_batch_option.empty() && fit.solver == Solver::automatic) fit.solver = Solver::momentum;
}

void check_path(const TrainOptions& train) {
  const FitOptions& fit = train.fit;
  if (train.l2_path.empty()) {
    if (train.folds > 0) give_up_usage("--folds: given without --l2-path; expected both");
    return;
  }
  if (train.l2) give_up_usage("--l2: given with --l2-path; expected one of them");
  if ((train.folds > 0) == (train.validation_fraction > 0)) {
    give_up_usage("--l2-path: expected either --folds or --validation-fraction, to choose a penalty by");
  }
  for (std::size_t i = 0; i < train.l2_path.size(); ++i) {
    if (std::count(train.l2_path.begin(), train.l2_path.end(), train.l2_path[i]) > 1) {
      give_up_usage("--l2-path: '" + number_text(train.l2_path[i]) + "' is there twice; expected each penalty once");
    }
  }
  if (fit.objective.loss == Loss::hinge || (fit.solver != Solver::automatic && !over_all_rows(fit.solver))) {
    give_up_usage("--l2-path: expected --solver lbfgs or newton, and --loss softmax or logistic");
  }
  if (fit.early_stopping > 0) give_up_usage("--early-stopping: given with --l2-path; expected one of them");
}

void check_together(TrainOptions& train) {
  check_solver(train);
  check_path(train);
  if (train.fit.resume && train.checkpoint.empty())
    give_up_usage("--resume: given without --checkpoint; expected both");
  check_input(train.input);
  check_no_stdin("--model", train.model);
  check_no_stdin("--test-data", train.test_data);
  if (!train.test_labels.empty() && train.test_data.empty()) {
    give_up_usage("--test-labels: given without --test-data; expected both");
  }
  if (train.fit.early_stopping > 0 && train.validation_fraction == 0) {
    give_up_usage("--early-stopping: given without --validation-fraction; expected both");
  }
  if (train.fit.objective.label_smoothing > 0 && train.fit.objective.loss != Loss::softmax) {
    give_up_usage(std::string("--label-smoothing: given with --loss ") + name_of(train.fit.objective.loss) +
                  "; expected --loss softmax");
  }
}

void check_together(EvaluateOptions& evaluate) {
  check_no_stdin("--model", evaluate.model);
  check_input(evaluate.input);
}

void check_together(PredictOptions& predict) {
  check_no_stdin("--model", predict.model);
  check_input(predict.input);
  if (predict.probabilities && predict.logits) give_up_usage("--proba: given with --logits; expected one of them");
  if (predict.top_k > 0 && predict.probabilities) give_up_usage("--top-k: given with --proba; expected one of them");
  if (predict.top_k > 0 && predict.logits) give_up_usage("--top-k: given with --logits; expected one of them");
}

void check_together(InfoOptions&) {}

void check_together(SelfcheckOptions& selfcheck) {
  std::error_code error;
  if (!selfcheck.data.empty() && !std::filesystem::is_directory(selfcheck.data, error)) {
    give_up(kInputOutput, selfcheck.data + ": cannot be read; expected a directory");
  }
}

// Builds the parser with `add`, parses, and fills in what depends on the machine.
template <class Options, class Add>
Command parse_command(const char* name, const char* description, const std::vector<std::string>& words, Add add) {
  CLI::App app(description, std::string("lanemax ") + name);
  app.set_help_flag("-h,--help", "print this help and exit");
  OptionTable table(app);
  Options options;
  add(app, table, options);
  if (parse(app, words)) return PrintText{table.help()};
  check_together(options);
  if (options.run.threads == 0) options.run.threads = std::min(default_threads(), static_cast<int>(kMaxThreads));
  return options;
}

void add_evaluate_options(CLI::App& app, OptionTable& table, EvaluateOptions& evaluate) {
  add_model_and_input(app, table, evaluate.model, evaluate.input, "IDX label file (CSV files carry their labels)");
  add_run_options(table, evaluate.run);
  add_json_option(table, evaluate.run);
  app.footer(std::string(kColumnNotes) + kEvaluateNotes);
}

void add_predict_options(CLI::App& app, OptionTable& table, PredictOptions& predict) {
  predict.input.read.labels_optional = true;
  add_model_and_input(app, table, predict.model, predict.input, "not used; accepted as evaluate takes it");
  table.flag("--proba", predict.probabilities, "the probability of every class");
  table.count(
      "--top-k", "K", 1, kMaxCount, [&predict](std::uint64_t k) { predict.top_k = k; },
      "the K most probable classes and their probabilities");
  table.flag("--logits", predict.logits, "the scores");
  table.text("--output", "FILE", predict.output, "write there instead of stdout");
  add_run_options(table, predict.run);
  app.footer(std::string(kColumnNotes) + kPredictNotes);
}

void add_info_options(CLI::App&, OptionTable& table, InfoOptions& info) {
  add_run_options(table, info.run);
  add_json_option(table, info.run);
}

void add_selfcheck_options(CLI::App& app, OptionTable& table, SelfcheckOptions& selfcheck) {
  table.text("--data", "DIR", selfcheck.data, "also check what needs data files, from this directory");
  add_run_options(table, selfcheck.run);
  add_json_option(table, selfcheck.run);
  app.footer(kSelfcheckNotes);
}

}  // namespace

Command parse_command_line(int argc, char** argv) {
  if (argc < 2) give_up_usage("no command; expected train, evaluate, predict, info or selfcheck (see lanemax --help)");
  const std::string name = argv[1];
  const std::vector<std::string> words(argv + 2, argv + argc);
  if (name == "--help" || name == "-h" || name == "help") return PrintText{kOverview};
  if (name == "--version") return PrintText{"lanemax " LANEMAX_VERSION "\n"};
  if (name == "train") {
    Command command =
        parse_command<TrainOptions>("train", "Fits a linear classifier and saves it.", words, add_train_options);
    if (auto* train = std::get_if<TrainOptions>(&command)) train->command_line.assign(argv, argv + argc);
    return command;
  }
  if (name == "evaluate") {
    return parse_command<EvaluateOptions>("evaluate", "Measures a model on labelled samples.", words,
                                          add_evaluate_options);
  }
  if (name == "predict") {
    return parse_command<PredictOptions>("predict", "Predicts the classes of samples.", words, add_predict_options);
  }
  if (name == "info") {
    return parse_command<InfoOptions>("info", "Says what this build and this machine can do.", words, add_info_options);
  }
  if (name == "selfcheck") {
    return parse_command<SelfcheckOptions>("selfcheck", "Reproduces published results.", words, add_selfcheck_options);
  }
  give_up_usage("'" + one_line(name) + "': unknown command; expected train, evaluate, predict, info or selfcheck");
}

}  // namespace lanemax::cli
