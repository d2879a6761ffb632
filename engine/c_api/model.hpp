// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_C_API_MODEL_HPP
#define LANEMAX_ENGINE_C_API_MODEL_HPP

#include <lanemax/objective.hpp>

#include <string>
#include <vector>

namespace lanemax::c_api {

/// The labels of classes that have been given none, by the number of scores: "0", "1", ...
[[nodiscard]] std::vector<std::string> numbered_classes(Loss loss, std::size_t scores);

}  // namespace lanemax::c_api

#endif
