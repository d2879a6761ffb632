// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_SOFTMAX_LOSS_HPP
#define LANEMAX_ENGINE_STEPS_SOFTMAX_LOSS_HPP

#include "engine/gemm/class_groups.hpp"
#include "engine/simd/exp.hpp"
#include "engine/simd/log.hpp"
#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// Step 2, softmax cross-entropy. For one row of logits z with targets t:
//
//   m = max z                      r = sum of exp(z - m) over all classes but one maximum
//   p = exp(z - m) / (1 + r)       loss = tau log1p(r) + sum_c t_c (m - z_c),  tau = sum_c t_c
//   dz = s (tau p - t)
//
// The maximum's own exp() is exactly 1 and is left out of r, so that log1p(r) keeps the digits of a tiny loss; for the
// same reason the true class's entry of dz is -r / (1 + r) where it is the maximum, not p - 1. A masked class (z =
// -infinity) gets p = 0; its target, if 0, counts 0. NaN or +infinity in a row make its loss NaN or infinite, never a
// finite number.
//
// Targets are labels, labels with smoothing e (t = (1-e) onehot + e/C' over the C' unmasked classes), or a matrix.
// Limit: exp, 10 of whose 14 operations per vector need a multiply-add unit, and the passes over the block's logits in
// L1 or L2. 1000 classes on AVX-512 at one multiply-add a cycle: 20.8 cycles per vector, 11.9 of them exp. To take one
// maximum out beforehand, rather than look for it at every step, would save 1.4 and cost rows with many ties digits.

enum class Targets { labels, smoothed_labels, probabilities };

// Stands for exp(z - m) of a masked class where smoothing has to tell it from an underflow.
template <class T>
inline constexpr T kMasked = T(-1);

// What one row (or one vector of rows) has gathered on its way over the classes.
template <class V>
struct SoftmaxSums {
  V others;  // r + 1 - number of maxima
  V maxima;  // how many classes attain the maximum
  V cost;    // sum t_c (m - z_c); smoothed labels: sum over unmasked classes of (m - z_c)
  V mass;    // probabilities: tau; smoothed labels: number of unmasked classes
};

// Returns what the residual needs of this class: exp(z - m), or kMasked.
template <class Arch, class T, Targets kTargets>
inline Vec<Arch, T> gather_class(SoftmaxSums<Vec<Arch, T>>& sums, Vec<Arch, T> z, Vec<Arch, T> max, Vec<Arch, T> e,
                                 Vec<Arch, T> target) {
  using V = Vec<Arch, T>;
  const V zero(T(0)), one(T(1));
  const auto is_max = z == max;
  sums.others = sums.others + xsimd::select(is_max, zero, e);
  sums.maxima = sums.maxima + xsimd::select(is_max, one, zero);
  if constexpr (kTargets == Targets::probabilities) {
    sums.cost = sums.cost + xsimd::select(target == zero, zero, target * (max - z));
    sums.mass = sums.mass + target;
  } else if constexpr (kTargets == Targets::smoothed_labels) {
    const auto masked = z == V(-kInfinity<T>);
    sums.cost = sums.cost + xsimd::select(masked, zero, max - z);
    sums.mass = sums.mass + xsimd::select(masked, zero, one);
    return xsimd::select(masked, V(kMasked<T>), e);
  }
  return e;
}

template <class Arch, class T, Targets kTargets>
inline Vec<Arch, T> probability(Vec<Arch, T> e, Vec<Arch, T> inverse) {
  using V = Vec<Arch, T>;
  if constexpr (kTargets == Targets::smoothed_labels) return xsimd::select(e < V(T(0)), V(T(0)), e * inverse);
  return e * inverse;
}

// ---- class-major logits: lanes over rows, every lane a row of its own ----

template <class Arch, class T>
inline Vec<Arch, T> class_major_max(const T* z, std::size_t classes, std::size_t capacity) {
  Vec<Arch, T> max = load<Arch>(z);
  for (std::size_t c = 1; c < classes; ++c) max = xsimd::max(max, load<Arch>(z + c * capacity));
  return max;
}

// Calls use(c, z, exp(z - max)) for every class.
template <class Arch, class T, class Use>
[[gnu::always_inline]] inline void for_each_exp(const T* z_rows, std::size_t classes, std::size_t capacity,
                                                Vec<Arch, T> max, T cut, const Use& use) {
  using V = Vec<Arch, T>;
  for_class_groups<4>(classes, [&](auto count, std::size_t first) {
    constexpr std::size_t kCount = decltype(count)::value;
    V z[kCount], e[kCount];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kCount; ++i) {
      z[i] = load<Arch>(z_rows + (first + i) * capacity);
      e[i] = z[i] - max;
    }
    exp_negative<Arch, T>(e, cut);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kCount; ++i) use(first + i, z[i], e[i]);
  });
}

template <class Arch, class T, Targets kTargets>
void class_major_softmax(const LossArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr bool kLabels = kTargets != Targets::probabilities;
  const V zero(T(0)), one(T(1));
  const T cut = exp_cut<T>(args.classes);
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    T* z_n = args.logits + n;
    V label = zero;
    if constexpr (kLabels) {
      alignas(64) T lanes[kLanes<Arch, T>];
      for (std::size_t i = 0; i < kLanes<Arch, T>; ++i) lanes[i] = static_cast<T>(args.labels[n + i]);
      label = load<Arch>(lanes);
    }
    const V max = class_major_max<Arch>(static_cast<const T*>(z_n), args.classes, args.capacity);
    SoftmaxSums<V> sums{zero, zero, zero, zero};
    V distance = zero;  // m - z of the label
    for_each_exp<Arch, T>(z_n, args.classes, args.capacity, max, cut, [&](std::size_t c, V z, V e) {
      const V target = kLabels ? zero : load<Arch>(args.targets + c * args.part_capacity + n);
      store<Arch>(z_n + c * args.capacity, gather_class<Arch, T, kTargets>(sums, z, max, e, target));
      if constexpr (kLabels) distance = xsimd::select(label == V(static_cast<T>(c)), max - z, distance);
    });
    const V r = sums.others + (sums.maxima - one);
    const V inverse = one / (one + r);
    const V entropy = log1p_positive<Arch, T>(r);

    V loss;
    V hot = one, cold = zero;  // targets of the true class and of the others
    if constexpr (kTargets == Targets::labels) {
      loss = entropy + distance;
    } else if constexpr (kTargets == Targets::smoothed_labels) {
      cold = V(args.smoothing) / sums.mass;
      hot = V(T(1) - args.smoothing);
      loss = entropy + (xsimd::select(hot == zero, zero, hot * distance) + cold * sums.cost);
    } else {
      loss = sums.mass * entropy + sums.cost;
    }
    store<Arch>(args.losses + n, loss);

    const V weight = load<Arch>(args.weights + n);
    for (std::size_t c = 0; c < args.classes; ++c) {
      const V e = load<Arch>(z_n + c * args.capacity);
      const V p = probability<Arch, T, kTargets>(e, inverse);
      if (args.probabilities != nullptr) store<Arch>(args.probabilities + c * args.part_capacity + n, p);
      V dz;
      if constexpr (kTargets == Targets::probabilities) {
        dz = sums.mass * p - load<Arch>(args.targets + c * args.part_capacity + n);
      } else {
        const auto is_label = label == V(static_cast<T>(c));
        const V rest = kTargets == Targets::labels ? p : p - xsimd::select(e < zero, zero, cold);
        const V at_label = xsimd::select(e == one, zero - r * inverse, p - one);
        dz = xsimd::select(is_label, kTargets == Targets::labels ? at_label : rest - hot, rest);
      }
      store<Arch>(z_n + c * args.capacity, weight * dz);
    }
  }
}

// ---- panel logits: lanes over classes, a few neighbouring rows at a time ----
//
// The panels of one row lie far apart, its neighbours' right beside it: a group of rows uses whole stretches of memory.

template <class Arch, class T>
inline constexpr std::size_t kGroupRows = kPanelVectors<Arch, T> >= 4 ? 1 : 4 / kPanelVectors<Arch, T>;

template <class Arch, class T, std::size_t kGroup = kGroupRows<Arch, T>>
inline void panel_row_max(const T* z, std::size_t panels, std::size_t panel_size, T* row_max) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>, kVectors = kGroup * kPV;
  V max[kVectors];
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) max[v] = load<Arch>(z + v * kLanes<Arch, T>);
  for (std::size_t p = 1; p < panels; ++p) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      max[v] = xsimd::max(max[v], load<Arch>(z + p * panel_size + v * kLanes<Arch, T>));
    }
  }
#pragma GCC unroll 8
  for (std::size_t g = 0; g < kGroup; ++g) {
    V all = max[g * kPV];
#pragma GCC unroll 8
    for (std::size_t v = 1; v < kPV; ++v) all = xsimd::max(all, max[g * kPV + v]);
    row_max[g] = lane_max<Arch, T>(all);
  }
}

// Writes exp(z - m), in place of z or elsewhere; each row's sums go to totals[row], by one fixed tree. With kCarried
// the panels follow on others of the row, of which `carried` has the sums before the tree.
template <class Arch, class T, Targets kTargets, std::size_t kGroup = kGroupRows<Arch, T>, bool kCarried = false>
inline void panel_row_sums(const T* z_rows, std::size_t z_panel_size, T* e_rows, std::size_t e_panel_size,
                           const T* target_rows, std::size_t target_panel_size, const T* row_max, T cut,
                           std::size_t panels, T (*totals)[4], T* carried = nullptr) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>, kVectors = kGroup * kPV;
  const V zero(T(0));
  V max[kGroup];
  SoftmaxSums<V> sums[kVectors];
#pragma GCC unroll 8
  for (std::size_t g = 0; g < kGroup; ++g) max[g] = V(row_max[g]);
#pragma GCC unroll 8
  for (std::size_t v = 0; v < kVectors; ++v) {
    sums[v] = {zero, zero, zero, zero};
    if constexpr (kCarried) {
      sums[v].others = load<Arch>(static_cast<const T*>(carried + v * kLanes<Arch, T>));
      sums[v].maxima = load<Arch>(static_cast<const T*>(carried + kPanel + v * kLanes<Arch, T>));
    }
  }
  for (std::size_t p = 0; p < panels; ++p) {
    const T* z_p = z_rows + p * z_panel_size;
    T* e_p = e_rows + p * e_panel_size;
    V z[kVectors], e[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      z[v] = load<Arch>(z_p + v * kLanes<Arch, T>);
      e[v] = z[v] - max[v / kPV];
    }
    exp_negative<Arch, T>(e, cut);
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = v * kLanes<Arch, T>;
      const V target = kTargets == Targets::probabilities ? load<Arch>(target_rows + p * target_panel_size + at) : zero;
      store<Arch>(e_p + at, gather_class<Arch, T, kTargets>(sums[v], z[v], max[v / kPV], e[v], target));
    }
  }
  if constexpr (kCarried) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      store<Arch>(carried + v * kLanes<Arch, T>, sums[v].others);
      store<Arch>(carried + kPanel + v * kLanes<Arch, T>, sums[v].maxima);
    }
  }
#pragma GCC unroll 8
  for (std::size_t g = 0; g < kGroup; ++g) {
    SoftmaxSums<V>& sum = sums[g * kPV];
#pragma GCC unroll 8
    for (std::size_t v = g * kPV + 1; v < (g + 1) * kPV; ++v) {
      sum.others = sum.others + sums[v].others;
      sum.maxima = sum.maxima + sums[v].maxima;
      sum.cost = sum.cost + sums[v].cost;
      sum.mass = sum.mass + sums[v].mass;
    }
    Arch::store_sums(sum.others, sum.maxima, sum.cost, sum.mass, totals[g]);
  }
}

// What a row's residual needs beside exp(z - m).
template <class T>
struct RowFactors {
  T inverse = 0;  // 1 / (1 + r)
  T mass = 1;     // tau
  T cold = 0;     // target of every class but the label
  T weight = 0;   // s
};

// dz = s (tau p - t) without the label's own term, from exp(z - m).
template <class Arch, class T, Targets kTargets>
inline void panel_row_residual(T* e_rows, const T* target_rows, T* probability_rows, const RowFactors<T>* rows,
                               std::size_t panels, std::size_t panel_size, std::size_t target_panel_size) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kPV = kPanelVectors<Arch, T>, kVectors = kGroupRows<Arch, T> * kPV;
  const V zero(T(0));
  for (std::size_t p = 0; p < panels; ++p) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      const RowFactors<T>& row = rows[v / kPV];
      const std::size_t at = p * panel_size + v * kLanes<Arch, T>;
      const std::size_t target_at = p * target_panel_size + v * kLanes<Arch, T>;
      const V e = load<Arch>(static_cast<const T*>(e_rows + at));
      const V prob = probability<Arch, T, kTargets>(e, V(row.inverse));
      if (probability_rows != nullptr) store<Arch>(probability_rows + target_at, prob);
      V dz = prob;
      if constexpr (kTargets == Targets::probabilities) dz = V(row.mass) * prob - load<Arch>(target_rows + target_at);
      if constexpr (kTargets == Targets::smoothed_labels) dz = prob - xsimd::select(e < zero, zero, V(row.cold));
      store<Arch>(e_rows + at, V(row.weight) * dz);
    }
  }
}

template <class Arch, class T, Targets kTargets>
void panel_softmax(const LossArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr bool kLabels = kTargets != Targets::probabilities;
  constexpr std::size_t kGroup = kGroupRows<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  static_assert(kL % kGroup == 0);
  const T cut = exp_cut<T>(args.classes);
  const std::size_t panels = panel_count(args.classes);
  const std::size_t panel_size = args.capacity * kPanel, target_panel_size = args.part_capacity * kPanel;

  // As many rows as there are lanes share one vectorised log1p.
  for (std::size_t n0 = 0; n0 < args.rows; n0 += kL) {
    alignas(64) T r_of[kL] = {}, linear_of[kL] = {}, mass_of[kL] = {};
    for (std::size_t i = 0; i < kL && n0 + i < args.rows; i += kGroup) {
      const std::size_t n = n0 + i;
      T* rows = args.logits + n * kPanel;
      const T* target_rows = kLabels ? nullptr : args.targets + n * kPanel;
      T* probability_rows = args.probabilities == nullptr ? nullptr : args.probabilities + n * kPanel;
      T* at_label[kGroup];
      T max[kGroup], distance[kGroup];
      alignas(64) T totals[kGroup][4];
      RowFactors<T> factors[kGroup];

      panel_row_max<Arch>(static_cast<const T*>(rows), panels, panel_size, max);
      for (std::size_t g = 0; g < kGroup; ++g) {
        const std::size_t label = kLabels ? static_cast<std::size_t>(args.labels[n + g]) : 0;
        at_label[g] = rows + label / kPanel * panel_size + g * kPanel + label % kPanel;
        distance[g] = max[g] - *at_label[g];
      }
      panel_row_sums<Arch, T, kTargets>(rows, panel_size, rows, panel_size, target_rows, target_panel_size, max, cut,
                                        panels, totals);

      T label_term[kGroup];  // the label's own entry of dz (labels), or what it lacks (smoothed labels)
      for (std::size_t g = 0; g < kGroup; ++g) {
        const T r = totals[g][0] + (totals[g][1] - T(1));
        RowFactors<T>& row = factors[g];
        row.inverse = T(1) / (T(1) + r);
        row.weight = args.weights[n + g];
        T linear = distance[g];
        if constexpr (kTargets == Targets::labels) {
          const T p = *at_label[g] * row.inverse;
          label_term[g] = row.weight * (distance[g] == T(0) ? -(r * row.inverse) : p - T(1));
        } else if constexpr (kTargets == Targets::smoothed_labels) {
          const T hot = T(1) - args.smoothing;
          row.cold = args.smoothing / totals[g][3];
          linear = (hot == T(0) ? T(0) : hot * distance[g]) + row.cold * totals[g][2];
          label_term[g] = row.weight * hot;
        } else {
          row.mass = totals[g][3];
          linear = totals[g][2];
        }
        r_of[i + g] = r;
        linear_of[i + g] = linear;
        mass_of[i + g] = row.mass;
      }
      panel_row_residual<Arch, T, kTargets>(rows, target_rows, probability_rows, factors, panels, panel_size,
                                            target_panel_size);
      for (std::size_t g = 0; g < kGroup; ++g) {
        if constexpr (kTargets == Targets::labels) *at_label[g] = label_term[g];
        if constexpr (kTargets == Targets::smoothed_labels) *at_label[g] -= label_term[g];
      }
    }
    const V entropy = log1p_positive<Arch, T>(load<Arch>(static_cast<const T*>(r_of)));
    store<Arch>(args.losses + n0,
                load<Arch>(static_cast<const T*>(mass_of)) * entropy + load<Arch>(static_cast<const T*>(linear_of)));
  }
}

template <class Arch, class T>
void softmax_loss(const LossArgs<T>& args) {
  const bool class_major = is_class_major(args.classes);
  if (args.targets != nullptr) {
    class_major ? class_major_softmax<Arch, T, Targets::probabilities>(args)
                : panel_softmax<Arch, T, Targets::probabilities>(args);
  } else if (args.smoothing > 0) {
    class_major ? class_major_softmax<Arch, T, Targets::smoothed_labels>(args)
                : panel_softmax<Arch, T, Targets::smoothed_labels>(args);
  } else {
    class_major ? class_major_softmax<Arch, T, Targets::labels>(args) : panel_softmax<Arch, T, Targets::labels>(args);
  }
}

}  // namespace
}  // namespace lanemax

#endif
