// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/objective.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/public_pass.hpp"
#include "engine/pass/weights.hpp"

namespace lanemax {
namespace {

template <class T>
Status check_outputs(const Objective& objective, const Batch& batch, std::size_t classes, std::size_t features,
                     const LossOutputs<T>& loss_outputs, const GradientOutputs<T>& gradient, PassGoal goal) {
  const std::size_t rows = batch.rows();
  const auto& p = loss_outputs.probabilities;
  if (!p.empty() && objective.loss == Loss::hinge) {
    return fail(StatusCode::invalid_argument, "probabilities", "a loss that has them: softmax or logistic");
  }
  if (!p.empty() && (p.rows != rows || p.cols != classes)) {
    return fail(StatusCode::shape_mismatch, "probabilities", "one row per row of the batch, one column per score");
  }
  if (goal == PassGoal::loss) return {};
  if (gradient.dweights.empty() || gradient.dbias == nullptr) {
    return fail(StatusCode::invalid_argument, "gradient", "room for dweights and dbias");
  }
  if (gradient.dweights.rows != classes || gradient.dweights.cols != features) {
    return fail(StatusCode::shape_mismatch, "dweights", "the shape of the weights");
  }
  const auto& dx = gradient.dfeatures;
  if (!dx.empty() && (dx.rows != rows || dx.cols != features || dx.col_stride != 1)) {
    return fail(StatusCode::shape_mismatch, "dfeatures", "one contiguous row of D per row of the batch");
  }
  if (!dx.empty() && (batch.scaling.centre != nullptr || batch.scaling.factor != nullptr)) {
    return fail(StatusCode::invalid_argument, "dfeatures", "features that are not scaled");
  }
  return {};
}

template <class T>
Status evaluate(const Objective& objective, const WeightsView<T>& weights, const Batch& batch,
                const Execution& execution, const Workspace& workspace, LossResult& result,
                const GradientOutputs<T>& gradient, const LossOutputs<T>& outputs, PassGoal goal) {
  const FloatEnvironment environment;
  const std::size_t features = weights.weights.cols, classes = weights.weights.rows;
  PublicPass<T> pass;
  const PassNeeds needs{.goal = goal,
                        .targets = batch.labels == nullptr,
                        .probabilities = !outputs.probabilities.empty(),
                        .weights = true};
  Status status = check(objective, batch, features, classes, execution, pass);
  if (status.ok() && weights.weights.empty()) status = fail(StatusCode::invalid_argument, "weights", "data");
  if (status.ok()) status = check_outputs(objective, batch, classes, features, outputs, gradient, goal);
  if (status.ok()) status = plan(needs, features, classes, execution, workspace, pass);
  if (status.ok()) status = import_weights(weights, pass.memory.weights, pass.memory.bias);
  if (!status.ok()) return status;
  pass.input.weights = pass.memory.weights;
  pass.input.bias = pass.memory.bias;

  LossResult made;
  const bool writes_rows =
      outputs.sample_losses != nullptr || !outputs.probabilities.empty() || !gradient.dfeatures.empty();
  // These outputs are as long as the batch and are written while the pass runs. A first pass without them finds out
  // whether it will succeed, so that bad input leaves them untouched.
  if (writes_rows) status = run(pass, {}, {}, made);
  if (status.ok()) status = run(pass, {outputs, gradient.dfeatures}, {}, made);
  if (!status.ok()) return status;
  result = made;
  if (goal == PassGoal::gradient) {
    export_weights(pass.memory.gradient, gradient.dweights);
    const T* dbias = pass.memory.gradient + weight_count(features, classes);
    for (std::size_t c = 0; c < classes; ++c) gradient.dbias[c] = dbias[c];
  }
  return {};
}

}  // namespace

template <class T>
std::size_t loss_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes, int threads) noexcept {
  if (rows == 0 || features == 0 || classes == 0 || !sizes_fit(rows, features, classes)) return 0;
  constexpr PassNeeds kEverything{.goal = PassGoal::gradient, .targets = true, .probabilities = true, .weights = true};
  Arena arena;
  PassMemory<T>().lay_out(arena, make_plan<T>(rows, features, classes), threads, kEverything);
  return arena.bytes();
}

template <class T>
Status loss(const Objective& objective, const WeightsView<T>& weights, const Batch& batch, const Execution& execution,
            const Workspace& workspace, LossResult& result, const LossOutputs<T>& outputs) noexcept {
  return evaluate<T>(objective, weights, batch, execution, workspace, result, {}, outputs, PassGoal::loss);
}

template <class T>
Status loss_and_gradient(const Objective& objective, const WeightsView<T>& weights, const Batch& batch,
                         const Execution& execution, const Workspace& workspace, LossResult& result,
                         const GradientOutputs<T>& gradient, const LossOutputs<T>& outputs) noexcept {
  return evaluate<T>(objective, weights, batch, execution, workspace, result, gradient, outputs, PassGoal::gradient);
}

template std::size_t loss_workspace_bytes<float>(std::size_t, std::size_t, std::size_t, int) noexcept;
template std::size_t loss_workspace_bytes<double>(std::size_t, std::size_t, std::size_t, int) noexcept;
template Status loss<float>(const Objective&, const WeightsView<float>&, const Batch&, const Execution&,
                            const Workspace&, LossResult&, const LossOutputs<float>&) noexcept;
template Status loss<double>(const Objective&, const WeightsView<double>&, const Batch&, const Execution&,
                             const Workspace&, LossResult&, const LossOutputs<double>&) noexcept;
template Status loss_and_gradient<float>(const Objective&, const WeightsView<float>&, const Batch&, const Execution&,
                                         const Workspace&, LossResult&, const GradientOutputs<float>&,
                                         const LossOutputs<float>&) noexcept;
template Status loss_and_gradient<double>(const Objective&, const WeightsView<double>&, const Batch&, const Execution&,
                                          const Workspace&, LossResult&, const GradientOutputs<double>&,
                                          const LossOutputs<double>&) noexcept;

}  // namespace lanemax
