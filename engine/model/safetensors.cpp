// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model/safetensors.hpp"

#include "engine/fail.hpp"
#include "engine/model/json_reader.hpp"
#include "engine/model/json_text.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace lanemax::safetensors {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr const char* kDtypeNames[] = {"F32", "F64", "U64"};  // in the order of Dtype
constexpr const char* kMetadataKey = "__metadata__";

// ---- JSON in: each reader takes the tokens that it expects and refuses any other ----

class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : in_(text) {}

 protected:
  struct Expectation {
    const char* what;
    const char* expected;
    std::string_view owner = {};  // the tensor or entry it belongs to
  };

  // The next token is this one; if not, it is refused.
  bool take(JsonToken wanted, const Expectation& next) {
    token_ = in_.next();
    return token_ == wanted || unexpected(next);
  }

  // A key, or a number, or a string, or else the end of what it is in. False at the end and for what is refused.
  bool take_unless(JsonToken end, JsonToken wanted, const Expectation& next) {
    token_ = in_.next();
    return token_ != end && (token_ == wanted || unexpected(next));
  }

  bool unexpected(const Expectation& next) {
    if (token_ == JsonToken::malformed) return fail(next.what, "valid JSON", in_.token());
    return fail(next.what, next.expected, owned(next.owner, in_.token()));
  }

  // The status's byte counts from the start of the text and is where the refused token ends.
  bool fail(const char* what, const char* expected, std::string_view found) {
    status_ = lanemax::fail(StatusCode::bad_model, what, expected, found);
    status_.byte = static_cast<std::int64_t>(in_.last_byte());
    return false;
  }

  // "weight: F16"; long names are cut by set_found, long enough names leave no room for the detail.
  static std::string owned(std::string_view owner, std::string_view detail) {
    std::string text{owner.substr(0, 24)};
    if (!text.empty()) text += ": ";
    return text.append(detail.substr(0, 40));
  }

  JsonReader in_;
  JsonToken token_ = JsonToken::malformed;
  Status status_;
};

class HeaderReader final : public Reader {
 public:
  HeaderReader(std::string_view text, DtypeOf dtype_of, Header& header)
      : Reader(text), dtype_of_(dtype_of), header_(header) {}

  Status read() {
    constexpr Expectation kNext{"header", "a JSON object"};
    if (!take(JsonToken::object, kNext)) return status_;
    while (take_key(kNext)) {
      if (!(in_.token() == kMetadataKey ? metadata() : tensor())) break;
    }
    if (status_.ok()) take(JsonToken::end, kNext);
    return status_;
  }

 private:
  bool take_key(const Expectation& next) {
    if (!take_unless(JsonToken::object_end, JsonToken::key, next)) return false;
    const std::string& key = in_.token();
    return key.find('\0') == std::string::npos || fail("header key", "no U+0000 in it", key.c_str());
  }

  // False at the end of the list, too.
  bool take_number(const Expectation& next) {
    if (!take_unless(JsonToken::list_end, JsonToken::integer, next)) return false;
    return in_.integer() <= kMaxInteger || fail(next.what, "at most 2^53", owned(next.owner, in_.token()));
  }

  bool metadata() {
    if (seen_metadata_) return fail("header key", "every key once", kMetadataKey);
    seen_metadata_ = true;
    if (!take(JsonToken::object, {kMetadataKey, "an object"})) return false;
    while (take_key({"metadata key", "a string"})) {
      const auto same = [&](const auto& other) { return other.first == in_.token(); };
      if (std::ranges::any_of(header_.metadata, same)) return fail("metadata key", "every key once", in_.token());
      if (header_.metadata.size() == kMaxMetadata) return fail("metadata", "at most 1024 entries", in_.token());
      auto& [key, value] = header_.metadata.emplace_back();
      key = std::move(in_.token());
      if (!take(JsonToken::string, {"metadata value", "a string", key})) return false;
      value = std::move(in_.token());
    }
    return status_.ok();
  }

  bool tensor() {
    const auto same = [&](const Tensor& other) { return other.name == in_.token(); };
    if (std::ranges::any_of(header_.tensors, same)) return fail("tensor name", "every name once", in_.token());
    if (header_.tensors.size() == kMaxTensors) {
      return fail("tensors", "at most 128; a model has two or three", in_.token());
    }
    Tensor& tensor = header_.tensors.emplace_back();
    tensor.name = std::move(in_.token());
    if (!take(JsonToken::object, {"tensor", "an object", tensor.name})) return false;
    const Expectation next{"tensor field", "dtype, shape and data_offsets, each once", tensor.name};
    int seen = 0;
    while (take_key(next)) {
      const std::string& name = in_.token();
      const int field = name == "dtype" ? 1 : name == "shape" ? 2 : name == "data_offsets" ? 4 : 0;
      if (field == 0 || (seen & field) != 0) return unexpected(next);
      seen |= field;
      if (!(field == 1 ? dtype(tensor) : field == 2 ? shape(tensor) : offsets(tensor))) return false;
    }
    if (!status_.ok()) return false;
    return seen == 7 ? sizes_agree(tensor) : unexpected(next);
  }

  bool dtype(Tensor& tensor) {
    const char* const wanted =
        dtype_of_ == nullptr ? nullptr : kDtypeNames[static_cast<std::size_t>(dtype_of_(tensor.name))];
    const Expectation next{"tensor dtype", wanted == nullptr ? "F32, F64 or U64" : wanted, tensor.name};
    if (!take(JsonToken::string, next)) return false;
    const auto* const found = std::ranges::find(kDtypeNames, in_.token());
    if (found == std::end(kDtypeNames) || (wanted != nullptr && *found != wanted)) return unexpected(next);
    tensor.dtype = static_cast<Dtype>(found - std::begin(kDtypeNames));
    return true;
  }

  bool shape(Tensor& tensor) {
    const Expectation next{"tensor shape", "a list of whole numbers", tensor.name};
    if (!take(JsonToken::list, next)) return false;
    while (take_number(next)) {
      if (tensor.shape.size() == kMaxDimensions) return fail("tensor shape", "at most 8 dimensions", tensor.name);
      tensor.shape.push_back(in_.integer());
    }
    return status_.ok();
  }

  bool offsets(Tensor& tensor) {
    const Expectation next{"tensor data_offsets", "two whole numbers, neither negative", tensor.name};
    if (!take(JsonToken::list, next)) return false;
    std::size_t count = 0;
    while (take_number(next)) {
      if (count == 2) return fail(next.what, next.expected, owned(tensor.name, "a third number"));
      (count++ == 0 ? tensor.begin : tensor.end) = in_.integer();
    }
    return status_.ok() && (count == 2 || unexpected(next));
  }

  bool sizes_agree(const Tensor& tensor) {
    std::uint64_t bytes = size_of(tensor.dtype);
    for (const std::uint64_t n : tensor.shape) {
      if (n == 0) return fail("tensor shape", "no dimension of size 0", tensor.name);
      if (__builtin_mul_overflow(bytes, n, &bytes)) return fail("tensor shape", "a size below 2^64 bytes", tensor.name);
    }
    if (tensor.end < tensor.begin) return fail("tensor data_offsets", "an end behind the beginning", tensor.name);
    if (tensor.end - tensor.begin != bytes) {
      return fail("tensor data_offsets", "as many bytes as the shape needs", tensor.name);
    }
    return true;
  }

  DtypeOf dtype_of_;
  Header& header_;
  bool seen_metadata_ = false;
};

class StringListReader final : public Reader {
 public:
  using Reader::Reader;

  Status read(const char* field, std::size_t count, std::vector<std::string>& list) {
    constexpr const char* kCount = "as many names as the tensors have rows or columns";
    const Expectation next{field, "a JSON list of strings"};
    if (!take(JsonToken::list, next)) return status_;
    while (take_unless(JsonToken::list_end, JsonToken::string, next)) {
      if (list.size() == count) {
        fail(field, kCount, in_.token());
        break;
      }
      list.push_back(std::move(in_.token()));
    }
    if (!status_.ok()) return status_;
    if (count != kAnyCount && list.size() != count)
      fail(field, kCount, std::to_string(list.size()));
    else
      take(JsonToken::end, next);
    return status_;
  }
};

// ---- the bytes around the JSON ----

std::uint64_t little_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

// What the file is instead, as the end of a sentence.
const char* expected_instead_of(std::span<const std::uint8_t> beginning) {
  const std::string_view text{reinterpret_cast<const char*>(beginning.data()), beginning.size()};
  using namespace std::string_view_literals;
  if (text.starts_with("\x1f\x8b"sv)) return "a safetensors file; this looks like gzip";
  if (text.starts_with("\x93NUMPY"sv)) return "a safetensors file; this looks like NPY";
  if (text.starts_with("PK\x03\x04"sv)) return "a safetensors file; this looks like a zip archive (npz, pt)";
  if (text.starts_with("\x89HDF"sv)) return "a safetensors file; this looks like HDF5";
  if (text.starts_with("\x80"sv)) return "a safetensors file; this looks like a Python pickle";
  if (text.size() >= 4 && text.starts_with("\0\0"sv) && text[2] >= 8 && text[2] <= 14 && text[3] > 0 && text[3] < 8)
    return "a safetensors file; this looks like IDX";
  const auto is_text = [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; };
  if (!text.empty() && std::ranges::all_of(text, is_text)) return "a safetensors file; this looks like text";
  return "a safetensors file";
}

// Every byte belongs to exactly one tensor.
Status check_layout(std::vector<Tensor>& tensors, std::uint64_t data_bytes) {
  std::ranges::sort(tensors, {}, &Tensor::begin);
  std::uint64_t at = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.begin != at) {
      return fail(StatusCode::bad_model, "tensor data_offsets", "no overlap and no hole between tensors", tensor.name);
    }
    at = tensor.end;
  }
  if (at > data_bytes) return fail(StatusCode::bad_model, "file size", "all the tensors' bytes; the file is cut short");
  if (at < data_bytes) return fail(StatusCode::bad_model, "file size", "nothing behind the last tensor");
  return {};
}

}  // namespace

Status check_beginning(std::span<const std::uint8_t> beginning, std::uint64_t file_size) noexcept {
  const auto bad = [&](const char* what, std::int64_t byte) {
    Status status = fail(StatusCode::bad_model, what, expected_instead_of(beginning));
    status.byte = byte;
    return status;
  };
  if (beginning.size() <= kLengthBytes) return bad("file size", static_cast<std::int64_t>(beginning.size()));
  const std::uint64_t length = little_endian(beginning);
  if (length < 2 || length > kMaxHeaderBytes || length > file_size - kLengthBytes) return bad("header length", 0);
  if (beginning[kLengthBytes] != '{') return bad("header", kLengthBytes);
  return {};
}

Status read_header(std::span<const std::uint8_t> file, DtypeOf dtype_of, Header& header) {
  if (const Status status = check_beginning(file.first(std::min<std::size_t>(file.size(), 16)), file.size());
      !status.ok()) {
    return status;
  }
  const auto length = static_cast<std::size_t>(little_endian(file));
  header.data_begin = kLengthBytes + length;
  std::string_view text{reinterpret_cast<const char*>(file.data()) + kLengthBytes, length};
  // A NUL and padding other than spaces have words of their own: some readers let them pass.
  Status status;
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    status = fail(StatusCode::bad_model, "header", "no NUL byte");
    status.byte = static_cast<std::int64_t>(nul);
  } else {
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    status = text.ends_with('}') ? HeaderReader{text, dtype_of, header}.read()
                                 : fail(StatusCode::bad_model, "header", "a JSON object padded with spaces only");
    if (!text.ends_with('}')) status.byte = static_cast<std::int64_t>(text.size() - 1);
  }
  if (!status.ok()) {
    status.byte += static_cast<std::int64_t>(kLengthBytes);
    return status;
  }
  status = check_layout(header.tensors, file.size() - header.data_begin);
  if (!status.ok()) status.byte = static_cast<std::int64_t>(header.data_begin);
  return status;
}

Status write_header(const Metadata& metadata, const std::vector<Tensor>& tensors, std::string& text) {
  if (tensors.size() > kMaxTensors || metadata.size() > kMaxMetadata) {
    return fail(StatusCode::invalid_argument, "tensors and metadata", "at most 128 and 1024 in a safetensors header");
  }
  std::string json = "{";
  append_json_string(json, kMetadataKey);
  json += ":{";
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    if (i > 0) json += ',';
    append_json_string(json, metadata[i].first);
    json += ':';
    append_json_string(json, metadata[i].second);
  }
  json += '}';
  for (const Tensor& tensor : tensors) {
    json += ',';
    append_json_string(json, tensor.name);
    json += ":{\"dtype\":\"";
    json += kDtypeNames[static_cast<std::size_t>(tensor.dtype)];
    json += "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (i > 0) json += ',';
      json += std::to_string(tensor.shape[i]);
    }
    json += "],\"data_offsets\":[" + std::to_string(tensor.begin) + ',' + std::to_string(tensor.end) + "]}";
  }
  json += '}';
  const std::size_t beyond = (kLengthBytes + json.size()) % kDataAlignment;
  json.append(beyond == 0 ? 0 : kDataAlignment - beyond, ' ');
  if (json.size() > kMaxHeaderBytes) {
    return fail(StatusCode::invalid_argument, "names and metadata",
                "at most 100,000,000 bytes in a safetensors header");
  }
  std::string length;
  for (std::size_t i = 0; i < kLengthBytes; ++i) length += static_cast<char>(json.size() >> (8 * i) & 0xffu);
  text = std::move(length) + json;
  return {};
}

Status read_string_list(std::string_view json, const char* field, std::size_t count, std::vector<std::string>& list) {
  list.clear();
  list.reserve(std::min(count, json.size() / 3 + 1));  // an entry takes three characters or more
  if (json.find('\0') != std::string_view::npos) return fail(StatusCode::bad_model, field, "no NUL byte");
  Status status = StringListReader{json}.read(field, count, list);
  status.byte = -1;  // counts inside the string, which would mislead
  return status;
}

}  // namespace lanemax::safetensors
