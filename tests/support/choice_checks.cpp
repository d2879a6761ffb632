// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <cmath>
#include <vector>

namespace lanemax::checks {
namespace {

/// Small integers, so that ties are common; now and then what may be no score.
template <class T>
std::vector<double> scores(Rng& rng, std::size_t rows, std::size_t classes, bool special) {
  std::vector<double> z(rows * classes);
  for (double& value : z) value = static_cast<double>(rng.below(5)) - 2;
  for (std::size_t n = 0; n < rows; ++n) {
    double* const row = z.data() + n * classes;
    if (n % 4 == 1) row[rng.below(classes)] = -0.0;
    if (n % 4 == 2) row[rng.below(classes)] = static_cast<double>(std::numeric_limits<T>::max());
    if (!special) continue;
    for (std::size_t c = 0; c < classes; ++c) {
      if (n % 3 == 0 || rng.below(4) == 0) row[c] = -INFINITY;
    }
    if (n % 3 == 1) row[rng.below(classes)] = n % 2 == 0 ? NAN : INFINITY;
  }
  return z;
}

template <class T>
void check_rows(Judge& judge, const KernelTable& table, const std::vector<double>& z, std::size_t rows,
                std::size_t classes, bool panels) {
  GuardedBuffer logits, outputs, counts;
  const std::size_t capacity = panels ? rows : round_up(rows, 16), all = round_up(classes, kPanel);
  T* const at = logits.ending_at_guard<T>((panels ? all : classes) * capacity, kNaN<T>);
  for (std::size_t n = 0; n < rows; ++n) {
    for (std::size_t c = 0; c < (panels ? all : classes); ++c) {
      const double value = c < classes ? z[n * classes + c] : -INFINITY;
      at[panels ? (c / kPanel * capacity + n) * kPanel + c % kPanel : c * capacity + n] = static_cast<T>(value);
    }
  }
  ChoiceArgs<T> args;
  args.logits = at;
  args.capacity = capacity;
  args.rows = rows;
  args.classes = classes;
  args.panels = panels;
  args.chosen = outputs.ending_at_guard<std::int32_t>(rows, -77);
  args.lowest = counts.ending_at_guard<std::uint32_t>(rows, 77777U);
  kernels<T>(table).choice(args);
  for (std::size_t n = 0; n < rows; ++n) {
    std::int32_t best = 0;
    std::uint32_t lowest = 0;
    bool bad = false;
    for (std::size_t c = 0; c < classes; ++c) {
      const double value = z[n * classes + c];
      if (value > z[n * classes + static_cast<std::size_t>(best)]) best = static_cast<std::int32_t>(c);
      lowest += value == -INFINITY ? 1U : 0U;
      bad = bad || std::isnan(value) || value == INFINITY;
    }
    const auto about = [&] {
      return text(rows, " rows x ", classes, panels ? " in panels" : "", ", row ", n, ": class ", args.chosen[n],
                  ", lowest ", args.lowest[n], "; should be ", bad ? -1 : best, ", ", lowest);
    };
    judge.require(args.chosen[n] == (bad ? -1 : best), about);
    judge.require(bad || args.lowest[n] == lowest, about);
  }
}

}  // namespace

template <class T>
Verdict check_choice(const KernelTable& table) {
  Judge judge;
  Rng rng(61);
  std::vector<std::size_t> class_counts = {62, 100, 1000, 5000};
  for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) class_counts.push_back(classes);
  for (const std::size_t classes : class_counts) {
    for (const std::size_t rows : {1U, 2U, 7U, 16U, 33U}) {
      for (const bool special : {false, true}) {
        const std::vector<double> z = scores<T>(rng, rows, classes, special);
        check_rows<T>(judge, table, z, rows, classes, true);
        if (classes <= kMostClassMajor) check_rows<T>(judge, table, z, rows, classes, false);
        if (!judge.ok()) return judge.finish(0);
      }
    }
  }
  return judge.finish(0);
}
template Verdict check_choice<float>(const KernelTable&);
template Verdict check_choice<double>(const KernelTable&);

}  // namespace lanemax::checks
