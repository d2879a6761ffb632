// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/progress.hpp"

#include "engine/cli/interrupt.hpp"
#include "engine/cli/output.hpp"

#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <new>
#include <utility>

namespace lanemax::cli {
namespace {

std::string rate_text(double per_second) {
  std::array<char, 40> text;
  const char* unit = "";
  for (const char* larger : {"k", "M", "G"}) {
    if (!(per_second >= 1000)) break;
    per_second /= 1000;
    unit = larger;
  }
  std::snprintf(text.data(), text.size(), "%.3g%s samples/s", per_second, unit);
  return text.data();
}

std::string duration_text(double seconds) {
  std::array<char, 40> text;
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  const double whole = std::round(seconds);
  if (seconds < 10) {
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  } else if (seconds < 120) {
    std::snprintf(text.data(), text.size(), "%.0f s", seconds);
  } else {
    std::snprintf(text.data(), text.size(), "%.0f min %02.0f s", std::floor(whole / 60), std::fmod(whole, 60));
  }
  return text.data();
}

std::string line_of(const FitProgress& progress) {
  const bool epochs = progress.epoch > 0;
  std::string line = epochs ? "epoch " + std::to_string(progress.epoch) + "/" + std::to_string(progress.epochs)
                            : "iteration " + std::to_string(progress.iterations);
  if (epochs) {
    line += "  loss " + readable(progress.loss);
  } else {
    if (progress.fold > 0) line = "fold " + std::to_string(progress.fold) + "  " + line;
    line += "  objective " + readable(progress.objective) + "  gradient " + readable(progress.gradient_norm);
  }
  if (std::isfinite(progress.validation_loss)) line += "  validation " + readable(progress.validation_loss);
  line += "  " + rate_text(progress.samples_per_second);
  if (!epochs) return line + "  " + duration_text(progress.seconds);
  return line + "  " + duration_text(progress.seconds_left) + " left";
}

}  // namespace

TrainingProgress::TrainingProgress(bool quiet, bool keep_history, std::string resumed_from)
    : resumed_from_(std::move(resumed_from)),
      quiet_(quiet),
      keep_history_(keep_history),
      live_(!quiet && ::isatty(STDERR_FILENO) == 1) {}

bool TrainingProgress::on_epoch(const FitProgress& progress, void* user) noexcept {
  auto& self = *static_cast<TrainingProgress*>(user);
  try {
    if (progress.checkpoint_failed && !std::exchange(self.warned_, true)) {
      self.end_line();
      say("warning: the checkpoint cannot be written; training goes on");
    }
    if (self.keep_history_) self.history_.push_back(progress);
    if (!self.quiet_) self.show(progress);
  } catch (const std::bad_alloc&) {
    self.out_of_memory_ = true;
    return false;
  }
  return noted_interrupt() == 0;
}

void TrainingProgress::show(const FitProgress& progress) {
  if (!announced_.empty()) say(std::exchange(announced_, {}));
  if (progress.resumed_passes > 0 && !resumed_from_.empty()) {
    say("resumed from " + std::exchange(resumed_from_, {}) + ", after " + readable(progress.resumed_passes) +
        " passes");
  }
  std::string line = line_of(progress);
  if (!live_) return say(line);
  const std::size_t length = line.size();
  if (length < shown_) line.append(shown_ - length, ' ');
  shown_ = length;
  line.insert(line.begin(), '\r');
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
  static_cast<void>(std::fflush(stderr));
}

void TrainingProgress::end_line() {
  if (live_ && std::exchange(shown_, 0) > 0) say("");
}

void TrainingProgress::finish() {
  end_line();
  if (out_of_memory_) throw std::bad_alloc();
}

std::string TrainingProgress::history_csv() const {
  std::string text =
      "epoch,iteration,passes,loss,validation_loss,objective,gradient_norm,learning_rate,seconds,samples_per_second\n";
  for (const FitProgress& p : history_) {
    text += (p.epoch > 0 ? std::to_string(p.epoch) : "") + ',' + std::to_string(p.iterations);
    for (const double number : {p.passes, p.loss, p.validation_loss, p.objective, p.gradient_norm, p.learning_rate,
                                p.seconds, p.samples_per_second}) {
      text += ',' + number_text(number);
    }
    text += '\n';
  }
  return text;
}

}  // namespace lanemax::cli
