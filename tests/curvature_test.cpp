// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class CurvatureTest : public IsaTest {};
INSTANTIATE_PER_ISA(CurvatureTest);

TEST_P(CurvatureTest, SoftmaxF32) {
  expect_ok(check_softmax_curvature<float>(table()));
}
TEST_P(CurvatureTest, SoftmaxF64) {
  expect_ok(check_softmax_curvature<double>(table()));
}
TEST_P(CurvatureTest, LogisticF32) {
  expect_ok(check_logistic_curvature<float>(table()));
}
TEST_P(CurvatureTest, LogisticF64) {
  expect_ok(check_logistic_curvature<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
