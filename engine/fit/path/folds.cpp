// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/path/folds.hpp"

#include "engine/fit/solvers/shuffle.hpp"
#include "engine/pass/row_source.hpp"

#include <algorithm>
#include <numeric>

namespace lanemax {
namespace {

constexpr std::uint64_t kFoldStream = 0x666F6C6473000000U;  // "folds"

}  // namespace

Folds::Folds(const Batch& data, const Objective& objective, std::size_t classes, std::size_t count, std::uint64_t seed,
             bool renumbered, const LabelsView& fold_of_sample)
    : data_(data),
      objective_(objective),
      count_(count),
      home_(objective.loss == Loss::logistic ? 2 : classes, kNowhere) {
  std::vector<std::uint64_t> kept;  // row, place
  for_each_kept_row(data, objective.ignored_label, [&](std::size_t row, double) {
    kept.push_back(static_cast<std::uint64_t>(row) << 32 | kept.size());
  });
  std::sort(kept.begin(), kept.end());
  for (const std::uint64_t entry : kept) {
    rows_.push_back(static_cast<std::uint32_t>(entry >> 32));
    numbers_.push_back(static_cast<std::uint32_t>(renumbered ? entry : entry >> 32));
  }
  for (std::size_t i = 0; !fold_of_sample.empty() && i < rows_.size(); ++i) {
    const std::int64_t fold = fold_of_sample[rows_[i]];
    fold_of_.push_back(fold < 0 ? kNone : static_cast<std::uint32_t>(fold));
  }
  if (count > 0 && fold_of_sample.empty()) deal(seed);
  find_homes();
  for (std::size_t i = 0; count > 0 && i < rows_.size(); ++i) {
    if (fold_of_[i] == kNone) continue;
    ++held_out_rows_;
    left_out_ += is_left_out(i) ? 1 : 0;
  }
}

// Calls f(class) for every class that the row's target has weight on.
template <class F>
void Folds::for_each_class(const Batch& batch, std::size_t row, const F& f) const {
  if (!batch.labels.empty()) return f(static_cast<std::size_t>(batch.labels[row]));
  if (objective_.loss == Loss::logistic) {
    const float target = batch.target_probabilities.at(row, 0);
    if (target < 1) f(std::size_t{0});
    if (target > 0) f(std::size_t{1});
    return;
  }
  for (std::size_t c = 0; c < classes(); ++c) {
    if (batch.target_probabilities.at(row, c) > 0) f(c);
  }
}

std::size_t Folds::main_class(std::size_t row) const {
  if (!data_.labels.empty()) return static_cast<std::size_t>(data_.labels[row]);
  const MatrixView<const float>& target = data_.target_probabilities;
  if (objective_.loss == Loss::logistic) return target.at(row, 0) > 0.5F ? 1 : 0;
  std::size_t most = 0;
  for (std::size_t c = 1; c < classes(); ++c) {
    if (target.at(row, c) > target.at(row, most)) most = c;
  }
  return most;
}

void Folds::deal(std::uint64_t seed) {
  // A row that is selected twice is one card.
  std::vector<std::uint32_t> order = rows_;
  order.erase(std::unique(order.begin(), order.end()), order.end());
  most_folds_ = order.size();
  SplitMix64 random(seed ^ kFoldStream);
  shuffle(order.data(), order.size(), random);
  std::vector<std::uint64_t> by_class;  // class, place in the shuffled order
  for (std::size_t i = 0; i < order.size(); ++i) {
    by_class.push_back(static_cast<std::uint64_t>(main_class(order[i])) << 32 | i);
  }
  std::sort(by_class.begin(), by_class.end());
  std::vector<std::uint64_t> dealt;  // row, fold
  for (std::size_t i = 0; i < order.size(); ++i) {
    dealt.push_back(static_cast<std::uint64_t>(order[by_class[i] & 0xffffffffU]) << 32 | i % count_);
  }
  std::sort(dealt.begin(), dealt.end());
  auto card = dealt.begin();
  for (const std::uint32_t row : rows_) {
    while (*card >> 32 != row) ++card;
    fold_of_.push_back(static_cast<std::uint32_t>(*card));
  }
}

void Folds::find_homes() {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::uint32_t fold = count_ > 0 ? fold_of_[i] : kSeveral;
    for_each_class(data_, rows_[i],
                   [&](std::size_t c) { home_[c] = home_[c] == kNowhere || home_[c] == fold ? fold : kSeveral; });
  }
}

bool Folds::is_left_out(std::size_t at) const {
  bool out = false;
  for_each_class(data_, rows_[at], [&](std::size_t c) { out = out || home_[c] == fold_of_[at]; });
  return out;
}

std::vector<std::uint32_t> Folds::training(std::size_t fold) const {
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (fold_of_[i] != fold) rows.push_back(numbers_[i]);
  }
  return rows;
}

std::vector<std::uint32_t> Folds::held_out(std::size_t fold) const {
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (fold_of_[i] == fold && !is_left_out(i)) rows.push_back(numbers_[i]);
  }
  return rows;
}

std::vector<std::uint32_t> Folds::known_rows(const Batch& other) const {
  std::vector<std::uint32_t> rows;
  for_each_kept_row(other, objective_.ignored_label, [&](std::size_t row, double) {
    bool known = true;
    for_each_class(other, row, [&](std::size_t c) { known = known && home_[c] != kNowhere; });
    if (known) rows.push_back(static_cast<std::uint32_t>(row));
  });
  return rows;
}

}  // namespace lanemax
