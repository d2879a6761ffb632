// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class UpdateTest : public IsaTest {};
INSTANTIATE_PER_ISA(UpdateTest);

TEST_P(UpdateTest, AddF32) {
  expect_ok(check_add<float>(table()));
}
TEST_P(UpdateTest, AddF64) {
  expect_ok(check_add<double>(table()));
}
TEST_P(UpdateTest, FinishGradientF32) {
  expect_ok(check_finish_gradient<float>(table()));
}
TEST_P(UpdateTest, FinishGradientF64) {
  expect_ok(check_finish_gradient<double>(table()));
}
TEST_P(UpdateTest, FinishNotFiniteF32) {
  expect_ok(check_finish_not_finite<float>(table()));
}
TEST_P(UpdateTest, FinishNotFiniteF64) {
  expect_ok(check_finish_not_finite<double>(table()));
}
TEST_P(UpdateTest, UpdateF32) {
  expect_ok(check_update<float>(table()));
}
TEST_P(UpdateTest, UpdateF64) {
  expect_ok(check_update<double>(table()));
}
TEST_P(UpdateTest, AdamF32) {
  expect_ok(check_adam<float>(table()));
}
TEST_P(UpdateTest, AdamF64) {
  expect_ok(check_adam<double>(table()));
}
TEST_P(UpdateTest, AdagradF32) {
  expect_ok(check_adagrad<float>(table()));
}
TEST_P(UpdateTest, AdagradF64) {
  expect_ok(check_adagrad<double>(table()));
}
TEST_P(UpdateTest, LeastF32) {
  expect_ok(check_least<float>(table()));
}
TEST_P(UpdateTest, LeastF64) {
  expect_ok(check_least<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
