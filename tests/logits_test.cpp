// SPDX-License-Identifier: BSD-3-Clause
#include "engine/layout.hpp"
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

TEST(Layout, MostClassMajor) {
  std::size_t most = 0;
  for (std::size_t classes = 1; classes <= 4096; ++classes) {
    if (is_class_major(classes)) most = classes;
  }
  EXPECT_EQ(kMostClassMajor, most);
}

class LogitsTest : public IsaTest {};
INSTANTIATE_PER_ISA(LogitsTest);

TEST_P(LogitsTest, SmallShapesF32) {
  expect_ok_in_every_schedule(check_logits_small<float>);
}
TEST_P(LogitsTest, SmallShapesF64) {
  expect_ok_in_every_schedule(check_logits_small<double>);
}
TEST_P(LogitsTest, LargeShapesF32) {
  expect_ok_in_every_schedule(check_logits_large<float>);
}
TEST_P(LogitsTest, LargeShapesF64) {
  expect_ok_in_every_schedule(check_logits_large<double>);
}
TEST_P(LogitsTest, RowsDoNotDependOnTheirBlockF32) {
  expect_ok_in_every_schedule(check_logits_rows<float>);
}
TEST_P(LogitsTest, RowsDoNotDependOnTheirBlockF64) {
  expect_ok_in_every_schedule(check_logits_rows<double>);
}
TEST_P(LogitsTest, MaskedAndNotFiniteF32) {
  expect_ok_in_every_schedule(check_logits_special<float>);
}
TEST_P(LogitsTest, MaskedAndNotFiniteF64) {
  expect_ok_in_every_schedule(check_logits_special<double>);
}
TEST_P(LogitsTest, SlicesMakeTheWholeF32) {
  expect_ok_in_every_schedule(check_logits_slices<float>);
}
TEST_P(LogitsTest, SlicesMakeTheWholeF64) {
  expect_ok_in_every_schedule(check_logits_slices<double>);
}

}  // namespace
}  // namespace lanemax::checks
