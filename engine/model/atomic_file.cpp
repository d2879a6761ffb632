// SPDX-License-Identifier: BSD-3-Clause
#include "engine/model/atomic_file.hpp"

#include "engine/fail.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lanemax {
namespace {

// Repeats a system call that a signal interrupted.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] bool valid() const noexcept { return number_ >= 0; }

  // Some file systems report a failed write only here. Never repeated: after EINTR Linux has closed the descriptor.
  bool close() noexcept {
    if (number_ < 0) return true;
    const int result = ::close(number_);
    number_ = -1;
    return result == 0 || errno == EINTR;
  }

 private:
  int number_;
};

// A file that is gone again unless it has been renamed.
class TemporaryFile {
 public:
  TemporaryFile(int directory, std::string_view final_name) : directory_(directory), final_name_(final_name) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (exists_) ::unlinkat(directory_, name_.c_str(), 0);
  }

  // Opens a file that did not exist before; -1 and errno otherwise.
  int create() {
    static std::atomic<unsigned> counter{0};
    constexpr std::size_t kNameKept = 200;  // of 255: leaves room for the rest
    constexpr int kAttempts = 1000;         // names left behind by killed processes that had our id
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      name_.assign(1, '.').append(final_name_, 0, kNameKept).append(1, '.').append(std::to_string(::getpid()));
      name_.append(1, '-').append(std::to_string(counter.fetch_add(1, std::memory_order_relaxed))).append(".tmp");
      const int file = uninterrupted(
          [&] { return ::openat(directory_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
      exists_ = file >= 0;
      if (exists_ || errno != EEXIST) return file;
    }
    return -1;
  }

  bool rename_to_final() {
    if (::renameat(directory_, name_.c_str(), directory_, final_name_.c_str()) != 0) return false;
    exists_ = false;
    return true;
  }

 private:
  int directory_;
  std::string final_name_;
  std::string name_;
  bool exists_ = false;
};

bool write_all(int file, std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // Linux writes at most 2 GiB - 4 KiB per call
  while (!bytes.empty()) {
    const auto count = uninterrupted([&] { return ::write(file, bytes.data(), std::min(bytes.size(), kMost)); });
    if (count < 0) return false;
    if (count == 0) {
      errno = EIO;
      return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

bool sync(int file) {
  return uninterrupted([&] { return ::fsync(file); }) == 0;
}

// Where the bytes really go, and the permission bits of the file that is there already.
struct Target {
  std::string directory;
  std::string name;
  bool exists = false;
  mode_t permissions = 0;
};

Status find_target(const char* path, Target& target) {
  std::string resolved = path;
  struct stat info{};
  const bool exists = ::lstat(path, &info) == 0;
  if (!exists && errno != ENOENT) return system_failure("cannot write");
  if (exists && S_ISLNK(info.st_mode)) {
    const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path, nullptr), &std::free};
    if (!real || ::stat(real.get(), &info) != 0) return system_failure("cannot follow the link");
    resolved = real.get();
  }
  if (exists && !S_ISREG(info.st_mode)) {
    Status status = fail(StatusCode::io_error, "cannot write", "a regular file or a new name");
    if (S_ISDIR(info.st_mode)) status.system_error = EISDIR;
    return status;
  }
  const std::size_t slash = resolved.rfind('/');
  target.directory = slash == std::string::npos ? "." : resolved.substr(0, std::max<std::size_t>(slash, 1));
  target.name = slash == std::string::npos ? resolved : resolved.substr(slash + 1);
  target.exists = exists;
  target.permissions = info.st_mode & 0777u;
  // "" and "directory/" name no file.
  if (target.name.empty()) return fail(StatusCode::io_error, "cannot write", "a file name");
  return {};
}

}  // namespace

struct AtomicFile::Parts {
  // The directory is held open from the start: the rename happens where the file was written even if it is moved
  // meanwhile.
  explicit Parts(const Target& target)
      : directory(uninterrupted([&] { return ::open(target.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); })),
        temporary(directory.number(), target.name),
        file(directory.valid() ? temporary.create() : -1) {}

  Descriptor directory;
  TemporaryFile temporary;
  Descriptor file;
};

AtomicFile::AtomicFile() noexcept = default;
AtomicFile::~AtomicFile() = default;

Status AtomicFile::open(const char* path) {
  Target target;
  if (const Status status = find_target(path, target); !status.ok()) return status;
  parts_ = std::make_unique<Parts>(target);
  if (!parts_->directory.valid()) return system_failure("cannot open the directory");
  if (!parts_->file.valid()) return system_failure("cannot create a temporary file");
  if (target.exists && ::fchmod(parts_->file.number(), target.permissions) != 0)
    return system_failure("cannot set permissions");
  return {};
}

Status AtomicFile::write(std::span<const std::uint8_t> bytes) noexcept {
  return write_all(parts_->file.number(), bytes) ? Status{} : system_failure("cannot write");
}

Status AtomicFile::commit() noexcept {
  if (!sync(parts_->file.number())) return system_failure("cannot sync");
  if (!parts_->file.close()) return system_failure("cannot close");
  if (!parts_->temporary.rename_to_final()) return system_failure("cannot rename");
  // EINVAL: a file system whose directories cannot be synced.
  if (!sync(parts_->directory.number()) && errno != EINVAL) return system_failure("cannot sync the directory");
  return {};
}

Status write_file_atomically(const char* path, std::span<const std::uint8_t> bytes) {
  AtomicFile file;
  Status status = file.open(path);
  if (status.ok()) status = file.write(bytes);
  return status.ok() ? file.commit() : status;
}

Status read_regular_file(const char* path, BeginningCheck check, std::vector<std::uint8_t>& bytes) {
  // O_NONBLOCK: opening a FIFO would wait for its writer. It has no effect on a regular file.
  const Descriptor file{uninterrupted([&] { return ::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); })};
  if (!file.valid()) return cannot_open();
  struct stat info{};
  if (::fstat(file.number(), &info) != 0) return system_failure("cannot read");
  if (!S_ISREG(info.st_mode)) {
    Status status = fail(StatusCode::io_error, "cannot read", "a regular file");
    if (S_ISDIR(info.st_mode)) status.system_error = EISDIR;
    return status;
  }

  const auto size = static_cast<std::uint64_t>(info.st_size);
  constexpr std::size_t kBeginning = 16;
  constexpr std::size_t kMost = std::size_t{1} << 30;
  std::vector<std::uint8_t> content(static_cast<std::size_t>(std::min<std::uint64_t>(size, kBeginning)));
  std::size_t have = 0;
  for (;;) {
    if (have == content.size()) {
      if (have <= kBeginning) {
        if (const Status status = check(content, size); !status.ok()) return status;
      }
      if (have == size) break;
      content.resize(static_cast<std::size_t>(size));
    }
    const auto count = uninterrupted(
        [&] { return ::read(file.number(), content.data() + have, std::min(content.size() - have, kMost)); });
    if (count < 0) return system_failure("cannot read");
    if (count == 0) return fail(StatusCode::io_error, "file", "the size it had when it was opened");
    have += static_cast<std::size_t>(count);
  }
  bytes.swap(content);
  return {};
}

}  // namespace lanemax
