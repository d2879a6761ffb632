// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/public_pass.hpp"

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/weights.hpp"

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
  pass.input.penalty = true;
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
Status run(const PublicPass<T>& pass, const SampleOutputs<T>& outputs, const GradientUse<T>& use,
           LossResult& result) noexcept {
  const PassInput<T>& input = pass.input;
  LossResult made;
  const Status status = run_pass(input, pass.memory, outputs, use, made);
  if (status.ok()) {
    result = made;
    return {};
  }
  Status cause = input.matrices != nullptr ? check_weights(*input.matrices) : Status{};
  if (cause.ok()) cause = find_bad_feature(*input.batch, input.objective->ignored_label);
  return cause.ok() ? status : cause;
}

template Status check<float>(const Objective&, const Batch&, std::size_t, std::size_t, const Execution&,
                             PublicPass<float>&) noexcept;
template Status check<double>(const Objective&, const Batch&, std::size_t, std::size_t, const Execution&,
                              PublicPass<double>&) noexcept;
template Status plan<float>(const PassNeeds&, std::size_t, std::size_t, const Execution&, std::span<std::byte>,
                            PublicPass<float>&) noexcept;
template Status plan<double>(const PassNeeds&, std::size_t, std::size_t, const Execution&, std::span<std::byte>,
                             PublicPass<double>&) noexcept;
template Status run<float>(const PublicPass<float>&, const SampleOutputs<float>&, const GradientUse<float>&,
                           LossResult&) noexcept;
template Status run<double>(const PublicPass<double>&, const SampleOutputs<double>&, const GradientUse<double>&,
                            LossResult&) noexcept;

}  // namespace lanemax
