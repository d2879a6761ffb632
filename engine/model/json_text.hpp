// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_JSON_TEXT_HPP
#define LANEMAX_ENGINE_MODEL_JSON_TEXT_HPP

#include <string>
#include <string_view>
#include <vector>

#include "engine/utf8.hpp"

namespace lanemax {

/// Appends `text` (UTF-8) as a JSON string. Equal texts give equal bytes.
void append_json_string(std::string& json, std::string_view text);

/// A list of strings (UTF-8) as JSON, without blanks.
[[nodiscard]] std::string write_string_list(const std::vector<std::string>& list);

}  // namespace lanemax

#endif
