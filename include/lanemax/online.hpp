// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ONLINE_HPP
#define LANEMAX_ONLINE_HPP

#include <lanemax/predictor.hpp>
#include <lanemax/train_step.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#pragma GCC visibility push(default)
namespace lanemax {

struct OnlineOptions {
  Objective objective = {};  ///< softmax or hinge; without label smoothing, which classes to come would be given
  Optimiser optimiser = Optimiser::adagrad;
  std::size_t batch_rows = 1;  ///< of the largest batch to come
  /// Models in memory: the newest, and those that readers still hold; from 2 to 65536. With one more than there are
  /// readers who hold one at a time, and another for the newest, publish() always finds room.
  std::size_t snapshots = 4;
  Execution execution = {};  ///< of the steps; its variant is that of the predictions, too
};

struct OnlineLearnerState;  // the engine's own

/// A model of an OnlineLearner, which stays as it is as long as this object lives; and no longer than the learner.
class Snapshot {
 public:
  Snapshot() noexcept = default;
  ~Snapshot() { release(); }
  Snapshot(Snapshot&& other) noexcept { *this = std::move(other); }
  Snapshot& operator=(Snapshot&& other) noexcept {
    std::swap(learner_, other.learner_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  /// Whether there is one; that of a learner that was not created has none.
  [[nodiscard]] explicit operator bool() const noexcept { return learner_ != nullptr; }
  [[nodiscard]] const Predictor& operator*() const noexcept;
  [[nodiscard]] const Predictor* operator->() const noexcept { return &**this; }
  /// How many publish() came before: 0 is the model of create().
  [[nodiscard]] std::uint64_t version() const noexcept;

 private:
  friend class OnlineLearner;
  Snapshot(OnlineLearnerState* learner, std::size_t slot) noexcept : learner_(learner), slot_(slot) {}
  void release() noexcept;
  OnlineLearnerState* learner_ = nullptr;
  std::size_t slot_ = 0;
};

/// Learns in one thread, while any number of others predict: they take the newest published model, whole, without
/// waiting for anybody, and keep it as long as they like. In f32, for features as they are (Batch::scaling is refused:
/// scale them before, for steps and predictions alike). All memory is taken by create().
///
/// There is room for so many classes. Those that have not been used have no probability and are nobody's prediction; a
/// class is used from its first label on (or its first target probability above 0), and starts at weights and bias 0.
/// Where none has been used yet, every prediction is kNotFinite.
class OnlineLearner {
 public:
  OnlineLearner() noexcept;
  ~OnlineLearner();  ///< no snapshot may be left
  OnlineLearner(OnlineLearner&&) noexcept;
  OnlineLearner& operator=(OnlineLearner&&) noexcept;
  OnlineLearner(const OnlineLearner&) = delete;
  OnlineLearner& operator=(const OnlineLearner&) = delete;

  [[nodiscard]] static Status create(std::size_t features, std::size_t class_capacity, const OnlineOptions& options,
                                     OnlineLearner& learner) noexcept;
  [[nodiscard]] std::size_t features() const noexcept;
  [[nodiscard]] std::size_t class_capacity() const noexcept;

  // ---- of one thread at a time ----

  /// One train_step(). Where it fails, nothing has changed, and no class has come to be used.
  [[nodiscard]] Status learn(const Batch& batch, const StepOptions& options, LossResult& result) noexcept;
  /// Makes the weights so far the newest model. False if readers hold all the others: it is as it was, and a later call
  /// publishes all that has been learned by then.
  [[nodiscard]] bool publish() noexcept;
  /// As TrainState has them: W is capacity x D; a class whose bias is -infinity is one that has not been used.
  [[nodiscard]] Status set_weights(const WeightsView<const float>& weights) noexcept;
  [[nodiscard]] Status get_weights(const WeightsView<float>& weights) const noexcept;
  [[nodiscard]] Status to_bytes(std::vector<std::uint8_t>& bytes) const noexcept;
  [[nodiscard]] Status from_bytes(std::span<const std::uint8_t> bytes) noexcept;
  [[nodiscard]] std::size_t classes_used() const noexcept;

  // ---- of any thread, at any time ----

  /// The newest published model: one atomic operation, and another when it is given back.
  [[nodiscard]] Snapshot newest() const noexcept;

 private:
  std::unique_ptr<OnlineLearnerState> state_;
};

}  // namespace lanemax
#pragma GCC visibility pop

#endif
