// SPDX-License-Identifier: BSD-3-Clause
//
// read -> check -> fit -> save -> read the file back -> predict with it -> report
#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/evaluation.hpp"
#include "engine/cli/initial_model.hpp"
#include "engine/cli/interrupt.hpp"
#include "engine/cli/output.hpp"
#include "engine/cli/progress.hpp"
#include "engine/cli/train_options.hpp"
#include "engine/cli/train_report.hpp"
#include "engine/cli/training_rows.hpp"
#include "engine/model/atomic_file.hpp"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>

namespace lanemax::cli {
namespace {

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

struct TrainingData {
  Dataset training;
  Dataset test;  ///< no samples: none
};

bool is_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error);
}

// A path that names no file can only be a column's name, unless it looks like nothing but a path.
bool names_weight_file(const std::string& choice) {
  return !choice.empty() && (is_file(choice) || choice.find('/') != std::string::npos);
}

void check_outputs(const TrainOptions& options) {
  std::vector<std::string> inputs = options.input.data;
  inputs.insert(inputs.end(), {options.input.labels, options.test_data, options.test_labels, options.init});
  if (options.class_weight != "balanced") inputs.push_back(options.class_weight);
  if (names_weight_file(options.sample_weight)) inputs.push_back(options.sample_weight);
  check_output_path("--model", options.model, inputs);
  inputs.push_back(options.model);
  if (!options.fit.checkpoint.file.empty()) {
    check_output_path("--checkpoint", options.fit.checkpoint.file, inputs);
    inputs.push_back(options.fit.checkpoint.file);
  }
  if (!options.history.empty()) check_output_path("--history", options.history, inputs);
}

// What the solver needs to be true of the data, beyond what reading has checked.
void check_trainable(const TrainOptions& options, const Dataset& data) {
  const std::string& file = options.input.data.front();
  const std::size_t classes = data.class_labels.size();
  if (data.samples == 0) give_up(kBadData, file + ": no samples; expected at least one");
  check_labels(file, data, "--labels");
  if (classes < 2) give_up(kBadData, file + ": all labels are equal; expected at least two classes");
  if (options.fit.objective.loss == Loss::logistic && classes != 2) {
    give_up(kBadData, file + ": " + std::to_string(classes) + " classes; expected exactly 2 for --loss logistic");
  }
}

Dataset read_test_data(const TrainOptions& options, const ReadOptions& training_read, const Dataset& training) {
  ReadOptions read = training_read;
  read.label_column.clear();
  read.weight_column.clear();
  read.id_column.clear();
  read.drop.clear();
  if (!training.columns.empty()) read.known_columns = &training.columns;
  read.known_classes = &training.class_labels;
  read.precision = training.type == FeatureType::f64 ? TextPrecision::f64 : TextPrecision::f32;
  Dataset test;
  check(read_dataset({options.test_data}, options.test_labels, read, test));
  check_labels(options.test_data, test, "--test-labels");
  check_features(options.test_data, test, training.features);
  return test;
}

TrainingData read_training_data(const TrainOptions& options) {
  TrainingData data;
  ReadOptions read = options.input.read;
  read.precision = TextPrecision::as_needed;
  const bool weight_file = names_weight_file(options.sample_weight);
  if (!weight_file) read.weight_column = options.sample_weight;
  check(read_dataset(options.input.data, options.input.labels, read, data.training));
  check_trainable(options, data.training);
  if (weight_file) {
    data.training.sample_weights = read_sample_weights(options.sample_weight, data.training.samples);
  } else if (!options.sample_weight.empty() && data.training.sample_weights.empty()) {
    refuse_value("--sample-weight", options.sample_weight, "a file or a column of CSV data");
  }
  if (!options.test_data.empty()) data.test = read_test_data(options, read, data.training);
  return data;
}

std::string what_was_read(const Dataset& data, double seconds) {
  return "read " + std::to_string(data.samples) + " samples, " + std::to_string(data.features) + " features" +
         (data.type == FeatureType::f64 ? " in f64, " : ", ") + std::to_string(data.class_labels.size()) +
         " classes in " + readable(std::round(seconds * 1000) / 1000) + " s";
}

Batch batch_of(const Dataset& data, const Model& model, const std::vector<std::uint32_t>& rows) {
  Batch batch;
  batch.features = data.view();
  batch.scaling.factor = model.scaling_factor;
  batch.labels = data.labels;
  batch.sample_weights = data.sample_weights;
  if (!rows.empty()) batch.selection = rows;
  return batch;
}

// Class weights are folded into the rows' weights.
void weigh_rows(const TrainOptions& options, const RowSplit& split, Dataset& data) {
  if (!options.class_weight.empty()) {
    apply_class_weights(class_weights(options.class_weight, data, split.training), data);
  }
  if (!(total_weight(data, split.training) > 0)) {
    give_up(kBadData, "weights of the training rows: sum to 0; expected a positive sum");
  }
}

Model new_model(const Dataset& data, Loss loss) {
  Model model;
  model.loss = loss;
  model.features = data.features;
  model.class_labels = data.class_labels;
  model.feature_names = data.feature_names;
  if (data.columns != columns_of(model)) model.columns = data.columns;  // else they go without saying
  const std::size_t rows = loss == Loss::logistic ? 1 : data.class_labels.size();
  if (rows > std::numeric_limits<std::size_t>::max() / sizeof(float) / data.features) throw std::bad_alloc();
  model.weight.assign(rows * data.features, 0.0F);
  model.bias.assign(rows, 0.0F);
  return model;
}

void scale_to_unit(const Dataset& data, Model& model) {
  if (data.type != FeatureType::u8) {
    give_up_usage("--scale: 'unit' on features that are not bytes; expected IDX files of bytes, or standard");
  }
  model.scaling_centre.assign(data.features, 0.0F);
  model.scaling_factor.assign(data.features, 1.0F / 255.0F);
}

// Names of classes and features: what the checkpoint's own look at the numbers would not see.
std::string checkpoint_note(const Dataset& data) {
  std::string note;
  for (const auto* names : {&data.class_labels, &data.feature_names}) {
    for (const std::string& name : *names) note += std::to_string(name.size()) + ":" + name + ",";
    note += ";";
  }
  return note;
}

Status run_path(const TrainOptions& options, const FitOptions& fit, const Batch& training,
                const WeightsView<float>& weights, const FitScaling& scaling, TrainSummary& summary) {
  PathOptions path;
  path.fit = fit;
  path.l2 = options.l2_path;
  path.folds = options.folds;
  summary.path.resize(std::max<std::size_t>(path.l2.size(), 1));
  PathResult result;
  const Status status = fit_path(training, path, summary.path, weights, result, {.scaling = scaling});
  if (!status.ok() && status.code != StatusCode::diverged) return status;
  summary.best = result.best;
  summary.left_out = result.left_out;
  summary.fit = result.fit;
  summary.fit.passes = result.passes;
  return status;
}

std::string column_name(const Dataset& data, std::size_t feature) {
  if (feature < data.feature_names.size()) return "column '" + one_line(data.feature_names[feature]) + "'";
  return "feature " + std::to_string(feature);
}

// The library knows columns by number only.
[[noreturn]] void refuse_column(const TrainOptions& options, const Dataset& data, const Status& status) {
  const auto feature = static_cast<std::size_t>(status.column);
  give_up(exit_code_of(status.code), options.input.data.front() + ": " + column_name(data, feature) + ": " +
                                         one_line(status.found) + "; expected " + status.expected);
}

// Fits into a new model, whose weights are for raw features when it returns.
Model fit_model(const TrainOptions& options, Isa isa, const RowSplit& split, Dataset& data, TrainingProgress& progress,
                TrainSummary& summary) {
  FitOptions fit_options = options.fit;
  weigh_rows(options, split, data);
  fit_options.execution = {options.run.threads, isa};
  fit_options.progress = &TrainingProgress::on_epoch;
  fit_options.cancelled = [](void*) noexcept { return noted_interrupt() != 0; };
  fit_options.user = &progress;

  Model model = new_model(data, fit_options.objective.loss);
  model.threshold = options.threshold;
  if (!options.init.empty()) begin_from(options.init, model);
  fit_options.warm_start = !options.init.empty();
  if (options.scaling == Scaling::unit) scale_to_unit(data, model);
  const Batch validation = batch_of(data, model, split.validation);
  if (!split.validation.empty()) fit_options.validation = &validation;
  const WeightsView<float> weights{{model.weight.data(), model.rows(), model.features}, model.bias};
  const Batch training = batch_of(data, model, split.training);
  model.centre.resize(model.features);  // for weights that f32 only keeps around one
  FitScaling scaling;
  scaling.model_centre = model.centre;
  std::vector<double> centre;
  if (options.scaling == Scaling::standard) {
    fit_options.standardise = true;
    centre.resize(model.features);
    model.scaling_factor.resize(model.features);
    scaling.centre_used = centre;
    scaling.factor_used = model.scaling_factor;
  }
  fit_options.checkpoint.note = checkpoint_note(data);
  progress.announce(what_was_read(data, summary.read_seconds));
  if (options.l2_path.empty() && options.folds == 0) {
    summary.status = fit(training, fit_options, weights, summary.fit, scaling);
  } else {
    summary.status = run_path(options, fit_options, training, weights, scaling, summary);
  }
  progress.finish();
  if (summary.status.code == StatusCode::out_of_range) refuse_column(options, data, summary.status);
  if (summary.status.code != StatusCode::diverged) {
    // The only file that a fit reads or writes.
    const bool is_of_a_file = summary.status.file[0] != '\0';
    check(summary.status, is_of_a_file ? options.fit.checkpoint.file : "");
  }
  if (!summary.fit.centred) model.centre.clear();
  if (summary.fit.rounded_feature >= 0) {
    summary.rounded_column = column_name(data, static_cast<std::size_t>(summary.fit.rounded_feature));
  }
  for (const double c : centre) model.scaling_centre.push_back(static_cast<float>(c));
  summary.samples = training.rows();
  model.training = training_record(options, fit_options, summary);
  return model;
}

// The model first: no other file's failure may cost it.
void save(const TrainOptions& options, const Model& model, const TrainingProgress& progress, TrainSummary& summary) {
  check(save_model(model, options.model.c_str()), options.model);
  if (options.history.empty()) return;
  const std::string history = progress.history_csv();
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(history.data()), history.size());
  summary.history_status = write_file_atomically(options.history.c_str(), bytes);
}

// Measured with the model as the file holds it, by what will serve it.
void evaluate_saved(const TrainOptions& options, Isa isa, const TrainingData& data, const RowSplit& split,
                    TrainSummary& summary) {
  const LoadedModel saved = load_predictor(options.model, isa);
  summary.training = evaluate(saved, data.training, options.run.threads, split.training);
  if (data.test.samples > 0) summary.test = evaluate(saved, data.test, options.run.threads);
}

int exit_code_after(const TrainSummary& summary) {
  if (const int signal = noted_interrupt(); signal != 0) return 128 + signal;
  return exit_code_of(summary.status.code);
}

}  // namespace

int run_train(const CommandLine& line) {
  const Stopwatch total;
  TrainOptions options;
  if (!read_train_options(line, options)) return kDone;
  const Isa isa = chosen_isa(options.run);
  check_outputs(options);

  TrainSummary summary;
  TrainingData data = read_training_data(options);
  summary.read_seconds = total.seconds();
  say_remarks(data.training.remarks, options.run.quiet);
  summary.features = data.training.features;
  summary.classes = data.training.class_labels.size();
  summary.isa = name_of(isa);

  note_interrupts();
  const Stopwatch fitting;
  TrainingProgress progress(options.run.quiet, !options.history.empty(),
                            options.fit.checkpoint.resume ? options.fit.checkpoint.file : "");
  const RowSplit split = split_rows(data.training.samples, options.validation_fraction, options.fit.seed);
  std::vector<float> sample_weights = data.training.sample_weights;
  const Model model = fit_model(options, isa, split, data.training, progress, summary);
  data.training.sample_weights = std::move(sample_weights);  // class weights are for the fit alone
  summary.fit_seconds = fitting.seconds();

  save(options, model, progress, summary);
  evaluate_saved(options, isa, data, split, summary);
  summary.total_seconds = total.seconds();
  warn_about_training(options, summary);
  write_stdout(options.run.json ? train_json(options, summary) : train_text(options, summary));
  return exit_code_after(summary);
}

}  // namespace lanemax::cli
