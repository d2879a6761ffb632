// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_CSV_COLUMNS_HPP
#define LANEMAX_ENGINE_DATA_CSV_COLUMNS_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/csv_fields.hpp"
#include "engine/data/dataset.hpp"

namespace lanemax {

struct CsvColumns {
  static constexpr std::size_t kMaxColumns = std::size_t{1} << 20;

  std::vector<ColumnRole> roles;   ///< one per column
  std::vector<std::string> names;  ///< one per column if there is a header, else empty
  std::size_t features = 0;
  std::vector<std::size_t> feature_of;  ///< which feature each column is; not for those that are none
  bool has_header = false;
  /// The first row is taken for values only because all of them are numbers; see numbered_names.
  bool header_guessed_absent = false;

  [[nodiscard]] bool has(ColumnRole role) const noexcept;
  /// The features are those columns, in order; refused where there are none.
  [[nodiscard]] Status number_features();
  /// Its index and, where there is a header, its name: 3 'age'.
  [[nodiscard]] std::string title(std::size_t column) const;
  /// How an option may call it: its name where that needs no quotes and is no index, else the index.
  [[nodiscard]] std::string option_word(std::size_t column) const;
};

/// Finds the label, weight and dropped columns and whether `first_row` is a header.
///
/// HeaderMode::automatic: a column given by name needs a header. Otherwise the row is a header if a feature or weight
/// field of it is a name: not a missing mark and not begun like a number. (So a row of values with one mistyped number
/// is refused later, not swallowed as a header.) A row with names but more numbers than names is refused as ambiguous.
///
/// Columns: a text that is an integer is an index (negative: from the end), any other is a header name. Without another
/// choice the label is the last column that is left. `last_is_empty` drops the last one. On an error `note` lists the
/// columns of the file.
[[nodiscard]] Status choose_columns(const std::vector<std::string>& first_row, const ReadOptions& options,
                                    bool last_is_empty, CsvColumns& columns, std::string& note);

/// Where the columns are that options name, by index or by a name in `row`; null: not named.
struct ColumnChoices {
  struct Choice {
    std::string column;
    const char* what;
    ColumnRole role;
    std::size_t at;
  };
  std::vector<Choice> list;
  bool no_label = false;  ///< by --label-column none, or because none is looked for
  bool by_name = false;   ///< some are, so there is a header

  explicit ColumnChoices(const ReadOptions& options);
  /// Sets the roles of these columns of a file.
  [[nodiscard]] Status apply(const std::vector<std::string>& row, HeaderMode header, std::vector<ColumnRole>& roles);
  /// Refuses an index that is also the name of another column.
  [[nodiscard]] Status check_header(const std::vector<std::string>& names) const;
};

/// Whether the fields of features and weights make a row a header. Refused where some are names, and more are numbers.
[[nodiscard]] Status decide_header(const std::vector<std::string>& row, const std::vector<ColumnRole>& roles,
                                   bool& is_header);

/// The names of a header: without single quotes, which are no quotes to FieldScanner.
[[nodiscard]] std::vector<std::string> header_names(const std::vector<std::string>& row);
[[nodiscard]] Status check_header_names(const std::vector<std::string>& names);

/// For notes: how many columns a file has and, if `named`, which.
[[nodiscard]] std::string list_of_columns(const std::vector<std::string>& row, bool named);

/// Whether a field can only be a name: not a missing mark, and not begun like a number.
[[nodiscard]] bool is_name(std::string_view text);

/// Whether every row ends with a separator, from the one on at whose beginning `rows` stands.
[[nodiscard]] bool rows_end_with_separators(FieldScanner rows);

/// Whether the first field of every row is a whole number, none twice: `rows` stands at the first row of values. Throws
/// std::bad_alloc.
[[nodiscard]] bool numbers_rows(FieldScanner rows);

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
