// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_VERDICT_HPP
#define LANEMAX_TESTS_SUPPORT_VERDICT_HPP

#include "tests/reference/softmax_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>

// Checks return a verdict instead of asserting, so that the same check that must pass on the engine's kernels can be
// shown to fail on broken ones.
namespace lanemax::checks {

using reference::Estimate;
using reference::Real;

struct Verdict {
  bool ok = true;
  std::string message;  ///< the first thing that was wrong
  std::size_t compared = 0;
  std::size_t nonzero = 0;  ///< of the compared outputs
  double worst = 0;         ///< largest share of its bound that an error used up
};

/// Text from its parts.
template <class... Parts>
[[nodiscard]] std::string text(const Parts&... parts) {
  std::ostringstream out;
  out.precision(17);
  (out << ... << parts);
  return out.str();
}

/// Gathers a verdict. `where` arguments are callables that make a text, called only on failure. Once something was
/// wrong the rest is not looked at: loops should end on !ok().
class Judge {
 public:
  [[nodiscard]] bool ok() const { return verdict_.ok; }

  template <class Where>
  void close(Real got, const Estimate& want, Real largest, const Where& where) {
    if (!verdict_.ok) return;
    ++verdict_.compared;
    if (got != 0) ++verdict_.nonzero;
    if (std::fabs(want.value) > largest * (1 - 1e-7L)) {  // left the range of the type: infinity, or next to it
      if (got == want.value ||
          (std::fabs(got) >= largest * (1 - 1e-6L) && std::signbit(got) == std::signbit(want.value))) {
        return;
      }
    } else {
      const Real error = std::fabs(got - want.value);
      if (error <= want.bound) {
        if (error > 0) verdict_.worst = std::max(verdict_.worst, static_cast<double>(error / want.bound));
        return;
      }
    }
    fail(text(where(), ": got ", got, ", want ", want.value, " +- ", want.bound));
  }
  /// Bit for bit, but any NaN equals any other and 0 equals -0.
  template <class T, class Where>
  void same(T got, T want, const Where& where) {
    if (!verdict_.ok) return;
    ++verdict_.compared;
    if (got != T(0)) ++verdict_.nonzero;
    if (got == want || (got != got && want != want)) return;
    fail(text(where(), ": got ", got, ", want exactly ", want));
  }
  template <class Where>
  void require(bool condition, const Where& where) {
    if (!verdict_.ok) return;
    ++verdict_.compared;
    ++verdict_.nonzero;
    if (!condition) fail(where());
  }
  void fail(std::string message) {
    verdict_.ok = false;
    verdict_.message = std::move(message);
  }
  void merge(const Verdict& other) {
    if (!verdict_.ok) return;
    verdict_.compared += other.compared;
    verdict_.nonzero += other.nonzero;
    verdict_.worst = std::max(verdict_.worst, other.worst);
    verdict_.ok = other.ok;
    verdict_.message = other.message;
  }

  /// The verdict; also wrong if nothing was compared, or if fewer than this share of the outputs were not 0.
  [[nodiscard]] Verdict finish(double least_nonzero) {
    const auto compared = static_cast<double>(verdict_.compared);
    if (verdict_.ok && (verdict_.compared == 0 || static_cast<double>(verdict_.nonzero) < least_nonzero * compared)) {
      fail(text("proves too little: ", verdict_.nonzero, " of ", verdict_.compared, " outputs are not 0"));
    }
    return verdict_;
  }

 private:
  Verdict verdict_;
};

}  // namespace lanemax::checks

#endif
