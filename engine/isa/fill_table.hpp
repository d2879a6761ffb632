// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_ISA_FILL_TABLE_HPP
#define LANEMAX_ENGINE_ISA_FILL_TABLE_HPP

#include "engine/isa/schedules.hpp"
#include "engine/simd/exp.hpp"
#include "engine/simd/log.hpp"
#include "engine/steps/choice.hpp"
#include "engine/steps/gradient.hpp"
#include "engine/steps/hinge_loss.hpp"
#include "engine/steps/load.hpp"
#include "engine/steps/logistic_loss.hpp"
#include "engine/steps/logits.hpp"
#include "engine/steps/probabilities.hpp"
#include "engine/steps/softmax_loss.hpp"
#include "engine/steps/update.hpp"

namespace lanemax {
namespace {

/// All steps, instantiated for one variant, scalar and schedule.
template <class Arch, class T, class Schedule>
constexpr Kernels<T> make_kernels() {
  return {
      .load = load_rows<Arch, T>,
      .logits = logits<Arch, T, Schedule>,
      .softmax_loss = softmax_loss<Arch, T>,
      .hinge_loss = hinge_loss<Arch, T>,
      .logistic_loss = logistic_loss<Arch, T>,
      .softmax_probabilities = softmax_probabilities<Arch, T>,
      .logistic_probabilities = logistic_probabilities<Arch, T>,
      .choice = choice<Arch, T>,
      .gradient = gradient<Arch, T, Schedule>,
      .bias_gradient = bias_gradient<Arch, T>,
      .feature_gradient = feature_gradient<Arch, T>,
      .add = add<Arch, T>,
      .finish_gradient = finish_gradient<Arch, T>,
      .update = update<Arch, T>,
      .adam = adam<Arch, T>,
      .adagrad = adagrad<Arch, T>,
      .exp = exp_array<Arch, T>,
      .log1p = log1p_array<Arch, T>,
  };
}

template <class Arch, class Schedule>
constexpr KernelTable make_table() {
  return {
      .isa = Arch::kIsa,
      .schedule = Schedule::kSchedule,
      .name = Arch::kName,
      .features = Arch::kFeatures,
      .blocks = {.serial_flops = Arch::kSerialFlops},
      .pass = {.logits_ahead = Schedule::kLogitsAhead, .dot_rows = Arch::kDotRows, .dot_classes = Arch::kDotClasses},
      .form_f32 = choose_form<Arch, float>,
      .form_f64 = choose_form<Arch, double>,
      .f32 = make_kernels<Arch, float, Schedule>(),
      .f64 = make_kernels<Arch, double, Schedule>(),
  };
}

/// A table for each schedule, in the order of KernelSchedule.
template <class Arch>
constexpr ScheduledKernels make_tables() {
  constexpr ScheduledKernels kAll = {
      {make_table<Arch, InPlace>(), make_table<Arch, Packed32K>(), make_table<Arch, Packed48K>()}};
  for (std::size_t i = 0; i < kKernelSchedules; ++i) {
    if (static_cast<std::size_t>(kAll.tables[i].schedule) != i + 1) __builtin_unreachable();  // does not compile then
  }
  return kAll;
}

}  // namespace
}  // namespace lanemax

#endif
