// SPDX-License-Identifier: BSD-3-Clause
//
// A safetensors file: the identity as metadata, arrays as tensors of rank 1, numbers as tensors of rank 0, in the order
// of the exchange. An empty array leaves nothing.
#include "engine/fit/checkpoint/checkpoint.hpp"

#include "engine/fail.hpp"
#include "engine/model/atomic_file.hpp"
#include "engine/model/sealed_file.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string_view>

namespace lanemax {
namespace {

using safetensors::Dtype;
using safetensors::find_entry;

static_assert(std::endian::native == std::endian::little, "the file's numbers are copied as they are");
static_assert(std::numeric_limits<double>::is_iec559 && sizeof(double) == 8);

constexpr std::string_view kVersion = "1";
constexpr std::string_view kIdentityPrefix = "fit.";

/// What all archives have in common: values become bytes of a type.
class TensorArchive : public Archive {
 public:
  using Archive::array;
  void number(const char* name, double& value) final { tensor(name, Dtype::f64, &value, 1, true); }
  void count(const char* name, std::uint64_t& value, std::uint64_t most) final {
    most_ = most;
    tensor(name, Dtype::u64, &value, 1, true);
    most_ = ~std::uint64_t{0};
  }
  void array(const char* name, double* values, std::size_t size) final {
    if (size > 0) tensor(name, Dtype::f64, values, size, false);
  }
  void array(const char* name, float* values, std::size_t size) final {
    if (size > 0) tensor(name, Dtype::f32, values, size, false);
  }

 protected:
  std::uint64_t most_ = ~std::uint64_t{0};  // of the count at hand

 private:
  virtual void tensor(const char* name, Dtype dtype, void* values, std::size_t size, bool scalar) = 0;
};

/// What the header will say.
class Outline final : public TensorArchive {
 public:
  std::vector<safetensors::Tensor> tensors;

 private:
  void tensor(const char* name, Dtype dtype, void*, std::size_t size, bool scalar) override {
    safetensors::Tensor t;
    t.name = name;
    t.dtype = dtype;
    if (!scalar) t.shape.push_back(size);
    t.begin = tensors.empty() ? 0 : tensors.back().end;
    t.end = t.begin + size * safetensors::size_of(dtype);
    tensors.push_back(std::move(t));
  }
};

class Writer final : public TensorArchive {
 public:
  explicit Writer(std::uint8_t* to) : to_(to) {}

 private:
  void tensor(const char*, Dtype dtype, void* values, std::size_t size, bool) override {
    const std::size_t bytes = size * safetensors::size_of(dtype);
    std::memcpy(to_, values, bytes);
    to_ += bytes;
  }
  std::uint8_t* to_;
};

/// Compares the state's outline with the file and writes to neither.
class Checker final : public TensorArchive {
 public:
  Checker(const safetensors::Header& header, std::span<const std::uint8_t> file) : header_(header), file_(file) {}

  [[nodiscard]] Status status() const {
    if (!status_.ok() || next_ == header_.tensors.size()) return status_;
    return fail(StatusCode::bad_checkpoint, "tensor", "only what this fit keeps", header_.tensors[next_].name);
  }

 private:
  void tensor(const char* name, Dtype dtype, void*, std::size_t size, bool scalar) override {
    if (!status_.ok()) return;
    if (next_ == header_.tensors.size()) return bad("tensor", "all that this fit keeps", name);
    const safetensors::Tensor& t = header_.tensors[next_++];
    if (t.name != name) return bad("tensor", "what this fit keeps, in its order", t.name);
    if (t.dtype != dtype) return bad("tensor dtype", "the type that this fit keeps", name);
    if (t.shape.size() != (scalar ? 0 : 1) || (!scalar && t.shape[0] != size)) {
      return bad("tensor shape", "as many numbers as this fit keeps", name);
    }
    if (dtype != Dtype::u64) return;
    std::uint64_t value = 0;
    std::memcpy(&value, file_.data() + header_.data_begin + t.begin, sizeof(value));
    if (value > most_) bad("count", "one that this fit can reach", name);
  }
  void bad(const char* what, const char* expected, std::string_view name) {
    status_ = fail(StatusCode::bad_checkpoint, what, expected, name);
  }

  const safetensors::Header& header_;
  std::span<const std::uint8_t> file_;
  std::size_t next_ = 0;
  Status status_;
};

/// After a Checker that found nothing.
class Reader final : public TensorArchive {
 public:
  explicit Reader(const std::uint8_t* from) : from_(from) {}

 private:
  void tensor(const char*, Dtype dtype, void* values, std::size_t size, bool) override {
    const std::size_t bytes = size * safetensors::size_of(dtype);
    std::memcpy(values, from_, bytes);
    from_ += bytes;
  }
  const std::uint8_t* from_;
};

Status check_version(const safetensors::Metadata& metadata) {
  const std::string* version = find_entry(metadata, safetensors::kCheckpointKey);
  if (version != nullptr && *version == kVersion) return {};
  if (version != nullptr) {
    const bool newer = safetensors::is_version(*version);
    return fail(StatusCode::bad_checkpoint, "lanemax_checkpoint",
                newer ? "1: this file was written by a newer lanemax" : "1", *version);
  }
  const bool model = find_entry(metadata, safetensors::kModelKey) != nullptr;
  return fail(StatusCode::bad_checkpoint, "file",
              model ? "the checkpoint of a fit; this looks like a model" : "the checkpoint of a lanemax fit");
}

Status check_identity(const safetensors::Metadata& metadata, const FitIdentity& identity) {
  for (const auto& [name, value] : identity) {
    const std::string* kept = find_entry(metadata, std::string{kIdentityPrefix} + name);
    if (kept != nullptr && *kept == value) continue;
    // Checksums and long texts tell nobody anything.
    const std::string both = kept == nullptr || is_checksum(*kept) ? "" : "kept " + *kept + ", now " + value;
    return fail(StatusCode::bad_checkpoint, static_name_of(name), "the same as when the checkpoint was written",
                both.size() < sizeof(Status::found) ? both : "");
  }
  constexpr std::size_t kOthers = 2;  // version, checksum
  if (metadata.size() == identity.size() + kOthers) return {};
  return fail(StatusCode::bad_checkpoint, "metadata", "the version, the checksum and what describes the fit");
}

Status take(std::span<const std::uint8_t> file, const FitIdentity& identity, Resumable& state) {
  safetensors::Header header;
  const Status read = safetensors::read_header(file, nullptr, header);
  // First of all: what a newer version wrote may well break today's rules, and its number says why.
  if (const Status status = check_version(header.metadata); !status.ok()) {
    if (read.ok() || !header.metadata.empty()) return status;
  }
  if (!read.ok()) return read;
  if (const Status status = safetensors::check_checksum(file, header); !status.ok()) return status;
  if (const Status status = check_identity(header.metadata, identity); !status.ok()) return status;
  Checker checker(header, file);
  state.exchange(checker);
  if (const Status status = checker.status(); !status.ok()) return status;
  Reader reader(file.data() + header.data_begin);
  state.exchange(reader);
  return {};
}

Status give(const FitIdentity& identity, Resumable& state, std::vector<std::uint8_t>& file) {
  safetensors::Metadata metadata;
  metadata.emplace_back(safetensors::kCheckpointKey, kVersion);
  metadata.emplace_back(safetensors::kChecksumKey, safetensors::kNoChecksum);
  for (const auto& [name, value] : identity) metadata.emplace_back(std::string{kIdentityPrefix} + name, value);
  Outline outline;
  state.exchange(outline);
  std::size_t data = 0;
  if (const Status status = safetensors::begin_file(metadata, outline.tensors, file, data); !status.ok()) {
    return status;
  }
  Writer writer(file.data() + data);
  state.exchange(writer);
  safetensors::write_checksum(file, data);
  return {};
}

// A size that cannot even be asked for is memory that is not there.
template <class Body>
Status with_bad_alloc_only(const Body& body) {
  try {
    return body();
  } catch (const std::length_error&) {
    throw std::bad_alloc();
  }
}

}  // namespace

Status checkpoint_to_bytes(const FitIdentity& identity, Resumable& state, std::vector<std::uint8_t>& bytes) {
  return with_bad_alloc_only([&] { return give(identity, state, bytes); });
}

Status checkpoint_from_bytes(std::span<const std::uint8_t> bytes, const FitIdentity& identity, Resumable& state) {
  return with_bad_alloc_only([&] {
    Status status = safetensors::check_beginning(bytes, bytes.size());
    if (status.ok()) status = take(bytes, identity, state);
    if (status.code == StatusCode::bad_model) status.code = StatusCode::bad_checkpoint;  // the container's faults
    return status;
  });
}

Status save_checkpoint(const char* path, const FitIdentity& identity, Resumable& state) {
  std::vector<std::uint8_t> file;
  Status status = checkpoint_to_bytes(identity, state, file);
  if (status.ok()) status = write_file_atomically(path, file);
  return of_file(path, status);
}

Status load_checkpoint(const char* path, const FitIdentity& identity, Resumable& state) {
  std::vector<std::uint8_t> file;
  Status status = with_bad_alloc_only([&] { return read_regular_file(path, safetensors::check_beginning, file); });
  if (status.code == StatusCode::bad_model) status.code = StatusCode::bad_checkpoint;
  if (status.ok()) status = checkpoint_from_bytes(file, identity, state);
  return of_file(path, status);
}

}  // namespace lanemax
