// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/symmetric.hpp"
#include "tests/support/problems.hpp"
#include "tests/support/testing.hpp"

#include <atomic>
#include <bit>
#include <vector>

namespace lanemax::checks {
namespace {

constexpr std::size_t kOrders[] = {1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200};
constexpr double kEps = std::numeric_limits<double>::epsilon();

/// A symmetric matrix, dense.
struct Dense {
  explicit Dense(std::size_t order) : n(order), entries(order * order) {}
  double& operator()(std::size_t i, std::size_t j) { return entries[i * n + j]; }
  [[nodiscard]] double operator()(std::size_t i, std::size_t j) const { return entries[i * n + j]; }
  std::size_t n;
  std::vector<double> entries;
};

/// Eigenvalues from `shift` to about shift + 4: a Gram matrix of 2 n rows and a multiple of the identity.
Dense random_positive(Rng& rng, std::size_t n, double shift) {
  Dense rows(2 * n), out(n);
  for (double& v : rows.entries) v = rng.between(-1, 1);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = i == j ? shift * static_cast<double>(n) : 0;
      for (std::size_t k = 0; k < 2 * n; ++k) sum += rows(i, k) * rows(j, k);
      out(i, j) = out(j, i) = sum / static_cast<double>(n);
    }
  }
  return out;
}

/// The kept entries, and NaN in those that do not count.
Buffer<double> lay_out(const Dense& a, const SymmetricShape& shape) {
  Buffer<double> out(shape.count());
  for (std::size_t j = 0; j < a.n; ++j) {
    for (std::size_t i = 0; i < a.n; ++i) out[shape.index(i, j)] = i < j ? kNaN<double> : a(i, j);
  }
  return out;
}

template <class T>
bool invert_with(const KernelTable& table, const SymmetricShape& shape, const Buffer<T>& matrix, int threads) {
  InverseScratch<T> scratch(shape.n);
  std::atomic<int> yes{0}, all{0};
  parallel(threads, [&](const Team& team) {
    const bool done = invert(kernels<T>(table), shape, matrix.data(), scratch, team);
    yes += done ? 1 : 0;
    ++all;
  });
  EXPECT_TRUE(yes == 0 || yes == all) << "the team is of two minds";
  return yes == all;
}

class SymmetricTest : public IsaTest {};
INSTANTIATE_PER_ISA(SymmetricTest);

/// S A S for a diagonal S from 10^-decades to 10^decades: A * inverse = I to a few roundings times A's condition.
TEST_P(SymmetricTest, TimesItsInverseIsTheIdentity) {
  Rng rng(80);
  for (const std::size_t n : kOrders) {
    for (const double decades : {0.0, 4.0, 8.0}) {  // the diagonal: twice that
      for (const double shift : {0.5, 1e-6}) {
        SCOPED_TRACE(text("n = ", n, ", 1e+-", decades, ", shift ", shift));
        const Dense a = random_positive(rng, n, shift);
        std::vector<double> scale(n);
        for (double& s : scale) s = std::pow(10.0, rng.between(-decades, decades));
        scale.front() = std::pow(10.0, -decades);
        scale.back() = std::pow(10.0, decades);
        Dense scaled(n);
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t j = 0; j < n; ++j) scaled(i, j) = scale[i] * scale[j] * a(i, j);
        }
        const SymmetricShape shape{n};
        const Buffer<double> matrix = lay_out(scaled, shape);
        ASSERT_TRUE(invert_with(table(), shape, matrix, 1));
        Real worst = 0;
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t j = 0; j < n; ++j) {
            Real sum = i == j ? -1 : 0;
            for (std::size_t k = 0; k < n; ++k) {
              sum += static_cast<Real>(scaled(i, k)) * static_cast<Real>(matrix[shape.kept(k, j)]);
            }
            worst = std::max(worst, std::fabs(sum * static_cast<Real>(scale[j]) / static_cast<Real>(scale[i])));
          }
        }
        // A Gram matrix of twice as many rows as columns has a condition of a few tens.
        EXPECT_LE(worst, 100 * static_cast<Real>(kEps) * static_cast<Real>(n + 4));
      }
    }
  }
}

TEST_P(SymmetricTest, SameBitsFromAnyTeam) {
  Rng rng(81);
  for (const std::size_t n : kOrders) {
    const SymmetricShape shape{n};
    const Dense a = random_positive(rng, n, 0.1);
    const Buffer<double> alone = lay_out(a, shape), team = lay_out(a, shape);
    ASSERT_TRUE(invert_with(table(), shape, alone, 1));
    ASSERT_TRUE(invert_with(table(), shape, team, 3));
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        ASSERT_EQ(std::bit_cast<std::uint64_t>(alone[shape.kept(i, j)]),
                  std::bit_cast<std::uint64_t>(team[shape.kept(i, j)]))
            << "n = " << n << ": " << i << ", " << j;
      }
    }
  }
}

/// Each kind of bad matrix, of each order, with what is bad about it in the first rows, in the middle and at the end.
TEST_P(SymmetricTest, RefusesWhatIsNotPositiveDefinite) {
  Rng rng(82);
  for (const std::size_t n : kOrders) {
    const SymmetricShape shape{n};
    const Dense good = random_positive(rng, n, 0.1);
    const auto refused = [&](const Dense& a, const char* what, std::size_t at) {
      for (const int threads : {1, 3}) {
        const Buffer<double> matrix = lay_out(a, shape);
        EXPECT_FALSE(invert_with(table(), shape, matrix, threads)) << what << " at " << at << " of " << n;
      }
    };
    for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      for (const double bad : {0.0, -1.0, kInf<double>, kNaN<double>}) {
        Dense a = good;
        a(at, at) = bad;
        refused(a, "a bad diagonal", at);
      }
      if (n == 1) continue;
      const std::size_t other = at == 0 ? n - 1 : at - 1;
      Dense a = good;  // indefinite, though its diagonal is positive
      a(at, other) = a(other, at) = 2 * std::sqrt(a(at, at) * a(other, other));
      refused(a, "an indefinite pair", at);
      a = good;  // two equal rows
      for (std::size_t k = 0; k < n; ++k) a(at, k) = a(k, at) = good(other, k);
      a(at, at) = a(at, other) = a(other, at) = good(other, other);
      refused(a, "two equal rows", at);
      a = good;
      a(at, other) = a(other, at) = kNaN<double>;
      refused(a, "a NaN beside the diagonal", at);
    }
    Dense ones(n);
    for (double& v : ones.entries) v = 1;
    if (n > 1) refused(ones, "rank 1", 0);
  }
}

/// In f32 to its roundings; what they would drown is refused.
TEST_P(SymmetricTest, TheSameInF32) {
  Rng rng(84);
  for (const std::size_t n : {1U, 17U, 64U, 65U, 200U}) {
    SCOPED_TRACE(text("n = ", n));
    const Dense a = random_positive(rng, n, 0.5);
    const SymmetricShape shape{n};
    Buffer<float> got(shape.count()), other(shape.count());
    const Buffer<double> exact = lay_out(a, shape);
    convert(exact.data(), exact.size(), got.data());
    convert(exact.data(), exact.size(), other.data());
    ASSERT_TRUE(invert_with(table(), shape, got, 1));
    ASSERT_TRUE(invert_with(table(), shape, other, 3));
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < n; ++k) sum += a(i, k) * static_cast<double>(got[shape.kept(k, j)]);
        ASSERT_NEAR(sum, i == j ? 1 : 0, 2e-5) << i << ' ' << j;
        ASSERT_EQ(got[shape.kept(i, j)], other[shape.kept(i, j)]);
      }
    }
  }
  const SymmetricShape shape{65};
  Buffer<float> ones(shape.count());
  for (std::size_t i = 0; i < shape.count(); ++i) ones[i] = 1;
  for (std::size_t i = 0; i < shape.n; ++i) ones[shape.index(i, i)] += 1e-7F;
  EXPECT_FALSE(invert_with(table(), shape, ones, 1));
}

/// A team keeps its footing through a refusal.
TEST_P(SymmetricTest, ScratchServesAgainAfterARefusal) {
  Rng rng(83);
  const SymmetricShape shape{129};
  Dense bad = random_positive(rng, shape.n, 0.1);
  const Buffer<double> want = lay_out(bad, shape), got = lay_out(bad, shape);
  bad(128, 128) = -1;
  const Buffer<double> refused = lay_out(bad, shape);
  ASSERT_TRUE(invert_with(table(), shape, want, 1));
  InverseScratch<double> scratch(shape.n);
  parallel(3, [&](const Team& team) {
    const bool first = invert(table().f64, shape, refused.data(), scratch, team);
    const bool second = invert(table().f64, shape, got.data(), scratch, team);
    EXPECT_TRUE(!first && second);
  });
  for (std::size_t i = 0; i < shape.n; ++i) ASSERT_EQ(got[shape.kept(i, 0)], want[shape.kept(i, 0)]);
}

}  // namespace
}  // namespace lanemax::checks
