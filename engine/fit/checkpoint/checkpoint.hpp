// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CHECKPOINT_CHECKPOINT_HPP
#define LANEMAX_ENGINE_FIT_CHECKPOINT_CHECKPOINT_HPP

#include <lanemax/status.hpp>

#include "engine/fit/checkpoint/archive.hpp"
#include "engine/fit/checkpoint/identity.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace lanemax {

/// A checkpoint as the bytes of its file, and back: see below. Both throw std::bad_alloc.
[[nodiscard]] Status checkpoint_to_bytes(const FitIdentity& identity, Resumable& state,
                                         std::vector<std::uint8_t>& bytes);
[[nodiscard]] Status checkpoint_from_bytes(std::span<const std::uint8_t> bytes, const FitIdentity& identity,
                                           Resumable& state);

/// Writes a checkpoint file, atomically: the identity and the state. Throws std::bad_alloc.
[[nodiscard]] Status save_checkpoint(const char* path, const FitIdentity& identity, Resumable& state);

/// Reads one. bad_checkpoint if the file is damaged, or not of this identity: `what` names the first thing that
/// differs. The state is only touched if all is well. Throws std::bad_alloc.
[[nodiscard]] Status load_checkpoint(const char* path, const FitIdentity& identity, Resumable& state);

}  // namespace lanemax

#endif
