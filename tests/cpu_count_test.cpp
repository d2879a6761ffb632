// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/cpu_count.hpp"

#include "tests/support/run_command.hpp"

#include <gtest/gtest.h>
#include <sched.h>

namespace {

using lanemax::cli::default_threads;
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

TEST_F(CpuCountTest, TheEnvironmentMayAskForFewerThreads) {
  write("two/proc/self/cgroup", "0::/\n");
  write("two/sys/fs/cgroup/cpu.max", "100000 100000\n");
  const auto threads = [&](const char* wanted, const std::string& root) {
    ::setenv("OMP_NUM_THREADS", wanted, 1);
    const int count = default_threads(root);
    ::unsetenv("OMP_NUM_THREADS");
    return count;
  };
  EXPECT_EQ(default_threads(root_ / "nothing-here"), affinity_);
  for (const char* one : {"1", " 1 ", "1,4", "1 , 4"}) EXPECT_EQ(threads(one, root_ / "nothing-here"), 1) << one;
  for (const char* none : {"", "0", "-1", "abc", "1x", "1.5", "99999999999999999999", ",1", "1000000"}) {
    EXPECT_EQ(threads(none, root_ / "nothing-here"), affinity_) << none;
  }
  EXPECT_EQ(threads("64", root_ / "two"), 1);
}

}  // namespace
