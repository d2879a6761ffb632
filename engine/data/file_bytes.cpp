// SPDX-License-Identifier: BSD-3-Clause
#include "engine/data/file_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>

#include "engine/fail.hpp"

namespace lanemax {

namespace {

constexpr std::size_t kInputBytes = std::size_t{64} << 10;
constexpr std::size_t kLargestCall = std::size_t{1} << 30;  // what read(2) and zlib's 32-bit counts take at once

bool is_gzip(const std::uint8_t* bytes, std::size_t size) {
  return size >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

}  // namespace

ByteSource::ByteSource() = default;

ByteSource::~ByteSource() {
  if (stream_ != nullptr) inflateEnd(stream_.get());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status ByteSource::open(const std::string& path) {
  input_ = std::make_unique_for_overwrite<std::uint8_t[]>(kInputBytes);
  do {
    // O_NONBLOCK: opening a FIFO nobody writes to would wait for ever. It means nothing for regular files.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) return cannot_open();
  struct stat about{};
  if (::fstat(descriptor_, &about) != 0) return system_failure("cannot read");
  if (S_ISDIR(about.st_mode)) return system_failure("cannot read", EISDIR);
  if (!S_ISREG(about.st_mode)) return fail(StatusCode::io_error, "not a regular file", "a file on disk");
  file_size_ = static_cast<std::size_t>(about.st_size);
  if (Status status = fill_input(); !status.ok()) return status;
  return is_gzip(input_.get(), input_end_) ? start_inflating() : Status{};
}

Status ByteSource::start_inflating() {
  stream_ = std::make_unique<z_stream>();
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(stream_.get(), kGzipOnly) != Z_OK) {
    stream_.reset();
    throw std::bad_alloc();
  }
  return {};
}

std::size_t ByteSource::size_limit() const noexcept {
  if (!compressed()) return file_size_;
  if (file_size_ > std::numeric_limits<std::size_t>::max() / kMaxRatio) return std::numeric_limits<std::size_t>::max();
  return std::max(kAlwaysInflated, kMaxRatio * file_size_);
}

// Up to the size the file had when it was opened: one that grows meanwhile has a defined end, one that shrinks fails.
Status ByteSource::read_file(std::uint8_t* to, std::size_t wanted, std::size_t& got) {
  got = 0;
  wanted = std::min(wanted, file_size_ - file_at_);
  while (got < wanted) {
    const ssize_t count = ::read(descriptor_, to + got, std::min(wanted - got, kLargestCall));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("cannot read");
    if (count == 0) return fail(StatusCode::io_error, "file became shorter while it was read", "a file at rest");
    got += static_cast<std::size_t>(count);
    file_at_ += static_cast<std::size_t>(count);
  }
  return {};
}

Status ByteSource::fill_input() {
  input_at_ = input_end_ = 0;
  return read_file(input_.get(), kInputBytes, input_end_);
}

Status ByteSource::peek(std::span<const std::uint8_t>& head) {
  if (head_end_ == 0) {
    Status status =
        compressed() ? read_gzip(head_.data(), kMaxPeek, head_end_) : read_plain(head_.data(), kMaxPeek, head_end_);
    if (!status.ok()) return status;
  }
  head = {head_.data(), head_end_};
  return {};
}

Status ByteSource::read(std::uint8_t* to, std::size_t wanted, std::size_t& got) {
  const std::size_t peeked = std::min(wanted, head_end_ - head_at_);
  std::copy_n(head_.data() + head_at_, peeked, to);
  head_at_ += peeked;
  Status status =
      compressed() ? read_gzip(to + peeked, wanted - peeked, got) : read_plain(to + peeked, wanted - peeked, got);
  got += peeked;
  return status;
}

Status ByteSource::read_plain(std::uint8_t* to, std::size_t wanted, std::size_t& got) {
  const std::size_t buffered = std::min(wanted, input_end_ - input_at_);
  std::copy_n(input_.get() + input_at_, buffered, to);
  input_at_ += buffered;
  Status status = read_file(to + buffered, wanted - buffered, got);
  got += buffered;
  return status;
}

Status ByteSource::read_gzip(std::uint8_t* to, std::size_t wanted, std::size_t& got) {
  got = 0;
  while (got < wanted && !finished_) {
    std::size_t made = 0;
    if (Status status = inflate_some(to + got, wanted - got, made); !status.ok()) return status;
    got += made;
    inflated_ += made;
    if (inflated_ > size_limit()) return refuse_inflated_size("more than " + std::to_string(size_limit()));
  }
  return {};
}

Status ByteSource::inflate_some(std::uint8_t* to, std::size_t room, std::size_t& made) {
  if (input_at_ == input_end_) {
    if (Status status = fill_input(); !status.ok()) return status;
    if (input_end_ == 0) return damaged("ends too early");
  }
  // One byte past the limit is enough to see that it is passed.
  const auto offered_out = static_cast<uInt>(std::min({room, kLargestCall, size_limit() - inflated_ + 1}));
  stream_->next_in = input_.get() + input_at_;
  stream_->avail_in = static_cast<uInt>(input_end_ - input_at_);
  stream_->next_out = to;
  stream_->avail_out = offered_out;
  const int outcome = inflate(stream_.get(), Z_NO_FLUSH);
  input_at_ = input_end_ - stream_->avail_in;
  made = offered_out - stream_->avail_out;
  switch (outcome) {
    case Z_OK:
    case Z_BUF_ERROR: return {};  // the input buffer is used up
    case Z_STREAM_END: return end_of_member();
    case Z_MEM_ERROR: throw std::bad_alloc();
    default: return damaged(stream_->msg != nullptr ? stream_->msg : "invalid data");
  }
}

Status ByteSource::end_of_member() {
  if (input_at_ == input_end_) {
    if (Status status = fill_input(); !status.ok()) return status;
  }
  // Zero bytes up to the end of the file pad it, as on tapes and block devices.
  const bool padded = input_at_ < input_end_ && input_[input_at_] == 0;
  while (input_at_ < input_end_ && input_[input_at_] == 0) {
    if (++input_at_ < input_end_) continue;
    if (Status status = fill_input(); !status.ok()) return status;
  }
  if (input_at_ == input_end_) {
    finished_ = true;
    return {};
  }
  member_start_ = file_at_ - (input_end_ - input_at_);
  if (padded || input_[input_at_] != 0x1F) return damaged("something else after its end");
  inflateReset(stream_.get());
  return {};
}

Status ByteSource::damaged(const char* cause) const {
  Status status = fail(StatusCode::bad_data, "gzip data", "an undamaged gzip file", cause);
  const bool at_member_header = stream_->total_out == 0 && std::strcmp(cause, "incorrect header check") == 0;
  if (at_member_header && member_start_ > 0) set_found(status, "something else after its end");
  const std::size_t position = at_member_header ? member_start_ : file_at_ - (input_end_ - input_at_);
  status.byte = static_cast<std::int64_t>(position);
  return status;
}

Status refuse_inflated_size(const std::string& bytes) {
  return fail(StatusCode::bad_data, "inflated size of the gzip file",
              "at most 48 MiB or 40 times the compressed size (decompress it first if it is genuine)",
              bytes + " bytes");
}

Status read_text(ByteSource& source, FileText& text) {
  // realloc moves the pages of a large block instead of copying them: no second copy while it grows.
  const auto resize = [&text](std::size_t bytes) {
    auto* const moved = static_cast<char*>(std::realloc(text.data.get(), bytes));
    if (moved == nullptr) throw std::bad_alloc();
    static_cast<void>(text.data.release());
    text.data.reset(moved);
  };
  text.size = 0;
  std::size_t room = source.compressed() ? std::max(std::size_t{1} << 20, 4 * source.file_size()) : source.file_size();
  for (;;) {
    resize(room + 1);
    std::size_t got = 0;
    Status status = source.read(reinterpret_cast<std::uint8_t*>(text.data.get()) + text.size, room - text.size, got);
    if (!status.ok()) return status;
    text.size += got;
    if (text.size < room || !source.compressed()) break;
    room *= 2;
  }
  text.data.get()[text.size] = '\0';
  return {};
}

Status refuse_foreign_content(std::span<const std::uint8_t> head) noexcept {
  struct Kind {
    std::string_view begins;
    const char* name;
    const char* expected;
  };
  constexpr const char* kUnpacked = "a data file, plain or gzip (unpack it first)";
  constexpr const char* kOtherFormat = "a CSV or IDX file";
  static constexpr std::array<Kind, 12> kKinds = {{
      {"version https://git-lfs", "a git-LFS pointer", "the data itself (git lfs pull fetches it)"},
      {"<!doctype", "a web page", "the data itself, not a page about it"},
      {"<html", "a web page", "the data itself, not a page about it"},
      {"<?xml", "an XML document", kOtherFormat},
      {"%pdf-", "a PDF document", kOtherFormat},
      {"@relation", "an ARFF file", kOtherFormat},
      {"\x93numpy", "a NumPy file", kOtherFormat},
      {"pk\x03\x04", "a ZIP archive", kUnpacked},
      {"bzh91ay&sy", "a bzip2 file", kUnpacked},
      {std::string_view("\xFD"
                        "7zxz\0",
                        6),
       "an xz file", kUnpacked},
      {"\x28\xB5\x2F\xFD", "a Zstandard file", kUnpacked},
      {"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", kUnpacked},
  }};
  std::size_t at = head.size() >= 3 && head[0] == 0xEF && head[1] == 0xBB && head[2] == 0xBF ? 3 : 0;
  while (at < head.size() && (head[at] == ' ' || (head[at] >= '\t' && head[at] <= '\r'))) ++at;
  for (const Kind& kind : kKinds) {
    if (head.size() - at < kind.begins.size()) continue;
    const bool same = std::equal(kind.begins.begin(), kind.begins.end(), head.begin() + static_cast<std::ptrdiff_t>(at),
                                 [](char wanted, std::uint8_t byte) {
                                   const bool upper = byte >= 'A' && byte <= 'Z';
                                   return static_cast<std::uint8_t>(wanted) == (upper ? byte + 32 : byte);
                                 });
    if (same) return fail(StatusCode::bad_data, "file content", kind.expected, kind.name);
  }
  return {};
}

}  // namespace lanemax
