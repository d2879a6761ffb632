// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/train_report.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/json.hpp"
#include "engine/cli/output.hpp"
#include "engine/fit/training_record.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace lanemax::cli {
namespace {

Json test_json(const std::optional<Evaluation>& test, bool with_coverage) {
  if (!test) return nullptr;
  Json json = {{"samples", test->samples}, {"accuracy", test->accuracy()}, {"log_loss", test->log_loss}};
  if (with_coverage) json["coverage"] = test->coverage();
  return json;
}

Json path_json(const TrainSummary& summary, std::size_t folds) {
  Json points = Json::array();
  for (const PathPoint& point : summary.path) {
    if (!point.finished) continue;
    points.push_back({{"l2", point.l2},
                      {"objective", point.fit.objective},
                      {"gap_bound", point.fit.gap_bound},
                      {"iterations", point.fit.iterations},
                      {"held_out_log_loss", point.held_out_loss},
                      {"held_out_log_loss_error", point.held_out_loss_error},
                      {"held_out_accuracy", point.held_out_accuracy},
                      {"converged", point.converged}});
  }
  return {{"folds", folds}, {"left_out", summary.left_out}, {"points", points}};
}

// No loss is below 0: the objective itself is a bound.
bool bound_says_something(const FitResult& fit) {
  return fit.gap_bound < fit.objective;
}

// A table with a line per penalty; the best one is marked.
std::string path_text(const TrainSummary& summary) {
  std::string text = "          l2   objective  above optimum   held-out log loss    accuracy  updates\n";
  for (std::size_t i = 0; i < summary.path.size(); ++i) {
    const PathPoint& point = summary.path[i];
    if (!point.finished) continue;
    const std::string error =
        std::isfinite(point.held_out_loss_error) ? " +- " + readable(point.held_out_loss_error, 2) : "";
    std::array<char, 200> line;
    std::snprintf(line.data(), line.size(), "%12s%12s%15s%20s%12s%9zu%s%s\n", readable(point.l2, 4).c_str(),
                  readable(point.fit.objective).c_str(),
                  bound_says_something(point.fit) ? readable(point.fit.gap_bound, 2).c_str() : "-",
                  (readable(point.held_out_loss) + error).c_str(), readable(point.held_out_accuracy).c_str(),
                  point.fit.iterations, i == summary.best ? "  best" : "", point.converged ? "" : "  not converged");
    text += line.data();
  }
  return text;
}

// Empty for a path that came to its end, or none.
std::string what_an_early_end_saved(const TrainSummary& summary) {
  const auto is_finished = [](const PathPoint& point) { return point.finished; };
  const auto finished = std::count_if(summary.path.begin(), summary.path.end(), is_finished);
  if (static_cast<std::size_t>(finished) == summary.path.size()) return {};
  return std::to_string(finished) + " of " + std::to_string(summary.path.size()) + " penalties are finished, " +
         (finished > 0 ? "the best of them is saved" : "the weights so far are saved");
}

std::string checkpoint_error(const TrainOptions& options, const FitResult& fit) {
  return located_message(options.fit.checkpoint.file, fit.checkpoint_error);
}

// As a shell reads it.
std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=+%@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

std::string resuming_command(const TrainOptions& options) {
  std::string command;
  for (const std::string& word : options.command_line) command += shell_word(word) + ' ';
  if (options.fit.checkpoint.resume) command.pop_back();
  return options.fit.checkpoint.resume ? command : command + "--resume";
}

std::string class_weight_kind(const std::string& choice) {
  if (choice.empty()) return "none";
  return choice == "balanced" ? "balanced" : "file";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> training_record(const TrainOptions& options, const FitOptions& fit,
                                                                 const TrainSummary& summary) {
  std::vector<std::pair<std::string, std::string>> record = {
      {"scale", name_of(options.scaling)},
      {"class_weight", class_weight_kind(options.class_weight)},
      {"sample_weight", options.sample_weight.empty() ? "no" : "yes"},
      {"validation_fraction", number_text(options.validation_fraction)},
      {"folds", std::to_string(options.folds)},
      {"init", options.init.empty() ? "no" : "yes"},
  };
  const auto of_fit = lanemax::training_record(fit, summary.fit, summary.samples);
  record.insert(record.end(), of_fit.begin(), of_fit.end());
  return record;
}

std::string train_json(const TrainOptions& options, const TrainSummary& summary) {
  const FitResult& fit = summary.fit;
  Json json;
  json["samples"] = summary.samples;
  json["features"] = summary.features;
  json["classes"] = summary.classes;
  json["threads"] = options.run.threads;
  json["loss"] = name_of(options.fit.objective.loss);
  json["solver"] = name_of(fit.solver);
  json["isa"] = summary.isa;
  json["model"] = options.model;
  json["reason"] = name_of(fit.reason);
  json["objective"] = fit.objective;
  json["data_loss"] = fit.data_loss;
  json["gradient_norm"] = fit.gradient_norm;
  json["gap_bound"] = fit.gap_bound;
  json["iterations"] = fit.iterations;
  json["passes"] = fit.passes;
  json["converged"] = fit.converged;
  json["train_accuracy"] = summary.training.accuracy();
  if (options.threshold > 0) json["train_coverage"] = summary.training.coverage();
  json["test"] = test_json(summary.test, options.threshold > 0);
  json["checkpoint_error"] = fit.checkpoint_error.ok() ? Json() : Json(checkpoint_error(options, fit));
  if (!summary.path.empty()) json["path"] = path_json(summary, options.folds);
  json["seconds"] = {{"read", summary.read_seconds}, {"fit", summary.fit_seconds}, {"total", summary.total_seconds}};
  return json_text(json);
}

std::string train_text(const TrainOptions& options, const TrainSummary& summary) {
  const FitResult& fit = summary.fit;
  std::string text = summary.path.empty() ? "" : path_text(summary);
  text += std::to_string(summary.samples) + " samples, " + std::to_string(summary.features) + " features, " +
          std::to_string(summary.classes) + " classes; " + name_of(options.fit.objective.loss) + ", " +
          name_of(fit.solver) + ", " + summary.isa + ", " + std::to_string(options.run.threads) +
          (options.run.threads == 1 ? " thread\n" : " threads\n");
  text += std::string("stopped: ") + name_of(fit.reason) + " after " + std::to_string(fit.iterations) + " updates (" +
          readable(fit.passes) + " passes) in " + readable(summary.fit_seconds) + " s; " +
          (fit.converged ? "converged\n" : "not converged\n");
  text += "objective " + readable(fit.objective) + ", data loss " + readable(fit.data_loss) +
          " nats, largest gradient entry " + readable(fit.gradient_norm) + ", l2 " + readable(summary.fit.l2) + "\n";
  if (bound_says_something(fit)) text += "at most " + readable(fit.gap_bound) + " above the optimum\n";
  if (fit.converged && fit.gradient_norm > options.fit.stopping.tolerance) {
    text +=
        "(converged before the weights were rounded to f32: that moved the gradient, but the objective by at most " +
        readable(fit.rounding_cost, 2) + ")\n";
  }
  text += "train accuracy " + readable(summary.training.accuracy()) +
          coverage_text(summary.training, options.threshold) + "\n";
  if (summary.test) {
    text += "test accuracy " + readable(summary.test->accuracy()) + coverage_text(*summary.test, options.threshold) +
            ", log loss " + readable(summary.test->log_loss) + " nats, " + std::to_string(summary.test->samples) +
            " samples\n";
  }
  return text + "model " + one_line(options.model) + "\n";
}

void warn_about_training(const TrainOptions& options, const TrainSummary& summary) {
  const FitResult& fit = summary.fit;
  const std::string cure = fit.learning_rate > 0 ? "a smaller --learning-rate, or --scale"
                                                 : "features of a smaller range, or --scale standard";
  if (const std::string saved = what_an_early_end_saved(summary); !saved.empty()) {
    say(summary.status.ok() ? "warning: the path ended early (" + std::string(name_of(fit.reason)) + "): " + saved
                            : "lanemax: training diverged: " + saved + "; expected " + cure);
  } else if (!summary.status.ok()) {
    say("lanemax: training diverged, the last good model is saved; expected " + cure);
  } else if (!fit.converged) {
    say(std::string("warning: not converged (") + name_of(fit.reason) + "): the largest gradient entry is " +
        readable(fit.gradient_norm) + ", the tolerance " + readable(options.fit.stopping.tolerance));
  }
  if (!fit.checkpoint_error.ok()) {
    say("warning: " + checkpoint_error(options, fit) + ": the checkpoint is not written, the model is");
  }
  if (!summary.history_status.ok()) {
    say("warning: " + located_message(options.history, summary.history_status) +
        ": the history is not written, the model is");
  }
  const bool goes_on = fit.reason == StopReason::interrupted || fit.reason == StopReason::time_limit;
  if (goes_on && !options.fit.checkpoint.file.empty() && fit.checkpoint_error.ok() && !options.run.quiet) {
    say("to go on: " + resuming_command(options));
  }
  if (summary.left_out > 0) {
    say("warning: " + std::to_string(summary.left_out) +
        (summary.left_out == 1 ? " row held out has" : " rows held out have") +
        " a class that no row trains where they are: not in the held-out loss and accuracy");
  }
  if (!summary.rounded_column.empty()) {
    say("warning: rounding the weights to f32 raised the objective by up to " + readable(fit.rounding_cost, 2) +
        ", most for " + summary.rounded_column +
        "; expected values that are not large beside their spread: subtract what all rows share, or --scale standard");
  }
  warn_about("training", summary.training);
  if (summary.test) warn_about("test", *summary.test);
}

}  // namespace lanemax::cli
