// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_PLAN_SHAPES_HPP
#define LANEMAX_TESTS_SUPPORT_PLAN_SHAPES_HPP

#include "engine/pass/pass.hpp"
#include "tests/support/problems.hpp"
#include "tests/support/verdict.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

namespace lanemax::checks {

/// The ways in which engine/pass/plan.cpp cuts up a pass.
enum class Regime {
  one_block,
  cached_slots,    ///< several gradients, small enough to stay in cache
  large_slots,     ///< several gradients that leave the cache
  tiles,           ///< one gradient, its tiles owned by threads
  several_groups,  ///< the same, with the blocks' dlogits in memory a group at a time
};
[[nodiscard]] inline const char* name_of(Regime regime) {
  constexpr const char* kNames[] = {"one_block", "cached_slots", "large_slots", "tiles", "several_groups"};
  return kNames[static_cast<int>(regime)];
}

struct PlanShape {
  Regime regime = Regime::one_block;
  Shape shape;
};
/// A shape or two for each regime, in both layouts of W.
template <class T>
[[nodiscard]] std::vector<PlanShape> plan_shapes() {
  if (sizeof(T) == sizeof(float)) {
    return {{Regime::one_block, {60, 30, 10}},         {Regime::one_block, {100, 30, 40}},
            {Regime::cached_slots, {1100, 8, 3}},      {Regime::cached_slots, {5003, 20, 10}},
            {Regime::cached_slots, {2200, 20, 20}},    {Regime::cached_slots, {2200, 20, 26}},
            {Regime::large_slots, {33000, 64, 260}},   {Regime::tiles, {500, 600, 7}},
            {Regime::tiles, {700, 210, 70}},           {Regime::several_groups, {1100, 38000, 15}},
            {Regime::several_groups, {4200, 520, 256}}};
  }
  return {{Regime::one_block, {40, 30, 10}},
          {Regime::one_block, {100, 30, 40}},
          {Regime::cached_slots, {1100, 8, 3}},
          {Regime::cached_slots, {2200, 20, 20}},
          {Regime::cached_slots, {2200, 20, 26}},
          {Regime::large_slots, {33000, 32, 260}},
          {Regime::tiles, {500, 600, 7}},
          {Regime::tiles, {700, 210, 70}},
          {Regime::several_groups, {4200, 520, 256}}};
}

/// How the shape is cut up in fact.
template <class T>
[[nodiscard]] Regime regime_of(const Shape& s) {
  const PassPlan plan = make_plan<T>(s.rows, s.features, s.classes);
  if (plan.blocks == 1) return Regime::one_block;
  if (plan.slots > 1) {  // as many slots as the rows allow, unless they would leave the cache
    const std::size_t slots = std::bit_floor(std::min({std::size_t{64}, s.rows / 512, plan.blocks}));
    return plan.slots < slots ? Regime::large_slots : Regime::cached_slots;
  }
  return plan.group_blocks < plan.blocks ? Regime::several_groups : Regime::tiles;
}
/// Whether the engine was built with LANEMAX_TINY_BLOCKS: shapes then meet other regimes than they are named for.
[[nodiscard]] inline bool tiny_blocks() {
  return make_plan<float>(1000, 4, 4).block_rows == 16;
}
template <class T>
[[nodiscard]] std::string describe_plan(const Shape& s) {
  const PassPlan plan = make_plan<T>(s.rows, s.features, s.classes);
  return text(s.rows, "x", s.features, "x", s.classes, sizeof(T) == 4 ? " f32" : " f64", ": ", plan.blocks,
              " blocks of ", plan.block_rows, ", ", plan.slots, " slots, groups of ", plan.group_blocks);
}

}  // namespace lanemax::checks

#endif
