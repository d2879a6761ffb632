// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/loss_case.hpp"

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 33;
constexpr std::size_t kRowCounts[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33};

/// Target distributions of several kinds: one-hot, spread out, sparse, not summing to 1. Masked classes get 0.
template <class T>
void fill_targets(Rng& rng, LossCase& p) {
  p.targets.assign(p.rows * p.classes, 0);
  for (std::size_t n = 0; n < p.rows; ++n) {
    const double scale = n % 4 == 3 ? rng.between(0.2, 3) : 1;
    double sum = 0;
    for (std::size_t c = 0; c < p.classes; ++c) {
      const bool on = static_cast<std::size_t>(p.labels[n]) == c || (n % 4 != 0 && rng.below(2) == 0);
      if (!on || std::isinf(p.logits[n * p.classes + c])) continue;
      p.targets[n * p.classes + c] = rng.between(0.05, 1);
      sum += p.targets[n * p.classes + c];
    }
    for (std::size_t c = 0; c < p.classes; ++c) {
      double& t = p.targets[n * p.classes + c];
      t = static_cast<double>(static_cast<T>(t / sum * scale));
    }
  }
}

const char* name_of(TargetKind kind) {
  return kind == TargetKind::labels ? "labels" : kind == TargetKind::smoothed ? "smoothed labels" : "probabilities";
}

template <class T>
void check_case(Judge& judge, const KernelTable& table, LossRun<T>& run, const LossCase& p, const char* what) {
  const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::softmax_row);
  for (const std::size_t rows : kRowCounts) {
    if (rows > p.rows || !judge.ok()) break;
    const bool probabilities = rows % 2 == 1;
    run(kernels<T>(table).softmax_loss, p, rows, probabilities, rows % 4 == 1 ? 16 : 0);
    compare_rows<T>(judge, run, want, rows, probabilities,
                    [&] { return text("softmax, ", what, ", ", rows, " rows x ", p.classes); });
  }
}

}  // namespace

template <class T>
Verdict check_softmax(const KernelTable& table, TargetKind kind) {
  Judge judge;
  Rng rng(30 + static_cast<std::uint64_t>(kind));
  LossRun<T> run;
  std::vector<std::size_t> class_counts = {62, 100, 105, 1000};
  for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) class_counts.push_back(classes);
  class_counts.push_back(10007);
  for (const std::size_t classes : class_counts) {
    for (const Fill fill : kAllFills) {
      const std::size_t rows = classes > 5000 ? 2 : classes > 500 ? 3 : classes > 50 ? 17 : kRows;
      // With more than one target class, terms up to m - z are added: they must not leave the range together.
      const double largest = kind == TargetKind::labels ? 3e38 : 5e37 / static_cast<double>(classes);
      LossCase p = random_loss_case<T>(rng, rows, classes, fill, largest);
      if (kind == TargetKind::probabilities) fill_targets<T>(rng, p);
      for (const double smoothing : {0.1, 1.0, 0.0009765625}) {
        if (kind == TargetKind::smoothed) p.smoothing = smoothing;
        check_case<T>(judge, table, run, p,
                      text(name_of(kind), ", ", name_of(fill), ", smoothing ", p.smoothing).c_str());
        if (!judge.ok()) return judge.finish(0);
        if (kind != TargetKind::smoothed || classes > 100) break;
      }
    }
  }
  // Many logits lie far enough below the maximum for an exp() of exactly 0.
  return judge.finish(0.4);
}

template <class T>
Verdict check_softmax_shift(const KernelTable& table) {
  Judge judge;
  Rng rng(40);
  LossRun<T> plain, shifted;
  for (const std::size_t classes : {1U, 2U, 3U, 7U, 10U, 15U, 16U, 17U, 24U, 35U, 36U, 100U}) {
    for (const TargetKind kind : kAllTargetKinds) {
      for (int try_ = 0; try_ < 12; ++try_) {
        LossCase p;
        p.rows = kRows;
        p.classes = classes;
        for (std::size_t i = 0; i < p.rows * classes; ++i) p.logits.push_back(static_cast<double>(rng.below(129)) - 64);
        fill_labels_and_weights<T>(rng, p);
        if (kind == TargetKind::probabilities) fill_targets<T>(rng, p);
        if (kind == TargetKind::smoothed) p.smoothing = 0.1;
        LossCase q = p;
        for (std::size_t n = 0; n < p.rows; ++n) {
          const double shift = static_cast<double>(rng.below(131073)) - 65536;
          for (std::size_t c = 0; c < classes; ++c) q.logits[n * classes + c] += shift;
        }
        plain(kernels<T>(table).softmax_loss, p, p.rows, true);
        shifted(kernels<T>(table).softmax_loss, q, q.rows, true);
        for (std::size_t n = 0; n < p.rows && judge.ok(); ++n) {
          const auto about = [&] { return text("softmax of ", classes, " shifted, ", name_of(kind), ", row ", n); };
          judge.same(shifted.loss(n), plain.loss(n), about);
          for (std::size_t c = 0; c < classes; ++c) {
            judge.same(shifted.dlogit(n, c), plain.dlogit(n, c), about);
            judge.same(shifted.probability(n, c), plain.probability(n, c), about);
          }
        }
      }
    }
  }
  return judge.finish(0.6);
}

template <class T>
Verdict check_softmax_zero(const KernelTable& table) {
  Judge judge;
  Rng rng(41);
  LossRun<T> run;
  std::vector<std::size_t> class_counts = {62, 100, 105, 1000, 1024, 10007};
  for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) class_counts.push_back(classes);
  for (const std::size_t classes : class_counts) {
    const LossCase p = random_loss_case<T>(rng, 5, classes, Fill::zero);
    run(kernels<T>(table).softmax_loss, p, p.rows, true);
    const T want = static_cast<T>(std::log(static_cast<Real>(classes)));
    for (std::size_t n = 0; n < p.rows; ++n) {
      const T got = run.loss(n);
      judge.require(got >= std::nextafter(want, T(0)) && got <= std::nextafter(want, kInf<T>),
                    [&] { return text("loss of ", classes, " equal logits: ", got, ", log C is ", want); });
    }
  }
  return judge.finish(1);
}

template <class T>
Verdict check_softmax_sums(const KernelTable& table) {
  const Real eps = std::numeric_limits<T>::epsilon();
  Judge judge;
  Rng rng(42);
  LossRun<T> run;
  for (const std::size_t classes :
       {1U, 2U, 3U, 7U, 8U, 9U, 10U, 15U, 16U, 17U, 23U, 26U, 35U, 62U, 100U, 105U, 1000U, 10007U}) {
    for (const Fill fill : kAllFills) {
      const LossCase p = random_loss_case<T>(rng, classes > 500 ? 3 : kRows, classes, fill);
      const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::softmax_row);
      run(kernels<T>(table).softmax_loss, p, p.rows, true);
      for (std::size_t n = 0; n < p.rows && judge.ok(); ++n) {
        const auto about = [&] { return text("softmax of ", classes, ", ", name_of(fill), ", row ", n); };
        Real residuals = 0, bound = 0, total = 0, magnitude = 0;
        for (std::size_t c = 0; c < classes; ++c) {
          residuals += static_cast<Real>(run.dlogit(n, c));
          bound += want[n].dlogits[c].bound;
          magnitude += std::fabs(want[n].dlogits[c].value);
          const auto p_got = static_cast<Real>(run.probability(n, c));
          const Real p_want = want[n].probabilities[c].value;
          total += p_got;
          const Real tolerance = p_want > 1e-5L ? 10 * eps * p_want : eps;
          judge.close(p_got, {p_want, tolerance}, 1, [&] { return text(about(), ": probability of class ", c); });
        }
        judge.require(std::fabs(residuals) <= bound,
                      [&] { return text(about(), ": dlogits sum to ", residuals, ", more than ", bound); });
        judge.require(std::fabs(residuals) <= 20 * eps * std::max(magnitude, Real(1)),
                      [&] { return text(about(), ": dlogits sum to ", residuals); });
        judge.require(std::fabs(total - 1) <= 8 * eps,
                      [&] { return text(about(), ": probabilities sum to 1 + ", total - 1); });
        const Real loss = want[n].loss.value;
        if (loss < static_cast<Real>(std::numeric_limits<T>::max())) {
          judge.close(static_cast<Real>(run.loss(n)), {loss, 50 * eps * std::max(loss, eps * eps)}, 1e30L,
                      [&] { return about() + ": loss"; });
        }
      }
    }
  }
  return judge.finish(0.2);
}

template <class T>
Verdict check_softmax_tiny(const KernelTable& table) {
  Judge judge;
  LossRun<T> run;
  const double deepest = sizeof(T) == sizeof(float) ? 55 : 640;
  for (const std::size_t classes : {2U, 3U, 7U, 15U, 16U, 17U, 35U, 40U}) {
    for (std::size_t label = 0; label < classes; ++label) {
      LossCase p;
      p.classes = classes;
      for (double gap = 1; gap <= deepest; gap += sizeof(T) == sizeof(float) ? 3.25 : 32.25) {
        for (std::size_t c = 0; c < classes; ++c) {
          p.logits.push_back(c == label ? 12 : 12 - gap - 0.5 * static_cast<double>(c % 3));
        }
        p.labels.push_back(static_cast<int>(label));
        p.weights.push_back(1);
        ++p.rows;
      }
      const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::softmax_row);
      run(kernels<T>(table).softmax_loss, p, p.rows, true);
      compare_rows<T>(judge, run, want, p.rows, true, [&] { return text("tiny losses of ", classes, " classes"); });
      // The bound itself must be relative here, or nothing was shown.
      const Real relative = 64 * static_cast<Real>(std::numeric_limits<T>::epsilon());
      for (std::size_t n = 0; n < p.rows && judge.ok(); ++n) {
        judge.require(run.loss(n) > T(0) && want[n].loss.bound <= relative * want[n].loss.value, [&] {
          return text("loss ", run.loss(n), " of ", classes, " classes, bound ", want[n].loss.bound,
                      " is not relative");
        });
        judge.require(
            run.dlogit(n, label) < T(0) && want[n].dlogits[label].bound <= -relative * want[n].dlogits[label].value,
            [&] { return text("dlogit ", run.dlogit(n, label), " of the true class is not relative"); });
      }
    }
  }
  return judge.finish(1);
}

template <class T>
Verdict check_softmax_not_finite(const KernelTable& table) {
  Judge judge;
  Rng rng(43);
  for (const std::size_t classes : {1U, 2U, 3U, 7U, 15U, 16U, 17U, 26U, 33U}) {
    for (const TargetKind kind : kAllTargetKinds) {
      for (const Fill fill : {Fill::ordinary, Fill::ten_thousand}) {
        LossCase p = random_loss_case<T>(rng, 19, classes, fill);
        if (kind == TargetKind::probabilities) fill_targets<T>(rng, p);
        if (kind == TargetKind::smoothed) p.smoothing = 0.1;
        check_bad_rows<T>(judge, kernels<T>(table).softmax_loss, p, kNaN<T>, name_of(kind));
        check_bad_rows<T>(judge, kernels<T>(table).softmax_loss, p, kInf<T>, name_of(kind));
      }
    }
    // All classes masked, or the true one: no finite loss either.
    LossRun<T> run;
    LossCase p = random_loss_case<T>(rng, 5, classes, Fill::ordinary);
    for (std::size_t c = 0; c < classes; ++c) p.logits[2 * classes + c] = -kInf<double>;
    p.logits[3 * classes + static_cast<std::size_t>(p.labels[3])] = -kInf<double>;
    run(kernels<T>(table).softmax_loss, p, p.rows, false);
    for (const std::size_t n : {2U, 3U}) {
      judge.require(!std::isfinite(run.loss(n)), [&] { return text("loss of a masked label: ", run.loss(n)); });
    }
  }
  return judge.finish(0.5);
}

template Verdict check_softmax<float>(const KernelTable&, TargetKind);
template Verdict check_softmax<double>(const KernelTable&, TargetKind);
template Verdict check_softmax_shift<float>(const KernelTable&);
template Verdict check_softmax_shift<double>(const KernelTable&);
template Verdict check_softmax_zero<float>(const KernelTable&);
template Verdict check_softmax_zero<double>(const KernelTable&);
template Verdict check_softmax_sums<float>(const KernelTable&);
template Verdict check_softmax_sums<double>(const KernelTable&);
template Verdict check_softmax_tiny<float>(const KernelTable&);
template Verdict check_softmax_tiny<double>(const KernelTable&);
template Verdict check_softmax_not_finite<float>(const KernelTable&);
template Verdict check_softmax_not_finite<double>(const KernelTable&);

}  // namespace lanemax::checks
