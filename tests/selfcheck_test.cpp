// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_results.hpp"
#include "tests/support/command_fixture.hpp"
#include "tests/support/data_files.hpp"

#include <list>
#include <set>
#include <string>

namespace lanemax::testing {
namespace {

using cli::PublishedResult;

bool holds(const char* text, double tolerance, double ours) {
  return cli::holds({{"", {}, {}, text, tolerance, ""}, ours});
}

TEST(Selfcheck, HoldsMeansToThePrintedDigits) {
  const char* const seven = "-0.0097327";
  EXPECT_TRUE(holds(seven, 0, -0.00973274));
  EXPECT_TRUE(holds(seven, 0, -0.00973266));
  EXPECT_FALSE(holds(seven, 0, -0.00973276));
  EXPECT_FALSE(holds(seven, 0, -0.00973264));
  EXPECT_FALSE(holds(seven, 0, 0.0097327));
  EXPECT_FALSE(holds(seven, 0, std::nan("")));
  EXPECT_TRUE(holds("3.38e-48", 0, 3.3778e-48));
  EXPECT_FALSE(holds("3.38e-48", 0, 3.39e-48));
  EXPECT_FALSE(holds("3.38e-48", 0, 0));
  EXPECT_TRUE(holds("28.904084402907944", 1e-9, 28.90408441));
  EXPECT_FALSE(holds("28.904084402907944", 1e-9, 28.90408444));
  const char* const range = "0.917..0.926";
  EXPECT_TRUE(holds(range, 0, 0.917));
  EXPECT_TRUE(holds(range, 0, 0.926));
  EXPECT_FALSE(holds(range, 0, 0.9261));
  EXPECT_FALSE(holds(range, 0, 0.9169));
  EXPECT_FALSE(holds(range, 0, std::nan("")));
  EXPECT_EQ(cli::difference({{"", {}, {}, range, 0, ""}, 0.92}), 0);
  EXPECT_NEAR(cli::difference({{"", {}, {}, range, 0, ""}, 0.93}), 0.004, 1e-12);
}

constexpr std::size_t kEmbedded = 28;

TEST(Selfcheck, EveryResultHasANameOfItsOwnAndASource) {
  std::set<std::string> names;
  for (const PublishedResult& result : cli::published_results()) {
    EXPECT_TRUE(names.insert(result.name).second) << result.name;
    EXPECT_STRNE(result.source, "") << result.name;
  }
}

// Each of the embedded ones, with another digit in place of each of its own; the last one of a value that holds to a
// tolerance is within that.
TEST(Selfcheck, AWrongPublishedValueDoesNotHold) {
  std::vector<PublishedResult> embedded;
  for (const PublishedResult& result : cli::published_results()) {
    if (result.problem.file.empty()) embedded.push_back(result);
  }
  ASSERT_EQ(embedded.size(), kEmbedded);
  std::list<std::string> texts;
  std::vector<PublishedResult> wrong;
  for (const PublishedResult& result : embedded) {
    const std::string text = result.text;
    const std::size_t digits = result.tolerance > 0 && text.size() > 2 ? text.size() - 1 : text.size();
    for (std::size_t at = 0; at < digits; ++at) {
      if (text[at] < '0' || text[at] > '9') continue;
      std::string other = text;
      other[at] = static_cast<char>('0' + (text[at] - '0' + 5) % 10);
      texts.push_back(other);
      wrong.push_back(result);
      wrong.back().text = texts.back().c_str();
    }
  }
  std::vector<std::string> missing;
  const auto right = cli::reproduce(embedded, "", {1, Isa::process_default}, missing);
  EXPECT_EQ(right.size(), kEmbedded);
  for (const auto& reproduction : right) EXPECT_TRUE(cli::holds(reproduction)) << reproduction.published.name;
  const auto reproductions = cli::reproduce(wrong, "", {1, Isa::process_default}, missing);
  EXPECT_EQ(reproductions.size(), wrong.size());
  for (const auto& reproduction : reproductions) {
    EXPECT_FALSE(cli::holds(reproduction)) << reproduction.published.name << " " << reproduction.published.text;
  }
  EXPECT_TRUE(missing.empty());
}

class SelfcheckCommandTest : public CommandTest {
 protected:
  // A directory of data files without any; Fashion-MNIST is not looked for elsewhere either.
  void SetUp() override { std::filesystem::create_directories(path("data/fashion-mnist")); }
  const Words selfcheck_{"selfcheck", "--data", "@data", "--threads", "1"};
};

// Of data that are not those of the published fit.
TEST_F(SelfcheckCommandTest, SaysWhatDoesNotHold) {
  write_text(path("data/glass.csv"), table());
  const CommandResult text = run(selfcheck_);
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_EQ(lines_of(text.out, "glass.objective.standard"), 1U) << text.out;
  EXPECT_NE(text.out.find("DOES NOT HOLD"), std::string::npos) << text.out;
  EXPECT_NE(text.err.find("lanemax: 28 of 29 published values hold; expected all"), std::string::npos) << text.err;
  const CommandResult result = run(plus(selfcheck_, {"--json"}));
  EXPECT_EQ(result.exit_code, 1);
  const json checked = json::parse(result.out);
  EXPECT_EQ(checked["held"], 28);
  EXPECT_EQ(checked["checked"], 29);
  EXPECT_EQ(checked["rows"].back()["name"], "glass.objective.standard");
  EXPECT_EQ(checked["rows"].back()["holds"], false);
}

TEST_F(SelfcheckCommandTest, NamesDamagedFiles) {
  const std::string table = path("data/hsbdemo.csv");
  write_text(table, "id,prog,ses,write\n1,academic,low,52\n2,general,middle,x\n");
  expect_refusal(selfcheck_, 3, table + ":3: row; expected prog");
  write_text(table, "id,ses,write\n1,low,52\n");
  expect_refusal(selfcheck_, 3, table + ":2: row; expected prog");
  std::filesystem::remove(table);
  write_text(path("data/iris.csv"), "1,2,3,4,a\n1,2,3,b\n");
  expect_refusal(selfcheck_, 3, path("data/iris.csv") + ":2: ");
}

TEST_F(SelfcheckCommandTest, HoldsOnEveryVariant) {
  for (const char* isa : {"avx512", "avx2_fma", "sse2", "neon"}) {
    const CommandResult result = run({"selfcheck", "--isa", isa, "--json", "--threads", "1"});
    if (result.exit_code == 2) continue;  // not of this build or processor
    EXPECT_EQ(result.exit_code, 0) << isa << result.out;
    const json checked = json::parse(result.out);
    EXPECT_EQ(checked["isa"], isa);
    EXPECT_EQ(checked["checked"], kEmbedded);
    EXPECT_EQ(checked["held"], kEmbedded);
  }
}

TEST_F(SelfcheckCommandTest, ReadsWhatIsThere) {
  const CommandResult none = run(selfcheck_);
  EXPECT_EQ(none.exit_code, 0);
  for (const char* file :
       {"hsbdemo.csv", "iris.csv", "mnist-train-images-idx3-ubyte.gz", "fashion-mnist/train-images-idx3-ubyte.gz"}) {
    EXPECT_EQ(lines_of(none.err, "skipped: " + path("data/") + file + " is not there"), 1U) << none.err;
  }
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
