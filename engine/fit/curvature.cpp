// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature.hpp"

#include "engine/fit/pair_sample.hpp"
#include "engine/fit/sampled_rows.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {
namespace {

// A power of 2, so that no bit depends on it: weights of 1e37 do not overflow the sums.
double unit_near(double weight) {
  return std::exp2(std::round(std::log2(weight)));
}

/// Where a thread keeps a group of columns of weighted rows.
template <class T>
struct Tile {
  T* data;
  std::size_t capacity;  // rows
};

/// A group of columns of a symmetric matrix += sum_n weight_of(n) x_n x_n': the gradient product with weighted rows for
/// dlogits.
template <class T, class WeightOf>
void add_tile(const Kernels<T>& kernel, const SymmetricShape& shape, std::size_t group, const RowBlock<T>& x,
              const WeightOf& weight_of, const Tile<T>& tile, T* matrix, bool accumulate) {
  const std::size_t begin = shape.group_begin(group);
  const std::size_t width = std::min(SymmetricShape::kGroup, shape.columns() - begin);
  for (std::size_t n = 0; n < x.count; ++n) {
    const T a = weight_of(n);
    const T* row = x.data + n * x.stride + begin;
    for (std::size_t panel = 0; panel < width / kPanel; ++panel) {
      T* to = tile.data + (panel * tile.capacity + n) * kPanel;
      for (std::size_t lane = 0; lane < kPanel; ++lane) to[lane] = a * row[panel * kPanel + lane];
    }
  }
  GradientArgs<T> args;
  args.x = x;
  args.dlogits = tile.data;
  args.capacity = tile.capacity;
  args.features = shape.n;
  args.classes = width;
  args.feature_begin = begin;
  args.feature_end = shape.n;
  args.panel_end = width / kPanel;
  args.dweights = matrix + begin * shape.n;
  args.accumulate = accumulate;
  kernel.gradient(args);
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
        team_size_(usable_threads(problem.threads(), curvature_flops(kind, rows, problem.features(), problem.classes()),
                                  problem.table().blocks.serial_flops)),
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
    add_tile<T>(kernel_, shape_, group, {rows_.values(), rows_.stride(), count}, weight_of, {tile, tile_capacity()},
                out_.data() + matrix * shape_.count(), accumulate);
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
    GradientArgs<T> args;
    args.x = {rows_.values(), rows_.stride(), count};
    args.dlogits = rows_.probabilities();
    args.capacity = rows_.capacity();
    args.features = shape_.n;
    args.classes = problem_.classes();
    args.feature_end = shape_.n;
    args.panel_end = panel_count(problem_.classes());
    args.dweights = out_.data();
    args.accumulate = accumulate;
    kernel_.gradient(args);
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

/// The blocks of a sample of pairs: all rows that a class keeps, weighted, class after class, a group of pairs at a
/// time.
template <class T>
class PairSum {
 public:
  PairSum(const FitProblem& problem, const PairSample& pairs, int threads, Buffer<T>& out)
      : problem_(problem),
        kernel_(kernels<T>(problem.table())),
        pairs_(pairs),
        shape_{problem.features() + 1},
        team_size_(threads),
        data_(problem.data()),
        weight_unit_(unit_near(pairs.total_weight / static_cast<double>(problem.rows()))),
        out_(out) {
    data_.selection = pairs.rows.data();
    data_.selected = pairs.rows.size();
    group_ = std::clamp(kGroupBytes / (stride() * sizeof(T)) / kPart * kPart, kPart, kMostGroup);
    rows_ = OwnedRowBuffers<T>(group_, stride());
    tile_ = Buffer<T>(static_cast<std::size_t>(team_size_) * tile_capacity() * SymmetricShape::kGroup);
    out_ = Buffer<T>(problem.classes() * shape_.count());
  }

  bool run(const Control* control) {
    for (std::size_t begin = 0; begin < pairs_.rows.size(); begin += group_) {
      if (control != nullptr && control->cancelled()) return false;
      const std::size_t end = std::min(begin + group_, pairs_.rows.size());
      const auto first = std::upper_bound(pairs_.begin.begin(), pairs_.begin.end(), begin) - 1;
      const auto last = std::lower_bound(pairs_.begin.begin(), pairs_.begin.end(), end);
      const auto first_class = static_cast<std::size_t>(first - pairs_.begin.begin());
      const auto classes = static_cast<std::size_t>(last - first);
      parallel(team_size_, [&](const Team& team) {
        team.for_each((end - begin + kPart - 1) / kPart,
                      [&](std::size_t part) { load(begin, part * kPart, std::min((part + 1) * kPart, end - begin)); });
        team.for_each(classes * shape_.groups(), [&](std::size_t item) {
          add_class_tile(first_class + item / shape_.groups(), item % shape_.groups(), begin, end, team.rank());
        });
      });
    }
    const T inverse = static_cast<T>(weight_unit_ / pairs_.total_weight);
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] *= inverse;
    return true;
  }

 private:
  static constexpr std::size_t kPart = 64, kGroupBytes = 8 * 1024 * 1024, kMostGroup = 2048;
  [[nodiscard]] std::size_t stride() const { return round_up(shape_.n, kPanel); }
  [[nodiscard]] std::size_t tile_capacity() const { return group_ + 1; }

  void load(std::size_t begin, std::size_t first, std::size_t end) {
    const RowBuffers<T> buffers = rows_.at(first);
    const RowSource<T> source(data_, problem_.objective(), kernel_);
    static_cast<void>(source.load(begin + first, begin + end, buffers));
    for (std::size_t n = 0; n < end - first; ++n) buffers.values[n * stride() + shape_.n - 1] = T(1);
  }

  // A group of columns of a class's block += over those of its pairs that are in [begin, end).
  void add_class_tile(std::size_t c, std::size_t group, std::size_t begin, std::size_t end, std::size_t rank) {
    const std::size_t from = std::max(begin, pairs_.begin[c]), to = std::min(end, pairs_.begin[c + 1]);
    if (from >= to) return;
    const auto weight_of = [&](std::size_t n) { return static_cast<T>(pairs_.weights[from + n] / weight_unit_); };
    T* const tile = tile_.data() + rank * tile_capacity() * SymmetricShape::kGroup;
    add_tile<T>(kernel_, shape_, group, {rows_.values.data() + (from - begin) * stride(), stride(), to - from},
                weight_of, {tile, tile_capacity()}, out_.data() + c * shape_.count(), from > pairs_.begin[c]);
  }

  const FitProblem& problem_;
  const Kernels<T>& kernel_;
  const PairSample& pairs_;
  SymmetricShape shape_;
  int team_size_;
  Batch data_;
  double weight_unit_;  // of the pairs' weights in the sums
  std::size_t group_ = 0;
  OwnedRowBuffers<T> rows_;
  Buffer<T>& out_;
  Buffer<T> tile_;
};

// The Gram matrix of a few rows, scaled to each poor class's curvature.
template <class T>
bool share_with_poor_blocks(const FitProblem& problem, const Vector& x, const PairSample& pairs,
                            const Buffer<T>& blocks, const Control* control) {
  constexpr double kShare = 0.2;
  constexpr std::size_t kRich = 2, kGramRows = 4;  // pairs and rows, in rows of a block
  const SymmetricShape shape{problem.features() + 1};
  const std::size_t classes = problem.classes();
  const auto is_poor = [&](std::size_t c) { return pairs.begin[c + 1] - pairs.begin[c] < kRich * shape.n; };
  bool any = false;
  for (std::size_t c = 0; c < classes && !pairs.is_all; ++c) any = any || is_poor(c);
  if (!any) return true;
  Buffer<T> gram;
  if (!sum_curvature(problem, x, Preconditioner::gram, kGramRows * shape.n, gram, control)) return false;
  std::vector<double> curvature(classes);
  double mean = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t i = pairs.begin[c]; i < pairs.begin[c + 1]; ++i) curvature[c] += pairs.weights[i];
    mean += curvature[c] / static_cast<double>(classes);
  }
  for (std::size_t c = 0; c < classes; ++c) {
    if (!is_poor(c) || !(mean > 0)) continue;
    const T own = static_cast<T>(1 - kShare), shared = static_cast<T>(kShare * curvature[c] / mean);
    T* const block = blocks.data() + c * shape.count();
    for (std::size_t i = 0; i < shape.count(); ++i) block[i] = own * block[i] + shared * gram[i];
  }
  return true;
}

// Solves A x = b in place by Cholesky's factors; false if A is not positive definite.
bool solve(std::vector<double>& a, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < j; ++k) {
      for (std::size_t i = j; i < n; ++i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    }
    if (!(a[j * n + j] > 0)) return false;
    const double root = std::sqrt(a[j * n + j]);
    for (std::size_t i = j; i < n; ++i) a[i * n + j] /= root;
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return true;
}

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

template <class T>
bool sum_blocks(const FitProblem& problem, const Vector& x, double pairs, Buffer<T>& out, const Control* control) {
  PairSample sample;
  if (!sample_pairs<T>(problem, x, pairs, sample, control)) return false;
  const int threads = usable_threads(problem.threads(), problem.pass_flops(), problem.table().blocks.serial_flops);
  return PairSum<T>(problem, sample, threads, out).run(control) &&
         share_with_poor_blocks(problem, x, sample, out, control);
}

double curvature_flops(Preconditioner kind, std::size_t rows, std::size_t features, std::size_t classes) noexcept {
  const double n = static_cast<double>(rows), d = static_cast<double>(features + 1);
  const double products = kind == Preconditioner::diagonal ? 2 * static_cast<double>(classes) * d
                                                           : static_cast<double>(matrix_count(kind, classes)) * d * d;
  return n * (2 * static_cast<double>(classes) * d + products);
}

double blocks_flops(std::size_t pairs, std::size_t rows, std::size_t features, std::size_t classes) noexcept {
  const double d = static_cast<double>(features + 1);
  return static_cast<double>(rows) * 2 * static_cast<double>(classes) * d + static_cast<double>(pairs) * d * d;
}

bool bias_newton_step(const FitProblem& problem, const Vector& x, const Vector& gradient, std::size_t rows,
                      std::vector<double>& step) {
  // Beyond, classes hardly meet in a row and the diagonal is nearly all there is.
  constexpr std::size_t kMostCoupled = 128;
  const std::size_t classes = problem.classes();
  const bool coupled = classes <= kMostCoupled;
  SampledRows<double> sample(problem, x, rows, 1);
  std::vector<double> hessian(coupled ? classes * classes : classes);
  for (std::size_t begin = 0; begin < sample.rows(); begin += sample.most_group_rows()) {
    const std::size_t count = std::min(sample.most_group_rows(), sample.rows() - begin);
    sample.load_group(Team(0, 1), begin, count);
    for (std::size_t n = 0; n < count; ++n) {
      for (std::size_t c = 0; c < classes; ++c) {
        const double p = sample.probability(n, c) * sample.weight(n);
        hessian[coupled ? c * classes + c : c] += coupled ? p : p * (1 - sample.probability(n, c));
        for (std::size_t k = 0; coupled && k <= c; ++k) hessian[c * classes + k] -= p * sample.probability(n, k);
      }
    }
  }
  if (!sample.finite()) return false;
  step.assign(classes, 0);
  double mean = 0;
  for (std::size_t c = 0; c < classes; ++c)
    mean += hessian[coupled ? c * classes + c : c] / static_cast<double>(classes);
  if (!(mean > 0)) return false;
  for (std::size_t c = 0; c < classes; ++c) {
    step[c] = -gradient[problem.weights() + c] * sample.total_weight();
    double& diagonal = hessian[coupled ? c * classes + c : c];
    diagonal = std::max(diagonal, mean * 1e-9);  // a class that the sample does not show, or a masked one
    // All biases together change nothing: that direction is given the mean curvature.
    for (std::size_t k = 0; coupled && problem.has_gauge() && k <= c; ++k) {
      hessian[c * classes + k] += mean / static_cast<double>(classes);
    }
  }
  if (coupled) return solve(hessian, step);
  for (std::size_t c = 0; c < classes; ++c) step[c] /= hessian[c];
  return true;
}

template bool sum_curvature<float>(const FitProblem&, const Vector&, Preconditioner, std::size_t, Buffer<float>&,
                                   const Control*);
template bool sum_blocks<float>(const FitProblem&, const Vector&, double, Buffer<float>&, const Control*);
template bool sum_blocks<double>(const FitProblem&, const Vector&, double, Buffer<double>&, const Control*);
template bool sum_curvature<double>(const FitProblem&, const Vector&, Preconditioner, std::size_t, Buffer<double>&,
                                    const Control*);

}  // namespace lanemax
