// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_PROBLEM_HPP
#define LANEMAX_ENGINE_FIT_PROBLEM_HPP

#include "engine/fit/vectors.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/pass.hpp"

#include <cstdint>
#include <vector>

namespace lanemax {

/// Of the passes; the solvers' own state is in double.
enum class Precision : std::uint8_t { f32, f64 };

/// The objective at a point.
struct Value {
  double objective = 0;
  double data_loss = 0;
};

/// What a fit minimises: mean loss over the data plus sum_d penalty_d/2 sum_c W_cd^2, evaluated by passes of the
/// engine. May throw std::bad_alloc.
class FitProblem {
 public:
  /// `penalty` has an entry per feature, or one for all. `data` and what it points to must outlive the problem.
  FitProblem(const Batch& data, const Objective& objective, std::size_t classes, const KernelTable& table, int threads,
             const ProblemSize& size, std::vector<double> penalty, bool has_bias = true);

  [[nodiscard]] const Batch& data() const noexcept { return data_; }
  [[nodiscard]] const Objective& objective() const noexcept { return objective_; }
  [[nodiscard]] const KernelTable& table() const noexcept { return table_; }
  [[nodiscard]] int threads() const noexcept { return threads_; }
  /// For so much work.
  [[nodiscard]] int threads_for(double flops) const noexcept {
    return usable_threads(threads_, flops, table_.blocks.serial_flops);
  }
  /// In the last pass over all rows.
  [[nodiscard]] int threads_at_work() const noexcept { return threads_at_work_; }
  [[nodiscard]] std::size_t features() const noexcept { return data_.features.features; }
  [[nodiscard]] std::size_t classes() const noexcept { return classes_; }
  [[nodiscard]] std::size_t rows() const noexcept { return size_.rows; }
  [[nodiscard]] double total_weight() const noexcept { return size_.total_weight; }
  [[nodiscard]] std::size_t weights() const noexcept { return weight_count(features(), classes_); }
  [[nodiscard]] std::size_t parameters() const noexcept { return weights() + bias_count(classes_); }
  [[nodiscard]] double penalty_of(std::size_t feature) const noexcept {
    return penalty_.size() == 1 ? penalty_[0] : penalty_[feature];
  }
  [[nodiscard]] bool is_penalised() const noexcept;
  /// Whether the bias is one of the unknowns, or what it is at first.
  [[nodiscard]] bool has_bias() const noexcept { return has_bias_; }
  /// Whether adding the same to all classes changes nothing but the penalty.
  [[nodiscard]] bool has_gauge() const noexcept { return objective_.loss == Loss::softmax; }
  /// Multiply-adds of a pass, twice.
  [[nodiscard]] double pass_flops() const noexcept;

  /// A pass over all rows. StatusCode::overflow where the loss or its gradient is not finite. `gradient` may be null.
  [[nodiscard]] Status evaluate(const Vector& x, Precision precision, Value& value, const Vector* gradient);
  /// The mean data loss over other rows, in f32 where that holds it.
  [[nodiscard]] Status validation_loss(const Vector& x, const Batch& batch, double total_weight, double& loss);

  /// With a gauge: takes the mean over the classes out of every feature's weights and out of the bias, masked classes
  /// apart.
  void centre(const Vector& v) const noexcept;

  /// How far a gradient is from 0: its largest entry, bias included. Where features are coordinates that only lengths
  /// mean something of, the largest of the classes' lengths stands for the weights' part, times this unit.
  [[nodiscard]] double gradient_norm(const Vector& gradient) const noexcept;
  void measure_lengths(double unit) noexcept { length_unit_ = unit; }
  /// Whether a gradient within the tolerance is enough. With few rows further steps cost next to nothing: there it must
  /// also leave no more than a billionth of the objective to be gained, by the penalty's curvature alone.
  [[nodiscard]] bool is_enough(const Vector& gradient, double objective) const noexcept;
  [[nodiscard]] bool has_few_rows() const noexcept { return length_unit_ > 0 || rows() <= features(); }

  /// Full-data equivalents of the passes so far.
  [[nodiscard]] double passes() const noexcept { return passes_; }
  void count_passes(double more) noexcept { passes_ += more; }
  /// Not less than the mean over the rows of (their targets' sum)^2 |x|^2, hardly more.
  [[nodiscard]] double mean_square_row();
  void set_masked(const Vector& x);
  void set_penalty(std::vector<double> penalty) { penalty_ = std::move(penalty); }

 private:
  template <class T>
  struct Runner {
    Workspace memory;
    PassMemory<T> pass;
  };
  template <class T>
  Status run(Runner<T>& runner, PassGoal goal, const Batch& batch, double total_weight, const Vector& x,
             LossResult& result);
  template <class T>
  Status evaluate_in(const Vector& x, Value& value, const Vector* gradient);
  template <class T>
  struct Runners {
    Runner<T> value, gradient, validation;
  };
  template <class T>
  Runners<T>& runners() noexcept {
    if constexpr (sizeof(T) == sizeof(float)) {
      return f32_;
    } else {
      return f64_;
    }
  }
  void add_penalty(const Vector& x, const Vector& out) const noexcept;
  [[nodiscard]] double penalty_at(const Vector& x) const noexcept;

  const Batch& data_;
  Objective objective_;  // without the penalty
  std::size_t classes_;
  const KernelTable& table_;
  int threads_;
  int threads_at_work_ = 1;
  ProblemSize size_;
  std::vector<double> penalty_;
  bool has_bias_;
  std::vector<std::uint8_t> masked_;  // classes whose bias is -infinity; empty: none
  double passes_ = 0;
  double mean_square_row_ = -1;  // not yet known
  double length_unit_ = 0;       // 0: entries are measured
  Runners<float> f32_;
  Runners<double> f64_;
};

}  // namespace lanemax

#endif
