// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/class_blocks.hpp"

#include "engine/fit/curvature/class_lines.hpp"
#include "engine/fit/curvature/curvature.hpp"
#include "engine/fit/row_buffers.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace lanemax {
namespace {

constexpr std::size_t kRich = 2, kGramRows = 4;  // pairs and rows for every row of a block
// So many drawn pairs for every row of a poor block say as much as the Gram matrix does. Passes to 2.3e-4 and 1e-7 with
// D / 4 pairs for each class and with D (5000 x 256 x 250), and to 2.3e-4 and 1e-6 on Fashion-MNIST:
//
//                       D / 4        D            Fashion-MNIST
//     0.1               33, 56       27, 44
//     0.2                                         40, 64
//     0.5               41, 70       26, 44       31, 53
//     1                 48, 88       30, 47       32, 55
//     0.2 Gram always   43, 76       30, 47       30, 51
//
// With rich blocks treated alike Fashion-MNIST takes 46 and 83.
constexpr double kEnough = 0.5;

// Rows that stay in L2 while all columns of a block are summed: 2048 of 785 columns took 1.4 times as long.
constexpr std::size_t kSlabRows = 128;

// Never all of the shared inverse is taken out: rounding could leave less than nothing.
constexpr float kMostTaken = 1 - 0x1p-17f;  // on either side

constexpr double kInverseCost = 2, kInnerInverseCost = 3;  // the inversion's products are small

double block_order(const FitProblem& problem) {
  return static_cast<double>(problem.features() + 1);
}

bool is_dual(std::size_t pairs, std::size_t order) {
  return pairs <= order;
}

/// What all inverses may take: half as much as the rows in f32, or as much as the pairs of L-BFGS.
double most_bytes(const FitProblem& problem) {
  constexpr double kMostBytes = 1 << 30;
  return std::max(kMostBytes, 2 * static_cast<double>(problem.rows()) * block_order(problem));
}

double bytes(const FitProblem& problem, double pairs) {
  const double order = block_order(problem), classes = static_cast<double>(problem.classes());
  const double n = pairs / classes;
  if (n > order) return sizeof(float) * classes * order * order;
  return sizeof(float) * (std::min(pairs, static_cast<double>(problem.rows())) * order + classes * n * n);
}

}  // namespace

double ClassBlocks::flops(const FitProblem& problem, std::size_t pairs) noexcept {
  const double order = block_order(problem), classes = static_cast<double>(problem.classes());
  const double rows = static_cast<double>(problem.rows());
  const double all = static_cast<double>(pairs), n = all / classes, order3 = order * order * order;
  const double draw = 2 * rows * classes * order;
  const double gram = curvature_flops(Preconditioner::gram, kGramRows * (problem.features() + 1), problem.features(),
                                      problem.classes());
  const double primal = all * order * order + kInverseCost * classes * order3;
  const double dual = kInverseCost * order3 + 2 * std::min(all, rows) * order * order +
                      classes * n * n * (order + kInnerInverseCost * n);
  return draw + gram + std::min(primal, dual);
}

std::size_t ClassBlocks::most_pairs(const FitProblem& problem) noexcept {
  const std::size_t all = problem.rows() * problem.classes();
  const double most = most_bytes(problem);
  if (bytes(problem, static_cast<double>(all)) <= most) return all;
  std::size_t good = 0, bad = all;
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    (bytes(problem, static_cast<double>(middle)) <= most ? good : bad) = middle;
  }
  return good;
}

// Two and a half times as many for each class as its block has rows, or, where that is at most a quarter of the work, a
// sixteenth: mfeat-pixel, whose 10 classes share little, takes 79 passes with the few and 46 when it waits.
std::size_t ClassBlocks::fewest_pairs(const FitProblem& problem) noexcept {
  const std::size_t of_all = problem.classes() * (problem.features() + 1), most = most_pairs(problem);
  const std::size_t rich = std::max(problem.rows() / 2, of_all * 5 / 2);
  const std::size_t few = std::min(std::max(problem.rows() / 2, of_all / 16), most);
  return rich > most || flops(problem, few) <= flops(problem, rich) / 4 ? few : rich;
}

namespace {

/// Rows of a matrix, one after the other.
void gather_rows(const Kernels<float>& kernel, const float* from, std::size_t stride,
                 const std::vector<std::uint32_t>& rows, float* to) {
  LoadArgs<float> load;
  load.data = from;
  load.stride = load.features = load.out_stride = stride;
  load.rows = rows.data();
  load.count = rows.size();
  load.out = to;
  kernel.load(load);
}

}  // namespace

/// Makes the inverses of a sample.
class ClassBlocks::Maker {
 public:
  Maker(const FitProblem& problem, const PairSample& sample, const Buffer<float>& gram, bool keep);

  /// Into one that is empty.
  bool sum_and_invert(Inverses& made, const Control* control);
  /// Anew, from what was kept: the penalty has changed.
  bool invert(Inverses& made);

 private:
  /// What a thread works with.
  struct Scratch {
    Scratch(const SymmetricShape& shape, std::size_t most_dual_rows)
        : rows(std::max(kSlabRows, most_dual_rows), shape.columns()),
          lines(std::max(kSlabRows, most_dual_rows) * shape.columns()),
          tile((kSlabRows + 1) * SymmetricShape::kGroup),
          work(std::max(shape.count(), most_dual_rows * most_dual_rows)),
          panels(lines.size()),
          zeros(std::max(shape.columns(), most_dual_rows)),
          roots(most_dual_rows),
          inverse(std::max(shape.n, most_dual_rows)) {}
    OwnedRowBuffers<float> rows;
    Buffer<float> lines, tile, work, panels, zeros, roots;
    InverseScratch<float> inverse;
  };

  [[nodiscard]] std::size_t classes() const { return problem_.classes(); }
  [[nodiscard]] std::size_t pairs_of(std::size_t c) const { return sample_.begin[c + 1] - sample_.begin[c]; }
  [[nodiscard]] double weight_of(const Block& block, std::size_t pair) const {
    const double w = sample_.weights[pair];
    return (w > sample_.tau ? w : block.drawn * w) / sample_.total_weight;
  }
  /// Where a block's sums are: what will be its inverse, if they are not kept.
  [[nodiscard]] const Buffer<float>& sums_of(const Block& block) const {
    return keep_ ? block.curvature : block.inverse;
  }

  void make_room(Inverses& made);
  bool invert_base(Inverses& made);
  RowBlock<float> load(const Batch& rows, std::size_t first, std::size_t end, const Scratch& scratch) const;
  void sum_block(std::size_t c, std::size_t part, std::size_t parts, const Block& block, const Scratch& scratch) const;
  bool invert_block(std::size_t c, const Inverses& made, Scratch& scratch) const;
  bool invert_sums(const Buffer<float>& sums, double factor, Scratch& scratch, const Team& team,
                   const Buffer<float>& inverse) const;
  bool invert_dual(std::size_t c, const Inverses& made, Scratch& scratch) const;

  const FitProblem& problem_;
  const Kernels<float>& kernel_;
  const PairSample& sample_;
  const Buffer<float>& gram_;
  bool keep_;
  SymmetricShape shape_;
  Batch data_;  // a row for each pair
  std::vector<Scratch> scratch_;
};

ClassBlocks::Maker::Maker(const FitProblem& problem, const PairSample& sample, const Buffer<float>& gram, bool keep)
    : problem_(problem),
      kernel_(problem.table().f32),
      sample_(sample),
      gram_(gram),
      keep_(keep),
      shape_{problem.features() + 1},
      data_(problem.data()) {
  data_.selection = sample.rows;
  std::size_t most_dual_rows = 0;
  for (std::size_t c = 0; c < classes(); ++c) {
    if (is_dual(pairs_of(c), shape_.n)) most_dual_rows = std::max(most_dual_rows, round_up(pairs_of(c), kPanel));
  }
  const int threads = problem.threads_for(problem.pass_flops());
  for (int i = 0; i < threads; ++i) scratch_.emplace_back(shape_, most_dual_rows);
}

void ClassBlocks::Maker::make_room(Inverses& made) {
  std::vector<double> all(classes()), drawn(classes());  // curvature
  double mean = 0;
  made.blocks.resize(classes());
  for (std::size_t c = 0; c < classes(); ++c) {
    double pairs = 0;
    for (std::size_t i = sample_.begin[c]; i < sample_.begin[c + 1]; ++i) {
      const double w = sample_.weights[i];
      all[c] += w;
      if (w > sample_.tau) continue;
      drawn[c] += w;
      ++pairs;
    }
    const bool is_rich = pairs_of(c) >= kRich * shape_.n;
    made.blocks[c].drawn = is_rich ? 1 : pairs / (pairs + kEnough * static_cast<double>(shape_.n));
    mean += all[c] / static_cast<double>(classes());
  }
  std::vector<std::uint32_t> line_of;  // 1 + the line of Y, of each row
  std::size_t duals = 0;
  for (std::size_t c = 0; c < classes(); ++c) {
    Block& block = made.blocks[c];
    block.shared = all[c] > 0 ? (1 - block.drawn) * drawn[c] / mean : 1;
    if (!is_dual(pairs_of(c), shape_.n)) {
      block.inverse = Buffer<float>(shape_.count());
      if (keep_) block.curvature = Buffer<float>(shape_.count());
      continue;
    }
    ++duals;
    made.shared += block.shared;
    block.inner_shape.n = round_up(pairs_of(c), kPanel);
    block.inner = Buffer<float>(block.inner_shape.count());
    for (std::size_t i = sample_.begin[c]; i < sample_.begin[c + 1]; ++i) {
      const std::uint32_t row = sample_.rows[i];
      if (row >= line_of.size()) line_of.resize(std::size_t{row} + 1);
      if (line_of[row] == 0) {
        made.y_rows.push_back(row);
        line_of[row] = static_cast<std::uint32_t>(made.y_rows.size());
      }
      block.rows.push_back(line_of[row] - 1);
    }
  }
  if (duals == 0) return;
  made.shared /= static_cast<double>(duals);
  made.base = Buffer<float>(shape_.count());
  made.y = Buffer<float>(made.y_rows.size() * shape_.columns());
}

// Classes some at a time: enough for all threads, little enough to ask the caller now and then.
bool ClassBlocks::Maker::sum_and_invert(Inverses& made, const Control* control) {
  constexpr double kFlops = 2e10;  // some tenths of a second
  make_room(made);
  if (!invert_base(made)) return false;
  const std::size_t team_size = scratch_.size();
  const double each = flops(problem_, sample_.rows.size()) / static_cast<double>(classes());
  const std::size_t together = std::max(4 * team_size, static_cast<std::size_t>(kFlops / each));
  std::atomic<bool> good{true};
  for (std::size_t begin = 0; begin < classes() && good.load(); begin += together) {
    if (control != nullptr && control->cancelled()) return false;
    const std::size_t count = std::min(together, classes() - begin);
    // Where there are few blocks, their columns are shared out.
    const std::size_t parts = std::min(shape_.groups(), (2 * team_size + count - 1) / count);
    parallel(static_cast<int>(team_size), [&](const Team& team) {
      Scratch& scratch = scratch_[team.rank()];
      team.for_each(count * parts, [&](std::size_t item) {
        const std::size_t c = begin + item / parts;
        if (!made.blocks[c].is_dual()) sum_block(c, item % parts, parts, made.blocks[c], scratch);
      });
      team.for_each(count, [&](std::size_t item) {
        if (!invert_block(begin + item, made, scratch)) good.store(false);
      });
    });
  }
  return good.load();
}

bool ClassBlocks::Maker::invert(Inverses& made) {
  if (!invert_base(made)) return false;
  std::atomic<bool> good{true};
  parallel(static_cast<int>(scratch_.size()), [&](const Team& team) {
    team.for_each(classes(), [&](std::size_t c) {
      if (!invert_block(c, made, scratch_[team.rank()])) good.store(false);
    });
  });
  return good.load();
}

bool ClassBlocks::Maker::invert_block(std::size_t c, const Inverses& made, Scratch& scratch) const {
  const Block& block = made.blocks[c];
  if (block.is_dual()) return invert_dual(c, made, scratch);
  return invert_sums(sums_of(block), 1, scratch, Team(0, 1), block.inverse);
}

// G^-1, and Y.
bool ClassBlocks::Maker::invert_base(Inverses& made) {
  if (made.base.empty()) return true;
  Batch rows = data_;
  rows.selection = made.y_rows;
  std::atomic<bool> good{true};
  parallel(static_cast<int>(scratch_.size()), [&](const Team& team) {
    if (!invert_sums(gram_, made.shared, scratch_[0], team, made.base)) return good.store(false);
    const Scratch& scratch = scratch_[team.rank()];
    team.for_each((made.y_rows.size() + kSlabRows - 1) / kSlabRows, [&](std::size_t slab) {
      const std::size_t first = slab * kSlabRows, end = std::min(first + kSlabRows, made.y_rows.size());
      multiply_lines(kernel_, shape_.n, shape_.columns(), made.base.data(), load(rows, first, end, scratch),
                     scratch.zeros.data(), scratch.panels.data(), made.y.data() + first * shape_.columns());
    });
  });
  return good.load();
}

// (factor sums + penalty)^-1, by a team that shares the scratch.
bool ClassBlocks::Maker::invert_sums(const Buffer<float>& sums, double factor, Scratch& scratch, const Team& team,
                                     const Buffer<float>& inverse) const {
  const float* const work = scratch.work.data();
  const auto assemble = [&](double ridge) { penalise(problem_, sums.data(), factor, ridge, scratch.work.data()); };
  if (!invert_with_ridge(kernel_, shape_, scratch.work.data(), scratch.inverse, team, assemble)) return false;
  team.once([&] { spread(shape_, work, inverse.data()); });
  return true;
}

// Rows [first, end) of those, at the beginning of the buffer.
RowBlock<float> ClassBlocks::Maker::load(const Batch& rows, std::size_t first, std::size_t end,
                                         const Scratch& scratch) const {
  const RowBuffers<float> buffers = scratch.rows.at(0);
  const RowSource<float> source(rows, problem_.objective(), kernel_);
  static_cast<void>(source.load(first, end, buffers));
  for (std::size_t n = 0; n < end - first; ++n)
    buffers.values[n * buffers.stride + shape_.n - 1] = problem_.has_bias() ? 1 : 0;
  return {buffers.values, buffers.stride, end - first};
}

// Every parts-th group of columns: the first have more rows than the last.
void ClassBlocks::Maker::sum_block(std::size_t c, std::size_t part, std::size_t parts, const Block& block,
                                   const Scratch& scratch) const {
  float* const sums = sums_of(block).data();
  const std::size_t begin = sample_.begin[c], end = sample_.begin[c + 1];
  for (std::size_t first = begin; first < end; first += kSlabRows) {
    const RowBlock<float> rows = load(data_, first, std::min(first + kSlabRows, end), scratch);
    const auto weight = [&](std::size_t n) { return static_cast<float>(weight_of(block, first + n)); };
    for (std::size_t group = part; group < shape_.groups(); group += parts) {
      add_weighted_group(kernel_, shape_, group, rows, weight, {scratch.tile.data(), kSlabRows + 1}, sums,
                         first > begin);
    }
  }
  const auto shared = static_cast<float>(block.shared);
  for (std::size_t group = part; group < shape_.groups(); group += parts) {
    const std::size_t from = shape_.group_begin(group) * shape_.n;
    const std::size_t to = std::min(shape_.count(), from + SymmetricShape::kGroup * shape_.n);
    for (std::size_t i = from; i < to; ++i) sums[i] += shared * gram_[i];
  }
}

bool ClassBlocks::Maker::invert_dual(std::size_t c, const Inverses& made, Scratch& scratch) const {
  const Block& block = made.blocks[c];
  const SymmetricShape& inner = block.inner_shape;
  const std::size_t begin = sample_.begin[c], pairs = pairs_of(c), stride = shape_.columns();
  if (pairs == 0) return true;
  const RowBlock<float> rows = load(data_, begin, begin + pairs, scratch);
  gather_rows(kernel_, made.y.data(), stride, block.rows, scratch.lines.data());
  fill_panels<float>({scratch.lines.data(), stride, pairs}, 0, pairs, shape_.n, scratch.panels.data());
  float* const roots = scratch.roots.data();
  for (std::size_t i = 0; i < inner.n; ++i)
    roots[i] = i < pairs ? static_cast<float>(std::sqrt(weight_of(block, begin + i))) : 0;
  // The panels' entries times the roots of their row and column; 0 where there is no pair.
  const auto weigh = [&](const Buffer<float>& matrix) {
    for (std::size_t panel = 0; panel < inner.n / kPanel; ++panel) {
      for (std::size_t i = 0; i < inner.n; ++i) {
        float* const entry = matrix.data() + inner.index(i, panel * kPanel);
        for (std::size_t lane = 0; lane < kPanel; ++lane) {
          const float root = roots[i] * roots[panel * kPanel + lane];
          entry[lane] = root == 0 ? 0 : root * entry[lane];
        }
      }
    }
  };
  const auto assemble = [&](double ridge) {  // I + A U'; of the columns of a group all rows from the first on
    for (std::size_t group = 0; group < inner.groups(); ++group) {
      const std::size_t first = inner.group_begin(group), width = inner.group_end(group) - first;
      if (first >= pairs) break;
      kernel_.logits(panel_product<float>({rows.data + first * stride, stride, pairs - first}, shape_.n, width,
                                          scratch.panels.data() + first * shape_.n, scratch.zeros.data(),
                                          scratch.work.data() + (first * inner.n + first * kPanel), inner.n));
    }
    weigh(scratch.work);
    for (std::size_t i = 0; i < inner.n; ++i) scratch.work[inner.index(i, i)] += static_cast<float>(1 + ridge);
  };
  if (!invert_with_ridge(kernel_, inner, scratch.work.data(), scratch.inverse, Team(0, 1), assemble)) return false;
  spread(inner, scratch.work.data(), block.inner.data());
  for (std::size_t i = 0; i < inner.n; ++i) roots[i] *= kMostTaken;
  weigh(block.inner);
  return true;
}

bool ClassBlocks::refresh(const Vector& x, std::size_t pairs, const Control* control) {
  PairSample sample;
  if (!sample_pairs<float>(problem_, x, static_cast<double>(pairs), sample, control)) return false;
  const std::size_t order = problem_.features() + 1;
  Buffer<float> gram;
  if (!sum_curvature(problem_, x, Preconditioner::gram, kGramRows * order, gram, control)) return false;
  inverses_ = {};  // there may not be room for two of them
  Inverses made;
  if (!Maker(problem_, sample, gram, keep_).sum_and_invert(made, control)) return false;
  inverses_ = std::move(made);
  if (keep_) {
    sample_ = std::move(sample);
    gram_ = std::move(gram);
  }
  return true;
}

bool ClassBlocks::penalty_changed() {
  return !inverses_.blocks.empty() && Maker(problem_, sample_, gram_, keep_).invert(inverses_);
}

void ClassBlocks::apply(const std::span<const Product>& products) const {
  const SymmetricShape shape{problem_.features() + 1};
  const std::size_t classes = problem_.classes(), stride = shape.columns(), count = products.size();
  const Kernels<float>& kernel = problem_.table().f32;
  std::size_t most_rows = 0;  // of a dual block
  for (const Block& block : inverses_.blocks) most_rows = std::max(most_rows, block.inner_shape.n);
  const double flops = 2.0 * static_cast<double>(count * classes * shape.count());
  const int threads = problem_.threads_for(flops);
  // A class's lines of numbers, one for each product, and what becomes of them; for each thread what is between.
  const std::size_t lines_size = count * stride;
  const Buffer<float> in(classes * lines_size), result(classes * lines_size), zeros(std::max(stride, most_rows));
  const std::size_t panels_size = std::max(kPanel * lines_size, count * most_rows);
  const std::size_t scratch_size = panels_size + 2 * count * most_rows + most_rows * stride + lines_size;
  const Buffer<float> scratch(static_cast<std::size_t>(threads) * scratch_size);
  for (std::size_t i = 0; i < count; ++i) gather_lines(problem_, *products[i].of, in.data() + i * stride, lines_size);
  parallel(threads, [&](const Team& team) {
    float* const panels = scratch.data() + team.rank() * scratch_size;
    if (!inverses_.base.empty()) {
      team.for_each(panel_count(classes), [&](std::size_t item) {
        const std::size_t first = item * kPanel * lines_size, some = std::min(kPanel, classes - item * kPanel);
        multiply_lines(kernel, shape.n, stride, inverses_.base.data(), {in.data() + first, stride, some * count},
                       zeros.data(), panels, result.data() + first);
      });
    }
    team.for_each(classes, [&](std::size_t c) {
      const Block& block = inverses_.blocks[c];
      const std::size_t n = block.inner_shape.n;
      const RowBlock<float> lines{in.data() + c * lines_size, stride, count};
      float* const to = result.data() + c * lines_size;
      if (!block.is_dual()) {
        return multiply_lines(kernel, shape.n, stride, block.inverse.data(), lines, zeros.data(), panels, to);
      }
      if (n == 0) return;
      // to -= (Y's rows)' inner (Y's rows) line: a pass over these rows, the lines for weights of so many classes.
      float* const before = panels + panels_size;
      float* const after = before + count * n;
      float* const rows = after + count * n;
      float* const taken = rows + n * stride;
      gather_rows(kernel, inverses_.y.data(), stride, block.rows, rows);
      const RowBlock<float> x{rows, stride, block.rows.size()};
      kernel.logits(logits_product<float>(x, shape.n, count, lines.data, zeros.data(), LogitsForm::dot, before, n));
      for (std::size_t i = 0; i < count; ++i) std::fill(before + i * n + x.count, before + (i + 1) * n, 0.0f);
      multiply_lines(kernel, n, n, block.inner.data(), {before, n, count}, zeros.data(), panels, after);
      kernel.gradient(gradient_product<float>(x, after, n, shape.n, count, taken, false));
      for (std::size_t i = 0; i < lines_size; ++i) to[i] -= taken[i];
    });
  });
  for (std::size_t i = 0; i < count; ++i)
    scatter_lines(problem_, result.data() + i * stride, lines_size, *products[i].to);
}

}  // namespace lanemax
