// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_TRAINING_RECORD_HPP
#define LANEMAX_ENGINE_FIT_TRAINING_RECORD_HPP

#include <lanemax/fit.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace lanemax {

/// Model::training of a fit over so many rows. Whoever knows more puts it before. May throw std::bad_alloc.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> training_record(const FitOptions& options,
                                                                               const FitResult& result,
                                                                               std::size_t samples);

}  // namespace lanemax

#endif
