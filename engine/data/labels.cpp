// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/labels.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "engine/data/number.hpp"

namespace lanemax {

std::int32_t LabelTable::number_of(std::string_view text) {
  if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
  if (texts_.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) throw std::bad_alloc();
  const auto number = static_cast<std::int32_t>(texts_.size());
  texts_.push_back(&numbers_.emplace(text, number).first->first);
  return number;
}

bool is_number(std::string_view text) noexcept {
  double value = 0;
  return parse_number(text, value) == NumberError::none;
}

void sort_classes(std::vector<std::string>& classes) {
  if (!std::all_of(classes.begin(), classes.end(), is_number)) {
    std::sort(classes.begin(), classes.end());
    return;
  }
  std::vector<std::pair<double, std::string>> keyed;
  keyed.reserve(classes.size());
  for (std::string& text : classes) {
    double value = 0;
    static_cast<void>(parse_number(text, value));
    keyed.emplace_back(value, std::move(text));
  }
  std::sort(keyed.begin(), keyed.end());
  for (std::size_t i = 0; i < keyed.size(); ++i) classes[i] = std::move(keyed[i].second);
}

void assign_classes(const LabelTable& table, const std::vector<std::string>* known_classes, Dataset& dataset) {
  std::vector<std::string> classes;
  if (known_classes != nullptr) {
    classes = *known_classes;
  } else {
    classes.reserve(table.size());
    for (std::size_t i = 0; i < table.size(); ++i) classes.push_back(table.text(i));
    sort_classes(classes);
  }

  std::unordered_map<std::string_view, std::int32_t> index_of;
  index_of.reserve(classes.size());
  for (std::size_t i = 0; i < classes.size(); ++i) index_of.emplace(classes[i], static_cast<std::int32_t>(i));
  std::vector<std::int32_t> class_of(table.size(), Dataset::kUnknownLabel);
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (const auto found = index_of.find(table.text(i)); found != index_of.end()) class_of[i] = found->second;
  }

  dataset.unknown_labels = 0;
  for (std::int32_t& label : dataset.labels) {
    if (label != Dataset::kUnknownLabel) label = class_of[static_cast<std::size_t>(label)];
    if (label == Dataset::kUnknownLabel) ++dataset.unknown_labels;
  }
  dataset.class_labels = std::move(classes);
}

}  // namespace lanemax
