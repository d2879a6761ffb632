// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"
#include "tests/support/verdict.hpp"

#include <vector>

namespace lanemax::checks {
namespace {

constexpr std::size_t kRows = 33;
constexpr std::size_t kRowCounts[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33};
constexpr double kOtherRows = 7;  // scores of rows that belong to others

enum class Shares { softmax, peaky, masked, certain };
constexpr Shares kAllShares[] = {Shares::softmax, Shares::peaky, Shares::masked, Shares::certain};
const char* name_of(Shares shares) {
  constexpr const char* kNames[] = {"softmax", "peaky", "masked", "certain"};
  return kNames[static_cast<int>(shares)];
}

struct CurvatureCase {
  std::size_t rows = 0, classes = 0;
  std::vector<double> scores, probabilities;  ///< [rows][classes]
  std::vector<double> weights;                ///< every fifth is 0
};

template <class T>
void fill_scores_and_weights(Rng& rng, CurvatureCase& p) {
  for (std::size_t i = 0; i < p.rows * p.classes; ++i) {
    p.scores.push_back(static_cast<double>(static_cast<T>(rng.between(-4, 4) + 2)));
  }
  for (std::size_t n = 0; n < p.rows; ++n) {
    p.weights.push_back(n % 5 == 3 ? 0 : static_cast<double>(static_cast<T>(rng.between(0.1, 4))));
  }
}

template <class T>
CurvatureCase softmax_case(Rng& rng, std::size_t rows, std::size_t classes, Shares shares) {
  CurvatureCase p;
  p.rows = rows;
  p.classes = classes;
  const Fill fill = shares == Shares::softmax ? Fill::ordinary : shares == Shares::peaky ? Fill::peaky : Fill::masked;
  for (std::size_t n = 0; n < rows; ++n) {
    std::vector<double> z = make_logits<T>(rng, classes, fill);
    if (shares == Shares::certain) {
      std::fill(z.begin(), z.end(), -kInf<double>);
      z[rng.below(classes)] = 0;
    }
    double sum = 0;
    for (double& v : z) {
      v = std::exp(v);
      sum += v;
    }
    for (const double v : z) p.probabilities.push_back(static_cast<double>(static_cast<T>(v / sum)));
  }
  fill_scores_and_weights<T>(rng, p);
  return p;
}

template <class T>
CurvatureCase logistic_case(Rng& rng, std::size_t rows) {
  CurvatureCase p;
  p.rows = rows;
  p.classes = 1;
  for (std::size_t n = 0; n < rows; ++n) {
    const double special[] = {0, 1, 0.5, 1e-30, 1 - 1e-7};
    p.probabilities.push_back(static_cast<double>(static_cast<T>(n % 2 == 0 ? special[n / 2 % 5] : rng.unit())));
  }
  fill_scores_and_weights<T>(rng, p);
  return p;
}

/// The scores that a kernel makes of the first `rows` rows. Rows that do not exist have NaN weights and probabilities;
/// beyond those rounded up to 16 their scores must stay.
template <class T>
class CurvatureRun {
 public:
  void operator()(Judge& judge, void (*kernel)(const CurvatureArgs<T>&), const CurvatureCase& p, std::size_t rows,
                  std::size_t extra, std::size_t part_extra) {
    const bool class_major = is_class_major(p.classes);
    classes_ = p.classes;
    rows_ = rows;
    capacity_ = round_up(rows, 16) + (class_major ? 16 : 1) * extra;
    const std::size_t part_capacity = round_up(rows, 16) + (class_major ? 16 : 1) * part_extra;
    CurvatureArgs<T> args;
    args.scores = place_logits<T>(scores_, p.scores, rows, p.classes, capacity_, T(0));
    const std::size_t columns = class_major ? p.classes : round_up(p.classes, kPanel);
    for (std::size_t n = round_up(rows, 16); n < capacity_; ++n) {
      for (std::size_t c = 0; c < columns; ++c) {
        args.scores[logit_index(capacity_, p.classes, n, c)] = static_cast<T>(kOtherRows);
      }
    }
    args.capacity = capacity_;
    args.rows = rows;
    args.classes = p.classes;
    T* probabilities = place_logits<T>(probabilities_, p.probabilities, rows, p.classes, part_capacity, T(0));
    args.probabilities = probabilities;
    args.part_capacity = part_capacity;
    args.weights = place_per_row<T>(weights_, p.weights, rows, kNaN<T>);
    kernel(args);
    args_ = args;
    const auto where = [&] { return text(rows, " rows x ", p.classes, ", room for ", capacity_); };
    for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
      for (std::size_t c = 0; c < p.classes; ++c) {
        const T share = static_cast<T>(p.probabilities[n * p.classes + c]);
        judge.require(probabilities[logit_index(part_capacity, p.classes, n, c)] == share,
                      [&] { return text(where(), ": a probability was changed"); });
      }
      for (std::size_t c = p.classes; c < columns; ++c) {
        judge.require((*this)(n, c) == T(0), [&] { return text(where(), ": padded class ", c, " is not 0"); });
      }
    }
    for (std::size_t n = round_up(rows, 16); n < capacity_ && judge.ok(); ++n) {
      for (std::size_t c = 0; c < columns; ++c) {
        judge.require((*this)(n, c) == static_cast<T>(kOtherRows), [&] { return text(where(), ": wrote row ", n); });
      }
    }
  }
  [[nodiscard]] T operator()(std::size_t n, std::size_t c) const {
    return args_.scores[logit_index(capacity_, classes_, n, c)];
  }
  void keep(std::vector<T>& out) const {
    out.clear();
    for (std::size_t n = 0; n < rows_; ++n) {
      for (std::size_t c = 0; c < classes_; ++c) out.push_back((*this)(n, c));
    }
  }

 private:
  GuardedBuffer scores_, probabilities_, weights_;
  CurvatureArgs<T> args_;
  std::size_t rows_ = 0, classes_ = 0, capacity_ = 0;
};

/// s p_c (u_c - sum_k p_k u_k).
template <class T>
std::vector<Estimate> softmax_oracle(const CurvatureCase& p) {
  const Real u = std::numeric_limits<T>::epsilon() / 2, least = std::numeric_limits<T>::min();
  std::vector<Estimate> out;
  for (std::size_t n = 0; n < p.rows; ++n) {
    const double* share = p.probabilities.data() + n * p.classes;
    const double* score = p.scores.data() + n * p.classes;
    Real mean = 0, magnitude = 0;
    for (std::size_t c = 0; c < p.classes; ++c) {
      mean += static_cast<Real>(share[c]) * static_cast<Real>(score[c]);
      magnitude += std::fabs(static_cast<Real>(share[c]) * static_cast<Real>(score[c]));
    }
    const Real mean_error = static_cast<Real>(p.classes + 2) * u * magnitude;
    for (std::size_t c = 0; c < p.classes; ++c) {
      const Real scale = static_cast<Real>(p.weights[n]) * static_cast<Real>(share[c]);
      const Real centred = static_cast<Real>(score[c]) - mean;
      const Real error = scale * (mean_error + 4 * u * (std::fabs(centred) + mean_error));
      out.push_back({scale * centred, scale == 0 ? 0 : error + least});
    }
  }
  return out;
}

/// s p (1 - p) u.
template <class T>
std::vector<Estimate> logistic_oracle(const CurvatureCase& p) {
  const Real u = std::numeric_limits<T>::epsilon() / 2;
  std::vector<Estimate> out;
  for (std::size_t n = 0; n < p.rows; ++n) {
    const Real share = static_cast<Real>(p.probabilities[n]);
    const Real value = static_cast<Real>(p.weights[n]) * share * (1 - share) * static_cast<Real>(p.scores[n]);
    out.push_back({value, 5 * u * std::fabs(value)});
  }
  return out;
}

/// All numbers of rows, with several rooms: against the oracle, and each row the same bits in every block.
template <class T>
void check_case(Judge& judge, void (*kernel)(const CurvatureArgs<T>&), const CurvatureCase& p,
                const std::vector<Estimate>& want, const char* what) {
  constexpr auto kMax = static_cast<Real>(std::numeric_limits<T>::max());
  CurvatureRun<T> run;
  std::vector<T> whole;
  run(judge, kernel, p, p.rows, 0, 0);
  run.keep(whole);
  for (const std::size_t rows : kRowCounts) {
    if (rows > p.rows || !judge.ok()) break;
    run(judge, kernel, p, rows, rows % 4, rows % 3);
    for (std::size_t n = 0; n < rows && judge.ok(); ++n) {
      for (std::size_t c = 0; c < p.classes; ++c) {
        const auto where = [&] { return text(what, ", ", rows, " rows x ", p.classes, ": row ", n, " class ", c); };
        judge.close(static_cast<Real>(run(n, c)), want[n * p.classes + c], kMax, where);
        judge.same(run(n, c), whole[n * p.classes + c], where);
      }
    }
  }
}

}  // namespace

template <class T>
Verdict check_softmax_curvature(const KernelTable& table) {
  Judge judge;
  Rng rng(60);
  std::vector<std::size_t> class_counts = {100, 1000};
  for (std::size_t classes = 1; classes <= kMostClassMajor + 1; ++classes) class_counts.push_back(classes);
  for (const std::size_t classes : class_counts) {
    for (const Shares shares : kAllShares) {
      const std::size_t rows = classes > 500 ? 3 : classes > 50 ? 17 : kRows;
      const CurvatureCase p = softmax_case<T>(rng, rows, classes, shares);
      check_case<T>(judge, kernels<T>(table).softmax_curvature, p, softmax_oracle<T>(p),
                    text("softmax curvature, ", name_of(shares)).c_str());
    }
  }
  return judge.finish(0.4);  // weights of 0, masked classes and certain rows
}

template <class T>
Verdict check_logistic_curvature(const KernelTable& table) {
  Judge judge;
  Rng rng(61);
  for (int try_ = 0; try_ < 40; ++try_) {
    const CurvatureCase p = logistic_case<T>(rng, kRows);
    check_case<T>(judge, kernels<T>(table).logistic_curvature, p, logistic_oracle<T>(p), "logistic curvature");
  }
  return judge.finish(0.5);
}

template Verdict check_softmax_curvature<float>(const KernelTable&);
template Verdict check_softmax_curvature<double>(const KernelTable&);
template Verdict check_logistic_curvature<float>(const KernelTable&);
template Verdict check_logistic_curvature<double>(const KernelTable&);

}  // namespace lanemax::checks
