// SPDX-License-Identifier: BSD-3-Clause
//
// The fused pass over shapes that nobody has tuned for, one thread: whoever brings 257 features or 17 classes should
// not fall off a cliff. Rows are as many as take some milliseconds, and X about 2 MB where that is enough of them.
#include "bench/pass_case.hpp"

#include <algorithm>

namespace lanemax::bench {
namespace {

constexpr std::size_t kClasses[] = {2,  3,  4,  5,  7,  8,  10, 12,  15,  16,  17,
                                    24, 31, 32, 33, 48, 64, 65, 100, 128, 200, 300};
constexpr std::size_t kFeatures[] = {1,   3,   5,   9,   17,  31,  33,  49,   54,   63,   64,   65,   97,  129,
                                     193, 255, 257, 383, 513, 769, 784, 1023, 1024, 1025, 1537, 2047, 2048};

Shape shape_of(std::size_t features, std::size_t classes) {
  constexpr std::size_t kBytes = std::size_t{2} << 20, kFlops = 60000000;
  // 23: what softmax takes for each logit (softmax_loss_bench.cpp), most of the work where there are few features
  const std::size_t flops_per_row = (4 * features + 23) * classes;
  const std::size_t rows = std::min(kBytes / (4 * features), kFlops / flops_per_row);
  return {round_up(std::max<std::size_t>(rows, 192), 64), features, classes};
}

}  // namespace

void add_sweep() {
  for (const std::size_t classes : kClasses) {
    for (const std::size_t features : kFeatures) {
      const Shape shape = shape_of(features, classes);
      for (const Variant& v : variants()) {
        add_case({"sweep", v.name, shape.text(), 1, v.isa, ""}, [&v, shape] { return make_pass(*v.table, shape, 1); });
      }
    }
  }
}

}  // namespace lanemax::bench
