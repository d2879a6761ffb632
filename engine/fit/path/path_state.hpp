// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_PATH_PATH_STATE_HPP
#define LANEMAX_ENGINE_FIT_PATH_PATH_STATE_HPP

#include "engine/fit/checkpoint/archive.hpp"
#include "engine/fit/path/held_out.hpp"

#include <cstdint>
#include <vector>

namespace lanemax {

/// Where a path stands: what it does next follows from this, from the state of the descent at work and from the point
/// that the shared curvature is of.
struct PathState {
  std::vector<PathPoint> points;  ///< in the caller's order
  std::uint64_t at = 0;           ///< penalties that are done; the next one is at work
  std::uint64_t fold = 0;         ///< at work, from 1; 0: all rows
  bool is_fitted = false;         ///< of all rows: their descent is over, and what it found is to be looked at
  std::vector<HeldOut> held;      ///< at the penalty at work, by fold
  std::vector<HeldOut> scores;    ///< of every finished point, by point and fold
  std::uint64_t best = 0;         ///< of the points

  Vector x;                     ///< of all rows
  Vector best_x;                ///< of all rows, at the best point
  Buffer<double> all_x;         ///< of all rows, at every finished point; empty if nobody asks for it
  std::vector<double> bounds;   ///< of the optimum at each of these
  Buffer<double> fold_weights;  ///< of every fold, at the last penalty that it was fitted with
  double bound = 0, best_bound = 0;

  // Work, in passes: before the descent at work, before the penalty at work, and of folds and rows held out.
  double whole_passes = 0, passes = 0, passes_at_point = 0, other_passes = 0;

  /// Not of the fits at work. May throw std::bad_alloc.
  void exchange(Archive& archive);
};

}  // namespace lanemax

#endif
