// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class LogisticLossTest : public IsaTest {};
INSTANTIATE_PER_ISA(LogisticLossTest);

TEST_P(LogisticLossTest, AgainstOracleF32) {
  expect_ok(check_logistic<float>(table()));
}
TEST_P(LogisticLossTest, AgainstOracleF64) {
  expect_ok(check_logistic<double>(table()));
}
TEST_P(LogisticLossTest, NotFiniteF32) {
  expect_ok(check_logistic_not_finite<float>(table()));
}
TEST_P(LogisticLossTest, NotFiniteF64) {
  expect_ok(check_logistic_not_finite<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
