// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/objective.hpp>

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/pass.hpp"

namespace lanemax {
namespace {

Status check_outputs(const Objective& objective, const Batch& batch, std::size_t rows, std::size_t classes,
                     std::size_t features, const auto& loss_outputs, const auto& gradient, bool with_gradient) {
  const auto& p = loss_outputs.probabilities;
  if (!p.empty() && objective.loss == Loss::hinge) {
    return fail(StatusCode::invalid_argument, "probabilities", "a loss that has them: softmax or logistic");
  }
  if (!p.empty() && (p.rows != rows || p.cols != classes)) {
    return fail(StatusCode::shape_mismatch, "probabilities", "one row per row of the batch, one column per score");
  }
  if (!with_gradient) return {};
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

// The memory of a call: the weights in the engine's layout, then the pass's own.
template <class T>
struct CallMemory {
  T* weights = nullptr;
  T* bias = nullptr;
  PassMemory<T> pass;

  void lay_out(Arena& arena, const PassPlan& plan, int threads, const PassNeeds& needs) {
    weights = arena.take<T>(weight_count(plan.features, plan.classes));
    bias = arena.take<T>(bias_count(plan.classes));
    pass.lay_out(arena, plan, threads, needs);
  }
};

template <class T>
Status evaluate(const Objective& objective, const WeightsView<T>& weights, const Batch& batch,
                const Execution& execution, const Workspace& workspace, LossResult& result,
                const GradientOutputs<T>& gradient, const LossOutputs<T>& outputs, bool with_gradient) {
  const FloatEnvironment environment;
  const std::size_t features = weights.weights.cols, classes = weights.weights.rows;
  ProblemSize size;
  Status status = check_problem(objective, batch, features, classes, size);
  if (status.ok() && weights.weights.empty()) status = fail(StatusCode::invalid_argument, "weights", "data");
  if (status.ok()) {
    status = check_outputs(objective, batch, batch.rows(), classes, features, outputs, gradient, with_gradient);
  }
  if (status.ok() && execution.threads < 1) status = fail(StatusCode::invalid_argument, "threads", "at least 1");
  const KernelTable* table = nullptr;
  if (status.ok()) status = select_kernels(execution.isa, table);
  if (!status.ok()) return status;

  PassNeeds needs;
  needs.gradient = with_gradient;
  needs.targets = batch.labels == nullptr;
  needs.probabilities = !outputs.probabilities.empty();
  const PassPlan plan = make_plan<T>(batch.rows(), features, classes);
  Arena measure;
  CallMemory<T>().lay_out(measure, plan, execution.threads, needs);
  status = check_workspace(workspace, measure.bytes());
  if (!status.ok()) return status;
  Arena arena(workspace);
  CallMemory<T> memory;
  memory.lay_out(arena, plan, execution.threads, needs);
  status = import_weights(weights, memory.weights, memory.bias);
  if (!status.ok()) return status;

  PassInput<T> input;
  input.table = table;
  input.objective = &objective;
  input.batch = &batch;
  input.weights = memory.weights;
  input.bias = memory.bias;
  input.total_weight = size.total_weight;

  LossResult pass_result;
  PassOutputs<T> pass_outputs{outputs, gradient.dfeatures};
  const bool writes_rows =
      outputs.sample_losses != nullptr || !outputs.probabilities.empty() || !gradient.dfeatures.empty();
  if (writes_rows) {
    // These outputs are as long as the batch and are written while the pass runs. A first pass without them finds out
    // whether it will succeed, so that bad input leaves them untouched.
    PassNeeds dry_needs = needs;
    dry_needs.probabilities = false;
    status = run_pass<T>(input, memory.pass, dry_needs, {}, {}, pass_result);
  }
  if (status.ok()) status = run_pass<T>(input, memory.pass, needs, pass_outputs, {}, pass_result);
  if (!status.ok()) {
    const Status cause = find_bad_feature(batch, objective.ignored_label);
    return cause.ok() ? status : cause;
  }
  result = pass_result;
  if (with_gradient) {
    export_weights(memory.pass.gradient, gradient.dweights);
    const T* dbias = memory.pass.gradient + weight_count(features, classes);
    for (std::size_t c = 0; c < classes; ++c) gradient.dbias[c] = dbias[c];
  }
  return {};
}

}  // namespace

template <class T>
std::size_t loss_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes, int threads) noexcept {
  if (rows == 0 || features == 0 || classes == 0 || !sizes_fit(rows, features, classes)) return 0;
  PassNeeds everything;
  everything.gradient = true;
  Arena arena;
  CallMemory<T>().lay_out(arena, make_plan<T>(rows, features, classes), threads, everything);
  return arena.bytes();
}

template <class T>
Status loss(const Objective& objective, const WeightsView<T>& weights, const Batch& batch, const Execution& execution,
            const Workspace& workspace, LossResult& result, const LossOutputs<T>& outputs) noexcept {
  return evaluate<T>(objective, weights, batch, execution, workspace, result, {}, outputs, false);
}

template <class T>
Status loss_and_gradient(const Objective& objective, const WeightsView<T>& weights, const Batch& batch,
                         const Execution& execution, const Workspace& workspace, LossResult& result,
                         const GradientOutputs<T>& gradient, const LossOutputs<T>& outputs) noexcept {
  return evaluate<T>(objective, weights, batch, execution, workspace, result, gradient, outputs, true);
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
