// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/model.hpp>

#include "engine/fail.hpp"
#include "engine/model/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

namespace lanemax {
namespace {

constexpr std::size_t kMaxTraining = 1000;  // with the other entries below safetensors::kMaxMetadata

Status bad_name(const char* what, const char* expected, std::size_t index, std::string_view name) {
  Status status = fail(StatusCode::invalid_argument, what, expected, name);
  status.row = static_cast<std::int64_t>(index);
  return status;
}

Status check_names(const std::vector<std::string>& names, const char* what) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_utf8(names[i])) return bad_name(what, "UTF-8", i, {});
    if (names[i].find('\0') != std::string::npos) return bad_name(what, "no NUL byte", i, names[i].c_str());
  }
  return {};
}

// The index of a name that occurred before, or names.size().
std::size_t find_repeated(const std::vector<std::string>& names) {
  std::vector<std::size_t> order(names.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const int compared = names[a].compare(names[b]);
    return compared < 0 || (compared == 0 && a < b);
  });
  const auto same = [&](std::size_t a, std::size_t b) { return names[a] == names[b]; };
  const auto found = std::ranges::adjacent_find(order, same);
  return found == order.end() ? names.size() : *(found + 1);
}

const char* spell(double value) {
  return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
}

Status check_sizes(const Model& model) {
  const auto mismatch = [](const char* what, const char* expected) {
    return fail(StatusCode::shape_mismatch, what, expected);
  };
  const bool logistic = model.loss == Loss::logistic;
  if (model.loss > Loss::logistic) return fail(StatusCode::invalid_argument, "loss", "a loss by its name");
  if (model.features == 0) return mismatch("features", "at least one");
  if (model.rows() == 0) return mismatch("bias", "at least one number");
  if (logistic && model.rows() != 1) return mismatch("bias", "one number: logistic models have one row");
  std::size_t count = 0;
  if (__builtin_mul_overflow(model.rows(), model.features, &count) || model.weight.size() != count) {
    return mismatch("weight", "as many numbers as biases times features");
  }
  if (model.classes() != (logistic ? 2 : model.rows())) {
    return mismatch("class_labels", logistic ? "two: negative and positive" : "one per row of weight");
  }
  const auto fits = [&](std::size_t size) { return size == 0 || size == model.features; };
  if (!fits(model.centre.size())) return mismatch("centre", "one per feature, or none");
  if (!fits(model.feature_names.size())) return mismatch("feature_names", "one per feature, or none");
  if (!fits(model.scaling_centre.size())) return mismatch("scaling_centre", "one per feature, or none");
  if (!fits(model.scaling_factor.size())) return mismatch("scaling_factor", "one per feature, or none");
  if (model.training.size() > kMaxTraining) return mismatch("training", "at most 1000 pairs");
  return {};
}

// Features under their names and in their order; of all else but what is dropped, one at most.
Status check_columns(const Model& model) {
  if (model.columns.empty()) return {};
  const auto bad = [](const char* expected, std::size_t index, const std::string& name) {
    return bad_name("columns", expected, index, name);
  };
  std::size_t count[5] = {};
  for (std::size_t i = 0; i < model.columns.size(); ++i) {
    const Column& column = model.columns[i];
    if (column.role > ColumnRole::dropped) return bad("a role by its name", i, column.name);
    const std::size_t before = count[static_cast<std::size_t>(column.role)]++;
    if (column.role == ColumnRole::dropped) continue;
    if (column.role != ColumnRole::feature) {
      if (before > 0) return bad("at most one label, one weight and one id", i, column.name);
      continue;
    }
    if (before == model.features) return bad("as many features as the weights have columns", i, column.name);
    const std::string& name = model.feature_names.empty() ? std::string() : model.feature_names[before];
    if (column.name != name) return bad("features by their names, in their order", i, column.name);
  }
  if (count[0] == model.features) return {};
  return fail(StatusCode::shape_mismatch, "columns", "as many features as the weights have columns",
              std::to_string(count[0]));
}

Status check_numbers(const Model& model) {
  const auto illegal = [](const char* what, std::size_t row, std::size_t column, double value) {
    Status status = fail(StatusCode::not_finite, what, "a finite number", spell(value));
    status.row = static_cast<std::int64_t>(row);
    status.column = static_cast<std::int64_t>(column);
    return status;
  };
  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  const auto finite = [](auto value) { return std::isfinite(value); };
  if (const auto bad = std::ranges::find_if_not(model.weight, finite); bad != model.weight.end()) {
    const auto at = static_cast<std::size_t>(bad - model.weight.begin());
    return illegal("weight", at / model.features, at % model.features, *bad);
  }
  for (std::size_t row = 0; row < model.rows(); ++row) {
    if (!finite(model.bias[row]) && model.bias[row] != kMasked) {
      Status status = illegal("bias", row, 0, model.bias[row]);
      status.expected = "a finite number, or -inf for a masked class";
      status.column = -1;
      return status;
    }
  }
  if (std::ranges::count(model.bias, kMasked) == static_cast<std::ptrdiff_t>(model.rows())) {
    return fail(StatusCode::not_finite, "bias", "a class that is not masked", "-inf");
  }
  const auto check_features = [&](const char* what, const auto& numbers) -> Status {
    const auto bad = std::ranges::find_if_not(numbers, finite);
    if (bad == numbers.end()) return {};
    return illegal(what, 0, static_cast<std::size_t>(bad - numbers.begin()), *bad);
  };
  Status status = check_features("centre", model.centre);
  if (status.ok()) status = check_features("scaling_centre", model.scaling_centre);
  if (status.ok()) status = check_features("scaling_factor", model.scaling_factor);
  return status;
}

Status check_threshold(const Model& model) {
  if (model.threshold == 0) return {};
  const auto bad = [&](const char* expected) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), model.threshold).ptr;
    return fail(StatusCode::invalid_argument, "threshold", expected, {digits, end});
  };
  if (!(model.threshold > 0 && model.threshold <= 1)) return bad("above 0, at most 1, or 0 for none");
  return model.loss == Loss::hinge ? bad("none: hinge has no probabilities") : Status{};
}

Status check_texts(const Model& model) {
  if (const Status status = check_names(model.class_labels, "class_labels"); !status.ok()) return status;
  if (const Status status = check_names(model.feature_names, "feature_names"); !status.ok()) return status;
  std::vector<std::string> columns;
  for (const Column& column : model.columns) columns.push_back(column.name);
  if (const Status status = check_names(columns, "columns"); !status.ok()) return status;
  if (const std::size_t i = find_repeated(model.class_labels); i < model.classes()) {
    return bad_name("class_labels", "every label once", i, model.class_labels[i]);
  }
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const auto& [name, value] : model.training) {
    if (name.empty()) return bad_name("training", "a name", names.size(), {});
    names.push_back(name);
    values.push_back(value);
  }
  if (const Status status = check_names(names, "training"); !status.ok()) return status;
  if (const Status status = check_names(values, "training"); !status.ok()) return status;
  if (const std::size_t i = find_repeated(names); i < names.size()) {
    return bad_name("training", "every name once", i, names[i]);
  }
  return {};
}

Status check(const Model& model) {
  Status status = check_sizes(model);
  if (status.ok()) status = check_columns(model);
  if (status.ok()) status = check_numbers(model);
  if (status.ok()) status = check_threshold(model);
  if (status.ok()) status = check_texts(model);
  return status;
}

}  // namespace

Status check_model(const Model& model) noexcept {
  return without_exceptions("model", "", [&] { return check(model); });
}

}  // namespace lanemax
