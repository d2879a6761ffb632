// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CONTROL_HPP
#define LANEMAX_ENGINE_FIT_CONTROL_HPP

#include "engine/fail.hpp"
#include "engine/fit/checkpoint/checkpoint.hpp"

#include <chrono>
#include <new>
#include <utility>

namespace lanemax {

/// Whether a fit that ends for this reason had more to do: all that is left is to measure what it has.
[[nodiscard]] constexpr bool is_early_end(StopReason reason) noexcept {
  return reason == StopReason::interrupted || reason == StopReason::time_limit;
}

/// A computation of many fits, whose state goes around that of the fit at work into the checkpoint.
class Enclosing : public Resumable {
 public:
  /// The whole, this fit being the one at work.
  virtual Resumable& around(Resumable& fit) = 0;
};

/// The clock, the caller's wish to stop, and the checkpoint file.
class Control {
 public:
  explicit Control(const FitOptions& options) : options_(options), started_(now()), kept_(started_) {}

  /// Of what is kept and resumed from here on, the fit is a part.
  void enclose(Enclosing& whole) noexcept { whole_ = &whole; }
  /// What a checkpoint is of, before the first is written or read.
  void identify(FitIdentity identity) noexcept { identity_ = std::move(identity); }

  [[nodiscard]] double seconds() const noexcept { return now() - started_; }
  /// Asks the caller. Once it has said yes, it is not asked again.
  [[nodiscard]] bool cancelled() const noexcept {
    if (!was_cancelled_) was_cancelled_ = options_.cancelled != nullptr && options_.cancelled(options_.user);
    return was_cancelled_;
  }
  [[nodiscard]] bool was_cancelled() const noexcept { return was_cancelled_; }
  /// Whether work of this many more seconds would pass the time limit.
  [[nodiscard]] bool out_of_time(double more = 0) const noexcept {
    return options_.stopping.time_limit > 0 && seconds() + more >= options_.stopping.time_limit;
  }
  /// Asks the caller, and the clock.
  [[nodiscard]] bool is_stopping() const noexcept { return cancelled() || out_of_time(); }

  /// Takes the state from the checkpoint, if the fit is to go on from one.
  [[nodiscard]] Status resume(Resumable& state) const {
    return options_.checkpoint.resume ? load_checkpoint(options_.checkpoint.file.c_str(), identity_, whole_of(state))
                                      : Status{};
  }
  /// The passes of the runs that this one goes on from; of a computation of many fits what comes first counts.
  void resumed_after(double passes) noexcept { resumed_passes_ = resumed_passes_ > 0 ? resumed_passes_ : passes; }
  [[nodiscard]] double resumed_passes() const noexcept { return resumed_passes_; }
  /// Keeps the state if it is time. A fit goes on without: see checkpoint_error().
  void keep(Resumable& state) {
    if (!options_.checkpoint.file.empty() && now() - kept_ >= options_.checkpoint.seconds) save(state);
  }
  /// Keeps the state of a fit that ends for this reason, if that is before its time. One of many goes no further than
  /// its most iterations.
  void finish(Resumable& state, StopReason reason) {
    const bool early = is_early_end(reason) || (reason == StopReason::max_iterations && whole_ == nullptr);
    if (!options_.checkpoint.file.empty() && early) save(state);
  }
  /// Of the last attempt to keep the state.
  [[nodiscard]] const Status& checkpoint_error() const noexcept { return checkpoint_error_; }

 private:
  void save(Resumable& state) {
    try {
      checkpoint_error_ = save_checkpoint(options_.checkpoint.file.c_str(), identity_, whole_of(state));
    } catch (const std::bad_alloc&) {
      checkpoint_error_ = fail(StatusCode::out_of_memory, "checkpoint", "memory for a copy of the state");
    }
    kept_ = now();
  }
  [[nodiscard]] Resumable& whole_of(Resumable& state) const {
    return whole_ != nullptr ? whole_->around(state) : state;
  }
  static double now() noexcept {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  const FitOptions& options_;
  FitIdentity identity_;
  Enclosing* whole_ = nullptr;
  double resumed_passes_ = 0;
  double started_;
  double kept_;
  Status checkpoint_error_;
  mutable bool was_cancelled_ = false;
};

}  // namespace lanemax

#endif
