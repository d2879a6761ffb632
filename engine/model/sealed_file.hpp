// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_SEALED_FILE_HPP
#define LANEMAX_ENGINE_MODEL_SEALED_FILE_HPP

#include "engine/model/safetensors.hpp"

/// What the library's own safetensors files share: a version under a key that says what kind of file it is, and a
/// CRC-64 of the whole file, computed with its own sixteen digits as zeros.
namespace lanemax::safetensors {

inline constexpr std::string_view kModelKey = "lanemax_format";
inline constexpr std::string_view kCheckpointKey = "lanemax_checkpoint";
inline constexpr std::string_view kChecksumKey = "checksum";
inline constexpr std::string_view kNoChecksum = "0000000000000000";  ///< until write_checksum()

/// Sixteen hexadecimal digits.
[[nodiscard]] std::string to_hex(std::uint64_t value);

/// Null if there is none.
[[nodiscard]] const std::string* find_entry(const Metadata& metadata, std::string_view key);

/// A whole number from 1, as versions are written.
[[nodiscard]] bool is_version(std::string_view text) noexcept;

/// A file with its header and zeros for its tensors, which are in order of their bytes. The metadata has an entry
/// (kChecksumKey, kNoChecksum).
[[nodiscard]] Status begin_file(const Metadata& metadata, const std::vector<Tensor>& tensors,
                                std::vector<std::uint8_t>& file, std::size_t& data_begin);

/// Once all other bytes of the file are there.
void write_checksum(std::span<std::uint8_t> file, std::size_t data_begin);

[[nodiscard]] Status check_checksum(std::span<const std::uint8_t> file, const Header& header);

}  // namespace lanemax::safetensors

#endif
