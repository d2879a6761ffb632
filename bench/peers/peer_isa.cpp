// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

namespace lanemax::bench {

Isa peer_isa() {
  return Isa::LANEMAX_BENCH_PEER_ISA;
}

}  // namespace lanemax::bench
