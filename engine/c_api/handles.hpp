// SPDX-License-Identifier: BSD-3-Clause
//
// What C's handles stand for.
#ifndef LANEMAX_ENGINE_C_API_HANDLES_HPP
#define LANEMAX_ENGINE_C_API_HANDLES_HPP

#include <lanemax/lanemax.h>
#include <lanemax/lanemax.hpp>

#include <vector>

struct lanemax_bytes {
  std::vector<std::uint8_t> bytes;
};

struct lanemax_model {
  lanemax::Model model;
};

struct lanemax_predictor {
  lanemax::Predictor predictor;
};

struct lanemax_trainer {
  lanemax::Objective objective;
  lanemax::Execution execution;
  lanemax::Workspace memory, scratch;
  lanemax::TrainState<float> state;
};

struct lanemax_path {
  lanemax::PathResult result;
  std::vector<lanemax::PathPoint> points;
  std::size_t folds = 0;
  std::vector<lanemax::FoldScore> scores;  // [points][folds]
};

#endif
