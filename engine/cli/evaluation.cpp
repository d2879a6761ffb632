// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/evaluation.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/output.hpp"
#include "engine/dispatch/select_isa.hpp"
#include "engine/predict/log_losses.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax::cli {
namespace {

constexpr std::size_t kChunkNumbers = std::size_t{4} << 20;
constexpr std::size_t kChunkRows = 65536;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Adds rows one by one, in order.
class Tally {
 public:
  void add(std::int32_t truth, std::int32_t predicted, double loss, double weight) {
    ++result_.samples;
    result_.weight += weight;
    if (truth < 0) ++result_.unknown_labels;
    if (predicted == kNotFinite) {
      ++result_.not_finite;
      return;
    }
    result_.finite += weight;
    if (predicted == kAbstained) result_.abstained += weight;
    if (truth < 0) return;
    if (truth == predicted) result_.correct += weight;
    if (predicted >= 0) ++result_.confusion[{truth, predicted}];
    measured_ += weight;
    if (weight > 0) loss_ += weight * loss;
  }

  Evaluation result() {
    result_.log_loss = measured_ > 0 ? loss_ / measured_ : kNaN;
    return std::move(result_);
  }

 private:
  Evaluation result_;
  double loss_ = 0;
  double measured_ = 0;
};

}  // namespace

Isa chosen_isa(const RunOptions& run) {
  check(initialize());
  if (run.isa.empty()) return active_isa();
  Isa isa = Isa::process_default;
  Status status = isa_from_name(run.isa.c_str(), isa);
  if (status.ok()) status = check_isa(isa);
  status.what = "--isa";
  check(status);
  return isa;
}

LoadedModel load_predictor(const std::string& file, Isa isa) {
  LoadedModel loaded;
  check(select_kernels({.isa = isa}, loaded.kernels));
  check(load_model(file.c_str(), loaded.model), file);
  check(Predictor::create(loaded.model, isa, loaded.predictor), file);
  return loaded;
}

void check_features(const std::string& file, const Dataset& data, std::size_t features) {
  if (data.features == features) return;
  give_up(kBadData, file + ": " + std::to_string(data.features) + " features; expected " + std::to_string(features));
}

void check_labels(const std::string& file, const Dataset& data, const char* option) {
  if (!data.labels.empty()) return;
  give_up(kBadData, file + ": no labels; expected " + option + " FILE for IDX, or a label column in CSV");
}

std::vector<Column> columns_of(const Model& model) {
  if (!model.columns.empty()) return model.columns;
  std::vector<Column> columns(model.features);
  for (std::size_t d = 0; d < model.feature_names.size(); ++d) columns[d].name = model.feature_names[d];
  columns.push_back({"", ColumnRole::label});
  return columns;
}

Dataset read_for_model(const InputOptions& input, const Model& model) {
  ReadOptions read = input.read;
  const std::vector<Column> columns = columns_of(model);
  read.known_columns = &columns;
  read.known_classes = &model.class_labels;
  read.precision = model.centre.empty() ? TextPrecision::f32 : TextPrecision::f64;
  Dataset data;
  check(read_dataset(input.data, input.labels, read, data));
  check_features(input.data.front(), data, model.features);
  return data;
}

void predict_in_chunks(const LoadedModel& loaded, const FeaturesView& features, int threads, const Wanted& wanted,
                       const std::function<void(std::size_t, std::size_t, const Predictions&)>& use) {
  const std::size_t scores = wanted.logits ? loaded.model.rows() : 0;
  const std::size_t classes = wanted.probabilities ? loaded.model.classes() : 0;
  const std::size_t numbers = 1 + scores + classes + 2 * wanted.top_k;
  const std::size_t chunk = std::min(std::clamp<std::size_t>(kChunkNumbers / numbers, 1, kChunkRows), features.samples);

  const Workspace workspace(loaded.predictor.batch_workspace_bytes(threads));
  std::vector<std::int32_t> best(chunk);
  std::vector<float> logits(chunk * scores);
  std::vector<float> probabilities(chunk * classes);
  std::vector<std::int32_t> top_classes(chunk * wanted.top_k);
  std::vector<float> top_probabilities(chunk * wanted.top_k);
  for (std::size_t first = 0; first < features.samples; first += chunk) {
    const std::size_t rows = std::min(chunk, features.samples - first);
    Predictions out;
    out.classes = {best.data(), rows};
    if (scores > 0) out.logits = {logits.data(), rows, scores};
    if (classes > 0) out.probabilities = {probabilities.data(), rows, classes};
    if (wanted.top_k > 0) {
      out.top_classes = {top_classes.data(), rows, wanted.top_k};
      out.top_probabilities = {top_probabilities.data(), rows, wanted.top_k};
    }
    check(loaded.predictor.predict_batch(features.rows(first, rows), threads, workspace, out));
    use(first, rows, out);
  }
}

double Evaluation::accuracy() const noexcept {
  const double counted = weight - abstained;
  return counted > 0 ? correct / counted : kNaN;
}

double Evaluation::coverage() const noexcept {
  return finite > 0 ? (finite - abstained) / finite : kNaN;
}

Evaluation evaluate(const LoadedModel& loaded, const Dataset& data, int threads,
                    const std::vector<std::uint32_t>& rows) {
  const bool with_loss = loaded.model.loss != Loss::hinge;
  Tally tally;
  std::vector<double> losses;
  auto next = rows.begin();
  const auto add_chunk = [&](std::size_t first, std::size_t count, const Predictions& predictions) {
    losses.assign(count, kNaN);  // of hinge there is none
    if (with_loss) {
      log_losses(*loaded.kernels, loaded.model.loss, predictions.logits, data.labels.data() + first, losses.data());
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = first + i;
      if (!rows.empty()) {
        if (next == rows.end() || *next != row) continue;
        ++next;
      }
      const double weight = data.sample_weights.empty() ? 1 : static_cast<double>(data.sample_weights[row]);
      tally.add(data.labels[row], predictions.classes[i], losses[i], weight);
    }
  };
  predict_in_chunks(loaded, data.view(), threads, {.logits = with_loss}, add_chunk);
  return tally.result();
}

std::string coverage_text(const Evaluation& evaluation, double threshold) {
  if (threshold == 0) return {};
  return " over the rows answered, coverage " + readable(evaluation.coverage()) + " at threshold " +
         readable(threshold);
}

void warn_about(const char* what, const Evaluation& evaluation) {
  const std::string of = " of " + std::to_string(evaluation.samples) + " " + what + " rows ";
  if (evaluation.unknown_labels > 0) {
    say("warning: " + std::to_string(evaluation.unknown_labels) + of +
        "have a label that is no class of the model: counted as wrong" +
        (evaluation.abstained > 0 ? " where answered" : "") + ", not in the log loss");
  }
  if (evaluation.not_finite > 0) {
    say("warning: " + std::to_string(evaluation.not_finite) + of +
        "have no finite scores: counted as wrong, not in the log loss");
  }
}

}  // namespace lanemax::cli
