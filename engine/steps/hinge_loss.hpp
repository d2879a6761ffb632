// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_STEPS_HINGE_LOSS_HPP
#define LANEMAX_ENGINE_STEPS_HINGE_LOSS_HPP

#include "engine/simd/vec.hpp"

namespace lanemax {
namespace {

// Step 2, multiclass hinge (Weston-Watkins), labels only:
//
//   loss = sum over j != y of max(0, z_j - z_y + 1)      dz_j = s [z_j - z_y + 1 > 0],  dz_y = -(their sum)
//
// The true class itself would add max(0, 1) = 1; it is left out of the sum. Comparisons are written so that a NaN
// margin counts, and z_y - z_y turns an infinite score of the true class into NaN: no row that is not finite has a
// finite loss.
template <class Arch, class T>
inline void hinge_class(Vec<Arch, T> z, Vec<Arch, T> z_label, Vec<Arch, T>& loss, Vec<Arch, T>& active,
                        Vec<Arch, T>& dz) {
  using V = Vec<Arch, T>;
  const V zero(T(0)), one(T(1));
  const V margin = z - z_label + one;
  const auto inactive = margin <= zero;
  loss = loss + xsimd::select(inactive, zero, margin);
  dz = xsimd::select(inactive, zero, one);
  active = active + dz;
}

template <class Arch, class T>
void class_major_hinge(const LossArgs<T>& args) {
  using V = Vec<Arch, T>;
  const V zero(T(0)), one(T(1));
  for (std::size_t n = 0; n < args.rows; n += kLanes<Arch, T>) {
    alignas(64) T lanes[kLanes<Arch, T>];
    for (std::size_t i = 0; i < kLanes<Arch, T>; ++i) lanes[i] = static_cast<T>(args.labels[n + i]);
    const V label = load<Arch>(static_cast<const T*>(lanes));
    T* z_n = args.logits + n;
    V z_label = zero;
    for (std::size_t c = 0; c < args.classes; ++c) {
      z_label = xsimd::select(label == V(static_cast<T>(c)), load<Arch>(static_cast<const T*>(z_n + c * args.capacity)),
                              z_label);
    }
    V loss = z_label - z_label, active = zero;
    for (std::size_t c = 0; c < args.classes; ++c) {
      const auto is_label = label == V(static_cast<T>(c));
      const V z = xsimd::select(is_label, V(-kInfinity<T>), load<Arch>(static_cast<const T*>(z_n + c * args.capacity)));
      V dz;
      hinge_class<Arch, T>(z, z_label, loss, active, dz);
      store<Arch>(z_n + c * args.capacity, dz);
    }
    store<Arch>(args.losses + n, loss);
    const V weight = load<Arch>(args.weights + n);
    for (std::size_t c = 0; c < args.classes; ++c) {
      const V dz = load<Arch>(static_cast<const T*>(z_n + c * args.capacity));
      store<Arch>(z_n + c * args.capacity, weight * xsimd::select(label == V(static_cast<T>(c)), zero - active, dz));
    }
  }
}

template <class Arch, class T>
void panel_hinge(const LossArgs<T>& args) {
  using V = Vec<Arch, T>;
  const V zero(T(0));
  const std::size_t panel_size = args.capacity * kPanel;
  for (std::size_t n = 0; n < args.rows; ++n) {
    T* row = args.logits + n * kPanel;
    const auto label = static_cast<std::size_t>(args.labels[n]);
    T* at_label = row + label / kPanel * panel_size + label % kPanel;
    const V z_label(*at_label);
    const V weight(args.weights[n]);
    *at_label = -kInfinity<T>;
    V loss = zero, active = zero;
    for (std::size_t p = 0; p < panel_count(args.classes); ++p) {
      for (std::size_t lane = 0; lane < kPanel; lane += kLanes<Arch, T>) {
        T* at = row + p * panel_size + lane;
        V dz;
        hinge_class<Arch, T>(load<Arch>(static_cast<const T*>(at)), z_label, loss, active, dz);
        store<Arch>(at, weight * dz);
      }
    }
    alignas(64) T totals[4];
    Arch::store_sums(loss, active, z_label - z_label, zero, totals);
    args.losses[n] = totals[0] + totals[2];
    *at_label = args.weights[n] * -totals[1];
  }
}

template <class Arch, class T>
void hinge_loss(const LossArgs<T>& args) {
  is_class_major(args.classes) ? class_major_hinge<Arch, T>(args) : panel_hinge<Arch, T>(args);
}

}  // namespace
}  // namespace lanemax

#endif
