// SPDX-License-Identifier: BSD-3-Clause
//
// Structs that begin with their size: a caller may have been compiled with a header that has fewer fields, or more.
#ifndef LANEMAX_ENGINE_C_API_SIZED_HPP
#define LANEMAX_ENGINE_C_API_SIZED_HPP

#include <lanemax/lanemax.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace lanemax::c_api {

/// What the struct's size was when it was first released, in bytes of a 64-bit machine. It stays so when fields are
/// appended.
template <class Struct>
inline constexpr std::size_t kFirstSize = 0;
template <>
inline constexpr std::size_t kFirstSize<lanemax_batch> = 184;
template <>
inline constexpr std::size_t kFirstSize<lanemax_model_parts> = 120;
template <>
inline constexpr std::size_t kFirstSize<lanemax_predictions> = 224;
template <>
inline constexpr std::size_t kFirstSize<lanemax_loss_options> = 48;
template <>
inline constexpr std::size_t kFirstSize<lanemax_loss_result> = 48;
template <>
inline constexpr std::size_t kFirstSize<lanemax_trainer_options> = 80;
template <>
inline constexpr std::size_t kFirstSize<lanemax_step_options> = 48;
template <>
inline constexpr std::size_t kFirstSize<lanemax_fit_options> = 216;
template <>
inline constexpr std::size_t kFirstSize<lanemax_fit_result> = 888;
template <>
inline constexpr std::size_t kFirstSize<lanemax_path_options> = 72;
template <>
inline constexpr std::size_t kFirstSize<lanemax_path_summary> = 56;
template <>
inline constexpr std::size_t kFirstSize<lanemax_path_point> = 48;
template <>
inline constexpr std::size_t kFirstSize<lanemax_fold_score> = 32;

/// A size beyond this is memory that nobody has set.
inline constexpr std::size_t kMostSize = 65536;

template <class Struct>
[[nodiscard]] constexpr bool has_size(std::size_t size) noexcept {
  static_assert(kFirstSize<Struct> > 0 && kFirstSize<Struct> <= sizeof(Struct));
  return size >= kFirstSize<Struct> && size <= kMostSize;
}

/// All fields at their defaults: 0 where there is no other.
template <class Struct>
[[nodiscard]] Struct defaults() noexcept {
  return {};
}
template <>
[[nodiscard]] lanemax_loss_options defaults() noexcept;
template <>
[[nodiscard]] lanemax_trainer_options defaults() noexcept;
template <>
[[nodiscard]] lanemax_step_options defaults() noexcept;
template <>
[[nodiscard]] lanemax_fit_options defaults() noexcept;

/// What `given` has of the fields of `taken`; false if it sets one that this library does not have.
template <class Struct>
[[nodiscard]] bool read_sized(const Struct* given, Struct& taken) noexcept {
  std::memcpy(&taken, given, std::min(given->struct_size, sizeof(Struct)));
  const char* const bytes = reinterpret_cast<const char*>(given);
  return given->struct_size <= sizeof(Struct) ||
         std::all_of(bytes + sizeof(Struct), bytes + given->struct_size, [](char byte) { return byte == 0; });
}

/// What `out` has room for, by `size`, and zeros in what this library does not know.
template <class Struct>
void write_sized(Struct from, Struct* out, std::size_t size) noexcept {
  from.struct_size = size;
  std::memcpy(out, &from, std::min(size, sizeof(Struct)));
  if (size > sizeof(Struct)) std::memset(reinterpret_cast<char*>(out) + sizeof(Struct), 0, size - sizeof(Struct));
}
/// The same by the size that it has been given, unless it is NULL.
template <class Struct>
void write_sized(const Struct& from, Struct* out) noexcept {
  if (out != nullptr) write_sized(from, out, out->struct_size);
}

/// The init functions.
template <class Struct>
[[nodiscard]] std::int32_t init_sized(Struct* out, std::size_t size) noexcept {
  if (out == nullptr || !has_size<Struct>(size)) return LANEMAX_INVALID_ARGUMENT;
  write_sized(defaults<Struct>(), out, size);
  return LANEMAX_OK;
}

}  // namespace lanemax::c_api

#endif
