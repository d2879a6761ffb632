// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <vector>

namespace lanemax::checks {
namespace {

enum class Rule { descent, momentum, nesterov, adam };
constexpr const char* kRuleNames[] = {"descent", "momentum", "nesterov", "adam"};

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
            return text(kRuleNames[static_cast<int>(rule)], ", rate ", rate, ": parameter ", i, " of ", count);
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

template <class T>
Verdict check_adagrad(const KernelTable& table) {
  const reference::Arithmetic a = reference::arithmetic_of<T>();
  const double largest = std::numeric_limits<T>::max(), root = std::sqrt(largest);
  Judge judge;
  Rng rng(65);
  GuardedBuffer weights, squares, gradients;
  for (const std::size_t count : kCounts) {
    for (const double scale : {1.0, 1e-6, 1e-12, root / 4, root * 8, largest / 16}) {  // of the gradient
      for (const double held : {0.0, 1e-3, 1.0, 1e3}) {                                // roots of the sums, to it
        std::vector<double> w = make_values<T>(rng, count, Values::ordinary), s = w, g = w;
        for (std::size_t i = 0; i < count; ++i) {
          const bool padding = i + 5 >= count;
          const double root_of_sum = std::min(std::fabs(s[i]) * held * scale, root / 2);
          g[i] = padding ? 0 : static_cast<T>(std::clamp(rng.between(-1, 1) * scale, -largest, largest));
          s[i] = padding ? 0 : static_cast<T>(root_of_sum * root_of_sum);
          if (padding) w[i] = 0;
        }
        UpdateArgs<T> args;
        args.weights = place<T>(weights, w);
        args.squares = place<T>(squares, s);
        args.gradient = place<T>(gradients, g);
        args.count = count;
        args.learning_rate = T(0.1f);
        kernels<T>(table).adagrad(args);
        for (std::size_t i = 0; i < count; ++i) {
          const auto about = [&] {
            return text("adagrad, gradients of ", scale, ", held ", held, ": parameter ", i, " of ", count);
          };
          const auto exactly = [](double value) { return Estimate{static_cast<Real>(value), 0}; };
          const reference::AdagradStep step = reference::adagrad_step(exactly(w[i]), exactly(s[i]), exactly(g[i]),
                                                                      static_cast<Real>(args.learning_rate), a);
          judge.close(static_cast<Real>(args.squares[i]), step.square, a.max, [&] { return about() + " (square)"; });
          judge.close(static_cast<Real>(args.weights[i]), step.weight, a.max, about);
          judge.require(args.gradient[i] == static_cast<T>(g[i]), [&] { return about() + ": changed the gradient"; });
          judge.require(g[i] != 0 || args.weights[i] == static_cast<T>(w[i]),
                        [&] { return about() + ": what nothing pulls at has moved"; });
        }
      }
    }
  }
  return judge.finish(0.8);
}

namespace {

template <class T>
constexpr T kLeast = std::numeric_limits<T>::min();
template <class T>
T below(T v) {
  return v * T(0.999);
}

/// Moments a little above the smallest normal number, with nothing but zeros to come.
template <class T>
void check_decay(const KernelTable& table, Judge& judge, Rule rule, std::size_t count) {
  const bool adam = rule == Rule::adam;
  GuardedBuffer weights, velocities, squares, gradients;
  UpdateArgs<T> args;
  args.weights = weights.ending_at_guard<T>(count, T(1));
  args.velocity = velocities.ending_at_guard<T>(count, T(0));
  args.squares = squares.ending_at_guard<T>(count, T(0));
  args.gradient = gradients.ending_at_guard<T>(count, T(0));
  args.count = count;
  args.learning_rate = T(0.125);
  args.momentum = T(0.75);
  args.second_moment_decay = T(0.875);
  args.nesterov = rule == Rule::nesterov;
  for (std::size_t i = 0; i + 5 < count; ++i) {
    const T size = kLeast<T> * (1 + static_cast<T>(i % 7) / 8) * static_cast<T>(1 << i % 20);
    args.velocity[i] = i % 3 == 0 ? -size : size;
    args.squares[i] = size;
  }
  const auto decayed = [](T moment, T decay) {
    const T product = moment * decay;
    return std::fabs(product) < kLeast<T> ? T(0) : product;
  };
  std::vector<T> v(args.velocity, args.velocity + count), s(args.squares, args.squares + count);
  bool any = true;
  for (int step = 0; any && step < 400 && judge.ok(); ++step) {
    adam ? kernels<T>(table).adam(args) : kernels<T>(table).update(args);
    any = false;
    for (std::size_t i = 0; i < count; ++i) {
      const auto about = [&] {
        return text(kRuleNames[static_cast<int>(rule)], ", step ", step, ": moment ", i, " of ", count);
      };
      v[i] = decayed(v[i], args.momentum);
      judge.same(args.velocity[i], v[i], about);
      if (adam) s[i] = decayed(s[i], args.second_moment_decay);
      judge.same(args.squares[i], s[i], [&] { return about() + " (square)"; });
      any = any || v[i] != T(0) || (adam && s[i] != T(0));
    }
  }
  judge.require(!any, [&] { return text("moments that never come to an end"); });
}

}  // namespace

template <class T>
Verdict check_least(const KernelTable& table) {
  const T kMin = kLeast<T>;
  Judge judge;
  for (const std::size_t count : {std::size_t{16}, std::size_t{80}, std::size_t{784}}) {
    for (const Rule rule : {Rule::momentum, Rule::nesterov, Rule::adam}) check_decay<T>(table, judge, rule, count);
  }

  struct Parameter {
    T weight = 0, velocity = 0, square = 0;
  };
  constexpr std::size_t kCount = 32;
  GuardedBuffer weights, velocities, squares, gradients;
  // One step of 32 equal parameters.
  const auto step = [&](Rule rule, T rate, T gradient, Parameter p) {
    UpdateArgs<T> args;
    args.weights = weights.ending_at_guard<T>(kCount, p.weight);
    if (rule != Rule::descent) args.velocity = velocities.ending_at_guard<T>(kCount, p.velocity);
    args.squares = squares.ending_at_guard<T>(kCount, p.square);
    args.gradient = gradients.ending_at_guard<T>(kCount, gradient);
    args.count = kCount;
    args.learning_rate = rate;
    args.momentum = T(0.5);
    args.second_moment_decay = T(0.75);
    rule == Rule::adam ? kernels<T>(table).adam(args) : kernels<T>(table).update(args);
    for (std::size_t i = 1; i < kCount; ++i) {
      judge.same(args.weights[i], args.weights[0], [&] { return text("equal parameters, the ", i, "th"); });
    }
    return Parameter{args.weights[0], args.velocity == nullptr ? T(0) : args.velocity[0], args.squares[0]};
  };
  const auto same = [&](T got, T want, const char* about) { judge.same(got, want, [&] { return text(about); }); };
  for (const T sign : {T(1), T(-1)}) {
    constexpr Rule descent = Rule::descent, momentum = Rule::momentum, adam = Rule::adam;
    const T rate = T(0x1p-10), over = kMin / rate;  // the least direction
    same(step(descent, rate, sign * over, {}).weight, -sign * kMin, "the least step");
    same(step(descent, rate, sign * below(over), {}).weight, 0, "a step below the least");
    same(step(descent, 1, sign * kMin, {sign * below(2 * kMin)}).weight, 0, "a weight below the least");
    same(step(descent, 4, sign * kMin, {}).weight, -sign * 4 * kMin, "the least direction");
    same(step(descent, 4, sign * below(kMin), {}).weight, 0, "a direction below the least");
    same(step(momentum, rate, 0, {0, sign * 2 * over}).weight, -sign * kMin, "the least step with momentum");
    same(step(momentum, rate, 0, {0, sign * below(2 * over)}).weight, 0, "a step with momentum below the least");
    same(step(momentum, rate, 0, {0, sign * 2 * kMin}).velocity, sign * kMin, "the least velocity");
    same(step(momentum, rate, 0, {0, sign * below(2 * kMin)}).velocity, 0, "a velocity below the least");
    same(step(momentum, rate, sign * kMin, {}).velocity, sign * kMin, "the least gradient's velocity");
    same(step(momentum, rate, sign * below(kMin), {}).velocity, 0, "the velocity of a gradient below the least");

    const T root = sizeof(T) == sizeof(float) ? T(0x1p-62) : T(0x1p-510);  // root^2 / 4 is the least number
    same(step(adam, rate, sign * 2 * kMin, {}).velocity, sign * kMin, "the least mean");
    same(step(adam, rate, sign * below(2 * kMin), {}).velocity, 0, "a mean below the least");
    // What such a gradient adds to a mean that is there is 0, too.
    const T held = kMin + std::numeric_limits<T>::denorm_min();
    same(step(adam, rate, sign * below(2 * kMin), {0, sign * 2 * held}).velocity, sign * held, "nothing in a mean");
    same(step(adam, rate, sign * root, {}).square, kMin, "the least square");
    same(step(adam, rate, sign * below(root), {}).square, 0, "a square below the least");
    same(step(adam, rate, sign * below(root), {0, 0, 4 * kMin}).square, 3 * kMin, "nothing in a square");
    same(step(adam, T(0x1p-30), 0, {0, sign * 2 * kMin}).weight, 0, "adam's step below the least");
    same(step(adam, kMin, 0, {1, sign * 2 * kMin}).weight, 1, "adam's step below the least from 1");
  }
  same(step(Rule::momentum, 1, 0, {0, kNaN<T>}).velocity, kNaN<T>, "NaN in a velocity");
  same(step(Rule::momentum, 1, 0, {0, kInf<T>}).velocity, kInf<T>, "infinity in a velocity");
  same(step(Rule::descent, 1, 0, {-kInf<T>}).weight, -kInf<T>, "a masked class");

  const auto finished = [&](T gradient, T weight, T l2) {
    FinishArgs<T> args;
    args.gradient = gradients.ending_at_guard<T>(kCount, gradient);
    args.weights = weights.ending_at_guard<T>(kCount, weight);
    args.count = kCount;
    args.scale = 1;
    args.l2 = l2;
    judge.require(kernels<T>(table).finish_gradient(args), [] { return text("tiny numbers called not finite"); });
    return args.gradient[kCount - 1];
  };
  const T l2 = T(0x1p-7);
  same(finished(0, -kMin / l2, l2), -kMin, "the least pull");
  same(finished(0, -below(kMin / l2), l2), 0, "a pull below the least");
  same(finished(3 * kMin, below(kMin / l2), l2), 3 * kMin, "a pull below the least beside a gradient");
  same(finished(0, kMin, 4), 4 * kMin, "the pull on the least weight");
  same(finished(0, below(kMin), 4), 0, "the pull on a weight below the least");
  same(finished(below(kMin), 0, l2), below(kMin), "a gradient below the least");
  return judge.finish(0.2);
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
template Verdict check_adagrad<float>(const KernelTable&);
template Verdict check_adagrad<double>(const KernelTable&);
template Verdict check_least<float>(const KernelTable&);
template Verdict check_least<double>(const KernelTable&);

}  // namespace lanemax::checks
