// SPDX-License-Identifier: BSD-3-Clause
// Published data sets as they are distributed. Skipped where they are not at hand.
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "engine/data/dataset.hpp"
#include "tests/support/data_files.hpp"

namespace lanemax {
namespace {

using testing_data::real_data;
using Strings = std::vector<std::string>;
using Floats = LargeVector<float>;

struct RealCsv {
  const char* name;
  std::size_t samples, features, classes;
  const char* first_class;
};

TEST(RealData, CsvShapes) {
  const std::vector<RealCsv> files = {{"letter.csv", 20000, 16, 26, "A"},
                                      {"pendigits.csv", 10992, 16, 10, "0"},
                                      {"glass.csv", 214, 9, 6, "'build wind float'"},
                                      {"segment.csv", 2310, 19, 7, "brickface"},
                                      {"iris.csv", 150, 4, 3, "Iris-setosa"},
                                      {"optdigits-comment.csv", 1797, 64, 10, "0"},
                                      {"spector.csv", 32, 4, 2, "0"},
                                      {"waveform.csv", 5000, 40, 3, "0"},
                                      {"mfeat-pixel.csv", 2000, 240, 10, "1"}};
  for (const RealCsv& file : files) {
    const std::string path = real_data(file.name);
    if (path.empty()) GTEST_SKIP() << file.name << " is not in LANEMAX_TEST_DATA";
    SCOPED_TRACE(file.name);
    Dataset dataset;
    const FileStatus result = read_dataset({path}, "", {}, dataset);
    ASSERT_TRUE(result.ok()) << message(result.status);
    EXPECT_EQ(dataset.samples, file.samples);
    EXPECT_EQ(dataset.features, file.features);
    ASSERT_EQ(dataset.class_labels.size(), file.classes);
    EXPECT_EQ(dataset.class_labels[0], file.first_class);
    EXPECT_EQ(dataset.values.size(), file.samples * file.features);
    EXPECT_EQ(dataset.unknown_labels, 0U);
  }
}

TEST(RealData, CsvDetails) {
  const std::string spector = real_data("spector.csv"), pendigits = real_data("pendigits.csv");
  const std::string colic = real_data("horse-colic.csv");
  if (spector.empty() || pendigits.empty() || colic.empty()) GTEST_SKIP() << "not in LANEMAX_TEST_DATA";
  Dataset dataset;
  ASSERT_TRUE(read_dataset({spector}, "", {.label_column = "GRADE"}, dataset).ok());
  EXPECT_EQ(dataset.feature_names, (Strings{"OBS", "GPA", "TUCE", "PSI"}));
  EXPECT_EQ(dataset.values[1], 2.66F);
  ASSERT_TRUE(read_dataset({pendigits}, "", {}, dataset).ok());
  EXPECT_EQ(Floats(dataset.values.begin(), dataset.values.begin() + 4), (Floats{47, 100, 27, 81}));
  EXPECT_EQ(dataset.class_labels[static_cast<std::size_t>(dataset.labels[0])], "8");
  for (const HeaderMode mode : {HeaderMode::automatic, HeaderMode::no}) {
    const Status status = read_dataset({colic}, "", {.header = mode}, dataset).status;
    EXPECT_STREQ(status.what, "missing value");
    EXPECT_STREQ(status.found, "?");
    EXPECT_EQ(status.line, 1);
    EXPECT_EQ(status.column, 8);
  }
}

TEST(RealData, Mnist) {
  const std::string images = real_data("mnist-train-images-idx3-ubyte.gz");
  const std::string labels = real_data("mnist-train-labels-idx1-ubyte.gz");
  if (images.empty() || labels.empty()) GTEST_SKIP() << "MNIST is not in LANEMAX_TEST_DATA";
  Dataset dataset;
  const FileStatus result = read_dataset({images}, labels, {}, dataset);
  ASSERT_TRUE(result.ok()) << message(result.status);
  EXPECT_EQ(dataset.samples, 60000U);
  EXPECT_EQ(dataset.features, 784U);
  EXPECT_EQ(dataset.class_labels, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  EXPECT_EQ(std::vector(dataset.labels.begin(), dataset.labels.begin() + 5),
            (std::vector<std::int32_t>{5, 0, 4, 1, 9}));
  // The known sum of all pixels: mean 33.318421 of 47,040,000.
  EXPECT_EQ(std::accumulate(dataset.bytes.begin(), dataset.bytes.end(), std::uint64_t{0}), 1567298545U);
  const FileStatus swapped = read_dataset({labels}, images, {}, dataset);
  EXPECT_STREQ(swapped.status.what, "labels file where samples belong");
  if (const std::string few = real_data("mnist-t10k-labels-idx1-ubyte.gz"); !few.empty()) {
    EXPECT_STREQ(read_dataset({images}, few, {}, dataset).status.found, "10000 labels, 60000 samples");
  }
}

}  // namespace
}  // namespace lanemax
