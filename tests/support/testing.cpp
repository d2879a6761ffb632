// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/testing.hpp"

#include "engine/dispatch/select_isa.hpp"
#include "tests/support/problems.hpp"

#include <cstdlib>
#include <iostream>

namespace lanemax::checks {
namespace {

std::vector<std::string> expected_isas() {
  std::vector<std::string> names;
  const char* listed = std::getenv("LANEMAX_EXPECT_ISAS");
  std::istringstream in(listed != nullptr ? listed : "");
  for (std::string name; std::getline(in, name, ',');) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

// Runs before the first test of a program.
class Roll : public ::testing::Environment {
 public:
  void SetUp() override {
    std::size_t count = 0;
    const IsaInfo* infos = known_isas(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (infos[i].supported) continue;
      std::cout << "[ SKIPPED  ] variant " << infos[i].name << ": "
                << (infos[i].compiled ? "not supported by this processor" : "not part of this build") << std::endl;
    }
    const std::vector<Isa> isas = testable_isas();
    EXPECT_FALSE(isas.empty()) << "no variant to test";
    for (const std::string& name : expected_isas()) {
      const bool runs = std::any_of(isas.begin(), isas.end(), [&](Isa isa) { return name == lanemax::name_of(isa); });
      EXPECT_TRUE(runs) << "LANEMAX_EXPECT_ISAS lists " << name << ", which this build or processor does not have";
    }
  }
};
[[maybe_unused]] const auto* const kRoll = ::testing::AddGlobalTestEnvironment(new Roll);

}  // namespace

std::vector<Isa> testable_isas() {
  std::vector<Isa> isas;
  std::size_t count = 0;
  const IsaInfo* infos = known_isas(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (infos[i].supported) isas.push_back(infos[i].isa);
  }
  return isas;
}

std::vector<KernelSchedule> all_schedules() {
  std::vector<KernelSchedule> schedules;
  for (std::size_t i = 1; i <= kKernelSchedules; ++i) schedules.push_back(static_cast<KernelSchedule>(i));
  return schedules;
}

const KernelTable* table_of(Isa isa, KernelSchedule schedule) {
  const KernelTable* table = nullptr;
  const Status status = select_kernels({.isa = isa, .schedule = schedule}, table);
  if (!status.ok() || table == nullptr) {
    ADD_FAILURE() << "no kernels for " << lanemax::name_of(isa) << ": " << message(status);
    return nullptr;
  }
  if (schedule != KernelSchedule::machine_default && table->schedule != schedule) {
    ADD_FAILURE() << "asked for " << lanemax::name_of(schedule) << ", got " << lanemax::name_of(table->schedule);
    return nullptr;
  }
  if (table->isa != isa || std::string(table->name) != lanemax::name_of(isa)) {
    ADD_FAILURE() << "asked for " << lanemax::name_of(isa) << ", got the kernels of " << table->name;
    return nullptr;
  }
  return table;
}

bool exhaustive() {
  const char* value = std::getenv("LANEMAX_EXHAUSTIVE");
  return value != nullptr && std::string(value) == "1";
}

void expect_ok(const Verdict& verdict) {
  EXPECT_TRUE(verdict.ok) << verdict.message << "\nseed " << test_seed() << " (LANEMAX_TEST_SEED)";
  if (verdict.ok && verdict.worst > 0) {
    std::cout << verdict.compared << " outputs, largest error " << verdict.worst << " of its bound" << std::endl;
  }
}

std::string isa_test_name(const ::testing::TestParamInfo<Isa>& info) {
  return lanemax::name_of(info.param);
}

}  // namespace lanemax::checks
