// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_FAULTS_HPP
#define LANEMAX_TESTS_SUPPORT_FAULTS_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <vector>

// Faulty kernels for tests/seeded_faults_test.cpp: those of slices, the gradient, the update, the load and the
// functions.
namespace lanemax::checks {

/// The kernels that the faulty ones call.
template <class T>
inline Kernels<T> real;

template <class T>
struct Fault {
  const char* name;
  void (*seed)(Kernels<T>&);
};
template <class T>
using Check = Verdict (*)(const KernelTable&);

/// Whether no dlogit of a row that exists differs from 0.
template <class T>
bool all_zero(const GradientArgs<T>& a) {
  for (std::size_t n = 0; n < a.x.count; ++n) {
    for (std::size_t c = 0; c < a.classes; ++c) {
      if (a.dlogits[logit_index(a.capacity, a.classes, n, c)] != T(0)) return false;
    }
  }
  return true;
}

/// The gradient with the dlogits that `dropped` names taken for 0.
template <class T, class Dropped>
void gradient_without(const GradientArgs<T>& a, const Dropped& dropped) {
  const std::size_t count = logit_count(a.capacity, a.classes);
  static GuardedBuffer buffer;
  T* g = buffer.ending_at_guard<T>(count, T(0));
  for (std::size_t i = 0; i < count; ++i) g[i] = dropped(a.dlogits[i]) ? T(0) : a.dlogits[i];
  GradientArgs<T> b = a;
  b.dlogits = g;
  real<T>.gradient(b);
}

// Of the logits in slices.
template <class T>
std::vector<Fault<T>> slice_faults() {
  using A = LogitsArgs<T>;
  return {
      {"every slice begins anew",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           FeatureSlice<T> slice = slice_of(a);
           slice.first = 0;
           A b = a;
           if (a.slice != nullptr) b.slice = &slice;
           real<T>.logits(b);
         };
       }},
      {"no slice is the last",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           if (a.slice == nullptr || a.slice->first + a.features < a.slice->all) real<T>.logits(a);
         };
       }},
      {"the bias with every slice",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 0; slice_of(a).first > 0 && n < a.x.count; ++n) {
             a.logits[logit_index(a.capacity, a.classes, n, 0)] += a.bias[0];
           }
         };
       }},
  };
}

template <class T>
std::vector<Fault<T>> gradient_faults() {
  using A = GradientArgs<T>;
  using B = BiasGradientArgs<T>;
  using F = FeatureGradientArgs<T>;
  return {
      {"accumulate ignored",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           A b = a;
           b.accumulate = false;
           real<T>.gradient(b);
         };
       }},
      {"old contents read",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           A b = a;
           b.accumulate = true;
           real<T>.gradient(b);
         };
       }},
      {"scale a little off",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           a.dweights[weight_index(a.features, a.classes, 0, a.feature_begin)] *= T(1.00001);
         };
       }},
      {"last row skipped",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           A b = a;
           if (b.x.count > 1) --b.x.count;
           real<T>.gradient(b);
         };
       }},
      {"first row twice",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           A b = a;
           b.x.count = a.x.count > 1 ? 1 : 0;
           b.accumulate = true;
           if (b.x.count > 0) real<T>.gradient(b);
         };
       }},
      {"row stride ignored",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           A b = a;
           b.x.stride = a.features;
           real<T>.gradient(b);
         };
       }},
      {"last feature from its neighbour",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           if (a.feature_end != a.features || a.features < 2) return;
           T* last = a.dweights + weight_index(a.features, a.classes, 0, a.features - 1);
           *last = a.dweights[weight_index(a.features, a.classes, 0, a.features - 2)];
         };
       }},
      {"padding left dirty",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           const bool class_major = is_class_major(a.classes);
           if (class_major && a.features % kPanel != 0) a.dweights[a.features] = T(0.5);
           if (!class_major && a.classes % kPanel != 0 && a.panel_end == panel_count(a.classes)) {
             a.dweights[weight_index(a.features, a.classes, a.classes, a.feature_begin)] = T(0.5);
           }
         };
       }},
      {"part begins at feature 0",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           A b = a;
           b.feature_begin = 0;
           real<T>.gradient(b);
         };
       }},
      {"all panels instead of some",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           A b = a;
           b.panel_begin = 0;
           b.panel_end = panel_count(a.classes);
           real<T>.gradient(b);
         };
       }},
      {"bits depend on the part",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           T& w = a.dweights[weight_index(a.features, a.classes, 0, a.feature_begin)];
           if (a.feature_begin > 0) w = std::nextafter(w, T(9));
         };
       }},
      {"zero columns left as they are",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           if (is_class_major(a.classes) || a.accumulate || !all_zero(a)) return real<T>.gradient(a);
         };
       }},
      {"zeros added to zeros",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           if (!a.accumulate || is_class_major(a.classes) || a.feature_end == a.feature_begin) return;
           for (std::size_t c = 0; c < a.classes; ++c) {
             a.dweights[weight_index(a.features, a.classes, c, a.feature_begin)] += T(0);
           }
         };
       }},
      {"NaN taken for 0",
       [](Kernels<T>& k) { k.gradient = [](const A& a) { gradient_without(a, [](T g) { return std::isnan(g); }); }; }},
      {"subnormal numbers taken for 0",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) { gradient_without(a, [](T g) { return std::fpclassify(g) == FP_SUBNORMAL; }); };
       }},
      {"bits depend on reading ahead",
       [](Kernels<T>& k) {
         k.gradient = [](const A& a) {
           real<T>.gradient(a);
           if (a.ahead.rows > 0) a.dweights[0] = std::nextafter(a.dweights[0], T(9));
         };
       }},
      {"bias: last row skipped",
       [](Kernels<T>& k) {
         k.bias_gradient = [](const B& a) {
           B b = a;
           if (b.rows > 1) --b.rows;
           real<T>.bias_gradient(b);
         };
       }},
      {"bias: rows of the padding counted",
       [](Kernels<T>& k) {
         k.bias_gradient = [](const B& a) {
           B b = a;
           b.rows = round_up(a.rows, 4);
           real<T>.bias_gradient(b);
         };
       }},
      {"bias: accumulate ignored",
       [](Kernels<T>& k) {
         k.bias_gradient = [](const B& a) {
           B b = a;
           b.accumulate = false;
           real<T>.bias_gradient(b);
         };
       }},
      {"bias: padding left dirty",
       [](Kernels<T>& k) {
         k.bias_gradient = [](const B& a) {
           real<T>.bias_gradient(a);
           if (a.classes % kPanel != 0) a.dbias[a.classes] = T(0.5);
         };
       }},
      {"features: scale ignored",
       [](Kernels<T>& k) {
         k.feature_gradient = [](const F& a) {
           F b = a;
           b.scale = 1;
           real<T>.feature_gradient(b);
         };
       }},
      {"features: writes between the rows",
       [](Kernels<T>& k) {
         k.feature_gradient = [](const F& a) {
           real<T>.feature_gradient(a);
           if (a.rows > 1 && a.stride > a.features) a.dfeatures[a.features] = 0;
         };
       }},
      {"features: last class left out",
       [](Kernels<T>& k) {
         k.feature_gradient = [](const F& a) {
           real<T>.feature_gradient(a);
           const std::size_t c = a.classes - 1;
           a.dfeatures[0] -= a.scale * a.dlogits[logit_index(a.capacity, a.classes, 0, c)] *
                             a.weights[weight_index(a.features, a.classes, c, 0)];
         };
       }},
  };
}

enum class PlainAdam {
  correct,
  not_cut,
  no_epsilon,
  epsilon_in_root,
  no_root,
  small_moments,
  small_parts,
  small_steps
};
template <class T, PlainAdam fault>
void plain_adam(const UpdateArgs<T>& a) {
  const T most =
      fault == PlainAdam::not_cut ? std::numeric_limits<T>::max() : std::sqrt(std::numeric_limits<T>::max()) / 2;
  const T epsilon = fault == PlainAdam::no_epsilon ? T(0) : T(1e-8);
  const auto zero_if_small = [](PlainAdam kept, T v) {
    return fault != kept && std::fabs(v) < std::numeric_limits<T>::min() ? T(0) : v;
  };
  for (std::size_t i = 0; i < a.count; ++i) {
    const T g = std::clamp(a.gradient[i], -most, most);
    const T in_mean = zero_if_small(PlainAdam::small_parts, (1 - a.momentum) * g);
    const T in_square = zero_if_small(PlainAdam::small_parts, (1 - a.second_moment_decay) * (g * g));
    a.velocity[i] = zero_if_small(PlainAdam::small_moments, a.momentum * a.velocity[i] + in_mean);
    a.squares[i] = zero_if_small(PlainAdam::small_moments, a.second_moment_decay * a.squares[i] + in_square);
    const T square = a.second_correction * a.squares[i];
    const T below = fault == PlainAdam::no_root           ? square + epsilon
                    : fault == PlainAdam::epsilon_in_root ? std::sqrt(square + epsilon)
                                                          : std::sqrt(square) + epsilon;
    const T step =
        zero_if_small(PlainAdam::small_steps, a.learning_rate * (a.first_correction * a.velocity[i] / below));
    a.weights[i] = zero_if_small(PlainAdam::small_steps, a.weights[i] - step);
  }
}

template <class T>
std::vector<Fault<T>> update_faults() {
  using A = UpdateArgs<T>;
  using F = FinishArgs<T>;
  return {
      {"add subtracts",
       [](Kernels<T>& k) {
         k.add = [](T* sum, const T* term, std::size_t count) {
           for (std::size_t i = 0; i < count; ++i) sum[i] -= term[i];
         };
       }},
      {"add stops 16 short",
       [](Kernels<T>& k) {
         k.add = [](T* sum, const T* term, std::size_t count) { real<T>.add(sum, term, count - 16); };
       }},
      {"always finite",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           (void)real<T>.finish_gradient(a);
           return true;
         };
       }},
      {"never finite",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           (void)real<T>.finish_gradient(a);
           return false;
         };
       }},
      {"finite but for the first 16",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           F b = a;
           b.count = 16;
           const bool finite = real<T>.finish_gradient(b);
           b.gradient += 16;
           b.weights += 16;
           b.count = a.count - 16;
           (void)real<T>.finish_gradient(b);
           return finite;
         };
       }},
      {"infinity counts as finite",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           (void)real<T>.finish_gradient(a);
           for (std::size_t i = 0; i < a.count; ++i) {
             if (std::isnan(a.gradient[i])) return false;
           }
           return true;
         };
       }},
      {"l2 ignored",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           F b = a;
           b.l2 = 0;
           return real<T>.finish_gradient(b);
         };
       }},
      {"l2 scaled too",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           F b = a;
           b.l2 = a.l2 * a.scale;
           return real<T>.finish_gradient(b);
         };
       }},
      {"uphill",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           A b = a;
           b.learning_rate = -a.learning_rate;
           real<T>.update(b);
         };
       }},
      {"Nesterov's rule forgotten",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           A b = a;
           b.nesterov = false;
           real<T>.update(b);
         };
       }},
      {"momentum taken as 0",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           A b = a;
           b.momentum = 0;
           real<T>.update(b);
         };
       }},
      {"velocity not kept",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           static GuardedBuffer buffer;
           A b = a;
           if (a.velocity != nullptr) {
             b.velocity = buffer.ending_at_guard<T>(a.count, T(0));
             std::copy(a.velocity, a.velocity + a.count, b.velocity);
           }
           real<T>.update(b);
         };
       }},
      {"rate in the velocity",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           real<T>.update(a);
           if (a.velocity != nullptr) a.velocity[a.count / 2] *= a.learning_rate * T(0.999);
         };
       }},
      {"small velocities kept",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           std::vector<T> v(a.count);
           if (a.velocity != nullptr) v.assign(a.velocity, a.velocity + a.count);
           real<T>.update(a);
           for (std::size_t i = 0; a.velocity != nullptr && i < a.count; ++i) {
             if (a.velocity[i] == T(0)) a.velocity[i] = a.momentum * v[i] + a.gradient[i];
           }
         };
       }},
      {"velocities dropped too early",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           real<T>.update(a);
           for (std::size_t i = 0; a.velocity != nullptr && i < a.count; ++i) {
             if (std::fabs(a.velocity[i]) <= std::numeric_limits<T>::min()) a.velocity[i] = 0;
           }
         };
       }},
      {"small steps taken",
       [](Kernels<T>& k) {
         k.update = [](const A& a) {
           real<T>.update(a);
           for (std::size_t i = 0; i < a.count; ++i) {
             if (a.weights[i] == T(0)) {
               a.weights[i] = -a.learning_rate * (a.velocity != nullptr ? a.velocity[i] : a.gradient[i]);
             }
           }
         };
       }},
      {"small pulls of the penalty kept",
       [](Kernels<T>& k) {
         k.finish_gradient = [](const F& a) {
           const bool finite = real<T>.finish_gradient(a);
           for (std::size_t i = 0; a.l2 > T(0) && i < a.count; ++i) {
             if (a.gradient[i] == T(0)) a.gradient[i] = a.l2 * a.weights[i];
           }
           return finite;
         };
       }},
      {"adagrad uphill",
       [](Kernels<T>& k) {
         k.adagrad = [](const A& a) {
           A b = a;
           b.learning_rate = -a.learning_rate;
           real<T>.adagrad(b);
         };
       }},
      {"adagrad forgets",
       [](Kernels<T>& k) {
         k.adagrad = [](const A& a) {
           std::fill_n(a.squares, a.count, T(0));
           real<T>.adagrad(a);
         };
       }},
      {"adagrad's sum behind its step",
       [](Kernels<T>& k) {
         k.adagrad = [](const A& a) {
           std::vector<T> before(a.squares, a.squares + a.count);
           real<T>.adagrad(a);
           std::ranges::copy(before, a.squares);
         };
       }},
      {"adagrad stops 16 short",
       [](Kernels<T>& k) {
         k.adagrad = [](const A& a) {
           A b = a;
           b.count -= 16;
           real<T>.adagrad(b);
         };
       }},
      {"adam uphill",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           b.learning_rate = -a.learning_rate;
           real<T>.adam(b);
         };
       }},
      {"adam's decays exchanged",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           std::swap(b.momentum, b.second_moment_decay);
           real<T>.adam(b);
         };
       }},
      {"adam's mean not corrected",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           b.first_correction = 1;
           real<T>.adam(b);
         };
       }},
      {"adam's square not corrected",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           b.second_correction = 1;
           real<T>.adam(b);
         };
       }},
      {"adam stops 16 short",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           b.count = a.count - 16;
           real<T>.adam(b);
         };
       }},
      {"adam's squares not kept",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           static GuardedBuffer buffer;
           b.squares = buffer.ending_at_guard<T>(a.count, T(0));
           std::copy(a.squares, a.squares + a.count, b.squares);
           real<T>.adam(b);
         };
       }},
      {"adam's gradient cut too early",
       [](Kernels<T>& k) {
         k.adam = [](const A& a) {
           A b = a;
           static GuardedBuffer buffer;
           T* cut = buffer.ending_at_guard<T>(a.count, T(0));
           const T most = std::sqrt(std::numeric_limits<T>::max()) / 8;
           for (std::size_t i = 0; i < a.count; ++i) cut[i] = std::clamp(a.gradient[i], -most, most);
           b.gradient = cut;
           real<T>.adam(b);
         };
       }},
      {"adam's gradient not cut", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::not_cut>; }},
      {"adam without epsilon", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::no_epsilon>; }},
      {"adam's epsilon under the root", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::epsilon_in_root>; }},
      {"adam's squares without their root", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::no_root>; }},
      {"adam's small moments kept", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::small_moments>; }},
      {"adam's moments of small parts", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::small_parts>; }},
      {"adam's small steps taken", [](Kernels<T>& k) { k.adam = plain_adam<T, PlainAdam::small_steps>; }},
  };
}

template <class T>
std::vector<Fault<T>> load_faults() {
  using A = LoadArgs<T>;
  return {
      {"rows in order",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           std::vector<std::uint32_t> rows(a.rows, a.rows + a.count);
           std::sort(rows.begin(), rows.end());
           A b = a;
           b.rows = rows.data();
           real<T>.load(b);
         };
       }},
      {"factor ignored",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           A b = a;
           b.factor = nullptr;
           real<T>.load(b);
         };
       }},
      {"centre ignored",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           A b = a;
           b.centre = nullptr;
           real<T>.load(b);
         };
       }},
      {"centre rounded to f32",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           A b = a;
           std::vector<double> centre;
           for (std::size_t d = 0; a.centre != nullptr && d < a.features; ++d) {
             centre.push_back(static_cast<double>(static_cast<float>(a.centre[d])));
           }
           if (a.centre != nullptr) b.centre = centre.data();
           real<T>.load(b);
         };
       }},
      {"value rounded before its centre is taken off",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           A b = a;
           if (a.type == FeatureType::f64) b.centre = nullptr;
           if (a.type == FeatureType::f64) b.factor = nullptr;
           real<T>.load(b);
           if (a.type != FeatureType::f64) return;
           for (std::size_t i = 0; i < a.count; ++i) {
             for (std::size_t d = 0; d < a.features; ++d) {
               float value = static_cast<float>(a.out[i * a.out_stride + d]);
               if (a.centre != nullptr) value -= static_cast<float>(a.centre[d]);
               if (a.factor != nullptr) value *= a.factor[d];
               a.out[i * a.out_stride + d] = static_cast<T>(value);
             }
           }
         };
       }},
      {"factor before centre",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           real<T>.load(a);
           if (a.centre == nullptr || a.factor == nullptr) return;
           for (std::size_t i = 0; i < a.count; ++i) {
             for (std::size_t d = 0; d < a.features; ++d) {
               const T value = a.out[i * a.out_stride + d] / static_cast<T>(a.factor[d]) + static_cast<T>(a.centre[d]);
               a.out[i * a.out_stride + d] = value * static_cast<T>(a.factor[d]) - static_cast<T>(a.centre[d]);
             }
           }
         };
       }},
      {"halves below the normal ones flushed",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           real<T>.load(a);
           if (a.type != FeatureType::f16) return;
           for (std::size_t d = 0; d < a.features; ++d) a.out[d] = std::fabs(a.out[d]) < T(0x1p-14) ? T(0) : a.out[d];
         };
       }},
      {"infinite halves made finite",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           real<T>.load(a);
           if (a.type != FeatureType::f16) return;
           for (std::size_t d = 0; d < a.features; ++d) a.out[d] = std::isinf(a.out[d]) ? T(65536) : a.out[d];
         };
       }},
      {"bytes with a sign",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           real<T>.load(a);
           if (a.type == FeatureType::u8 && a.centre == nullptr && a.factor == nullptr) {
             for (std::size_t d = 0; d < a.features; ++d) a.out[d] -= a.out[d] > T(127) ? T(256) : T(0);
           }
         };
       }},
      {"large numbers cut to a smaller type",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           real<T>.load(a);
           if (a.type != FeatureType::f64 || a.centre != nullptr || a.factor != nullptr) return;
           const T unit = sizeof(T) == sizeof(float) ? T(0x1p12) : T(0x1p29);
           for (std::size_t d = 0; d < a.features; ++d) a.out[d] = (a.out[d] + a.out[d] * unit) - a.out[d] * unit;
         };
       }},
      {"writes between the rows",
       [](Kernels<T>& k) {
         k.load = [](const A& a) {
           real<T>.load(a);
           if (a.count > 1) a.out[a.features] = 0;
         };
       }},
  };
}

template <class T>
std::vector<Fault<T>> simd_faults() {
  return {
      {"exp: an ulp and a half off",
       [](Kernels<T>& k) {
         k.exp = [](const T* x, T* y, std::size_t n) {
           real<T>.exp(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] *= 1 + std::numeric_limits<T>::epsilon();
         };
       }},
      {"exp: no cut",
       [](Kernels<T>& k) {
         k.exp = [](const T* x, T* y, std::size_t n) {
           for (std::size_t i = 0; i < n; ++i) y[i] = std::exp(x[i]);
         };
       }},
      {"exp: cut too early",
       [](Kernels<T>& k) {
         k.exp = [](const T* x, T* y, std::size_t n) {
           real<T>.exp(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] = y[i] < 4 * std::numeric_limits<T>::min() ? T(0) : y[i];
         };
       }},
      {"exp: NaN becomes 0",
       [](Kernels<T>& k) {
         k.exp = [](const T* x, T* y, std::size_t n) {
           real<T>.exp(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] = std::isnan(y[i]) ? T(0) : y[i];
         };
       }},
      {"exp: last element skipped",
       [](Kernels<T>& k) { k.exp = [](const T* x, T* y, std::size_t n) { real<T>.exp(x, y, n > 1 ? n - 1 : n); }; }},
      {"exp(0) not 1",
       [](Kernels<T>& k) {
         k.exp = [](const T* x, T* y, std::size_t n) {
           real<T>.exp(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] = y[i] == T(1) ? std::nextafter(T(1), T(0)) : y[i];
         };
       }},
      {"log(1 + x)",
       [](Kernels<T>& k) {
         k.log1p = [](const T* x, T* y, std::size_t n) {
           for (std::size_t i = 0; i < n; ++i) y[i] = std::log(T(1) + x[i]);
         };
       }},
      {"log1p: an ulp and a half off",
       [](Kernels<T>& k) {
         k.log1p = [](const T* x, T* y, std::size_t n) {
           real<T>.log1p(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] *= 1 + std::numeric_limits<T>::epsilon();
         };
       }},
      {"log1p: infinity made finite",
       [](Kernels<T>& k) {
         k.log1p = [](const T* x, T* y, std::size_t n) {
           real<T>.log1p(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] = std::isinf(y[i]) ? T(89) : y[i];
         };
       }},
      {"log1p: NaN becomes 0",
       [](Kernels<T>& k) {
         k.log1p = [](const T* x, T* y, std::size_t n) {
           real<T>.log1p(x, y, n);
           for (std::size_t i = 0; i < n; ++i) y[i] = std::isnan(y[i]) ? T(0) : y[i];
         };
       }},
  };
}

template <class T>
std::vector<Check<T>> simd_checks() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return {[](const KernelTable& t) { return check_exp_f32(t, 4099).verdict; },
            [](const KernelTable& t) { return check_log1p_f32(t, 4099).verdict; }, check_exp_edges<T>,
            check_log1p_edges<T>};
  } else {
    return {[](const KernelTable& t) { return check_exp_f64(t).verdict; },
            [](const KernelTable& t) { return check_log1p_f64(t).verdict; }, check_exp_edges<T>, check_log1p_edges<T>};
  }
}

}  // namespace lanemax::checks

#endif
