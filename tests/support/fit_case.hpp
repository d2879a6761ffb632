// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_FIT_CASE_HPP
#define LANEMAX_TESTS_SUPPORT_FIT_CASE_HPP

#include "engine/fit/problem.hpp"
#include "tests/support/public_calls.hpp"

#include <memory>
#include <string>
#include <vector>

// Problems for what lies under the solvers, and their second derivatives written down plainly.
namespace lanemax::checks {

struct FitCaseOptions : ProblemOptions {
  bool selection = false;  ///< two rows of three, from the last to the first
  bool scaling = false;
  bool penalties = false;  ///< one per feature
  bool masked = false;     ///< class 1, which no target has
};
[[nodiscard]] inline std::string describe_fit(const Shape& s, const FitCaseOptions& o) {
  return text(describe(s, o), o.selection ? " selection" : "", o.scaling ? " scaling" : "",
              o.penalties ? " penalties" : "", o.masked ? " masked" : "");
}

/// A problem of numbers that are exact in f32, all it points to, and a point.
template <class X>
class FitCase {
 public:
  FitCase(const KernelTable& table, Rng& rng, const Shape& s, const FitCaseOptions& o) : table_(table) {
    table_.blocks.serial_flops = 1;  // teams, however little there is to do
    reference::Problem p = make_problem<float>(rng, s, o);
    for (std::size_t n = 0; o.masked && n < s.rows; ++n) {
      if (!p.labels.empty() && p.labels[n] == 1) p.labels[n] = 0;
      if (!p.targets.empty()) p.targets[n * s.classes + 1] = 0;
    }
    arrays_ = std::make_unique<ProblemArrays<X>>(p);
    Batch& batch = arrays_->batch;
    for (std::size_t n = s.rows; o.selection && n-- > 0;) {
      if (n % 3 != 1) selection_.push_back(static_cast<std::uint32_t>(n));
    }
    if (o.selection) batch.selection = selection_;
    for (std::size_t d = 0; d < s.features; ++d) {
      centre_.push_back(static_cast<double>(rng.below(9)) / 8 - 0.5);
      factor_.push_back(static_cast<float>(rng.between(0.5, 2)));
      penalty_.push_back(0.001 * static_cast<double>(1 + rng.below(9)));
    }
    if (o.scaling) batch.scaling = {centre_, factor_};
    if (!o.penalties) penalty_.assign(1, o.l2 ? 0.0625 : 0);
    status_ = check_problem(arrays_->objective, batch, s.features, s.classes, size_);

    point_ = vector();
    std::fill(point_.data() + weights(s), point_.data() + point_.size(), -kInf<double>);
    fill(s, point_, p.w, p.b);
    if (o.masked) point_[weights(s) + 1] = -kInf<double>;
  }

  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] const Vector& point() const { return point_; }
  [[nodiscard]] const Batch& batch() const { return arrays_->batch; }
  [[nodiscard]] const ProblemSize& size() const { return size_; }
  [[nodiscard]] FitProblem problem(int threads = 1) const {
    FitProblem made(arrays_->batch, arrays_->objective, arrays_->weights.weights.rows, table_, threads, size_,
                    penalty_);
    made.set_masked(point_);
    return made;
  }
  /// Zero, as long as a point.
  [[nodiscard]] Vector vector() const { return Vector(problem_size()); }
  /// Numbers of [-1, 1], exact in f32, and 0 in the padding.
  [[nodiscard]] Vector direction(Rng& rng) const {
    const Shape s = shape();
    Vector v = vector();
    fill(s, v, make_values<float>(rng, s.features * s.classes, Values::ordinary),
         make_values<float>(rng, s.classes, Values::ordinary));
    return v;
  }
  [[nodiscard]] Shape shape() const {
    const WeightsView<const X>& w = arrays_->weights;
    return {arrays_->batch.features.samples, w.weights.cols, w.weights.rows};
  }

 private:
  static std::size_t weights(const Shape& s) { return weight_count(s.features, s.classes); }
  [[nodiscard]] std::size_t problem_size() const { return weights(shape()) + bias_count(shape().classes); }
  static void fill(const Shape& s, const Vector& v, const std::vector<double>& w, const std::vector<double>& b) {
    for (std::size_t c = 0; c < s.classes; ++c) {
      for (std::size_t d = 0; d < s.features; ++d) v[weight_index(s.features, s.classes, c, d)] = w[c * s.features + d];
      v[weights(s) + c] = b.empty() ? 0 : b[c];
    }
  }

  KernelTable table_;
  std::unique_ptr<ProblemArrays<X>> arrays_;
  std::vector<std::uint32_t> selection_;
  std::vector<float> factor_;
  std::vector<double> centre_, penalty_;
  ProblemSize size_;
  Status status_;
  Vector point_;
};

/// What a row that takes part adds to the Hessian: weight (diag(p) - p p') (x) (x x').
struct DenseRow {
  std::vector<Real> x;  ///< scaled, and a 1 for the bias
  std::vector<Real> p;
  Real weight = 0;        ///< s_i, softmax: times the sum of the targets
  Real own_weight = 0;    ///< s_i
  Real magnitude = 0;     ///< of the terms of its largest score
  std::size_t index = 0;  ///< among the samples
};

/// Number (c, d) of a vector, the bias with d = D.
[[nodiscard]] inline std::size_t parameter_index(const FitProblem& p, std::size_t c, std::size_t d) {
  return d < p.features() ? weight_index(p.features(), p.classes(), c, d) : p.weights() + c;
}

[[nodiscard]] inline std::vector<DenseRow> dense_rows(const FitProblem& problem, const Vector& point) {
  const Batch& data = problem.data();
  const std::size_t features = problem.features(), classes = problem.classes();
  const bool logistic = problem.objective().loss == Loss::logistic;
  std::vector<DenseRow> rows;
  for (std::size_t i = 0; i < data.rows(); ++i) {
    DenseRow row;
    row.index = data.row(i);
    row.own_weight = static_cast<Real>(data.weight(row.index));
    if (row.own_weight == 0) continue;
    if (!data.labels.empty() && data.labels[row.index] == problem.objective().ignored_label) continue;
    row.weight = row.own_weight;
    if (data.labels.empty() && !logistic) {
      Real mass = 0;
      for (std::size_t c = 0; c < classes; ++c) mass += static_cast<Real>(data.target_probabilities.at(row.index, c));
      row.weight *= mass;
    }
    for (std::size_t d = 0; d < features; ++d) {
      const std::size_t at = row.index * data.features.row_stride + d * data.features.col_stride;
      Real value = data.features.type == FeatureType::f32
                       ? static_cast<Real>(static_cast<const float*>(data.features.data)[at])
                       : static_cast<Real>(static_cast<const double*>(data.features.data)[at]);
      if (!data.scaling.centre.empty()) value -= static_cast<Real>(data.scaling.centre[d]);
      if (!data.scaling.factor.empty()) value *= static_cast<Real>(data.scaling.factor[d]);
      row.x.push_back(value);
    }
    row.x.push_back(1);
    Real sum = logistic ? 1 : 0;
    for (std::size_t c = 0; c < classes; ++c) {
      Real score = 0, magnitude = 0;
      for (std::size_t d = 0; d <= features; ++d) {
        const Real term = row.x[d] * static_cast<Real>(point[parameter_index(problem, c, d)]);
        score += term;
        if (std::isfinite(term)) magnitude += std::fabs(term);
      }
      row.magnitude = std::max(row.magnitude, magnitude);
      row.p.push_back(std::exp(score));
      sum += row.p.back();
    }
    for (Real& p : row.p) p /= sum;
    rows.push_back(std::move(row));
  }
  return rows;
}

/// How many unit roundoffs a row's curvature may be off, relative to its terms.
[[nodiscard]] inline Real roundings(const FitProblem& problem, const DenseRow& row, std::size_t rows) {
  const Real terms = static_cast<Real>(problem.features() + 3);
  return static_cast<Real>(rows) + 4 * terms * (row.magnitude + 1) + 2 * static_cast<Real>(problem.classes()) + 32;
}

/// The Hessian at a point, times v.
[[nodiscard]] inline Vector dense_product(const FitProblem& problem, const Vector& point, const Vector& v) {
  const std::size_t columns = problem.features() + 1, classes = problem.classes();
  const std::vector<DenseRow> rows = dense_rows(problem, point);
  std::vector<Real> sums(classes * columns);
  Real total = 0;
  for (const DenseRow& row : rows) total += row.own_weight;
  for (const DenseRow& row : rows) {
    std::vector<Real> u(classes);
    Real mean = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t d = 0; d < columns; ++d) u[c] += row.x[d] * static_cast<Real>(v[parameter_index(problem, c, d)]);
      mean += row.p[c] * u[c];
    }
    for (std::size_t c = 0; c < classes; ++c) {
      const Real factor = row.weight / total * row.p[c] * (u[c] - mean);
      for (std::size_t d = 0; d < columns; ++d) sums[c * columns + d] += factor * row.x[d];
    }
  }
  Vector out(v.size());
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t d = 0; d < columns; ++d) {
      const std::size_t at = parameter_index(problem, c, d);
      const double penalty = d + 1 < columns ? problem.penalty_of(d) * v[at] : 0;
      out[at] = static_cast<double>(sums[c * columns + d]) + penalty;
    }
  }
  return out;
}

}  // namespace lanemax::checks

#endif
