// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint file: that it gives back what went in, and that every damage is seen. What a fit must have in common
// with its past: fit_identity_test. Whole fits: resume_test.
#include "engine/fit/checkpoint/checkpoint.hpp"
#include "engine/fit/problem.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/model_bytes.hpp"

#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>

#include <unistd.h>

namespace lanemax::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// One of everything that an archive takes.
struct Everything final : Resumable {
  double a = 0, b = 0;
  std::uint64_t n = 0, m = 0;
  Precision precision = Precision::f32;
  std::vector<double> wide;
  std::vector<float> narrow;
  std::vector<double> empty;
  std::uint64_t most = ~std::uint64_t{0};

  void exchange(Archive& archive) override {
    archive.number("a", a);
    archive.array("wide", wide.data(), wide.size());
    archive.count("n", n);
    archive.array("empty", empty.data(), empty.size());
    archive.choice("precision", precision, Precision::f64);
    archive.array("narrow", narrow.data(), narrow.size());
    archive.number("b", b);
    archive.count("m", m, most);
  }
  /// All bits of it.
  [[nodiscard]] std::vector<std::uint64_t> bits() const {
    std::vector<std::uint64_t> all{std::bit_cast<std::uint64_t>(a), std::bit_cast<std::uint64_t>(b), n, m,
                                   static_cast<std::uint64_t>(precision)};
    for (const double x : wide) all.push_back(std::bit_cast<std::uint64_t>(x));
    for (const float x : narrow) all.push_back(std::bit_cast<std::uint32_t>(x));
    return all;
  }
};
Everything full() {
  using Doubles = std::numeric_limits<double>;
  Everything e;
  e.a = std::bit_cast<double>(0x7ff4dead'beef1234);  // a signalling NaN
  e.b = -kInfinity;
  e.n = ~std::uint64_t{0};
  e.m = 7;
  e.precision = Precision::f64;
  e.wide = {0.1, -0.0, kInfinity, Doubles::denorm_min(), Doubles::max(), -Doubles::quiet_NaN()};
  e.narrow = {0.1F, -0.0F, -Limits::infinity(), Limits::denorm_min(), Limits::quiet_NaN()};
  return e;
}
/// As long as full(), with other values.
Everything other() {
  Everything e;
  e.a = 1;
  e.wide.assign(6, 2);
  e.narrow.assign(5, 3);
  return e;
}

const FitIdentity kIdentity{{"labels", "crc64 0123456789abcdef"}, {"learning_rate", "0.1"}};

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // In memory where there is such a place: some of these tests read a file very often.
    const bool shm = ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path place = shm ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (place / "lanemax-checkpoint-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "state";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] Bytes bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const Bytes& bytes) const {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  [[nodiscard]] Bytes saved(Everything state = full(), const FitIdentity& identity = kIdentity) const {
    const Status status = save_checkpoint(path_.c_str(), identity, state);
    EXPECT_TRUE(status.ok()) << message(status);
    return bytes();
  }
  [[nodiscard]] Status load(Everything& state, const FitIdentity& identity = kIdentity) const {
    return load_checkpoint(path_.c_str(), identity, state);
  }
  /// Refused, and the state is as it was.
  [[nodiscard]] Status refused(const FitIdentity& identity = kIdentity) const {
    Everything state = other();
    const Status status = load(state, identity);
    EXPECT_EQ(status.code, StatusCode::bad_checkpoint) << message(status);
    EXPECT_EQ(status.file, path_.string());
    EXPECT_STRNE(status.what, "");
    EXPECT_STRNE(status.expected, "");
    EXPECT_EQ(state.bits(), other().bits());
    return status;
  }
  void expect_refused() const { EXPECT_FALSE(refused().ok()); }
  /// The saved file with `from` replaced in its header, its checksum right again.
  [[nodiscard]] Status refused_edit(std::string_view from, std::string_view to) const {
    const Bytes file = saved();
    std::string header = header_of(file);
    const std::size_t at = header.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    header.replace(at, from.size(), to);
    put(with_right_checksum(
        file_of(header, Bytes(file.begin() + 8 + static_cast<std::ptrdiff_t>(header_length(file)), file.end()))));
    return refused();
  }

  std::filesystem::path directory_, path_;
};

TEST_F(CheckpointTest, GivesBackEveryBit) {
  const Bytes file = saved();
  Everything state = other();
  const Status status = load(state);
  ASSERT_TRUE(status.ok()) << message(status);
  EXPECT_EQ(state.bits(), full().bits());
  EXPECT_EQ(saved(state), file);
}

TEST_F(CheckpointTest, TheStateIsReadAndNotWrittenBySaving) {
  Everything state = full();
  ASSERT_TRUE(save_checkpoint(path_.c_str(), kIdentity, state).ok());
  EXPECT_EQ(state.bits(), full().bits());
}

TEST_F(CheckpointTest, EveryTruncationIsSeen) {
  const Bytes file = saved();
  for (std::size_t size = 0; size < file.size(); ++size) {
    put({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)});
    expect_refused();
  }
  Bytes longer = file;
  longer.push_back(0);
  put(longer);
  expect_refused();
}

TEST_F(CheckpointTest, EveryFlippedBitIsSeen) {
  const Bytes file = saved();
  std::fstream damaged(path_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put_byte = [&](std::size_t at, std::uint8_t byte) {
    damaged.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte)).flush();
  };
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    put_byte(bit / 8, file[bit / 8] ^ static_cast<std::uint8_t>(1U << (bit % 8)));
    expect_refused();
    put_byte(bit / 8, file[bit / 8]);
    if (HasFailure()) FAIL() << "bit " << bit;
  }
  EXPECT_EQ(bytes(), file);
}

TEST_F(CheckpointTest, WhatDiffersIsNamed) {
  const Bytes file = saved();
  FitIdentity now = kIdentity;
  now[1].second = "0.2";
  Status status = refused(now);
  EXPECT_STREQ(status.what, "learning_rate");
  EXPECT_STREQ(status.found, "kept 0.1, now 0.2");
  const std::string file_checkpoint = path_.string() + ": checkpoint: ";
  EXPECT_EQ(
      message(status),
      file_checkpoint + "learning_rate 'kept 0.1, now 0.2'; expected the same as when the checkpoint was written");
  now[0].second = "crc64 0123456789abcdee";
  status = refused(now);
  EXPECT_EQ(message(status), file_checkpoint + "labels; expected the same as when the checkpoint was written");
  EXPECT_STREQ(refused({{"labels", kIdentity[0].second}, {"seed", "0"}}).what, "seed");
  EXPECT_STREQ(refused({kIdentity[0]}).what, "metadata");
  // Of numbers that are prefixes of each other, too.
  now = kIdentity;
  now[1].second = "0.";
  EXPECT_STREQ(refused(now).what, "learning_rate");
}

TEST_F(CheckpointTest, AnotherStateIsRefused) {
  EXPECT_STREQ(refused_edit("\"wide\"", "\"side\"").what, "tensor");
  EXPECT_STREQ(refused_edit("\"dtype\":\"U64\"", "\"dtype\":\"F64\"").what, "tensor dtype");
  EXPECT_STREQ(refused_edit("\"dtype\":\"U64\"", "\"dtype\":\"I64\"").what, "tensor dtype");
  EXPECT_STREQ(refused_edit("\"shape\":[]", "\"shape\":[1]").what, "tensor shape");
  EXPECT_STREQ(refused_edit("\"shape\":[6]", "\"shape\":[2,3]").what, "tensor shape");
  EXPECT_STREQ(refused_edit("\"shape\":[6]", "\"shape\":[5]").what, "tensor data_offsets");

  for (const int change : {0, 1, 2, 3}) {
    const Bytes file = saved();
    Everything state = other();
    if (change == 0) state.wide.pop_back();
    if (change == 1) state.narrow.push_back(0);
    if (change == 2) state.empty.push_back(0);
    if (change == 3) state.wide.clear();
    const auto before = state.bits();
    EXPECT_EQ(load(state).code, StatusCode::bad_checkpoint) << change;
    EXPECT_EQ(state.bits(), before);
  }
}

struct Shorter final : Resumable {
  Everything all = other();
  void exchange(Archive& archive) override { archive.number("a", all.a); }
};
TEST_F(CheckpointTest, NothingMayBeLeftOver) {
  const Bytes file = saved();
  Shorter shorter;
  Status status = load_checkpoint(path_.c_str(), kIdentity, shorter);
  EXPECT_EQ(status.code, StatusCode::bad_checkpoint);
  EXPECT_STREQ(status.found, "wide");
  EXPECT_EQ(shorter.all.a, 1);
  ASSERT_TRUE(save_checkpoint(path_.c_str(), kIdentity, shorter).ok());
  status = refused();
  EXPECT_STREQ(status.found, "wide");
}

TEST_F(CheckpointTest, CountsBeyondWhatAFitCanReachAreRefused) {
  Everything state = full();
  state.precision = static_cast<Precision>(2);
  Bytes file = saved(state);
  EXPECT_STREQ(refused().found, "precision");
  file = saved();
  for (const std::uint64_t most : {std::uint64_t{6}, std::uint64_t{7}}) {
    state = other();
    state.most = most;
    EXPECT_EQ(load(state).ok(), most == 7);
    EXPECT_EQ(state.m, most == 7 ? 7U : 0U);
  }
}

TEST_F(CheckpointTest, SaysWhatTheFileIsInstead) {
  Status status = refused_edit("checkpoint\":\"1", "checkpoint\":\"2");
  EXPECT_STREQ(status.what, "lanemax_checkpoint");
  EXPECT_STREQ(status.found, "2");
  EXPECT_NE(std::string_view{status.expected}.find("newer"), std::string_view::npos);
  // Whatever else is new in it.
  status = refused_edit("checkpoint\":\"1\"", R"(checkpoint":"3","a":1)");
  EXPECT_STREQ(status.found, "3");
  EXPECT_STREQ(refused_edit("checkpoint\":\"1", "checkpoint\":\"x").expected, "1");
  EXPECT_STREQ(refused_edit("lanemax_checkpoint", "lanemax_chickpoint").what, "file");

  put(to_bytes(small_model()));
  status = refused();
  EXPECT_STREQ(status.expected, "the checkpoint of a fit; this looks like a model");
  put(foreign({}));
  EXPECT_STREQ(refused().expected, "the checkpoint of a lanemax fit");
  put(Bytes(100, 'x'));
  EXPECT_NE(std::string_view{refused().expected}.find("looks like text"), std::string_view::npos);

  const Bytes file = saved();
  Model model;
  for (const Bytes& given : {file, saved(Everything{})}) {
    status = from_bytes(given, model);
    EXPECT_EQ(status.code, StatusCode::bad_model);
    EXPECT_STREQ(status.expected, "a model; this looks like the checkpoint of a fit");
  }
}

TEST_F(CheckpointTest, FilesThatCannotBeReadOrWritten) {
  Everything state = other();
  const auto expect = [](const Status& status, StatusCode code, const std::filesystem::path& file) {
    EXPECT_EQ(status.code, code) << message(status);
    EXPECT_EQ(status.file, file.string()) << message(status);
  };
  expect(load(state), StatusCode::missing_file, path_);
  expect(load_checkpoint(directory_.c_str(), kIdentity, state), StatusCode::io_error, directory_);
  expect(save_checkpoint(directory_.c_str(), kIdentity, state), StatusCode::io_error, directory_);
  const std::filesystem::path nowhere = directory_ / "no" / "state";
  expect(save_checkpoint(nowhere.c_str(), kIdentity, state), StatusCode::io_error, nowhere);
  EXPECT_EQ(state.bits(), other().bits());
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

struct Many final : Resumable {
  std::size_t arrays = 0;
  double value = 0;
  void exchange(Archive& archive) override {
    for (std::size_t i = 0; i < arrays; ++i) archive.number(std::to_string(i).c_str(), value);
  }
};
TEST_F(CheckpointTest, NeverWritesWhatItCannotRead) {
  Many many;
  many.arrays = 128;
  ASSERT_TRUE(save_checkpoint(path_.c_str(), kIdentity, many).ok());
  EXPECT_TRUE(load_checkpoint(path_.c_str(), kIdentity, many).ok());
  const Bytes before = bytes();
  many.arrays = 129;
  EXPECT_EQ(save_checkpoint(path_.c_str(), kIdentity, many).code, StatusCode::invalid_argument);
  EXPECT_EQ(bytes(), before);
}

struct Huge final : Resumable {
  double value = 0;
  void exchange(Archive& archive) override { archive.array("huge", &value, std::size_t{1} << 60); }
};
TEST_F(CheckpointTest, ASizeThatCannotBeAskedForIsMemoryThatIsNotThere) {
  Huge huge;
  EXPECT_THROW(static_cast<void>(save_checkpoint(path_.c_str(), kIdentity, huge)), std::bad_alloc);
}

TEST_F(CheckpointTest, WithoutMemoryNothingIsHalfDone) {
  if (!kSeesAllocations) GTEST_SKIP() << "the allocations of this C library cannot be seen";
  expect_allocations_are_seen();
  const Bytes file = saved();
  const std::string path = path_.string();
  for (const bool saving : {false, true}) {
    for (std::size_t n = 0;; ++n) {
      Everything state = other();
      Status status;
      bool thrown = false;
      const auto call = [&] {
        try {
          status = saving ? save_checkpoint(path.c_str(), kIdentity, state)
                          : load_checkpoint(path.c_str(), kIdentity, state);
        } catch (const std::bad_alloc&) {
          thrown = true;
        }
      };
      const Allocations seen = watch_allocations(call, {n});
      EXPECT_TRUE(status.ok()) << message(status);
      EXPECT_EQ(thrown, seen.refused > 0);
      EXPECT_EQ(seen.kept, 0);
      if (!thrown) {
        EXPECT_GT(n, 10U);
        break;
      }
      EXPECT_EQ(state.bits(), other().bits());
      EXPECT_EQ(bytes(), file);
    }
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

}  // namespace
}  // namespace lanemax::test
