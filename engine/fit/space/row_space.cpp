// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/space/row_space.hpp"

#include "engine/fail.hpp"
#include "engine/fit/curvature/symmetric.hpp"
#include "engine/fit/row_buffers.hpp"
#include "engine/parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lanemax {
namespace {

constexpr std::size_t kRows = 64;  // whose products with all others are one item of work

/// Columns of X that are worked on together: as many as stay in cache for all rows.
std::size_t slice_columns(std::size_t rows) {
  constexpr std::size_t kSlice = std::size_t{1} << 17;
  return std::clamp(kSlice / rows / kPanel * kPanel, 8 * kPanel, std::size_t{4096});
}

/// A slice of columns of some rows, as the left-hand side of products and as the right-hand one.
struct Slice {
  RowBlock<double> rows;
  const double* panels = nullptr;  // [ceil(N / 16)][columns][16]
  std::size_t columns = 0;
};

/// to[c][r] += sign * <row r of a, row c of b> for rows [begin, end) of a and the first `count` rows of b, in panels of
/// 16 rows of b, each with a line for each of the `lines` rows of a: the layout of logits, and of a SymmetricShape.
void add_products(const Kernels<double>& kernel, const Slice& a, std::size_t begin, std::size_t end, const Slice& b,
                  std::size_t count, double sign, const Buffer<double>& scratch, double* to, std::size_t lines) {
  const std::size_t rows = end - begin, panels = panel_count(count);
  const double* const zeros = scratch.data();
  double* const products = scratch.data() + scratch.size() / (kRows + 1);
  const RowBlock<double> x{a.rows.data + begin * a.rows.stride, a.rows.stride, rows};
  kernel.logits(panel_product(x, a.columns, panels * kPanel, b.panels, zeros, products, rows));
  for (std::size_t panel = 0; panel < panels; ++panel) {
    const double* from = products + panel * rows * kPanel;
    double* out = to + (panel * lines + begin) * kPanel;
    for (std::size_t i = 0; i < rows * kPanel; ++i) out[i] += sign * from[i];
  }
}
/// For products with up to `count` rows.
std::size_t product_scratch(std::size_t count) {
  return bias_count(count) * (kRows + 1);
}

// Selected rows are always loaded into the buffers that are given.
Batch select(const Batch& data, const std::vector<std::uint32_t>& rows) {
  Batch selected = data;
  selected.selection = rows;
  return selected;
}

}  // namespace

bool RowSpace::pays(std::size_t rows, std::size_t features, std::size_t classes) noexcept {
  // The products take rows / (4 classes) passes over X, and each later pass costs rows / features of one: the diagonal
  // that would otherwise be left of the curvature took 14,634 passes over 120 x 5000 and was not there yet.
  constexpr double kMostPasses = 1000, kMostBytes = 1e9;
  const double n = static_cast<double>(rows);
  return rows < features && n <= 4 * kMostPasses * static_cast<double>(classes) &&
         2 * sizeof(double) * n * n <= kMostBytes;
}

RowSpace::RowSpace(const FitProblem& problem, std::vector<double> weight_of_penalty)
    : problem_(problem), inverse_(std::move(weight_of_penalty)) {
  inverse_.resize(problem.features(), inverse_.front());
  for (double& w : inverse_) w = 1 / w;
  for_each_kept_row(problem.data(), problem.objective().ignored_label,
                    [this](std::size_t row, double) { rows_.push_back(static_cast<std::uint32_t>(row)); });
}

double RowSpace::flops() const noexcept {
  const double n = static_cast<double>(rows_.size());
  return n * n * static_cast<double>(problem_.features());
}

int RowSpace::team_size(std::size_t items, double flops) const {
  return static_cast<int>(std::min(items, static_cast<std::size_t>(problem_.threads_for(flops))));
}

Status RowSpace::find(const Control& control) {
  const std::size_t n = rows_.size();
  Buffer<double> gram(SymmetricShape{n}.count());
  if (!sum_products(gram, control)) return fail(StatusCode::interrupted, "fit", "");
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += gram[SymmetricShape{n}.index(i, i)];
  if (!std::isfinite(sum)) {
    const Status bad = find_bad_feature(problem_.data(), problem_.objective().ignored_label);
    return bad.ok() ? fail(StatusCode::overflow, "features", "rows whose squares are within the range of double") : bad;
  }
  // Coordinates about as large as 1: a power of 2 costs nothing.
  const double size = std::sqrt(sum / static_cast<double>(n));
  unit_ = size > 0 ? std::exp2(std::round(std::log2(size))) : 1;
  factor(gram);
  own_.view.features = {own_.coordinates.data(), FeatureType::f64, n, rank(), n};
  copy_targets(problem_.data(), rows_, own_);
  return {};
}

// Columns [begin, begin + columns) of rows [first, end) of a batch that all take part.
void RowSpace::load_columns(const Batch& rows, std::size_t first, std::size_t end, std::size_t begin,
                            std::size_t columns, const RowBuffers<double>& buffers) const {
  Batch part = rows;
  part.features = rows.features.columns(begin, columns);
  if (!part.scaling.centre.empty()) part.scaling.centre = part.scaling.centre.subspan(begin, columns);
  if (!part.scaling.factor.empty()) part.scaling.factor = part.scaling.factor.subspan(begin, columns);
  const RowSource<double> source(part, problem_.objective(), problem_.table().f64);
  static_cast<void>(source.load(first, end, buffers));
}

// The inner products of all rows: entry (i, j) at SymmetricShape::kept(i, j).
bool RowSpace::sum_products(Buffer<double>& gram, const Control& control) const {
  const std::size_t n = rows_.size(), features = problem_.features(), blocks = (n + kRows - 1) / kRows;
  const std::size_t most_columns = slice_columns(n);
  const Kernels<double>& kernel = problem_.table().f64;
  const Batch rows = select(problem_.data(), rows_);
  const OwnedRowBuffers<double> left(round_up(n, kPanel), most_columns), right(n, most_columns);
  const Buffer<double> panels(bias_count(n) * most_columns);
  const int threads = team_size(blocks, flops());
  std::vector<Buffer<double>> scratch;
  for (int i = 0; i < threads; ++i) scratch.emplace_back(product_scratch(n));
  for (std::size_t begin = 0; begin < features; begin += most_columns) {
    if (control.cancelled() || control.out_of_time()) return false;
    const std::size_t columns = std::min(most_columns, features - begin);
    const Slice slice{{left.values.data(), most_columns, n}, panels.data(), columns};
    parallel(threads, [&](const Team& team) {
      team.for_each(blocks, [&](std::size_t block) {
        const std::size_t first = block * kRows, end = std::min(first + kRows, n);
        load_columns(rows, first, end, begin, columns, left.at(first));
        for (std::size_t i = first; i < end; ++i) {
          const double* from = left.values.data() + i * most_columns;
          double* to = right.values.data() + i * most_columns;
          for (std::size_t d = 0; d < columns; ++d) to[d] = from[d] * inverse_[begin + d];
        }
        fill_panels({right.values.data(), most_columns, n}, first, end, columns, panels.data());
      });
      team.for_each(blocks, [&](std::size_t block) {
        const std::size_t first = block * kRows, end = std::min(first + kRows, n);
        add_products(kernel, slice, first, end, slice, end, 1, scratch[team.rank()], gram.data(), n);
      });
    });
  }
  return true;
}

// Cholesky's factorisation with the largest remaining diagonal first, 64 columns at a time: what they take from the
// rest is one product. Rows stay where they are; a row that has been a pivot has coordinates 0 from then on.
void RowSpace::factor(const Buffer<double>& gram) {
  const SymmetricShape shape{rows_.size()};
  const std::size_t n = shape.n, blocks = (n + kRows - 1) / kRows;
  const double unit_square = unit_ * unit_;
  std::vector<double> left(n);
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    left[i] = gram[shape.index(i, i)] / unit_square;
    largest = std::max(largest, left[i]);
  }
  // What rounding leaves of rows that depend on others.
  const double rounding = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * largest;
  std::vector<bool> done(n);
  own_.coordinates = Buffer<double>(n * n);
  double* const out = own_.coordinates.data();
  const Buffer<double> panels(bias_count(n) * kRows);
  const double flops = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(kRows);
  const int threads = team_size(blocks, flops);
  std::vector<Buffer<double>> scratch;
  for (int i = 0; i < threads; ++i) scratch.emplace_back(product_scratch(n));
  for (std::size_t begin = 0; begin < n; begin += kRows) {
    const std::size_t width = std::min(kRows, n - begin);
    for (std::size_t j = 0; j < width; ++j) {
      const std::size_t pivot = static_cast<std::size_t>(std::max_element(left.begin(), left.end()) - left.begin());
      if (!(left[pivot] > rounding)) break;
      pivots_.push_back(static_cast<std::uint32_t>(pivot));
      done[pivot] = true;
      const double root = std::sqrt(left[pivot]);
      const double* const pivot_row = out + pivot * n + begin;
      for (std::size_t i = 0; i < n; ++i) {
        if (done[i]) continue;
        double* const row = out + i * n + begin;
        double product = gram[shape.kept(i, pivot)] / unit_square;
        for (std::size_t k = 0; k < j; ++k) product -= row[k] * pivot_row[k];
        row[j] = product / root;
        left[i] -= row[j] * row[j];
      }
      out[pivot * n + begin + j] = root;
      left[pivot] = 0;
    }
    if (pivots_.size() < begin + width || begin + width == n) break;
    const Slice slice{{out + begin, n, n}, panels.data(), width};
    fill_panels(slice.rows, 0, n, width, panels.data());
    parallel(threads, [&](const Team& team) {
      team.for_each(blocks, [&](std::size_t block) {
        const std::size_t first = block * kRows, end = std::min(first + kRows, n);
        add_products(problem_.table().f64, slice, first, end, slice, end, -unit_square, scratch[team.rank()],
                     gram.data(), n);
      });
    });
  }
  if (pivots_.empty()) pivots_.push_back(0);  // rows of nothing but zeros: one coordinate, 0
  triangle_ = Buffer<double>(rank() * rank());
  for (std::size_t k = 0; k < rank(); ++k) {
    pivot_rows_.push_back(rows_[pivots_[k]]);
    std::copy_n(out + pivots_[k] * n, k + 1, triangle_.data() + k * rank());
    if (triangle_[k * rank() + k] == 0) triangle_[k * rank() + k] = 1;
  }
}

void RowSpace::copy_targets(const Batch& from, const std::vector<std::uint32_t>& rows, OwnedBatch& to) const {
  to.labels.clear();
  to.weights.clear();
  to.targets.clear();
  const std::size_t scores = from.target_probabilities.cols;
  for (const std::uint32_t row : rows) {
    if (!from.labels.empty()) to.labels.push_back(static_cast<std::int32_t>(from.labels[row]));
    if (!from.sample_weights.empty()) to.weights.push_back(from.sample_weights[row]);
    for (std::size_t c = 0; !from.target_probabilities.empty() && c < scores; ++c) {
      to.targets.push_back(from.target_probabilities.at(row, c));
    }
  }
  if (!from.labels.empty()) to.view.labels = to.labels;
  if (!from.sample_weights.empty()) to.view.sample_weights = to.weights;
  if (!from.target_probabilities.empty()) to.view.target_probabilities = {to.targets.data(), rows.size(), scores};
}

// out[i] = the coordinates of row i. `rows` selects rows that all take part; out has rank() columns.
void RowSpace::project(const Batch& rows, const Buffer<double>& out) const {
  const std::size_t count = rows.rows(), r = rank(), features = problem_.features();
  const std::size_t most_columns = slice_columns(r), blocks = (count + kRows - 1) / kRows;
  const Kernels<double>& kernel = problem_.table().f64;
  const Batch pivot_rows = select(problem_.data(), pivot_rows_);
  const double flops = 2 * static_cast<double>(count) * static_cast<double>(r) * static_cast<double>(features);
  const int threads = team_size(blocks, flops);
  struct Memory {
    OwnedRowBuffers<double> pivots, others;
    Buffer<double> panels, scratch, products;
  };
  std::vector<Memory> memory(static_cast<std::size_t>(threads));
  for (Memory& m : memory) {
    m.pivots = OwnedRowBuffers<double>(round_up(r, kPanel), most_columns);
    m.others = OwnedRowBuffers<double>(kRows, most_columns);
    m.panels = Buffer<double>(bias_count(r) * most_columns);
    m.scratch = Buffer<double>(product_scratch(r));
    m.products = Buffer<double>(bias_count(r) * kRows);
  }
  parallel(threads, [&](const Team& team) {
    const Memory& m = memory[team.rank()];
    team.for_each(blocks, [&](std::size_t block) {
      const std::size_t first = block * kRows, end = std::min(first + kRows, count);
      std::fill_n(m.products.data(), m.products.size(), 0.0);
      for (std::size_t begin = 0; begin < features; begin += most_columns) {
        const std::size_t columns = std::min(most_columns, features - begin);
        load_columns(pivot_rows, 0, r, begin, columns, m.pivots.at(0));
        load_columns(rows, first, end, begin, columns, m.others.at(0));
        for (std::size_t i = 0; i < end - first; ++i) {
          for (std::size_t d = 0; d < columns; ++d) m.others.values[i * most_columns + d] *= inverse_[begin + d];
        }
        fill_panels({m.pivots.values.data(), most_columns, r}, 0, r, columns, m.panels.data());
        add_products(kernel, {{m.others.values.data(), most_columns, end - first}, nullptr, columns}, 0, end - first,
                     {{}, m.panels.data(), columns}, r, 1, m.scratch, m.products.data(), kRows);
      }
      for (std::size_t i = 0; i < end - first; ++i) {  // by the triangle, from the first pivot on
        double* to = out.data() + (first + i) * r;
        for (std::size_t k = 0; k < r; ++k) {
          double rest = m.products[(k / kPanel * kRows + i) * kPanel + k % kPanel] / (unit_ * unit_);
          for (std::size_t q = 0; q < k; ++q) rest -= triangle_[k * r + q] * to[q];
          to[k] = rest / triangle_[k * r + k];
        }
      }
    });
  });
}

const Batch& RowSpace::coordinates_of(const Batch& other) {
  std::vector<std::uint32_t> rows;
  for_each_kept_row(other, problem_.objective().ignored_label,
                    [&](std::size_t row, double) { rows.push_back(static_cast<std::uint32_t>(row)); });
  other_.coordinates = Buffer<double>(rows.size() * rank());
  project(select(other, rows), other_.coordinates);
  other_.view.features = {other_.coordinates.data(), rows.size(), rank()};
  copy_targets(other, rows, other_);
  return other_.view;
}

void RowSpace::restrict(const Vector& x, const Vector& u) const {
  const std::size_t features = problem_.features(), classes = problem_.classes(), r = rank();
  Buffer<double> rows(classes * features), coordinates(classes * r);
  std::vector<std::uint32_t> all(classes);
  std::iota(all.begin(), all.end(), 0U);
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t d = 0; d < features; ++d) {
      rows[c * features + d] = x[weight_index(features, classes, c, d)] / inverse_[d];
    }
  }
  Batch weights;
  weights.features = {rows.data(), classes, features};
  project(select(weights, all), coordinates);
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t k = 0; k < r; ++k) u[weight_index(r, classes, c, k)] = coordinates[c * r + k] * unit_ * unit_;
  }
  std::copy_n(x.data() + problem_.weights(), bias_count(classes), u.data() + weight_count(r, classes));
}

// W = A X_p diag(1 / w), A the solution of A triangle' = u.
void RowSpace::expand(const Vector& u, const Vector& x) const {
  const std::size_t features = problem_.features(), classes = problem_.classes(), r = rank();
  const std::size_t capacity = round_up(r, kPanel);
  const std::size_t most_columns = slice_columns(r), slices = (features + most_columns - 1) / most_columns;
  const Kernels<double>& kernel = problem_.table().f64;
  const Buffer<double> combination(logit_count(capacity, classes));
  std::vector<double> a(r);
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t k = r; k-- > 0;) {
      a[k] = u[weight_index(r, classes, c, k)];
      for (std::size_t q = k + 1; q < r; ++q) a[k] -= triangle_[q * r + k] * a[q];
      a[k] /= triangle_[k * r + k];
      combination[logit_index(capacity, classes, k, c)] = a[k] / (unit_ * unit_);
    }
  }
  const Batch pivot_rows = select(problem_.data(), pivot_rows_);
  const double flops = 2 * static_cast<double>(r) * static_cast<double>(classes) * static_cast<double>(features);
  const int threads = team_size(slices, flops);
  std::vector<OwnedRowBuffers<double>> pivots;
  std::vector<Buffer<double>> results;
  for (int i = 0; i < threads; ++i) {
    pivots.emplace_back(capacity, most_columns);
    results.emplace_back(weight_count(most_columns, classes));
  }
  parallel(threads, [&](const Team& team) {
    const OwnedRowBuffers<double>& rows = pivots[team.rank()];
    const Buffer<double>& result = results[team.rank()];
    team.for_each(slices, [&](std::size_t slice) {
      const std::size_t begin = slice * most_columns, columns = std::min(most_columns, features - begin);
      load_columns(pivot_rows, 0, r, begin, columns, rows.at(0));
      kernel.gradient(gradient_product<double>({rows.values.data(), most_columns, r}, combination.data(), capacity,
                                               columns, classes, result.data(), false));
      for (std::size_t c = 0; c < classes; ++c) {
        for (std::size_t d = 0; d < columns; ++d) {
          x[weight_index(features, classes, c, begin + d)] =
              result[weight_index(columns, classes, c, d)] * inverse_[begin + d];
        }
      }
    });
  });
  std::copy_n(u.data() + weight_count(r, classes), bias_count(classes), x.data() + problem_.weights());
}

}  // namespace lanemax
