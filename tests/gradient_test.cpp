// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class GradientTest : public IsaTest {};
INSTANTIATE_PER_ISA(GradientTest);

TEST_P(GradientTest, SmallShapesF32) {
  expect_ok_in_every_schedule(check_gradient_small<float>);
}
TEST_P(GradientTest, SmallShapesF64) {
  expect_ok_in_every_schedule(check_gradient_small<double>);
}
TEST_P(GradientTest, LargeShapesF32) {
  expect_ok_in_every_schedule(check_gradient_large<float>);
}
TEST_P(GradientTest, LargeShapesF64) {
  expect_ok_in_every_schedule(check_gradient_large<double>);
}
TEST_P(GradientTest, PartsF32) {
  expect_ok_in_every_schedule(check_gradient_parts<float>);
}
TEST_P(GradientTest, PartsF64) {
  expect_ok_in_every_schedule(check_gradient_parts<double>);
}
TEST_P(GradientTest, ZeroColumnsF32) {
  expect_ok_in_every_schedule(check_gradient_zeros<float>);
}
TEST_P(GradientTest, ZeroColumnsF64) {
  expect_ok_in_every_schedule(check_gradient_zeros<double>);
}
TEST_P(GradientTest, BiasF32) {
  expect_ok(check_bias_gradient<float>(table()));
}
TEST_P(GradientTest, BiasF64) {
  expect_ok(check_bias_gradient<double>(table()));
}
TEST_P(GradientTest, FeaturesF32) {
  expect_ok(check_feature_gradient<float>(table()));
}
TEST_P(GradientTest, FeaturesF64) {
  expect_ok(check_feature_gradient<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
