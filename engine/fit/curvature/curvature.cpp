// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/curvature.hpp"

#include "engine/fit/curvature/sampled_rows.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {
namespace {

// A power of 2, so that no bit depends on it: weights of 1e37 do not overflow the sums.
double unit_near(double weight) {
  return std::exp2(std::round(std::log2(weight)));
}

/// The sample group by group; each tile of each matrix over a whole group.
template <class T>
class CurvatureSum {
 public:
  CurvatureSum(const FitProblem& problem, const Vector& x, Preconditioner kind, std::size_t rows, Buffer<T>& out)
      : problem_(problem),
        kernel_(kernels<T>(problem.table())),
        kind_(kind),
        shape_{problem.features() + 1},
        team_size_(problem.threads_for(curvature_flops(kind, rows, problem.features(), problem.classes()))),
        rows_(problem, x, rows, team_size_),
        weight_unit_(unit_near(rows_.total_weight() / static_cast<double>(rows_.rows()))),
        out_(out) {
    tile_ = Buffer<T>(static_cast<std::size_t>(team_size_) * tile_capacity() * SymmetricShape::kGroup);
    out_ = Buffer<T>(kind == Preconditioner::diagonal ? weight_count(shape_.n, problem.classes())
                                                      : matrix_count(kind, problem.classes()) * shape_.count());
  }

  bool run(const Control* control) {
    const std::size_t step = rows_.most_group_rows();
    for (std::size_t begin = 0; begin < rows_.rows(); begin += step) {
      if (control != nullptr && control->cancelled()) return false;
      const std::size_t count = std::min(step, rows_.rows() - begin);
      parallel(team_size_, [&](const Team& team) { add_group(team, begin, count); });
    }
    const T inverse = static_cast<T>(weight_unit_ / rows_.total_weight());
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] *= inverse;
    return rows_.finite();
  }

 private:
  [[nodiscard]] T weight(std::size_t n) const { return rows_.weight(n) / static_cast<T>(weight_unit_); }
  [[nodiscard]] std::size_t tile_capacity() const { return rows_.most_group_rows() + 1; }

  void add_group(const Team& team, std::size_t begin, std::size_t count) {
    rows_.load_group(team, begin, count);
    if (kind_ == Preconditioner::diagonal) return team.once([&] { add_diagonal(count, begin > 0); });
    if (kind_ == Preconditioner::gram) {
      constexpr std::size_t kRows = 64;
      team.for_each((count + kRows - 1) / kRows, [&](std::size_t part) {
        weigh_by_mean_curvature(part * kRows, std::min((part + 1) * kRows, count));
      });
    }
    team.for_each(matrix_count(kind_, problem_.classes()) * shape_.groups(), [&](std::size_t item) {
      add_matrix_tile(item / shape_.groups(), item % shape_.groups(), count, begin > 0, team.rank());
    });
  }

  void weigh_by_mean_curvature(std::size_t begin, std::size_t end) {
    for (std::size_t n = begin; n < end; ++n) {
      T sum = 0;
      for (std::size_t c = 0; c < problem_.classes(); ++c)
        sum += rows_.probability(n, c) * (T(1) - rows_.probability(n, c));
      rows_.weight(n) *= sum / static_cast<T>(problem_.classes());
    }
  }

  // A group of columns of one matrix += over the rows of the group.
  void add_matrix_tile(std::size_t matrix, std::size_t group, std::size_t count, bool accumulate, std::size_t rank) {
    std::size_t c = matrix, k = matrix;  // the block's classes
    if (kind_ == Preconditioner::full) {
      for (c = 0; k >= problem_.classes() - c; ++c) k -= problem_.classes() - c;
      k += c;
    }
    const auto weight_of = [&](std::size_t n) {
      const T a = weight(n);
      if (kind_ == Preconditioner::gram) return a;
      return a * (rows_.probability(n, c) * ((c == k ? T(1) : T(0)) - rows_.probability(n, k)));
    };
    T* const tile = tile_.data() + rank * tile_capacity() * SymmetricShape::kGroup;
    add_weighted_group<T>(kernel_, shape_, group, {rows_.values(), rows_.stride(), count}, weight_of,
                          {tile, tile_capacity()}, out_.data() + matrix * shape_.count(), accumulate);
  }

  // sum over rows of s p_c (1 - p_c) x'^2, by the gradient product of squared rows.
  void add_diagonal(std::size_t count, bool accumulate) {
    for (std::size_t i = 0; i < count * rows_.stride(); ++i) rows_.values()[i] *= rows_.values()[i];
    for (std::size_t n = 0; n < count; ++n) {
      for (std::size_t c = 0; c < problem_.classes(); ++c) {
        T& p = rows_.probability(n, c);
        p = weight(n) * p * (T(1) - p);
      }
    }
    kernel_.gradient(gradient_product<T>({rows_.values(), rows_.stride(), count}, rows_.probabilities(),
                                         rows_.capacity(), shape_.n, problem_.classes(), out_.data(), accumulate));
  }

  const FitProblem& problem_;
  const Kernels<T>& kernel_;
  Preconditioner kind_;
  SymmetricShape shape_;
  int team_size_;
  SampledRows<T> rows_;
  double weight_unit_;  // of the rows' weights in the sums
  Buffer<T>& out_;
  Buffer<T> tile_;
};

}  // namespace

std::size_t matrix_count(Preconditioner kind, std::size_t classes) noexcept {
  switch (kind) {
    case Preconditioner::gram: return 1;
    case Preconditioner::blocks: return classes;
    case Preconditioner::full: return classes * (classes + 1) / 2;
    default: return 0;
  }
}

template <class T>
bool sum_curvature(const FitProblem& problem, const Vector& x, Preconditioner kind, std::size_t rows, Buffer<T>& out,
                   const Control* control) {
  return CurvatureSum<T>(problem, x, kind, rows, out).run(control);
}

double curvature_flops(Preconditioner kind, std::size_t rows, std::size_t features, std::size_t classes) noexcept {
  const double n = static_cast<double>(rows), d = static_cast<double>(features + 1);
  const double products = kind == Preconditioner::diagonal ? 2 * static_cast<double>(classes) * d
                                                           : static_cast<double>(matrix_count(kind, classes)) * d * d;
  return n * (2 * static_cast<double>(classes) * d + products);
}

template <class T>
void penalise(const FitProblem& problem, const T* curvature, double factor, double ridge, T* to) noexcept {
  const SymmetricShape shape{problem.features() + 1};
  std::fill_n(to, shape.count(), T(0));
  for (std::size_t j = 0; j < shape.n; ++j) {
    for (std::size_t i = j; i < shape.n; ++i) {
      double entry = factor * static_cast<double>(curvature[shape.index(i, j)]);
      if (i == j) {
        if (i + 1 < shape.n) entry += problem.penalty_of(i);
        entry += ridge * entry;
        if (entry == 0) entry = 1;  // a feature without a value in the sample, and no penalty
      }
      to[shape.index(i, j)] = static_cast<T>(entry);
    }
  }
}

template bool sum_curvature<float>(const FitProblem&, const Vector&, Preconditioner, std::size_t, Buffer<float>&,
                                   const Control*);
template bool sum_curvature<double>(const FitProblem&, const Vector&, Preconditioner, std::size_t, Buffer<double>&,
                                    const Control*);

template void penalise<float>(const FitProblem&, const float*, double, double, float*) noexcept;
template void penalise<double>(const FitProblem&, const double*, double, double, double*) noexcept;

}  // namespace lanemax
