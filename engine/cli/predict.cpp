// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/evaluation.hpp"
#include "engine/cli/interrupt.hpp"
#include "engine/cli/output.hpp"

namespace lanemax::cli {
namespace {

struct PredictOptions {
  RunOptions run;
  InputOptions input;
  std::string model;
  std::string output;  ///< empty: stdout
  bool probabilities = false;
  bool logits = false;
  std::size_t top_k = 0;  ///< 0: not asked for
};

constexpr char kNotes[] =
    "The label is skipped. Output: the id, if there is one, and class; with --proba also p_LABEL per class, with\n"
    "--logits z_LABEL per score (a logistic model has one, that of its positive label); with --top-k\n"
    "class_1,p_1,class_2,p_2... instead. Lines end with LF; fields are quoted as in RFC 4180. Rows without a finite\n"
    "score have empty fields. Ties go to the class that sorts first. Where no class reaches the threshold of the\n"
    "model, it abstains: the class is an empty field, and everything else is there, with --top-k the classes, too.\n";

bool read_options(const CommandLine& line, PredictOptions& options) {
  OptionTable table("predict", "Predicts the classes of samples.");
  add_model_option(table, options.model);
  add_input_options(table, options.input, "not used; accepted as evaluate takes it");
  table.flag("--proba", options.probabilities, "the probability of every class");
  table.count("--top-k", "K", 1, kMaxCount, options.top_k, "the K most probable classes and their probabilities");
  table.flag("--logits", options.logits, "the scores");
  table.text("--output", "FILE", options.output, "write there instead of stdout");
  add_run_options(table, options.run);
  table.set_notes(std::string(kColumnNotes) + kNotes);
  if (!table.parse(line)) return false;
  if (options.probabilities && options.logits) refuse_given("--proba", "with --logits", "one of them");
  if (options.top_k > 0 && options.probabilities) refuse_given("--top-k", "with --proba", "one of them");
  if (options.top_k > 0 && options.logits) refuse_given("--top-k", "with --logits", "one of them");
  options.input.labels.clear();  // nothing is compared with them
  options.input.read.labels_optional = true;
  options.input.read.keep_ids = true;
  return true;
}

void check_wanted(const PredictOptions& options, const Model& model) {
  if (model.loss == Loss::hinge && (options.probabilities || options.top_k > 0)) {
    refuse_given(options.probabilities ? "--proba" : "--top-k", "for a hinge model, which has no probabilities",
                 "--logits");
  }
  if (options.top_k > model.classes()) {
    refuse_value("--top-k", std::to_string(options.top_k),
                 "at most " + std::to_string(model.classes()) + ", the model's classes");
  }
}

// The labels whose scores a model has: one per class, the positive one of a logistic model.
std::vector<std::string> score_labels(const Model& model) {
  if (model.loss == Loss::logistic) return {model.class_labels.back()};
  return model.class_labels;
}

std::string id_name(const Dataset& data) {
  for (const Column& column : data.columns) {
    if (column.role == ColumnRole::id && !column.name.empty()) return column.name;
  }
  return "id";
}

std::string header_of(const PredictOptions& options, const Model& model, const Dataset& data) {
  std::string line;
  const auto column = [&line](const std::string& name) {
    if (!line.empty()) line += ',';
    line += csv_field(name);
  };
  if (!data.ids.empty()) column(id_name(data));
  for (std::size_t k = 1; k <= options.top_k; ++k) {
    column("class_" + std::to_string(k));
    column("p_" + std::to_string(k));
  }
  if (options.top_k == 0) column("class");
  if (options.probabilities) {
    for (const std::string& label : model.class_labels) column("p_" + label);
  }
  if (options.logits) {
    for (const std::string& label : score_labels(model)) column("z_" + label);
  }
  return line + '\n';
}

void append_numbers(const MatrixView<float>& numbers, std::size_t row, std::string& text) {
  for (std::size_t c = 0; c < numbers.cols; ++c) text += ',' + number_text(numbers.at(row, c));
}

// Writes the rows of predictions; a row without finite scores has empty fields.
class RowWriter {
 public:
  RowWriter(const PredictOptions& options, const Model& model, const Dataset& data, ResultStream& stream)
      : options_(options), ids_(data.ids), stream_(stream) {
    const bool alone = ids_.empty() && options.top_k == 0 && !options.probabilities && !options.logits;
    if (alone) no_class_ = csv_field("");
    for (const std::string& label : model.class_labels) classes_.push_back(csv_field(label));
  }

  /// Rows from `first` on.
  void write(std::size_t first, std::size_t rows, const Predictions& predictions) {
    std::string text;
    for (std::size_t i = 0; i < rows; ++i) {
      if (!ids_.empty()) text += csv_field(ids_[first + i]) + ',';
      if (predictions.classes[i] == kNotFinite) ++not_finite_;
      if (predictions.classes[i] == kAbstained) ++abstained_;
      if (options_.top_k > 0) {
        append_top(predictions, i, text);
      } else {
        text += class_text(predictions.classes[i]);
      }
      if (options_.probabilities) append_numbers(predictions.probabilities, i, text);
      if (options_.logits) append_numbers(predictions.logits, i, text);
      text += '\n';
      if (text.size() >= kFlushBytes) flush(text);
    }
    flush(text);
  }

  [[nodiscard]] std::size_t not_finite() const noexcept { return not_finite_; }
  [[nodiscard]] std::size_t abstained() const noexcept { return abstained_; }

 private:
  static constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

  [[nodiscard]] std::string class_text(std::int32_t index) const {
    return index < 0 ? no_class_ : classes_[static_cast<std::size_t>(index)];
  }

  void append_top(const Predictions& predictions, std::size_t row, std::string& text) const {
    const bool finite = predictions.classes[row] != kNotFinite;
    for (std::size_t k = 0; k < options_.top_k; ++k) {
      if (k > 0) text += ',';
      if (finite) text += class_text(predictions.top_classes.at(row, k));
      text += ',';
      if (finite) text += number_text(predictions.top_probabilities.at(row, k));
    }
  }

  void flush(std::string& text) {
    stream_.write(text);
    text.clear();
  }

  const PredictOptions& options_;
  const std::vector<std::string>& ids_;
  ResultStream& stream_;
  std::string no_class_;  // a line must not be empty, or it would be no row
  std::vector<std::string> classes_;
  std::size_t not_finite_ = 0;
  std::size_t abstained_ = 0;
};

void check_output(const PredictOptions& options) {
  if (options.output.empty()) return;
  std::vector<std::string> inputs = options.input.data;
  inputs.push_back(options.model);
  check_output_path("--output", options.output, inputs);
}

}  // namespace

int run_predict(const CommandLine& line) {
  PredictOptions options;
  if (!read_options(line, options)) return kDone;
  const Isa isa = chosen_isa(options.run);
  check_output(options);
  const LoadedModel loaded = load_predictor(options.model, isa);
  check_wanted(options, loaded.model);
  const Dataset data = read_for_model(options.input, loaded.model);
  say_remarks(data.remarks, options.run.quiet);

  if (!options.output.empty()) note_interrupts();  // the temporary file must go
  ResultStream stream(options.output);
  stream.write(header_of(options, loaded.model, data));
  RowWriter writer(options, loaded.model, data, stream);
  const Wanted wanted{options.logits, options.probabilities, options.top_k};
  predict_in_chunks(loaded, data.view(), options.run.threads, wanted,
                    [&](std::size_t first, std::size_t rows, const Predictions& out) {
                      if (const int signal = noted_interrupt(); signal != 0) {
                        give_up(128 + signal,
                                options.output + ": not written: interrupted; expected to come to the end");
                      }
                      writer.write(first, rows, out);
                    });
  stream.finish();
  if (writer.not_finite() > 0) {
    say("warning: " + std::to_string(writer.not_finite()) + " of " + std::to_string(data.samples) +
        " rows have no finite scores: their fields are empty");
  }
  if (writer.abstained() > 0 && !options.run.quiet) {
    say("note: the model abstains from " + std::to_string(writer.abstained()) + " of " + std::to_string(data.samples) +
        " rows: no class reaches its threshold, " + readable(loaded.model.threshold));
  }
  return kDone;
}

}  // namespace lanemax::cli
