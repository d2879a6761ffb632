// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/training_rows.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/data/number.hpp"
#include "engine/data/text_table.hpp"
#include "engine/fail.hpp"
#include "engine/fit/solvers/shuffle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lanemax::cli {
namespace {

constexpr std::uint64_t kSplitStream = 0x76616C6964617465U;  // "validate"

bool read_weight(const std::string& text, double& weight) {
  float rounded = 0;
  const bool is_number = parse_number(text, weight) == NumberError::none ||
                         (has_decimal_comma(text) && parse_comma_number(text, weight) == NumberError::none);
  return is_number && weight >= 0 && round_to_float(weight, rounded);
}

std::vector<double> read_class_weights(const std::string& file, const std::vector<std::string>& labels) {
  std::vector<double> factors(labels.size(), 1.0);
  std::vector<bool> seen(labels.size(), false);
  const auto keep = [&](const std::vector<std::string>& fields) {
    const auto bad = [&](const char* expected) {
      return fail(StatusCode::bad_data, "class weight", expected, fields[0]);
    };
    if (fields.size() != 2) return bad("label,weight, and a label with a comma in quotes");
    const auto label = std::find(labels.begin(), labels.end(), fields[0]);
    if (label == labels.end()) return bad("a label that is in the data");
    const auto index = static_cast<std::size_t>(label - labels.begin());
    if (seen[index]) return bad("each label once");
    seen[index] = true;
    return read_weight(fields[1], factors[index]) ? Status() : bad("a finite weight of at least 0");
  };
  check(read_text_table(file, 0, keep), file);
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
    give_up(kBadData, "--validation-fraction: " + std::to_string(rows) + " rows; expected 2 to 4294967295 to split");
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
  const auto keep = [&](const std::vector<std::string>& fields) {
    const auto bad = [&](const char* expected) {
      return fail(StatusCode::bad_data, "sample weight", expected, fields[0]);
    };
    double weight = 0;
    if (fields.size() != 1 || !read_weight(fields[0], weight)) return bad("one finite number of at least 0 per line");
    if (weights.size() == rows) return bad("as many lines as the data has rows");
    weights.push_back(static_cast<float>(weight));
    return Status();
  };
  check(read_text_table(file, ';', keep), file);  // a comma can only be a decimal one
  if (weights.size() != rows) {
    give_up(kBadData, file + ": " + std::to_string(weights.size()) + " weights; expected " + std::to_string(rows) +
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
      give_up(kBadData, "--class-weight: row " + std::to_string(row) +
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
