// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_FEATURE_TYPES_HPP
#define LANEMAX_TESTS_SUPPORT_FEATURE_TYPES_HPP

#include <lanemax/views.hpp>

#include <bit>
#include <cstring>
#include <vector>

namespace lanemax::checks {

inline constexpr FeatureType kAllFeatureTypes[] = {FeatureType::f32, FeatureType::f64, FeatureType::u8,
                                                   FeatureType::f16, FeatureType::bf16};

/// Samples stored in any feature type. The values are whole numbers from 0 to 255, which every type holds.
struct TypedFeatures {
  TypedFeatures(const std::vector<double>& values, std::size_t rows, std::size_t cols, FeatureType type,
                std::size_t padding = 0) {
    const std::size_t stride = cols + padding, size = size_of(type);
    bytes.assign(((rows - 1) * stride + cols) * size, 0xff);
    for (std::size_t n = 0; n < rows; ++n) {
      for (std::size_t d = 0; d < cols; ++d) store(values[n * cols + d], type, &bytes[(n * stride + d) * size]);
    }
    view = {bytes.data(), type, rows, cols, stride};
  }
  TypedFeatures(const TypedFeatures&) = delete;
  TypedFeatures& operator=(const TypedFeatures&) = delete;

  std::vector<unsigned char> bytes;
  FeaturesView view;

 private:
  static void store(double value, FeatureType type, unsigned char* to) {
    const auto put = [to](auto number) { std::memcpy(to, &number, sizeof(number)); };
    const auto single = static_cast<float>(value);
    const auto bits = std::bit_cast<std::uint32_t>(single);
    switch (type) {
      case FeatureType::f32: put(single); break;
      case FeatureType::f64: put(value); break;
      case FeatureType::u8: put(static_cast<std::uint8_t>(value)); break;
      case FeatureType::bf16: put(static_cast<std::uint16_t>(bits >> 16)); break;
      case FeatureType::f16:
        // Whole numbers up to 255 are normal numbers of f16: another bias of the exponent, 13 bits less.
        put(static_cast<std::uint16_t>(value == 0 ? 0 : ((bits >> 23) - 112) << 10 | (bits >> 13 & 0x3ff)));
        break;
    }
  }
};

}  // namespace lanemax::checks

#endif
