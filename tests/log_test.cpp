// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

#include <iostream>

namespace lanemax::checks {
namespace {

class Log1pTest : public IsaTest {};
INSTANTIATE_PER_ISA(Log1pTest);

void report(const char* what, const KernelTable& table, const UlpReport& result) {
  expect_ok(result.verdict);
  EXPECT_LE(result.max_ulp, 1.0);
  EXPECT_GT(result.max_ulp, 0.25) << "nothing rounds that well: the comparison is broken";
  std::cout << what << ' ' << table.name << ": max " << result.max_ulp << " ulp at " << result.at << " of "
            << result.verdict.compared << std::endl;
  ::testing::Test::RecordProperty("max_ulp", std::to_string(result.max_ulp));
}

TEST_P(Log1pTest, OneUlpF32) {
  report("log1p f32", table(), check_log1p_f32(table(), 257));
}
TEST_P(Log1pTest, ExhaustiveF32) {
  if (!exhaustive()) GTEST_SKIP() << "every float: set LANEMAX_EXHAUSTIVE=1";
  report("log1p f32, every float", table(), check_log1p_f32(table(), 1));
}
TEST_P(Log1pTest, OneUlpF64) {
  report("log1p f64", table(), check_log1p_f64(table()));
}
TEST_P(Log1pTest, EdgesF32) {
  expect_ok(check_log1p_edges<float>(table()));
}
TEST_P(Log1pTest, EdgesF64) {
  expect_ok(check_log1p_edges<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
