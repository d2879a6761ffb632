// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_DIAGNOSIS_HPP
#define LANEMAX_ENGINE_DATA_CSV_DIAGNOSIS_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <string>

#include "engine/data/csv_cells.hpp"
#include "engine/data/csv_columns.hpp"
#include "engine/data/csv_fields.hpp"

namespace lanemax {

/// The refusal of a file: the status is about the first cell (or row) that cannot be read. `note` is about all of them
/// from there to the end of the file: the columns with their names, what is in them, how often, and the options that
/// would help; at most the first ten columns, and a row of another length if there is one.
///
/// `scanner` stands at the beginning of the first row that cannot be read, before which the file had `rows_before`.
/// Throws std::bad_alloc.
[[nodiscard]] Status diagnose(FieldScanner scanner, const CsvColumns& columns, const CellRules& rules,
                              std::size_t rows_before, std::string& note);

}  // namespace lanemax

#endif
