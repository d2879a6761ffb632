// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_LOSS_CASE_HPP
#define LANEMAX_TESTS_SUPPORT_LOSS_CASE_HPP

#include "tests/support/problems.hpp"
#include "tests/support/verdict.hpp"

#include <string>
#include <vector>

// What the checks of the three losses share: a block of logits with targets, and the call.
namespace lanemax::checks {

struct LossCase {
  std::size_t rows = 0, classes = 0;
  std::vector<double> logits;  ///< [rows][classes]
  std::vector<int> labels;
  std::vector<double> targets;  ///< [rows][classes]; empty: labels
  std::vector<double> weights;  ///< s_i
  double smoothing = 0;
};

/// Random labels of classes that are not masked, and weights, for the logits that are there.
template <class T>
void fill_labels_and_weights(Rng& rng, LossCase& p) {
  p.labels.resize(p.rows);
  p.weights.resize(p.rows);
  for (std::size_t n = 0; n < p.rows; ++n) {
    std::size_t label = rng.below(p.classes);
    while (std::isinf(p.logits[n * p.classes + label])) label = (label + 1) % p.classes;
    p.labels[n] = static_cast<int>(label);
    p.weights[n] = n % 3 == 0 ? 1 : static_cast<double>(static_cast<T>(rng.between(0.1, 4)));
  }
}

template <class T>
LossCase random_loss_case(Rng& rng, std::size_t rows, std::size_t classes, Fill fill, double largest = 3e38) {
  LossCase p;
  p.rows = rows;
  p.classes = classes;
  for (std::size_t n = 0; n < rows; ++n) {
    const std::vector<double> z = make_logits<T>(rng, classes, fill, largest);
    p.logits.insert(p.logits.end(), z.begin(), z.end());
  }
  fill_labels_and_weights<T>(rng, p);
  return p;
}

/// The outputs of a loss kernel for the first `rows` rows of a case. Rows that do not exist have NaN logits and
/// weights, and some label (a legal one: kernels may look at its logit).
template <class T>
class LossRun {
 public:
  void operator()(void (*kernel)(const LossArgs<T>&), const LossCase& p, std::size_t rows, bool want_probabilities,
                  std::size_t extra_capacity = 0) {
    rows_ = rows;
    classes_ = p.classes;
    // Beyond the rows rounded up to 16, panels may have any room.
    capacity_ = round_up(rows, 16) + (is_class_major(p.classes) || extra_capacity == 0 ? extra_capacity : 1);
    LossArgs<T> args;
    args.logits = place_logits<T>(logits_, p.logits, rows, p.classes, capacity_, -kInf<T>);
    args.capacity = capacity_;
    args.rows = rows;
    args.classes = p.classes;
    if (p.targets.empty()) {
      args.labels = place_per_row<std::int32_t>(labels_, p.labels, rows, static_cast<std::int32_t>(p.classes - 1));
    } else {
      args.targets = place_logits<T>(targets_, p.targets, rows, p.classes, capacity_, T(0));
    }
    args.weights = place_per_row<T>(weights_, p.weights, rows, kNaN<T>);
    args.smoothing = static_cast<T>(p.smoothing);
    args.losses = losses_.template ending_at_guard<T>(round_up(rows, 16), kNaN<T>);
    args.part_capacity = capacity_;
    if (want_probabilities) {
      args.probabilities = probabilities_.template ending_at_guard<T>(logit_count(capacity_, p.classes), kNaN<T>);
    }
    kernel(args);
    args_ = args;
  }
  [[nodiscard]] T loss(std::size_t n) const { return args_.losses[n]; }
  [[nodiscard]] T dlogit(std::size_t n, std::size_t c) const {
    return args_.logits[logit_index(capacity_, classes_, n, c)];
  }
  [[nodiscard]] T probability(std::size_t n, std::size_t c) const {
    return args_.probabilities[logit_index(capacity_, classes_, n, c)];
  }
  /// Classes that only pad a panel must have dlogit 0.
  void check_padding(Judge& judge) const {
    for (std::size_t n = 0; n < rows_ && !is_class_major(classes_) && judge.ok(); ++n) {
      for (std::size_t c = classes_; c < round_up(classes_, kPanel); ++c) {
        if (dlogit(n, c) != T(0)) judge.fail(text("row ", n, ": padded class ", c, " has dlogit ", dlogit(n, c)));
        if (args_.probabilities != nullptr && probability(n, c) != T(0)) {
          judge.fail(text("row ", n, ": padded class ", c, " has probability ", probability(n, c)));
        }
      }
    }
  }

 private:
  GuardedBuffer logits_, labels_, targets_, weights_, losses_, probabilities_;
  LossArgs<T> args_;
  std::size_t rows_ = 0, classes_ = 0, capacity_ = 0;
};

/// What the oracle says of each row.
template <class T, class RowFunction>
std::vector<reference::RowLoss> oracle_rows(const LossCase& p, RowFunction row_function) {
  const reference::Arithmetic arithmetic = reference::arithmetic_of<T>();
  std::vector<reference::RowLoss> rows;
  for (std::size_t n = 0; n < p.rows; ++n) {
    reference::RowTarget target;
    if (p.targets.empty()) {
      target.label = p.labels[n];
    } else {
      target.probabilities = p.targets.data() + n * p.classes;
    }
    target.weight = p.weights[n];
    target.smoothing = static_cast<double>(static_cast<T>(p.smoothing));
    std::vector<Estimate> z(p.classes);
    for (std::size_t c = 0; c < p.classes; ++c) z[c].value = static_cast<Real>(p.logits[n * p.classes + c]);
    rows.push_back(row_function(z, target, arithmetic));
  }
  return rows;
}

/// Losses, dlogits and (if asked for) probabilities of the first `rows` rows against the oracle.
template <class T, class Where>
void compare_rows(Judge& judge, const LossRun<T>& run, const std::vector<reference::RowLoss>& want, std::size_t rows,
                  bool probabilities, const Where& where) {
  const auto largest = static_cast<Real>(std::numeric_limits<T>::max());
  for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
    judge.close(static_cast<Real>(run.loss(n)), want[n].loss, largest,
                [&] { return text(where(), ": loss of row ", n); });
    for (std::size_t c = 0; c < want[n].dlogits.size(); ++c) {
      judge.close(static_cast<Real>(run.dlogit(n, c)), want[n].dlogits[c], largest,
                  [&] { return text(where(), ": dlogit of row ", n, " class ", c); });
      if (probabilities && judge.ok()) {
        judge.close(static_cast<Real>(run.probability(n, c)), want[n].probabilities[c], largest,
                    [&] { return text(where(), ": probability of row ", n, " class ", c); });
      }
    }
  }
  run.check_padding(judge);
}

/// For each class count, row with something bad, place of it and label: the bad row's loss is not finite, the others
/// keep their bits. `bad` is put into the logits.
template <class T>
void check_bad_rows(Judge& judge, void (*kernel)(const LossArgs<T>&), LossCase p, T bad, const char* what) {
  LossRun<T> clean, dirty;
  for (std::size_t position = 0; position < p.classes; ++position) {
    for (std::size_t label = 0; label < p.classes && judge.ok(); ++label) {
      const std::size_t row = (position * 7 + label * 3) % p.rows;
      LossCase q = p;
      q.labels[row] = static_cast<int>(label);
      clean(kernel, q, q.rows, false);
      q.logits[row * p.classes + position] = static_cast<double>(bad);
      dirty(kernel, q, q.rows, false);
      for (std::size_t n = 0; n < p.rows; ++n) {
        const auto about = [&] {
          return text(what, ": ", bad, " at class ", position, " of ", p.classes, ", label ", label, ", row ", n);
        };
        if (n == row) {
          judge.require(!std::isfinite(dirty.loss(n)), [&] { return text(about(), ": loss ", dirty.loss(n)); });
          continue;
        }
        judge.same(dirty.loss(n), clean.loss(n), [&] { return about() + ": loss of another row"; });
        for (std::size_t c = 0; c < p.classes; ++c) {
          judge.same(dirty.dlogit(n, c), clean.dlogit(n, c), [&] { return about() + ": dlogit of another row"; });
        }
      }
    }
  }
}

}  // namespace lanemax::checks

#endif
