// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_JSON_TEXT_HPP
#define LANEMAX_ENGINE_MODEL_JSON_TEXT_HPP

#include <string>
#include <string_view>
#include <vector>

namespace lanemax {

/// Appends `text` (UTF-8) as a JSON string. Equal texts give equal bytes.
void append_json_string(std::string& json, std::string_view text);

/// A list of strings (UTF-8) as JSON, without blanks.
[[nodiscard]] std::string write_string_list(const std::vector<std::string>& list);

/// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace lanemax

#endif
