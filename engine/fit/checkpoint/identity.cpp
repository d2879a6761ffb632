// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/checkpoint/identity.hpp"

#include "engine/fit/number_text.hpp"
#include "engine/model/checksum.hpp"
#include "engine/model/json_text.hpp"
#include "engine/model/sealed_file.hpp"
#include "engine/pass/row_source.hpp"

#include <cstring>

namespace lanemax {
namespace {

// Of the rules by which the state moves on: raised whenever the same state would lead to other bits.
constexpr const char* kLibraryFormat = "6";

constexpr const char* kNames[] = {
    "library format",
    "scalar",
    "fold of each sample",
    "scale_l2",
    "optimiser",
    "isa",
    "loss",
    "solver",
    "preconditioner",
    "rows",
    "features",
    "classes",
    "feature type",
    "row selection",
    "labels",
    "bias",
    "sample weights",
    "target probabilities",
    "feature values",
    "scaling",
    "validation rows",
    "validation feature type",
    "validation selection",
    "validation labels",
    "validation weights",
    "validation probabilities",
    "validation values",
    "validation scaling",
    "l2",
    "label_smoothing",
    "ignored_label",
    "epochs",
    "batch_size",
    "learning_rate",
    "momentum",
    "second_moment_decay",
    "schedule",
    "seed",
    "early_stopping",
    "standardise",
    "initial weights",
    "checkpoint_note",
    "folds",
    "tolerance",
    "max_iterations",
};
constexpr std::string_view kChecksumIntro = "crc64 ";

const char* name_of(FeatureType type) {
  switch (type) {
    case FeatureType::f32: return "f32";
    case FeatureType::f64: return "f64";
    case FeatureType::u8: return "u8";
    case FeatureType::f16: return "f16";
    case FeatureType::bf16: break;
  }
  return "bf16";
}

std::string text_of(const char* text) {
  return text;
}
std::string text_of(bool value) {
  return value ? "yes" : "no";
}

class Checksum {
 public:
  void add(const void* values, std::size_t bytes) { crc_.update(static_cast<const std::uint8_t*>(values), bytes); }
  [[nodiscard]] std::string text() const {
    return std::string{kChecksumIntro}.append(safetensors::to_hex(crc_.value()));
  }

 private:
  Crc64 crc_;
};

std::string checksum_of(const void* values, std::size_t bytes) {
  if (values == nullptr) return "none";
  Checksum sum;
  sum.add(values, bytes);
  return sum.text();
}

// Labels and weights count for all rows of the selection, also those that take no part. What the features and targets
// of such rows are is nothing to the fit: their checksums go by for_each_kept_row().
std::string checksum_of_labels(const Batch& b, const LabelsView& labels) {
  if (labels.empty()) return "none";
  Checksum sum;
  for (std::size_t i = 0; i < b.rows(); ++i) {
    const auto label = static_cast<std::int32_t>(labels[b.row(i)]);  // whatever type it has
    sum.add(&label, sizeof(label));
  }
  return sum.text();
}
std::string checksum_of_weights(const Batch& b) {
  if (b.sample_weights.empty()) return "none";
  Checksum sum;
  for (std::size_t i = 0; i < b.rows(); ++i) sum.add(&b.sample_weights[b.row(i)], sizeof(float));
  return sum.text();
}
std::string checksum_of_selection(const Batch& b) {
  return b.selection ? checksum_of(b.selection->data(), b.selection->size_bytes()) : "none";
}

std::string checksum_of_targets(const Batch& b, std::int32_t ignored_label) {
  if (b.target_probabilities.empty()) return "none";
  Checksum sum;
  for_each_kept_row(b, ignored_label, [&](std::size_t row, double) {
    for (std::size_t c = 0; c < b.target_probabilities.cols; ++c) {
      sum.add(&b.target_probabilities.at(row, c), sizeof(float));
    }
  });
  return sum.text();
}

std::string checksum_of_features(const Batch& b, std::int32_t ignored_label) {
  const auto* const values = static_cast<const std::uint8_t*>(b.features.data);
  const std::size_t size = size_of(b.features.type);
  Checksum sum;
  for_each_kept_row(b, ignored_label, [&](std::size_t row, double) {
    const std::uint8_t* const first = values + row * b.features.row_stride * size;
    if (b.features.col_stride == 1) return sum.add(first, b.features.features * size);
    for (std::size_t d = 0; d < b.features.features; ++d) sum.add(first + d * b.features.col_stride * size, size);
  });
  return sum.text();
}

std::string scaling_of(const Batch& b) {
  if (b.scaling.empty()) return "none";
  const std::string both = checksum_of(b.scaling.centre.data(), b.scaling.centre.size_bytes()) +
                           checksum_of(b.scaling.factor.data(), b.scaling.factor.size_bytes());
  return checksum_of(both.data(), both.size());
}

// A text as it is where that is short.
std::string note_of(std::string_view text) {
  constexpr std::size_t kShort = 100;
  return text.size() <= kShort && is_utf8(text) ? std::string{text} : checksum_of(text.data(), text.size());
}

}  // namespace

const char* static_name_of(std::string_view name) noexcept {
  for (const char* known : kNames) {
    if (name == known) return known;
  }
  return "fit";
}

bool is_checksum(std::string_view value) noexcept {
  return value.starts_with(kChecksumIntro);
}

FitIdentity identity_of(const Batch& data, const FitOptions& options, std::size_t classes, const char* isa,
                        const Vector* initial) {
  FitIdentity identity;
  const auto add = [&](const char* name, const auto& value) {
    if constexpr (requires { text_of(value); }) {
      identity.emplace_back(name, text_of(value));
    } else {
      identity.emplace_back(name, value);
    }
  };
  const Objective& objective = options.objective;
  const MiniBatches& mini_batches = options.mini_batches;
  const std::int32_t ignored = objective.ignored_label;
  add("library format", kLibraryFormat);
  add("isa", isa);
  add("loss", lanemax::name_of(objective.loss));
  add("solver", lanemax::name_of(options.solver));
  add("preconditioner", lanemax::name_of(options.preconditioner));

  add("rows", data.rows());
  add("features", data.features.features);
  add("classes", classes);
  add("feature type", name_of(data.features.type));
  add("row selection", checksum_of_selection(data));
  add("labels", checksum_of_labels(data, data.labels));
  add("sample weights", checksum_of_weights(data));
  add("ignored_label", ignored);
  add("target probabilities", checksum_of_targets(data, ignored));
  add("feature values", checksum_of_features(data, ignored));
  add("standardise", options.standardise);
  add("scaling", scaling_of(data));

  const Batch* validation = options.validation;
  add("validation rows", validation == nullptr ? "none" : text_of(validation->rows()));
  if (validation != nullptr) {
    const Batch& v = *validation;
    add("validation feature type", name_of(v.features.type));
    add("validation selection", checksum_of_selection(v));
    add("validation labels", checksum_of_labels(v, v.labels));
    add("validation weights", checksum_of_weights(v));
    add("validation probabilities", checksum_of_targets(v, ignored));
    add("validation values", checksum_of_features(v, ignored));
    add("validation scaling", scaling_of(v));
  }

  add("l2", *objective.l2);
  add("label_smoothing", objective.label_smoothing);
  if (!options.bias) add("bias", options.bias);
  add("epochs", *mini_batches.epochs);
  add("batch_size", *mini_batches.batch_size);
  add("learning_rate", mini_batches.learning_rate.value_or(0));
  add("momentum", *mini_batches.momentum);
  add("second_moment_decay", *mini_batches.second_moment_decay);
  add("schedule", lanemax::name_of(*mini_batches.schedule));
  add("seed", options.seed);
  add("early_stopping", options.stopping.early_stopping);
  add("initial weights", initial == nullptr ? "0" : checksum_of(initial->data(), initial->size() * sizeof(double)));
  add("checkpoint_note", note_of(options.checkpoint.note));
  return identity;
}

FitIdentity identity_of_path(const Batch& data, const PathOptions& path, const FitOptions& options,
                             const std::vector<double>& l2, std::size_t folds, std::size_t classes, const char* isa,
                             const Vector* initial) {
  FitIdentity identity = identity_of(data, options, classes, isa, initial);
  std::string penalties;
  for (const double penalty : l2) penalties += (penalties.empty() ? "" : ",") + text_of(penalty);
  for (auto& [name, value] : identity) {
    if (name == "l2") value = note_of(penalties);
  }
  identity.emplace_back("folds", text_of(folds));
  identity.emplace_back("fold of each sample",
                        path.fold_of_sample.empty() ? "none" : checksum_of_labels(data, path.fold_of_sample));
  identity.emplace_back("scale_l2", text_of(path.scale_l2));
  identity.emplace_back("tolerance", text_of(options.stopping.tolerance));
  identity.emplace_back("max_iterations", text_of(options.stopping.max_iterations));
  return identity;
}

}  // namespace lanemax
