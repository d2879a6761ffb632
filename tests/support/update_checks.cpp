// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <vector>

namespace lanemax::checks {
namespace {

constexpr std::size_t kCounts[] = {16, 32, 48, 64, 80, 112, 160, 784, 1040};

/// `count` values up to the unmapped page.
template <class T>
T* place(GuardedBuffer& buffer, const std::vector<double>& values) {
  T* first = buffer.ending_at_guard<T>(values.size(), T(0));
  for (std::size_t i = 0; i < values.size(); ++i) first[i] = static_cast<T>(values[i]);
  return first;
}

}  // namespace

template <class T>
Verdict check_add(const KernelTable& table) {
  Judge judge;
  Rng rng(60);
  GuardedBuffer sums, terms;
  for (const std::size_t count : kCounts) {
    const std::vector<double> a = make_values<T>(rng, count, Values::ordinary),
                              b = make_values<T>(rng, count, Values::ordinary);
    T* sum = place<T>(sums, a);
    const T* term = place<T>(terms, b);
    kernels<T>(table).add(sum, term, count);
    for (std::size_t i = 0; i < count; ++i) {
      const T want = static_cast<T>(a[i]) + static_cast<T>(b[i]);
      judge.same(sum[i], want, [&] { return text("sum ", i, " of ", count); });
      judge.require(term[i] == static_cast<T>(b[i]), [&] { return text("add changed term ", i); });
    }
  }
  return judge.finish(0.99);
}

template <class T>
Verdict check_finish_gradient(const KernelTable& table) {
  const reference::Arithmetic a = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(61);
  GuardedBuffer gradients, weights;
  for (const std::size_t count : kCounts) {
    for (const T scale : {T(1), T(0.001f), T(37)}) {
      for (const T l2 : {T(0), T(0.01f), T(3)}) {
        std::vector<double> g = make_values<T>(rng, count, Values::ordinary),
                            w = make_values<T>(rng, count, Values::ordinary);
        for (std::size_t i = 0; i < 5; ++i) g[count - 1 - i] = w[count - 1 - i] = 0;  // padding stays 0
        FinishArgs<T> args;
        args.gradient = place<T>(gradients, g);
        args.weights = place<T>(weights, w);
        args.count = count;
        args.scale = scale;
        args.l2 = l2;
        const bool finite = kernels<T>(table).finish_gradient(args);
        judge.require(finite, [&] { return text("a finite gradient of ", count, " is called not finite"); });
        for (std::size_t i = 0; i < count; ++i) {
          const Real first = static_cast<Real>(scale) * static_cast<Real>(g[i]);
          const Real second = static_cast<Real>(l2) * static_cast<Real>(w[i]);
          judge.close(static_cast<Real>(args.gradient[i]),
                      {first + second, 2.02L * a.u * (std::fabs(first) + std::fabs(second))}, a.max,
                      [&] { return text("gradient ", i, " of ", count, ", scale ", scale, ", l2 ", l2); });
        }
      }
    }
  }
  return judge.finish(0.8);
}

template <class T>
Verdict check_finish_not_finite(const KernelTable& table) {
  Judge judge;
  Rng rng(62);
  GuardedBuffer gradients, weights;
  for (const std::size_t count : {std::size_t{16}, std::size_t{48}, std::size_t{144}}) {
    const std::vector<double> g = make_values<T>(rng, count, Values::ordinary),
                              w = make_values<T>(rng, count, Values::ordinary);
    const T* weight = place<T>(weights, w);
    const auto finish = [&](std::size_t position, T value, T scale, T l2) {
      FinishArgs<T> args;
      args.gradient = place<T>(gradients, g);
      args.gradient[position] = value;
      args.weights = weight;
      args.count = count;
      args.scale = scale;
      args.l2 = l2;
      return kernels<T>(table).finish_gradient(args);
    };
    for (std::size_t i = 0; i < count; ++i) {
      const auto about = [&] { return text("finite flag of ", count, ", position ", i); };
      for (const T l2 : {T(0), T(0.5)}) {
        for (const T bad : {kNaN<T>, -kNaN<T>, kInf<T>, -kInf<T>}) {
          judge.require(!finish(i, bad, T(0.5), l2), [&] { return text(about(), ": ", bad, " passed"); });
        }
        judge.require(!finish(i, std::numeric_limits<T>::max(), T(4), l2),
                      [&] { return about() + ": overflow passed"; });
        judge.require(finish(i, std::numeric_limits<T>::max(), T(0.5), l2),
                      [&] { return about() + ": the largest number fell"; });
        judge.require(finish(i, std::numeric_limits<T>::denorm_min(), T(1), l2),
                      [&] { return about() + ": the smallest fell"; });
      }
    }
  }
  return judge.finish(1);
}

template <class T>
Verdict check_update(const KernelTable& table) {
  enum class Rule { descent, momentum, nesterov };
  const reference::Arithmetic a = reference::arithmetic_of<T>();
  Judge judge;
  Rng rng(63);
  GuardedBuffer weights, velocities, gradients;
  for (const std::size_t count : kCounts) {
    for (const Rule rule : {Rule::descent, Rule::momentum, Rule::nesterov}) {
      for (const T rate : {T(0.1f), T(1), T(0.00390625f)}) {
        const T momentum = rule == Rule::descent ? T(0.5) : T(0.9f);  // unused by plain descent
        std::vector<double> w = make_values<T>(rng, count, Values::ordinary),
                            v = make_values<T>(rng, count, Values::ordinary);
        std::vector<double> g = make_values<T>(rng, count, Values::ordinary);
        for (std::size_t i = 0; i < 5; ++i) w[count - 1 - i] = v[count - 1 - i] = g[count - 1 - i] = 0;
        UpdateArgs<T> args;
        args.weights = place<T>(weights, w);
        args.velocity = rule == Rule::descent ? nullptr : place<T>(velocities, v);
        args.gradient = place<T>(gradients, g);
        args.count = count;
        args.learning_rate = rate;
        args.momentum = momentum;
        args.nesterov = rule == Rule::nesterov;
        kernels<T>(table).update(args);
        for (std::size_t i = 0; i < count; ++i) {
          const auto about = [&] {
            return text("update rule ", static_cast<int>(rule), ", rate ", rate, ": parameter ", i, " of ", count);
          };
          const Estimate w0{static_cast<Real>(w[i]), 0}, v0{static_cast<Real>(v[i]), 0}, g0{static_cast<Real>(g[i]), 0};
          if (rule == Rule::descent) {
            judge.close(static_cast<Real>(args.weights[i]), reference::descent_step(w0, g0, static_cast<Real>(rate), a),
                        a.max, about);
          } else {
            const reference::MomentumStep step = reference::momentum_step(
                w0, v0, g0, static_cast<Real>(rate), static_cast<Real>(momentum), rule == Rule::nesterov, a);
            judge.close(static_cast<Real>(args.weights[i]), step.weight, a.max, about);
            judge.close(static_cast<Real>(args.velocity[i]), step.velocity, a.max,
                        [&] { return about() + " (velocity)"; });
          }
          judge.require(args.gradient[i] == static_cast<T>(g[i]), [&] { return about() + ": changed the gradient"; });
        }
      }
    }
  }
  return judge.finish(0.8);
}

template <class T>
Verdict check_adam(const KernelTable& table) {
  const reference::Arithmetic a = reference::arithmetic_of<T>();
  const double largest = std::numeric_limits<T>::max(), root = std::sqrt(largest);
  Judge judge;
  Rng rng(64);
  GuardedBuffer weights, means, squares, gradients;
  for (const std::size_t count : kCounts) {
    for (const double scale : {1.0, 1e-6, 1e-12, root / 4, root * 8, largest / 16}) {  // of the gradient
      for (const T correction : {T(1), T(8)}) {
        std::vector<double> w = make_values<T>(rng, count, Values::ordinary),
                            m = make_values<T>(rng, count, Values::ordinary),
                            s = make_values<T>(rng, count, Values::ordinary),
                            g = make_values<T>(rng, count, Values::ordinary);
        const double held = std::min(scale, root / 8);  // the moments have seen such gradients
        for (std::size_t i = 0; i < count; ++i) {
          const bool padding = i + 5 >= count;
          if (padding) w[i] = 0;
          m[i] = padding ? 0 : static_cast<T>(m[i] * held / 8);
          s[i] = padding ? 0 : static_cast<T>(s[i] * held / 8 * (s[i] * held / 8));
          g[i] = padding ? 0 : static_cast<T>(std::clamp(g[i] * scale, -largest, largest));
        }
        UpdateArgs<T> args;
        args.weights = place<T>(weights, w);
        args.velocity = place<T>(means, m);
        args.squares = place<T>(squares, s);
        args.gradient = place<T>(gradients, g);
        args.count = count;
        args.learning_rate = T(0.1f);
        args.momentum = T(0.9f);
        args.second_moment_decay = T(0.99f);
        args.first_correction = correction;
        args.second_correction = correction == T(1) ? T(1) : T(64);
        kernels<T>(table).adam(args);
        reference::AdamRule rule;
        rule.rate = static_cast<Real>(args.learning_rate);
        rule.mean_decay = static_cast<Real>(args.momentum);
        rule.square_decay = static_cast<Real>(args.second_moment_decay);
        rule.mean_correction.value = static_cast<Real>(args.first_correction);
        rule.square_correction.value = static_cast<Real>(args.second_correction);
        for (std::size_t i = 0; i < count; ++i) {
          const auto about = [&] {
            return text("adam, gradients of ", scale, ", correction ", correction, ": parameter ", i, " of ", count);
          };
          const auto exactly = [](double value) { return Estimate{static_cast<Real>(value), 0}; };
          const reference::AdamStep step =
              reference::adam_step(exactly(w[i]), exactly(m[i]), exactly(s[i]), exactly(g[i]), rule, a);
          judge.close(static_cast<Real>(args.velocity[i]), step.mean, a.max, [&] { return about() + " (mean)"; });
          judge.close(static_cast<Real>(args.squares[i]), step.square, a.max, [&] { return about() + " (square)"; });
          judge.close(static_cast<Real>(args.weights[i]), step.weight, a.max, about);
          judge.require(args.gradient[i] == static_cast<T>(g[i]), [&] { return about() + ": changed the gradient"; });
          judge.require(g[i] != 0 || m[i] != 0 || args.weights[i] == static_cast<T>(w[i]),
                        [&] { return about() + ": what nothing pulls at has moved"; });
        }
      }
    }
  }
  return judge.finish(0.8);
}

template Verdict check_add<float>(const KernelTable&);
template Verdict check_add<double>(const KernelTable&);
template Verdict check_finish_gradient<float>(const KernelTable&);
template Verdict check_finish_gradient<double>(const KernelTable&);
template Verdict check_finish_not_finite<float>(const KernelTable&);
template Verdict check_finish_not_finite<double>(const KernelTable&);
template Verdict check_update<float>(const KernelTable&);
template Verdict check_update<double>(const KernelTable&);
template Verdict check_adam<float>(const KernelTable&);
template Verdict check_adam<double>(const KernelTable&);

}  // namespace lanemax::checks
