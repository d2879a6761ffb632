// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PUBLISHED_PROBLEMS_HPP
#define LANEMAX_ENGINE_CLI_PUBLISHED_PROBLEMS_HPP

#include "engine/data/dataset.hpp"

#include <lanemax/fit.hpp>

#include <cstddef>
#include <string>
#include <vector>

/// What published results are of, and how it is solved here. No published number reaches this code.
namespace lanemax::cli {

struct Samples {
  Dataset training;
  Dataset unseen;  ///< to test on; no samples: none
};

struct Problem {
  FileStatus (*read)(const std::string& path, Samples& samples) = nullptr;
  std::string file = {};  ///< in a directory of data files; empty: embedded
  Loss loss = Loss::softmax;
  bool penalised = false;  ///< by 1 / samples
  bool standardise = false;
  double tolerance = 0;             ///< 0: as far as double goes
  std::vector<double> scores = {};  ///< of the classes: nothing is fitted, the loss is at these
  bool operator==(const Problem&) const = default;
};

extern const Problem kElSalvador;            ///< features: age, age^2
extern const Problem kElSalvadorWithoutAge;  ///< features that are 0
extern const Problem kSpector;               ///< features: GPA, TUCE, PSI
extern const Problem kHighSchool;            ///< features: ses middle, ses high, write
extern const Problem kIris;                  ///< read into f32
extern const Problem kIrisF64;
extern const Problem kIrisOfScikitLearn;  ///< whose copy differs from UCI's in two rows
extern const Problem kMnist;
extern const Problem kFashionMnist;
/// The optimum of a CSV file, on raw and on standardised features.
[[nodiscard]] Problem raw(const char* file);
[[nodiscard]] Problem standardised(const char* file);
/// A loss of one row of class 0 that has these scores.
[[nodiscard]] Problem softmax_of(std::vector<double> scores);
[[nodiscard]] Problem hinge_of(std::vector<double> scores);

struct Solution {
  Samples samples;
  std::vector<double> weights;  ///< [C][D], for raw features
  std::vector<double> bias;
  FitResult result;  ///< of scores, data_loss alone

  static constexpr std::size_t kConstant = static_cast<std::size_t>(-1);
  /// For kConstant the bias.
  [[nodiscard]] double weight(std::size_t c, std::size_t feature) const;
  /// Of a row: one score per class, or the only one of a logistic problem.
  [[nodiscard]] std::vector<double> scores_of(const Dataset& data, std::size_t row) const;
  [[nodiscard]] std::size_t class_of(const Dataset& data, std::size_t row) const;
};

/// Solves by the public calls. A failure is a CommandError.
[[nodiscard]] Solution solve(const Problem& problem, Samples samples, const Execution& execution);

}  // namespace lanemax::cli

#endif
