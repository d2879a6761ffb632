// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PUBLISHED_RESULTS_HPP
#define LANEMAX_ENGINE_CLI_PUBLISHED_RESULTS_HPP

#include "engine/cli/published_problems.hpp"

#include <functional>
#include <string>
#include <vector>

namespace lanemax::cli {

/// A number that somebody printed: what it is called here, what it is of, as it was printed, and where from.
struct PublishedResult {
  const char* name;
  Problem problem;
  std::function<double(const Solution&)> quantity;
  const char* text;      ///< a number, or low..high
  double tolerance = 0;  ///< relative; 0: to the digits of the text
  const char* source = "";
};
/// All of them. Neighbours of one problem are read from one solution.
[[nodiscard]] const std::vector<PublishedResult>& published_results();

struct Reproduction {
  PublishedResult published;
  double ours = 0;
};
/// Solves the problems of `results`, those of files only if there is a directory of them. Files that are not there are
/// named in `missing`, once each.
[[nodiscard]] std::vector<Reproduction> reproduce(const std::vector<PublishedResult>& results,
                                                  const std::string& directory, const Execution& execution,
                                                  std::vector<std::string>& missing);

/// Whether our number is the published one: within the tolerance, or, rounded to as many digits, the printed text.
[[nodiscard]] bool holds(const Reproduction& reproduction);
/// ours - published; of a range, 0 inside.
[[nodiscard]] double difference(const Reproduction& reproduction);

}  // namespace lanemax::cli

#endif
