// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/faults.hpp"
#include "tests/support/faulty_softmax.hpp"
#include "tests/support/problems.hpp"
#include "tests/support/table_checks.hpp"
#include "tests/support/testing.hpp"

#include <iostream>
#include <vector>

// The proof that the checks can fail: each fault below is put into a copy of a variant's table, and one of the checks
// of its step must turn red. The copy without a fault passes them all.
namespace lanemax::checks {
namespace {

template <class T>
Kernels<T>& slots(KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.f32;
  } else {
    return table.f64;
  }
}

/// A copy that is aligned as the engine's own buffers are.
template <class T>
T* aligned_copy(const T* from, std::size_t count) {
  static GuardedBuffer buffer;
  T* to = buffer.ending_at_guard<T>(round_up(count, kPanel), T(0));
  std::copy(from, from + count, to);
  return to;
}

template <class T>
T& logit(const LogitsArgs<T>& a, std::size_t n, std::size_t c) {
  return a.logits[logit_index(a.capacity, a.classes, n, c)];
}
template <class T>
T& dlogit(const LossArgs<T>& a, std::size_t n, std::size_t c) {
  return a.logits[logit_index(a.capacity, a.classes, n, c)];
}

template <class T>
const std::vector<Fault<T>>& logits_faults() {
  using A = LogitsArgs<T>;
  static const std::vector<Fault<T>> faults = {
      {"bias forgotten",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           T* bias = aligned_copy(a.bias, bias_count(a.classes));
           std::fill_n(bias, a.classes, T(0));
           A b = a;
           b.bias = bias;
           real<T>.logits(b);
         };
       }},
      {"last row skipped",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           A b = a;
           --b.x.count;
           if (b.x.count > 0) real<T>.logits(b);
         };
       }},
      {"reading ahead is seen in a logit",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           if (a.ahead != nullptr) logit(a, 0, 0) += std::abs(logit(a, 0, 0)) / 64 + 1;
         };
       }},
      {"first row only",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 1; n < a.x.count; ++n) logit(a, n, 0) = logit(a, 0, 0);
         };
       }},
      {"last feature left out",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 0; n < a.x.count; ++n) {
             for (std::size_t c = 0; c < a.classes; ++c) {
               logit(a, n, c) -= a.x.data[n * a.x.stride + a.features - 1] *
                                 a.weights[weight_index(a.features, a.classes, c, a.features - 1)];
             }
           }
         };
       }},
      {"row stride ignored",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           A b = a;
           b.x.stride = a.features;
           real<T>.logits(b);
         };
       }},
      {"last class wrong",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 0; n < a.x.count; ++n) logit(a, n, a.classes - 1) = a.bias[a.classes - 1];
         };
       }},
      {"a few roundings too many",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 0; n < a.x.count; ++n) logit(a, n, 0) *= 1 + 16 * std::numeric_limits<T>::epsilon();
         };
       }},
      {"padded classes not masked",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           if (is_class_major(a.classes)) {
             logit(a, 0, 0) = kNaN<T>;
           } else if (a.classes % kPanel != 0) {
             logit(a, 0, a.classes) = 0;
           }
         };
       }},
      {"bits depend on the block",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 16; n < a.x.count; ++n) logit(a, n, 0) = std::nextafter(logit(a, n, 0), T(0));
         };
       }},
      {"NaN swallowed",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           for (std::size_t n = 0; n < a.x.count; ++n) {
             for (std::size_t c = 0; c < a.classes; ++c) {
               if (std::isnan(logit(a, n, c))) logit(a, n, c) = 0;
             }
           }
         };
       }},
      {"an input scribbled on",
       [](Kernels<T>& k) {
         k.logits = [](const A& a) {
           real<T>.logits(a);
           const_cast<T*>(a.x.data)[0] += 1;
         };
       }},
  };
  return faults;
}

template <class T, SoftmaxFault kFault>
void seed_softmax(Kernels<T>& k) {
  k.softmax_loss = faulty_softmax<T, kFault>;
}

// Faults that any loss kernel can have; `kSlot` says which one gets it.
template <class T, auto kSlot>
std::vector<Fault<T>> loss_faults() {
  using A = LossArgs<T>;
  return {
      {"sign of the residual",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             for (std::size_t c = 0; c < a.classes; ++c) dlogit(a, n, c) = -dlogit(a, n, c);
           }
         };
       }},
      {"sample weights ignored",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           T* ones = aligned_copy(a.weights, round_up(a.rows, 16));
           std::fill_n(ones, a.rows, T(1));
           A b = a;
           b.weights = ones;
           (real<T>.*kSlot)(b);
         };
       }},
      {"weight in the loss",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) a.losses[n] *= a.weights[n];
         };
       }},
      {"last row skipped",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           const T old = a.losses[a.rows - 1];
           (real<T>.*kSlot)(a);
           a.losses[a.rows - 1] = old;
         };
       }},
      {"last class's residual from the first",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) dlogit(a, n, a.classes - 1) = dlogit(a, n, 0) + a.weights[n] / 64;
         };
       }},
      {"loss a little off",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) a.losses[n] *= 1 + 100 * std::numeric_limits<T>::epsilon();
         };
       }},
      {"NaN swallowed",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) a.losses[n] = std::isnan(a.losses[n]) ? T(0) : a.losses[n];
         };
       }},
      {"infinity swallowed",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             if (!std::isfinite(a.losses[n])) a.losses[n] = std::numeric_limits<T>::max();
           }
         };
       }},
      {"a bad row spills over",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 1; n < a.rows; ++n) {
             if (std::isnan(a.losses[n])) a.losses[n - 1] = a.losses[n];
           }
         };
       }},
  };
}

template <class T>
std::vector<Fault<T>> softmax_faults() {
  using A = LossArgs<T>;
  using F = SoftmaxFault;
  std::vector<Fault<T>> faults = loss_faults<T, &Kernels<T>::softmax_loss>();
  const std::vector<Fault<T>> own = {
      {"no maximum subtracted", seed_softmax<T, F::no_max>},
      {"maximum of all but the last class", seed_softmax<T, F::max_of_all_but_last>},
      {"loss from log(p)", seed_softmax<T, F::log_of_p>},
      {"log instead of log1p", seed_softmax<T, F::log_of_sum>},
      {"p - 1 by cancellation", seed_softmax<T, F::p_minus_one>},
      {"ties counted once", seed_softmax<T, F::ties_counted_once>},
      {"exp with a wrong cut", seed_softmax<T, F::early_cut>},
      {"smoothing over masked classes", seed_softmax<T, F::smoothing_over_all>},
      {"tau left out", seed_softmax<T, F::no_tau>},
      {"0 * infinity of a masked target", seed_softmax<T, F::masked_target_is_nan>},
      {"sum of too few bits", seed_softmax<T, F::single_precision_sum>},
      {"smoothing ignored",
       [](Kernels<T>& k) {
         k.softmax_loss = [](const A& a) {
           A b = a;
           b.smoothing = 0;
           real<T>.softmax_loss(b);
         };
       }},
      {"padding of a panel not 0",
       [](Kernels<T>& k) {
         k.softmax_loss = [](const A& a) {
           real<T>.softmax_loss(a);
           if (!is_class_major(a.classes) && a.classes % kPanel != 0) dlogit(a, 0, a.classes) = T(1e-3);
         };
       }},
      {"label of the second panel taken from the first",
       [](Kernels<T>& k) {
         k.softmax_loss = [](const A& a) {
           if (a.labels == nullptr) return real<T>.softmax_loss(a);
           std::int32_t* labels = aligned_copy(a.labels, round_up(a.rows, 16));
           for (std::size_t n = 0; n < a.rows; ++n) labels[n] %= 16;
           A b = a;
           b.labels = labels;
           real<T>.softmax_loss(b);
         };
       }},
      {"probabilities times the weight",
       [](Kernels<T>& k) {
         k.softmax_loss = [](const A& a) {
           real<T>.softmax_loss(a);
           for (std::size_t n = 0; a.probabilities != nullptr && n < a.rows; ++n) {
             for (std::size_t c = 0; c < a.classes; ++c)
               a.probabilities[logit_index(a.capacity, a.classes, n, c)] *= a.weights[n];
           }
         };
       }},
      {"probabilities not written",
       [](Kernels<T>& k) {
         k.softmax_loss = [](const A& a) {
           A b = a;
           b.probabilities = nullptr;
           real<T>.softmax_loss(b);
         };
       }},
  };
  faults.insert(faults.end(), own.begin(), own.end());
  return faults;
}

template <class T>
std::vector<Fault<T>> hinge_faults() {
  using A = LossArgs<T>;
  std::vector<Fault<T>> faults = loss_faults<T, &Kernels<T>::hinge_loss>();
  const std::vector<Fault<T>> own = {
      {"the true class's own margin counted",
       [](Kernels<T>& k) {
         k.hinge_loss = [](const A& a) {
           real<T>.hinge_loss(a);
           for (std::size_t n = 0; n < a.rows; ++n) a.losses[n] += 1;
         };
       }},
      {"a margin of 0 counted",
       [](Kernels<T>& k) {
         k.hinge_loss = [](const A& a) {
           std::vector<T> bump;
           for (std::size_t n = 0; n < a.rows; ++n) {
             const T at_label = dlogit(a, n, static_cast<std::size_t>(a.labels[n]));
             for (std::size_t c = 0; c < a.classes; ++c) {
               bump.push_back(dlogit(a, n, c) - at_label + T(1) == T(0) ? a.weights[n] : T(0));
             }
           }
           real<T>.hinge_loss(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             for (std::size_t c = 0; c < a.classes; ++c) dlogit(a, n, c) += bump[n * a.classes + c];
           }
         };
       }},
  };
  faults.insert(faults.end(), own.begin(), own.end());
  return faults;
}

template <class T>
std::vector<Fault<T>> logistic_faults() {
  using A = LossArgs<T>;
  std::vector<Fault<T>> faults = loss_faults<T, &Kernels<T>::logistic_loss>();
  const std::vector<Fault<T>> own = {
      {"sigmoid - t by cancellation",
       [](Kernels<T>& k) {
         k.logistic_loss = [](const A& a) {
           std::vector<T> z(a.logits, a.logits + a.rows);
           real<T>.logistic_loss(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             const T t = a.targets != nullptr ? a.targets[n] : static_cast<T>(a.labels[n]);
             a.logits[n] = a.weights[n] * (T(1) / (T(1) + std::exp(-z[n])) - t);
           }
         };
       }},
      {"log(1 + e)",
       [](Kernels<T>& k) {
         k.logistic_loss = [](const A& a) {
           std::vector<T> z(a.logits, a.logits + a.rows);
           real<T>.logistic_loss(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             const T e = std::exp(-std::fabs(z[n]));
             a.losses[n] += std::log(T(1) + e) - std::log1p(e);
           }
         };
       }},
      {"targets taken as labels",
       [](Kernels<T>& k) {
         k.logistic_loss = [](const A& a) {
           A b = a;
           if (a.targets != nullptr) {
             T* rounded = aligned_copy(a.targets, round_up(a.rows, 16));
             for (std::size_t n = 0; n < a.rows; ++n) rounded[n] = std::rint(rounded[n]);
             b.targets = rounded;
           }
           real<T>.logistic_loss(b);
         };
       }},
  };
  faults.insert(faults.end(), own.begin(), own.end());
  return faults;
}

template <class T>
std::vector<Fault<T>> probability_faults() {
  using A = ProbabilityArgs<T>;
  return {
      {"dlogits instead",
       [](Kernels<T>& k) {
         k.softmax_probabilities = [](const A& a) {
           real<T>.softmax_probabilities(a);
           a.probabilities[logit_index(a.probability_capacity, a.classes, a.rows - 1, 0)] -= 1;
         };
       }},
      {"the last class left out",
       [](Kernels<T>& k) {
         k.softmax_probabilities = [](const A& a) {
           A b = a;
           if (is_class_major(a.classes) && a.classes > 1) --b.classes;
           real<T>.softmax_probabilities(b);
         };
       }},
      {"in place of the logits",
       [](Kernels<T>& k) {
         k.softmax_probabilities = [](const A& a) {
           real<T>.softmax_probabilities(a);
           const_cast<T*>(a.logits)[0] = T(0.25);
         };
       }},
      {"a row with NaN answered",
       [](Kernels<T>& k) {
         k.softmax_probabilities = [](const A& a) {
           real<T>.softmax_probabilities(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             T& p = a.probabilities[logit_index(a.probability_capacity, a.classes, n, a.classes - 1)];
             if (std::isnan(p)) p = 0;
           }
         };
       }},
      {"padding not 0",
       [](Kernels<T>& k) {
         k.softmax_probabilities = [](const A& a) {
           real<T>.softmax_probabilities(a);
           if (is_class_major(a.classes) || a.classes % kPanel == 0) return;
           a.probabilities[logit_index(a.probability_capacity, a.classes, 0, a.classes)] = T(1e-6);
         };
       }},
  };
}
template <class T>
std::vector<Fault<T>> choice_faults() {
  using A = ChoiceArgs<T>;
  return {
      {"the last of the largest",
       [](Kernels<T>& k) {
         k.choice = [](const A& a) {
           real<T>.choice(a);
           const auto score = [&](std::size_t n, std::size_t c) {
             return a.logits[a.panels ? (c / kPanel * a.capacity + n) * kPanel + c % kPanel : c * a.capacity + n];
           };
           for (std::size_t n = 0; n < a.rows; ++n) {
             for (std::size_t c = 0; c < a.classes && a.chosen[n] >= 0; ++c) {
               if (score(n, c) == score(n, static_cast<std::size_t>(a.chosen[n]))) {
                 a.chosen[n] = static_cast<std::int32_t>(c);
               }
             }
           }
         };
       }},
      {"an infinite score is the largest",
       [](Kernels<T>& k) {
         k.choice = [](const A& a) {
           real<T>.choice(a);
           for (std::size_t n = 0; n < a.rows; ++n) a.chosen[n] = std::max(a.chosen[n], 0);
         };
       }},
      {"padding counted",
       [](Kernels<T>& k) {
         k.choice = [](const A& a) {
           real<T>.choice(a);
           for (std::size_t n = 0; n < a.rows && a.panels; ++n) {
             a.lowest[n] += static_cast<std::uint32_t>(round_up(a.classes, kPanel) - a.classes);
           }
         };
       }},
  };
}

template <class T>
std::vector<Fault<T>> logistic_probability_faults() {
  using A = ProbabilityArgs<T>;
  return {
      {"1 - p",
       [](Kernels<T>& k) {
         k.logistic_probabilities = [](const A& a) {
           real<T>.logistic_probabilities(a);
           for (std::size_t n = 0; a.complements != nullptr && n < a.rows; ++n) {
             a.complements[n] = T(1) - a.probabilities[n];
           }
         };
       }},
      {"the other way round",
       [](Kernels<T>& k) {
         k.logistic_probabilities = [](const A& a) {
           A b = a;
           if (a.complements != nullptr) std::swap(b.complements, b.probabilities);
           real<T>.logistic_probabilities(b);
         };
       }},
  };
}

template <class T>
void catch_all(const KernelTable& table, const char* step, const std::vector<Fault<T>>& faults,
               const std::vector<Check<T>>& checks) {
  KernelTable copy = table;
  for (const Check<T> check : checks) {
    const Verdict verdict = check(copy);
    ASSERT_TRUE(verdict.ok) << step << ", no fault seeded: " << verdict.message;
  }
  real<T> = kernels<T>(table);
  for (const Fault<T>& fault : faults) {
    copy = table;
    fault.seed(slots<T>(copy));
    Verdict verdict;
    for (const Check<T> check : checks) {
      verdict = check(copy);
      if (!verdict.ok) break;
    }
    EXPECT_FALSE(verdict.ok) << step << " of " << table.name << ": nobody noticed the fault '" << fault.name << "'";
    EXPECT_EQ(verdict.message.find("proves too little"), std::string::npos)
        << fault.name << " was caught by accident: " << verdict.message;
  }
  std::cout << faults.size() << " faults in " << step << ", " << sizeof(T) * 8 << " bits" << std::endl;
}

class SeededFaults : public IsaTest {};
INSTANTIATE_PER_ISA(SeededFaults);

template <class T>
void run_logits(const KernelTable& table) {
  catch_all<T>(table, "logits", logits_faults<T>(),
               {check_logits_special<T>, check_logits_large<T>, check_logits_rows<T>, check_logits_small<T>});
  catch_all<T>(table, "logits in slices", slice_faults<T>(), {check_logits_slices<T>});
}
template <class T>
void run_losses(const KernelTable& table) {
  catch_all<T>(
      table, "softmax_loss", softmax_faults<T>(),
      {check_softmax_tiny<T>, [](const KernelTable& t) { return check_softmax<T>(t, TargetKind::probabilities); },
       [](const KernelTable& t) { return check_softmax<T>(t, TargetKind::labels); },
       [](const KernelTable& t) { return check_softmax<T>(t, TargetKind::smoothed); }, check_softmax_not_finite<T>});
  catch_all<T>(table, "hinge_loss", hinge_faults<T>(), {check_hinge<T>, check_hinge_not_finite<T>});
  catch_all<T>(table, "logistic_loss", logistic_faults<T>(), {check_logistic<T>, check_logistic_not_finite<T>});
  catch_all<T>(table, "softmax_probabilities", probability_faults<T>(),
               {check_probabilities<T>, check_probabilities_not_finite<T>});
  catch_all<T>(table, "choice", choice_faults<T>(), {check_choice<T>});
  catch_all<T>(table, "logistic_probabilities", logistic_probability_faults<T>(), {check_logistic_probabilities<T>});
}
template <class T>
void run_others(const KernelTable& table) {
  catch_all<T>(table, "gradient", gradient_faults<T>(),
               {check_bias_gradient<T>, check_feature_gradient<T>, check_gradient_parts<T>, check_gradient_zeros<T>,
                check_gradient_large<T>});
  catch_all<T>(table, "update", update_faults<T>(),
               {check_add<T>, check_finish_gradient<T>, check_finish_not_finite<T>, check_update<T>, check_adam<T>,
                check_adagrad<T>, check_least<T>});
  catch_all<T>(table, "load", load_faults<T>(), {check_load_values<T>, check_load_rows<T>, check_load_centres<T>});
  catch_all<T>(table, "exp and log1p", simd_faults<T>(), simd_checks<T>());
}

TEST_P(SeededFaults, LogitsF32) {
  run_logits<float>(table());
}
TEST_P(SeededFaults, LogitsF64) {
  run_logits<double>(table());
}
TEST_P(SeededFaults, LossesF32) {
  run_losses<float>(table());
}
TEST_P(SeededFaults, LossesF64) {
  run_losses<double>(table());
}
TEST_P(SeededFaults, OthersF32) {
  run_others<float>(table());
}
TEST_P(SeededFaults, OthersF64) {
  run_others<double>(table());
}

/// The scalar softmax that carries the faults is right when it carries none: it is the fault that is caught.
TEST(SeededFaultsControl, TheScalarSoftmaxIsRight) {
  KernelTable table = *table_of(testable_isas().front());
  table.f32.softmax_loss = faulty_softmax<float, SoftmaxFault::none>;
  table.f64.softmax_loss = faulty_softmax<double, SoftmaxFault::none>;
  for (const TargetKind kind : kAllTargetKinds) {
    if (kind == TargetKind::labels) {
      expect_ok(check_softmax<float>(table, kind));
      expect_ok(check_softmax<double>(table, kind));
    }
  }
  expect_ok(check_softmax_tiny<float>(table));
  expect_ok(check_softmax_tiny<double>(table));
  expect_ok(check_softmax_not_finite<float>(table));
}

TEST(SeededFaultsControl, PlainAdamPasses) {
  KernelTable table = *table_of(testable_isas().front());
  table.f32.adam = plain_adam<float, PlainAdam::correct>;
  table.f64.adam = plain_adam<double, PlainAdam::correct>;
  expect_ok(check_adam<float>(table));
  expect_ok(check_adam<double>(table));
  expect_ok(check_least<float>(table));
  expect_ok(check_least<double>(table));
}

TEST(SeededFaultsControl, AKernelOfAnotherVariantIsNoticed) {
  const std::vector<Isa> isas = testable_isas();
  for (const Isa isa : isas) {
    for (const Isa other : isas) {
      if (isa == other) continue;
      EXPECT_FALSE(check_table(*table_of(other), isa).ok);
      KernelTable copy = *table_of(isa);
      EXPECT_TRUE(check_table(copy, isa).ok);
      copy.f32.update = table_of(other)->f32.update;
      EXPECT_FALSE(check_table(copy, isa).ok);
      copy = *table_of(isa);
      copy.f64.logits = nullptr;
      EXPECT_FALSE(check_table(copy, isa).ok);
    }
  }
}

/// The buffers' end is really an end.
TEST(SeededFaultsDeathTest, ReadingPastTheEndIsACrash) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto read_past = [] {
    KernelTable table = *table_of(testable_isas().front());
    real<float> = table.f32;
    table.f32.logits = [](const LogitsArgs<float>& a) {
      const volatile float* end = a.x.data + (a.x.count - 1) * a.x.stride + a.features;
      const float past = *end;
      real<float>.logits(a);
      if (past == 12345.0F) a.logits[0] = past;
    };
    (void)check_logits_large<float>(table);
  };
  EXPECT_DEATH(read_past(), "");
}

}  // namespace
}  // namespace lanemax::checks
