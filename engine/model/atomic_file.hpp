// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_ATOMIC_FILE_HPP
#define LANEMAX_ENGINE_MODEL_ATOMIC_FILE_HPP

#include <lanemax/status.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lanemax {

/// A file that appears whole or not at all: a temporary file in the same directory is written, synced and renamed over
/// `path`, then the directory is synced. Whoever opens `path`, also after a crash, finds the old bytes or the new ones,
/// whole. An old file's permission bits are kept; a new one's follow the umask.
///
/// A symbolic link is followed: the file it names is replaced and the link stays. What is no regular file (a directory,
/// a device, a FIFO) and a link that leads nowhere are refused. Without commit(), or on a failure, the temporary file
/// is removed and the old file is as it was, except where the very last step, the sync of the directory, fails: then
/// the new file is in place but might not outlive a power cut. A killed process can leave a file named
/// `.<name>.<pid>-<n>.tmp`; it disturbs nothing and later writes do not trip over it. May throw std::bad_alloc. Visible
/// outside a shared library: the command writes its tables with it too.
class [[gnu::visibility("default")]] AtomicFile {
 public:
  AtomicFile() noexcept;
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Once, then any number of write(), then commit().
  [[nodiscard]] Status open(const char* path);
  [[nodiscard]] Status write(std::span<const std::uint8_t> bytes) noexcept;
  [[nodiscard]] Status commit() noexcept;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// All of it in one call.
[[nodiscard, gnu::visibility("default")]] Status write_file_atomically(const char* path,
                                                                       std::span<const std::uint8_t> bytes);

/// Looks at the first bytes of a file and its size, and says whether reading the rest is worth while.
using BeginningCheck = Status (*)(std::span<const std::uint8_t> beginning, std::uint64_t file_size) noexcept;

/// Reads a whole regular file. Never waits on a FIFO or reads from a device. `check` sees up to 16 bytes before memory
/// for the rest is taken. May throw std::bad_alloc.
[[nodiscard]] Status read_regular_file(const char* path, BeginningCheck check, std::vector<std::uint8_t>& bytes);

}  // namespace lanemax

#endif
