// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_PARAMETERS_HPP
#define LANEMAX_TESTS_SUPPORT_PARAMETERS_HPP

#include <lanemax/objective.hpp>

#include "engine/layout.hpp"
#include "tests/support/public_calls.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

// Parameters and matrices of all strides, in memory that shows who goes beyond it.
namespace lanemax::checks {

/// So many bytes with `offset` bytes on either side, which nobody must touch, up to an unmapped page. Sizes are odd,
/// and so are addresses: without an offset, all of the memory is made use of.
class OddMemory {
 public:
  OddMemory(std::size_t bytes, std::size_t offset)
      : all_(buffer_.ending_at_guard<std::byte>(bytes + 2 * offset, kAround), bytes + 2 * offset), offset_(offset) {}
  operator std::span<std::byte>() const { return all_.subspan(offset_, all_.size() - 2 * offset_); }
  [[nodiscard]] bool untouched_around() const {
    const auto is_around = [](std::byte b) { return b == kAround; };
    return std::ranges::all_of(all_.first(offset_), is_around) && std::ranges::all_of(all_.last(offset_), is_around);
  }

 private:
  static constexpr std::byte kAround{0x77};
  GuardedBuffer buffer_;
  std::span<std::byte> all_;
  std::size_t offset_;
};

/// Parameters with such memory, of exactly the size asked for.
template <class T>
struct OwnedParameters : Parameters<T> {
  OwnedParameters(std::size_t features, std::size_t classes, std::size_t offset = 0)
      : memory(Parameters<T>::bytes(features, classes), offset) {
    EXPECT_TRUE(Parameters<T>::create(features, classes, memory, *this).ok());
  }
  [[nodiscard]] std::vector<T> all() const { return {this->values().begin(), this->values().end()}; }
  OddMemory memory;
};

/// How a matrix lies in memory.
struct MatrixStrides {
  const char* name;
  bool transposed;
  std::size_t step, padding;
};
inline constexpr MatrixStrides kMatrixStrides[] = {{"dense", false, 1, 0},
                                                   {"padded", false, 1, 3},
                                                   {"transposed", true, 1, 0},
                                                   {"transposed, padded", true, 1, 5},
                                                   {"every other", false, 2, 1}};

inline constexpr double kGap = 4321.25;
/// Such a matrix, up to an unmapped page; kGap is between its elements.
template <class T>
class Matrix {
 public:
  Matrix(std::size_t rows, std::size_t cols, const MatrixStrides& s, const std::vector<T>& values = {}) {
    const std::size_t lines = s.transposed ? cols : rows, length = s.transposed ? rows : cols;
    const std::size_t stride = length * s.step + s.padding;
    size_ = (lines - 1) * stride + (length - 1) * s.step + 1;
    view = {buffer_.ending_at_guard<T>(size_, static_cast<T>(kGap)), lines, length, stride, s.step};
    if (s.transposed) view = view.transposed();
    for (std::size_t i = 0; i < values.size(); ++i) view.at(i / cols, i % cols) = values[i];
  }
  [[nodiscard]] std::vector<T> dense() const {
    std::vector<T> values;
    for (std::size_t i = 0; i < view.rows * view.cols; ++i) values.push_back(view.at(i / view.cols, i % view.cols));
    return values;
  }
  [[nodiscard]] std::size_t untouched() const {
    return static_cast<std::size_t>(std::count(view.data, view.data + size_, static_cast<T>(kGap)));
  }
  [[nodiscard]] std::size_t gaps() const { return size_ - view.rows * view.cols; }
  MatrixView<T> view;

 private:
  GuardedBuffer buffer_;
  std::size_t size_;
};

/// Numbers of all kinds: ordinary ones, -0, a subnormal one, the lowest.
template <class T>
[[nodiscard]] std::vector<T> numbers(Rng& rng, std::size_t count) {
  const std::vector<double> values = make_values<T>(rng, count, Values::ordinary);
  std::vector<T> result(values.begin(), values.end());
  const T special[] = {T(-0.0), std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::lowest()};
  for (std::size_t i = 0; i < std::min<std::size_t>(count, 3); ++i) result[i * (count - 1) / 2] = special[i];
  return result;
}

/// W and b as engine/layout.hpp has them.
template <class T>
[[nodiscard]] std::vector<T> in_engine_order(const std::vector<T>& w, const std::vector<T>& b, std::size_t features,
                                             T bias_padding) {
  std::vector<T> all(weight_count(features, b.size()) + bias_count(b.size()), T(0));
  for (std::size_t i = 0; i < w.size(); ++i) all[weight_index(features, b.size(), i / features, i % features)] = w[i];
  std::copy(b.begin(), b.end(), all.end() - static_cast<std::ptrdiff_t>(bias_count(b.size())));
  std::fill(all.end() - static_cast<std::ptrdiff_t>(bias_count(b.size()) - b.size()), all.end(), bias_padding);
  return all;
}

/// loss(), or with a `gradient` loss_and_gradient(), with all that they can write. The workspace is memory as above.
template <class T>
[[nodiscard]] CallOutputs<T> call_on(const Parameters<T>& weights, Parameters<T>* gradient,
                                     const ProblemArrays<T>& arrays, const Execution& how, std::size_t offset = 0) {
  const std::size_t rows = arrays.batch.rows(), features = weights.features(), classes = weights.classes();
  CallOutputs<T> out;
  out.prepare(rows, features, classes);
  SampleOutputs<T> wanted{.losses = out.sample_losses};
  if (arrays.objective.loss != Loss::hinge) wanted.probabilities = {out.probabilities.data(), rows, classes};
  if (gradient != nullptr) wanted.dfeatures = {out.dfeatures.data(), rows, features};
  const OddMemory workspace(loss_workspace_bytes<T>(rows, features, classes, how.threads), offset);
  const Objective& objective = arrays.objective;
  out.status = gradient == nullptr
                   ? loss(objective, weights, arrays.batch, how, workspace, out.result, wanted)
                   : loss_and_gradient(objective, weights, arrays.batch, how, workspace, out.result, *gradient, wanted);
  EXPECT_TRUE(workspace.untouched_around());
  if (out.status.ok() && gradient != nullptr) {
    EXPECT_TRUE(gradient->get({{out.dweights.data(), classes, features}, out.dbias}).ok());
  }
  return out;
}

/// A problem of some loss, all else included.
template <class T>
[[nodiscard]] reference::Problem any_problem(Rng& rng, const Shape& s) {
  const reference::Loss loss = s.classes == 1       ? reference::Loss::logistic
                               : s.classes % 3 == 1 ? reference::Loss::softmax
                                                    : reference::Loss::hinge;
  return make_problem<T>(rng, s, {.loss = loss, .l2 = true, .weights = true, .ignored = true});
}

/// The place is that of a weight or bias that is not finite; a bias has no column.
inline void expect_status(const Status& status, StatusCode code, const std::string& what, std::size_t row = 0,
                          std::size_t column = 0) {
  SCOPED_TRACE(message(status));
  EXPECT_EQ(name_of(status.code), std::string(name_of(code)));
  EXPECT_EQ(status.what, what);
  if (code != StatusCode::not_finite || what == "features") return;
  EXPECT_EQ(status.row, static_cast<std::int64_t>(row));
  EXPECT_EQ(status.column, what == "bias" ? -1 : static_cast<std::int64_t>(column));
}

}  // namespace lanemax::checks

#endif
