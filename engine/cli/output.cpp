// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/output.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/data/csv_cells.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace lanemax::cli {
namespace {

// False with errno set if not everything could be written.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

template <class T>
std::string shortest(T value) {
  if (!std::isfinite(value)) return {};
  std::array<char, 40> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace

void write_stdout(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) give_up(kInputOutput, {});
  give_up(kInputOutput, std::string("stdout: cannot write: ") + std::strerror(errno) + "; expected all results to fit");
}

void say(std::string_view line) {
  std::string text = one_line(line);
  text += '\n';
  // Nowhere is left to report a failure of this one.
  static_cast<void>(write_all(STDERR_FILENO, text));
}

void say_remarks(const std::vector<Remark>& remarks, bool quiet) {
  for (const Remark& remark : remarks) {
    if (remark.warning || !quiet) say((remark.warning ? "warning: " : "note: ") + remark.text);
  }
}

std::string one_line(std::string_view text) {
  std::string line(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

std::string number_text(double value) {
  return shortest(value);
}
std::string number_text(float value) {
  return shortest(value);
}

std::string readable(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  std::array<char, 40> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, digits);
  return {text.data(), end};
}

std::string csv_field(std::string_view text) {
  const bool plain = text.find_first_of(",;\t\"\r\n") == std::string_view::npos && !is_missing_label_mark(text) &&
                     text.front() != ' ' && text.back() != ' ' && text.front() != '#';
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

ResultStream::ResultStream(std::string path) : path_(std::move(path)) {
  if (!path_.empty()) check(file_.open(path_.c_str()), path_);
}

void ResultStream::write(std::string_view text) {
  if (path_.empty()) return write_stdout(text);
  check(file_.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}), path_);
}

void ResultStream::finish() {
  if (!path_.empty()) check(file_.commit(), path_);
}

bool same_file(const std::string& first, const std::string& second) {
  std::error_code error;
  if (std::filesystem::equivalent(first, second, error)) return true;
  const auto a = std::filesystem::weakly_canonical(first, error);
  if (error) return first == second;
  const auto b = std::filesystem::weakly_canonical(second, error);
  return error ? first == second : a == b;
}

void check_output_path(const char* option, const std::string& path, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) {
    if (!input.empty() && same_file(path, input)) {
      give_up_usage(std::string(option) + " '" + path + "': is also an input; expected a file of its own");
    }
  }
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    give_up(kInputOutput, path + ": not a regular file; expected a new or a regular file for " + option);
  }
  if (::stat(path.c_str(), &status) != 0 && ::lstat(path.c_str(), &status) == 0) {
    give_up(kInputOutput, path + ": a link that leads nowhere; expected a new or a regular file for " + option);
  }
  const std::string directory = directory_of(path);
  if (::stat(directory.c_str(), &status) != 0) {
    give_up(kInputOutput, path + ": " + std::strerror(errno) + "; expected an existing directory for " + option);
  }
  if (!S_ISDIR(status.st_mode) || ::access(directory.c_str(), W_OK | X_OK) != 0) {
    give_up(kInputOutput, path + ": its directory cannot be written to; expected one that can for " + option);
  }
}

}  // namespace lanemax::cli
