// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/checks.hpp"
#include "tests/support/testing.hpp"

namespace lanemax::checks {
namespace {

class LoadTest : public IsaTest {};
INSTANTIATE_PER_ISA(LoadTest);

TEST_P(LoadTest, ValuesF32) {
  expect_ok(check_load_values<float>(table()));
}
TEST_P(LoadTest, ValuesF64) {
  expect_ok(check_load_values<double>(table()));
}
TEST_P(LoadTest, RowsF32) {
  expect_ok(check_load_rows<float>(table()));
}
TEST_P(LoadTest, RowsF64) {
  expect_ok(check_load_rows<double>(table()));
}
TEST_P(LoadTest, CentresF32) {
  expect_ok(check_load_centres<float>(table()));
}
TEST_P(LoadTest, CentresF64) {
  expect_ok(check_load_centres<double>(table()));
}

}  // namespace
}  // namespace lanemax::checks
