// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/pair_sample.hpp"

#include "engine/fit/curvature/sampled_rows.hpp"
#include "engine/fit/solvers/shuffle.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lanemax {
namespace {

// The threshold needs to be about right, no more: it is found from so many rows.
constexpr std::size_t kThresholdRows = 4096;

/// How many pairs have about which curvature: eight bins an octave.
class Histogram {
 public:
  void add(double w) {
    if (w > 0) ++counts_[bin_of(static_cast<float>(w))];
  }
  void add(const Histogram& other) {
    for (std::size_t bin = 0; bin < kBins; ++bin) counts_[bin] += other.counts_[bin];
  }
  /// tau such that the sum of min(1, w / tau) is `wanted`; 0 if there are not that many.
  [[nodiscard]] double threshold(double wanted) const {
    double rest = 0, count = 0;
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      rest += static_cast<double>(counts_[bin]) * value_of(bin);
      count += static_cast<double>(counts_[bin]);
    }
    if (count <= wanted) return 0;
    double above = 0;
    for (std::size_t bin = kBins; bin-- > 0;) {  // those that are kept for certain, the largest first
      const double tau = wanted > above ? rest / (wanted - above) : 0;
      if (tau > 0 && value_of(bin) <= tau) return tau;
      above += static_cast<double>(counts_[bin]);
      rest -= static_cast<double>(counts_[bin]) * value_of(bin);
      if (above >= wanted) return value_of(bin);
    }
    return 0;
  }

 private:
  static constexpr int kDropped = 20;                                        // bits of a float's mantissa
  static constexpr std::size_t kBins = std::size_t{0x7F800000} >> kDropped;  // up to infinity, without it
  static std::size_t bin_of(float w) { return std::bit_cast<std::uint32_t>(w) >> kDropped; }
  static double value_of(std::size_t bin) {
    const auto bits = static_cast<std::uint32_t>(bin << kDropped | std::size_t{1} << (kDropped - 1));
    return static_cast<double>(std::bit_cast<float>(bits));
  }
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kBins);
};

std::uint64_t mixed(std::uint64_t state) {
  return SplitMix64(state).next();
}

std::uint64_t hash_of(const Vector& x) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < x.size(); ++i) hash = mixed(hash ^ std::bit_cast<std::uint64_t>(x[i]));
  return hash;
}

// Uniform in [0, 1).
double uniform(std::uint64_t draw, std::size_t row, std::size_t c) {
  return static_cast<double>(mixed(mixed(draw ^ row) ^ c) >> 11) * 0x1p-53;
}

template <class T>
double curvature(const SampledRows<T>& rows, std::size_t n, std::size_t c) {
  const T p = rows.probability(n, c);
  return static_cast<double>(rows.weight(n) * p * (T(1) - p));
}

// Calls use(class, first row, rows) for each group of rows and each class, by the threads of a team; before(rows)
// before each group, by this thread.
template <class T, class Before, class Use>
bool for_each_group(const FitProblem& problem, SampledRows<T>& rows, int threads, const Control* control,
                    const Before& before, const Use& use) {
  for (std::size_t begin = 0; begin < rows.rows(); begin += rows.most_group_rows()) {
    if (control != nullptr && control->cancelled()) return false;
    const std::size_t count = std::min(rows.most_group_rows(), rows.rows() - begin);
    before(count);
    parallel(threads, [&](const Team& team) {
      rows.load_group(team, begin, count);
      team.for_each(problem.classes(), [&](std::size_t c) { use(c, begin, count); });
    });
  }
  return rows.finite();
}

}  // namespace

template <class T>
bool sample_pairs(const FitProblem& problem, const Vector& x, double wanted, PairSample& sample,
                  const Control* control) {
  const std::size_t classes = problem.classes();
  const double all = static_cast<double>(problem.rows());
  const int threads = problem.threads_for(problem.pass_flops());
  double tau = 0;
  if (wanted < all * static_cast<double>(classes)) {
    SampledRows<T> rows(problem, x, kThresholdRows, threads);
    std::vector<Histogram> histograms(classes);
    const bool done = for_each_group(
        problem, rows, threads, control, [](std::size_t) {},
        [&](std::size_t c, std::size_t, std::size_t count) {
          for (std::size_t n = 0; n < count; ++n) histograms[c].add(curvature(rows, n, c));
        });
    if (!done) return false;
    Histogram histogram;
    for (const Histogram& of_class : histograms) histogram.add(of_class);
    tau = histogram.threshold(wanted * static_cast<double>(rows.rows()) / all);
  }

  struct Kept {
    std::vector<std::uint32_t> rows;
    std::vector<double> weights;
  };
  std::vector<Kept> kept(classes);
  const std::uint64_t draw = hash_of(x);
  SampledRows<T> rows(problem, x, problem.rows(), threads);
  const auto make_room = [&](std::size_t count) {  // nothing may throw inside of a team
    for (Kept& of_class : kept) {
      const std::size_t most = of_class.rows.size() + count;
      if (most <= of_class.rows.capacity() && most <= of_class.weights.capacity()) continue;
      of_class.rows.reserve(std::max(most, 2 * of_class.rows.size()));
      of_class.weights.reserve(std::max(most, 2 * of_class.weights.size()));
    }
  };
  const bool done = for_each_group(problem, rows, threads, control, make_room,
                                   [&](std::size_t c, std::size_t begin, std::size_t count) {
                                     for (std::size_t n = 0; n < count; ++n) {
                                       const double w = curvature(rows, n, c);
                                       const std::size_t row = rows.source_row(begin + n);
                                       if (!(w > 0) || (w < tau && uniform(draw, row, c) * tau >= w)) continue;
                                       kept[c].rows.push_back(static_cast<std::uint32_t>(row));
                                       kept[c].weights.push_back(std::max(w, tau));
                                     }
                                   });
  if (!done) return false;
  sample = {};
  sample.total_weight = rows.total_weight();
  sample.tau = tau;
  sample.begin.push_back(0);
  for (Kept& of_class : kept) {
    sample.rows.insert(sample.rows.end(), of_class.rows.begin(), of_class.rows.end());
    sample.weights.insert(sample.weights.end(), of_class.weights.begin(), of_class.weights.end());
    of_class = {};
    sample.begin.push_back(sample.rows.size());
  }
  return true;
}

template bool sample_pairs<float>(const FitProblem&, const Vector&, double, PairSample&, const Control*);
template bool sample_pairs<double>(const FitProblem&, const Vector&, double, PairSample&, const Control*);

}  // namespace lanemax
