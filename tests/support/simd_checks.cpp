// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/problems.hpp"

#include <bit>
#include <vector>

namespace lanemax::checks {
namespace {

constexpr std::size_t kChunk = 65536;

/// Distance of two f32 neighbours at a positive value, as a double.
double f32_spacing(double value) {
  const std::uint64_t exponent = std::max<std::uint64_t>(std::bit_cast<std::uint64_t>(value) >> 52, 1023 - 126);
  return std::bit_cast<double>((exponent - 23) << 52);
}
Real f64_spacing(Real value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(Real(1), std::max(exponent, -1021) - 53);
}

// Runs `kernel` on the floats with bit patterns first, first + stride ... up to last, against `exact`, both in 64K
// pieces.
template <class Kernel, class Exact>
UlpReport sweep_f32(Kernel kernel, Exact exact, std::uint32_t first, std::uint32_t last, std::uint32_t stride) {
  std::vector<float> x(kChunk), y(kChunk);
  std::vector<double> want(kChunk);
  UlpReport report;
  Judge judge;
  for (std::uint64_t bits = first; bits <= last;) {
    std::size_t n = 0;
    for (; n < kChunk && bits <= last; ++n, bits += stride)
      x[n] = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    for (std::size_t i = 0; i < n; ++i) want[i] = exact(static_cast<double>(x[i]));
    kernel(x.data(), y.data(), n);
    double worst = 0;
    std::size_t nonzero = 0;
    bool bad = false;
    for (std::size_t i = 0; i < n; ++i) {
      const double ulps = std::fabs(static_cast<double>(y[i]) - want[i]) / f32_spacing(want[i]);
      bad |= !(ulps <= 1.0);
      worst = std::max(worst, ulps);
      nonzero += y[i] != 0 ? 1 : 0;
    }
    if (bad || worst > report.max_ulp) {
      for (std::size_t i = 0; i < n; ++i) {
        const double ulps = std::fabs(static_cast<double>(y[i]) - want[i]) / f32_spacing(want[i]);
        if (ulps > report.max_ulp) {
          report.max_ulp = ulps;
          report.at = static_cast<double>(x[i]);
        }
        if (!(ulps <= 1.0) && judge.ok())
          judge.fail(text("at ", x[i], ": got ", y[i], ", want ", want[i], ": ", ulps, " ulp"));
      }
    }
    Verdict piece;
    piece.compared = n;
    piece.nonzero = nonzero;
    judge.merge(piece);
    if (!judge.ok()) break;
  }
  report.verdict = judge.finish(0.9);
  return report;
}

template <class Kernel, class Exact>
UlpReport sweep_f64(Kernel kernel, Exact exact, const std::vector<double>& x) {
  std::vector<double> y(x.size(), kNaN<double>);
  kernel(x.data(), y.data(), x.size());
  UlpReport report;
  Judge judge;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Real want = exact(static_cast<Real>(x[i]));
    const Real ulps = std::fabs(static_cast<Real>(y[i]) - want) / f64_spacing(want);
    judge.require(ulps <= 1, [&] { return text("at ", x[i], ": got ", y[i], ", want ", want, ": ", ulps, " ulp"); });
    if (!judge.ok()) break;
    if (ulps > report.max_ulp) {
      report.max_ulp = static_cast<double>(ulps);
      report.at = x[i];
    }
  }
  report.verdict = judge.finish(1);
  return report;
}

// Every count from 1 to 70 of numbers that end at the unmapped page, into an array that does too.
template <class T, class Kernel>
void check_counts(Judge& judge, Kernel kernel, T sign) {
  GuardedBuffer in, out;
  for (std::size_t count = 1; count <= 70; ++count) {
    T* x = in.ending_at_guard<T>(count, T(0));
    T* y = out.ending_at_guard<T>(count, kNaN<T>);
    for (std::size_t i = 0; i < count; ++i) x[i] = sign * static_cast<T>(i + 1) / T(7);
    kernel(x, y, count);
    for (std::size_t i = 0; i < count; ++i) {
      T alone = kNaN<T>;
      kernel(x + i, &alone, 1);
      judge.same(y[i], alone, [&] { return text("element ", i, " of ", count, " alone"); });
    }
  }
}

}  // namespace

UlpReport check_exp_f32(const KernelTable& table, std::uint32_t stride) {
  return sweep_f32(
      table.f32.exp, [](double x) { return std::exp(x); }, 0x80000000U, std::bit_cast<std::uint32_t>(-87.3365f),
      stride);
}

UlpReport check_log1p_f32(const KernelTable& table, std::uint32_t stride) {
  // Exact for the subnormals too, where it is x.
  return sweep_f32(
      table.f32.log1p, [](double x) { return std::log1p(x); }, 1, std::bit_cast<std::uint32_t>(0x1p24f), stride);
}

UlpReport check_exp_f64(const KernelTable& table) {
  Rng rng(1);
  std::vector<double> x;
  for (int i = 0; i < 100000; ++i) x.push_back(-708.39 * rng.unit());
  for (int i = 0; i < 100000; ++i) x.push_back(-2 * rng.unit());
  for (int i = 0; i < 20000; ++i) x.push_back(-std::ldexp(1 + rng.unit(), -static_cast<int>(rng.below(1000))));
  for (int k = 1; k < 1000; ++k) {  // where the reduction changes its multiple of log 2
    const double border = -(k + 0.5) * 0.69314718055994531;
    for (int j = -8; j <= 8; ++j) {
      if (border > -708) x.push_back(border * (1 + j * 0x1p-52));
    }
  }
  return sweep_f64(table.f64.exp, [](Real v) { return std::exp(v); }, x);
}

UlpReport check_log1p_f64(const KernelTable& table) {
  Rng rng(2);
  std::vector<double> x;
  for (int e = -1074; e <= 60; ++e) {
    for (int i = 0; i < 60; ++i) x.push_back(std::ldexp(1 + rng.unit(), e));
  }
  for (int i = 0; i < 100000; ++i) x.push_back(rng.unit());
  for (int i = 0; i < 50000; ++i) x.push_back(1000 * rng.unit());
  return sweep_f64(table.f64.log1p, [](Real v) { return std::log1p(v); }, x);
}

template <class T>
Verdict check_exp_edges(const KernelTable& table) {
  const auto kernel = kernels<T>(table).exp;
  Judge judge;
  const auto at = [&](T x) {
    T y = kNaN<T>;
    kernel(&x, &y, 1);
    return y;
  };
  const T underflow = sizeof(T) == sizeof(float) ? T(-87.3365f) : T(-708.396);
  judge.same(at(T(0)), T(1), [] { return "exp(0)"; });
  judge.same(at(T(-0.0)), T(1), [] { return "exp(-0)"; });
  judge.require(at(underflow) > 0 && at(underflow) < std::numeric_limits<T>::min() * T(1.01),
                [] { return "exp at the cut"; });
  T x = underflow;
  for (int i = 0; i < 1000; ++i) {
    x = std::nextafter(x, -kInf<T>);
    judge.same(at(x), T(0), [&] { return text("exp just below the cut, at ", x); });
  }
  for (const T below :
       {T(2) * underflow, underflow - T(1), T(-1e4), T(-3e38), std::numeric_limits<T>::lowest(), -kInf<T>}) {
    judge.same(at(below), T(0), [&] { return text("exp at ", below); });
  }
  judge.same(at(kNaN<T>), kNaN<T>, [] { return "exp(NaN)"; });
  judge.same(at(-kNaN<T>), kNaN<T>, [] { return "exp(-NaN)"; });
  check_counts<T>(judge, kernel, T(-1));
  return judge.finish(0.3);
}

template <class T>
Verdict check_log1p_edges(const KernelTable& table) {
  const auto kernel = kernels<T>(table).log1p;
  Judge judge;
  const auto at = [&](T x) {
    T y = kNaN<T>;
    kernel(&x, &y, 1);
    return y;
  };
  judge.same(at(T(0)), T(0), [] { return "log1p(0)"; });
  judge.same(at(std::numeric_limits<T>::denorm_min()), std::numeric_limits<T>::denorm_min(),
             [] { return "log1p(denormal)"; });
  judge.same(at(std::numeric_limits<T>::min()), std::numeric_limits<T>::min(), [] { return "log1p(smallest normal)"; });
  judge.same(at(kInf<T>), kInf<T>, [] { return "log1p(inf)"; });
  judge.same(at(kNaN<T>), kNaN<T>, [] { return "log1p(NaN)"; });
  T before = 0;
  for (T x = T(0x1p-30); x < T(0x1p40); x *= T(1.001)) {  // never falls, across every change of exponent
    const T y = at(x);
    judge.require(y >= before, [&] { return text("log1p falls at ", x); });
    before = y;
  }
  check_counts<T>(judge, kernel, T(1));
  return judge.finish(0.9);
}

template Verdict check_exp_edges<float>(const KernelTable&);
template Verdict check_exp_edges<double>(const KernelTable&);
template Verdict check_log1p_edges<float>(const KernelTable&);
template Verdict check_log1p_edges<double>(const KernelTable&);

}  // namespace lanemax::checks
