// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/problem.hpp"

#include "engine/fit/row_buffers.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax {

FitProblem::FitProblem(const Batch& data, const Objective& objective, std::size_t classes, const KernelTable& table,
                       int threads, const ProblemSize& size, std::vector<double> penalty, bool has_bias)
    : data_(data),
      objective_(objective),
      classes_(classes),
      table_(table),
      threads_(threads),
      size_(size),
      penalty_(std::move(penalty)),
      has_bias_(has_bias) {
  objective_.l2 = 0;
}

bool FitProblem::is_penalised() const noexcept {
  return std::all_of(penalty_.begin(), penalty_.end(), [](double l2) { return l2 > 0; });
}

double FitProblem::pass_flops() const noexcept {
  return 4.0 * static_cast<double>(size_.rows) * static_cast<double>(features()) * static_cast<double>(classes_);
}

void FitProblem::set_masked(const Vector& x) {
  masked_.assign(classes_, 0);
  bool any = false;
  for (std::size_t c = 0; c < classes_; ++c) {
    masked_[c] = std::isinf(x[weights() + c]);
    any = any || masked_[c] != 0;
  }
  if (!any) masked_.clear();
}

void FitProblem::centre(const Vector& v) const noexcept {
  if (!has_gauge()) return;
  double free = 0;
  for (std::size_t c = 0; c < classes_; ++c) free += masked_.empty() || masked_[c] == 0 ? 1 : 0;
  if (free == 0) return;
  const auto centre_at = [&](const auto& index) {
    double sum = 0;
    for (std::size_t c = 0; c < classes_; ++c) sum += masked_.empty() || masked_[c] == 0 ? v[index(c)] : 0;
    const double mean = sum / free;
    for (std::size_t c = 0; c < classes_; ++c) {
      if (masked_.empty() || masked_[c] == 0) v[index(c)] -= mean;
    }
  };
  for (std::size_t d = 0; d < features(); ++d) {
    centre_at([&](std::size_t c) { return weight_index(features(), classes_, c, d); });
  }
  centre_at([&](std::size_t c) { return weights() + c; });
}

template <class T>
Status FitProblem::run(Runner<T>& runner, PassGoal goal, const Batch& batch, double total_weight, const Vector& x,
                       LossResult& result) {
  if (runner.memory.empty()) {
    const PassNeeds needs{.goal = goal, .targets = batch.labels.empty(), .weights = true};
    const auto lay_out = [&](Arena& arena) {
      runner.pass.lay_out(arena, make_plan<T>(batch.rows(), features(), classes_), threads_, needs);
    };
    Arena measure;
    lay_out(measure);
    runner.memory = Workspace(measure.bytes());
    if (measure.bytes() == 0 || runner.memory.empty()) throw std::bad_alloc();
    Arena arena(runner.memory);
    lay_out(arena);
  }
  convert(x.data(), weights(), runner.pass.weights);
  convert(x.data() + weights(), bias_count(classes_), runner.pass.bias);
  PassInput<T> in;
  in.table = &table_;
  in.objective = &objective_;
  in.batch = &batch;
  in.weights = runner.pass.weights;
  in.bias = runner.pass.bias;
  in.total_weight = total_weight;
  return run_pass<T>(in, runner.pass, {}, {}, result);
}

template <class T>
Status FitProblem::evaluate_in(const Vector& x, Value& value, const Vector* gradient) {
  Runner<T>& runner = gradient != nullptr ? runners<T>().gradient : runners<T>().value;
  const PassGoal goal = gradient != nullptr ? PassGoal::gradient : PassGoal::loss;
  LossResult loss;
  const Status status = run(runner, goal, data_, size_.total_weight, x, loss);
  passes_ += gradient != nullptr ? 1 : 0.5;
  if (!status.ok()) return status;
  threads_at_work_ = loss.threads;
  value.data_loss = loss.data_loss;
  value.objective = loss.data_loss + penalty_at(x);
  if (!std::isfinite(value.objective)) {
    return fail(StatusCode::overflow, "penalty", "weights whose squares are within the range of double");
  }
  if (gradient != nullptr) {
    convert(runner.pass.gradient, parameters(), gradient->data());
    if (!has_bias_) std::fill(gradient->data() + weights(), gradient->data() + parameters(), 0.0);
    add_penalty(x, *gradient);
  }
  return {};
}

Status FitProblem::evaluate(const Vector& x, Precision precision, Value& value, const Vector* gradient) {
  return precision == Precision::f32 ? evaluate_in<float>(x, value, gradient) : evaluate_in<double>(x, value, gradient);
}

Status FitProblem::validation_loss(const Vector& x, const Batch& batch, double total_weight, double& loss) {
  LossResult result;
  Status status = run(f32_.validation, PassGoal::loss, batch, total_weight, x, result);
  if (status.code == StatusCode::overflow) {
    status = run(f64_.validation, PassGoal::loss, batch, total_weight, x, result);
  }
  passes_ += 0.5 * static_cast<double>(batch.rows()) / static_cast<double>(rows());
  loss = result.data_loss;
  return status;
}

double FitProblem::gradient_norm(const Vector& gradient) const noexcept {
  if (length_unit_ == 0) return largest_entry(gradient);
  double largest = 0;
  for (std::size_t c = 0; c < classes_; ++c) {
    double square = 0;
    for (std::size_t d = 0; d < features(); ++d) {
      const double g = gradient[weight_index(features(), classes_, c, d)];
      square += g * g;
    }
    largest = std::max({largest, length_unit_ * std::sqrt(square), std::abs(gradient[weights() + c])});
  }
  return largest;
}

bool FitProblem::is_enough(const Vector& gradient, double objective) const noexcept {
  if (length_unit_ == 0 || !is_penalised()) return true;
  constexpr double kLeftToGain = 1e-9;
  double square = 0;
  for (std::size_t i = 0; i < weights(); ++i) square += gradient[i] * gradient[i];
  return square / (2 * penalty_of(0)) <= kLeftToGain * objective;
}

double FitProblem::mean_square_row() {
  if (mean_square_row_ >= 0) return mean_square_row_;
  // In f64, as the passes that the bound is about: centring may leave nothing of an f32.
  const RowSource<double> source(data_, objective_, table_.f64);
  constexpr std::size_t kRows = 64;
  const std::size_t stride = round_up(features(), kPanel), blocks = (data_.rows() + kRows - 1) / kRows;
  const auto team_size = static_cast<std::size_t>(threads_);
  const OwnedRowBuffers<double> rows(team_size * kRows, stride);
  const Buffer<double> sums(blocks);
  parallel(threads_for(pass_flops()), [&](const Team& team) {
    team.for_each(blocks, [&](std::size_t block) {
      const std::size_t place = team.rank() * kRows, begin = block * kRows, end = std::min(begin + kRows, data_.rows());
      const RowBuffers<double> buffers = rows.at(place);
      const RowBlock<double> x = source.load(begin, end, buffers);
      for (std::size_t n = 0; n < x.count; ++n) {
        double lanes[8] = {}, mass = 1;
        const double* row = x.data + n * x.stride;
        for (std::size_t d = 0; d < features(); ++d) lanes[d % 8] += row[d] * row[d];
        if (data_.labels.empty() && has_gauge()) {
          const std::size_t at = begin + buffers.positions[n];
          mass = 0;
          for (std::size_t c = 0; c < classes_; ++c) {
            mass += static_cast<double>(data_.target_probabilities.at(data_.row(at), c));
          }
        }
        double square = 0;
        for (const double lane : lanes) square += lane;
        sums[block] += buffers.weights[n] * mass * mass * square;
      }
    });
  });
  double sum = 0;
  for (std::size_t block = 0; block < blocks; ++block) sum += sums[block];
  constexpr double kRounding = 1 + 1e-9;  // of the sum
  mean_square_row_ = kRounding * sum / size_.total_weight;
  return mean_square_row_;
}

// Calls f(index of a weight, its feature's penalty) for every weight, padding included where that is simpler.
template <class F>
static void for_each_penalty(const FitProblem& problem, const F& f) {
  const std::size_t features = problem.features(), classes = problem.classes();
  const bool class_major = is_class_major(classes);
  const std::size_t lines = class_major ? classes : panel_count(classes);
  const std::size_t width = class_major ? 1 : kPanel, stride = class_major ? round_up(features, kPanel) : features;
  for (std::size_t line = 0; line < lines; ++line) {
    for (std::size_t d = 0; d < features; ++d) {
      const double l2 = problem.penalty_of(d);
      const std::size_t at = (line * stride + d) * width;
      for (std::size_t i = 0; i < width; ++i) f(at + i, l2);
    }
  }
}

void FitProblem::add_penalty(const Vector& x, const Vector& out) const noexcept {
  const double* from = x.data();
  double* to = out.data();
  for_each_penalty(*this, [&](std::size_t i, double l2) { to[i] += l2 * from[i]; });
}

double FitProblem::penalty_at(const Vector& x) const noexcept {
  double sum = 0;
  const double* from = x.data();
  for_each_penalty(*this, [&](std::size_t i, double l2) { sum += l2 * from[i] * from[i]; });
  return 0.5 * sum;
}

}  // namespace lanemax
