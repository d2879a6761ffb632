// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/sampled_rows.hpp"

#include "engine/dispatch/products.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {
namespace {

constexpr std::size_t kPartRows = 64;
constexpr std::size_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kMostGroupRows = 2048;

}  // namespace

template <class T>
SampledRows<T>::SampledRows(const FitProblem& problem, const Vector& x, std::size_t rows, int threads)
    : problem_(problem), kernel_(kernels<T>(problem.table())), sample_(problem.data()) {
  choose_rows(std::clamp<std::size_t>(rows, 1, problem.rows()));
  sample_.selection = selection_;

  const std::size_t classes = problem.classes(), row_bytes = (stride() + classes) * sizeof(T);
  group_rows_ = std::clamp(kGroupBytes / row_bytes / kPartRows * kPartRows, kPartRows, kMostGroupRows);
  group_rows_ = std::min(group_rows_, round_up(selection_.size(), kPartRows));
  capacity_ = group_rows_ + (is_class_major(classes) ? 0 : 1);
  weights_ = Buffer<T>(problem.weights());
  bias_ = Buffer<T>(bias_count(classes));
  convert(x.data(), weights_.size(), weights_.data());
  convert(x.data() + weights_.size(), bias_.size(), bias_.data());
  rows_ = OwnedRowBuffers<T>(group_rows_, stride());
  probabilities_ = Buffer<T>(logit_count(capacity_, classes));
  logits_ = Buffer<T>(static_cast<std::size_t>(threads) * logit_count(kPartRows, classes));
}

template <class T>
void SampledRows<T>::choose_rows(std::size_t wanted) {
  selection_.reserve(wanted);
  std::size_t kept = 0;
  for_each_kept_row(problem_.data(), problem_.objective().ignored_label, [&](std::size_t row, double weight) {
    // The rows at which kept * wanted / rows comes to a new whole number.
    if ((kept + 1) * wanted / problem_.rows() > kept * wanted / problem_.rows()) {
      selection_.push_back(static_cast<std::uint32_t>(row));
      total_weight_ += weight;
    }
    ++kept;
  });
}

template <class T>
void SampledRows<T>::load_group(const Team& team, std::size_t begin, std::size_t count) {
  team.for_each((count + kPartRows - 1) / kPartRows, [&](std::size_t part) {
    const std::size_t first = part * kPartRows;
    load_part(begin, first, std::min(first + kPartRows, count), team.rank());
  });
}

template <class T>
void SampledRows<T>::load_part(std::size_t group, std::size_t first, std::size_t end, std::size_t rank) {
  const std::size_t classes = problem_.classes();
  const RowBuffers<T> buffers = rows_.at(first);
  const RowSource<T> source(sample_, problem_.objective(), kernel_);
  const RowBlock<T> x = source.load(group + first, group + end, buffers);
  for (std::size_t n = 0; n < x.count; ++n)
    buffers.values[n * stride() + columns() - 1] = T(problem_.has_bias() ? 1 : 0);

  T* const logits = logits_.data() + rank * logit_count(kPartRows, classes);
  const LogitsForm form = logits_form<T>(problem_.table(), problem_.features(), classes);
  kernel_.logits(
      logits_product<T>(x, problem_.features(), classes, weights_.data(), bias_.data(), form, logits, kPartRows));

  ProbabilityArgs<T> args;
  args.logits = logits;
  args.capacity = kPartRows;
  args.rows = x.count;
  args.classes = classes;
  args.probabilities = probabilities_.data() + logit_index(capacity_, classes, first, 0);
  args.probability_capacity = capacity_;
  problem_.objective().loss == Loss::logistic ? kernel_.logistic_probabilities(args)
                                              : kernel_.softmax_probabilities(args);
  for (std::size_t n = first; n < first + x.count; ++n) {
    if (std::isnan(probability(n, 0))) finite_.store(false);
  }
  if (sample_.labels.empty() && problem_.has_gauge()) weigh_by_mass(group, first, x.count);
}

// Soft targets need not sum to 1: a row's curvature is their sum's.
template <class T>
void SampledRows<T>::weigh_by_mass(std::size_t group, std::size_t first, std::size_t count) {
  for (std::size_t n = 0; n < count; ++n) {
    const std::size_t row = selection_[group + first + n];
    T mass = 0;
    for (std::size_t c = 0; c < problem_.classes(); ++c) {
      mass += static_cast<T>(sample_.target_probabilities.at(row, c));
    }
    rows_.weights[first + n] *= mass;
  }
}

template class SampledRows<float>;
template class SampledRows<double>;

}  // namespace lanemax
