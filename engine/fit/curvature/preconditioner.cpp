// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/preconditioner.hpp"

#include "engine/fit/curvature/class_lines.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

namespace lanemax {
namespace {

// The inversion's products are small; in f64 they cost twice as much.
constexpr double kInverseCost = 2;
constexpr double kMostBytes = 512e6;  // of the sums and inverses that are in memory at once

std::size_t order(const FitProblem& problem) {
  return problem.features() + 1;
}

// Where all rows cost little, drawing costs more than it spares (letter's 26 classes of 16 features: 1.7 times the time
// of the fit); and to load a row for each of its classes costs as much as some columns of its products.
bool pairs_pay(const FitProblem& problem) {
  constexpr double kLittle = 20, kLoading = 64;  // passes, columns
  if (problem.has_few_rows()) return false;
  const double n = static_cast<double>(order(problem)), rows = static_cast<double>(problem.rows());
  const double pairs = static_cast<double>(ClassBlocks::fewest_pairs(problem));
  return pairs * (n + kLoading) < rows * static_cast<double>(problem.classes()) * n &&
         curvature_flops(Preconditioner::blocks, problem.rows(), problem.features(), problem.classes()) >
             kLittle * problem.pass_flops();
}

}  // namespace

PreconditionerMatrix::PreconditionerMatrix(const FitProblem& problem, Preconditioner kind, bool keep_curvature)
    : problem_(problem),
      kind_(kind),
      draws_pairs_(kind == Preconditioner::blocks && pairs_pay(problem)),
      keep_curvature_(keep_curvature),
      blocks_(problem, keep_curvature) {}

std::size_t PreconditionerMatrix::inverse_order() const noexcept {
  return kind_ == Preconditioner::full ? order(problem_) * problem_.classes() : order(problem_);
}
std::size_t PreconditionerMatrix::inverse_count() const noexcept {
  return kind_ == Preconditioner::blocks ? problem_.classes() : 1;
}

std::size_t PreconditionerMatrix::most_sample() const noexcept {
  return draws_pairs_ ? ClassBlocks::most_pairs(problem_) : problem_.rows();
}

std::size_t PreconditionerMatrix::fewest_sample() const noexcept {
  return std::min(most_sample(), draws_pairs_ ? ClassBlocks::fewest_pairs(problem_) : order(problem_));
}

double PreconditionerMatrix::cost(std::size_t sample) const noexcept {
  if (kind_ == Preconditioner::none) return 0;
  if (draws_pairs_) return ClassBlocks::flops(problem_, sample) / problem_.pass_flops();
  double flops = curvature_flops(kind_, sample, problem_.features(), problem_.classes());
  if (kind_ == Preconditioner::full) flops *= 2;
  if (kind_ != Preconditioner::diagonal) {
    const double n = static_cast<double>(inverse_order());
    flops += static_cast<double>(inverse_count()) * (is_wide() ? 2 : 1) * kInverseCost * n * n * n;
  }
  return flops / problem_.pass_flops();
}

std::size_t PreconditionerMatrix::sample_for(double passes) const noexcept {
  const std::size_t all = most_sample(), fewest = fewest_sample();
  if (cost(all) <= passes || problem_.has_few_rows()) return all;
  if (cost(fewest) > passes) return 0;
  std::size_t good = fewest, most = all;
  while (good < most) {
    const std::size_t middle = most - (most - good) / 2;
    cost(middle) <= passes ? good = middle : most = middle - 1;
  }
  return good;
}

bool PreconditionerMatrix::refresh(const Vector& x, std::size_t sample, const Control* control) {
  if (kind_ == Preconditioner::none) return false;
  const bool done = kind_ == Preconditioner::diagonal ? refresh_diagonal(x, sample, control)
                    : draws_pairs_                    ? blocks_.refresh(x, sample, control)
                    : is_wide()                       ? refresh_matrices<double>(x, sample, control)
                                                      : refresh_matrices<float>(x, sample, control);
  if (!done) {
    ready_ = ready_ && !(draws_pairs_ && blocks_.empty());
    return false;
  }
  if (point_.empty()) point_ = Vector(x.size());
  copy(point_, x);
  sample_ = sample;
  return ready_ = true;
}

template <class T>
bool PreconditionerMatrix::refresh_matrices(const Vector& x, std::size_t sample, const Control* control) {
  Buffer<T> sums, inverses;
  if (!sum_curvature(problem_, x, kind_, sample, sums, control) || !invert_all(sums, inverses)) return false;
  matrices<T>().inverses = std::move(inverses);
  if (keep_curvature_) matrices<T>().curvature = std::move(sums);
  return true;
}

void PreconditionerMatrix::penalty_changed() {
  if (draws_pairs_) return static_cast<void>(ready_ = blocks_.penalty_changed());
  const auto invert_anew = [this](const auto& curvature, auto& inverses) {
    return !curvature.empty() && invert_all(curvature, inverses);
  };
  ready_ = is_wide() ? invert_anew(wide_.curvature, wide_.inverses) : invert_anew(narrow_.curvature, narrow_.inverses);
}

bool PreconditionerMatrix::refresh_diagonal(const Vector& x, std::size_t rows, const Control* control) {
  Buffer<float> sums;
  if (!sum_curvature(problem_, x, Preconditioner::diagonal, rows, sums, control)) return false;
  const std::size_t features = problem_.features(), classes = problem_.classes();
  const auto curvature_at = [&](std::size_t c, std::size_t d) {
    return static_cast<double>(sums[weight_index(features + 1, classes, c, d)]);
  };
  const auto largest_at = [&](std::size_t d) {
    double most = 0;
    for (std::size_t c = 0; c < classes; ++c) most = std::max(most, curvature_at(c, d));
    return most;
  };
  double largest = 0;
  for (std::size_t d = 0; d <= features; ++d) largest = std::max(largest, largest_at(d));
  // Of the bias it is the mean of p (1 - p): where every row is saturated, right or wrong, nothing is left that could
  // guide a step.
  constexpr double kSaturated = 1e-9, kLeastPart = 1e-9;
  if (!((problem_.has_bias() ? largest_at(features) : largest) > kSaturated)) return false;
  Buffer<double> diagonal(problem_.parameters());
  for (std::size_t d = 0; d <= features; ++d) {
    // A class that the sample does not show has little curvature, not none; of a feature that it does not show, nothing
    // is known: small steps.
    const double most = largest_at(d), least = most > 0 ? kLeastPart * most : largest;
    for (std::size_t c = 0; c < classes; ++c) {
      const double penalty = d < features ? problem_.penalty_of(d) : 0;
      const std::size_t at = d < features ? weight_index(features, classes, c, d) : problem_.weights() + c;
      diagonal[at] = 1 / std::max(curvature_at(c, d) + penalty, least);
    }
  }
  diagonal_ = std::move(diagonal);
  return true;
}

// The matrix to be inverted: curvature plus penalty, plus a little of its own diagonal where that is not enough.
template <class T>
void PreconditionerMatrix::assemble(const Buffer<T>& sums, std::size_t matrix, double ridge, T* to) const {
  const SymmetricShape part{order(problem_)}, whole{inverse_order()};
  if (kind_ != Preconditioner::full) return penalise(problem_, sums.data() + matrix * part.count(), 1, ridge, to);
  const std::size_t n = part.n, classes = problem_.classes();
  std::fill_n(to, whole.count(), T(0));
  const double gauge = problem_.has_gauge() ? 1 / static_cast<double>(classes) : 0;
  std::size_t block = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t k = c; k < classes; ++k, ++block) {
      const T* from = sums.data() + block * part.count();
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t i = 0; i < n; ++i) {
          if (c == k && i < j) continue;
          double entry = static_cast<double>(from[part.kept(i, j)]);
          if (problem_.has_gauge()) {
            // Curvature for the direction that has none, where it cannot disturb the others: the mean of the diagonal
            // blocks, for all classes together.
            double mean = 0;
            std::size_t diagonal = 0;
            for (std::size_t q = 0; q < classes; diagonal += classes - q, ++q) {
              mean += static_cast<double>(sums[diagonal * part.count() + part.kept(i, j)]);
            }
            entry += gauge * gauge * mean;
          }
          if (c == k && i == j) {
            if (i + 1 < n) entry += problem_.penalty_of(i);
            entry += ridge * entry;
            if (entry == 0) entry = 1;  // a feature without a value in the sample, and no penalty
          }
          to[whole.kept(k * n + i, c * n + j)] = static_cast<T>(entry);
        }
      }
    }
  }
}

template <class T>
bool PreconditionerMatrix::invert_all(const Buffer<T>& sums, Buffer<T>& inverses) const {
  const SymmetricShape shape{inverse_order()};
  const std::size_t count = inverse_count();
  const Kernels<T>& kernel = kernels<T>(problem_.table());
  inverses = Buffer<T>(count * shape.count());
  std::atomic<bool> good{true};

  const auto invert_one = [&](std::size_t matrix, T* work, InverseScratch<T>& scratch, const Team& team) {
    const auto assemble_with = [&](double ridge) { assemble(sums, matrix, ridge, work); };
    if (!invert_with_ridge(kernel, shape, work, scratch, team, assemble_with)) return good.store(false);
    team.once([&] { spread(shape, work, inverses.data() + matrix * shape.count()); });
  };

  const int threads = problem_.threads_for(cost(0) * problem_.pass_flops());
  if (count == 1) {
    Buffer<T> work(shape.count());
    InverseScratch<T> scratch(shape.n);
    parallel(threads, [&](const Team& team) { invert_one(0, work.data(), scratch, team); });
  } else {
    const int team_size = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(threads), count));
    std::vector<Buffer<T>> work;
    std::vector<InverseScratch<T>> scratch;
    for (int i = 0; i < team_size; ++i) {
      work.emplace_back(shape.count());
      scratch.emplace_back(shape.n);
    }
    parallel(team_size, [&](const Team& team) {
      team.for_each(count, [&](std::size_t matrix) {
        invert_one(matrix, work[team.rank()].data(), scratch[team.rank()], Team(0, 1));
      });
    });
  }
  return good.load();
}

template <class T>
void PreconditionerMatrix::multiply(const Buffer<T>& inverses, const std::span<const Product>& products) const {
  const SymmetricShape shape{inverse_order()};
  const bool per_class = kind_ == Preconditioner::blocks, is_full = kind_ == Preconditioner::full;
  // A class's lines of numbers, one for each product, or one for all classes, times a symmetric matrix.
  const std::size_t count = products.size(), stride = shape.columns();
  const std::size_t lines = count * (is_full ? 1 : problem_.classes()), together = per_class ? count : kPanel;
  const Buffer<T> in(lines * stride), zeros(stride), panels(lines * stride), result(lines * stride);
  const std::size_t class_stride = is_full ? order(problem_) : count * stride;
  for (std::size_t i = 0; i < count; ++i) gather_lines(problem_, *products[i].of, in.data() + i * stride, class_stride);
  const double flops = 2.0 * static_cast<double>(lines) * static_cast<double>(shape.n) * static_cast<double>(shape.n);
  parallel(problem_.threads_for(flops), [&](const Team& team) {
    team.for_each((lines + together - 1) / together, [&](std::size_t item) {
      const std::size_t first = item * together, from = first * stride;
      multiply_lines(kernels<T>(problem_.table()), shape.n, stride,
                     inverses.data() + (per_class ? item * shape.count() : 0),
                     {in.data() + from, stride, std::min(together, lines - first)}, zeros.data(), panels.data() + from,
                     result.data() + from);
    });
  });
  for (std::size_t i = 0; i < count; ++i)
    scatter_lines(problem_, result.data() + i * stride, class_stride, *products[i].to);
}

void PreconditionerMatrix::apply(std::initializer_list<Product> products) const {
  std::vector<Vector> projected;
  std::vector<Product> to_make;
  for (const Product& product : products) {
    copy(projected.emplace_back(product.of->size()), *product.of);
    if (ready_ && problem_.has_gauge()) problem_.centre(projected.back());
  }
  std::size_t i = 0;
  for (const Product& product : products) to_make.push_back({&projected[i++], product.to});
  if (!ready_ || kind_ == Preconditioner::diagonal) {
    for (const Product& product : to_make) {
      copy(*product.to, *product.of);
      for (std::size_t k = 0; ready_ && k < product.to->size(); ++k) (*product.to)[k] *= diagonal_[k];
    }
  } else if (draws_pairs_) {
    blocks_.apply(to_make);
  } else if (is_wide()) {
    multiply<double>(wide_.inverses, to_make);
  } else {
    multiply<float>(narrow_.inverses, to_make);
  }
  for (const Product& product : to_make) {
    if (ready_ && problem_.has_gauge()) problem_.centre(*product.to);
  }
}

Preconditioner choose_preconditioner(const FitProblem& problem, const FitOptions& options) noexcept {
  if (options.preconditioner != Preconditioner::automatic) return options.preconditioner;
  // The whole Hessian at every step, if that costs little. Limits of 64 and 16 passes, seconds: waveform 0.027 and
  // 0.010, segment 0.025 and 0.010, glass 0.0014 and 0.0006.
  constexpr std::size_t kMostDirect = 1024;
  constexpr double kMostDirectPasses = 16;
  if (options.solver == Solver::newton && order(problem) * problem.classes() <= kMostDirect &&
      PreconditionerMatrix(problem, Preconditioner::full).cost(problem.rows()) <= kMostDirectPasses) {
    return Preconditioner::full;
  }
  const double n = static_cast<double>(order(problem)), classes = static_cast<double>(problem.classes());
  const double inverse_bytes = (problem.has_few_rows() ? 8 : 4) * n * n;
  if (2 * classes * inverse_bytes <= kMostBytes) return Preconditioner::blocks;
  constexpr double kFewestPairs = 1.0 / 16;  // of a class, in rows of its block
  if (pairs_pay(problem) && static_cast<double>(ClassBlocks::most_pairs(problem)) >= kFewestPairs * classes * n) {
    return Preconditioner::blocks;
  }
  if (6 * inverse_bytes <= kMostBytes) return Preconditioner::gram;
  return Preconditioner::diagonal;
}

}  // namespace lanemax
