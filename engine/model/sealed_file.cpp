// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model/sealed_file.hpp"

#include "engine/fail.hpp"
#include "engine/model/checksum.hpp"

#include <cstring>

namespace lanemax::safetensors {
namespace {

constexpr std::size_t kDigits = kNoChecksum.size();
constexpr std::string_view kIntro = "\"checksum\":\"";  // in the raw header, the digits follow

// The checksum of a whole file whose own digits begin at `digits`.
std::string checksum_of(std::span<const std::uint8_t> file, std::size_t digits) {
  Crc64 crc;
  crc.update(file.data(), digits);
  crc.update(reinterpret_cast<const std::uint8_t*>(kNoChecksum.data()), kDigits);
  crc.update(file.data() + digits + kDigits, file.size() - digits - kDigits);
  return to_hex(crc.value());
}

// Where the digits begin in a header that has a checksum written as write_header() writes it; 0 otherwise. An unescaped
// quotation mark ends a string, so the text searched for cannot be part of one.
std::size_t find_checksum(std::span<const std::uint8_t> file, std::size_t data_begin) {
  const std::string_view header{reinterpret_cast<const char*>(file.data()), data_begin};
  const std::size_t found = header.find(kIntro);
  if (found == std::string_view::npos) return 0;
  const std::size_t digits = found + kIntro.size();
  return header.size() - digits > kDigits ? digits : 0;
}

}  // namespace

std::string to_hex(std::uint64_t value) {
  std::string digits(kDigits, '0');
  for (std::size_t i = kDigits; i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

const std::string* find_entry(const Metadata& metadata, std::string_view key) {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

bool is_version(std::string_view text) noexcept {
  return !text.empty() && text.size() < 10 && text.front() != '0' &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

Status begin_file(const Metadata& metadata, const std::vector<Tensor>& tensors, std::vector<std::uint8_t>& file,
                  std::size_t& data_begin) {
  std::string header;
  if (const Status status = write_header(metadata, tensors, header); !status.ok()) return status;
  file.assign(header.size() + static_cast<std::size_t>(tensors.empty() ? 0 : tensors.back().end), 0);
  std::memcpy(file.data(), header.data(), header.size());
  data_begin = header.size();
  return {};
}

void write_checksum(std::span<std::uint8_t> file, std::size_t data_begin) {
  const std::size_t digits = find_checksum(file, data_begin);
  std::memcpy(file.data() + digits, checksum_of(file, digits).data(), kDigits);
}

Status check_checksum(std::span<const std::uint8_t> file, const Header& header) {
  const std::string* stated = find_entry(header.metadata, kChecksumKey);
  const std::size_t digits = find_checksum(file, header.data_begin);
  const std::string_view raw{reinterpret_cast<const char*>(file.data()), header.data_begin};
  if (stated == nullptr || digits == 0 || *stated != raw.substr(digits, kDigits)) {
    return fail(StatusCode::bad_model, "checksum", "16 hexadecimal digits as lanemax writes them",
                stated == nullptr ? std::string_view{} : *stated);
  }
  if (*stated == checksum_of(file, digits)) return {};
  return fail(StatusCode::bad_model, "checksum", "that of the file's bytes: the file is damaged or was edited",
              *stated);
}

}  // namespace lanemax::safetensors
