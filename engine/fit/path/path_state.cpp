// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/path/path_state.hpp"

#include "engine/fit/checkpoint/flat_archive.hpp"

namespace lanemax {
namespace {

void exchange_flag(Archive& archive, bool& flag) {
  std::uint64_t number = flag ? 1 : 0;
  archive.count("", number, 1);
  flag = number == 1;
}

void exchange_fit(Archive& archive, FitResult& fit) {
  archive.choice("", fit.solver, Solver::adagrad);
  archive.choice("", fit.preconditioner, Preconditioner::full);
  archive.choice("", fit.reason, StopReason::diverged);
  exchange_flag(archive, fit.converged);
  for (double* number :
       {&fit.objective, &fit.data_loss, &fit.gradient_norm, &fit.gap_bound, &fit.passes, &fit.seconds}) {
    archive.number("", *number);
  }
  std::uint64_t iterations = fit.iterations;
  archive.count("", iterations);
  fit.iterations = iterations;
}

// All that is small, by one and the same way in and out.
void exchange_numbers(Archive& archive, PathState& state) {
  for (PathPoint& point : state.points) {
    exchange_fit(archive, point.fit);
    for (double* number : {&point.held_out_loss, &point.held_out_loss_error, &point.held_out_accuracy}) {
      archive.number("", *number);
    }
    exchange_flag(archive, point.converged);
    exchange_flag(archive, point.finished);
  }
  for (std::vector<HeldOut>* all : {&state.held, &state.scores}) {
    for (HeldOut& held : *all) {
      for (double* number : {&held.loss, &held.correct, &held.weight}) archive.number("", *number);
    }
  }
  for (double& bound : state.bounds) archive.number("", bound);
  exchange_flag(archive, state.is_fitted);
  for (double* number : {&state.bound, &state.best_bound, &state.whole_passes, &state.passes, &state.passes_at_point,
                         &state.other_passes}) {
    archive.number("", *number);
  }
}

}  // namespace

void PathState::exchange(Archive& archive) {
  archive.count("penalty", at, points.size() - 1);
  archive.count("fold", fold, held.size());
  archive.count("best_penalty", best, points.size() - 1);
  FlatArchive numbers;
  exchange_numbers(numbers, *this);
  archive.array("path", numbers.values().data(), numbers.values().size());
  numbers.give_back();
  exchange_numbers(numbers, *this);
  archive.array("all_rows_x", x);
  archive.array("best_x", best_x);
  archive.array("points_x", all_x.data(), all_x.size());
  archive.array("folds_x", fold_weights.data(), fold_weights.size());
}

}  // namespace lanemax
