// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CHECKPOINT_FLAT_ARCHIVE_HPP
#define LANEMAX_ENGINE_FIT_CHECKPOINT_FLAT_ARCHIVE_HPP

#include "engine/fit/checkpoint/archive.hpp"

#include <vector>

namespace lanemax {

/// Many small things as one array of doubles, for an archive of few arrays: what is exchanged is collected, and after
/// give_back() handed out again in the same order. Counts are exact below 2^53; one that is above its limit, which only
/// a forged file can hold, comes back as 0.
class FlatArchive final : public Archive {
 public:
  using Archive::array;
  using Archive::count;
  [[nodiscard]] std::vector<double>& values() noexcept { return values_; }
  void give_back() noexcept { next_ = values_.data(); }

  void number(const char*, double& value) override {
    if (next_ == nullptr) {
      values_.push_back(value);
    } else {
      value = *next_++;
    }
  }
  void count(const char* name, std::uint64_t& value, std::uint64_t most) override {
    auto number_of = static_cast<double>(value);
    number(name, number_of);
    constexpr double kExact = 0x1p53;
    const bool fits = number_of >= 0 && number_of <= kExact && number_of <= static_cast<double>(most);
    value = fits ? static_cast<std::uint64_t>(number_of) : 0;
  }
  void array(const char* name, double* values, std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) number(name, values[i]);
  }
  void array(const char* name, float* values, std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) {
      double wide = static_cast<double>(values[i]);
      number(name, wide);
      values[i] = static_cast<float>(wide);
    }
  }

 private:
  std::vector<double> values_;
  double* next_ = nullptr;  // null: collecting
};

}  // namespace lanemax

#endif
