// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_LABELS_HPP
#define LANEMAX_ENGINE_DATA_LABELS_HPP

#include <lanemax/status.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/data/dataset.hpp"

namespace lanemax {

/// The distinct label texts of a data set, numbered in order of first appearance.
class LabelTable {
 public:
  /// The number of `text`; a new one if it was not seen before. Throws std::bad_alloc.
  std::int32_t number_of(std::string_view text);

  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  [[nodiscard]] const std::string& text(std::size_t number) const noexcept { return *texts_[number]; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> numbers_;
  std::vector<const std::string*> texts_;  // the keys of numbers_, which do not move
};

/// True if `text` is a finite decimal number.
[[nodiscard]] bool is_number(std::string_view text) noexcept;

/// Sorts class names: by value if every one is a finite number (equal values: by bytes), else by bytes. Texts are never
/// merged: "1", "01" and "1.0" are three classes.
void sort_classes(std::vector<std::string>& classes);

/// Turns label numbers of `table` in `dataset.labels` into class indices and sets `dataset.class_labels`: the sorted
/// texts of the table, or `known_classes` if given. Texts are compared byte by byte; those that are not known become
/// kUnknownLabel, which labels that are already kUnknownLabel stay; all of them are counted.
void assign_classes(const LabelTable& table, const std::vector<std::string>* known_classes, Dataset& dataset);

/// Whether the labels of a training set look like classes: refused where every class has a single row and there are
/// more than 100, with a remark where more than half of them have one and where two labels are the same number. `place`
/// says where they are from: column 3 'price'. Remarks begin with `file`. Throws std::bad_alloc.
[[nodiscard]] Status judge_classes(const std::string& file, const std::string& place, Dataset& dataset);

}  // namespace lanemax

#endif
