// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CHECKPOINT_IDENTITY_HPP
#define LANEMAX_ENGINE_FIT_CHECKPOINT_IDENTITY_HPP

#include <lanemax/fit_path.hpp>

#include "engine/fit/vectors.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lanemax {

/// What must be the same for a fit to go on: (name, value) pairs, in the order in which they are compared. Data is in
/// it by shape and by checksums of the features, labels, target probabilities, weights and selection.
using FitIdentity = std::vector<std::pair<std::string, std::string>>;

/// Of a fit with these inputs; `options.solver` is the one that was chosen. Options that only say when to stop
/// (max_iterations, time_limit, tolerance) or who is told (callbacks, threads, checkpoint) are not part of it.
/// `initial`: the weights and bias of a warm start, else null. Throws std::bad_alloc.
[[nodiscard]] FitIdentity identity_of(const Batch& data, const FitOptions& options, std::size_t classes,
                                      const char* isa, const Vector* initial);

/// Of a path of these penalties and folds. What ends its fits (max_iterations, tolerance) is part of it.
[[nodiscard]] FitIdentity identity_of_path(const Batch& data, const PathOptions& path, const FitOptions& options,
                                           const std::vector<double>& l2, std::size_t folds, std::size_t classes,
                                           const char* isa, const Vector* initial);

/// The name of a pair of an identity as a string that lasts, for Status::what; "fit" for a name that is none.
[[nodiscard]] const char* static_name_of(std::string_view name) noexcept;

/// Whether a pair's value stands for data or text that is too long to be kept.
[[nodiscard]] bool is_checksum(std::string_view value) noexcept;

}  // namespace lanemax

#endif
