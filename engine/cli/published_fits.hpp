// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PUBLISHED_FITS_HPP
#define LANEMAX_ENGINE_CLI_PUBLISHED_FITS_HPP

#include <lanemax/isa.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lanemax::cli {

/// A number that somebody printed: what it is called here, as it was printed, and where from.
struct PublishedValue {
  const char* name;
  const char* text;      ///< a number, or low..high
  double tolerance = 0;  ///< relative; 0: to the digits of the text
  const char* source = "";
};
/// All of them, in the order of the table.
[[nodiscard]] const std::vector<PublishedValue>& published_values();

/// What came out here under that name.
struct ComputedValue {
  std::string name;
  double value = 0;
};
/// Runs the public fit on the embedded data and, if `data_directory` is not empty, on the files that are there. Files
/// that are not are named in `missing`.
[[nodiscard]] std::vector<ComputedValue> compute_published_fits(const std::string& data_directory, int threads, Isa isa,
                                                                std::vector<std::string>& missing);

/// Whether a number is the published one: within the tolerance, or, rounded to as many digits, the printed text.
[[nodiscard]] bool holds(const PublishedValue& published, double ours);
/// ours - published; of a range, 0 inside.
[[nodiscard]] double difference(const PublishedValue& published, double ours);

}  // namespace lanemax::cli

#endif
