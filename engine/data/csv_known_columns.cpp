// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/csv_known_columns.hpp"

#include <algorithm>
#include <unordered_map>

#include "engine/fail.hpp"

namespace lanemax {

namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kMostListed = 10;

std::string list_of_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i) {
    text += (i > 0 ? ", '" : "'") + shown(names[i]) + "'";
  }
  if (names.size() > kMostListed) text += " and " + std::to_string(names.size() - kMostListed) + " more";
  return text;
}

class Matching {
 public:
  Matching(const std::vector<std::string>& first_row, const ReadOptions& options, CsvColumns& columns)
      : row_(first_row), names_(header_names(first_row)), options_(options), columns_(columns) {}

  Status run(bool last_is_empty, std::vector<std::string>& remarks, std::string& note);

 private:
  [[nodiscard]] const std::vector<Column>& known() const { return *options_.known_columns; }
  [[nodiscard]] ColumnRole role_of(const Column& column) const;
  [[nodiscard]] bool has_names() const;
  void find_by_name();
  [[nodiscard]] bool find_by_position(bool last_is_empty);
  [[nodiscard]] Status guess_header(bool last_is_empty, bool& is_header);
  [[nodiscard]] Status find_all(bool last_is_empty);
  [[nodiscard]] Status refuse_missing(std::string& note) const;
  void take_last_for_label();
  void say_what_is_left_out(std::vector<std::string>& remarks) const;

  const std::vector<std::string>& row_;
  std::vector<std::string> names_;
  const ReadOptions& options_;
  CsvColumns& columns_;
  std::vector<ColumnRole> chosen_;      // by options; feature: by none
  std::vector<std::size_t> column_of_;  // of each of the model's columns: where it is, or kNone
  std::vector<std::string> missing_;    // features
  std::string missing_label_;
  std::vector<bool> is_known_;  // columns of the file: to the options or to the model
};

// What a model's column is here.
ColumnRole Matching::role_of(const Column& column) const {
  switch (column.role) {
    case ColumnRole::label: return options_.label_column.empty() ? ColumnRole::label : ColumnRole::dropped;
    case ColumnRole::weight:
      return options_.weight_column.empty() && !options_.labels_optional ? ColumnRole::weight : ColumnRole::dropped;
    case ColumnRole::id: return options_.id_column.empty() ? ColumnRole::id : ColumnRole::dropped;
    default: return column.role;
  }
}

bool Matching::has_names() const {
  return std::any_of(known().begin(), known().end(), [](const Column& column) { return !column.name.empty(); });
}

void Matching::find_by_name() {
  std::unordered_map<std::string, std::vector<std::size_t>> places;  // of each name, the last first
  for (std::size_t c = names_.size(); c-- > 0;) {
    if (chosen_[c] == ColumnRole::feature) places[names_[c]].push_back(c);
  }
  missing_.clear();
  missing_label_.clear();
  column_of_.assign(known().size(), kNone);
  for (std::size_t k = 0; k < known().size(); ++k) {
    const Column& column = known()[k];
    const auto place = places.find(column.name);
    bool found = place != places.end() && !place->second.empty();
    // Row numbers have no name, and come first; an empty column elsewhere is something else.
    if (column.role != ColumnRole::feature && column.name.empty()) found = found && place->second.back() == 0;
    if (found) {
      column_of_[k] = place->second.back();
      place->second.pop_back();
    } else if (column.role == ColumnRole::feature) {
      missing_.push_back(column.name);
    } else if (role_of(column) == ColumnRole::label && !options_.labels_optional) {
      missing_label_ = column.name;
    }
  }
}

// Whether the columns that no option names are as many as some layout of the model has.
bool Matching::find_by_position(bool last_is_empty) {
  std::vector<std::size_t> free;
  for (std::size_t c = 0; c < row_.size(); ++c) {
    if (chosen_[c] == ColumnRole::feature) free.push_back(c);
  }
  const bool drops = !options_.drop.empty();
  const auto try_without = [&](const auto& is_out) {
    std::vector<std::size_t> layout;
    for (std::size_t k = 0; k < known().size(); ++k) {
      const ColumnRole role = known()[k].role;
      const bool replaced = role != ColumnRole::dropped && role_of(known()[k]) == ColumnRole::dropped &&
                            (role != ColumnRole::weight || !options_.weight_column.empty());
      if (!replaced && !(drops && role == ColumnRole::dropped) && !is_out(role)) layout.push_back(k);
    }
    if (layout.size() != free.size()) return false;
    column_of_.assign(known().size(), kNone);
    for (std::size_t i = 0; i < layout.size(); ++i) column_of_[layout[i]] = free[i];
    return true;
  };
  const auto try_all = [&] {
    if (try_without([](ColumnRole) { return false; })) return true;
    if (!options_.labels_optional) return false;
    return try_without([](ColumnRole role) { return role == ColumnRole::label; }) ||
           try_without([](ColumnRole role) { return role != ColumnRole::feature; });
  };
  if (try_all()) return true;
  if (!last_is_empty || free.empty() || free.back() + 1 != row_.size()) return false;
  free.pop_back();
  return try_all();
}

// After find_by_name().
Status Matching::guess_header(bool last_is_empty, bool& is_header) {
  is_header = false;
  if (has_names() && missing_.empty()) {
    for (std::size_t k = 0; k < known().size() && !is_header; ++k) {
      is_header = column_of_[k] != kNone && is_name(known()[k].name);
    }
    if (is_header) return {};
    return fail(StatusCode::bad_data, "first row may be a header of numbers",
                "to be told: --header yes or --header no");
  }
  if (!find_by_position(last_is_empty)) {
    is_header = 2 * std::count_if(row_.begin(), row_.end(), is_name) > static_cast<std::ptrdiff_t>(row_.size());
    return {};
  }
  columns_.header_guessed_absent = !has_names();
  std::vector<ColumnRole> roles(row_.size(), ColumnRole::dropped);
  for (std::size_t k = 0; k < known().size(); ++k) {
    if (column_of_[k] != kNone) roles[column_of_[k]] = known()[k].role;
  }
  return decide_header(row_, roles, is_header);
}

// Whether the first row is a header, and where the columns are.
Status Matching::find_all(bool last_is_empty) {
  if (has_names()) find_by_name();
  if (!columns_.has_header && options_.header == HeaderMode::automatic) {
    if (Status status = guess_header(last_is_empty, columns_.has_header); !status.ok()) return status;
  }
  if (columns_.has_header && has_names()) {
    find_by_name();
    return {};
  }
  missing_.clear();
  missing_label_.clear();
  if (find_by_position(last_is_empty)) return {};
  return fail(StatusCode::shape_mismatch, "number of columns",
              "the model's columns in their order (to predict, the label may be missing, or all but features)",
              std::to_string(row_.size()) + ", not " + std::to_string(known().size()));
}

Status Matching::refuse_missing(std::string& note) const {
  if (missing_.empty() && missing_label_.empty()) return {};
  note = list_of_columns(row_, true);
  if (missing_.empty()) {
    return fail(StatusCode::bad_data, "missing label column", "the model's (--label-column names another)",
                missing_label_);
  }
  if (missing_.size() > 1) note = "missing: " + list_of_names(missing_) + "; " + note;
  return fail(StatusCode::bad_data, "missing column", "every feature of the model", missing_.front());
}

// Of a model that knows no name for it.
void Matching::take_last_for_label() {
  if (options_.labels_optional || !options_.label_column.empty() || columns_.has(ColumnRole::label)) return;
  const bool has_one = std::any_of(known().begin(), known().end(), [](const Column& column) {
    return column.role == ColumnRole::label && column.name.empty();
  });
  for (std::size_t c = row_.size(); has_one && c-- > 0;) {
    if (is_known_[c] || (names_[c].empty() && c + 1 == row_.size())) continue;
    columns_.roles[c] = ColumnRole::label;
    is_known_[c] = true;
    return;
  }
}

void Matching::say_what_is_left_out(std::vector<std::string>& remarks) const {
  std::vector<std::string> unknown;
  for (std::size_t c = 0; c < row_.size(); ++c) {
    if (!is_known_[c] && !names_[c].empty()) unknown.push_back(names_[c]);
  }
  if (columns_.has_header && !unknown.empty()) {
    remarks.push_back("columns that the model does not know are left out: " + list_of_names(unknown));
  }
  for (std::size_t k = 0; k < known().size(); ++k) {
    if (column_of_[k] != kNone || role_of(known()[k]) != ColumnRole::weight) continue;
    const std::string& name = known()[k].name;
    remarks.push_back("no column of weights" + (name.empty() ? "" : " '" + shown(name) + "'") +
                      ": all rows count alike");
  }
}

Status Matching::run(bool last_is_empty, std::vector<std::string>& remarks, std::string& note) {
  ColumnChoices choices(options_);
  columns_ = {};
  columns_.has_header = options_.header == HeaderMode::yes || choices.by_name;
  note = list_of_columns(row_, columns_.has_header);
  chosen_.assign(row_.size(), ColumnRole::feature);
  if (Status status = choices.apply(row_, options_.header, chosen_); !status.ok()) return status;
  if (Status status = find_all(last_is_empty); !status.ok()) return status;
  if (columns_.has_header) {
    if (Status status = check_header_names(names_); !status.ok()) return status;
    if (Status status = choices.check_header(names_); !status.ok()) return status;
    columns_.names = names_;
  }
  if (Status status = refuse_missing(note); !status.ok()) return status;

  for (const ColumnRole role : chosen_) {
    is_known_.push_back(role != ColumnRole::feature);
    columns_.roles.push_back(is_known_.back() ? role : ColumnRole::dropped);
  }
  columns_.feature_of.assign(row_.size(), 0);
  for (std::size_t k = 0; k < known().size(); ++k) {
    const bool is_feature = known()[k].role == ColumnRole::feature;
    if (column_of_[k] != kNone) {
      is_known_[column_of_[k]] = true;
      columns_.roles[column_of_[k]] = role_of(known()[k]);
      if (is_feature) columns_.feature_of[column_of_[k]] = columns_.features;
    }
    columns_.features += is_feature ? 1 : 0;
  }
  if (columns_.has_header) take_last_for_label();
  say_what_is_left_out(remarks);
  note.clear();
  return {};
}

}  // namespace

Status choose_known_columns(const std::vector<std::string>& first_row, const ReadOptions& options, bool last_is_empty,
                            CsvColumns& columns, std::vector<std::string>& remarks, std::string& note) {
  return Matching(first_row, options, columns).run(last_is_empty, remarks, note);
}

}  // namespace lanemax
