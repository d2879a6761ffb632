// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/class_blocks.hpp"

#include "engine/fit/class_lines.hpp"
#include "engine/fit/curvature.hpp"
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
constexpr float kMostTaken = 1 - 0x1p-16f;

constexpr double kInverseCost = 2;  // the inversion's products are small

double block_order(const FitProblem& problem) {
  return static_cast<double>(problem.features() + 1);
}

// The operations of one class's inverse, from n pairs.
double primal_flops(double n, double order) {
  return n * order * order + kInverseCost * order * order * order;
}
double dual_flops(double n, double order) {
  return 2 * n * order * order + 2 * n * n * order + kInverseCost * n * n * n;
}

bool is_dual(std::size_t pairs, std::size_t order) {
  const auto n = static_cast<double>(pairs), d = static_cast<double>(order);
  return dual_flops(n, d) < primal_flops(n, d);
}

double near_power_of_2(double part) {
  constexpr double kLeast = 0x1p-10;
  return part > kLeast ? std::exp2(std::round(std::log2(part))) : kLeast;
}

/// What all inverses may take: half as much as the rows in f32, or as much as the pairs of L-BFGS.
double most_bytes(const FitProblem& problem) {
  constexpr double kMostBytes = 1 << 30;
  return std::max(kMostBytes, 2 * static_cast<double>(problem.rows()) * block_order(problem));
}

}  // namespace

double ClassBlocks::flops(const FitProblem& problem, std::size_t pairs) noexcept {
  const double order = block_order(problem), classes = static_cast<double>(problem.classes());
  const double n = static_cast<double>(pairs) / classes;
  double sum = static_cast<double>(problem.rows()) * 2 * classes * order;
  sum += classes * std::min(primal_flops(n, order), dual_flops(n, order));
  sum += curvature_flops(Preconditioner::gram, kGramRows * (problem.features() + 1), problem.features(),
                         problem.classes()) +
         kInverseCost * order * order * order;
  return sum;
}

std::size_t ClassBlocks::most_pairs(const FitProblem& problem) noexcept {
  const double order = block_order(problem), classes = static_cast<double>(problem.classes());
  const double of_class = most_bytes(problem) / (sizeof(float) * classes);
  if (of_class >= order * order) return problem.rows() * problem.classes();
  // n (D + n)
  const double n = (std::sqrt(order * order + 4 * of_class) - order) / 2;
  return static_cast<std::size_t>(n * classes);
}

std::size_t ClassBlocks::fewest_pairs(const FitProblem& problem) noexcept {
  constexpr std::size_t kPart = 16;
  const std::size_t few = problem.classes() * (problem.features() + 1) / kPart;
  return std::min(std::max(problem.rows() / 2, few), most_pairs(problem));
}

/// Makes the inverses of a sample.
class ClassBlocks::Maker {
 public:
  Maker(const FitProblem& problem, const PairSample& sample, const Buffer<float>& gram, bool keep);

  /// With the blocks' sums, which `made` is empty before.
  bool sum_and_invert(Inverses& made, const Control* control);
  /// With those that were kept.
  bool invert(Inverses& made);

 private:
  /// What a thread works with.
  struct Scratch {
    Scratch(const SymmetricShape& shape, std::size_t most_dual_rows)
        : rows(std::max(kSlabRows, most_dual_rows), shape.columns()),
          tile((kSlabRows + 1) * SymmetricShape::kGroup),
          work(std::max(shape.count(), most_dual_rows * most_dual_rows)),
          product(most_dual_rows * shape.columns()),
          zeros(std::max(shape.columns(), most_dual_rows)),
          inverse(std::max(shape.n, most_dual_rows)) {}
    OwnedRowBuffers<float> rows;
    Buffer<float> tile, work, product, zeros;
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
    return keep_ ? block.curvature : block.matrix;
  }

  void make_room(Inverses& made);
  bool invert_bases(Inverses& made);
  void load(std::size_t first, std::size_t end, const Scratch& scratch) const;
  void sum_block(std::size_t c, std::size_t part, std::size_t parts, const Block& block, const Scratch& scratch) const;
  bool invert_block(std::size_t c, const Inverses& made, Scratch& scratch) const;
  bool invert_sums(const Buffer<float>& sums, double factor, Scratch& scratch, const Team& team,
                   const Buffer<float>& inverse) const;
  bool invert_dual(std::size_t c, const Buffer<float>& base, const Block& block, Scratch& scratch) const;

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
  data_.selection = sample.rows.data();
  data_.selected = sample.rows.size();
  std::size_t most_dual_rows = 0;
  for (std::size_t c = 0; c < classes(); ++c) {
    if (is_dual(pairs_of(c), shape_.n)) most_dual_rows = std::max(most_dual_rows, round_up(pairs_of(c), kPanel));
  }
  const int threads = usable_threads(problem.threads(), problem.pass_flops(), problem.table().blocks.serial_flops);
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
  for (std::size_t c = 0; c < classes(); ++c) {
    Block& block = made.blocks[c];
    const double replaced = all[c] > 0 ? (1 - block.drawn) * drawn[c] : mean;
    block.shared = block.drawn == 1 ? 0 : near_power_of_2(replaced / mean);
    block.is_dual = is_dual(pairs_of(c), shape_.n);
    if (block.is_dual) {
      const auto is_its = [&block](const Base& base) { return base.shared == block.shared; };
      auto base = std::find_if(made.bases.begin(), made.bases.end(), is_its);
      if (base == made.bases.end()) base = made.bases.insert(base, {block.shared, {}, Buffer<float>(shape_.count())});
      base->classes.push_back(c);
      block.inner_shape.n = round_up(pairs_of(c), kPanel);
      block.inner = Buffer<float>(block.inner_shape.count());
    } else if (keep_) {
      block.curvature = Buffer<float>(shape_.count());
    }
    block.matrix = Buffer<float>(block.is_dual ? block.inner_shape.n * shape_.n : shape_.count());
  }
}

// Classes some at a time: enough for all threads, little enough to ask the caller now and then.
bool ClassBlocks::Maker::sum_and_invert(Inverses& made, const Control* control) {
  constexpr double kFlops = 2e10;  // some tenths of a second
  make_room(made);
  if (!invert_bases(made)) return false;
  const std::size_t team_size = scratch_.size();
  const double each = primal_flops(static_cast<double>(sample_.rows.size()) / static_cast<double>(classes()),
                                   static_cast<double>(shape_.n));
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
        if (!made.blocks[c].is_dual) sum_block(c, item % parts, parts, made.blocks[c], scratch);
      });
      team.for_each(count, [&](std::size_t item) {
        if (!invert_block(begin + item, made, scratch)) good.store(false);
      });
    });
  }
  return good.load();
}

bool ClassBlocks::Maker::invert(Inverses& made) {
  if (!invert_bases(made)) return false;
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
  if (!block.is_dual) return invert_sums(sums_of(block), 1, scratch, Team(0, 1), block.matrix);
  for (const Base& base : made.bases) {
    if (base.shared == block.shared) return invert_dual(c, base.inverse, block, scratch);
  }
  return false;
}

bool ClassBlocks::Maker::invert_bases(Inverses& made) {
  std::atomic<bool> good{true};
  parallel(static_cast<int>(scratch_.size()), [&](const Team& team) {
    for (const Base& base : made.bases) {
      if (!invert_sums(gram_, base.shared, scratch_[0], team, base.inverse)) good.store(false);
    }
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

// The rows of pairs [first, end), at the beginning of the buffer.
void ClassBlocks::Maker::load(std::size_t first, std::size_t end, const Scratch& scratch) const {
  const RowBuffers<float> buffers = scratch.rows.at(0);
  const RowSource<float> source(data_, problem_.objective(), kernel_);
  static_cast<void>(source.load(first, end, buffers));
  for (std::size_t n = 0; n < end - first; ++n) buffers.values[n * buffers.stride + shape_.n - 1] = 1;
}

// Every parts-th group of columns: the first have more rows than the last.
void ClassBlocks::Maker::sum_block(std::size_t c, std::size_t part, std::size_t parts, const Block& block,
                                   const Scratch& scratch) const {
  float* const sums = sums_of(block).data();
  const std::size_t begin = sample_.begin[c], end = sample_.begin[c + 1];
  for (std::size_t first = begin; first < end; first += kSlabRows) {
    const RowBlock<float> rows{scratch.rows.values.data(), shape_.columns(), std::min(kSlabRows, end - first)};
    load(first, first + rows.count, scratch);
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

bool ClassBlocks::Maker::invert_dual(std::size_t c, const Buffer<float>& base, const Block& block,
                                     Scratch& scratch) const {
  const std::size_t n = block.inner_shape.n, order = shape_.n, begin = sample_.begin[c], pairs = pairs_of(c);
  if (n == 0) return true;
  float* const rows = scratch.rows.values.data();
  load(begin, begin + pairs, scratch);
  for (std::size_t i = 0; i < n; ++i) {
    const float root = i < pairs ? static_cast<float>(std::sqrt(weight_of(block, begin + i))) : 0;
    float* const row = rows + i * shape_.columns();
    for (std::size_t d = 0; d < order; ++d) row[d] = i < pairs ? root * row[d] : 0;
  }
  LogitsArgs<float> product;
  product.x = {rows, shape_.columns(), n};
  product.features = order;
  product.bias = scratch.zeros.data();
  product.capacity = n;
  product.form = LogitsForm::panel;
  product.classes = shape_.columns();
  product.weights = base.data();
  product.logits = scratch.product.data();
  kernel_.logits(product);  // U, in panels of 16 of its columns
  float* const u = block.matrix.data();
  for (std::size_t d = 0; d < order; ++d) {
    const float* from = scratch.product.data() + d / kPanel * n * kPanel + d % kPanel;
    for (std::size_t i = 0; i < n; ++i) u[(i / kPanel * order + d) * kPanel + i % kPanel] = from[i * kPanel];
  }
  product.classes = n;
  product.weights = u;
  product.logits = scratch.work.data();
  const SymmetricShape& inner = block.inner_shape;
  const auto assemble = [&](double ridge) {
    kernel_.logits(product);  // A U'
    for (std::size_t i = 0; i < n; ++i) scratch.work[inner.index(i, i)] += static_cast<float>(1 + ridge);
  };
  if (!invert_with_ridge(kernel_, inner, scratch.work.data(), scratch.inverse, Team(0, 1), assemble)) return false;
  spread(inner, scratch.work.data(), block.inner.data());
  for (std::size_t i = 0; i < inner.count(); ++i) block.inner[i] *= kMostTaken;
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
  std::size_t most_dual_rows = 0;
  for (const Block& block : inverses_.blocks) most_dual_rows = std::max(most_dual_rows, block.inner_shape.n);
  const double flops = 2.0 * static_cast<double>(count * classes * shape.count());
  const int threads = usable_threads(problem_.threads(), flops, problem_.table().blocks.serial_flops);
  // A class's lines of numbers, one for each product, and what becomes of them; for each thread what is between.
  const std::size_t lines_size = count * stride, longest = std::max(stride, most_dual_rows);
  const Buffer<float> in(classes * lines_size), result(classes * lines_size), zeros(longest);
  const std::size_t scratch_size = std::max(3 * kPanel * lines_size, 3 * count * longest);
  const Buffer<float> scratch(static_cast<std::size_t>(threads) * scratch_size);
  struct Together {  // some classes of one base
    const Base* base;
    std::size_t first, count;
  };
  std::vector<Together> together;
  for (const Base& base : inverses_.bases) {
    for (std::size_t i = 0; i < base.classes.size(); i += kPanel)
      together.push_back({&base, i, std::min(kPanel, base.classes.size() - i)});
  }
  for (std::size_t i = 0; i < count; ++i) gather_lines(problem_, *products[i].of, in.data() + i * stride, lines_size);
  parallel(threads, [&](const Team& team) {
    float* const mine = scratch.data() + team.rank() * scratch_size;
    team.for_each(together.size(), [&](std::size_t item) {
      const Together& some = together[item];
      const std::size_t* const c = some.base->classes.data() + some.first;
      float* const lines = mine;
      float* const multiplied = lines + kPanel * lines_size;
      for (std::size_t i = 0; i < some.count; ++i)
        std::copy_n(in.data() + c[i] * lines_size, lines_size, lines + i * lines_size);
      multiply_lines(kernel, shape.n, stride, some.base->inverse.data(), {lines, stride, some.count * count},
                     zeros.data(), multiplied + kPanel * lines_size, multiplied);
      for (std::size_t i = 0; i < some.count; ++i)
        std::copy_n(multiplied + i * lines_size, lines_size, result.data() + c[i] * lines_size);
    });
    team.for_each(classes, [&](std::size_t c) {
      const Block& block = inverses_.blocks[c];
      const std::size_t n = block.inner_shape.n;
      const RowBlock<float> lines{in.data() + c * lines_size, stride, count};
      float* const to = result.data() + c * lines_size;
      float* const panels = mine;
      float* const between = panels + count * longest;
      float* const taken = between + count * longest;
      if (!block.is_dual) {
        return multiply_lines(kernel, shape.n, stride, block.matrix.data(), lines, zeros.data(), panels, to);
      }
      if (n == 0) return;
      multiply_lines(kernel, shape.n, n, block.matrix.data(), lines, zeros.data(), panels, between);
      multiply_lines(kernel, n, n, block.inner.data(), {between, n, count}, zeros.data(), panels, taken);
      FeatureGradientArgs<float> back;
      back.dlogits = panels;
      back.capacity = back.rows = count;
      back.features = shape.n;
      back.classes = n;
      back.weights = block.matrix.data();
      back.dfeatures = taken;
      back.stride = stride;
      kernel.feature_gradient(back);
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t d = 0; d < shape.n; ++d) to[i * stride + d] -= taken[i * stride + d];
      }
    });
  });
  for (std::size_t i = 0; i < count; ++i)
    scatter_lines(problem_, result.data() + i * stride, lines_size, *products[i].to);
}

}  // namespace lanemax
