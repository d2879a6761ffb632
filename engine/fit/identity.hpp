// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_IDENTITY_HPP
#define LANEMAX_ENGINE_FIT_IDENTITY_HPP

#include <string_view>

namespace lanemax {

/// The name of a pair of an identity as a string that lasts, for Status::what; "fit" for a name that is none.
[[nodiscard]] const char* static_name_of(std::string_view name) noexcept;

/// Whether a pair's value stands for data or text that is too long to be kept.
[[nodiscard]] bool is_checksum(std::string_view value) noexcept;

}  // namespace lanemax

#endif
