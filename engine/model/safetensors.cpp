// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model/safetensors.hpp"

#include "engine/fail.hpp"
#include "engine/model/json_text.hpp"

// The parser's only assertion that input can reach compares its reading of a fraction with strtod's, which depends on
// the locale. Fractions are refused here anyway; nothing may abort. (All that this changes is instantiated for
// TextInput below and so belongs to this file.)
#define JSON_ASSERT(condition) static_cast<void>(0)
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace lanemax::safetensors {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr const char* kDtypeNames[] = {"F32", "F64", "U64"};  // in the order of Dtype
constexpr const char* kMetadataKey = "__metadata__";

// ---- JSON in: events of the parser, all of them refused unless a reader below expects them ----

// Hands the parser its text and tells how far it has read.
struct TextInput {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** reached;

  reference operator*() const { return *at; }
  TextInput& operator++() {
    *reached = ++at;
    return *this;
  }
  bool operator==(const TextInput& other) const { return at == other.at; }
  bool operator!=(const TextInput& other) const { return at != other.at; }
};

class Reader : public nlohmann::json_sax<Json> {
 public:
  // Parses all of `text`. The status's byte counts from the start of `text` and is where the refused token ends.
  Status read(std::string_view text) {
    const char* reached = text.data();
    const TextInput first{text.data(), &reached};
    const TextInput last{text.data() + text.size(), &reached};
    const bool accepted = Json::sax_parse(first, last, this);
    if (!accepted && status_.ok()) status_ = lanemax::fail(StatusCode::bad_model, what_is_next().what, "valid JSON");
    if (!status_.ok()) status_.byte = std::max<std::ptrdiff_t>(reached - text.data() - 1, 0);
    return status_;
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return unexpected(value < 0 ? std::to_string(value) : "-0"); }
  bool number_unsigned(number_unsigned_t value) override { return unexpected(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return unexpected(text); }
  bool string(string_t& value) override { return unexpected(value); }
  bool binary(binary_t&) override { return unexpected("binary"); }
  bool start_object(std::size_t) override { return unexpected("{"); }
  bool key(string_t& name) override { return unexpected(name); }
  bool end_object() override { return unexpected("}"); }
  bool start_array(std::size_t) override { return unexpected("["); }
  bool end_array() override { return unexpected("]"); }
  bool parse_error(std::size_t, const std::string& token, const nlohmann::detail::exception&) override {
    return fail(what_is_next().what, "valid JSON", token);
  }

 protected:
  struct Expectation {
    const char* what;
    const char* expected;
    std::string_view owner = {};  // the tensor or entry it belongs to
  };

  [[nodiscard]] virtual Expectation what_is_next() const = 0;

  bool unexpected(std::string_view found) {
    const Expectation next = what_is_next();
    return fail(next.what, next.expected, owned(next.owner, found));
  }
  bool fail(const char* what, const char* expected, std::string_view found) {
    status_ = lanemax::fail(StatusCode::bad_model, what, expected, found);
    return false;
  }

  // "weight: F16"; long names are cut by set_found, long enough names leave no room for the detail.
  static std::string owned(std::string_view owner, std::string_view detail) {
    std::string text{owner.substr(0, 24)};
    if (!text.empty()) text += ": ";
    return text.append(detail.substr(0, 40));
  }

 private:
  Status status_;
};

class HeaderReader final : public Reader {
 public:
  HeaderReader(DtypeOf dtype_of, Header& header) : dtype_of_(dtype_of), header_(header) {}

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::start: place_ = Place::top; return true;
      case Place::metadata_object: place_ = Place::metadata_key; return true;
      case Place::tensor_object: place_ = Place::field; return true;
      default: return unexpected("{");
    }
  }

  bool key(string_t& name) override {
    if (name.find('\0') != std::string::npos) return fail("header key", "no U+0000 in it", name.c_str());
    switch (place_) {
      case Place::top: return name == kMetadataKey ? metadata_key() : tensor_key(name);
      case Place::metadata_key: return metadata_entry(name);
      case Place::field: return tensor_field(name);
      default: return unexpected(name);
    }
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata_value) {
      header_.metadata.back().second = std::move(value);
      place_ = Place::metadata_key;
      return true;
    }
    return place_ == Place::dtype ? tensor_dtype(value) : unexpected(value);
  }

  bool start_array(std::size_t) override {
    switch (place_) {
      case Place::shape: place_ = Place::dimension; return true;
      case Place::offsets: place_ = Place::offset; return true;
      default: return unexpected("[");
    }
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::dimension && place_ != Place::offset) return unexpected(std::to_string(value));
    if (value > kMaxInteger)
      return fail(what_is_next().what, "at most 2^53", owned(tensor().name, std::to_string(value)));
    if (place_ == Place::dimension) {
      if (tensor().shape.size() == kMaxDimensions) return fail("tensor shape", "at most 8 dimensions", tensor().name);
      tensor().shape.push_back(value);
      return true;
    }
    if (offsets_ == 2) return unexpected("a third number");
    (offsets_++ == 0 ? tensor().begin : tensor().end) = value;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offset && offsets_ != 2) return unexpected("]");
    place_ = Place::field;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::field && !tensor_is_complete()) return false;
    place_ = Place::top;
    return true;
  }

 private:
  enum class Place {
    start,
    top,
    metadata_object,
    metadata_key,
    metadata_value,
    tensor_object,
    field,
    dtype,
    shape,
    dimension,
    offsets,
    offset
  };

  [[nodiscard]] Expectation what_is_next() const override {
    const std::string_view name = header_.tensors.empty() ? std::string_view{} : header_.tensors.back().name;
    switch (place_) {
      case Place::start:
      case Place::top: return {"header", "a JSON object"};
      case Place::metadata_object: return {kMetadataKey, "an object"};
      case Place::metadata_key: return {"metadata key", "a string"};
      case Place::metadata_value: return {"metadata value", "a string", header_.metadata.back().first};
      case Place::tensor_object: return {"tensor", "an object", name};
      case Place::field: return {"tensor field", "dtype, shape and data_offsets, each once", name};
      case Place::dtype: return {"tensor dtype", expected_dtype(name), name};
      case Place::shape:
      case Place::dimension: return {"tensor shape", "a list of whole numbers", name};
      case Place::offsets:
      case Place::offset: break;
    }
    return {"tensor data_offsets", "two whole numbers, neither negative", name};
  }

  [[nodiscard]] const char* expected_dtype(std::string_view name) const {
    return dtype_of_ == nullptr ? "F32, F64 or U64" : kDtypeNames[static_cast<std::size_t>(dtype_of_(name))];
  }

  Tensor& tensor() { return header_.tensors.back(); }

  bool metadata_key() {
    if (seen_metadata_) return fail("header key", "every key once", kMetadataKey);
    seen_metadata_ = true;
    place_ = Place::metadata_object;
    return true;
  }

  bool tensor_key(string_t& name) {
    const auto same = [&](const Tensor& other) { return other.name == name; };
    if (std::ranges::any_of(header_.tensors, same)) return fail("tensor name", "every name once", name);
    if (header_.tensors.size() == kMaxTensors) return fail("tensors", "at most 128; a model has two or three", name);
    header_.tensors.emplace_back().name = std::move(name);
    seen_fields_ = offsets_ = 0;
    place_ = Place::tensor_object;
    return true;
  }

  bool metadata_entry(string_t& name) {
    const auto same = [&](const auto& other) { return other.first == name; };
    if (std::ranges::any_of(header_.metadata, same)) return fail("metadata key", "every key once", name);
    if (header_.metadata.size() == kMaxMetadata) return fail("metadata", "at most 1024 entries", name);
    header_.metadata.emplace_back().first = std::move(name);
    place_ = Place::metadata_value;
    return true;
  }

  bool tensor_field(const string_t& name) {
    const int field = name == "dtype" ? 1 : name == "shape" ? 2 : name == "data_offsets" ? 4 : 0;
    if (field == 0 || (seen_fields_ & field) != 0) return unexpected(name);
    seen_fields_ |= field;
    place_ = field == 1 ? Place::dtype : field == 2 ? Place::shape : Place::offsets;
    return true;
  }

  bool tensor_dtype(const string_t& name) {
    const auto* const found = std::ranges::find(kDtypeNames, name);
    if (found == std::end(kDtypeNames)) return unexpected(name);
    const auto dtype = static_cast<Dtype>(found - std::begin(kDtypeNames));
    if (dtype_of_ != nullptr && dtype != dtype_of_(tensor().name)) return unexpected(name);
    tensor().dtype = dtype;
    place_ = Place::field;
    return true;
  }

  bool tensor_is_complete() {
    if (seen_fields_ != 7) return unexpected("}");
    const Tensor& t = tensor();
    std::uint64_t bytes = size_of(t.dtype);
    for (const std::uint64_t n : t.shape) {
      if (n == 0) return fail("tensor shape", "no dimension of size 0", t.name);
      if (__builtin_mul_overflow(bytes, n, &bytes)) return fail("tensor shape", "a size below 2^64 bytes", t.name);
    }
    if (t.end < t.begin) return fail("tensor data_offsets", "an end behind the beginning", t.name);
    if (t.end - t.begin != bytes) return fail("tensor data_offsets", "as many bytes as the shape needs", t.name);
    return true;
  }

  DtypeOf dtype_of_;
  Header& header_;
  Place place_ = Place::start;
  bool seen_metadata_ = false;
  int seen_fields_ = 0;
  int offsets_ = 0;
};

class StringListReader final : public Reader {
 public:
  StringListReader(const char* field, std::size_t count, std::vector<std::string>& list)
      : field_(field), count_(count), list_(list) {}

  bool start_array(std::size_t) override {
    if (inside_) return unexpected("[");
    return inside_ = true;
  }
  bool string(string_t& value) override {
    if (!inside_) return unexpected(value);
    if (list_.size() == count_) return fail(field_, kCount, value);
    list_.push_back(std::move(value));
    return true;
  }
  bool end_array() override {
    return count_ == kAnyCount || list_.size() == count_ || fail(field_, kCount, std::to_string(list_.size()));
  }

 private:
  static constexpr const char* kCount = "as many names as the tensors have rows or columns";

  [[nodiscard]] Expectation what_is_next() const override { return {field_, "a JSON list of strings"}; }

  const char* field_;
  std::size_t count_;
  std::vector<std::string>& list_;
  bool inside_ = false;
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
  // The parser takes a NUL for the end of its input and skips blanks of all kinds at the end.
  Status status;
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    status = fail(StatusCode::bad_model, "header", "no NUL byte");
    status.byte = static_cast<std::int64_t>(nul);
  } else {
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    status = text.ends_with('}') ? HeaderReader{dtype_of, header}.read(text)
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
  // The parser takes a NUL for the end of its input.
  if (json.find('\0') != std::string_view::npos) return fail(StatusCode::bad_model, field, "no NUL byte");
  Status status = StringListReader{field, count, list}.read(json);
  status.byte = -1;  // counts inside the string, which would mislead
  return status;
}

}  // namespace lanemax::safetensors
