// SPDX-License-Identifier: BSD-3-Clause
// Makes the process-wide choice of a variant and prints what came of it. Each argument is a variant for initialize(),
// "default" for the process default; one line per call, then one for what is active. "schedule" stands for the schedule
// that is active.
#include <lanemax/isa.hpp>

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "schedule") == 0) {
      std::printf("%s\n", lanemax::name_of(lanemax::active_schedule()));
      continue;
    }
    lanemax::Isa isa = lanemax::Isa::process_default;
    if (std::strcmp(argv[i], "default") != 0 && !lanemax::isa_from_name(argv[i], isa).ok()) return 1;
    const lanemax::Status status = lanemax::initialize(isa);
    std::printf("%s %s\n", lanemax::name_of(status.code), status.what);
  }
  std::printf("%s\n", lanemax::name_of(lanemax::active_isa()));
  return 0;
}
