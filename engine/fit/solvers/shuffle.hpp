// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_SOLVERS_SHUFFLE_HPP
#define LANEMAX_ENGINE_FIT_SOLVERS_SHUFFLE_HPP

#include <cstddef>
#include <cstdint>
#include <utility>

namespace lanemax {

/// SplitMix64 (Steele, Lea, Flood 2014): state += 0x9e3779b97f4a7c15, then a mix of the state. Written down here
/// because the order of training rows, hence the bits of a model, follows from it.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound), bound > 0: numbers from the incomplete last stretch of the range are drawn again.
  std::uint64_t below(std::uint64_t bound) noexcept {
    const std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
      const std::uint64_t value = next();
      if (value >= threshold) return value % bound;
    }
  }

 private:
  std::uint64_t state_;
};

/// Fisher-Yates, from the last element down.
inline void shuffle(std::uint32_t* items, std::size_t count, SplitMix64& random) noexcept {
  for (std::size_t i = count; i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace lanemax

#endif
