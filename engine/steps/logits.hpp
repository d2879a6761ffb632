// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_LOGITS_HPP
#define LANEMAX_ENGINE_STEPS_LOGITS_HPP

#include "engine/gemm/dot.hpp"
#include "engine/gemm/panel.hpp"
#include "engine/gemm/sample.hpp"

namespace lanemax {
namespace {

// Step 1: logits = X W' + b over one row block, in the form that suits the shape. The dot form pays a horizontal sum
// per logit whatever D is, the sample form a transpose of X whatever C is: they cross where D is a multiple of C.
template <class Arch, class T>
LogitsForm choose_form(std::size_t features, std::size_t classes) {
  if (!is_class_major(classes)) return LogitsForm::panel;
  if (sizeof(T) == sizeof(float) && features <= smaller(Arch::kSampleFeaturesPerClass * classes, kSampleMostFeatures)) {
    return LogitsForm::sample;
  }
  return LogitsForm::dot;
}

template <class Arch, class T, class Schedule>
void logits(const LogitsArgs<T>& args) {
  if (args.x.count == 0) return;
  switch (args.form) {
    case LogitsForm::panel: return panel_logits<Arch, T, Schedule>(args);
    case LogitsForm::dot: return dot_logits<Arch, T>(args);
    case LogitsForm::sample:
      if constexpr (sizeof(T) == sizeof(float)) sample_logits<Arch>(args);
  }
}

}  // namespace
}  // namespace lanemax

#endif
