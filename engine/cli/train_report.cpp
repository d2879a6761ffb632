// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/train_report.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/json.hpp"
#include "engine/cli/output.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::cli {
namespace {

Json test_json(const std::optional<Evaluation>& test) {
  if (!test) return nullptr;
  return {{"samples", test->samples}, {"accuracy", test->accuracy()}, {"log_loss", test->log_loss}};
}

std::string class_weight_kind(const std::string& choice) {
  if (choice.empty()) return "none";
  return choice == "balanced" ? "balanced" : "file";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> training_record(const TrainOptions& options,
                                                                 const TrainSummary& summary) {
  const FitOptions& fit = options.fit;
  const std::size_t batch = std::min(fit.batch_size, summary.samples);
  return {
      {"l2", number_text(summary.l2)},
      {"label_smoothing", number_text(fit.objective.label_smoothing)},
      {"scale", name_of(options.scaling)},
      {"class_weight", class_weight_kind(options.class_weight)},
      {"sample_weight", options.sample_weight.empty() ? "no" : "yes"},
      {"samples", std::to_string(summary.samples)},
      {"validation_fraction", number_text(options.validation_fraction)},
      {"solver", name_of(summary.fit.solver)},
      {"epochs", std::to_string(fit.epochs)},
      {"batch_size", std::to_string(batch)},
      {"learning_rate", number_text(summary.fit.learning_rate)},
      {"schedule", name_of(fit.schedule)},
      {"tolerance", number_text(fit.tolerance)},
      {"seed", std::to_string(fit.seed)},
      {"isa", summary.isa},
      {"reason", name_of(summary.fit.reason)},
      {"iterations", std::to_string(summary.fit.iterations)},
  };
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
  json["test"] = test_json(summary.test);
  json["seconds"] = {{"read", summary.read_seconds}, {"fit", summary.fit_seconds}, {"total", summary.total_seconds}};
  return json_text(json);
}

std::string train_text(const TrainOptions& options, const TrainSummary& summary) {
  const FitResult& fit = summary.fit;
  std::string text = std::to_string(summary.samples) + " samples, " + std::to_string(summary.features) + " features, " +
                     std::to_string(summary.classes) + " classes; " + name_of(options.fit.objective.loss) + ", " +
                     name_of(fit.solver) + ", " + summary.isa + ", " + std::to_string(options.run.threads) +
                     (options.run.threads == 1 ? " thread\n" : " threads\n");
  text += std::string("stopped: ") + name_of(fit.reason) + " after " + std::to_string(fit.iterations) + " updates (" +
          readable(fit.passes) + " passes) in " + readable(summary.fit_seconds) + " s; " +
          (fit.converged ? "converged\n" : "not converged\n");
  text += "objective " + readable(fit.objective) + ", data loss " + readable(fit.data_loss) +
          " nats, largest gradient entry " + readable(fit.gradient_norm) + ", l2 " + readable(summary.l2) + "\n";
  if (std::isfinite(fit.gap_bound)) text += "at most " + readable(fit.gap_bound) + " above the optimum\n";
  text += "train accuracy " + readable(summary.training.accuracy()) + "\n";
  if (summary.test) {
    text += "test accuracy " + readable(summary.test->accuracy()) + ", log loss " + readable(summary.test->log_loss) +
            " nats, " + std::to_string(summary.test->samples) + " samples\n";
  }
  return text + "model " + one_line(options.model) + "\n";
}

void warn_about_training(const TrainOptions& options, const TrainSummary& summary) {
  const FitResult& fit = summary.fit;
  if (!summary.status.ok()) {
    say("lanemax: training diverged, the last good model is saved; expected a smaller --learning-rate, or --scale");
  } else if (!fit.converged) {
    say(std::string("warning: not converged (") + name_of(fit.reason) + "): the largest gradient entry is " +
        readable(fit.gradient_norm) + ", the tolerance " + readable(options.fit.tolerance));
  }
  warn_about("training", summary.training);
  if (summary.test) warn_about("test", *summary.test);
}

}  // namespace lanemax::cli
