// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_C_API_CALL_HPP
#define LANEMAX_ENGINE_C_API_CALL_HPP

#include "engine/c_api/taker.hpp"

#include <memory>

namespace lanemax::c_api {

/// The status in C's form, cut to fit.
[[nodiscard]] lanemax_status in_c(const Status& status) noexcept;
/// The same to whoever wants to know.
void tell(const Status& status, lanemax_status* out) noexcept;

/// The body of a C function, `body(take)`: its status goes to `out`, and its code is returned. No exception leaves it.
template <class Body>
[[nodiscard]] std::int32_t call(lanemax_status* out, const Body& body) noexcept {
  const Status status = without_exceptions("call", "memory for what it makes", [&] {
    Taker take;
    return body(take);
  });
  tell(status, out);
  return static_cast<std::int32_t>(status.code);
}

/// A new handle, which `fill` fills, goes to `*out` if that succeeds.
template <class Handle, class Fill>
[[nodiscard]] Status make(Handle** out, const Fill& fill) {
  auto made = std::make_unique<Handle>();
  const Status status = fill(*made);
  if (status.ok()) *out = made.release();
  return status;
}

}  // namespace lanemax::c_api

#endif
