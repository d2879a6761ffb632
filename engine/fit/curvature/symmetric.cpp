// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/curvature/symmetric.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lanemax {
namespace {

constexpr std::size_t kGroup = SymmetricShape::kGroup;

// Replaces the m x m block at `block` (row stride kGroup) by minus its inverse, from its Cholesky factor.
bool invert_pivot(double* block, std::size_t m, double least) {
  const auto at = [block](std::size_t i, std::size_t j) -> double& { return block[i * kGroup + j]; };
  for (std::size_t j = 0; j < m; ++j) {
    for (std::size_t k = 0; k < j; ++k) {
      for (std::size_t i = j; i < m; ++i) at(i, j) -= at(i, k) * at(j, k);
    }
    if (!(at(j, j) > least)) return false;
    const double root = std::sqrt(at(j, j));
    for (std::size_t i = j; i < m; ++i) at(i, j) /= root;
  }
  for (std::size_t j = 0; j < m; ++j) {  // L becomes its inverse
    at(j, j) = 1 / at(j, j);
    for (std::size_t i = j + 1; i < m; ++i) {
      double sum = 0;
      for (std::size_t k = j; k < i; ++k) sum -= at(i, k) * at(k, j);
      at(i, j) = sum / at(i, i);
    }
  }
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = i; k < m; ++k) sum -= at(k, i) * at(k, j);
      at(j, i) = sum;  // the upper half is free; entry (i, i) of L is not needed again
    }
  }
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < i; ++j) at(i, j) = at(j, i);
  }
  return true;
}

}  // namespace

template <class T>
InverseScratch<T>::InverseScratch(std::size_t n)
    : scaling(n),
      rows(kGroup * round_up(n, kPanel)),
      row_panels(kGroup * round_up(n, kPanel)),
      scaled_rows(kGroup * round_up(n, kPanel)),
      pivot(kGroup * kGroup),
      pivot_rows(kGroup * kGroup),
      zeros(round_up(n, kPanel)) {}

template <class T>
bool invert(const Kernels<T>& kernels, const SymmetricShape& shape, T* matrix, InverseScratch<T>& scratch,
            const Team& team) noexcept {
  // The diagonal is 1 before anything is swept out: so little left is rounding.
  constexpr double kLeast = 45 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const std::size_t n = shape.n, columns = shape.columns();
  const auto scale_entries = [&](std::size_t group) {
    for (std::size_t j = shape.group_begin(group); j < shape.group_end(group); ++j) {
      for (std::size_t i = j; i < n; ++i) {
        matrix[shape.index(i, j)] *= static_cast<T>(scratch.scaling[i] * scratch.scaling[j]);
      }
    }
  };
  team.once([&] {
    scratch.positive = true;
    for (std::size_t i = 0; i < n; ++i) {
      const double diagonal = static_cast<double>(matrix[shape.index(i, i)]);
      scratch.positive = scratch.positive && diagonal > 0 && std::isfinite(diagonal);
      scratch.scaling[i] = 1 / std::sqrt(diagonal);
    }
  });
  // Not before all have read the flag, which the next call sets again.
  const auto refuse = [&team] {
    team.once([] {});
    return false;
  };
  if (!scratch.positive) return refuse();
  team.for_each(shape.groups(), scale_entries);

  for (std::size_t group = 0; group < shape.groups(); ++group) {
    const std::size_t first = shape.group_begin(group), m = shape.group_end(group) - first;
    team.once([&] {
      for (std::size_t r = 0; r < m; ++r) {
        for (std::size_t q = 0; q <= r; ++q) {
          scratch.pivot[r * kGroup + q] = static_cast<double>(matrix[shape.index(first + r, first + q)]);
        }
      }
      scratch.positive = invert_pivot(scratch.pivot.data(), m, kLeast);
      convert(scratch.pivot.data(), scratch.pivot.size(), scratch.pivot_rows.data());
    });
    if (!scratch.positive) return refuse();
    // The block's rows without the block itself, as rows and as panels, and minus the pivot's inverse times them.
    team.for_each(columns / kPanel, [&](std::size_t panel) {
      for (std::size_t r = 0; r < m; ++r) {
        for (std::size_t lane = 0; lane < kPanel; ++lane) {
          const std::size_t i = panel * kPanel + lane;
          const bool outside = i < n && (i < first || i >= first + m);
          const T value = outside ? matrix[shape.kept(i, first + r)] : T(0);
          scratch.rows[r * columns + i] = value;
          scratch.row_panels[(panel * m + r) * kPanel + lane] = value;
        }
      }
      kernels.logits(panel_product<T>({scratch.pivot_rows.data(), kGroup, m}, m, kPanel,
                                      scratch.row_panels.data() + panel * m * kPanel, scratch.zeros.data(),
                                      scratch.scaled_rows.data() + panel * m * kPanel, m));
    });
    team.for_each(shape.groups(), [&](std::size_t target) {
      const std::size_t begin = shape.group_begin(target);
      GradientArgs<T> update =
          gradient_product<T>({scratch.rows.data(), columns, m}, scratch.scaled_rows.data() + begin * m, m, n,
                              std::min(kGroup, columns - begin), matrix + begin * n, true);
      update.feature_begin = begin;
      kernels.gradient(update);
    });
    team.once([&] {
      for (std::size_t r = 0; r < m; ++r) {
        for (std::size_t i = 0; i < n; ++i) {
          const bool outside = i < first || i >= first + m;
          if (outside)
            matrix[shape.kept(i, first + r)] = -scratch.scaled_rows[(i / kPanel * m + r) * kPanel + i % kPanel];
        }
        for (std::size_t q = 0; q <= r; ++q)
          matrix[shape.index(first + r, first + q)] = scratch.pivot_rows[r * kGroup + q];
      }
    });
  }
  team.for_each(shape.groups(), [&](std::size_t group) {
    scale_entries(group);
    for (std::size_t j = shape.group_begin(group); j < shape.group_end(group); ++j) {
      for (std::size_t i = j; i < n; ++i) matrix[shape.index(i, j)] = -matrix[shape.index(i, j)];
    }
  });
  return true;
}

template struct InverseScratch<float>;
template struct InverseScratch<double>;
template bool invert<float>(const Kernels<float>&, const SymmetricShape&, float*, InverseScratch<float>&,
                            const Team&) noexcept;
template bool invert<double>(const Kernels<double>&, const SymmetricShape&, double*, InverseScratch<double>&,
                             const Team&) noexcept;

}  // namespace lanemax
