// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class HingeLossTest : public IsaTest {};
INSTANTIATE_PER_ISA(HingeLossTest);

TEST_P(HingeLossTest, AgainstOracleF32) {
  expect_ok(check_hinge<float>(table()));
}
TEST_P(HingeLossTest, AgainstOracleF64) {
  expect_ok(check_hinge<double>(table()));
}
TEST_P(HingeLossTest, NotFiniteF32) {
  expect_ok(check_hinge_not_finite<float>(table()));
}
TEST_P(HingeLossTest, NotFiniteF64) {
  expect_ok(check_hinge_not_finite<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
