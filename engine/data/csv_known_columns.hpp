// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_KNOWN_COLUMNS_HPP
#define LANEMAX_ENGINE_DATA_CSV_KNOWN_COLUMNS_HPP

#include <lanemax/status.hpp>

#include <string>
#include <vector>

#include "engine/data/csv_columns.hpp"
#include "engine/data/dataset.hpp"

namespace lanemax {

/// Finds a model's columns, `options.known_columns`, in a file: what is a feature follows from them, not from the file.
///
/// - A file with a header: by name, in any order; of columns that share a name, the first to the first. A feature that
///   is missing is refused, and a label that is wanted; other columns are left out.
/// - Where the model has no names, or the file no header: by position, with all of the model's columns or, where no
///   label is wanted, without it, or with nothing but features.
/// - Columns that options name have that role, and take the place of the model's own column of that role.
/// - `options.labels_optional`: nobody will look at labels and weights; without it both have their roles.
/// - Whether there is a header, where nobody says so: if all of the model's features are there by name, else by the
///   rules of choose_columns(). Where all of these names are numbers, a row of them is refused: it may be values.
///
/// `remarks` says what was left out, `note` on an error what the file has. `last_is_empty`: the last column has neither
/// name nor anything in it.
[[nodiscard]] Status choose_known_columns(const std::vector<std::string>& first_row, const ReadOptions& options,
                                          bool last_is_empty, CsvColumns& columns, std::vector<std::string>& remarks,
                                          std::string& note);

}  // namespace lanemax

#endif
