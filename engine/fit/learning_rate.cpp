// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/learning_rate.hpp"

#include "engine/layout.hpp"
#include "engine/row_source.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

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

    LogitsArgs<float> product;
    product.x = x;
    product.features = features;
    product.classes = 1;
    product.weights = v;
    product.bias = v + padded;
    product.logits = scores;
    product.capacity = capacity;
    product.form = form;
    kernels.logits(product);
    double square = 0, sum = 0;
    for (std::size_t n = 0; n < x.count; ++n) {
      square += static_cast<double>(scores[n]) * static_cast<double>(scores[n]);
      sum += static_cast<double>(scores[n]);
    }
    eigenvalue = square / static_cast<double>(x.count);
    GradientArgs<float> transposed;
    transposed.x = x;
    transposed.dlogits = scores;
    transposed.capacity = capacity;
    transposed.features = features;
    transposed.classes = 1;
    transposed.feature_end = features;
    transposed.dweights = gradient;
    kernels.gradient(transposed);
    const double rows = static_cast<double>(x.count);
    for (std::size_t d = 0; d < padded; ++d) v[d] = static_cast<float>(static_cast<double>(gradient[d]) / rows);
    v[padded] = static_cast<float>(sum / rows);
  }
  return eigenvalue;
}

}  // namespace

double estimate_learning_rate(const Batch& batch, const Objective& objective, std::size_t classes,
                              const Kernels<float>& kernels, LogitsForm form) noexcept {
  const std::size_t features = batch.features.features;
  const std::size_t stride = round_up(features, kPanel);
  const std::size_t rows =
      std::min(batch.rows(), std::clamp(kSampleBytes / (stride * sizeof(float)), std::size_t{16}, kSampleRows));
  const std::size_t capacity = round_up(rows, kPanel);

  RowBuffers<float> buffers;
  std::uint32_t* sample = nullptr;
  float *v = nullptr, *gradient = nullptr, *scores = nullptr;
  const auto lay_out = [&](Arena& arena) {
    buffers.values = arena.take<float>(capacity * stride);
    buffers.stride = stride;
    buffers.labels = arena.take<std::int32_t>(capacity);
    buffers.weights = arena.take<float>(capacity);
    buffers.rows = arena.take<std::uint32_t>(capacity);
    buffers.positions = arena.take<std::uint32_t>(capacity);
    sample = arena.take<std::uint32_t>(capacity);
    v = arena.take<float>(stride + kPanel);
    gradient = arena.take<float>(stride);
    scores = arena.take<float>(capacity);
  };
  Arena measure;
  lay_out(measure);
  const OwnedWorkspace memory(measure.bytes());
  if (memory.empty()) return 0;
  Arena arena(memory.view());
  lay_out(arena);

  // Rows evenly spaced over the batch.
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t row = i * batch.rows() / rows;
    sample[i] = batch.selection == nullptr ? static_cast<std::uint32_t>(row) : batch.selection[row];
  }
  Batch sampled = batch;
  sampled.selection = sample;
  sampled.selected = rows;
  const RowSource<float> source(sampled, objective, kernels);
  const RowBlock<float> x = source.load(0, rows, buffers);
  if (x.count == 0) return 0;

  const double eigenvalue = largest_eigenvalue(x, features, kernels, form, v, gradient, scores, capacity);
  const double c = objective.loss == Loss::softmax    ? 0.5
                   : objective.loss == Loss::logistic ? 0.25
                                                      : static_cast<double>(classes - 1);
  const double curvature = kSafety * c * eigenvalue + objective.l2;
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
