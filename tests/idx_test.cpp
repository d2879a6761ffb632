// SPDX-License-Identifier: BSD-3-Clause
// IDX files, compression and files as such.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/data/file_bytes.hpp"
#include "tests/support/data_files.hpp"

namespace lanemax {
namespace {

using testing_data::gzip;
using testing_data::read_content;
using testing_data::status_of;
using testing_data::TempFile;

std::string idx_header(const std::vector<std::uint32_t>& sizes, int type = 8) {
  std::string bytes = {'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xFF);
  }
  return bytes;
}

// Values 0, 1, 2, ... modulo 251.
std::string idx_file(const std::vector<std::uint32_t>& sizes) {
  std::string bytes = idx_header(sizes);
  std::size_t count = 1;
  for (const std::uint32_t size : sizes) count *= size;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(i % 251);
  return bytes;
}

std::string idx_labels(std::initializer_list<int> labels) {
  std::string bytes = idx_header({static_cast<std::uint32_t>(labels.size())});
  for (const int label : labels) bytes += static_cast<char>(label);
  return bytes;
}

Status labels_status(const std::string& data, const std::string& labels, Dataset& dataset) {
  const TempFile data_file(data), labels_file(labels);
  const FileStatus result = read_dataset({data_file.path()}, labels_file.path(), {}, dataset);
  if (!result.ok()) {
    EXPECT_TRUE(result.file == labels_file.path() || result.file == data_file.path());
  }
  return result.status;
}

const ReadOptions kIdx = {.format = FileFormat::idx};

TEST(Idx, ReadsSamplesOfTwoToFourDimensionsAsBytes) {
  const std::vector<std::vector<std::uint32_t>> shapes = {{3, 8}, {3, 2, 4}, {3, 2, 2, 2}};
  for (const auto& shape : shapes) {
    Dataset dataset;
    ASSERT_TRUE(read_content(idx_file(shape), dataset).ok());
    EXPECT_EQ(dataset.samples, 3U);
    EXPECT_EQ(dataset.features, 8U);
    EXPECT_EQ(dataset.type, FeatureType::u8);
    LargeVector<std::uint8_t> expected(24);
    std::iota(expected.begin(), expected.end(), std::uint8_t{0});
    EXPECT_EQ(dataset.bytes, expected);
    EXPECT_TRUE(dataset.labels.empty());
    EXPECT_TRUE(dataset.class_labels.empty());
    EXPECT_EQ(dataset.view().data, dataset.bytes.data());
  }
}

TEST(Idx, ClassesAreTheLabelsPresentInNumericOrder) {
  Dataset dataset;
  ASSERT_TRUE(labels_status(idx_file({5, 2}), idx_labels({62, 255, 9, 62, 10}), dataset).ok());
  EXPECT_EQ(dataset.class_labels, (std::vector<std::string>{"9", "10", "62", "255"}));
  EXPECT_EQ(dataset.labels, (std::vector<std::int32_t>{2, 3, 0, 2, 1}));
}

TEST(Idx, MapsLabelsOntoKnownClasses) {
  const std::vector<std::string> known = {"7", "1"};
  const TempFile data(idx_file({3, 2})), labels(idx_labels({1, 2, 7}));
  Dataset dataset;
  ASSERT_TRUE(read_dataset({data.path()}, labels.path(), {.known_classes = &known}, dataset).ok());
  EXPECT_EQ(dataset.labels, (std::vector<std::int32_t>{1, Dataset::kUnknownLabel, 0}));
  EXPECT_EQ(dataset.class_labels, known);
  EXPECT_EQ(dataset.unknown_labels, 1U);
}

TEST(Idx, SeveralFilesAreOneDataSet) {
  const TempFile a(idx_file({2, 3})), b(gzip(idx_file({1, 3, 1}))), other(idx_file({1, 4}));
  const TempFile labels(idx_labels({1, 0, 1}));
  Dataset dataset;
  ASSERT_TRUE(read_dataset({a.path(), b.path()}, labels.path(), {}, dataset).ok());
  EXPECT_EQ(dataset.samples, 3U);
  EXPECT_EQ(dataset.bytes, (LargeVector<std::uint8_t>{0, 1, 2, 3, 4, 5, 0, 1, 2}));
  const FileStatus refused = read_dataset({a.path(), other.path()}, "", {}, dataset);
  EXPECT_EQ(refused.status.code, StatusCode::shape_mismatch);
  EXPECT_STREQ(refused.status.found, "4, not 3");
  EXPECT_EQ(refused.file, other.path());
  EXPECT_EQ(dataset.samples, 3U);
}

struct BadIdx {
  const char* name;
  std::string content;
  const char* what;
  const char* found;
  std::int64_t byte;
};

TEST(Idx, RefusesWhatIsNotAnIdxFile) {
  const std::string all = "\xFF\xFF\xFF\xFF";
  const std::vector<BadIdx> cases = {
      {"empty", "", "file too short for an IDX header", "0 bytes", 0},
      {"one byte", std::string(1, '\0'), "file too short for an IDX header", "1 bytes", 1},
      {"three bytes", std::string("\0\0\x08", 3), "file too short for an IDX header", "3 bytes", 3},
      {"magic only", std::string("\0\0\x08\x03", 4), "file too short for an IDX header", "4 bytes", 4},
      {"seven bytes", std::string("\0\0\x08\x03\0\0\0", 7), "file too short for an IDX header", "7 bytes", 7},
      {"first byte", std::string("\1\0\x07\x03", 4) + std::string(12, '\1'), "not an IDX file", "0x01", 0},
      {"second byte", std::string("\0\2\x08\x03", 4) + std::string(12, '\1'), "not an IDX file", "0x02", 1},
      {"type 7", idx_header({1, 1}, 7), "unknown IDX type", "0x07", 2},
      {"type 10", idx_header({1, 1}, 10), "unknown IDX type", "0x0A", 2},
      {"type i8", idx_header({1, 1}, 9), "IDX type not supported", "0x09, signed byte", 2},
      {"type i16", idx_header({1, 1}, 11), "IDX type not supported", "0x0B, 16-bit integer", 2},
      {"type i32", idx_header({1, 1}, 12), "IDX type not supported", "0x0C, 32-bit integer", 2},
      {"type f32", idx_header({1, 1}, 13), "IDX type not supported", "0x0D, 32-bit float", 2},
      {"type f64", idx_header({1, 1}, 14), "IDX type not supported", "0x0E, 64-bit float", 2},
      {"no dimensions", idx_header({}), "number of IDX dimensions", "0", 3},
      {"5 dimensions", idx_header({1, 1, 1, 1, 1}), "number of IDX dimensions", "5", 3},
      {"255 dimensions", std::string("\0\0\x08\xFF", 4), "number of IDX dimensions", "255", 3},
      {"labels", idx_labels({1, 2}), "labels file where samples belong", "1 dimension", 3},
      {"byte order", std::string("\x03\x08\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01", 17),
       "IDX header in the wrong byte order", "0x03 0x08 0x00 0x00", 0},
      {"no samples", idx_file({0, 28, 28}), "no samples in the IDX file", "0 x 28 x 28", 4},
      {"no features", idx_file({60000, 0, 28}), "no features in the IDX file", "60000 x 0 x 28", 8},
      {"overflow", idx_header({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}), "IDX dimensions",
       "4294967295 x 4294967295 x 4294967295", 4},
      // The product is 2^64 + 2^34, which wraps to 2^34.
      {"wrap", idx_header({0x80000000, 0x80000000, 4}), "IDX dimensions", "2147483648 x 2147483648 x 4", 4},
      {"2^62 bytes", idx_header({0x80000000, 0x80000000}), "size of the IDX data", "12 bytes, not 4611686018427387916",
       -1},
      {"one short", idx_file({2, 3}).substr(0, 17), "size of the IDX data", "17 bytes, not 18", -1},
      {"one long", idx_file({2, 3}) + 'x', "size of the IDX data", "19 bytes, not 18", -1},
      {"gzip, one short", gzip(idx_file({2, 3}).substr(0, 17)), "size of the IDX data", "17 bytes, not 18", -1},
      {"gzip, one long", gzip(idx_file({2, 3}) + 'x'), "size of the IDX data", "more bytes, not 18", -1},
      {"gzip, 2^40 rows", gzip(idx_header({0x80000000, 512})), "size of the IDX data", nullptr, -1},
  };
  for (const BadIdx& bad : cases) {
    SCOPED_TRACE(bad.name);
    const Status status = status_of(bad.content, kIdx);
    EXPECT_EQ(status.code, StatusCode::bad_data);
    EXPECT_STREQ(status.what, bad.what);
    if (bad.found != nullptr) {
      EXPECT_STREQ(status.found, bad.found);
    }
    EXPECT_EQ(status.byte, bad.byte);
    EXPECT_STRNE(status.expected, "");
    EXPECT_EQ(message(status).find('\n'), std::string::npos);
    // Recognised without being told, where two zero bytes or their mirror image are there.
    if (bad.content.size() > 4 && bad.content[0] == '\0' && bad.content[1] == '\0') {
      EXPECT_STREQ(status_of(bad.content).what, bad.what);
    }
  }
}

TEST(Idx, TellsLabelsAndSamplesApart) {
  Dataset dataset;
  const std::string samples = idx_file({3, 2, 2}), labels = idx_labels({0, 1, 0});
  EXPECT_STREQ(labels_status(labels, samples, dataset).what, "labels file where samples belong");
  const Status status = labels_status(samples, samples, dataset);
  EXPECT_STREQ(status.what, "samples file where labels belong");
  EXPECT_STREQ(status.found, "3 dimensions");
  const Status count = labels_status(samples, idx_labels({0, 1}), dataset);
  EXPECT_EQ(count.code, StatusCode::shape_mismatch);
  EXPECT_STREQ(count.what, "number of labels");
  EXPECT_STREQ(count.found, "2 labels, 3 samples");
  EXPECT_STREQ(labels_status(samples, "version https://git-lfs.github.com/spec/v1\n", dataset).found,
               "a git-LFS pointer");
  EXPECT_STREQ(labels_status(samples, idx_header({0}), dataset).what, "no samples in the IDX file");
  EXPECT_EQ(dataset.samples, 0U);
}

TEST(Idx, LeavesTheDataSetAloneOnErrors) {
  Dataset dataset;
  ASSERT_TRUE(labels_status(idx_file({2, 3}), idx_labels({4, 5}), dataset).ok());
  EXPECT_FALSE(labels_status(idx_file({3, 3}), idx_labels({4, 5}), dataset).ok());
  EXPECT_EQ(dataset.samples, 2U);
  EXPECT_EQ(dataset.bytes.size(), 6U);
  EXPECT_EQ(dataset.class_labels, (std::vector<std::string>{"4", "5"}));
}

TEST(Files, OtherContentIsNamed) {
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "a git-LFS pointer"},
      {"\n <!DOCTYPE html><html>", "a web page"},
      {"<HTML><head>", "a web page"},
      {"<?xml version=\"1.0\"?>", "an XML document"},
      {"PK\x03\x04rest", "a ZIP archive"},
      {"\x93NUMPY\x01", "a NumPy file"},
      {"@RELATION iris\n", "an ARFF file"},
      {std::string("\xFD"
                   "7zXZ\0x",
                   7),
       "an xz file"}};
  for (const auto& [content, name] : cases) {
    for (const std::string& bytes : {content, gzip(content)}) {
      const Status status = status_of(bytes);
      EXPECT_EQ(status.code, StatusCode::bad_data);
      EXPECT_STREQ(status.what, "file content");
      EXPECT_STREQ(status.found, name);
      EXPECT_STREQ(status_of(bytes, kIdx).found, name);
    }
  }
}

TEST(Files, WhatIsNotARegularFileIsRefusedAtOnce) {
  Dataset dataset;
  const FileStatus missing = read_dataset({"/nonexistent/file"}, "", {}, dataset);
  EXPECT_EQ(missing.status.code, StatusCode::missing_file);
  EXPECT_EQ(missing.status.system_error, ENOENT);
  EXPECT_EQ(missing.file, "/nonexistent/file");
  const FileStatus directory = read_dataset({::testing::TempDir()}, "", {}, dataset);
  EXPECT_EQ(directory.status.code, StatusCode::io_error);
  EXPECT_EQ(directory.status.system_error, EISDIR);
  EXPECT_EQ(read_dataset({"/dev/zero"}, "", {}, dataset).status.code, StatusCode::io_error);
  const TempFile name("");
  std::remove(name.path().c_str());
  ASSERT_EQ(::mkfifo(name.path().c_str(), 0600), 0);
  EXPECT_STREQ(read_dataset({name.path()}, "", {}, dataset).status.what, "not a regular file");
  if (::geteuid() != 0) {
    const TempFile secret("1,2\n");
    ASSERT_EQ(::chmod(secret.path().c_str(), 0), 0);
    EXPECT_EQ(read_dataset({secret.path()}, "", {}, dataset).status.system_error, EACCES);
  }
  EXPECT_EQ(read_dataset({}, "", {}, dataset).status.code, StatusCode::invalid_argument);
}

TEST(Files, FormatsAreNotMixed) {
  const TempFile idx(idx_file({2, 2})), csv("1,2,a\n"), labels(idx_labels({0, 1}));
  Dataset dataset;
  EXPECT_STREQ(read_dataset({idx.path(), csv.path()}, "", {}, dataset).status.found, "CSV after IDX");
  EXPECT_STREQ(read_dataset({csv.path(), idx.path()}, "", {}, dataset).status.found, "IDX after CSV");
  EXPECT_EQ(read_dataset({csv.path()}, labels.path(), {}, dataset).status.code, StatusCode::invalid_argument);
  EXPECT_EQ(read_dataset({idx.path()}, "", {.weight_column = "w"}, dataset).status.code, StatusCode::invalid_argument);
  EXPECT_EQ(read_dataset({idx.path()}, "", {.drop = {"0"}}, dataset).status.code, StatusCode::invalid_argument);
}

TEST(Gzip, ContentDecidesAndMembersFollowOneAnother) {
  const std::string plain = idx_file({7, 11, 3});
  for (const std::string& bytes :
       {plain, gzip(plain), gzip(plain.substr(0, 2)) + gzip(plain.substr(2)),
        gzip("") + gzip(plain.substr(0, 100)) + gzip("") + gzip(plain.substr(100)) + gzip("")}) {
    Dataset dataset;
    const FileStatus result = read_content(bytes, dataset);
    ASSERT_TRUE(result.ok()) << message(result.status);
    EXPECT_EQ(std::string(dataset.bytes.begin(), dataset.bytes.end()), plain.substr(16));
  }
}

// As on tapes and block devices; also a whole buffer of them, and around its size.
TEST(Gzip, ZeroBytesPadAFile) {
  const std::string plain = idx_file({7, 11, 3}), packed = gzip(plain);
  const TempFile file("");
  for (const std::size_t zeros : {std::size_t{1}, std::size_t{511}, 65535 - packed.size(), 65536 - packed.size(),
                                  65537 - packed.size(), std::size_t{200000}}) {
    file.write(packed + std::string(zeros, '\0'));
    Dataset dataset;
    const FileStatus result = read_dataset({file.path()}, "", {}, dataset);
    ASSERT_TRUE(result.ok()) << zeros << ' ' << message(result.status);
    EXPECT_EQ(std::string(dataset.bytes.begin(), dataset.bytes.end()), plain.substr(16));
  }
}

TEST(Gzip, DamageIsNamed) {
  const std::string packed = gzip(idx_file({50, 40}));
  const auto size = static_cast<std::int64_t>(packed.size());
  const auto flipped = [&](std::size_t from_end) {
    std::string bytes = packed;
    bytes[bytes.size() - from_end] = static_cast<char>(bytes[bytes.size() - from_end] ^ 1);
    return bytes;
  };
  const auto expect = [](const std::string& bytes, const char* found, std::int64_t byte) {
    const Status status = status_of(bytes);
    EXPECT_EQ(status.code, StatusCode::bad_data);
    EXPECT_STREQ(status.what, "gzip data");
    EXPECT_STREQ(status.found, found);
    if (byte >= 0) {
      EXPECT_EQ(status.byte, byte);
    }
  };
  expect(packed.substr(0, packed.size() - 1), "ends too early", size - 1);
  expect(packed.substr(0, 12), "ends too early", 12);
  expect(packed.substr(0, 2), "ends too early", 2);
  expect(flipped(8), "incorrect data check", -1);
  expect(flipped(1), "incorrect length check", -1);
  expect(packed + "garbage", "something else after its end", size);
  expect(packed + "g", "something else after its end", size);
  expect(packed + std::string("\x1F"
                              "garbage"),
         "something else after its end", size);
  for (const std::size_t zeros : {1U, 3U, 70000U}) {
    const auto end = size + static_cast<std::int64_t>(zeros);
    expect(packed + std::string(zeros, '\0') + "x", "something else after its end", end);
    expect(packed + std::string(zeros, '\0') + packed, "something else after its end", end);
  }
  expect(packed + packed.substr(0, 5), "ends too early", size + 5);
  expect(std::string("\x1F\x8B\x07\0\0\0\0\0", 8), "unknown compression method", -1);
}

// About a megabyte that inflates to a gigabyte: the head, then one member of a megabyte again and again.
std::string bomb(const std::string& head, char filler) {
  std::string packed = gzip(head);
  const std::string megabyte = gzip(std::string(1 << 20, filler));
  for (int i = 0; i < 1024; ++i) packed += megabyte;
  return packed;
}

TEST(Gzip, BombsAreRefusedInLittleMemory) {
  const std::vector<std::pair<std::string, const char*>> bombs = {
      {bomb(idx_header({1000, 28, 28}), '\0'), "size of the IDX data"},
      {bomb(idx_header({47000, 32, 32}), '\0'), "size of the IDX data"},
      {bomb(idx_header({1 << 20, 32, 32}), '\0'), "inflated size of the gzip file"},
      {gzip(std::string(std::size_t{96} << 20, ' ')), "inflated size of the gzip file"},
      {bomb("1,2,", '1'), "inflated size of the gzip file"},
  };
  for (const auto& [content, what] : bombs) {
    const TempFile file(content);
    const testing_data::PeakMemory memory;
    Dataset dataset;
    const Status status = read_dataset({file.path()}, "", {}, dataset).status;
    EXPECT_LT(memory.growth(), std::size_t{60} << 20) << what;
    EXPECT_EQ(status.code, StatusCode::bad_data);
    EXPECT_STREQ(status.what, what);
  }
}

TEST(Idx, AHugeClaimInASmallFileCostsNothing) {
  for (const std::string& bytes :
       {idx_header({0xFFFFFFFF, 256}), gzip(idx_header({0xFFFFFFFF, 256})), gzip(idx_header({40000, 1000}))}) {
    const TempFile file(bytes);
    const testing_data::PeakMemory memory;
    const auto start = std::chrono::steady_clock::now();
    Dataset dataset;
    EXPECT_FALSE(read_dataset({file.path()}, "", {}, dataset).ok());
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
    EXPECT_LT(memory.growth(), std::size_t{8} << 20);
  }
}

TEST(Idx, EveryPrefixAndBitFlipIsRefusedOrValid) {
  const std::string plain = idx_file({9, 5, 3});
  const std::string packed = gzip(plain) + gzip("");
  for (const std::string& whole : {plain, packed}) {
    const TempFile file("");
    const auto outcome = [&](const std::string& bytes) {
      file.write(bytes);
      Dataset dataset;
      const FileStatus result = read_dataset({file.path()}, "", {}, dataset);
      EXPECT_EQ(result.ok(), dataset.samples > 0);
      if (result.ok()) {
        EXPECT_EQ(dataset.samples * dataset.features, dataset.bytes.size() + dataset.values.size());
      }
      return result.ok();
    };
    const std::size_t valid_member = gzip(plain).size();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(outcome(whole.substr(0, size)), whole == packed && size == valid_member) << size;
    }
    for (std::size_t bit = 0; bit < 8 * std::min<std::size_t>(whole.size(), 256); ++bit) {
      std::string bytes = whole;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      static_cast<void>(outcome(bytes));
    }
  }
}

}  // namespace
}  // namespace lanemax
