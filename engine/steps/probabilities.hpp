// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_PROBABILITIES_HPP
#define LANEMAX_ENGINE_STEPS_PROBABILITIES_HPP

#include "engine/steps/softmax_loss.hpp"

namespace lanemax {
namespace {

// p of some logits, for predictions and curvature: bit for bit what the losses compute on the way, without targets, a
// loss or dlogits. A row with NaN or all of its scores -infinity has NaN. log p of class c is -(log_sum + (max - z_c)),
// bit for bit the negative loss of a row of that class.

template <class Arch, class T>
void class_major_probabilities(const ProbabilityArgs<T>& args) {
  using V = Vec<Arch, T>;
  const V zero(T(0)), one(T(1));
  const T cut = exp_cut<T>(args.classes);
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    const T* z_n = args.logits + n;
    T* p_n = args.probabilities + n;
    const V max = class_major_max<Arch>(z_n, args.classes, args.capacity);
    SoftmaxSums<V> sums{zero, zero, zero, zero};
    for_each_exp<Arch, T>(z_n, args.classes, args.capacity, max, cut, [&](std::size_t c, V z, V e) {
      store<Arch>(p_n + c * args.probability_capacity, gather_class<Arch, T, Targets::labels>(sums, z, max, e, zero));
    });
    const V r = sums.others + (sums.maxima - one), inverse = one / (one + r);
    if (args.log_sums != nullptr) store<Arch>(args.log_sums + n, log1p_positive<Arch, T>(r));
    for (std::size_t c = 0; c < args.classes; ++c) {
      T* p = p_n + c * args.probability_capacity;
      store<Arch>(p, load<Arch>(static_cast<const T*>(p)) * inverse);
    }
  }
}

template <class Arch, class T, std::size_t kGroup>
void panel_probabilities(const ProbabilityArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>;
  const T cut = exp_cut<T>(args.classes);
  const std::size_t panels = panel_count(args.classes);
  const std::size_t panel_size = args.capacity * kPanel, probability_size = args.probability_capacity * kPanel;
  for (std::size_t n = 0; n < args.rows; n += kGroup) {
    T max[kGroup];
    alignas(64) T totals[kGroup][4];
    T* p_rows = args.probabilities + n * kPanel;
    panel_row_max<Arch, T, kGroup>(args.logits + n * kPanel, panels, panel_size, max);
    panel_row_sums<Arch, T, Targets::labels, kGroup>(args.logits + n * kPanel, panel_size, p_rows, probability_size,
                                                     static_cast<const T*>(nullptr), 0, max, cut, panels, totals);
    V inverse[kGroup];
    alignas(64) T r[kLanes<Arch, T>] = {};
    for (std::size_t g = 0; g < kGroup; ++g) {
      r[g] = totals[g][0] + (totals[g][1] - T(1));
      inverse[g] = V(T(1) / (T(1) + r[g]));
    }
    if (args.log_sums != nullptr) {
      store<Arch>(static_cast<T*>(r), log1p_positive<Arch, T>(load<Arch>(static_cast<const T*>(r))));
      for (std::size_t g = 0; g < kGroup; ++g) args.log_sums[n + g] = r[g];
    }
    for (std::size_t panel = 0; panel < panels; ++panel) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kGroup * kPV; ++v) {
        T* p = p_rows + panel * probability_size + v * kLanes<Arch, T>;
        store<Arch>(p, load<Arch>(static_cast<const T*>(p)) * inverse[v / kPV]);
      }
    }
  }
}

// The same sums of one row, whose maximum is known, some panels after the other.
template <class Arch, class T>
void panel_slice(const ProbabilityArgs<T>& args) {
  ClassSlice<T>& slice = *args.slice;
  alignas(64) T totals[1][4];
  panel_row_sums<Arch, T, Targets::labels, 1, true>(args.logits, args.capacity * kPanel, args.probabilities,
                                                    args.probability_capacity * kPanel, static_cast<const T*>(nullptr),
                                                    0, &slice.max, exp_cut<T>(slice.classes), panel_count(args.classes),
                                                    totals, slice.sums);
  slice.largest = T(1) / (T(1) + (totals[0][0] + (totals[0][1] - T(1))));
}

template <class Arch, class T>
void softmax_probabilities(const ProbabilityArgs<T>& args) {
  if (args.slice != nullptr) return panel_slice<Arch, T>(args);
  if (is_class_major(args.classes)) return class_major_probabilities<Arch, T>(args);
  // Rows in groups, for speed; a row alone has no others beside it. The bits are the same.
  args.capacity == 1 ? panel_probabilities<Arch, T, 1>(args) : panel_probabilities<Arch, T, kGroupRows<Arch, T>>(args);
}

/// sigmoid(z) and, where it is wanted, sigmoid(-z), both to full relative precision.
template <class Arch, class T>
void logistic_probabilities(const ProbabilityArgs<T>& args) {
  using V = Vec<Arch, T>;
  const V zero(T(0)), one(T(1));
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    const V z = load<Arch>(args.logits + n);
    const auto negative = z < zero;
    const V e = exp_negative<Arch, T>(xsimd::select(negative, z, zero - z), exp_cut<T>(2));
    const V small = e / (one + e), large = one / (one + e);
    store<Arch>(args.probabilities + n, xsimd::select(negative, small, large));
    if (args.complements != nullptr) store<Arch>(args.complements + n, xsimd::select(negative, large, small));
    if (args.log_sums != nullptr) store<Arch>(args.log_sums + n, log1p_positive<Arch, T>(e));
  }
}

}  // namespace
}  // namespace lanemax

#endif
