// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/loss_case.hpp"

namespace lanemax::checks {
namespace {

/// The outputs of a probability kernel for the first `rows` rows of a case, on logits whose capacity is another.
template <class T>
class ProbabilityRun {
 public:
  void operator()(void (*kernel)(const ProbabilityArgs<T>&), const LossCase& p, std::size_t rows, bool complements) {
    const std::size_t room = round_up(rows, 16), more = is_class_major(p.classes) ? 16 : 1;
    ProbabilityArgs<T> args;
    args.logits = place_logits<T>(logits_, p.logits, rows, p.classes, room + more, -kInf<T>);
    args.capacity = room + more;
    args.rows = rows;
    args.classes = classes_ = p.classes;
    args.probability_capacity = capacity_ = room;
    const std::size_t count = logit_count(room, p.classes);
    args.probabilities = probabilities_.template ending_at_guard<T>(count, kNaN<T>);
    if (complements) args.complements = complements_.template ending_at_guard<T>(count, kNaN<T>);
    const std::vector<T> before(args.logits, args.logits + logit_count(args.capacity, p.classes));
    kernel(args);
    args_ = args;
    kept_ =
        std::equal(before.begin(), before.end(), args.logits, [](T a, T b) { return a == b || (a != a && b != b); });
  }
  [[nodiscard]] T probability(std::size_t n, std::size_t c) const {
    return args_.probabilities[logit_index(capacity_, classes_, n, c)];
  }
  [[nodiscard]] T complement(std::size_t n) const { return args_.complements[n]; }
  /// Whether the logits are what they were.
  [[nodiscard]] bool kept() const { return kept_; }

 private:
  GuardedBuffer logits_, probabilities_, complements_;
  ProbabilityArgs<T> args_;
  std::size_t classes_ = 0, capacity_ = 0;
  bool kept_ = false;
};

/// Against the oracle, and bit for bit what the loss kernel says.
template <class T>
void check_softmax_rows(Judge& judge, const KernelTable& table, const LossCase& p, std::size_t rows, const char* what) {
  ProbabilityRun<T> run;
  LossRun<T> loss;
  const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::softmax_row);
  run(kernels<T>(table).softmax_probabilities, p, rows, false);
  loss(kernels<T>(table).softmax_loss, p, rows, true);
  judge.require(run.kept(), [&] { return text(what, ": the logits were changed"); });
  for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
    const auto about = [&] { return text(what, " of ", p.classes, ", row ", n, " of ", rows); };
    for (std::size_t c = 0; c < p.classes; ++c) {
      judge.close(static_cast<Real>(run.probability(n, c)), want[n].probabilities[c], 2, about);
      judge.same(run.probability(n, c), loss.probability(n, c), about);
    }
    for (std::size_t c = p.classes; !is_class_major(p.classes) && c < round_up(p.classes, kPanel); ++c) {
      judge.require(run.probability(n, c) == T(0), [&] { return about() + ": padding is not 0"; });
    }
  }
}

}  // namespace

template <class T>
Verdict check_probabilities(const KernelTable& table) {
  Judge judge;
  Rng rng(60);
  std::vector<std::size_t> class_counts = {62, 100, 1000, 10007};
  for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) class_counts.push_back(classes);
  for (const std::size_t classes : class_counts) {
    for (const Fill fill : kAllFills) {
      const LossCase p = random_loss_case<T>(rng, classes > 500 ? 3 : 19, classes, fill);
      for (const std::size_t rows : {std::size_t{1}, std::size_t{2}, p.rows}) {
        check_softmax_rows<T>(judge, table, p, rows, name_of(fill));
      }
      if (!judge.ok()) return judge.finish(0);
    }
  }
  return judge.finish(0.3);
}

template <class T>
Verdict check_probabilities_not_finite(const KernelTable& table) {
  Judge judge;
  Rng rng(61);
  ProbabilityRun<T> clean, dirty;
  const auto kernel = kernels<T>(table).softmax_probabilities;
  for (const std::size_t classes : {1U, 2U, 7U, 15U, 16U, 17U, 26U, 33U}) {
    const LossCase p = random_loss_case<T>(rng, 19, classes, Fill::ordinary);
    clean(kernel, p, p.rows, false);
    for (std::size_t position = 0; position <= classes; ++position) {  // beyond the last: all of the row is masked
      LossCase q = p;
      const std::size_t row = position * 7 % p.rows;
      for (std::size_t c = 0; c < classes; ++c) {
        if (position == classes) q.logits[row * classes + c] = -kInf<double>;
        if (position == c) q.logits[row * classes + c] = kNaN<double>;
      }
      dirty(kernel, q, q.rows, false);
      for (std::size_t n = 0; n < p.rows; ++n) {
        for (std::size_t c = 0; c < classes; ++c) {
          const auto about = [&] {
            return text("NaN at class ", position, " of ", classes, ", row ", n, " class ", c);
          };
          if (n == row) {
            judge.require(std::isnan(dirty.probability(n, c)), about);
          } else {
            judge.same(dirty.probability(n, c), clean.probability(n, c), about);
          }
        }
      }
    }
  }
  return judge.finish(0.5);
}

template <class T>
Verdict check_logistic_probabilities(const KernelTable& table) {
  Judge judge;
  Rng rng(62);
  ProbabilityRun<T> run, other;
  LossRun<T> loss;
  for (const Fill fill : kAllFills) {
    LossCase p = random_loss_case<T>(rng, 33, 1, fill, 1e30);
    LossCase negated = p;
    for (double& z : negated.logits) z = -z;
    const std::vector<reference::RowLoss> want = oracle_rows<T>(p, reference::logistic_row);
    const std::vector<reference::RowLoss> want_other = oracle_rows<T>(negated, reference::logistic_row);
    for (const std::size_t rows : {1U, 7U, 16U, 33U}) {
      run(kernels<T>(table).logistic_probabilities, p, rows, true);
      other(kernels<T>(table).logistic_probabilities, p, rows, false);
      loss(kernels<T>(table).logistic_loss, p, rows, true);
      judge.require(run.kept(), [&] { return text("logistic ", name_of(fill), ": the logits were changed"); });
      for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
        const auto about = [&] { return text("logistic ", name_of(fill), ", row ", n, " of ", rows); };
        judge.close(static_cast<Real>(run.probability(n, 0)), want[n].probabilities[0], 2, about);
        judge.close(static_cast<Real>(run.complement(n)), want_other[n].probabilities[0], 2, about);
        judge.same(run.probability(n, 0), loss.probability(n, 0), about);
        judge.same(other.probability(n, 0), loss.probability(n, 0), about);
      }
    }
  }
  return judge.finish(0.5);
}

template Verdict check_probabilities<float>(const KernelTable&);
template Verdict check_probabilities<double>(const KernelTable&);
template Verdict check_probabilities_not_finite<float>(const KernelTable&);
template Verdict check_probabilities_not_finite<double>(const KernelTable&);
template Verdict check_logistic_probabilities<float>(const KernelTable&);
template Verdict check_logistic_probabilities<double>(const KernelTable&);

}  // namespace lanemax::checks
