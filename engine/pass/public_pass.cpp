// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/public_pass.hpp"

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/weights.hpp"

#include <cmath>

namespace lanemax {

template <class T>
Status check(const Objective& objective, const Batch& batch, std::size_t features, std::size_t classes,
             const Execution& execution, PublicPass<T>& pass) noexcept {
  ProblemSize size;
  Status status = check_problem(objective, batch, features, classes, size);
  if (status.ok() && execution.threads < 1) status = fail(StatusCode::invalid_argument, "threads", "at least 1");
  if (status.ok()) status = select_kernels(execution, pass.input.table);
  pass.input.objective = &objective;
  pass.input.batch = &batch;
  pass.input.total_weight = size.total_weight;
  return status;
}

template <class T>
Status plan(const PassNeeds& needs, std::size_t features, std::size_t classes, const Execution& execution,
            std::span<std::byte> workspace, PublicPass<T>& pass) noexcept {
  const PassPlan cuts = make_plan<T>(pass.input.batch->rows(), features, classes);
  Arena measure;
  pass.memory.lay_out(measure, cuts, execution.threads, needs);
  const Status status = check_workspace(workspace, measure.bytes());
  if (!status.ok()) return status;
  Arena arena(workspace);
  pass.memory.lay_out(arena, cuts, execution.threads, needs);
  return {};
}

template <class T>
Status run(const PublicPass<T>& pass, const SampleOutputs<T>& outputs, const PassUpdate<T>& update,
           LossResult& result) noexcept {
  const Objective& objective = *pass.input.objective;
  double penalty = 0;  // at the weights before an update
  if (const double l2 = objective.l2.value_or(0); l2 > 0) {
    const PassPlan& plan = pass.memory.plan;
    penalty = 0.5 * l2 * squared_norm(pass.input.weights, weight_count(plan.features, plan.classes));
    if (objective.reduction != Reduction::mean) penalty *= pass.input.total_weight;
  }
  LossResult of_data;
  Status status = std::isfinite(penalty)
                      ? run_pass(pass.input, pass.memory, outputs, update, of_data)
                      : fail(StatusCode::overflow, "penalty", "weights whose squares are within the range of double");
  if (!status.ok()) {
    const Status cause = find_bad_feature(*pass.input.batch, objective.ignored_label);
    return cause.ok() ? status : cause;
  }
  result = of_data;
  result.objective += penalty;
  return {};
}

template Status check<float>(const Objective&, const Batch&, std::size_t, std::size_t, const Execution&,
                             PublicPass<float>&) noexcept;
template Status check<double>(const Objective&, const Batch&, std::size_t, std::size_t, const Execution&,
                              PublicPass<double>&) noexcept;
template Status plan<float>(const PassNeeds&, std::size_t, std::size_t, const Execution&, std::span<std::byte>,
                            PublicPass<float>&) noexcept;
template Status plan<double>(const PassNeeds&, std::size_t, std::size_t, const Execution&, std::span<std::byte>,
                             PublicPass<double>&) noexcept;
template Status run<float>(const PublicPass<float>&, const SampleOutputs<float>&, const PassUpdate<float>&,
                           LossResult&) noexcept;
template Status run<double>(const PublicPass<double>&, const SampleOutputs<double>&, const PassUpdate<double>&,
                            LossResult&) noexcept;

}  // namespace lanemax
