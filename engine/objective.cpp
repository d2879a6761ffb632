// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/objective.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/public_pass.hpp"
#include "engine/pass/weights.hpp"

#include <algorithm>

namespace lanemax {
namespace {

template <class T>
Status check_outputs(const Objective& objective, const Batch& batch, std::size_t classes, std::size_t features,
                     const SampleOutputs<T>& outputs, PassGoal goal) {
  const std::size_t rows = batch.rows();
  const auto& p = outputs.probabilities;
  if (!outputs.losses.empty() && outputs.losses.size() != rows) {
    return fail(StatusCode::shape_mismatch, "losses", "one per row of the batch");
  }
  if (!p.empty() && objective.loss == Loss::hinge) {
    return fail(StatusCode::invalid_argument, "probabilities", "a loss that has them: softmax or logistic");
  }
  if (!p.empty() && (p.rows != rows || p.cols != classes)) {
    return fail(StatusCode::shape_mismatch, "probabilities", "one row per row of the batch, one column per score");
  }
  const auto& dx = outputs.dfeatures;
  if (!dx.empty() && goal != PassGoal::gradient) {
    return fail(StatusCode::invalid_argument, "dfeatures", "loss_and_gradient()");
  }
  if (!dx.empty() && (dx.rows != rows || dx.cols != features || dx.col_stride != 1)) {
    return fail(StatusCode::shape_mismatch, "dfeatures", "one contiguous row of D per row of the batch");
  }
  if (!dx.empty() && !batch.scaling.empty()) {
    return fail(StatusCode::invalid_argument, "dfeatures", "features that are not scaled");
  }
  return {};
}

/// One call, from its checks to its outputs.
template <class T>
class Evaluation {
 public:
  Evaluation(const Objective& objective, const Batch& batch, const Execution& execution, LossResult& result,
             const SampleOutputs<T>& outputs, PassGoal goal) noexcept
      : objective_(objective), batch_(batch), execution_(execution), result_(result), outputs_(outputs), goal_(goal) {}

  /// `fits`: of the gradient.
  [[nodiscard]] Status prepare(std::size_t features, std::size_t classes, bool matrices, const Status& fits,
                               std::span<std::byte> workspace) {
    const PassNeeds needs{.goal = goal_,
                          .targets = batch_.labels.empty(),
                          .probabilities = !outputs_.probabilities.empty(),
                          .weights = matrices,
                          .copied = matrices && goal_ == PassGoal::gradient};
    Status status = check(objective_, batch_, features, classes, execution_, pass);
    if (status.ok()) status = fits;
    if (status.ok()) status = check_outputs(objective_, batch_, classes, features, outputs_, goal_);
    return status.ok() ? plan(needs, features, classes, execution_, workspace, pass) : status;
  }

  /// Outputs per sample are written while the pass runs. A first pass without them finds out whether it will succeed,
  /// so that bad input leaves them untouched.
  [[nodiscard]] Status run_passes(const GradientUse<T>& use) {
    LossResult made;
    Status status;
    const bool per_sample = !outputs_.losses.empty() || !outputs_.probabilities.empty() || !outputs_.dfeatures.empty();
    if (per_sample) status = run(pass, {}, {}, made);
    if (status.ok()) status = run(pass, outputs_, use, made);
    if (status.ok()) result_ = made;
    return status;
  }

  PublicPass<T> pass;

 private:
  const Objective& objective_;
  const Batch& batch_;
  const Execution& execution_;
  LossResult& result_;
  const SampleOutputs<T>& outputs_;
  PassGoal goal_;
};

template <class T>
Status check_gradient(const WeightsView<T>* gradient, std::size_t features, std::size_t classes) {
  if (gradient == nullptr) return {};
  if (gradient->weights.empty() || gradient->bias.empty()) {
    return fail(StatusCode::invalid_argument, "gradient", "room for that of the weights and that of the bias");
  }
  const bool fits = gradient->weights.rows == classes && gradient->weights.cols == features;
  if (fits && gradient->bias.size() == classes) return {};
  return fail(StatusCode::shape_mismatch, "gradient", "the shape of the weights and their bias");
}

/// On weights in any layout; `gradient` is null where the loss is all that is wanted.
template <class T>
Status evaluate(const Objective& objective, const WeightsView<const T>& weights, const Batch& batch,
                const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                const WeightsView<T>* gradient, const SampleOutputs<T>& outputs) {
  const FloatEnvironment environment;
  const std::size_t features = weights.weights.cols, classes = weights.weights.rows;
  Evaluation<T> call(objective, batch, execution, result, outputs,
                     gradient == nullptr ? PassGoal::loss : PassGoal::gradient);
  Status fits = check_gradient(gradient, features, classes);
  if (weights.weights.empty()) fits = fail(StatusCode::invalid_argument, "weights", "data");
  if (fits.ok()) fits = check_bias_size(weights);
  const Status status = call.prepare(features, classes, true, fits, workspace);
  if (!status.ok()) return status;
  call.pass.input.matrices = &weights;
  call.pass.input.weights = call.pass.memory.weights;
  call.pass.input.bias = call.pass.memory.bias;
  return call.run_passes({.matrices = gradient});
}

/// On weights in the engine's layout.
template <class T>
Status evaluate(const Objective& objective, const Parameters<T>& weights, const Batch& batch,
                const Execution& execution, std::span<std::byte> workspace, LossResult& result, Parameters<T>* gradient,
                const SampleOutputs<T>& outputs) {
  const FloatEnvironment environment;
  const std::size_t features = weights.features(), classes = weights.classes();
  Evaluation<T> call(objective, batch, execution, result, outputs,
                     gradient == nullptr ? PassGoal::loss : PassGoal::gradient);
  Status fits;
  if (gradient != nullptr && (gradient->features() != features || gradient->classes() != classes)) {
    fits = fail(StatusCode::shape_mismatch, "gradient", "the shape of the weights");
  }
  Status status = call.prepare(features, classes, false, fits, workspace);
  if (!status.ok()) return status;
  call.pass.input.weights = weights_of(weights);
  call.pass.input.bias = bias_of(weights);
  // Where there is but one gradient, it is made where it is wanted; the sum of several has few parameters.
  PassMemory<T>& memory = call.pass.memory;
  const bool in_place = gradient != nullptr && memory.plan.slots == 1;
  if (in_place) memory.gradient = weights_of(*gradient);
  status = call.run_passes({});
  if (status.ok() && gradient != nullptr && !in_place) {
    std::copy_n(memory.gradient, gradient->values().size(), weights_of(*gradient));
  }
  return status;
}

}  // namespace

template <class T>
std::size_t loss_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes, int threads) noexcept {
  if (rows == 0 || features == 0 || classes == 0 || !sizes_fit(rows, features, classes)) return 0;
  constexpr PassNeeds kEverything{
      .goal = PassGoal::gradient, .targets = true, .probabilities = true, .weights = true, .copied = true};
  Arena arena;
  PassMemory<T>().lay_out(arena, make_plan<T>(rows, features, classes), threads, kEverything);
  return arena.bytes();
}
template std::size_t loss_workspace_bytes<float>(std::size_t, std::size_t, std::size_t, int) noexcept;
template std::size_t loss_workspace_bytes<double>(std::size_t, std::size_t, std::size_t, int) noexcept;

Status loss(const Objective& objective, const WeightsView<const float>& weights, const Batch& batch,
            const Execution& execution, std::span<std::byte> workspace, LossResult& result,
            const SampleOutputs<float>& outputs) noexcept {
  return evaluate<float>(objective, weights, batch, execution, workspace, result,
                         static_cast<const WeightsView<float>*>(nullptr), outputs);
}
Status loss(const Objective& objective, const WeightsView<const double>& weights, const Batch& batch,
            const Execution& execution, std::span<std::byte> workspace, LossResult& result,
            const SampleOutputs<double>& outputs) noexcept {
  return evaluate<double>(objective, weights, batch, execution, workspace, result,
                          static_cast<const WeightsView<double>*>(nullptr), outputs);
}
Status loss(const Objective& objective, const Parameters<float>& weights, const Batch& batch,
            const Execution& execution, std::span<std::byte> workspace, LossResult& result,
            const SampleOutputs<float>& outputs) noexcept {
  return evaluate<float>(objective, weights, batch, execution, workspace, result,
                         static_cast<Parameters<float>*>(nullptr), outputs);
}
Status loss(const Objective& objective, const Parameters<double>& weights, const Batch& batch,
            const Execution& execution, std::span<std::byte> workspace, LossResult& result,
            const SampleOutputs<double>& outputs) noexcept {
  return evaluate<double>(objective, weights, batch, execution, workspace, result,
                          static_cast<Parameters<double>*>(nullptr), outputs);
}
Status loss_and_gradient(const Objective& objective, const WeightsView<const float>& weights, const Batch& batch,
                         const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                         const WeightsView<float>& gradient, const SampleOutputs<float>& outputs) noexcept {
  return evaluate<float>(objective, weights, batch, execution, workspace, result, &gradient, outputs);
}
Status loss_and_gradient(const Objective& objective, const WeightsView<const double>& weights, const Batch& batch,
                         const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                         const WeightsView<double>& gradient, const SampleOutputs<double>& outputs) noexcept {
  return evaluate<double>(objective, weights, batch, execution, workspace, result, &gradient, outputs);
}
Status loss_and_gradient(const Objective& objective, const Parameters<float>& weights, const Batch& batch,
                         const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                         Parameters<float>& gradient, const SampleOutputs<float>& outputs) noexcept {
  return evaluate<float>(objective, weights, batch, execution, workspace, result, &gradient, outputs);
}
Status loss_and_gradient(const Objective& objective, const Parameters<double>& weights, const Batch& batch,
                         const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                         Parameters<double>& gradient, const SampleOutputs<double>& outputs) noexcept {
  return evaluate<double>(objective, weights, batch, execution, workspace, result, &gradient, outputs);
}

}  // namespace lanemax
