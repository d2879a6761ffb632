// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_C_API_TAKER_HPP
#define LANEMAX_ENGINE_C_API_TAKER_HPP

#include <lanemax/lanemax.h>
#include <lanemax/predictor.hpp>
#include <lanemax/train_step.hpp>

#include "engine/c_api/sized.hpp"
#include "engine/fail.hpp"

#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace lanemax::c_api {

/// Takes what a C caller hands over, checked, as the C++ calls want it. The status is that of the first thing that is
/// wrong; what follows it is not to be used.
class Taker {
 public:
  [[nodiscard]] bool ok() const noexcept { return status_.ok(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  void need(bool holds, const char* what, const char* expected) noexcept {
    if (ok() && !holds) status_ = fail(StatusCode::invalid_argument, what, expected);
  }
  void handle(const void* handle, const char* what) noexcept { need(handle != nullptr, what, "a handle, not NULL"); }
  /// Where a result goes.
  void place(const void* out, const char* what) noexcept { need(out != nullptr, what, "where it goes, not NULL"); }
  void text(const char* text, const char* what) noexcept { need(text != nullptr, what, "a text, not NULL"); }

  /// An enumerator, of those up to `last`.
  template <class Enum>
  Enum choice(std::int32_t value, Enum last, const char* what) noexcept {
    need(value >= 0 && value <= static_cast<std::int32_t>(last), what, "one of its constants");
    return ok() ? static_cast<Enum>(value) : Enum{};
  }
  bool flag(std::int32_t value, const char* what) noexcept {
    need(value == 0 || value == 1, what, "0 or 1");
    return value == 1;
  }
  void reserved(std::int32_t value) noexcept { need(value == 0, "reserved", "0"); }

  template <class T>
  std::span<T> array(T* data, std::size_t count, const char* what) noexcept {
    need(data != nullptr || count == 0, what, "data, not NULL");
    return ok() && count > 0 ? std::span<T>(data, count) : std::span<T>();
  }
  std::span<std::byte> memory(void* data, std::size_t size, const char* what) noexcept {
    return array(static_cast<std::byte*>(data), size, what);
  }
  /// May throw std::bad_alloc.
  std::vector<std::string> texts(const char* const* data, std::size_t count, const char* what);

  /// Of any of the C matrices; NULL: an empty one.
  template <class Matrix>
  auto matrix(const Matrix& m, const char* what) noexcept {
    need(m.data != nullptr || m.rows == 0 || m.cols == 0, what, "data, not NULL");
    using View = MatrixView<std::remove_pointer_t<decltype(m.data)>>;
    return m.data == nullptr ? View()
                             : View(m.data, m.rows, m.cols, stride(m.row_stride, m.cols), stride(m.col_stride));
  }
  WeightsView<const float> weights(const lanemax_const_weights* weights, const char* what) noexcept;
  /// Of the weights that are written.
  WeightsView<float> weights(const lanemax_weights* weights, const char* what) noexcept;
  FeaturesView features(const lanemax_features& features) noexcept;
  LabelsView labels(const lanemax_labels& labels, const char* what) noexcept;
  FeatureScaling scaling(const lanemax_scaling& scaling) noexcept;
  Batch batch(const lanemax_batch* batch) noexcept;

  Objective objective(const lanemax_objective& objective) noexcept;
  Isa isa(std::int32_t isa) noexcept { return choice(isa, Isa::neon, "isa"); }
  Execution execution(std::int32_t threads, std::int32_t variant) noexcept;
  Loss loss(std::int32_t loss) noexcept { return choice(loss, Loss::logistic, "loss"); }

  /// A struct from whichever header the caller was compiled with; NULL: all at its defaults.
  template <class Struct>
  Struct sized(const Struct* given, const char* what) noexcept {
    Struct taken = defaults<Struct>();
    if (given == nullptr) return taken;
    room(given, what);
    if (!ok()) return taken;
    need(read_sized(given, taken), what, "0 in what this library does not know");
    return taken;
  }
  /// There is such a struct to be written, as its size says, or NULL.
  template <class Struct>
  void room(const Struct* out, const char* what) noexcept {
    need(out == nullptr || has_size<Struct>(out->struct_size), what, "a struct_size that is the size of the struct");
  }

 private:
  static std::size_t stride(std::size_t given, std::size_t otherwise = 1) noexcept {
    return given == 0 ? otherwise : given;
  }

  Status status_;
};

/// An option that may be left to the library.
inline std::optional<double> unless_unset(double value) noexcept {
  return value == LANEMAX_UNSET ? std::nullopt : std::optional(value);
}

}  // namespace lanemax::c_api

#endif
