// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class SoftmaxLossTest : public IsaTest {};
INSTANTIATE_PER_ISA(SoftmaxLossTest);

TEST_P(SoftmaxLossTest, LabelsF32) {
  expect_ok(check_softmax<float>(table(), TargetKind::labels));
}
TEST_P(SoftmaxLossTest, LabelsF64) {
  expect_ok(check_softmax<double>(table(), TargetKind::labels));
}
TEST_P(SoftmaxLossTest, SmoothedLabelsF32) {
  expect_ok(check_softmax<float>(table(), TargetKind::smoothed));
}
TEST_P(SoftmaxLossTest, SmoothedLabelsF64) {
  expect_ok(check_softmax<double>(table(), TargetKind::smoothed));
}
TEST_P(SoftmaxLossTest, TargetProbabilitiesF32) {
  expect_ok(check_softmax<float>(table(), TargetKind::probabilities));
}
TEST_P(SoftmaxLossTest, TargetProbabilitiesF64) {
  expect_ok(check_softmax<double>(table(), TargetKind::probabilities));
}
TEST_P(SoftmaxLossTest, ShiftInvarianceF32) {
  expect_ok(check_softmax_shift<float>(table()));
}
TEST_P(SoftmaxLossTest, ShiftInvarianceF64) {
  expect_ok(check_softmax_shift<double>(table()));
}
TEST_P(SoftmaxLossTest, ZeroLogitsF32) {
  expect_ok(check_softmax_zero<float>(table()));
}
TEST_P(SoftmaxLossTest, ZeroLogitsF64) {
  expect_ok(check_softmax_zero<double>(table()));
}
TEST_P(SoftmaxLossTest, SumsF32) {
  expect_ok(check_softmax_sums<float>(table()));
}
TEST_P(SoftmaxLossTest, SumsF64) {
  expect_ok(check_softmax_sums<double>(table()));
}
TEST_P(SoftmaxLossTest, TinyLossesF32) {
  expect_ok(check_softmax_tiny<float>(table()));
}
TEST_P(SoftmaxLossTest, TinyLossesF64) {
  expect_ok(check_softmax_tiny<double>(table()));
}
TEST_P(SoftmaxLossTest, NotFiniteF32) {
  expect_ok(check_softmax_not_finite<float>(table()));
}
TEST_P(SoftmaxLossTest, NotFiniteF64) {
  expect_ok(check_softmax_not_finite<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
