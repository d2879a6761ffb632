// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_PROBLEMS_HPP
#define LANEMAX_TESTS_SUPPORT_PROBLEMS_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define LANEMAX_TEST_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LANEMAX_TEST_UNDER_ASAN 1
#endif
#endif

// What the kernels are tried on: shapes and numbers chosen for what they may break, in buffers that show it.
namespace lanemax::checks {

#ifdef LANEMAX_TEST_UNDER_ASAN
inline constexpr bool kUnderAsan = true;
#else
inline constexpr bool kUnderAsan = false;
#endif

/// The seed of all random data: fixed, or what LANEMAX_TEST_SEED says. Failures print it.
[[nodiscard]] inline std::uint64_t test_seed() {
  const char* text = std::getenv("LANEMAX_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20260101U;
}

/// SplitMix64.
class Rng {
 public:
  explicit Rng(std::uint64_t stream = 0) : state_(test_seed() * 0x9e3779b97f4a7c15U + stream * 0xd1342543de82ef95U) {}
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }
  /// In [0, 1), all 53 bits of it random.
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * unit(); }

 private:
  std::uint64_t state_;
};

template <class T>
inline constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();
template <class T>
inline constexpr T kInf = std::numeric_limits<T>::infinity();

/// Memory whose arrays end where an unmapped page begins (and one lies before): a read or write past the end is a
/// crash. Under AddressSanitizer each array is a heap block of its exact size instead. One array at a time.
class GuardedBuffer {
 public:
  GuardedBuffer() = default;
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;
  ~GuardedBuffer() { release(); }

  /// `count` elements up to the unmapped page, all `fill`. 64-byte aligned if the array's size is a multiple of that.
  template <class T>
  [[nodiscard]] T* ending_at_guard(std::size_t count, T fill) {
    reserve(count * sizeof(T));
    T* first = reinterpret_cast<T*>(base_ + size_ - count * sizeof(T));
    std::fill_n(first, count, fill);
    return first;
  }
  /// `count` elements, the first one `offset` elements past a 64-byte boundary; `fill` around them too.
  template <class T>
  [[nodiscard]] T* misaligned(std::size_t count, std::size_t offset, T fill) {
    const std::size_t around = kUnderAsan ? 0 : 64;
    reserve((count + offset + around) * sizeof(T));
    T* first = reinterpret_cast<T*>(base_);
    std::fill_n(first, count + offset + around, fill);
    return first + offset;
  }

 private:
  // Afterwards [base_, base_ + size_) may be used, and base_ is 64-byte aligned.
  void reserve(std::size_t bytes) {
    if (kUnderAsan) {
      release();
      base_ = static_cast<char*>(::operator new(bytes, std::align_val_t{64}));
      size_ = bytes;
      return;
    }
    if (bytes <= size_) return;
    release();
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes + page - 1) / page * page;
    void* mapped = mmap(nullptr, size_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) std::abort();
    base_ = static_cast<char*>(mapped) + page;
    if (mprotect(base_, size_, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  void release() {
    if (base_ == nullptr) return;
    if (kUnderAsan) {
      ::operator delete(base_, std::align_val_t{64});
    } else {
      const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
      munmap(base_ - page, size_ + 2 * page);
    }
    base_ = nullptr;
    size_ = 0;
  }

  char* base_ = nullptr;
  std::size_t size_ = 0;
};

/// How a row block lies in memory.
struct Placement {
  std::size_t extra_stride = 0;  ///< elements of padding between rows, NaN
  std::size_t offset = 0;        ///< 0: ends at the unmapped page; else elements past a 64-byte boundary
};
/// The i-th of a repeating list that has every kind of placement and every misalignment by whole elements.
[[nodiscard]] inline Placement placement(std::size_t i) {
  switch (i % 4) {
    case 0: return {0, 0};
    case 1: return {1 + i / 4 % 17, 0};
    case 2: return {0, 1 + i / 4 % 15};
    default: return {1 + i / 4 % 5, 1 + i / 4 % 15};
  }
}

/// Copies `rows` x `cols` values into the buffer as `where` says.
template <class T>
[[nodiscard]] RowBlock<T> place_rows(GuardedBuffer& buffer, const std::vector<double>& values, std::size_t rows,
                                     std::size_t cols, Placement where) {
  const std::size_t stride = cols + where.extra_stride;
  const std::size_t count = (rows - 1) * stride + cols;
  T* first = where.offset == 0 ? buffer.ending_at_guard<T>(count, kNaN<T>)
                               : buffer.misaligned<T>(count, where.offset, kNaN<T>);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) first[r * stride + c] = static_cast<T>(values[r * cols + c]);
  }
  return {first, stride, rows};
}

/// W [classes][features] in the engine's layout, ending at the unmapped page.
template <class T>
[[nodiscard]] T* place_weights(GuardedBuffer& buffer, const std::vector<double>& w, std::size_t features,
                               std::size_t classes) {
  T* first = buffer.ending_at_guard<T>(weight_count(features, classes), T(0));
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t d = 0; d < features; ++d) {
      first[weight_index(features, classes, c, d)] = static_cast<T>(w[c * features + d]);
    }
  }
  return first;
}
/// The bias, padded with -infinity.
template <class T>
[[nodiscard]] T* place_bias(GuardedBuffer& buffer, const std::vector<double>& b) {
  T* first = buffer.ending_at_guard<T>(bias_count(b.size()), -kInf<T>);
  for (std::size_t c = 0; c < b.size(); ++c) first[c] = static_cast<T>(b[c]);
  return first;
}
/// A matrix [rows][classes] in the layout of the logits. Entries of rows that do not exist are NaN, of classes that do
/// not exist `padding`.
template <class T>
[[nodiscard]] T* place_logits(GuardedBuffer& buffer, const std::vector<double>& z, std::size_t rows,
                              std::size_t classes, std::size_t capacity, T padding) {
  T* first = buffer.ending_at_guard<T>(logit_count(capacity, classes), kNaN<T>);
  const std::size_t padded = is_class_major(classes) ? classes : round_up(classes, kPanel);
  for (std::size_t n = 0; n < rows; ++n) {
    for (std::size_t c = 0; c < padded; ++c) {
      first[logit_index(capacity, classes, n, c)] = c < classes ? static_cast<T>(z[n * classes + c]) : padding;
    }
  }
  return first;
}
/// One value per row, up to a multiple of 16; `padding` after the last row.
template <class T, class Source>
[[nodiscard]] T* place_per_row(GuardedBuffer& buffer, const std::vector<Source>& values, std::size_t rows, T padding) {
  T* first = buffer.ending_at_guard<T>(round_up(rows, 16), padding);
  for (std::size_t n = 0; n < rows; ++n) first[n] = static_cast<T>(values[n]);
  return first;
}

// ---- shapes ----

struct Shape {
  std::size_t rows = 0, features = 0, classes = 0;
};

/// Beyond the exhaustive small ones: primes, lanes and tiles and K blocks +-1, and the shapes of real data sets.
[[nodiscard]] inline std::vector<Shape> large_shapes() {
  return {{1, 784, 10},   {7, 784, 10},  {64, 784, 10}, {65, 54, 7},   {257, 54, 7},  {13, 63, 8},   {16, 64, 8},
          {17, 65, 8},    {31, 64, 9},   {5, 1023, 16}, {6, 1024, 17}, {7, 1025, 31}, {3, 2049, 33}, {12, 101, 47},
          {14, 97, 63},   {15, 16, 64},  {29, 17, 65},  {11, 1, 79},   {2, 3, 97},    {8, 127, 128}, {3, 768, 1000},
          {1, 5, 1009},   {33, 1000, 2}, {37, 1, 1},    {1, 4099, 3},  {1, 1, 15},    {48, 15, 15},  {48, 16, 16},
          {100, 128, 11}, {19, 255, 12}, {23, 257, 13}, {4, 31, 14},   {193, 50, 20}, {400, 23, 40}, {385, 49, 64},
          {200, 25, 16},  {10, 90, 17},  {21, 120, 23}, {18, 70, 24},  {12, 100, 33}, {9, 127, 35},  {13, 200, 36}};
}

/// Numbers for X and W: ordinary, all of one sign, so large or small that products come near the ends of the range.
enum class Values { ordinary, positive, large, small, whole };
inline constexpr Values kAllValues[] = {Values::ordinary, Values::positive, Values::large, Values::small,
                                        Values::whole};

/// Numbers that are exact in T and use all of its digits: sums of products then depend on their order.
template <class T>
[[nodiscard]] std::vector<double> make_values(Rng& rng, std::size_t count, Values kind) {
  std::vector<double> out(count);
  for (double& v : out) {
    v = rng.between(-1, 1);
    if (kind == Values::positive) v = 0.25 + std::fabs(v);
    if (kind == Values::large) v *= 0x1p56;
    if (kind == Values::small) v *= 0x1p-70;
    if (kind == Values::whole) v = std::rint(v * 9);
    v = static_cast<double>(static_cast<T>(v));
  }
  return out;
}

// ---- logits as the loss steps get them ----

enum class Fill { ordinary, zero, all_negative, beyond_exp, ten_thousand, huge, masked, ties, peaky, steps_of_20 };
inline constexpr Fill kAllFills[] = {Fill::ordinary,     Fill::zero,       Fill::all_negative, Fill::beyond_exp,
                                     Fill::ten_thousand, Fill::huge,       Fill::masked,       Fill::ties,
                                     Fill::peaky,        Fill::steps_of_20};
[[nodiscard]] inline const char* name_of(Fill fill) {
  constexpr const char* kNames[] = {"ordinary", "zero",   "all_negative", "beyond_exp", "ten_thousand",
                                    "huge",     "masked", "ties",         "peaky",      "steps_of_20"};
  return kNames[static_cast<int>(fill)];
}

/// One row. `underflow` is where exp() underflows (88 or 708), `largest` the size of `huge`; both exact in T.
template <class T>
[[nodiscard]] std::vector<double> make_logits(Rng& rng, std::size_t classes, Fill fill, double largest = 3e38) {
  const double underflow = sizeof(T) == sizeof(float) ? 88 : 708;
  std::vector<double> z(classes);
  const std::size_t special = rng.below(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    double v = rng.between(-4, 4);
    switch (fill) {
      case Fill::ordinary: break;
      case Fill::zero: v = 0; break;
      case Fill::all_negative: v = -150 + 10 * v; break;
      case Fill::beyond_exp: v = (rng.below(2) == 0 ? -1 : 1) * (underflow + 2 * v); break;
      case Fill::ten_thousand: v *= 2500; break;
      case Fill::huge: v = v / 4 * largest; break;
      case Fill::masked: v = c != special && rng.below(3) == 0 ? -kInf<double> : v; break;
      case Fill::ties: v = static_cast<double>(rng.below(2)) + 7; break;
      case Fill::peaky: v = c == special ? 15 + v : v / 4; break;
      case Fill::steps_of_20: v = 20 * static_cast<double>(rng.below(5)); break;
    }
    z[c] = static_cast<double>(static_cast<T>(v));
  }
  return z;
}

}  // namespace lanemax::checks

#endif
