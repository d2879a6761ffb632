// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_DATA_FILES_HPP
#define LANEMAX_TESTS_SUPPORT_DATA_FILES_HPP

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "engine/data/dataset.hpp"

namespace lanemax::testing_data {

/// A file with the given content, removed at the end of its life.
class TempFile {
 public:
  explicit TempFile(std::string_view content) : path_(::testing::TempDir() + "lanemax-XXXXXX") {
    const int descriptor = ::mkstemp(path_.data());
    EXPECT_GE(descriptor, 0);
    ::close(descriptor);
    write(content);
  }
  ~TempFile() { std::remove(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  void write(std::string_view content) const {
    std::ofstream(path_, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// One gzip member.
inline std::string gzip(std::string_view content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, static_cast<uLong>(content.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// Reads one file with this content.
inline FileStatus read_content(std::string_view content, Dataset& dataset, const ReadOptions& options = {}) {
  const TempFile file(content);
  return read_dataset({file.path()}, "", options, dataset);
}

inline Status status_of(std::string_view content, const ReadOptions& options = {}) {
  Dataset dataset;
  return read_content(content, dataset, options).status;
}

/// The data set of one file with this content.
inline Dataset read(std::string_view content, const ReadOptions& options = {}) {
  Dataset dataset;
  const FileStatus result = read_content(content, dataset, options);
  EXPECT_TRUE(result.ok()) << message(result.status) << "\nline " << result.status.line << " of\n" << content;
  return dataset;
}

inline void expect_same(const Dataset& a, const Dataset& b) {
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.class_labels, b.class_labels);
  EXPECT_EQ(a.feature_names, b.feature_names);
  EXPECT_EQ(a.sample_weights, b.sample_weights);
}

/// A file with this content is refused for one reason, at one place.
inline void expect_refused(std::string_view content, const char* what, const char* found, std::int64_t line,
                           std::int64_t column, const ReadOptions& options = {},
                           StatusCode code = StatusCode::bad_data) {
  SCOPED_TRACE(std::string(content.substr(0, 60)));
  const Status status = status_of(content, options);
  EXPECT_EQ(status.code, code);
  EXPECT_STREQ(status.what, what);
  EXPECT_STREQ(status.found, found);
  EXPECT_EQ(status.line, line);
  EXPECT_EQ(status.column, column);
  EXPECT_STRNE(status.expected, "");
  EXPECT_EQ(message(status).find_first_of("\n\r"), std::string::npos);
}

/// The growth of the process's physical memory since this object was made, at its peak; 0 where it cannot be measured
/// (no /proc, or a sanitizer that keeps freed memory).
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream file("/proc/self/clear_refs");
    file << '5' << std::flush;
    measurable_ = file.good() && !kSanitized;
    before_ = resident_peak();
  }
  [[nodiscard]] std::size_t growth() const { return measurable_ ? resident_peak() - before_ : 0; }

 private:
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr bool kSanitized = true;
#elif defined(__has_feature)
  static constexpr bool kSanitized =
      __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer);
#else
  static constexpr bool kSanitized = false;
#endif

  static std::size_t resident_peak() {
    std::ifstream file("/proc/self/status");
    for (std::string word; file >> word;) {
      std::size_t kilobytes = 0;
      if (word == "VmHWM:" && file >> kilobytes) return kilobytes * 1024;
    }
    return 0;
  }

  bool measurable_ = false;
  std::size_t before_ = 0;
};

/// Where a real data set lies, or "" if it is not there: in $LANEMAX_TEST_DATA, else beside the checkout.
inline std::string real_data(const std::string& name) {
  const char* directory = std::getenv("LANEMAX_TEST_DATA");
  std::string path = directory != nullptr ? directory : "";
#ifdef LANEMAX_SOURCE_DIR
  if (directory == nullptr) path = LANEMAX_SOURCE_DIR "/../shared/data";
#endif
  path += '/' + name;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace lanemax::testing_data

#endif
