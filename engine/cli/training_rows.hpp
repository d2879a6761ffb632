// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_TRAINING_ROWS_HPP
#define LANEMAX_ENGINE_CLI_TRAINING_ROWS_HPP

#include "engine/data/dataset.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lanemax::cli {

/// Which rows train and which are kept out to validate; both ascending.
struct RowSplit {
  std::vector<std::uint32_t> training;    ///< empty: all rows
  std::vector<std::uint32_t> validation;  ///< empty: none
};

/// Keeps out the last `fraction` (rounded, at least one row, at most all but one) of a Fisher-Yates permutation driven
/// by SplitMix64, whose stream differs from the one that shuffles the batches.
[[nodiscard]] RowSplit split_rows(std::size_t rows, double fraction, std::uint64_t seed);

/// Reads one number >= 0 per line for each row of the data. Blank lines are none.
[[nodiscard]] std::vector<float> read_sample_weights(const std::string& file, std::size_t rows);

/// The factor of each class: "balanced" is S/(C S_c) over the training rows, S_c the sample weight of class c; else a
/// file of lines `label,weight` (CSV, without a header), classes that it does not name keeping 1.
[[nodiscard]] std::vector<double> class_weights(const std::string& choice, const Dataset& data,
                                                const std::vector<std::uint32_t>& training);

/// Multiplies each row's sample weight (1 if there are none) by its class's factor.
void apply_class_weights(const std::vector<double>& factors, Dataset& data);

/// S: the sum of the training rows' weights, or their number without weights.
[[nodiscard]] double total_weight(const Dataset& data, const std::vector<std::uint32_t>& training);

}  // namespace lanemax::cli

#endif
