// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_PASS_HPP
#define LANEMAX_ENGINE_PASS_PASS_HPP

#include <lanemax/objective.hpp>
#include <lanemax/train_step.hpp>

#include "engine/dispatch/kernel_table.hpp"
#include "engine/pass/plan.hpp"
#include "engine/train_state.hpp"
#include "engine/workspace.hpp"

namespace lanemax {

/// How far a pass goes.
enum class PassGoal : std::uint8_t {
  loss,
  gradient,  ///< whole in memory
  update,    ///< of the weights; the gradient need not be whole in memory
};

/// What memory of a pass there must be beside that for its goal.
struct PassNeeds {
  PassGoal goal = PassGoal::loss;
  bool targets = false;        ///< target probabilities are given
  bool probabilities = false;  ///< the matrix of probabilities is wanted
  bool weights = false;        ///< room for weights in the engine's layout
  bool copied = false;         ///< the gradient goes to the caller's matrices
};

/// What a part of a block adds up to.
struct PartSums {
  double loss = 0;
  double weight = 0;
  std::uint32_t rows = 0;
};

/// Scratch memory of a pass, laid out in the caller's workspace.
template <class T>
struct PassMemory {
  static constexpr int kMostThreads = 1024;
  PassPlan plan;
  PassGoal goal = PassGoal::loss;
  int threads = 1;
  bool fused = false;  ///< what becomes of the gradient is fused into its tiles
  // for the blocks in flight: one per thread, or a group
  T* values = nullptr;
  T* dlogits = nullptr;
  std::size_t value_stride = 0;
  std::int32_t* labels = nullptr;
  T* row_weights = nullptr;
  T* losses = nullptr;
  std::uint32_t* rows = nullptr;
  std::uint32_t* positions = nullptr;
  // one per thread
  T* targets = nullptr;
  T* probabilities = nullptr;
  T* tile_gradients = nullptr;
  // one per part of a block of the batch
  PartSums* part_sums = nullptr;
  // one per slot: weights, then bias; the first ends up as the gradient. With a fused update: of the bias alone.
  T* gradient = nullptr;
  // room for weights in the engine's layout
  T* weights = nullptr;
  T* bias = nullptr;

  void lay_out(Arena& arena, const PassPlan& the_plan, int thread_count, const PassNeeds& needs) noexcept;
};

/// What a pass works on.
template <class T>
struct PassInput {
  const KernelTable* table = nullptr;
  const Objective* objective = nullptr;
  const Batch* batch = nullptr;
  const T* weights = nullptr;  ///< in the engine's layout, as the bias
  const T* bias = nullptr;
  /// Null, or weights to be copied first to PassMemory's, which are those above then.
  const WeightsView<const T>* matrices = nullptr;
  double total_weight = 0;  ///< S, > 0
  bool penalty = false;     ///< it is to be part of the result's objective
};

/// What becomes of the gradient: an optimiser step by it, a copy of it in the caller's matrices, or else nothing.
template <class T>
struct GradientUse {
  TrainStateData<T>* state = nullptr;
  StepOptions options = {};
  const WeightsView<T>* matrices = nullptr;
};

/// Runs one pass. `outputs` are written as blocks are done: the caller makes sure first that it will succeed. It goes
/// as far as `memory` was laid out for. On success the gradient of the objective (PassGoal::gradient) is where its use
/// says, or else at memory.gradient. A loss or gradient that is not finite gives StatusCode::overflow, and nothing is
/// updated or copied.
template <class T>
[[nodiscard]] Status run_pass(const PassInput<T>& input, const PassMemory<T>& memory, const SampleOutputs<T>& outputs,
                              const GradientUse<T>& use, LossResult& result) noexcept;

}  // namespace lanemax

#endif
