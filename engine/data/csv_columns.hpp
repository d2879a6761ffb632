// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_COLUMNS_HPP
#define LANEMAX_ENGINE_DATA_CSV_COLUMNS_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/dataset.hpp"

namespace lanemax {

/// What a column of a CSV file is for.
enum class ColumnRole : std::uint8_t { feature, label, sample_weight };

/// What is expected of names: class labels and those of the header.
inline constexpr const char* kExpectedUtf8 = "UTF-8 text (iconv -f LATIN1 -t UTF-8 converts a file in Latin-1)";

struct CsvColumns {
  static constexpr std::size_t kMaxColumns = std::size_t{1} << 20;

  std::vector<ColumnRole> roles;   ///< one per column
  std::vector<std::string> names;  ///< one per column if there is a header, else empty
  std::size_t features = 0;
  bool has_header = false;
  /// The first row is taken for values only because all of them are numbers; see numbered_names.
  bool header_guessed_absent = false;

  [[nodiscard]] bool has(ColumnRole role) const noexcept;
};

/// The marks that stand for a value that is not there: empty, ? - NA N/A null.
[[nodiscard]] bool is_missing_mark(std::string_view text) noexcept;

/// Finds the label and weight columns and whether `first_row` is a header.
///
/// HeaderMode::automatic: a column given by name needs a header. Otherwise the row is a header if a feature or weight
/// field of it is a name: not a missing mark and not begun like a number. (So a row of values with one mistyped number
/// is refused later, not swallowed as a header.) A row with names but more numbers than names is refused as ambiguous.
///
/// Columns: a text that is an integer is an index (negative: from the end), any other is a header name. On an error
/// `note` lists the columns of the file.
[[nodiscard]] Status choose_columns(const std::vector<std::string>& first_row, const ReadOptions& options,
                                    CsvColumns& columns, std::string& note);

/// For the second and later files of a data set: whether `first_row` is a header, by the same rules. The columns must
/// be those of the first file; a file after one with a header may lack it.
[[nodiscard]] Status match_columns(const std::vector<std::string>& first_row, HeaderMode mode,
                                   const CsvColumns& columns, bool& is_header);

/// How far a first row without names looks like numbered names ("0,1,2,..." or "1,2,3,...").
struct NumberedNames {
  bool features = false;  ///< three features or more count up by one
  bool all = false;       ///< all of eight columns or more count up by one
};
[[nodiscard]] NumberedNames numbered_names(const std::vector<std::string>& first_row, const CsvColumns& columns);

}  // namespace lanemax

#endif
