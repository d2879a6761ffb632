// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/idx.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <string>

#include "engine/fail.hpp"

namespace lanemax {

namespace {

constexpr std::size_t kMaxDimensions = 4;
constexpr std::uint8_t kUnsignedByte = 0x08;

struct IdxHeader {
  std::size_t dimensions = 0;
  std::array<std::uint32_t, kMaxDimensions> size{};
  std::size_t header_bytes = 0;
  std::size_t payload_bytes = 0;
};

enum class Role : std::uint8_t { samples, labels };

const char* name_of_type(std::uint8_t type) {
  switch (type) {
    case 0x09: return "signed byte";
    case 0x0B: return "16-bit integer";
    case 0x0C: return "32-bit integer";
    case 0x0D: return "32-bit float";
    case 0x0E: return "64-bit float";
    default: return nullptr;
  }
}

bool is_type(std::uint8_t byte) {
  return byte == kUnsignedByte || name_of_type(byte) != nullptr;
}

bool is_little_endian_magic(std::span<const std::uint8_t> head) {
  return head.size() >= 4 && head[0] >= 1 && head[0] <= kMaxDimensions && is_type(head[1]) && head[2] == 0 &&
         head[3] == 0;
}

std::string hex(std::uint8_t byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%02X", static_cast<unsigned>(byte));
  return text.data();
}

Status at_byte(Status status, std::size_t byte) {
  status.byte = static_cast<std::int64_t>(byte);
  return status;
}

Status refuse_short_header(std::size_t have) {
  return at_byte(fail(StatusCode::bad_data, "file too short for an IDX header", "4 bytes and 4 more for each dimension",
                      std::to_string(have) + " bytes"),
                 have);
}

Status check_magic(std::span<const std::uint8_t> magic, Role role) {
  if (is_little_endian_magic(magic)) {
    return at_byte(fail(StatusCode::bad_data, "IDX header in the wrong byte order", "big-endian numbers",
                        hex(magic[0]) + ' ' + hex(magic[1]) + " 0x00 0x00"),
                   0);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (magic[i] != 0) {
      return at_byte(fail(StatusCode::bad_data, "not an IDX file", "two zero bytes at its beginning", hex(magic[i])),
                     i);
    }
  }
  if (magic[2] != kUnsignedByte) {
    const char* const name = name_of_type(magic[2]);
    return at_byte(fail(StatusCode::bad_data, name != nullptr ? "IDX type not supported" : "unknown IDX type",
                        "type 0x08 (unsigned byte)", name != nullptr ? hex(magic[2]) + ", " + name : hex(magic[2])),
                   2);
  }
  const std::size_t dimensions = magic[3];
  if (role == Role::samples && dimensions == 1) {
    return at_byte(fail(StatusCode::bad_data, "labels file where samples belong",
                        "2 to 4 dimensions; are the data and labels files swapped?", "1 dimension"),
                   3);
  }
  if (role == Role::labels && dimensions >= 2 && dimensions <= kMaxDimensions) {
    return at_byte(
        fail(StatusCode::bad_data, "samples file where labels belong",
             "1 dimension; are the data and labels files swapped?", std::to_string(dimensions) + " dimensions"),
        3);
  }
  if (dimensions == 0 || dimensions > kMaxDimensions) {
    return at_byte(fail(StatusCode::bad_data, "number of IDX dimensions",
                        role == Role::samples ? "2 to 4" : "1 for labels", std::to_string(dimensions)),
                   3);
  }
  return {};
}

std::string product_text(const IdxHeader& header) {
  std::string text;
  for (std::size_t i = 0; i < header.dimensions; ++i) {
    if (i > 0) text += " x ";
    text += std::to_string(header.size[i]);
  }
  return text;
}

// Payload = product of the dimensions, none of which may be zero, in a number that cannot wrap.
Status check_dimensions(IdxHeader& header) {
  constexpr std::size_t kLargest = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()) - 64;
  header.payload_bytes = 1;
  for (std::size_t i = 0; i < header.dimensions; ++i) {
    if (header.size[i] == 0) {
      return at_byte(fail(StatusCode::bad_data, i == 0 ? "no samples in the IDX file" : "no features in the IDX file",
                          "dimensions of at least 1", product_text(header)),
                     4 + 4 * i);
    }
    if (header.payload_bytes > kLargest / header.size[i]) {
      return at_byte(fail(StatusCode::bad_data, "IDX dimensions", "a product below 2^63", product_text(header)), 4);
    }
    header.payload_bytes *= header.size[i];
  }
  return {};
}

Status refuse_size(const std::string& actual, const IdxHeader& header) {
  return fail(StatusCode::bad_data, "size of the IDX data", "as many bytes as the dimensions in its header say",
              actual + " bytes, not " + std::to_string(header.header_bytes + header.payload_bytes));
}

// Before anything is allocated: can the file hold what its header claims?
Status check_payload(const ByteSource& source, const IdxHeader& header) {
  const std::size_t claimed = header.header_bytes + header.payload_bytes;
  if (!source.compressed()) {
    return source.file_size() == claimed ? Status{} : refuse_size(std::to_string(source.file_size()), header);
  }
  constexpr std::size_t kMostDeflateExpands = 1032;
  if (claimed / kMostDeflateExpands > source.file_size()) {
    return refuse_size(std::to_string(source.file_size()) + " compressed", header);
  }
  return claimed > source.size_limit() ? refuse_inflated_size(std::to_string(claimed)) : Status{};
}

Status read_header(ByteSource& source, Role role, IdxHeader& header) {
  std::array<std::uint8_t, 4 + 4 * kMaxDimensions> bytes{};
  std::size_t got = 0;
  if (Status status = source.read(bytes.data(), 4, got); !status.ok()) return status;
  if (got < 4) return refuse_short_header(got);
  if (Status status = check_magic({bytes.data(), 4}, role); !status.ok()) return status;
  header.dimensions = bytes[3];
  header.header_bytes = 4 + 4 * header.dimensions;
  if (Status status = source.read(bytes.data() + 4, 4 * header.dimensions, got); !status.ok()) return status;
  if (got < 4 * header.dimensions) return refuse_short_header(4 + got);
  for (std::size_t i = 0; i < header.dimensions; ++i) {
    const std::uint8_t* const b = bytes.data() + 4 + 4 * i;
    header.size[i] = std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  }
  if (Status status = check_dimensions(header); !status.ok()) return status;
  return check_payload(source, header);
}

// Appends the payload. The space is reserved at once but touched only as data arrives, so that a short compressed file
// costs no more memory than it holds.
Status append_payload(ByteSource& source, const IdxHeader& header, LargeVector<std::uint8_t>& bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  const std::size_t before = bytes.size();
  const std::size_t end = before + header.payload_bytes;
  bytes.reserve(end);
  while (bytes.size() < end) {
    const std::size_t at = bytes.size();
    const std::size_t wanted = std::min(kPiece, end - at);
    bytes.resize(at + wanted);
    std::size_t got = 0;
    if (Status status = source.read(bytes.data() + at, wanted, got); !status.ok()) return status;
    if (got < wanted) return refuse_size(std::to_string(header.header_bytes + (at - before) + got), header);
  }
  // Asking for one more byte also verifies the checksum of compressed data.
  std::uint8_t extra = 0;
  std::size_t got = 0;
  if (Status status = source.read(&extra, 1, got); !status.ok()) return status;
  return got == 0 ? Status{} : refuse_size("more", header);
}

}  // namespace

bool looks_like_idx(std::span<const std::uint8_t> head) noexcept {
  if (head.empty()) return false;
  return (head[0] == 0 && (head.size() < 2 || head[1] == 0)) || is_little_endian_magic(head);
}

Status append_idx_samples(ByteSource& source, Dataset& dataset) {
  IdxHeader header;
  if (Status status = read_header(source, Role::samples, header); !status.ok()) return status;
  const std::size_t samples = header.size[0];
  const std::size_t features = header.payload_bytes / samples;
  if (dataset.samples > 0 && features != dataset.features) {
    return fail(StatusCode::shape_mismatch, "features per sample", "the same number in every data file",
                std::to_string(features) + ", not " + std::to_string(dataset.features));
  }
  if (Status status = append_payload(source, header, dataset.bytes); !status.ok()) return status;
  dataset.type = FeatureType::u8;
  dataset.samples += samples;
  dataset.features = features;
  return {};
}

Status read_idx_labels(ByteSource& source, LargeVector<std::uint8_t>& labels) {
  IdxHeader header;
  if (Status status = read_header(source, Role::labels, header); !status.ok()) return status;
  return append_payload(source, header, labels);
}

}  // namespace lanemax
