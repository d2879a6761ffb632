// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class ProbabilitiesTest : public IsaTest {};
INSTANTIATE_PER_ISA(ProbabilitiesTest);

TEST_P(ProbabilitiesTest, SoftmaxF32) {
  expect_ok(check_probabilities<float>(table()));
}
TEST_P(ProbabilitiesTest, SoftmaxF64) {
  expect_ok(check_probabilities<double>(table()));
}
TEST_P(ProbabilitiesTest, NotFiniteF32) {
  expect_ok(check_probabilities_not_finite<float>(table()));
}
TEST_P(ProbabilitiesTest, NotFiniteF64) {
  expect_ok(check_probabilities_not_finite<double>(table()));
}
TEST_P(ProbabilitiesTest, LogisticF32) {
  expect_ok(check_logistic_probabilities<float>(table()));
}
TEST_P(ProbabilitiesTest, LogisticF64) {
  expect_ok(check_logistic_probabilities<double>(table()));
}

TEST_P(ProbabilitiesTest, ChoiceF32) {
  expect_ok(check_choice<float>(table()));
}
TEST_P(ProbabilitiesTest, ChoiceF64) {
  expect_ok(check_choice<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
