// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/command_error.hpp"
#include "engine/cli/commands.hpp"
#include "engine/cli/evaluation.hpp"
#include "engine/cli/json.hpp"
#include "engine/cli/output.hpp"

#include <algorithm>

namespace lanemax::cli {
namespace {

struct EvaluateOptions {
  RunOptions run;
  InputOptions input;
  std::string model;
};

constexpr char kNotes[] =
    "Rows count by the weights that the model was trained with, if the file has them.\n"
    "Rows whose label is not a class of the model count as wrong and take no part in the log loss. The log loss is in\n"
    "nats, and null for hinge models. `confusion` has a row per true and a column per predicted class, in the order\n"
    "of `labels`; it counts rows, and is null for models of more than 1000 classes.\n"
    "A model with a threshold abstains from rows whose most probable class is less probable: `coverage` is the share\n"
    "of the rows with finite scores that it answers. Accuracy and confusion are about the rows answered, the log loss\n"
    "is about all.\n";

bool read_options(const CommandLine& line, EvaluateOptions& options) {
  OptionTable table("evaluate", "Measures a model on labelled samples.");
  add_model_option(table, options.model);
  add_input_options(table, options.input, "IDX label file (CSV files carry their labels)");
  add_run_options(table, options.run);
  add_json_option(table, options.run);
  table.set_notes(std::string(kColumnNotes) + kNotes);
  return table.parse(line);
}

constexpr std::size_t kMaxJsonClasses = 1000;  ///< a million entries
constexpr std::size_t kMaxTableClasses = 20;
constexpr std::size_t kMostConfused = 10;
constexpr std::size_t kMaxLabelWidth = 12;

std::uint64_t count_of(const Evaluation& evaluation, std::size_t truth, std::size_t predicted) {
  const auto entry =
      evaluation.confusion.find({static_cast<std::int32_t>(truth), static_cast<std::int32_t>(predicted)});
  return entry == evaluation.confusion.end() ? 0 : entry->second;
}

Json confusion_json(const Evaluation& evaluation, std::size_t classes) {
  if (classes > kMaxJsonClasses) return nullptr;
  Json rows = Json::array();
  for (std::size_t truth = 0; truth < classes; ++truth) {
    Json row = Json::array();
    for (std::size_t predicted = 0; predicted < classes; ++predicted) {
      row.push_back(count_of(evaluation, truth, predicted));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string evaluation_json(const Evaluation& evaluation, const Model& model) {
  Json json;
  json["samples"] = evaluation.samples;
  json["accuracy"] = evaluation.accuracy();
  json["log_loss"] = evaluation.log_loss;
  json["coverage"] = evaluation.coverage();
  json["labels"] = model.class_labels;
  json["confusion"] = confusion_json(evaluation, model.classes());
  return json_text(json);
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

// A table's cell must stay one line and narrow; cut labels end in '~'.
std::string label_text(const std::string& label) {
  std::string text = one_line(label);
  if (text.size() <= kMaxLabelWidth) return text;
  text.resize(kMaxLabelWidth - 1);
  return text + '~';
}

std::string confusion_table(const Evaluation& evaluation, const std::vector<std::string>& labels) {
  std::size_t width = 5;
  for (const std::string& label : labels) width = std::max(width, label_text(label).size());
  for (const auto& [pair, count] : evaluation.confusion) width = std::max(width, std::to_string(count).size());
  ++width;
  std::string text = "confusion (rows: truth, columns: predicted)\n" + padded("", width);
  for (const std::string& label : labels) text += padded(label_text(label), width);
  text += '\n';
  for (std::size_t truth = 0; truth < labels.size(); ++truth) {
    text += padded(label_text(labels[truth]), width);
    for (std::size_t predicted = 0; predicted < labels.size(); ++predicted) {
      const std::uint64_t count = count_of(evaluation, truth, predicted);
      text += padded(count == 0 ? "." : std::to_string(count), width);
    }
    text += '\n';
  }
  return text;
}

std::string most_confused(const Evaluation& evaluation, const std::vector<std::string>& labels) {
  using Entry = std::pair<std::pair<std::int32_t, std::int32_t>, std::uint64_t>;
  std::vector<Entry> errors;
  for (const auto& entry : evaluation.confusion) {
    if (entry.first.first != entry.first.second) errors.push_back(entry);
  }
  std::sort(errors.begin(), errors.end(), [](const Entry& a, const Entry& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  errors.resize(std::min(errors.size(), kMostConfused));
  std::string text = errors.empty() ? "" : "most confused (truth -> predicted: rows)\n";
  for (const Entry& entry : errors) {
    text += "  " + one_line(labels[static_cast<std::size_t>(entry.first.first)]) + " -> " +
            one_line(labels[static_cast<std::size_t>(entry.first.second)]) + ": " + std::to_string(entry.second) + "\n";
  }
  return text;
}

std::string evaluation_text(const Evaluation& evaluation, const Model& model) {
  std::string text = std::to_string(evaluation.samples) + " samples\naccuracy " + readable(evaluation.accuracy()) +
                     coverage_text(evaluation, model.threshold) + "\nlog loss " + readable(evaluation.log_loss) +
                     " nats\n";
  const bool small = model.classes() <= kMaxTableClasses;
  return text +
         (small ? confusion_table(evaluation, model.class_labels) : most_confused(evaluation, model.class_labels));
}

}  // namespace

int run_evaluate(const CommandLine& line) {
  EvaluateOptions options;
  if (!read_options(line, options)) return kDone;
  const Isa isa = chosen_isa(options.run);
  const LoadedModel loaded = load_predictor(options.model, isa);
  const Dataset data = read_for_model(options.input, loaded.model);
  check_labels(options.input.data.front(), data, "--labels");
  say_remarks(data.remarks, options.run.quiet);
  const Evaluation evaluation = evaluate(loaded, data, options.run.threads);
  warn_about("evaluated", evaluation);
  write_stdout(options.run.json ? evaluation_json(evaluation, loaded.model)
                                : evaluation_text(evaluation, loaded.model));
  return kDone;
}

}  // namespace lanemax::cli
