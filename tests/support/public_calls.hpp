// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_PUBLIC_CALLS_HPP
#define LANEMAX_TESTS_SUPPORT_PUBLIC_CALLS_HPP

#include <lanemax/objective.hpp>
#include <lanemax/train_step.hpp>

#include "tests/reference/softmax_reference.hpp"
#include "tests/support/problems.hpp"
#include "tests/support/verdict.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// The public calls on a problem of the oracle. Every array that a call is given ends where an unmapped page begins, its
// workspace included, and every output starts as kUntouched.
namespace lanemax::checks {

inline constexpr double kUntouched = 12345.5;

/// The public view of the oracle's problem. All its numbers must be exact in T; targets and weights in float.
template <class T>
struct ProblemArrays {
  explicit ProblemArrays(const reference::Problem& p, std::size_t padding = 0)
      : labels(p.labels.begin(), p.labels.end()),
        targets(p.targets.begin(), p.targets.end()),
        sample_weights(p.sample_weights.begin(), p.sample_weights.end()) {
    const std::size_t stride = p.features + padding;
    const std::size_t size = (p.rows - 1) * stride + p.features;
    T* x = features.ending_at_guard<T>(size, kNaN<T>);
    for (std::size_t n = 0; n < p.rows; ++n) {
      for (std::size_t d = 0; d < p.features; ++d) x[n * stride + d] = static_cast<T>(p.x[n * p.features + d]);
    }
    constexpr FeatureType kType = sizeof(T) == sizeof(float) ? FeatureType::f32 : FeatureType::f64;
    batch.features = {x, kType, p.rows, p.features, stride};
    if (p.targets.empty()) batch.labels = labels;
    if (!p.targets.empty()) batch.target_probabilities = {targets.data(), p.rows, p.classes};
    if (!p.sample_weights.empty()) batch.sample_weights = sample_weights;

    objective.loss = p.loss == reference::Loss::softmax ? Loss::softmax
                     : p.loss == reference::Loss::hinge ? Loss::hinge
                                                        : Loss::logistic;
    objective.reduction = p.sum_reduction ? Reduction::sum : Reduction::mean;
    objective.l2 = p.l2;
    objective.label_smoothing = p.smoothing;
    objective.ignored_label = p.ignored_label;

    w.assign(p.w.begin(), p.w.end());
    b.assign(p.b.begin(), p.b.end());
    weights = {{w.data(), p.classes, p.features}, b};
  }
  ProblemArrays(const ProblemArrays&) = delete;
  ProblemArrays& operator=(const ProblemArrays&) = delete;

  GuardedBuffer features;
  std::vector<std::int32_t> labels;
  std::vector<float> targets, sample_weights;
  std::vector<T> w, b;
  Objective objective;
  Batch batch;
  WeightsView<const T> weights;
};

/// Scratch memory of exactly the size asked for.
class Scratch {
 public:
  std::span<std::byte> operator()(std::size_t bytes) {
    return {buffer_.ending_at_guard<std::byte>(bytes, std::byte{0xa5}), bytes};
  }

 private:
  GuardedBuffer buffer_;
};

/// Scratch memory that begins so many bytes past a 64-byte boundary.
class OffsetScratch {
 public:
  OffsetScratch(std::size_t bytes, std::size_t offset)
      : room_(bytes + offset + 128, kAround),
        begin_(64 - reinterpret_cast<std::uintptr_t>(room_.data()) % 64 + offset),
        bytes_(bytes) {}
  operator std::span<std::byte>() { return std::span(room_).subspan(begin_, bytes_); }
  [[nodiscard]] bool untouched_around() const {
    const auto is_around = [](std::byte b) { return b == kAround; };
    const std::span room(room_), before = room.first(begin_), behind = room.subspan(begin_ + bytes_);
    return std::all_of(before.begin(), before.end(), is_around) && std::all_of(behind.begin(), behind.end(), is_around);
  }

 private:
  static constexpr std::byte kAround{0x77};
  std::vector<std::byte> room_;
  std::size_t begin_, bytes_;
};

struct CallOptions {
  Isa isa = Isa::process_default;
  int threads = 1;
  KernelSchedule schedule = KernelSchedule::machine_default;
  bool transposed = false;  ///< the caller's W and dW are D x C
  bool with_rows = true;    ///< per-sample losses, probabilities (if the loss has them) and dfeatures are wanted
};

/// Everything that a call wrote, dense.
template <class T>
struct CallOutputs {
  Status status;
  LossResult result{kUntouched, kUntouched, kUntouched, 54321, 54321};
  std::vector<T> sample_losses, probabilities, dweights, dbias, dfeatures;

  void prepare(std::size_t rows, std::size_t features, std::size_t classes) {
    const T value = static_cast<T>(kUntouched);
    sample_losses.assign(rows, value);
    probabilities.assign(rows * classes, value);
    dweights.assign(classes * features, value);
    dbias.assign(classes, value);
    dfeatures.assign(rows * features, value);
  }
  [[nodiscard]] bool untouched() const {
    const auto same = [](const std::vector<T>& values) {
      return std::all_of(values.begin(), values.end(), [](T v) { return v == static_cast<T>(kUntouched); });
    };
    return result.objective == kUntouched && result.data_loss == kUntouched && result.total_weight == kUntouched &&
           result.rows == 54321 && result.threads == 54321 && same(sample_losses) && same(probabilities) &&
           same(dweights) && same(dbias) && same(dfeatures);
  }
};

/// Calls loss() or loss_and_gradient() as the options say.
template <class T>
[[nodiscard]] CallOutputs<T> call(const Objective& objective, const WeightsView<const T>& weights, const Batch& batch,
                                  const CallOptions& options, bool with_gradient) {
  const std::size_t rows = batch.rows(), features = weights.weights.cols, classes = weights.weights.rows;
  CallOutputs<T> out;
  out.prepare(rows, features, classes);
  SampleOutputs<T> row_outputs;
  WeightsView<T> gradient{{out.dweights.data(), classes, features}, out.dbias};
  if (options.with_rows) {
    row_outputs.losses = out.sample_losses;
    if (objective.loss != Loss::hinge) row_outputs.probabilities = {out.probabilities.data(), rows, classes};
    if (with_gradient && batch.scaling.empty()) row_outputs.dfeatures = {out.dfeatures.data(), rows, features};
  }
  std::vector<T> w_transposed, dw_transposed;
  WeightsView<const T> w = weights;
  if (options.transposed) {
    w_transposed.resize(classes * features);
    dw_transposed.assign(classes * features, static_cast<T>(kUntouched));
    w.weights = MatrixView<const T>(w_transposed.data(), features, classes).transposed();
    gradient.weights = MatrixView<T>(dw_transposed.data(), features, classes).transposed();
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t d = 0; d < features; ++d) w_transposed[d * classes + c] = weights.weights.at(c, d);
    }
  }
  Scratch scratch;
  const std::span<std::byte> workspace = scratch(loss_workspace_bytes<T>(rows, features, classes, options.threads));
  const Execution execution{options.threads, options.isa, options.schedule};
  out.status = with_gradient
                   ? loss_and_gradient(objective, w, batch, execution, workspace, out.result, gradient, row_outputs)
                   : loss(objective, w, batch, execution, workspace, out.result, row_outputs);
  if (options.transposed) {
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t d = 0; d < features; ++d) out.dweights[c * features + d] = dw_transposed[d * classes + c];
    }
  }
  return out;
}
template <class T>
[[nodiscard]] CallOutputs<T> call(const ProblemArrays<T>& arrays, const CallOptions& options, bool with_gradient) {
  return call<T>(arrays.objective, arrays.weights, arrays.batch, options, with_gradient);
}

/// Each output against the oracle, each element within its own bound.
template <class T>
void judge_outputs(Judge& judge, const reference::Problem& p, const reference::Solution& want,
                   const CallOutputs<T>& got, bool with_gradient, bool with_rows, const std::string& name) {
  constexpr Real kMax = std::numeric_limits<T>::max();
  judge.require(got.status.ok(), [&] { return text(name, ": ", message(got.status)); });
  judge.close(got.result.data_loss, want.data_loss, kMax, [&] { return text(name, ": data_loss"); });
  judge.close(got.result.objective, want.objective, kMax, [&] { return text(name, ": objective"); });
  judge.require(got.result.rows == want.kept, [&] { return text(name, ": rows ", got.result.rows); });
  judge.close(got.result.total_weight, {want.total_weight, 1e-15L * want.total_weight}, kMax,
              [&] { return text(name, ": total_weight"); });
  const auto all = [&](const std::vector<T>& values, const std::vector<Estimate>& estimates, std::size_t cols,
                       const char* what) {
    for (std::size_t i = 0; i < values.size() && judge.ok(); ++i) {
      judge.close(values[i], estimates[i], kMax, [&] { return text(name, ": ", what, " ", i / cols, ", ", i % cols); });
    }
  };
  if (with_rows) {
    all(got.sample_losses, want.sample_losses, 1, "sample loss");
    if (p.loss != reference::Loss::hinge) all(got.probabilities, want.probabilities, p.classes, "probability");
    if (with_gradient) all(got.dfeatures, want.dfeatures, p.features, "dfeatures");
  }
  if (with_gradient) {
    all(got.dweights, want.dweights, p.features, "dweights");
    all(got.dbias, want.dbias, 1, "dbias");
  }
}

/// Both public calls on the problem against the oracle.
template <class T>
void judge_problem(Judge& judge, const reference::Problem& p, const CallOptions& options, const std::string& name,
                   std::size_t padding = 0) {
  const reference::Solution want = reference::solve(p, reference::arithmetic_of<T>());
  const ProblemArrays<T> arrays(p, padding);
  judge_outputs(judge, p, want, call(arrays, options, false), false, options.with_rows, name + " loss");
  judge_outputs(judge, p, want, call(arrays, options, true), true, options.with_rows, name + " gradient");
}

/// A row-major rows x columns matrix as its columns, one right after the other.
[[nodiscard]] inline std::vector<double> transposed(const std::vector<double>& x, std::size_t rows,
                                                    std::size_t columns) {
  std::vector<double> result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) result[i % columns * rows + i / columns] = x[i];
  return result;
}

// ---- generated problems ----

enum class TargetSort { labels, probabilities };
struct ProblemOptions {
  reference::Loss loss = reference::Loss::softmax;
  TargetSort targets = TargetSort::labels;
  bool sum = false;
  bool l2 = false;
  bool smoothing = false;
  bool weights = false;
  bool ignored = false;  ///< some labels are the ignored one
  bool bias = true;
};

[[nodiscard]] inline std::string describe(const Shape& s, const ProblemOptions& o) {
  const char* const loss = o.loss == reference::Loss::softmax ? "softmax"
                           : o.loss == reference::Loss::hinge ? "hinge"
                                                              : "logistic";
  return text(s.rows, "x", s.features, "x", s.classes, " ", loss,
              o.targets == TargetSort::labels ? " labels" : " targets", o.sum ? " sum" : " mean", o.l2 ? " l2" : "",
              o.smoothing ? " smoothing" : "", o.weights ? " weights" : "", o.ignored ? " ignored" : "",
              o.bias ? "" : " no bias");
}

/// Random numbers, exact in T, of a size that gives logits of a few units.
template <class T>
[[nodiscard]] reference::Problem make_problem(Rng& rng, const Shape& s, const ProblemOptions& o) {
  reference::Problem p;
  p.loss = o.loss;
  p.rows = s.rows;
  p.features = s.features;
  p.classes = s.classes;
  p.x = make_values<T>(rng, s.rows * s.features, Values::ordinary);
  p.w = make_values<T>(rng, s.classes * s.features, Values::ordinary);
  const double size = std::exp2(std::rint(1 - 0.5 * std::log2(static_cast<double>(s.features))));
  for (double& w : p.w) w *= 2 * size;
  if (o.bias) p.b = make_values<T>(rng, s.classes, Values::ordinary);
  const std::size_t labels = o.loss == reference::Loss::logistic ? 2 : s.classes;
  if (o.targets == TargetSort::labels) {
    for (std::size_t n = 0; n < s.rows; ++n) {
      const bool ignore = o.ignored && n % 5 == 1;
      p.labels.push_back(ignore ? -7 : static_cast<int>(rng.below(labels)));
    }
    if (o.ignored) p.ignored_label = -7;
  } else {
    for (std::size_t n = 0; n < s.rows; ++n) {  // sixteenths, so that sums are exact; not all of them 1
      for (std::size_t c = 0; c < s.classes; ++c) {
        p.targets.push_back(static_cast<double>(rng.below(o.loss == reference::Loss::logistic ? 17 : 4)) / 16);
      }
    }
  }
  if (o.weights) {
    for (std::size_t n = 0; n < s.rows; ++n) {
      const double weight = static_cast<double>(static_cast<float>(rng.between(0.25, 4)));
      p.sample_weights.push_back(n % 4 == 2 ? 0 : weight);
    }
  }
  p.sum_reduction = o.sum;
  if (o.l2) p.l2 = 0.0625;
  if (o.smoothing) p.smoothing = 0.125;
  return p;
}

/// A problem that gradient descent gets somewhere with: classes around centres of their own, small integers, so that
/// the features are exact in every feature type.
[[nodiscard]] inline reference::Problem make_learnable(Rng& rng, const Shape& s, bool logistic = false) {
  reference::Problem p;
  p.loss = logistic ? reference::Loss::logistic : reference::Loss::softmax;
  p.rows = s.rows;
  p.features = s.features;
  p.classes = logistic ? 1 : s.classes;
  const std::size_t labels = logistic ? 2 : s.classes;
  std::vector<double> centres(labels * s.features);
  for (double& v : centres) v = static_cast<double>(rng.below(7));
  for (std::size_t n = 0; n < s.rows; ++n) {
    const std::size_t label = rng.below(labels);
    p.labels.push_back(static_cast<int>(label));
    for (std::size_t d = 0; d < s.features; ++d) {
      p.x.push_back(centres[label * s.features + d] + static_cast<double>(rng.below(5)));
    }
  }
  p.w.assign(p.classes * p.features, 0);
  p.b.assign(p.classes, 0);
  return p;
}

// ---- bits ----

template <class T>
[[nodiscard]] bool same_bits(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
}
template <class T>
[[nodiscard]] bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size() || a.empty()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) return false;
  }
  return true;
}
template <class T>
[[nodiscard]] bool same_bits(const CallOutputs<T>& a, const CallOutputs<T>& b) {
  return a.status.ok() && b.status.ok() && same_bits(a.result.objective, b.result.objective) &&
         same_bits(a.result.data_loss, b.result.data_loss) && a.result.rows == b.result.rows &&
         same_bits(a.result.total_weight, b.result.total_weight) && same_bits(a.sample_losses, b.sample_losses) &&
         same_bits(a.probabilities, b.probabilities) && same_bits(a.dweights, b.dweights) &&
         same_bits(a.dbias, b.dbias) && same_bits(a.dfeatures, b.dfeatures);
}

}  // namespace lanemax::checks

#endif
