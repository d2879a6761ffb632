// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_CHOICE_HPP
#define LANEMAX_ENGINE_STEPS_CHOICE_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// The class that a row's scores name: the first of the largest. What may be no answer is counted beside it.
//
// Limit: the logits' way from L1 or L2; about six instructions a vector.
template <class T>
inline constexpr T kMost = sizeof(T) == sizeof(float) ? T(__FLT_MAX__) : T(__DBL_MAX__);

template <class Arch, class T>
struct BestScores {
  using V = Vec<Arch, T>;
  V best = V(-kInfinity<T>), place = V(T(0)), lowest = V(T(0)), bad = V(T(0));

  void see(V z, V where) {
    const V zero(T(0)), one(T(1));
    const auto is_better = z > best;
    best = xsimd::select(is_better, z, best);
    place = xsimd::select(is_better, where, place);
    lowest = lowest + xsimd::select(z == V(-kInfinity<T>), one, zero);
    bad = bad + xsimd::select(z <= V(kMost<T>), zero, one);  // a NaN, or +infinity
  }
};

// Lanes over rows.
template <class Arch, class T>
void class_major_choice(const ChoiceArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  for (std::size_t n = 0; n < args.rows; n += kL) {
    BestScores<Arch, T> scores;
    for (std::size_t c = 0; c < args.classes; ++c) {
      scores.see(load<Arch>(args.logits + c * args.capacity + n), V(static_cast<T>(c)));
    }
    alignas(64) T place[kL], lowest[kL], bad[kL];
    store<Arch>(place, scores.place);
    store<Arch>(lowest, scores.lowest);
    store<Arch>(bad, scores.bad);
    for (std::size_t i = 0; i < smaller(kL, args.rows - n); ++i) {
      args.chosen[n + i] = bad[i] > T(0) ? -1 : static_cast<std::int32_t>(place[i]);
      args.lowest[n + i] = static_cast<std::uint32_t>(lowest[i]);
    }
  }
}

// Lanes over classes; a place is a vector's number, so that it is exact in f32.
template <class Arch, class T>
void panel_choice(const ChoiceArgs<T>& args) {
  using V = Vec<Arch, T>;
  constexpr std::size_t kL = kLanes<Arch, T>;
  const std::size_t padding = round_up(args.classes, kPanel) - args.classes;
  for (std::size_t n = 0; n < args.rows; ++n) {
    BestScores<Arch, T> scores;
    V where(T(0));
    const T* z = args.logits + n * kPanel;
    for (std::size_t panel = 0; panel < panel_count(args.classes); ++panel, z += args.capacity * kPanel) {
#pragma GCC unroll 8
      for (std::size_t lane = 0; lane < kPanel; lane += kL) {
        scores.see(load<Arch>(z + lane), where);
        where = where + V(T(1));
      }
    }
    alignas(64) T best[kL], place[kL], counts[4];
    store<Arch>(best, scores.best);
    store<Arch>(place, scores.place);
    Arch::store_sums(scores.bad, scores.lowest, scores.bad, scores.lowest, counts);
    std::size_t chosen = static_cast<std::size_t>(place[0]) * kL;
    T largest = best[0];
    for (std::size_t i = 1; i < kL; ++i) {
      const std::size_t c = static_cast<std::size_t>(place[i]) * kL + i;
      const bool is_better = best[i] > largest || (best[i] == largest && c < chosen);
      chosen = is_better ? c : chosen;
      largest = is_better ? best[i] : largest;
    }
    args.chosen[n] = counts[0] > T(0) ? -1 : static_cast<std::int32_t>(chosen);
    args.lowest[n] = static_cast<std::uint32_t>(counts[1]) - static_cast<std::uint32_t>(padding);
  }
}

template <class Arch, class T>
void choice(const ChoiceArgs<T>& args) {
  args.panels ? panel_choice<Arch, T>(args) : class_major_choice<Arch, T>(args);
}

}  // namespace
}  // namespace lanemax

#endif
