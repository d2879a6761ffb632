// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_RUN_COMMAND_HPP
#define LANEMAX_TESTS_SUPPORT_RUN_COMMAND_HPP

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace lanemax::testing {

/// A directory of its own for each test, gone at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "lanemax-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// An IDX file of unsigned bytes with these dimensions.
inline std::string idx_bytes(const std::vector<std::uint32_t>& dimensions, const std::vector<std::uint8_t>& values) {
  std::string text{'\0', '\0', '\x08', static_cast<char>(dimensions.size())};
  for (const std::uint32_t size : dimensions) {
    for (const int shift : {24, 16, 8, 0}) text += static_cast<char>((size >> shift) & 0xFF);
  }
  return text.append(values.begin(), values.end());
}

struct CommandResult {
  int exit_code = -1;  ///< 128 + number if a signal killed it
  bool killed = false;
  std::string out;
  std::string err;
};

/// A command that runs, with stdout and stderr in files.
class RunningCommand {
 public:
  /// `environment`: NAME=value beside the inherited ones. `stdout_path`: empty keeps the output for finish().
  explicit RunningCommand(std::vector<std::string> words, std::vector<std::string> environment = {},
                          const std::string& stdout_path = {}) {
    out_path_ = stdout_path.empty() ? directory_ / "stdout" : stdout_path;
    err_path_ = directory_ / "stderr";
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    std::vector<char*> argv = pointers(words);
    std::vector<char*> envp = pointers(environment);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out_path_.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err_path_.c_str(), O_WRONLY | O_CREAT, 0600);
    const int error = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("posix_spawn " + words[0]);
  }
  ~RunningCommand() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }

  /// Waits until stderr holds this text; false after 30 seconds or if the command ended.
  [[nodiscard]] bool wait_for(const std::string& text) {
    for (int tries = 0; tries < 3000; ++tries) {
      if (read_text(err_path_).find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  CommandResult finish() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, WIFSIGNALED(status), read_text(directory_ / "stdout"), read_text(err_path_)};
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }

  TemporaryDirectory directory_;
  std::string out_path_;
  std::string err_path_;
  pid_t pid_ = -1;
};

inline CommandResult run_command(const std::vector<std::string>& words,
                                 const std::vector<std::string>& environment = {},
                                 const std::string& stdout_path = {}) {
  return RunningCommand(words, environment, stdout_path).finish();
}

}  // namespace lanemax::testing

#endif
