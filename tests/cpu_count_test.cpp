// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/cpu_count.hpp"

#include "tests/support/run_command.hpp"

#include <gtest/gtest.h>
#include <sched.h>

namespace {

using lanemax::cli::usable_cpus;
using lanemax::testing::TemporaryDirectory;
using lanemax::testing::write_text;

class CpuCountTest : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = root_ / file;
    std::filesystem::create_directories(path.parent_path());
    write_text(path, text);
  }

  TemporaryDirectory root_;
  const int affinity_ = usable_cpus(root_ / "nothing-here");
};

TEST_F(CpuCountTest, WithoutControlGroupsTheAffinityCounts) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(affinity_, CPU_COUNT(&set));
}

TEST_F(CpuCountTest, QuotasOfEitherVersionLimit) {
  write("v1/proc/self/cgroup", "4:cpu,cpuacct:/a/b\n1:name=x:/\n");
  write("v1/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
  write("v1/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "30000\n");
  write("v1/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(usable_cpus(root_ / "v1"), 1);
  write("v2/proc/self/cgroup", "0::/outside/this/container\n");
  write("v2/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(usable_cpus(root_ / "v2"), 1);
}

TEST_F(CpuCountTest, NoQuotaAndNonsenseDoNotLimit) {
  write("max/proc/self/cgroup", "0::/\n");
  write("max/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(usable_cpus(root_ / "max"), affinity_);
  write("odd/proc/self/cgroup", "nonsense\n::\n0::\n7:cpu:relative\n");
  write("odd/sys/fs/cgroup/cpu.max", "-5 0\n");
  EXPECT_EQ(usable_cpus(root_ / "odd"), affinity_);
}

}  // namespace
