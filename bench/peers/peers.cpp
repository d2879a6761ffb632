// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

#include "bench/peers/libraries.hpp"

namespace lanemax::bench {

const Peers& peers() {
  static const Peers list = [] {
    Peers made;
    // Eigen, the plain softmax and the loops around SLEEF are compiled here, for the machine that configured the build.
    const bool runs_here = check_isa(peer_isa()).ok();
    const auto skip = [&](const char* name, const char* why) {
      made.skipped.push_back(std::string(name) + ": " + why);
    };
    [[maybe_unused]] const char* not_built_for_here = "this build's peers need instructions this processor lacks";
    [[maybe_unused]] const char* not_found = "not found when the build was configured";
    if (runs_here) {
      add_loaded_libraries(made);
    } else {  // their softmax is one of the plain loops
      skip("openblas, onednn, mkl", not_built_for_here);
    }
#ifdef LANEMAX_BENCH_EIGEN
    runs_here ? made.gemm.push_back(eigen_peer()) : skip("eigen", not_built_for_here);
#else
    skip("eigen", not_found);
#endif
#ifdef LANEMAX_BENCH_SLEEF
    runs_here ? made.functions.push_back(sleef_peer()) : skip("sleef", not_built_for_here);
#else
    skip("sleef", not_found);
#endif
    return made;
  }();
  return list;
}

}  // namespace lanemax::bench
