// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_PEERS_LIBRARIES_HPP
#define LANEMAX_BENCH_PEERS_LIBRARIES_HPP

#include "bench/peers/peers.hpp"

namespace lanemax::bench {

/// Adds the libraries that are loaded when the program runs: the system's, whose paths the build's configuration found,
/// and newer ones from settings().peer_directory. What is not there goes to `skipped`.
void add_loaded_libraries(Peers& peers);

}  // namespace lanemax::bench

#endif
