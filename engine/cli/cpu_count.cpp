// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/cpu_count.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace lanemax::cli {
namespace {

constexpr int kUnlimited = 1 << 20;

int affinity_cpus() {
  // The kernel refuses a mask smaller than its own, so the size grows until it fits.
  for (int cpus = 1024; cpus <= kUnlimited; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (set == nullptr) return 1;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    CPU_ZERO_S(bytes, set);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return std::max(1, count);
  }
  return 1;
}

// Whole CPUs in `quota` microseconds of each `period`, rounded up.
int cpus_of_quota(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return kUnlimited;
  const double cpus = std::min(quota / period, static_cast<double>(kUnlimited));
  const int whole = static_cast<int>(cpus);
  return std::max(1, whole < cpus ? whole + 1 : whole);
}

double first_number(const std::string& path, double otherwise) {
  std::ifstream file(path);
  double value = 0;
  return file >> value ? value : otherwise;
}

int quota_v1(const std::string& directory) {
  return cpus_of_quota(first_number(directory + "/cpu.cfs_quota_us", -1),
                       first_number(directory + "/cpu.cfs_period_us", -1));
}

int quota_v2(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  double quota = 0;
  double period = 0;
  return file >> quota >> period ? cpus_of_quota(quota, period) : kUnlimited;  // "max" is not a number
}

// The least quota from `group` up to the top of the hierarchy mounted at `mount`. Inside a container the group's own
// path may not exist below the mount; its ancestors still do.
template <class Quota>
int least_quota(const std::string& mount, std::string group, Quota quota) {
  int least = quota(mount);
  while (group.size() > 1) {
    least = std::min(least, quota(mount + group));
    group.resize(group.find_last_of('/'));
  }
  return least;
}

bool names_cpu(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

int openmp_threads() {
  const char* const text = std::getenv("OMP_NUM_THREADS");
  std::istringstream list(text == nullptr ? "" : text);
  std::string first;
  std::getline(list, first, ',');
  std::istringstream word(first);
  long threads = 0;
  std::string more;
  const bool is_count = word >> threads && !(word >> more) && threads >= 1;
  return is_count ? static_cast<int>(std::min<long>(threads, kUnlimited)) : kUnlimited;
}

}  // namespace

int usable_cpus(const std::string& root) {
  int cpus = affinity_cpus();
  const std::string mounts = root + "/sys/fs/cgroup";
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // id:controllers:/path
    std::istringstream fields(line);
    std::string id;
    std::string controllers;
    std::string group;
    if (!std::getline(fields, id, ':') || !std::getline(fields, controllers, ':') || !std::getline(fields, group)) {
      continue;
    }
    if (group.empty() || group.front() != '/') continue;
    if (controllers.empty()) {
      cpus = std::min(cpus, least_quota(mounts, group, quota_v2));
      cpus = std::min(cpus, least_quota(mounts + "/unified", group, quota_v2));
    } else if (names_cpu(controllers)) {
      cpus = std::min(cpus, least_quota(mounts + "/cpu", group, quota_v1));
      cpus = std::min(cpus, least_quota(mounts + "/cpu,cpuacct", group, quota_v1));
    }
  }
  return cpus;
}

int default_threads(const std::string& root) {
  return std::min(usable_cpus(root), openmp_threads());
}

}  // namespace lanemax::cli
