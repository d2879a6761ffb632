// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/loss_case.hpp"

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 33;
constexpr std::size_t kRowCounts[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33};

/// Scores of the logistic loss, and its targets: labels, or numbers from 0 to 1, ends included.
template <class T>
LossCase logistic_case(Rng& rng, Fill fill, bool probabilities) {
  LossCase p;
  p.rows = kRows;
  p.classes = 1;
  for (std::size_t n = 0; n < p.rows; ++n) {
    const std::vector<double> z = make_logits<T>(rng, 3, fill);
    p.logits.push_back(z[n % 3]);
  }
  p.weights.assign(kRows, 1);
  for (std::size_t n = 0; n < p.rows; ++n) {
    const bool masked = std::isinf(p.logits[n]);
    p.labels.push_back(masked ? 0 : static_cast<int>(rng.below(2)));
    p.weights[n] = n % 3 == 0 ? 1 : static_cast<double>(static_cast<T>(rng.between(0.1, 4)));
    if (probabilities) {
      const double t = n % 5 < 2 ? static_cast<double>(n % 5) : static_cast<double>(static_cast<T>(rng.unit()));
      p.targets.push_back(masked ? 0 : t);
    }
  }
  return p;
}

}  // namespace

template <class T>
Verdict check_hinge(const KernelTable& table) {
  Judge judge;
  Rng rng(50);
  LossRun<T> run;
  std::vector<std::size_t> class_counts = {62, 100, 1000};
  for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) class_counts.push_back(classes);
  for (const std::size_t classes : class_counts) {
    for (const Fill fill : kAllFills) {
      // Up to C differences are added, and must not leave the range together.
      LossCase p =
          random_loss_case<T>(rng, classes > 500 ? 3 : kRows, classes, fill, 1e38 / static_cast<double>(classes));
      if (fill == Fill::ordinary) {  // small integers: margins of exactly 0 do occur, and count as met
        for (double& z : p.logits) z = std::rint(z);
      }
      const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::hinge_row);
      for (const std::size_t rows : kRowCounts) {
        if (rows > p.rows || !judge.ok()) break;
        run(kernels<T>(table).hinge_loss, p, rows, false, rows % 4 == 1 ? 16 : 0);
        compare_rows<T>(judge, run, want, rows, false,
                        [&] { return text("hinge, ", name_of(fill), ", ", rows, " rows x ", classes); });
      }
    }
  }
  return judge.finish(0.3);
}

template <class T>
Verdict check_hinge_not_finite(const KernelTable& table) {
  Judge judge;
  Rng rng(51);
  for (const std::size_t classes : {1U, 2U, 3U, 7U, 15U, 16U, 17U, 26U, 33U}) {
    for (const Fill fill : {Fill::ordinary, Fill::ten_thousand}) {
      const LossCase p = random_loss_case<T>(rng, 19, classes, fill);
      check_bad_rows<T>(judge, kernels<T>(table).hinge_loss, p, kNaN<T>, "hinge");
      check_bad_rows<T>(judge, kernels<T>(table).hinge_loss, p, kInf<T>, "hinge");
    }
    LossRun<T> run;  // the true class masked
    LossCase p = random_loss_case<T>(rng, 5, classes, Fill::ordinary);
    p.logits[3 * classes + static_cast<std::size_t>(p.labels[3])] = -kInf<double>;
    run(kernels<T>(table).hinge_loss, p, p.rows, false);
    judge.require(!std::isfinite(run.loss(3)), [&] { return text("hinge loss of a masked label: ", run.loss(3)); });
  }
  return judge.finish(0.4);
}

template <class T>
Verdict check_logistic(const KernelTable& table) {
  Judge judge;
  Rng rng(52);
  LossRun<T> run;
  for (const Fill fill : kAllFills) {
    for (int try_ = 0; try_ < 40; ++try_) {
      const LossCase p = logistic_case<T>(rng, fill, try_ % 2 == 1);
      const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::logistic_row);
      for (const std::size_t rows : kRowCounts) {
        const bool probabilities = rows % 2 == 1;
        run(kernels<T>(table).logistic_loss, p, rows, probabilities, rows % 4 == 1 ? 16 : 0);
        compare_rows<T>(judge, run, want, rows, probabilities,
                        [&] { return text("logistic, ", name_of(fill), ", ", rows, " rows"); });
      }
    }
  }
  // Losses and residuals next to 0 keep their digits, on both sides.
  LossCase p;
  p.classes = 1;
  const double deepest = sizeof(T) == sizeof(float) ? 60 : 650;
  for (double z = 1; z <= deepest; z += 0.75) {
    for (const int label : {0, 1}) {
      p.logits.push_back(label == 1 ? z : -z);
      p.labels.push_back(label);
      p.weights.push_back(1);
      ++p.rows;
    }
  }
  const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::logistic_row);
  run(kernels<T>(table).logistic_loss, p, p.rows, true);
  compare_rows<T>(judge, run, want, p.rows, true, [] { return "tiny logistic losses"; });
  const Real relative = 16 * static_cast<Real>(std::numeric_limits<T>::epsilon());
  for (std::size_t n = 0; n < p.rows && judge.ok(); ++n) {
    judge.require(run.loss(n) > T(0) && want[n].loss.bound <= relative * want[n].loss.value &&
                      want[n].dlogits[0].bound <= relative * std::fabs(want[n].dlogits[0].value),
                  [&] { return text("logistic loss at ", p.logits[n], ": the bound is not relative"); });
  }
  return judge.finish(0.6);
}

template <class T>
Verdict check_logistic_not_finite(const KernelTable& table) {
  Judge judge;
  Rng rng(53);
  LossRun<T> clean, dirty;
  for (const bool probabilities : {false, true}) {
    for (std::size_t row = 0; row < kRows; ++row) {
      for (const T bad : {kNaN<T>, kInf<T>}) {
        for (const int label : {0, 1}) {
          LossCase p = logistic_case<T>(rng, Fill::ordinary, probabilities);
          p.labels[row] = label;
          if (probabilities && row % 3 != 0) p.targets[row] = label;
          clean(kernels<T>(table).logistic_loss, p, p.rows, true);
          p.logits[row] = static_cast<double>(bad);
          dirty(kernels<T>(table).logistic_loss, p, p.rows, true);
          for (std::size_t n = 0; n < p.rows; ++n) {
            const auto about = [&] { return text("logistic, ", bad, " in row ", row, ", label ", label, ", row ", n); };
            if (n == row) {
              judge.require(!std::isfinite(dirty.loss(n)), [&] { return text(about(), ": loss ", dirty.loss(n)); });
            } else {
              judge.same(dirty.loss(n), clean.loss(n), about);
              judge.same(dirty.dlogit(n, 0), clean.dlogit(n, 0), about);
              judge.same(dirty.probability(n, 0), clean.probability(n, 0), about);
            }
          }
        }
      }
    }
  }
  return judge.finish(0.9);
}

template Verdict check_hinge<float>(const KernelTable&);
template Verdict check_hinge<double>(const KernelTable&);
template Verdict check_hinge_not_finite<float>(const KernelTable&);
template Verdict check_hinge_not_finite<double>(const KernelTable&);
template Verdict check_logistic<float>(const KernelTable&);
template Verdict check_logistic<double>(const KernelTable&);
template Verdict check_logistic_not_finite<float>(const KernelTable&);
template Verdict check_logistic_not_finite<double>(const KernelTable&);

}  // namespace lanemax::checks
