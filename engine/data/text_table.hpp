// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_TEXT_TABLE_HPP
#define LANEMAX_ENGINE_DATA_TEXT_TABLE_HPP

#include <lanemax/status.hpp>

#include <functional>
#include <string>
#include <vector>

namespace lanemax {

/// Reads a file of rows of fields as CSV data are read (encoding, quotes; there are no comments), plain or gzip, and
/// calls use(fields) for each row; what it refuses is returned with the row's line. `separator`: 0 is found as that of
/// data is. Throws std::bad_alloc.
[[nodiscard]] Status read_text_table(const std::string& path, char separator,
                                     const std::function<Status(const std::vector<std::string>& fields)>& use);

}  // namespace lanemax

#endif
