// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FAIL_HPP
#define LANEMAX_ENGINE_FAIL_HPP

#include <lanemax/status.hpp>

namespace lanemax {

/// A status that says what is wrong and what would have been right; both texts are static.
[[nodiscard]] inline Status fail(StatusCode code, const char* what, const char* expected) noexcept {
  Status status;
  status.code = code;
  status.what = what;
  status.expected = expected;
  return status;
}

}  // namespace lanemax

#endif
