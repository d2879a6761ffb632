// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

#include <iostream>

namespace lanemax::checks {
namespace {

class ExpTest : public IsaTest {};
INSTANTIATE_PER_ISA(ExpTest);

void report(const char* what, const KernelTable& table, const UlpReport& result) {
  expect_ok(result.verdict);
  EXPECT_LE(result.max_ulp, 1.0);
  EXPECT_GT(result.max_ulp, 0.25) << "nothing rounds that well: the comparison is broken";
  std::cout << what << ' ' << table.name << ": max " << result.max_ulp << " ulp at " << result.at << " of "
            << result.verdict.compared << std::endl;
  ::testing::Test::RecordProperty("max_ulp", std::to_string(result.max_ulp));
}

TEST_P(ExpTest, OneUlpF32) {
  report("exp f32", table(), check_exp_f32(table(), 257));
}
TEST_P(ExpTest, ExhaustiveF32) {
  if (!exhaustive()) GTEST_SKIP() << "every float: set LANEMAX_EXHAUSTIVE=1";
  report("exp f32, every float", table(), check_exp_f32(table(), 1));
}
TEST_P(ExpTest, OneUlpF64) {
  report("exp f64", table(), check_exp_f64(table()));
}
TEST_P(ExpTest, EdgesF32) {
  expect_ok(check_exp_edges<float>(table()));
}
TEST_P(ExpTest, EdgesF64) {
  expect_ok(check_exp_edges<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
