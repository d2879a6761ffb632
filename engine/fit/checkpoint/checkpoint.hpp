// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CHECKPOINT_CHECKPOINT_HPP
#define LANEMAX_ENGINE_FIT_CHECKPOINT_CHECKPOINT_HPP

#include <lanemax/status.hpp>

#include "engine/fit/checkpoint/archive.hpp"
#include "engine/fit/checkpoint/identity.hpp"

namespace lanemax {

/// Writes a checkpoint file, atomically: the identity and the state. Throws std::bad_alloc.
[[nodiscard]] Status save_checkpoint(const char* path, const FitIdentity& identity, Resumable& state);

/// Reads one. bad_checkpoint if the file is damaged, or not of this identity: `what` names the first thing that
/// differs. The state is only touched if all is well. Throws std::bad_alloc.
[[nodiscard]] Status load_checkpoint(const char* path, const FitIdentity& identity, Resumable& state);

}  // namespace lanemax

#endif
