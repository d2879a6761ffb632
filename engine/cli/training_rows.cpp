// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/training_rows.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/output.hpp"
#include "engine/fit/shuffle.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>

namespace lanemax::cli {
namespace {

constexpr std::uint64_t kSplitStream = 0x76616C6964617465U;  // "validate"

std::optional<double> weight_of(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value) || value < 0) return std::nullopt;
  if (value > static_cast<double>(std::numeric_limits<float>::max())) return std::nullopt;
  return value;
}

[[noreturn]] void bad_line(const std::string& file, std::size_t line, std::string_view found, const char* expected) {
  fail(kBadData, file + ":" + std::to_string(line) + ": '" + one_line(found.substr(0, 60)) + "'; expected " + expected);
}

// Calls use(line number from 1, text without its line break) for every line.
template <class Use>
void for_each_line(const std::string& path, const Use& use) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  std::ifstream file;
  if (type == std::filesystem::file_type::regular) file.open(path, std::ios::binary);
  if (!file.is_open()) fail(kInputOutput, path + ": cannot be opened; expected a text file that can be read");
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    use(++number, std::string_view(line));
  }
  if (file.bad()) fail(kInputOutput, path + ": cannot be read to its end; expected a readable file");
}

// Undoes the quotes of a CSV field.
std::string unquoted(std::string_view field) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') return std::string(field);
  field = field.substr(1, field.size() - 2);
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    text += field[i];
    if (field[i] == '"' && i + 1 < field.size() && field[i + 1] == '"') ++i;
  }
  return text;
}

std::vector<double> read_class_weights(const std::string& file, const std::vector<std::string>& labels) {
  std::vector<double> factors(labels.size(), 1.0);
  std::vector<bool> seen(labels.size(), false);
  for_each_line(file, [&](std::size_t number, std::string_view line) {
    if (line.empty()) return;
    const std::size_t comma = line.find_last_of(',');
    if (comma == std::string_view::npos) bad_line(file, number, line, "label,weight");
    const auto label = std::find(labels.begin(), labels.end(), unquoted(line.substr(0, comma)));
    if (label == labels.end()) bad_line(file, number, line, "a label that is in the data");
    const auto index = static_cast<std::size_t>(label - labels.begin());
    if (seen[index]) bad_line(file, number, line, "each label once");
    const std::optional<double> weight = weight_of(line.substr(comma + 1));
    if (!weight) bad_line(file, number, line, "a finite weight of at least 0 after the last comma");
    seen[index] = true;
    factors[index] = *weight;
  });
  return factors;
}

template <class Use>
void for_each_training_row(const Dataset& data, const std::vector<std::uint32_t>& training, const Use& use) {
  const std::size_t rows = training.empty() ? data.samples : training.size();
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t row = training.empty() ? i : training[i];
    use(row, data.sample_weights.empty() ? 1.0 : static_cast<double>(data.sample_weights[row]));
  }
}

std::vector<double> balanced_weights(const Dataset& data, const std::vector<std::uint32_t>& training) {
  std::vector<double> weight(data.class_labels.size(), 0.0);
  double total = 0;
  for_each_training_row(data, training, [&](std::size_t row, double w) {
    if (data.labels[row] < 0) return;
    weight[static_cast<std::size_t>(data.labels[row])] += w;
    total += w;
  });
  const double classes = static_cast<double>(weight.size());
  for (double& w : weight) w = w > 0 ? total / (classes * w) : 0;
  return weight;
}

}  // namespace

RowSplit split_rows(std::size_t rows, double fraction, std::uint64_t seed) {
  RowSplit split;
  if (fraction == 0) return split;
  if (rows < 2 || rows > std::numeric_limits<std::uint32_t>::max()) {
    fail(kBadData, "--validation-fraction: " + std::to_string(rows) + " rows; expected 2 to 4294967295 to split");
  }
  std::vector<std::uint32_t>& order = split.training;
  order.resize(rows);
  std::iota(order.begin(), order.end(), 0U);
  SplitMix64 random(seed ^ kSplitStream);
  shuffle(order.data(), rows, random);

  const auto wanted = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(rows)));
  const std::size_t kept_out = std::clamp<std::size_t>(wanted, 1, rows - 1);
  split.validation.assign(order.end() - static_cast<std::ptrdiff_t>(kept_out), order.end());
  order.resize(rows - kept_out);
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

std::vector<float> read_sample_weights(const std::string& file, std::size_t rows) {
  std::vector<float> weights;
  for_each_line(file, [&](std::size_t number, std::string_view line) {
    const std::optional<double> weight = weight_of(line);
    if (!weight) bad_line(file, number, line, "one finite number of at least 0 per line");
    if (weights.size() == rows) bad_line(file, number, line, "as many lines as the data has rows");
    weights.push_back(static_cast<float>(*weight));
  });
  if (weights.size() != rows) {
    fail(kBadData, file + ": " + std::to_string(weights.size()) + " weights; expected " + std::to_string(rows) +
                       ", one per row of the data");
  }
  return weights;
}

std::vector<double> class_weights(const std::string& choice, const Dataset& data,
                                  const std::vector<std::uint32_t>& training) {
  if (choice == "balanced") return balanced_weights(data, training);
  return read_class_weights(choice, data.class_labels);
}

void apply_class_weights(const std::vector<double>& factors, Dataset& data) {
  if (data.sample_weights.empty()) data.sample_weights.assign(data.samples, 1.0F);
  for (std::size_t row = 0; row < data.samples; ++row) {
    if (data.labels[row] < 0) continue;
    float& weight = data.sample_weights[row];
    weight = static_cast<float>(static_cast<double>(weight) * factors[static_cast<std::size_t>(data.labels[row])]);
    if (!std::isfinite(weight)) {
      fail(kBadData, "--class-weight: row " + std::to_string(row) +
                         ": sample weight times class weight is too large; expected a product below 3.4e38");
    }
  }
}

double total_weight(const Dataset& data, const std::vector<std::uint32_t>& training) {
  double total = 0;
  for_each_training_row(data, training, [&](std::size_t row, double weight) {
    if (data.labels[row] >= 0) total += weight;
  });
  return total;
}

}  // namespace lanemax::cli
