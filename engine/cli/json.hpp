// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_JSON_HPP
#define LANEMAX_ENGINE_CLI_JSON_HPP

#include <nlohmann/json.hpp>

#include <string>

namespace lanemax::cli {

/// Keeps the order in which fields are set; a number that is not finite is written as null.
using Json = nlohmann::ordered_json;

/// One line. Bytes that are not UTF-8 (labels and paths may hold any) become U+FFFD.
[[nodiscard]] inline std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace lanemax::cli

#endif
