// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PREDICT_PREDICTOR_STATE_HPP
#define LANEMAX_ENGINE_PREDICT_PREDICTOR_STATE_HPP

#include <lanemax/parameters.hpp>
#include <lanemax/predictor.hpp>

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"
#include "engine/workspace.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lanemax {

/// What a predictor holds: a copy of the weights, and what follows from their shape.
template <class T>
struct PredictorState {
  static constexpr FeatureType kOwn = sizeof(T) == sizeof(float) ? FeatureType::f32 : FeatureType::f64;
  const KernelTable* table = nullptr;
  LogitsForm form = LogitsForm::panel;
  Loss loss = Loss::softmax;
  std::size_t features = 0;
  std::size_t rows = 0;  // of W
  std::size_t classes = 0;
  std::size_t masked = 0;  // classes with a bias of -infinity
  double threshold = 0;    // 0: none
  Workspace memory;
  std::vector<std::string> labels;
  T* weights = nullptr;
  T* bias = nullptr;
  double* centre = nullptr;  // null: none
  // A row alone, whose lanes cannot be other rows, has them over classes: the same sums in the same order.
  LogitsForm row_form = LogitsForm::panel;
  const T* row_weights = nullptr;
  T* row_panels = nullptr;  // null: the weights are those

  /// Null for a predictor that was not created.
  [[nodiscard]] static PredictorState* of(const BasicPredictor<T>& predictor) noexcept {
    return predictor.state_.get();
  }

  /// Copies the weights. May throw std::bad_alloc.
  [[nodiscard]] Status take(Loss the_loss, const WeightsView<const T>& view, std::span<const double> the_centre);
  /// Other weights of the same shape, in place of those.
  void replace_weights(const Parameters<T>& parameters) noexcept;
  void fill_row_panels() noexcept;
  void lay_out(Arena& arena, bool centred) {
    weights = arena.take<T>(weight_count(features, rows));
    bias = arena.take<T>(bias_count(rows));
    if (centred) centre = arena.take<double>(features);
    if (form == LogitsForm::sample) row_panels = arena.take<T>(panel_count(rows) * features * kPanel);
  }

  /// Calls use(first, scores) for the scores of a sample, some classes at a time. Returns its class.
  template <class Use>
  std::int32_t score(const SampleView& sample, const Use& use) const noexcept;
  void score_in_slices(const SampleView& sample, LogitsArgs<T> args) const noexcept;
  /// All of them as the kernels that follow take one row's: [scores][stride()], padded.
  std::int32_t score(const SampleView& sample, T* logits) const noexcept;
  [[nodiscard]] std::size_t stride() const noexcept { return is_class_major(rows) ? kPanel : 1; }
  [[nodiscard]] std::size_t row_numbers() const noexcept { return logit_count(stride(), classes); }
  /// In place of the scores: of class c at c * stride(). `log_sums`: null, or room for 16.
  void make_probabilities(T* row, T* log_sums = nullptr) const noexcept;
  /// The class of a sample where there is a threshold, which needs more of it than the best score. `logits`: scores, or
  /// none wanted.
  std::int32_t answer(const SampleView& sample, std::span<T> logits) const noexcept;
  /// The probability of the best class, whose score this is, of any number of classes in panels.
  [[nodiscard]] T largest_probability(const SampleView& sample, T score_of_best) const noexcept;
  /// What the best class, of this probability, becomes.
  [[nodiscard]] std::int32_t class_or_abstained(std::int32_t chosen, T probability) const noexcept {
    return threshold > 0 && probability < static_cast<T>(threshold) ? kAbstained : chosen;
  }
};

}  // namespace lanemax

#endif
