// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_TRAIN_REPORT_HPP
#define LANEMAX_ENGINE_CLI_TRAIN_REPORT_HPP

#include "engine/cli/evaluation.hpp"
#include "engine/cli/train_options.hpp"

#include <lanemax/fit_path.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lanemax::cli {

/// All that there is to say about a training run.
struct TrainSummary {
  std::size_t samples = 0;  ///< rows that trained
  std::size_t features = 0;
  std::size_t classes = 0;
  std::string isa;
  Status status;          ///< ok or diverged
  Status history_status;  ///< of --history
  FitResult fit;
  std::string rounded_column;   ///< what FitResult::rounded_feature is called; empty: none
  std::vector<PathPoint> path;  ///< with --l2-path
  std::size_t best = 0;         ///< of them
  std::size_t left_out = 0;     ///< PathResult's
  Evaluation training;
  std::optional<Evaluation> test;
  double read_seconds = 0;
  double fit_seconds = 0;
  double total_seconds = 0;
};

/// How the model was trained, for its metadata: nothing that depends on threads, clock, host or paths.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> training_record(const TrainOptions& options,
                                                                               const FitOptions& fit,
                                                                               const TrainSummary& summary);

/// One JSON object and a line break; numbers are the shortest text that reads back as the same double.
[[nodiscard]] std::string train_json(const TrainOptions& options, const TrainSummary& summary);
[[nodiscard]] std::string train_text(const TrainOptions& options, const TrainSummary& summary);

/// What a user must not miss, on stderr also with --quiet: diverged, not converged, rows left out.
void warn_about_training(const TrainOptions& options, const TrainSummary& summary);

}  // namespace lanemax::cli

#endif
