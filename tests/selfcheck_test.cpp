// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_fits.hpp"
#include "tests/support/command_fixture.hpp"
#include "tests/support/data_files.hpp"

#include <cstring>
#include <set>
#include <string>

namespace lanemax::testing {
namespace {

using cli::PublishedValue;

TEST(Selfcheck, HoldsMeansToThePrintedDigits) {
  const PublishedValue seven{"", "-0.0097327", 0, ""};
  EXPECT_TRUE(holds(seven, -0.00973274));
  EXPECT_TRUE(holds(seven, -0.00973266));
  EXPECT_FALSE(holds(seven, -0.00973276));
  EXPECT_FALSE(holds(seven, -0.00973264));
  EXPECT_FALSE(holds(seven, 0.0097327));
  EXPECT_FALSE(holds(seven, std::nan("")));
  const PublishedValue small{"", "3.38e-48", 0, ""};
  EXPECT_TRUE(holds(small, 3.3778e-48));
  EXPECT_FALSE(holds(small, 3.39e-48));
  EXPECT_FALSE(holds(small, 0));
  const PublishedValue close{"", "28.904084402907944", 1e-9, ""};
  EXPECT_TRUE(holds(close, 28.90408441));
  EXPECT_FALSE(holds(close, 28.90408444));
  const PublishedValue range{"", "0.917..0.926", 0, ""};
  EXPECT_TRUE(holds(range, 0.917));
  EXPECT_TRUE(holds(range, 0.926));
  EXPECT_FALSE(holds(range, 0.9261));
  EXPECT_FALSE(holds(range, 0.9169));
  EXPECT_EQ(difference(range, 0.92), 0);
  EXPECT_NEAR(difference(range, 0.93), 0.004, 1e-12);
}

TEST(Selfcheck, NamesAreUniqueAndAllThatIsEmbeddedIsComputed) {
  std::set<std::string> names;
  for (const PublishedValue& value : cli::published_values())
    EXPECT_TRUE(names.insert(value.name).second) << value.name;
  std::vector<std::string> missing;
  const auto computed = cli::compute_published_fits("", 1, Isa::process_default, missing);
  EXPECT_TRUE(missing.empty());
  EXPECT_EQ(computed.size(), 28U);
  for (const auto& value : computed) EXPECT_EQ(names.count(value.name), 1U) << value.name;
}

TEST_F(CommandTest, SelfcheckHoldsOnEveryVariant) {
  for (const char* isa : {"avx512", "avx2_fma", "sse2", "neon"}) {
    const CommandResult result = run({"selfcheck", "--isa", isa, "--json", "--threads", "1"});
    if (result.exit_code == 2) continue;  // not of this build or processor
    EXPECT_EQ(result.exit_code, 0) << isa << result.out;
    const json checked = json::parse(result.out);
    EXPECT_EQ(checked["isa"], isa);
    EXPECT_EQ(checked["checked"], 28);
    EXPECT_EQ(checked["held"], 28);
  }
}

TEST_F(CommandTest, SelfcheckReadsWhatIsThere) {
  const CommandResult none = run({"selfcheck", "--data", "@"});
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_NE(none.err.find("iris.csv is not there"), std::string::npos);
  EXPECT_EQ(run({"selfcheck", "--data", "@nowhere"}).exit_code, 5);
  const std::string iris = testing_data::real_data("iris.csv");
  if (iris.empty()) GTEST_SKIP() << "no data directory: the fits of files were not run";
  const CommandResult all =
      run({"selfcheck", "--data", std::filesystem::path(iris).parent_path(), "--json", "--threads", "1"});
  EXPECT_EQ(all.exit_code, 0) << all.out << all.err;
  EXPECT_GE(json::parse(all.out)["checked"], 50);
}

}  // namespace
}  // namespace lanemax::testing
