// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/bias_step.hpp"

#include "engine/fit/curvature/sampled_rows.hpp"
#include "engine/fit/curvature/symmetric.hpp"

#include <algorithm>

namespace lanemax {
namespace {

constexpr std::size_t kFewestRows = 8192;
// Few of a class's rows are in doubt. With 64 for each class of 200,000 x 768 x 1000 three steps left a bound of 6e-5.
constexpr std::size_t kRowsPerClass = 1024;

/// Rows of the sample: they cost no more than a pass.
std::size_t wanted_rows(const FitProblem& problem) {
  const std::size_t features = problem.features(), classes = problem.classes();
  const std::size_t most = 2 * problem.rows() * features / (features + classes);
  return std::max(kFewestRows, std::min(kRowsPerClass * classes, most));
}

/// sum_i s_i p_i (the diagonal) and sum_i s_i p_i p_i' over the sample.
struct BiasCurvature {
  std::vector<double> diagonal;
  Buffer<double> products;  // of SymmetricShape{C}, the entries at kept()
  double weight = 0;
};

bool sum_rows(const FitProblem& problem, const Vector& x, BiasCurvature& sum) {
  const std::size_t classes = problem.classes();
  const SymmetricShape shape{classes};
  const std::size_t wanted = wanted_rows(problem);
  const double flops = 2.0 * static_cast<double>(std::min(wanted, problem.rows()) * classes) *
                       static_cast<double>(problem.features() + classes);
  const int threads = problem.threads_for(flops);
  SampledRows<double> sample(problem, x, wanted, threads);
  const std::size_t group_rows = sample.most_group_rows(), capacity = group_rows + 1;
  const Buffer<double> rows(group_rows * shape.columns());
  const Buffer<double> tiles(static_cast<std::size_t>(threads) * capacity * SymmetricShape::kGroup);
  sum.products = Buffer<double>(shape.count());
  sum.diagonal.assign(classes, 0);
  sum.weight = sample.total_weight();
  for (std::size_t begin = 0; begin < sample.rows(); begin += group_rows) {
    const std::size_t count = std::min(group_rows, sample.rows() - begin);
    parallel(threads, [&](const Team& team) {
      sample.load_group(team, begin, count);
      team.once([&] {
        for (std::size_t n = 0; n < count; ++n) {
          for (std::size_t c = 0; c < classes; ++c) {
            const double p = sample.probability(n, c);
            rows[n * shape.columns() + c] = p;
            sum.diagonal[c] += sample.weight(n) * p;
          }
        }
      });
      team.for_each(shape.groups(), [&](std::size_t group) {
        double* const tile = tiles.data() + team.rank() * capacity * SymmetricShape::kGroup;
        add_weighted_group<double>(
            problem.table().f64, shape, group, {rows.data(), shape.columns(), count},
            [&](std::size_t n) { return sample.weight(n); }, {tile, capacity}, sum.products.data(), begin > 0);
      });
    });
  }
  return sample.finite();
}

}  // namespace

bool bias_newton_step(const FitProblem& problem, const Vector& x, const Vector& gradient, std::vector<double>& step) {
  BiasCurvature sum;
  if (!sum_rows(problem, x, sum)) return false;
  const std::size_t classes = problem.classes();
  const SymmetricShape shape{classes};
  const auto entry = [&](std::size_t i, std::size_t j) {
    return (i == j ? sum.diagonal[i] : 0.0) - sum.products[shape.index(i, j)];
  };
  double mean = 0;
  for (std::size_t c = 0; c < classes; ++c) mean += entry(c, c) / static_cast<double>(classes);
  if (!(mean > 0)) return false;
  Buffer<double> inverse(shape.count());
  const auto assemble = [&](double ridge) {
    // All biases together change nothing: that direction is given the mean curvature.
    const double shared = problem.has_gauge() ? mean / static_cast<double>(classes) : 0;
    for (std::size_t j = 0; j < classes; ++j) {
      // At least: of a class that the sample does not show, or a masked one.
      inverse[shape.index(j, j)] = std::max(entry(j, j), mean * 1e-9) * (1 + ridge) + shared;
      for (std::size_t i = j + 1; i < classes; ++i) inverse[shape.index(i, j)] = entry(i, j) + shared;
    }
  };
  InverseScratch<double> scratch(classes);
  if (!invert_with_ridge(problem.table().f64, shape, inverse.data(), scratch, Team(0, 1), assemble)) return false;
  step.assign(classes, 0);
  for (std::size_t i = 0; i < classes; ++i) {
    for (std::size_t j = 0; j < classes; ++j) {
      step[i] -= inverse[shape.kept(i, j)] * gradient[problem.weights() + j] * sum.weight;
    }
  }
  return true;
}

}  // namespace lanemax
