// SPDX-License-Identifier: BSD-3-Clause
// The model file: what goes in comes out bit by bit, and damage is found.
#include "engine/model/checksum.hpp"
#include "tests/support/model_bytes.hpp"

#include <fstream>
#include <iterator>

namespace lanemax::test {
namespace {

constexpr bool crc_is_standard() {
  const std::uint8_t digits[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  Crc64 crc;
  crc.update(digits, sizeof(digits));
  return crc.value() == 0x995DC9BBDF1939FAu;
}
static_assert(crc_is_standard(), "the published check value of CRC-64/XZ");

// ---- what goes in comes out ----

TEST(ModelFile, KeepsEveryBit) {
  expect_round_trip(small_model());
  expect_round_trip(make_model(1, 1));
  expect_round_trip(make_model(2, 1));
  expect_round_trip(make_model(1, 33));
  expect_round_trip(make_model(1000, 37));
  expect_round_trip(make_model(10, 100003));  // a million bit patterns
}

TEST(ModelFile, KeepsEveryLoss) {
  Model model = make_model(3, 2);
  model.loss = Loss::hinge;
  expect_round_trip(model);
  model = make_model(1, 5);
  model.loss = Loss::logistic;
  model.class_labels = {"-1", "+1"};
  expect_round_trip(model);
}

TEST(ModelFile, KeepsEveryLabel) {
  Model model = make_model(9, 1);
  std::string controls;
  for (char c = 1; c < 0x20; ++c) controls += c;
  model.class_labels = {"",
                        " ",
                        "\"quoted\", with commas,",
                        "back\\slash \\u0041 \\",
                        "two\r\nlines\ttab",
                        controls + "\x7f",
                        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF",
                        "{\"checksum\":\"0123456789abcdef\"}",
                        "]"};
  model.feature_names = {"\"checksum\":\"0000000000000000\""};
  model.training = {{"\"", "\\"}, {"checksum", "lanemax_format"}, {"empty", ""}};
  expect_round_trip(model);
}

TEST(ModelFile, KeepsEveryCentre) {
  expect_round_trip(centred_model());
  Model model = make_model(1, 1);
  model.centre = {std::numeric_limits<double>::lowest()};
  expect_round_trip(model);
  model = make_model(3, 20001);
  std::uint64_t state = 5;
  for (std::size_t d = 0; d < model.features; ++d) {
    model.centre.push_back(static_cast<double>(pattern(state)) * (1 + 0x1p-40 * static_cast<double>(d)));
  }
  expect_round_trip(model);
  model = make_model(1, 3);
  model.loss = Loss::logistic;
  model.class_labels = {"before", "after"};
  model.centre = {0, 0, 0};  // says nothing, and is kept
  expect_round_trip(model);
}

TEST(ModelFile, KeepsEveryThreshold) {
  for (const double threshold : {std::numeric_limits<double>::denorm_min(), 0.1, 2.0 / 3.0, 1 - 0x1p-53, 1.0}) {
    Model model = small_model();
    model.threshold = threshold;
    expect_round_trip(model);
  }
  Model model = model_of_a_table();
  model.centre = {1, 2, 3};
  model.threshold = 0.5;
  expect_round_trip(model);
  model = make_model(1, 3);
  model.loss = Loss::logistic;
  model.class_labels = {"no", "yes"};
  model.threshold = 0.9;
  expect_round_trip(model);
}

TEST(ModelFile, KeepsManyScalingRecords) {
  Model model = make_model(1, 20000);
  std::uint64_t state = 7;
  for (std::size_t d = 0; d < model.features; ++d) {
    model.scaling_centre.push_back(pattern(state));
    model.scaling_factor.push_back(static_cast<float>(d));
  }
  expect_round_trip(model);
}

TEST(ModelFile, EqualModelsGiveEqualBytes) {
  EXPECT_EQ(to_bytes(small_model()), to_bytes(small_model()));
}

// Read by the rules of the format alone.
TEST(ModelFile, IsPlainSafetensors) {
  const Model model = small_model();
  const Bytes file = to_bytes(model);
  const std::string header = header_of(file);
  const std::size_t begin = 8 + header.size();
  EXPECT_EQ(begin % 64, 0u);
  EXPECT_EQ(header.front(), '{');
  EXPECT_EQ(header[header.find_last_not_of(' ')], '}');
  EXPECT_NE(header.find(R"("bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), std::string::npos);
  EXPECT_NE(header.find(R"("weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]})"), std::string::npos);
  EXPECT_NE(header.find(R"("lanemax_format":"1")"), std::string::npos);
  EXPECT_NE(header.find(R"("class_labels":"[\"no\",\"yes\"]")"), std::string::npos);
  EXPECT_NE(header.find(R"("feature_names":"[\"a\",\"b\",\"c\"]")"), std::string::npos);
  EXPECT_NE(header.find(R"("scaling_centre":"[-0,0.1,16777216]")"), std::string::npos);
  EXPECT_NE(header.find(R"("training.solver":"lbfgs","training.l2":"0.001")"), std::string::npos);
  ASSERT_EQ(file.size(), begin + 32);
  EXPECT_EQ(std::memcmp(file.data() + begin, model.bias.data(), 8), 0);
  EXPECT_EQ(std::memcmp(file.data() + begin + 8, model.weight.data(), 24), 0);
  EXPECT_EQ(with_right_checksum(file), file);
}

// Format 2 is for what format 1 cannot hold; the rest of the file is as it was.
TEST(ModelFile, ACentreMakesItFormat2) {
  const Model model = centred_model();
  const Bytes file = to_bytes(model);
  const std::string header = header_of(file);
  const std::size_t begin = 8 + header.size();
  EXPECT_EQ(begin % 64, 0u);
  EXPECT_NE(header.find(R"("lanemax_format":"2")"), std::string::npos);
  EXPECT_NE(header.find(R"("centre":{"dtype":"F64","shape":[3],"data_offsets":[0,24]})"), std::string::npos);
  EXPECT_NE(header.find(R"("bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]})"), std::string::npos);
  EXPECT_NE(header.find(R"("weight":{"dtype":"F32","shape":[2,3],"data_offsets":[32,56]})"), std::string::npos);
  ASSERT_EQ(file.size(), begin + 56);
  EXPECT_EQ(std::memcmp(file.data() + begin, model.centre.data(), 24), 0);
  EXPECT_EQ(std::memcmp(file.data() + begin + 24, model.bias.data(), 8), 0);
  EXPECT_EQ(std::memcmp(file.data() + begin + 32, model.weight.data(), 24), 0);
  EXPECT_EQ(with_right_checksum(file), file);
}

TEST(ModelFile, AThresholdMakesItFormat2) {
  const std::string header = header_of(to_bytes(abstaining_model()));
  EXPECT_NE(header.find(R"("lanemax_format":"2")"), std::string::npos);
  EXPECT_NE(header.find(R"("threshold":"0.1")"), std::string::npos);
  EXPECT_EQ(header_of(to_bytes(small_model())).find("threshold"), std::string::npos);
}

// ---- files that were written once load for ever, and are written again to the byte ----

Model golden_model() {
  Model model;
  model.features = 3;
  model.weight = {0.5F, -0.25F, 3.0F, Limits::denorm_min(), -0.0F, Limits::max(), -1.5F, 2.0F, 0.1F};
  model.bias = {1.5F, -Limits::infinity(), -0.125F};
  model.class_labels = {"-1", "caf\xC3\xA9, \"big\"", "2"};
  model.feature_names = {"time", "b\\c", ""};
  model.scaling_centre = {-0.0F, 0.1F, 16777216.0F};
  model.scaling_factor = {1.0F, Limits::denorm_min(), Limits::max()};
  model.training = {{"solver", "lbfgs"}, {"l2", "0.001"}};
  return model;
}

void expect_golden(const char* name, const Model& model) {
  const std::string path = LANEMAX_SOURCE_DIR "/tests/golden/" + std::string{name};
  Model read;
  const Status status = load_model(path.c_str(), read);
  ASSERT_TRUE(status.ok()) << path << ": " << message(status);
  expect_same(model, read);
  std::ifstream file(path, std::ios::binary);
  EXPECT_EQ(to_bytes(model), Bytes(std::istreambuf_iterator<char>(file), {}));
}

TEST(ModelFile, Format1OfTheFirstRelease) {
  expect_golden("model_format_1.safetensors", golden_model());
}

TEST(ModelFile, Format2WithACentre) {
  Model model = golden_model();
  model.centre = {1700000000.1, -0.0, 20180131.0};
  expect_golden("model_format_2.safetensors", model);
}

TEST(ModelFile, Format2WithColumns) {
  Model model = golden_model();
  model.columns = {{"", ColumnRole::id},         {"time", ColumnRole::feature}, {"b\\c", ColumnRole::feature},
                   {"w", ColumnRole::weight},    {"", ColumnRole::feature},     {"class:y", ColumnRole::label},
                   {"time", ColumnRole::dropped}};
  expect_golden("model_format_2_columns.safetensors", model);
}

TEST(ModelFile, Format2WithAThreshold) {
  Model model = golden_model();
  model.threshold = 0.9;
  expect_golden("model_format_2_threshold.safetensors", model);
}

TEST(ModelFile, ReadsFilesOfOthers) {
  Model model;
  Status status = from_bytes(foreign({}), model);
  ASSERT_TRUE(status.ok()) << message(status);
  EXPECT_EQ(model.loss, Loss::softmax);
  EXPECT_EQ(model.features, 2u);
  EXPECT_EQ(model.class_labels, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(model.weight, std::vector<float>(4, 0.5F));
  EXPECT_TRUE(model.training.empty());

  Pieces one_row{.metadata = R"("__metadata__":{"format":"pt"},)",
                 .weight_shape = "[1,5]",
                 .weight_offsets = "[0,20]",
                 .bias_shape = "[1]",
                 .bias_offsets = "[20,24]"};
  status = from_bytes(foreign(one_row), model);
  ASSERT_TRUE(status.ok()) << message(status);
  EXPECT_EQ(model.loss, Loss::logistic);
  EXPECT_EQ(model.class_labels, (std::vector<std::string>{"0", "1"}));
}

// ---- damage ----

TEST(ModelFile, EveryTruncationIsRefused) {
  for (const Bytes& file : {to_bytes(small_model()), to_bytes(centred_model()), to_bytes(abstaining_model())}) {
    Model model;
    for (std::size_t size = 0; size < file.size(); ++size) {
      const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_EQ(from_bytes(cut, model).code, StatusCode::bad_model) << size;
    }
    EXPECT_EQ(model.features, 0u);
  }
}

TEST(ModelFile, EveryFlippedBitIsRefused) {
  for (const Bytes& file : {to_bytes(small_model()), to_bytes(centred_model()), to_bytes(abstaining_model())}) {
    Model model;
    for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
      Bytes flipped = file;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      EXPECT_EQ(from_bytes(flipped, model).code, StatusCode::bad_model) << "byte " << bit / 8 << " bit " << bit % 8;
    }
  }
}

TEST(ModelFile, AFlippedWeightIsADamagedFile) {
  Bytes file = to_bytes(small_model());
  file.back() ^= 1;
  expect_refused(file, "checksum", "damaged");
}

TEST(ModelFile, ATailIsRefused) {
  Bytes file = to_bytes(small_model());
  file.push_back(0);
  expect_refused(file, "file size", "nothing behind");
}

// ---- models that cannot be written ----

TEST(ModelFile, RefusesModelsThatMakeNoSense) {
  const auto expect = [](const Model& model, StatusCode code, std::string_view what) {
    const Status status = check_model(model);
    EXPECT_EQ(status.code, code) << message(status);
    EXPECT_EQ(status.what, what) << message(status);
    Bytes bytes{7};
    EXPECT_EQ(model_to_bytes(model, bytes).code, code);
    EXPECT_EQ(bytes, Bytes{7});
  };
  const auto changed = [](auto change) {
    Model model = small_model();
    change(model);
    return model;
  };
  EXPECT_TRUE(check_model(small_model()).ok());
  expect(Model{}, StatusCode::shape_mismatch, "features");
  expect(changed([](Model& m) { m.features = 4; }), StatusCode::shape_mismatch, "weight");
  expect(changed([](Model& m) { m.features = std::numeric_limits<std::size_t>::max() / 2 + 4; }),
         StatusCode::shape_mismatch, "weight");
  expect(changed([](Model& m) { m.bias.clear(); }), StatusCode::shape_mismatch, "bias");
  expect(changed([](Model& m) { m.class_labels.pop_back(); }), StatusCode::shape_mismatch, "class_labels");
  expect(changed([](Model& m) { m.feature_names.pop_back(); }), StatusCode::shape_mismatch, "feature_names");
  expect(changed([](Model& m) { m.centre.resize(2); }), StatusCode::shape_mismatch, "centre");
  expect(changed([](Model& m) { m.centre.resize(4); }), StatusCode::shape_mismatch, "centre");
  expect(changed([](Model& m) { m.centre = {0, 0, std::numeric_limits<double>::infinity()}; }), StatusCode::not_finite,
         "centre");
  expect(changed([](Model& m) { m.centre = {std::numeric_limits<double>::quiet_NaN(), 0, 0}; }), StatusCode::not_finite,
         "centre");
  const auto of_a_table = [](const auto& change) {
    Model model = model_of_a_table();
    change(model);
    return model;
  };
  EXPECT_TRUE(check_model(model_of_a_table()).ok());
  expect(of_a_table([](Model& m) { m.columns.erase(m.columns.begin() + 1); }), StatusCode::invalid_argument, "columns");
  expect(of_a_table([](Model& m) { m.columns.erase(m.columns.begin() + 5); }), StatusCode::shape_mismatch, "columns");
  expect(of_a_table([](Model& m) { m.columns.push_back({"d", ColumnRole::feature}); }), StatusCode::invalid_argument,
         "columns");
  expect(of_a_table([](Model& m) { m.feature_names.clear(); }), StatusCode::invalid_argument, "columns");
  for (const ColumnRole role : {ColumnRole::id, ColumnRole::label, ColumnRole::weight}) {
    expect(of_a_table([&](Model& m) { m.columns.push_back({"d", role}); }), StatusCode::invalid_argument, "columns");
  }
  expect(of_a_table([](Model& m) { m.columns[0].role = static_cast<ColumnRole>(5); }), StatusCode::invalid_argument,
         "columns");
  expect(of_a_table([](Model& m) { m.columns[4].name = "caf\xE9"; }), StatusCode::invalid_argument, "columns");
  EXPECT_TRUE(check_model(abstaining_model()).ok());
  for (const double bad : {-0.5, 1.5, 1 + 0x1p-52, -std::numeric_limits<double>::denorm_min(),
                           std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    expect(changed([&](Model& m) { m.threshold = bad; }), StatusCode::invalid_argument, "threshold");
  }
  Model hinge = abstaining_model();
  hinge.loss = Loss::hinge;
  expect(hinge, StatusCode::invalid_argument, "threshold");
  expect(changed([](Model& m) { m.scaling_centre.pop_back(); }), StatusCode::shape_mismatch, "scaling_centre");
  expect(changed([](Model& m) { m.scaling_factor.push_back(1); }), StatusCode::shape_mismatch, "scaling_factor");
  expect(changed([](Model& m) { m.loss = Loss::logistic; }), StatusCode::shape_mismatch, "bias");
  expect(changed([](Model& m) { m.loss = static_cast<Loss>(9); }), StatusCode::invalid_argument, "loss");
  expect(changed([](Model& m) { m.weight[4] = Limits::quiet_NaN(); }), StatusCode::not_finite, "weight");
  expect(changed([](Model& m) { m.bias[0] = Limits::infinity(); }), StatusCode::not_finite, "bias");
  expect(changed([](Model& m) { m.bias[0] = -Limits::infinity(); }), StatusCode::not_finite, "bias");
  expect(changed([](Model& m) { m.scaling_factor[0] = Limits::infinity(); }), StatusCode::not_finite, "scaling_factor");
  expect(changed([](Model& m) { m.class_labels[0] = m.class_labels[1]; }), StatusCode::invalid_argument,
         "class_labels");
  expect(changed([](Model& m) { m.training[0].first = ""; }), StatusCode::invalid_argument, "training");
  expect(changed([](Model& m) { m.training[0].first = "l2"; }), StatusCode::invalid_argument, "training");
  expect(changed([](Model& m) { m.training.resize(1001, {"a", "b"}); }), StatusCode::shape_mismatch, "training");
  for (const char* bad : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE0\x80\x80",
                          "\xF0\x80\x80\x80", "caf\xE9", "\x80", "\xF5\x80\x80\x80"}) {
    expect(changed([&](Model& m) { m.class_labels[1] = bad; }), StatusCode::invalid_argument, "class_labels");
    expect(changed([&](Model& m) { m.feature_names[1] = bad; }), StatusCode::invalid_argument, "feature_names");
    expect(changed([&](Model& m) { m.training[1].second = bad; }), StatusCode::invalid_argument, "training");
  }
  expect(changed([](Model& m) { m.class_labels[1] = std::string("a\0b", 3); }), StatusCode::invalid_argument,
         "class_labels");
}

TEST(ModelFile, NullIsRefused) {
  Model model;
  EXPECT_EQ(model_from_bytes(nullptr, 10, model).code, StatusCode::invalid_argument);
  EXPECT_EQ(model_from_bytes(nullptr, 0, model).code, StatusCode::bad_model);
  EXPECT_EQ(save_model(small_model(), nullptr).code, StatusCode::invalid_argument);
  EXPECT_EQ(load_model(nullptr, model).code, StatusCode::invalid_argument);
}

}  // namespace
}  // namespace lanemax::test
