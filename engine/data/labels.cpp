// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/labels.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "engine/data/number.hpp"
#include "engine/fail.hpp"

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

Status judge_classes(const std::string& file, const std::string& place, Dataset& dataset) {
  constexpr std::size_t kManyClasses = 100;
  const std::vector<std::string>& classes = dataset.class_labels;
  std::vector<std::size_t> rows(classes.size(), 0);
  for (const std::int32_t label : dataset.labels) {
    if (label >= 0) ++rows[static_cast<std::size_t>(label)];
  }
  const auto single = static_cast<std::size_t>(std::count(rows.begin(), rows.end(), std::size_t{1}));
  if (single == classes.size() && single > kManyClasses) {
    return fail(StatusCode::bad_data, "labels that are no classes",
                "classes of several rows (--label-column says which column holds them)",
                std::to_string(single) + " classes of one row each");
  }
  if (2 * single > classes.size()) {
    dataset.remarks.push_back({true, file + ": " + std::to_string(single) + " of " + std::to_string(classes.size()) +
                                         " classes have a single row; are the labels (" + place +
                                         ") classes? --label-column says which column holds them"});
  }
  std::vector<std::pair<double, const std::string*>> numbers;
  for (const std::string& label : classes) {
    double value = 0;
    if (parse_number(label, value) == NumberError::none) numbers.emplace_back(value, &label);
  }
  std::sort(numbers.begin(), numbers.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : *a.second < *b.second;
  });
  const auto same = std::adjacent_find(numbers.begin(), numbers.end(),
                                       [](const auto& a, const auto& b) { return a.first == b.first; });
  if (same != numbers.end()) {
    dataset.remarks.push_back({false, file + ": the labels '" + shown(*same->second) + "' and '" +
                                          shown(*(same + 1)->second) + "' are one number, but two classes"});
  }
  return {};
}

}  // namespace lanemax
