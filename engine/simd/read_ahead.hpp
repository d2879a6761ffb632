// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_SIMD_READ_AHEAD_HPP
#define LANEMAX_ENGINE_SIMD_READ_AHEAD_HPP

#include "engine/dispatch/kernel_table.hpp"

namespace lanemax {
namespace {

// Asks for the next block's memory, a line per step of a product, so that the memory bus works while the multiply-add
// units do; without it a pass costs memory time plus arithmetic (60000 x 784 x 10, one thread: 27.7 ms against 19.7).
// Both products ask, because each line in flight holds one of the core's few line buffers: all of them during the
// gradient alone cost 3 % more. Lines go to L2 only; into L1 or past every second line was slower.
class LineReader {
 public:
  explicit LineReader(ReadAhead* ahead) : ahead_(ahead) {
    if (ahead == nullptr) return;
    at_ = ahead->at;
    end_ = ahead->end;
  }
  ~LineReader() {
    if (ahead_ != nullptr) ahead_->at = at_;
  }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  void next() {
    if (at_ >= end_) return;
    __builtin_prefetch(at_, 0, 2);
    at_ += 64;
  }

 private:
  ReadAhead* ahead_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

}  // namespace
}  // namespace lanemax

#endif
