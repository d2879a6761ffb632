// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/initial_model.hpp"

#include <lanemax/fit.hpp>

#include "engine/cli/command_error.hpp"
#include "engine/cli/output.hpp"
#include "engine/model/centre.hpp"

#include <algorithm>

namespace lanemax::cli {
namespace {

// Where each feature of `model` is among those of `initial`.
std::vector<std::size_t> feature_places(const std::string& file, const Model& initial, const Model& model) {
  std::vector<std::size_t> places(model.features);
  for (std::size_t d = 0; d < model.features; ++d) {
    places[d] = d;
    if (initial.feature_names.empty() || model.feature_names.empty()) continue;
    const auto& names = initial.feature_names;
    const auto found = std::find(names.begin(), names.end(), model.feature_names[d]);
    if (found == names.end()) {
      give_up(kBadModel, file + ": no feature '" + one_line(model.feature_names[d]) + "'; expected those of --data");
    }
    places[d] = static_cast<std::size_t>(found - names.begin());
  }
  return places;
}

}  // namespace

void begin_from(const std::string& file, Model& model) {
  Model initial;
  check(load_model(file.c_str(), initial), file);
  fold_centre(initial);
  if (initial.loss != model.loss) {
    give_up(kBadModel,
            file + ": a " + lanemax::name_of(initial.loss) + " model; expected " + lanemax::name_of(model.loss));
  }
  if (initial.features != model.features) {
    give_up(kBadModel, file + ": " + std::to_string(initial.features) + " features; expected " +
                           std::to_string(model.features) + ", as --data has");
  }
  const std::vector<std::size_t> places = feature_places(file, initial, model);
  const bool one_score = model.loss == Loss::logistic;
  if (one_score && initial.class_labels != model.class_labels) {
    give_up(kBadModel, file + ": other classes; expected those of --data");
  }
  for (std::size_t from = 0; from < initial.rows(); ++from) {
    const auto& labels = model.class_labels;
    const auto found = one_score ? labels.begin() : std::find(labels.begin(), labels.end(), initial.class_labels[from]);
    if (found == labels.end()) {
      give_up(kBadModel, file + ": class '" + one_line(initial.class_labels[from]) + "'; expected classes of --data");
    }
    const auto to = static_cast<std::size_t>(found - labels.begin());
    for (std::size_t d = 0; d < model.features; ++d) {
      model.weight[to * model.features + d] = initial.weight[from * model.features + places[d]];
    }
    model.bias[to] = initial.bias[from];
  }
}

}  // namespace lanemax::cli
