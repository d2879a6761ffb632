// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_PUBLIC_PASS_HPP
#define LANEMAX_ENGINE_PASS_PUBLIC_PASS_HPP

#include "engine/pass/pass.hpp"

namespace lanemax {

/// The pass of a public call: on the caller's data, in the caller's workspace.
template <class T>
struct PublicPass {
  PassInput<T> input;  ///< the weights are the caller's to fill in
  PassMemory<T> memory;
};

/// Checks what a pass takes for granted, the values of the features excepted.
template <class T>
[[nodiscard]] Status check(const Objective& objective, const Batch& batch, std::size_t features, std::size_t classes,
                           const Execution& execution, PublicPass<T>& pass) noexcept;

/// Plans it, and lays it out.
template <class T>
[[nodiscard]] Status plan(const PassNeeds& needs, std::size_t features, std::size_t classes, const Execution& execution,
                          std::span<std::byte> workspace, PublicPass<T>& pass) noexcept;

/// Runs it, penalty included. Where it fails and a weight or a feature is not finite, the status says which.
template <class T>
[[nodiscard]] Status run(const PublicPass<T>& pass, const SampleOutputs<T>& outputs, const GradientUse<T>& use,
                         LossResult& result) noexcept;

}  // namespace lanemax

#endif
