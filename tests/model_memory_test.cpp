// SPDX-License-Identifier: BSD-3-Clause
// What reading and writing a model does with memory: none for claims, and a status when there is none left.
#include "tests/support/failing_allocations.hpp"
#include "tests/support/model_bytes.hpp"
namespace lanemax::test {
namespace {

TEST(ModelMemory, TakesNoMemoryForClaims) {
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
    g_largest = 0;
    const Status status = from_bytes(file, model);
    const std::size_t largest = g_largest;
    EXPECT_EQ(status.code, StatusCode::bad_model);
    EXPECT_LT(largest, 4096u);
  }
}

TEST(ModelMemory, EveryFailedAllocationIsReported) {
  const Model model = centred_model();
  const Bytes file = to_bytes(model);
  for (long n = 0;; ++n) {
    Model read;
    g_until_failure = n;
    const Status status = from_bytes(file, read);
    g_until_failure = -1;
    if (status.ok()) {
      EXPECT_GT(n, 10);
      break;
    }
    ASSERT_EQ(status.code, StatusCode::out_of_memory) << n;
    ASSERT_EQ(read.features, 0u);
  }
  for (long n = 0;; ++n) {
    Bytes bytes{1, 2, 3};
    g_until_failure = n;
    const Status status = model_to_bytes(model, bytes);
    g_until_failure = -1;
    if (status.ok()) {
      EXPECT_GT(n, 10);
      EXPECT_EQ(bytes, file);
      break;
    }
    ASSERT_EQ(status.code, StatusCode::out_of_memory) << n;
    ASSERT_EQ(bytes, (Bytes{1, 2, 3}));
  }
}

}  // namespace
}  // namespace lanemax::test
