// SPDX-License-Identifier: BSD-3-Clause
// Reading a model takes no memory for what a file claims. When there is none left: out_of_memory_test.
#include "tests/support/allocations.hpp"
#include "tests/support/model_bytes.hpp"
namespace lanemax::test {
namespace {

TEST(ModelMemory, TakesNoMemoryForClaims) {
  if (!kSeesAllocations) GTEST_SKIP() << "the allocations of this C library cannot be seen";
  expect_allocations_are_seen();
  const Pieces claims[] = {
      {.weight_shape = "[1073741824,65536]", .weight_offsets = "[8,281474976710664]"},
      {.weight_shape = "[2,1099511627776]", .weight_offsets = "[8,8796093022216]"},
      {.bias_shape = "[1099511627776]", .bias_offsets = "[0,4398046511104]"},
      {.metadata = R"("__metadata__":{"lanemax_format":"2"},)",
       .more = R"(,"centre":{"dtype":"F64","shape":[549755813888],"data_offsets":[24,4398046511128]})"},
  };
  for (const Pieces& claim : claims) {
    const Bytes file = foreign(claim);
    Model model;
    Status status;
    const Allocations seen = watch_allocations([&] { status = from_bytes(file, model); });
    EXPECT_EQ(status.code, StatusCode::bad_model);
    EXPECT_LT(seen.largest, 4096u);
  }
}

}  // namespace
}  // namespace lanemax::test
