// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PUBLISHED_FITS_HPP
#define LANEMAX_ENGINE_CLI_PUBLISHED_FITS_HPP

#include "engine/cli/published_data.hpp"

#include <lanemax/fit.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

/// What published results are of: a problem, solved here, and a quantity of its solution. No published number reaches
/// this code.
namespace lanemax::cli {

struct Problem {
  ReadSamples read = nullptr;
  std::string file = {};  ///< empty: embedded
  Loss loss = Loss::softmax;
  bool penalised = false;  ///< by 1 / samples
  bool standardise = false;
  double tolerance = 0;             ///< 0: as far as double goes
  std::vector<double> scores = {};  ///< of one_row(): nothing is fitted, the loss is at these
  bool operator==(const Problem&) const = default;
};

struct Solution {
  Samples samples;
  std::vector<double> weights;  ///< [C][D], for raw features
  std::vector<double> bias;
  FitResult result;  ///< of scores, data_loss alone
};

/// Fits by the public calls. A failure is a CommandError.
[[nodiscard]] Solution solve(const Problem& problem, Samples samples, const Execution& execution);

/// A number that a solution has.
using Quantity = std::function<double(const Solution&)>;

[[nodiscard]] double objective(const Solution& solution);
[[nodiscard]] double sum_objective(const Solution& solution);  ///< times the samples
[[nodiscard]] double data_loss(const Solution& solution);
[[nodiscard]] double data_loss_log10(const Solution& solution);  ///< in decimal, not natural, logarithms
[[nodiscard]] double exp_data_loss(const Solution& solution);
[[nodiscard]] double log_likelihood(const Solution& solution);  ///< of all samples, by their weights
[[nodiscard]] double deviance(const Solution& solution);
[[nodiscard]] double correct(const Solution& solution);                      ///< training rows whose class is predicted
[[nodiscard]] double test_accuracy(const Solution& solution);                ///< on the unseen rows
[[nodiscard]] Quantity predicted(std::size_t predicted, std::size_t truth);  ///< how many training rows
[[nodiscard]] Quantity probability(std::size_t c);                           ///< of a class, for the first row

inline constexpr std::size_t kConstant = static_cast<std::size_t>(-1);
/// The weight of a feature, or the bias for kConstant, of the only row; that of a class minus that of another.
[[nodiscard]] Quantity coefficient(std::size_t feature);
[[nodiscard]] Quantity contrast(std::size_t c, std::size_t against, std::size_t feature);

}  // namespace lanemax::cli

#endif
