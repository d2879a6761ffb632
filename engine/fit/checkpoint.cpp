// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/checkpoint.hpp"

#include "engine/fail.hpp"

namespace lanemax {

FitIdentity identity_of(const Batch&, const FitOptions&, std::size_t, const char*, const Vector*) {
  return {};
}
Status save_checkpoint(const char*, const FitIdentity&, Resumable&) {
  return fail(StatusCode::invalid_argument, "checkpoint", "null");
}
Status load_checkpoint(const char*, const FitIdentity&, Resumable&) {
  return fail(StatusCode::invalid_argument, "checkpoint", "null");
}

}  // namespace lanemax
