// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_SAFETENSORS_HPP
#define LANEMAX_ENGINE_MODEL_SAFETENSORS_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The container format, without any knowledge of models: eight bytes with the header's length N (little endian), N
/// bytes of JSON padded with spaces, then the tensors' bytes without a hole.
///
/// Stricter than the reference implementation: a name given twice, an empty tensor, a number written as 1e3 or 1.0 and
/// an unknown field are refused. Tensors are F32, F64 or U64. Limits that keep a hostile header cheap: 128 tensors of
/// at most 8 dimensions, 1024 metadata entries. Memory is taken for what the file really holds, never for what it
/// claims.
///
/// What is called with bytes from outside may throw std::bad_alloc and nothing else.
namespace lanemax::safetensors {

inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;
inline constexpr std::size_t kMaxTensors = 128;
inline constexpr std::size_t kMaxDimensions = 8;
inline constexpr std::size_t kMaxMetadata = 1024;
inline constexpr std::uint64_t kMaxInteger = std::uint64_t{1} << 53;  // what every JSON reader keeps exactly
inline constexpr std::size_t kDataAlignment = 64;

enum class Dtype : std::uint8_t { f32, f64, u64 };

/// Bytes of one number.
[[nodiscard]] constexpr std::uint64_t size_of(Dtype dtype) noexcept {
  return dtype == Dtype::f32 ? 4 : 8;
}

struct Tensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  ///< offsets from the end of the header
  std::uint64_t end = 0;
  Dtype dtype = Dtype::f32;
};

/// The type that a tensor of this name must have.
using DtypeOf = Dtype (*)(std::string_view name);

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct Header {
  Metadata metadata;            ///< in file order
  std::vector<Tensor> tensors;  ///< in order of their bytes
  std::size_t data_begin = 0;   ///< 8 + N
};

/// Refuses what cannot be a safetensors file, judging by its first bytes and its size, and says what it looks like.
[[nodiscard]] Status check_beginning(std::span<const std::uint8_t> beginning, std::uint64_t file_size) noexcept;

/// Reads and checks the header. Afterwards every tensor is of the type that dtype_of says (null: any type), its bytes
/// are its shape's product times its type's size, lie inside the file, and together fill it. On an error `header` has
/// what was read before it.
[[nodiscard]] Status read_header(std::span<const std::uint8_t> file, DtypeOf dtype_of, Header& header);

/// The bytes in front of the tensors' data: length, JSON, padding to kDataAlignment. Refuses more than can be read.
[[nodiscard]] Status write_header(const Metadata& metadata, const std::vector<Tensor>& tensors, std::string& text);

inline constexpr std::size_t kAnyCount = ~std::size_t{0};

/// Reads a JSON list of exactly `count` strings, or of any number of them; a refusal names `field`.
[[nodiscard]] Status read_string_list(std::string_view json, const char* field, std::size_t count,
                                      std::vector<std::string>& list);

}  // namespace lanemax::safetensors

#endif
