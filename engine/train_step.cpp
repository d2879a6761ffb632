// SPDX-License-Identifier: BSD-3-Clause
//
// START HERE. The whole engine is this sentence:
//
//   samples, labels -> logits -> loss -> gradient -> update -> weights
//
// train_step() below is all of it. A pass cuts the samples into blocks of rows that stay in cache, so that X comes from
// memory once, and takes each block through the steps up to the gradient; then it joins the blocks' gradients and
// updates the weights.
//
//   train_step()    checks, plans, runs the pass                        here
//   run_pass()      which block when, and into which gradient           engine/pass/pass.cpp
//   BlockSteps      load, logits, loss, gradient, update of a block     engine/pass/block_steps.hpp
//   Kernels         each step, compiled for every instruction set       engine/dispatch/kernel_table.hpp
//   the kernels     what is computed, and what limits it                engine/steps, engine/gemm
//
// Everything else in the library is a faster way to do one of these steps, a way in, or a way out.
#include <lanemax/train_step.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/pass/public_pass.hpp"
#include "engine/pass/weights.hpp"

#include <cmath>
#include <limits>

namespace lanemax {
namespace {

template <class T>
Status check_options(const StepOptions& options, Optimiser optimiser) {
  if (!(options.learning_rate >= static_cast<double>(std::numeric_limits<T>::denorm_min()) &&
        options.learning_rate <= static_cast<double>(std::numeric_limits<T>::max()))) {
    return fail(StatusCode::invalid_argument, "learning_rate", "a finite number > 0 in the state's scalar type");
  }
  if (!(options.momentum >= 0 && options.momentum < 1)) {
    return fail(StatusCode::invalid_argument, "momentum", "a number from 0, below 1");
  }
  if (!(options.second_moment_decay >= 0 && options.second_moment_decay < 1)) {
    return fail(StatusCode::invalid_argument, "second_moment_decay", "a number from 0, below 1");
  }
  if (!(options.total_weight >= 0) || !std::isfinite(options.total_weight)) {
    return fail(StatusCode::invalid_argument, "total_weight", "a finite number >= 0");
  }
  if (options.nesterov && optimiser != Optimiser::momentum) {
    return fail(StatusCode::invalid_argument, "nesterov", "a state with momentum");
  }
  return {};
}

}  // namespace

template <class T>
Status train_step(TrainState<T>& state, const Objective& objective, const Batch& batch, const StepOptions& options,
                  const Execution& execution, std::span<std::byte> workspace, LossResult& result) noexcept {
  const FloatEnvironment environment;
  TrainStateData<T>* const data = TrainStateData<T>::of(state);
  if (data == nullptr) return fail(StatusCode::invalid_argument, "state", "one made by create()");
  const std::size_t features = state.features(), classes = state.classes();
  PublicPass<T> pass;

  // Check.
  Status status = check_options<T>(options, data->optimiser);
  if (status.ok()) status = check(objective, batch, features, classes, execution, pass);
  if (status.ok() && !data->accepts(batch.scaling)) {
    status = fail(StatusCode::invalid_argument, "scaling", "that of the steps before, or as set_weights() was told");
  }

  // Plan: how the rows are cut up, and where in the workspace everything is.
  const PassNeeds needs{.goal = PassGoal::update, .targets = batch.labels.empty()};
  if (status.ok()) status = plan(needs, features, classes, execution, workspace, pass);
  if (!status.ok()) return status;
  pass.input.weights = weights_of(data->parameters);
  pass.input.bias = bias_of(data->parameters);
  if (options.total_weight > 0) pass.input.total_weight = options.total_weight;

  // Logits, loss and gradient of each block; then the update.
  status = run(pass, {}, {data, options}, result);
  if (status.ok()) data->settle(batch.scaling);
  return status;
}

template <class T>
std::size_t train_step_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes,
                                       int threads) noexcept {
  if (rows == 0 || features == 0 || classes == 0 || !sizes_fit(rows, features, classes)) return 0;
  return most_bytes<T>(rows, features, classes, [&](const PassPlan& plan) {
    Arena arena;
    PassMemory<T>().lay_out(arena, plan, threads, {.goal = PassGoal::update, .targets = true});
    return arena.bytes();
  });
}

template std::size_t train_step_workspace_bytes<float>(std::size_t, std::size_t, std::size_t, int) noexcept;
template std::size_t train_step_workspace_bytes<double>(std::size_t, std::size_t, std::size_t, int) noexcept;
template Status train_step<float>(TrainState<float>&, const Objective&, const Batch&, const StepOptions&,
                                  const Execution&, std::span<std::byte>, LossResult&) noexcept;
template Status train_step<double>(TrainState<double>&, const Objective&, const Batch&, const StepOptions&,
                                   const Execution&, std::span<std::byte>, LossResult&) noexcept;

}  // namespace lanemax
