// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DATA_FILE_BYTES_HPP
#define LANEMAX_ENGINE_DATA_FILE_BYTES_HPP

#include <lanemax/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

struct z_stream_s;

namespace lanemax {

/// The bytes of a regular file in order, inflated on the way if its content (not its name) is gzip. Members that follow
/// one another are one stream; zero bytes after the last one are nothing. Anything else after a member is refused, as
/// are damage and a missing end.
///
/// Inflated data may be 48 MiB or 40 times the compressed size, whichever is larger; beyond, the file is refused as
/// a decompression bomb. Nothing is allocated from a size that only the compressed data claims.
class ByteSource {
 public:
  static constexpr std::size_t kAlwaysInflated = std::size_t{48} << 20;
  static constexpr std::size_t kMaxRatio = 40;
  static constexpr std::size_t kMaxPeek = 64;

  ByteSource();
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Called once. A FIFO, device or directory is refused without waiting for it. Throws std::bad_alloc.
  [[nodiscard]] Status open(const std::string& path);

  /// The next `wanted` bytes; `got` is smaller only at the end of the data.
  [[nodiscard]] Status read(std::uint8_t* to, std::size_t wanted, std::size_t& got);

  /// The first bytes, at most kMaxPeek, without consuming them. Only before the first read.
  [[nodiscard]] Status peek(std::span<const std::uint8_t>& head);

  [[nodiscard]] bool compressed() const noexcept { return stream_ != nullptr; }
  /// Bytes on disk when the file was opened. A plain file has exactly this many bytes for its reader.
  [[nodiscard]] std::size_t file_size() const noexcept { return file_size_; }
  /// More bytes than this are never delivered.
  [[nodiscard]] std::size_t size_limit() const noexcept;

 private:
  [[nodiscard]] Status start_inflating();
  [[nodiscard]] Status fill_input();
  [[nodiscard]] Status read_file(std::uint8_t* to, std::size_t wanted, std::size_t& got);
  [[nodiscard]] Status read_plain(std::uint8_t* to, std::size_t wanted, std::size_t& got);
  [[nodiscard]] Status read_gzip(std::uint8_t* to, std::size_t wanted, std::size_t& got);
  [[nodiscard]] Status inflate_some(std::uint8_t* to, std::size_t room, std::size_t& made);
  [[nodiscard]] Status end_of_member();
  [[nodiscard]] Status damaged(const char* cause) const;

  int descriptor_ = -1;
  std::size_t file_size_ = 0;
  std::size_t file_at_ = 0;  // bytes read from the descriptor
  std::unique_ptr<std::uint8_t[]> input_;
  std::size_t input_at_ = 0, input_end_ = 0;
  std::unique_ptr<z_stream_s> stream_;  // null: plain
  std::size_t member_start_ = 0;        // where in the file the current gzip member began
  std::size_t inflated_ = 0;
  bool finished_ = false;
  std::array<std::uint8_t, kMaxPeek> head_{};
  std::size_t head_at_ = 0, head_end_ = 0;
};

/// The refusal of a file that inflates to so many bytes. Throws std::bad_alloc.
[[nodiscard]] Status refuse_inflated_size(const std::string& bytes);

/// A whole file in memory, followed by one NUL byte that `size` does not count.
struct FileText {
  struct Free {
    void operator()(char* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<char, Free> data;
  std::size_t size = 0;
};

/// Reads all that is left of `source`. Throws std::bad_alloc.
[[nodiscard]] Status read_text(ByteSource& source, FileText& text);

/// Names content that is certainly not a data set but is often found in its place: a git-LFS pointer, a web page, an
/// archive. Ok if nothing was recognised.
[[nodiscard]] Status refuse_foreign_content(std::span<const std::uint8_t> head) noexcept;

}  // namespace lanemax

#endif
