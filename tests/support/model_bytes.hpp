// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_MODEL_BYTES_HPP
#define LANEMAX_TESTS_SUPPORT_MODEL_BYTES_HPP

// Models, and model files good and bad, put together without the code under test.

#include <lanemax/model.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace lanemax::test {

using Bytes = std::vector<std::uint8_t>;
using Limits = std::numeric_limits<float>;

// One bit after the other, straight from the definition.
inline std::uint64_t plain_crc(const Bytes& bytes) {
  std::uint64_t crc = ~std::uint64_t{0};
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xC96C5795D7870F42u : crc >> 1;
  }
  return ~crc;
}

// Bit patterns of finite floats, all exponents alike.
inline float pattern(std::uint64_t& state) {
  for (;;) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(state >> 32));
    if (std::isfinite(value)) return value;
  }
}

inline Model make_model(std::size_t classes, std::size_t features) {
  Model model;
  model.features = features;
  std::uint64_t state = classes * 1000 + features;
  for (std::size_t i = 0; i < classes * features; ++i) model.weight.push_back(pattern(state));
  for (std::size_t c = 0; c < classes; ++c) {
    model.bias.push_back(pattern(state));
    model.class_labels.push_back("class " + std::to_string(c));
  }
  return model;
}

inline Model small_model() {
  Model model;
  model.features = 3;
  model.weight = {0.0F, -0.0F, Limits::denorm_min(), -Limits::min() / 2, Limits::max(), Limits::lowest()};
  model.bias = {1.5F, -Limits::infinity()};
  model.class_labels = {"no", "yes"};
  model.feature_names = {"a", "b", "c"};
  model.scaling_centre = {-0.0F, 0.1F, 16777216.0F};
  model.scaling_factor = {1.0F, Limits::denorm_min(), Limits::max()};
  model.training = {{"solver", "lbfgs"}, {"l2", "0.001"}};
  return model;
}

// The small model around a centre that no f32 holds.
inline Model centred_model() {
  Model model = small_model();
  model.centre = {1700000000.1, -0.0, std::numeric_limits<double>::denorm_min()};
  return model;
}

// The small model, of which nobody answers below 0.1.
inline Model abstaining_model() {
  Model model = small_model();
  model.threshold = 0.1;
  return model;
}

// The small model with the columns of a table.
inline Model model_of_a_table() {
  Model model = small_model();
  model.columns = {{"", ColumnRole::id},
                   {"a", ColumnRole::feature},
                   {"label:x", ColumnRole::label},
                   {"b", ColumnRole::feature},
                   {"a", ColumnRole::dropped},
                   {"c", ColumnRole::feature},
                   {"caf\xC3\xA9", ColumnRole::weight},
                   {"", ColumnRole::dropped}};
  return model;
}

template <class T>
void expect_same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

inline void expect_same(const Model& a, const Model& b) {
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.features, b.features);
  expect_same_bits(a.weight, b.weight);
  expect_same_bits(a.bias, b.bias);
  expect_same_bits(a.centre, b.centre);
  expect_same_bits(a.scaling_centre, b.scaling_centre);
  expect_same_bits(a.scaling_factor, b.scaling_factor);
  EXPECT_EQ(a.class_labels, b.class_labels);
  EXPECT_EQ(a.feature_names, b.feature_names);
  ASSERT_EQ(a.columns.size(), b.columns.size());
  for (std::size_t i = 0; i < a.columns.size(); ++i) {
    EXPECT_EQ(a.columns[i].name, b.columns[i].name);
    EXPECT_EQ(a.columns[i].role, b.columns[i].role);
  }
  EXPECT_EQ(a.threshold, b.threshold);
  EXPECT_EQ(a.training, b.training);
}

inline Bytes to_bytes(const Model& model) {
  Bytes bytes;
  const Status status = model_to_bytes(model, bytes);
  EXPECT_TRUE(status.ok()) << message(status);
  return bytes;
}

inline Status from_bytes(const Bytes& bytes, Model& model) {
  return model_from_bytes(bytes.data(), bytes.size(), model);
}

inline void expect_round_trip(const Model& model) {
  const Bytes bytes = to_bytes(model);
  Model read;
  const Status status = from_bytes(bytes, read);
  ASSERT_TRUE(status.ok()) << message(status);
  expect_same(model, read);
  EXPECT_EQ(to_bytes(read), bytes);
}

// A file with this header and data.
inline Bytes file_of(std::string_view header, const Bytes& data) {
  Bytes bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

template <class T = float>
Bytes floats(std::vector<T> values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::size_t header_length(const Bytes& file) {
  std::size_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | file[i];
  return length;
}

inline std::string header_of(const Bytes& file) {
  return {file.begin() + 8, file.begin() + 8 + static_cast<std::ptrdiff_t>(header_length(file))};
}

// Where the 16 digits of the checksum are, and the file with the right ones there.
inline std::size_t checksum_position(const Bytes& file) {
  return 8 + header_of(file).find("\"checksum\":\"") + 12;
}

inline Bytes with_right_checksum(Bytes file) {
  const std::size_t at = checksum_position(file);
  std::memset(file.data() + at, '0', 16);
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(plain_crc(file)));
  std::memcpy(file.data() + at, digits, 16);
  return file;
}

// The model's file with `from` replaced in its header, its checksum right again.
inline Bytes edited(std::string_view from, std::string_view to, const Model& model = small_model()) {
  const Bytes file = to_bytes(model);
  std::string header = header_of(file);
  const std::size_t at = header.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  header.replace(at, from.size(), to);
  return with_right_checksum(
      file_of(header, Bytes(file.begin() + 8 + static_cast<std::ptrdiff_t>(header_length(file)), file.end())));
}

// Refused with this code, `what` and a word of `expected`, and the model is left as it was.
inline void expect_refused(const Bytes& file, std::string_view what, std::string_view expected,
                           std::string_view found = "") {
  Model model = make_model(2, 2);
  const Model before = model;
  const Status status = from_bytes(file, model);
  EXPECT_EQ(status.code, StatusCode::bad_model) << message(status);
  EXPECT_EQ(status.what, what) << message(status);
  EXPECT_NE(std::string_view{status.expected}.find(expected), std::string_view::npos) << message(status);
  EXPECT_NE(std::string_view{status.found}.find(found), std::string_view::npos) << message(status);
  expect_same(model, before);
}

// A header with tensors of 2 x 2 and 2, with pieces to replace.
struct Pieces {
  std::string metadata = "";
  std::string weight_dtype = "\"F32\"";
  std::string weight_shape = "[2,2]";
  std::string weight_offsets = "[8,24]";
  std::string bias_shape = "[2]";
  std::string bias_offsets = "[0,8]";
  std::string more = "";
  std::size_t data = 6;
};

inline Bytes foreign(const Pieces& p) {
  const std::string header = "{" + p.metadata + "\"weight\":{\"dtype\":" + p.weight_dtype +
                             ",\"shape\":" + p.weight_shape + ",\"data_offsets\":" + p.weight_offsets +
                             "},\"bias\":{\"dtype\":\"F32\",\"shape\":" + p.bias_shape +
                             ",\"data_offsets\":" + p.bias_offsets + "}" + p.more + "}";
  return file_of(header, floats(std::vector<float>(p.data, 0.5F)));
}

}  // namespace lanemax::test

#endif
