// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_PATH_FOLDS_HPP
#define LANEMAX_ENGINE_FIT_PATH_FOLDS_HPP

#include <lanemax/objective.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lanemax {

/// Which rows the fits of a cross-validation see, and which they are judged by.
///
/// The rows that take part are shuffled by the seed, sorted by class (of target probabilities: the largest) and dealt
/// out in turn, a row that is selected twice as one, so that a class of two rows or more is in every training part. One
/// that a training part lacks, its only row being held out, has no place in that fit: the bias would go to -infinity.
/// Rows whose target has such a class are left out of what is held out. Or the folds are the caller's.
///
/// `data` must outlive this. Members may throw std::bad_alloc.
class Folds {
 public:
  /// `renumbered`: rows are given out by their places among those that take part, and not by their numbers among the
  /// features. 0 folds: nothing is held out, and known_rows() is all there is to ask.
  Folds(const Batch& data, const Objective& objective, std::size_t classes, std::size_t count, std::uint64_t seed,
        bool renumbered = false, const LabelsView& fold_of_sample = {});

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// Different rows that take part: with more folds, some would hold out nothing.
  [[nodiscard]] std::size_t most_folds() const noexcept { return most_folds_; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }
  [[nodiscard]] std::size_t left_out() const noexcept { return left_out_; }
  /// Rows that some fold holds out, left out or not.
  [[nodiscard]] std::size_t held_out_rows() const noexcept { return held_out_rows_; }
  /// In memory's order.
  [[nodiscard]] std::vector<std::uint32_t> training(std::size_t fold) const;
  [[nodiscard]] std::vector<std::uint32_t> held_out(std::size_t fold) const;
  /// Whether no target of the fold's training part has weight on this class. Logistic has two, and one score.
  [[nodiscard]] bool lacks(std::size_t fold, std::size_t c) const noexcept {
    return home_[c] == kNowhere || home_[c] == fold;
  }
  [[nodiscard]] std::size_t classes() const noexcept { return home_.size(); }

  /// Rows of another batch that take part and whose classes are those of rows here.
  [[nodiscard]] std::vector<std::uint32_t> known_rows(const Batch& other) const;

 private:
  static constexpr std::uint32_t kNowhere = 0xffffffff, kSeveral = 0xfffffffe, kNone = 0xfffffffd;

  template <class F>
  void for_each_class(const Batch& batch, std::size_t row, const F& f) const;
  [[nodiscard]] std::size_t main_class(std::size_t row) const;
  void deal(std::uint64_t seed);
  void find_homes();
  [[nodiscard]] bool is_left_out(std::size_t at) const;

  const Batch& data_;
  Objective objective_;
  std::size_t count_;
  std::vector<std::uint32_t> rows_;     // that take part, in memory's order
  std::vector<std::uint32_t> numbers_;  // what each of them is given out as
  std::vector<std::uint32_t> fold_of_;  // each of them; kNone: of all training parts
  std::vector<std::uint32_t> home_;     // of each class: the fold that has all its rows, kSeveral or kNowhere
  std::size_t most_folds_ = 0, left_out_ = 0, held_out_rows_ = 0;
};

}  // namespace lanemax

#endif
