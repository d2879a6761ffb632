// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/solvers/learning_rate.hpp"

#include "engine/dispatch/products.hpp"
#include "engine/fit/row_buffers.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace lanemax {
namespace {

constexpr std::size_t kSampleRows = 1024;
constexpr std::size_t kSampleBytes = 16 * 1024 * 1024;
constexpr int kPowerIterations = 12;
constexpr double kSafety = 1.1;  // the power method approaches lambda_max from below

// lambda_max(X'X / n) of n rows with a column of ones, by the engine's own products with one "class".
double largest_eigenvalue(const RowBlock<float>& x, std::size_t features, const Kernels<float>& kernels,
                          LogitsForm form, float* v, float* gradient, float* scores, std::size_t capacity) {
  const std::size_t padded = round_up(features, kPanel);  // v: D weights, padding, then the ones' weight at [padded]
  std::fill_n(v, padded + kPanel, 0.0f);
  std::fill_n(v, features, 1.0f);
  v[padded] = 1.0f;
  double eigenvalue = 0;
  for (int iteration = 0; iteration < kPowerIterations; ++iteration) {
    double norm = 0;
    for (std::size_t i = 0; i <= padded; ++i) norm += static_cast<double>(v[i]) * static_cast<double>(v[i]);
    norm = std::sqrt(norm);
    if (!(norm > 0) || !std::isfinite(norm)) return norm;
    for (std::size_t i = 0; i <= padded; ++i) v[i] = static_cast<float>(static_cast<double>(v[i]) / norm);

    kernels.logits(logits_product<float>(x, features, 1, v, v + padded, form, scores, capacity));
    double square = 0, sum = 0;
    for (std::size_t n = 0; n < x.count; ++n) {
      square += static_cast<double>(scores[n]) * static_cast<double>(scores[n]);
      sum += static_cast<double>(scores[n]);
    }
    eigenvalue = square / static_cast<double>(x.count);
    kernels.gradient(gradient_product<float>(x, scores, capacity, features, 1, gradient, false));
    const double rows = static_cast<double>(x.count);
    for (std::size_t d = 0; d < padded; ++d) v[d] = static_cast<float>(static_cast<double>(gradient[d]) / rows);
    v[padded] = static_cast<float>(sum / rows);
  }
  return eigenvalue;
}

// The mean of (s / mean s)^2 (|x|^2 + 1).
double mean_square(const RowBlock<float>& x, std::size_t features, const Buffer<float>& weights, double mean_weight) {
  double sum = 0;
  for (std::size_t n = 0; n < x.count; ++n) {
    double square = 1;
    for (std::size_t d = 0; d < features; ++d) {
      const auto value = static_cast<double>(x.data[n * x.stride + d]);
      square += value * value;
    }
    const double weight = static_cast<double>(weights[n]) / mean_weight;
    sum += weight * weight * square;
  }
  return sum / static_cast<double>(x.count);
}

// The largest share of the targets that a class has, or would have if all had the same.
double largest_share(const FitProblem& problem) {
  const Batch& data = problem.data();
  std::vector<double> mass(problem.classes());
  for_each_kept_row(data, problem.objective().ignored_label, [&](std::size_t row, double weight) {
    if (!data.labels.empty()) {
      mass[static_cast<std::size_t>(data.labels[row])] += weight;
      return;
    }
    for (std::size_t c = 0; c < mass.size(); ++c) {
      mass[c] += weight * static_cast<double>(data.target_probabilities.at(row, c));
    }
  });
  const double largest = *std::max_element(mass.begin(), mass.end()) / problem.total_weight();
  return std::max(largest, 1 / static_cast<double>(mass.size()));
}

}  // namespace

// Without momentum, 1 / L is slow: momentum 0.9 makes 10 / L of it. Steps are stable up to 2 / curvature, and where
// classes are many the curvature stays far below its bound b lambda_max. While all rows have the same probabilities q,
// at first 1/C each, then the classes' shares, diag(q) - qq' has no eigenvalue above max q. To draw only B rows adds
// 1/B of a single row's curvature, at most b |x|^2 (Ma, Bassily, Belkin 2018). So lambda_max is replaced by
//
//   min(max q, 1/2) lambda_max + mean |x|^2 / B      where that is less
//
// Objectives after 20 epochs with B = 1, 32, 128, 1024:
//
//                    at 1 / L                     so
//   letter           0.885 1.249 1.762 2.786      0.885 0.902 0.963 1.324
//   pendigits std    0.188 0.200 0.251 0.441      0.188 0.186 0.191 0.241
//   waveform std     0.291 0.290 0.291 0.320      0.291 0.290 0.290 0.296
//   glass            1.349 1.503 1.508 1.510      1.349 1.492 1.504 1.507
//   Fashion-MNIST    0.359 0.430 0.500 0.719      0.359 0.379 0.404 0.486      B = 128: 82.1 %, 84.4 % of the tests
//   right
//
// On all 16 sets of README.md and twelve generated ones (labels of noise, few classes where rows are long, shares by
// Zipf's law, outliers, uneven weights), softmax and hinge: nowhere more than 1.2 % above the objective at 1 / L, and
// in five of six cases below. Tried and worse: 10 / L (pendigits with B = 1: 0.52 instead of 0.20; labels of noise at a
// constant rate: 7.0 instead of 0.89); q as the classes' shares of lambda_max itself (Fashion-MNIST: 83.8 %); the
// curvature measured before every epoch (no better for what it costs). At the limit the noise of the steps is large and
// only goes as the rate comes down: a constant rate stays at 1 / L (labels of noise in ten classes: 3.16 otherwise,
// instead of 2.29).
double estimate_learning_rate(const FitProblem& problem, double l2, const std::vector<std::uint32_t>& rows,
                              std::size_t drawn) {
  const std::size_t features = problem.features();
  const std::size_t stride = round_up(features, kPanel);
  const std::size_t count =
      std::min(rows.size(), std::clamp(kSampleBytes / (stride * sizeof(float)), std::size_t{16}, kSampleRows));
  std::vector<std::uint32_t> sample(count);  // evenly spaced
  for (std::size_t i = 0; i < count; ++i) sample[i] = rows[i * rows.size() / count];
  Batch sampled = problem.data();
  sampled.selection = sample;

  const std::size_t capacity = round_up(count, kPanel);
  const OwnedRowBuffers<float> buffers(capacity, stride);
  const Buffer<float> v(stride + kPanel), gradient(stride), scores(capacity);
  const Kernels<float>& kernel = problem.table().f32;
  const RowBlock<float> x = RowSource<float>(sampled, problem.objective(), kernel).load(0, count, buffers.at(0));
  double eigenvalue = largest_eigenvalue(x, features, kernel, logits_form<float>(problem.table(), features, 1),
                                         v.data(), gradient.data(), scores.data(), capacity);
  const Loss loss = problem.objective().loss;
  if (drawn > 0) {
    const double share = loss == Loss::logistic ? 0.5 : std::min(largest_share(problem), 0.5);
    const double mean_weight = problem.total_weight() / static_cast<double>(rows.size());
    const double single = mean_square(x, features, buffers.weights, mean_weight);
    eigenvalue = std::min(eigenvalue, share * eigenvalue + single / static_cast<double>(drawn));
  }
  const double bound = loss == Loss::softmax    ? 0.5
                       : loss == Loss::logistic ? 0.25
                                                : static_cast<double>(problem.classes() - 1);
  const double curvature = kSafety * bound * eigenvalue + l2;
  return curvature > 0 && std::isfinite(curvature) ? 1.0 / curvature : 1.0;
}

double scheduled_rate(Schedule schedule, double rate, std::size_t step, std::size_t steps) noexcept {
  const double progress = steps == 0 ? 0.0 : static_cast<double>(step) / static_cast<double>(steps);
  switch (schedule) {
    case Schedule::constant: return rate;
    case Schedule::cosine: return 0.5 * rate * (1.0 + std::cos(std::numbers::pi * progress));
    case Schedule::step: return progress < 0.5 ? rate : progress < 0.75 ? 0.1 * rate : 0.01 * rate;
  }
  return rate;
}

}  // namespace lanemax
