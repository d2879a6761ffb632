// SPDX-License-Identifier: BSD-3-Clause
// Saving and loading as the file system sees it: the order of the calls, a fault in each of them, files that are none.
#include "tests/support/model_bytes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- system calls of this program, recorded and made to fail ----
// The linker prefers these to the C library's. They record and fail between start() and stop() only.

namespace {

struct SystemCalls {
  bool active = false;
  std::string trace;            // one letter per call, see below
  int fail_at = -1;             // index of the call that fails
  int error = 0;                // with this errno
  int kill_at = -1;             // index of the call that the process does not live to make
  bool persistent = false;      // so do all later ones of the same letter
  std::size_t most = SIZE_MAX;  // bytes per write
  char failed = 0;

  // Records a call; true if it is to fail.
  bool enter(char letter) {
    if (!active) return false;
    if (static_cast<int>(trace.size()) == kill_at) ::raise(SIGKILL);
    const bool again = persistent && failed == letter;
    const bool hit = static_cast<int>(trace.size()) == fail_at || again;
    trace += letter;
    if (!hit) return false;
    failed = letter;
    errno = error;
    return true;
  }
};
SystemCalls g_calls;

int open_mode(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = open_mode(flags, arguments);
  va_end(arguments);
  if (g_calls.enter('o')) return -1;
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
[[gnu::visibility("default")]] int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = open_mode(flags, arguments);
  va_end(arguments);
  if (g_calls.enter('t')) return -1;
  return static_cast<int>(syscall(SYS_openat, directory, path, flags, mode));
}
[[gnu::visibility("default")]] ssize_t write(int file, const void* bytes, size_t size) {
  if (g_calls.enter('w')) return -1;
  return syscall(SYS_write, file, bytes, g_calls.active ? std::min(size, g_calls.most) : size);
}
[[gnu::visibility("default")]] int fsync(int file) {
  if (g_calls.active) {
    struct stat info{};
    fstat(file, &info);
    if (g_calls.enter(S_ISDIR(info.st_mode) ? 'D' : 's')) return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, file));
}
[[gnu::visibility("default")]] int fchmod(int file, mode_t mode) noexcept {
  if (g_calls.enter('p')) return -1;
  return static_cast<int>(syscall(SYS_fchmod, file, mode));
}
[[gnu::visibility("default")]] int renameat(int from, const char* old_path, int to, const char* new_path) noexcept {
  if (g_calls.enter('r')) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from, old_path, to, new_path, 0));
}
[[gnu::visibility("default")]] int close(int file) {
  const bool fail = g_calls.enter('c');
  const int error = errno;
  const int result = static_cast<int>(syscall(SYS_close, file));  // a failed close closes, too
  if (!fail) return result;
  errno = error;
  return -1;
}
}

namespace lanemax::test {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lanemax_atomic_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = (directory_ / "model.safetensors").string();
  }
  void TearDown() override {
    g_calls = {};
    std::error_code ignored;
    fs::permissions(directory_, fs::perms::owner_all, ignored);
    fs::remove_all(directory_, ignored);
  }

  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{directory_}, fs::directory_iterator{}));
  }

  // Saves with the recorder on.
  Status save(const Model& model) {
    g_calls.active = true;
    const Status status = save_model(model, path_.c_str());
    g_calls.active = false;
    return status;
  }

  static Bytes content(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  // Whoever reads the message knows which file is meant, if only by the end of its path.
  static void expect_named(const Status& status, std::string path) {
    for (char& c : path) c = static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E ? '?' : c;
    const std::string file = status.file;
    EXPECT_TRUE(file == path || (file.starts_with("...") && path.ends_with(file.substr(3)))) << path << ": " << file;
    EXPECT_FALSE(file.empty() && !path.empty()) << path;
    EXPECT_TRUE(path.empty() || message(status).starts_with(file + ": ")) << message(status);
  }
  // Loading is refused with this code and errno, and changes nothing.
  static void expect_not_loaded(const std::string& path, StatusCode code, int error) {
    Model model = small_model();
    const Status status = load_model(path.c_str(), model);
    EXPECT_EQ(status.code, code) << path << ": " << message(status);
    EXPECT_EQ(status.system_error, error) << path << ": " << message(status);
    expect_named(status, path);
    expect_same(model, small_model());
  }
  void expect_not_saved(const std::string& path, int error) const {
    const std::size_t before = entries();
    const Status status = save_model(small_model(), path.c_str());
    EXPECT_EQ(status.code, StatusCode::io_error) << path << ": " << message(status);
    EXPECT_EQ(status.system_error, error) << path << ": " << message(status);
    expect_named(status, path);
    EXPECT_EQ(entries(), before);
  }

  fs::path directory_;
  std::string path_;
};

// ---- saving ----

TEST_F(AtomicFile, SavesAndLoads) {
  ASSERT_TRUE(save_model(small_model(), path_.c_str()).ok());
  EXPECT_EQ(content(path_), to_bytes(small_model()));
  EXPECT_EQ(entries(), 1u);
  Model model;
  const Status status = load_model(path_.c_str(), model);
  ASSERT_TRUE(status.ok()) << message(status);
  expect_same(model, small_model());
}

TEST_F(AtomicFile, SavesToARelativePath) {
  const fs::path before = fs::current_path();
  fs::current_path(directory_);
  const Status status = save_model(small_model(), "here");
  fs::current_path(before);
  EXPECT_TRUE(status.ok()) << message(status);
  EXPECT_EQ(content((directory_ / "here").string()), to_bytes(small_model()));
}

TEST_F(AtomicFile, SavesUnderTheLongestNameThereIs) {
  path_ = (directory_ / std::string(255, 'n')).string();
  EXPECT_TRUE(save(small_model()).ok());
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFile, SyncsTheFileThenRenamesThenSyncsTheDirectory) {
  ASSERT_TRUE(save(small_model()).ok());
  EXPECT_EQ(g_calls.trace, "otwscrDc");
  g_calls.trace.clear();
  ASSERT_TRUE(save(small_model()).ok());
  EXPECT_EQ(g_calls.trace, "otpwscrDc") << "an old file's permissions are kept";
}

TEST_F(AtomicFile, KeepsPermissions) {
  ASSERT_TRUE(save(small_model()).ok());
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  ASSERT_TRUE(save(make_model(2, 3)).ok());
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777u, 0640u);
}

TEST_F(AtomicFile, EveryFaultLeavesTheOldFileOrTheNew) {
  const Model model = make_model(2, 3);
  const Bytes old_bytes = to_bytes(small_model());
  const Bytes new_bytes = to_bytes(model);
  for (const int error : {ENOSPC, EIO, EDQUOT, EINTR}) {
    for (const bool persistent : {false, true}) {
      if (error == EINTR && persistent) continue;  // a signal for every call: waits as it should
      for (int n = 0;; ++n) {
        g_calls = {};
        ASSERT_TRUE(save(small_model()).ok());
        g_calls = {};
        g_calls.fail_at = n;
        g_calls.error = error;
        g_calls.persistent = persistent;
        const Status status = save(model);
        if (g_calls.failed == 0) {
          EXPECT_TRUE(status.ok());
          EXPECT_EQ(n, 9);
          break;
        }
        const std::string where = g_calls.trace + " failed: " + g_calls.failed + ", " + message(status);
        EXPECT_EQ(entries(), 1u) << where;
        const bool last_close = n == 8;  // of the directory: nothing depends on it any more
        const bool interrupted = error == EINTR && g_calls.failed != 'r' && g_calls.failed != 'p';
        if (last_close || interrupted) {
          EXPECT_TRUE(status.ok()) << where;
          EXPECT_EQ(content(path_), new_bytes) << where;
        } else {
          EXPECT_EQ(status.code, StatusCode::io_error) << where;
          EXPECT_EQ(status.system_error, error) << where;
          EXPECT_EQ(content(path_), g_calls.failed == 'D' ? new_bytes : old_bytes) << where;
        }
      }
    }
  }
}

TEST_F(AtomicFile, ShortWritesAreContinued) {
  g_calls.most = 7;
  ASSERT_TRUE(save(small_model()).ok());
  EXPECT_EQ(content(path_), to_bytes(small_model()));
}

TEST_F(AtomicFile, NamesLeftByKilledProcessesAreSteppedOver) {
  g_calls.fail_at = 1;
  g_calls.error = EEXIST;
  ASSERT_TRUE(save(small_model()).ok());
  EXPECT_EQ(g_calls.trace, "ottwscrDc");
}

// The file may not grow beyond 100 bytes, as on a full disk: a short write, then an error.
TEST_F(AtomicFile, AFullDiskLeavesTheOldFile) {
  ASSERT_TRUE(save_model(small_model(), path_.c_str()).ok());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
    const Status status = save_model(make_model(2, 3), path_.c_str());
    ::_exit(status.code == StatusCode::io_error && status.system_error == EFBIG ? 0 : 1);
  }
  int result = 0;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_TRUE(WIFEXITED(result));
  EXPECT_EQ(WEXITSTATUS(result), 0);
  EXPECT_EQ(content(path_), to_bytes(small_model()));
  EXPECT_EQ(entries(), 1u);
}

// Killed before every system call of a save: the old file or the new one, whole, and the next save works.
TEST_F(AtomicFile, AKilledSaveLeavesAWholeFile) {
  const Bytes old_bytes = to_bytes(small_model());
  const Bytes new_bytes = to_bytes(make_model(2, 3));
  for (int n = 0;; ++n) {
    ASSERT_TRUE(save_model(small_model(), path_.c_str()).ok());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      g_calls.kill_at = n;
      g_calls.most = 50;
      ::_exit(save(make_model(2, 3)).ok() ? 0 : 1);
    }
    int result = 0;
    ASSERT_EQ(::waitpid(child, &result, 0), child);
    if (WIFEXITED(result)) {
      EXPECT_EQ(WEXITSTATUS(result), 0);
      EXPECT_EQ(content(path_), new_bytes);
      EXPECT_GT(n, 12);
      break;
    }
    ASSERT_EQ(WTERMSIG(result), SIGKILL);
    const Bytes now = content(path_);
    EXPECT_TRUE(now == old_bytes || now == new_bytes) << n;
  }
}

TEST_F(AtomicFile, RefusesWhatCannotBeReplaced) {
  expect_not_saved(directory_.string(), EISDIR);
  expect_not_saved(directory_.string() + "/", EISDIR);
  expect_not_saved((directory_ / "missing" / "model").string(), ENOENT);
  expect_not_saved((directory_ / "new/").string(), 0);
  expect_not_saved("", 0);
  // A FIFO stands for all that is no regular file: a failure of this test must not cost the machine its /dev/null.
  const std::string fifo = (directory_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_not_saved(fifo, 0);
  std::ofstream{directory_ / "file"} << "x";
  expect_not_saved((directory_ / "file" / "model").string(), ENOTDIR);
  expect_not_saved((directory_ / std::string(256, 'n')).string(), ENAMETOOLONG);
}

TEST_F(AtomicFile, RefusesAReadOnlyDirectory) {
  fs::permissions(directory_, fs::perms::owner_read | fs::perms::owner_exec);
  if (::access(directory_.c_str(), W_OK) == 0) GTEST_SKIP() << "this user may write everywhere";
  expect_not_saved(path_, EACCES);
}

TEST_F(AtomicFile, FollowsLinks) {
  const fs::path there = directory_ / "there";
  fs::create_directory(there);
  const std::string target = (there / "target").string();
  ASSERT_TRUE(save_model(small_model(), target.c_str()).ok());
  fs::create_symlink("there/target", path_);
  ASSERT_TRUE(save_model(make_model(2, 3), path_.c_str()).ok());
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(content(target), to_bytes(make_model(2, 3)));
  Model model;
  EXPECT_TRUE(load_model(path_.c_str(), model).ok());

  const std::string link = (directory_ / "link").string();
  fs::create_symlink("nowhere", link);
  expect_not_saved(link, ENOENT);
  fs::remove(link);
  fs::create_symlink("link", link);
  expect_not_saved(link, ELOOP);
  expect_not_loaded(link, StatusCode::io_error, ELOOP);
  fs::remove(link);
  ASSERT_EQ(::mkfifo((directory_ / "fifo").c_str(), 0600), 0);
  fs::create_symlink("fifo", link);
  expect_not_saved(link, 0);
}

// ---- loading ----

TEST_F(AtomicFile, LoadsRegularFilesOnly) {
  expect_not_loaded(path_, StatusCode::missing_file, ENOENT);
  expect_not_loaded("", StatusCode::missing_file, ENOENT);
  expect_not_loaded(directory_.string(), StatusCode::io_error, EISDIR);
  expect_not_loaded("/dev/zero", StatusCode::io_error, 0);
  expect_not_loaded("/dev/null", StatusCode::io_error, 0);
  const std::string fifo = (directory_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_not_loaded(fifo, StatusCode::io_error, 0);
  const std::string odd = (directory_ / "a\nname").string();
  expect_not_loaded(odd, StatusCode::missing_file, ENOENT);
  ASSERT_TRUE(save_model(small_model(), odd.c_str()).ok());
  Model model;
  EXPECT_TRUE(load_model(odd.c_str(), model).ok());
}

TEST_F(AtomicFile, RefusesUnreadableFiles) {
  ASSERT_TRUE(save_model(small_model(), path_.c_str()).ok());
  ASSERT_EQ(::chmod(path_.c_str(), 0), 0);
  if (::access(path_.c_str(), R_OK) == 0) GTEST_SKIP() << "this user may read everything";
  expect_not_loaded(path_, StatusCode::io_error, EACCES);
}

TEST_F(AtomicFile, RefusesShortFiles) {
  const Bytes file = to_bytes(small_model());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{9}, std::size_t{16},
                                 std::size_t{17}, file.size() - 1}) {
    std::ofstream{path_, std::ios::binary}.write(reinterpret_cast<const char*>(file.data()),
                                                 static_cast<std::streamsize>(size));
    expect_not_loaded(path_, StatusCode::bad_model, 0);
  }
}

// A sparse file of 8 TiB whose first bytes are no model: refused before memory is taken for it.
TEST_F(AtomicFile, RefusesALargeDataFileByItsBeginning) {
  std::ofstream{path_} << "5.1,3.5,1.4,0.2,setosa\n";
  if (::truncate(path_.c_str(), off_t{1} << 43) != 0) GTEST_SKIP() << "no sparse files of 8 TiB here";
  Model model;
  const Status status = load_model(path_.c_str(), model);
  EXPECT_EQ(status.code, StatusCode::bad_model);
  EXPECT_NE(std::string_view{status.expected}.find("text"), std::string_view::npos);
}

TEST_F(AtomicFile, RefusesALongHeaderByItsLength) {
  constexpr std::uint64_t kLength = 100'000'001;
  std::ofstream{path_, std::ios::binary}.write(reinterpret_cast<const char*>(&kLength), 8).put('{');
  ASSERT_EQ(::truncate(path_.c_str(), 200'000'000), 0);
  Model model;
  const Status status = load_model(path_.c_str(), model);
  EXPECT_EQ(status.code, StatusCode::bad_model);
  EXPECT_EQ(std::string_view{status.what}, "header length");
}

TEST_F(AtomicFile, LeaksNoDescriptors) {
  const auto open_files = [] {
    return std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{});
  };
  const auto before = open_files();
  Model model;
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(save_model(small_model(), path_.c_str()).ok());
    EXPECT_TRUE(load_model(path_.c_str(), model).ok());
    EXPECT_FALSE(save_model(small_model(), "/missing/model").ok());
    EXPECT_FALSE(load_model(directory_.c_str(), model).ok());
    g_calls = {};
    g_calls.fail_at = 2 + i % 5;
    g_calls.error = EIO;
    EXPECT_FALSE(save(small_model()).ok());
  }
  EXPECT_EQ(open_files(), before);
}

}  // namespace
}  // namespace lanemax::test
