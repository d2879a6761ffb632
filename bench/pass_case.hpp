// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_PASS_CASE_HPP
#define LANEMAX_BENCH_PASS_CASE_HPP

#include "bench/support.hpp"
#include "engine/pass/pass.hpp"

namespace lanemax::bench {

/// Where the rows of a pass come from: f32 as they lie there, f32 in another order, or the bytes of the images in some
/// type, scaled as they are loaded (f64: scaled already). All give the same loss and gradient.
enum class Rows { in_place, shuffled, scaled, u8, f16, bf16, f64 };

/// The engine's fused pass: mean loss and gradient of all rows, weights in the engine's layout already.
[[nodiscard]] std::unique_ptr<Case> make_pass(const KernelTable& table, const Shape& shape, int threads,
                                              Rows rows = Rows::in_place);

/// The rows of a block as the plan cuts them.
[[nodiscard]] RowBlock<float> block_of(const Problem& problem, const PassPlan& plan, std::size_t index);

/// A fixed permutation of 0..count-1.
[[nodiscard]] Buffer<std::uint32_t> shuffled_rows(std::size_t count);

}  // namespace lanemax::bench

#endif
