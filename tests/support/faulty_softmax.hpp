// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_FAULTY_SOFTMAX_HPP
#define LANEMAX_TESTS_SUPPORT_FAULTY_SOFTMAX_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace lanemax::checks {

/// One mistake each, as it could be made in a softmax kernel.
enum class SoftmaxFault {
  none,
  no_max,                ///< exp(z) rather than exp(z - max)
  max_of_all_but_last,   ///< off by one in the loop that looks for the maximum
  log_of_p,              ///< loss = -sum t log p
  log_of_sum,            ///< log(1 + r) rather than log1p(r)
  p_minus_one,           ///< the true class's residual by cancellation
  ties_counted_once,     ///< all maxima left out of r
  early_cut,             ///< exp() is 0 below -20
  smoothing_over_all,    ///< e / C with masked classes in C
  no_tau,                ///< dz = p - t with targets that do not sum to 1
  masked_target_is_nan,  ///< 0 * infinity
  single_precision_sum,  ///< r loses a digit: rounded to 20 bits
};

/// A plain softmax loss in T with one mistake; correct without.
template <class T, SoftmaxFault kFault>
void faulty_softmax(const LossArgs<T>& args) {
  using Limits = std::numeric_limits<T>;
  const std::size_t classes = args.classes;
  const std::size_t padded = is_class_major(classes) ? classes : round_up(classes, kPanel);
  for (std::size_t n = 0; n < args.rows; ++n) {
    const auto at = [&](std::size_t c) { return logit_index(args.capacity, classes, n, c); };
    std::vector<T> z(classes), e(classes), t(classes);
    std::size_t unmasked = 0;
    T max = -Limits::infinity();
    for (std::size_t c = 0; c < classes; ++c) {
      z[c] = args.logits[at(c)];
      if (z[c] != -Limits::infinity()) ++unmasked;
      if (kFault == SoftmaxFault::max_of_all_but_last && c + 1 == classes && classes > 1) continue;
      if (z[c] > max || std::isnan(z[c])) max = z[c];
    }
    if (kFault == SoftmaxFault::smoothing_over_all) unmasked = classes;
    const std::size_t label = args.labels == nullptr ? 0 : static_cast<std::size_t>(args.labels[n]);
    T tau = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      if (args.targets != nullptr) {
        t[c] = args.targets[at(c)];
      } else {
        t[c] = c == label ? T(1) - args.smoothing : T(0);
        const bool counts = kFault == SoftmaxFault::smoothing_over_all || z[c] != -Limits::infinity();
        if (args.smoothing > 0 && counts) t[c] += args.smoothing / static_cast<T>(unmasked);
      }
      tau += t[c];
    }
    if (args.targets == nullptr) tau = 1;

    long double sum = 0;
    bool left_out = false;
    for (std::size_t c = 0; c < classes; ++c) {
      const T argument = kFault == SoftmaxFault::no_max ? z[c] : z[c] - max;
      e[c] = std::exp(argument);
      if (e[c] < Limits::min()) e[c] = 0;
      if (kFault == SoftmaxFault::early_cut && argument < T(-20)) e[c] = 0;
      const bool is_max = z[c] == max;
      if (is_max && kFault == SoftmaxFault::ties_counted_once) continue;
      if (!is_max || left_out) sum += e[c];
      left_out = left_out || is_max;
    }
    T r = static_cast<T>(sum);
    if (kFault == SoftmaxFault::no_max) r -= T(1) - std::exp(max);
    if (kFault == SoftmaxFault::single_precision_sum) r = static_cast<T>(static_cast<float>(r)) * T(1 + 0x1p-20);

    const T s = T(1) + r;
    T linear = 0, loss = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      if (t[c] != T(0) || kFault == SoftmaxFault::masked_target_is_nan) linear += t[c] * (max - z[c]);
      if (kFault == SoftmaxFault::log_of_p && t[c] != T(0)) loss -= t[c] * std::log(e[c] / s);
    }
    if (kFault == SoftmaxFault::log_of_sum) {
      loss = tau * std::log(s) + linear;
    } else if (kFault != SoftmaxFault::log_of_p) {
      loss = tau * std::log1p(r) + linear;
    }
    args.losses[n] = loss;
    const T weight = args.weights[n];
    for (std::size_t c = 0; c < padded; ++c) {
      if (c >= classes) {
        args.logits[at(c)] = 0;
        if (args.probabilities != nullptr) args.probabilities[at(c)] = 0;
        continue;
      }
      const T p = e[c] / s;
      if (args.probabilities != nullptr) args.probabilities[at(c)] = p;
      const bool plain = args.targets == nullptr && args.smoothing == 0 && c == label && z[c] == max;
      T dz = (kFault == SoftmaxFault::no_tau ? p : tau * p) - t[c];
      if (plain && kFault != SoftmaxFault::p_minus_one) dz = -r / s;
      args.logits[at(c)] = weight * dz;
    }
  }
}

}  // namespace lanemax::checks

#endif
