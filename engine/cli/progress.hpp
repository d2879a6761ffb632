// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PROGRESS_HPP
#define LANEMAX_ENGINE_CLI_PROGRESS_HPP

#include <lanemax/fit.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace lanemax::cli {

/// Follows a fit: shows it on stderr (one line rewritten on a terminal, else a line per epoch), keeps its history, and
/// ends it when a signal was noted.
class TrainingProgress {
 public:
  /// `resumed_from`: the checkpoint, or empty.
  TrainingProgress(bool quiet, bool keep_history, std::string resumed_from);

  /// A line to be shown before the first report: of a run that fails before, the error is the only line.
  void announce(std::string line) { announced_ = std::move(line); }

  /// A ProgressCallback; `user` is the TrainingProgress.
  static bool on_epoch(const FitProgress& progress, void* user) noexcept;

  /// Ends the live line. Throws std::bad_alloc if the history could not be kept.
  void finish();

  /// CSV with the header that `--history` names; a field that is not known is empty.
  [[nodiscard]] std::string history_csv() const;

 private:
  void show(const FitProgress& progress);
  void end_line();

  std::string announced_;
  std::string resumed_from_;  ///< empty once it is said
  bool quiet_;
  bool keep_history_;
  bool live_;
  bool out_of_memory_ = false;
  bool warned_ = false;    ///< that the checkpoint cannot be written
  std::size_t shown_ = 0;  ///< characters on the live line
  std::vector<FitProgress> history_;
};

}  // namespace lanemax::cli

#endif
