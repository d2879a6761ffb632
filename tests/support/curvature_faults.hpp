// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_CURVATURE_FAULTS_HPP
#define LANEMAX_TESTS_SUPPORT_CURVATURE_FAULTS_HPP

#include "tests/support/faults.hpp"

// Faulty kernels for tests/seeded_faults_test.cpp: those of the curvature.
namespace lanemax::checks {

template <class T>
T& score(const CurvatureArgs<T>& a, std::size_t n, std::size_t c) {
  return a.scores[logit_index(a.capacity, a.classes, n, c)];
}
template <class T>
T share(const CurvatureArgs<T>& a, std::size_t n, std::size_t c) {
  return a.probabilities[logit_index(a.part_capacity, a.classes, n, c)];
}

/// Adds to every row's scores, after the real kernel, what `error` says: error(a, scores before, row, class), the
/// scores before in rows of `classes`.
template <class T, auto kSlot, class Error>
void curvature_with(const CurvatureArgs<T>& a, const Error& error) {
  std::vector<T> before;
  for (std::size_t n = 0; n < a.rows; ++n) {
    for (std::size_t c = 0; c < a.classes; ++c) before.push_back(score(a, n, c));
  }
  (real<T>.*kSlot)(a);
  for (std::size_t n = 0; n < a.rows; ++n) {
    for (std::size_t c = 0; c < a.classes; ++c) score(a, n, c) += error(a, before.data() + n * a.classes, n, c);
  }
}

template <class T, auto kSlot>
std::vector<Fault<T>> curvature_faults() {
  using A = CurvatureArgs<T>;
  return {
      {"sample weights ignored",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           static GuardedBuffer buffer;
           A b = a;
           b.weights = buffer.ending_at_guard<T>(round_up(a.rows, 16), T(1));
           (real<T>.*kSlot)(b);
         };
       }},
      {"last row skipped",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           std::vector<T> old;
           for (std::size_t c = 0; c < a.classes; ++c) old.push_back(score(a, a.rows - 1, c));
           (real<T>.*kSlot)(a);
           for (std::size_t c = 0; c < a.classes; ++c) score(a, a.rows - 1, c) = old[c];
         };
       }},
      {"a little off",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) score(a, n, 0) *= 1 + 64 * std::numeric_limits<T>::epsilon();
         };
       }},
      {"the room of the scores taken for that of the probabilities",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           A b = a;
           b.part_capacity = std::min(a.capacity, a.part_capacity);
           // Logistic rows have no room to mistake: there, the neighbour's probability.
           if (a.classes == 1 && a.rows > 1) {
             static GuardedBuffer buffer;
             T* shifted = buffer.ending_at_guard<T>(round_up(a.rows, 16), T(0));
             std::copy(a.probabilities + 1, a.probabilities + a.rows, shifted);
             b.probabilities = shifted;
           }
           (real<T>.*kSlot)(b);
         };
       }},
      {"writes into the next part",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           if (round_up(a.rows, 16) < a.capacity) score(a, round_up(a.rows, 16), 0) = 0;
         };
       }},
      {"the bits depend on the block",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows && a.rows % 2 == 0; ++n) {
             score(a, n, 0) = std::nextafter(score(a, n, 0), T(0));
           }
         };
       }},
      {"not multiplied by p",
       [](Kernels<T>& k) {
         k.*kSlot = [](const A& a) {
           (real<T>.*kSlot)(a);
           for (std::size_t n = 0; n < a.rows; ++n) {
             if (share(a, n, 0) > T(0)) score(a, n, 0) /= share(a, n, 0);
           }
         };
       }},
  };
}

template <class T>
std::vector<Fault<T>> softmax_curvature_faults() {
  using A = CurvatureArgs<T>;
  constexpr auto kSlot = &Kernels<T>::softmax_curvature;
  std::vector<Fault<T>> faults = curvature_faults<T, kSlot>();
  const std::vector<Fault<T>> own = {
      {"mean left out",
       [](Kernels<T>& k) {
         k.softmax_curvature = [](const A& a) {
           curvature_with<T, kSlot>(a, [](const A& b, const T* before, std::size_t n, std::size_t c) {
             T mean = 0;
             for (std::size_t j = 0; j < b.classes; ++j) mean += share(b, n, j) * before[j];
             return b.weights[n] * share(b, n, c) * mean;
           });
         };
       }},
      {"mean of all but the last class",
       [](Kernels<T>& k) {
         k.softmax_curvature = [](const A& a) {
           curvature_with<T, kSlot>(a, [](const A& b, const T* before, std::size_t n, std::size_t c) {
             const std::size_t last = b.classes - 1;
             return b.weights[n] * share(b, n, c) * share(b, n, last) * before[last];
           });
         };
       }},
      {"mean of the first panel",
       [](Kernels<T>& k) {
         k.softmax_curvature = [](const A& a) {
           if (is_class_major(a.classes)) return (real<T>.*kSlot)(a);
           curvature_with<T, kSlot>(a, [](const A& b, const T* before, std::size_t n, std::size_t c) {
             T rest = 0;
             for (std::size_t j = kPanel; j < b.classes; ++j) rest += share(b, n, j) * before[j];
             return b.weights[n] * share(b, n, c) * rest;
           });
         };
       }},
      {"padding of a panel not 0",
       [](Kernels<T>& k) {
         k.softmax_curvature = [](const A& a) {
           real<T>.softmax_curvature(a);
           if (!is_class_major(a.classes) && a.classes % kPanel != 0) score(a, 0, a.classes) = T(1e-3);
         };
       }},
  };
  faults.insert(faults.end(), own.begin(), own.end());
  return faults;
}

template <class T>
std::vector<Fault<T>> logistic_curvature_faults() {
  using A = CurvatureArgs<T>;
  std::vector<Fault<T>> faults = curvature_faults<T, &Kernels<T>::logistic_curvature>();
  faults.push_back({"p instead of p (1 - p)", [](Kernels<T>& k) {
                      k.logistic_curvature = [](const A& a) {
                        for (std::size_t n = 0; n < round_up(a.rows, 16); ++n) {
                          a.scores[n] *= a.weights[n] * a.probabilities[n];
                        }
                      };
                    }});
  return faults;
}

}  // namespace lanemax::checks

#endif
