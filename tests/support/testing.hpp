// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_TESTING_HPP
#define LANEMAX_TESTS_SUPPORT_TESTING_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "tests/support/verdict.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

// Every numeric test runs once per variant that this build and this processor have. The others are named aloud, once
// per process; one that the environment variable LANEMAX_EXPECT_ISAS lists (comma separated) makes the whole program
// fail.
namespace lanemax {

/// How GoogleTest prints a variant.
inline void PrintTo(Isa isa, std::ostream* out) {
  *out << name_of(isa);
}

}  // namespace lanemax

namespace lanemax::checks {

/// The variants to test, best first. Never empty: a program without one fails.
[[nodiscard]] std::vector<Isa> testable_isas();

/// The kernels of a variant, fetched as the engine fetches them. Null, and a failed test, if they are not that
/// variant's.
[[nodiscard]] const KernelTable* table_of(Isa isa, KernelSchedule schedule = KernelSchedule::machine_default);

/// Every schedule, by name.
[[nodiscard]] std::vector<KernelSchedule> all_schedules();

/// Whether LANEMAX_EXHAUSTIVE=1: sweeps over every float.
[[nodiscard]] bool exhaustive();

/// Fails the test with the verdict's message and the seed of the random data.
void expect_ok(const Verdict& verdict);

/// A test per variant:  INSTANTIATE_PER_ISA(ExpTest);  TEST_P(ExpTest, ...) { use table(); }
class IsaTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    table_ = table_of(GetParam());
    ASSERT_NE(table_, nullptr);
  }
  [[nodiscard]] const KernelTable& table() const { return *table_; }
  /// The verdict must be good for the variant in each schedule.
  template <class Check>
  void expect_ok_in_every_schedule(const Check& check) const {
    for (const KernelSchedule schedule : all_schedules()) {
      SCOPED_TRACE(lanemax::name_of(schedule));
      expect_ok(check(*table_of(GetParam(), schedule)));
    }
  }

 private:
  const KernelTable* table_ = nullptr;
};

[[nodiscard]] std::string isa_test_name(const ::testing::TestParamInfo<Isa>& info);

}  // namespace lanemax::checks

#define INSTANTIATE_PER_ISA(suite)                                                              \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, ::testing::ValuesIn(::lanemax::checks::testable_isas()), \
                           ::lanemax::checks::isa_test_name)

#endif
