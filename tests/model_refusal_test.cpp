// SPDX-License-Identifier: BSD-3-Clause
// Hostile and foreign files: every rule of the format broken by itself, and what the refusal says.
#include "tests/support/model_bytes.hpp"

namespace lanemax::test {
namespace {

TEST(ModelRefusal, LengthOfTheHeader) {
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100'000'001},
                                     std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    Bytes file = foreign({});
    std::memcpy(file.data(), &length, sizeof(length));
    expect_refused(file, "header length", "a safetensors file");
  }
  for (std::size_t size = 0; size < 9; ++size) expect_refused(Bytes(size, 0), "file size", "a safetensors file");
  expect_refused(file_of("{}", {}), "tensor weight", "present");
}

TEST(ModelRefusal, SaysWhatAFileLooksLike) {
  const auto bytes = [](std::string_view text) {
    Bytes file(text.begin(), text.end());
    file.resize(64, ' ');
    return file;
  };
  using namespace std::string_view_literals;
  expect_refused(bytes("\x1f\x8b\x08\x08\x12\x34\x56\x78"sv), "header length", "gzip");
  expect_refused(bytes("\0\0\x08\x03\0\0\xEA\x60"sv), "header length", "IDX");
  expect_refused(bytes("\x93NUMPY\x01\x00"sv), "header length", "NPY");
  expect_refused(bytes("PK\x03\x04\x14\0\x08\0"sv), "header length", "zip");
  expect_refused(bytes("\x80\x04\x95\0\0\0\0\0"sv), "header length", "pickle");
  expect_refused(bytes("\x89HDF\r\n\x1a\n"sv), "header length", "HDF5");
  expect_refused(bytes("5.1,3.5,1.4,0.2,setosa\n"sv), "header length", "text");
}

TEST(ModelRefusal, TextAroundTheHeader) {
  const auto padded = [](std::string before, std::string after) {
    return file_of(before +
                       R"({"weight":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},)"
                       R"("bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})" +
                       after,
                   floats({1, 2}));
  };
  Model model;
  EXPECT_TRUE(from_bytes(padded("", "    "), model).ok());
  expect_refused(padded(" ", ""), "header", "a safetensors file");
  expect_refused(padded("\xEF\xBB\xBF", ""), "header", "a safetensors file");
  for (const char* after : {"\n", "\t", "\n ", " \n", "x", ",", "]"}) {
    expect_refused(padded("", after), "header", "padded with spaces only");
  }
  expect_refused(padded("", std::string(1, '\0')), "header", "no NUL");
  expect_refused(padded("", std::string(1, '\0') + "}"), "header", "no NUL");
  expect_refused(padded("", "{}"), "header", "valid JSON");
  expect_refused(padded("", "//}"), "header", "valid JSON");
  expect_refused(padded("", "/**/}"), "header", "valid JSON");
}

TEST(ModelRefusal, BrokenJson) {
  const auto with = [](std::string metadata) { return foreign({.metadata = std::move(metadata)}); };
  expect_refused(with(R"("__metadata__":{"a":"\ud800"},)"), "metadata value", "valid JSON");
  expect_refused(with("\"__metadata__\":{\"a\":\"\xFF\"},"), "metadata value", "valid JSON");
  expect_refused(with("\"__metadata__\":{\"a\":\"\xC0\x80\"},"), "metadata value", "valid JSON");
  expect_refused(with("\"__metadata__\":{\"a\":\"two\nlines\"},"), "metadata value", "valid JSON");
  expect_refused(with(R"("__metadata__":{"a":'b'},)"), "metadata value", "valid JSON");
  expect_refused(with(R"("__metadata__":{"a\u0000b":"c"},)"), "header key", "no U+0000");
  expect_refused(with(R"("__metadata__":{"a":"b",},)"), "metadata key", "valid JSON");
  expect_refused(with(","), "header", "valid JSON");
  expect_refused(file_of("{\"a\":" + std::string(1'000'000, '[') + "}", {}), "tensor", "an object", "a: [");
  std::string objects = "{";
  for (int i = 0; i < 100'000; ++i) objects += "\"a\":{";
  expect_refused(file_of(objects + "}", {}), "tensor field", "dtype, shape and data_offsets", "a: a");
}

TEST(ModelRefusal, WrongTypes) {
  const auto metadata = [](std::string text) { return foreign({.metadata = "\"__metadata__\":" + text + ","}); };
  expect_refused(metadata("null"), "__metadata__", "an object", "null");
  expect_refused(metadata("[]"), "__metadata__", "an object", "[");
  expect_refused(metadata(R"("text")"), "__metadata__", "an object", "text");
  for (const char* value : {"1", "-1", "1.5", "null", "true", "{}", "[]", R"(["b"])"}) {
    expect_refused(metadata("{\"a\":" + std::string{value} + "}"), "metadata value", "a string", "a: ");
  }
  for (const char* value : {"1", "null", R"("F32")", "[]"}) {
    expect_refused(foreign({.more = ",\"x\":" + std::string{value}}), "tensor", "an object", "x: ");
  }
  for (const char* value : {"null", "32", "[]", "{}", R"(["F32"])"}) {
    expect_refused(foreign({.weight_dtype = value}), "tensor dtype", "F32", "weight: ");
  }
  for (const char* value :
       {"4", "null", "{}", R"("[2,2]")", "[[2],2]", R"(["2",2])", "[2.0,2]", "[2e0,2]", "[-2,2]", "[2,null]"}) {
    expect_refused(foreign({.weight_shape = value}), "tensor shape", "whole numbers", "weight: ");
  }
  for (const char* value : {"8", "null", "{}", "[]", "[8]", "[8,24,24]", "[8.0,24]", "[8,2.4e1]", "[-8,24]", "[-0,24]",
                            "[8,\"24\"]", "[8,18446744073709551616]", "[[8,24]]"}) {
    expect_refused(foreign({.weight_offsets = value}), "tensor data_offsets", "two whole numbers", "weight: ");
  }
  expect_refused(foreign({.weight_offsets = "[8,024]"}), "tensor data_offsets", "valid JSON");
}

TEST(ModelRefusal, OtherNumberTypes) {
  for (const char* dtype : {"F16", "BF16", "F64", "I8", "F8_E4M3", "Q4", ""}) {
    expect_refused(foreign({.weight_dtype = "\"" + std::string{dtype} + "\""}), "tensor dtype", "F32",
                   "weight: " + std::string{dtype});
  }
}

TEST(ModelRefusal, DuplicateKeys) {
  expect_refused(foreign({.more = R"(,"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})"}), "tensor name",
                 "every name once", "bias");
  expect_refused(foreign({.metadata = R"("__metadata__":{},"__metadata__":{},)"}), "header key", "every key once");
  expect_refused(foreign({.metadata = R"("__metadata__":{"a":"1","\u0061":"2"},)"}), "metadata key", "every key once",
                 "a");
  expect_refused(foreign({.weight_dtype = R"("F32","dtype":"F32")"}), "tensor field", "each once", "weight: dtype");
  expect_refused(foreign({.weight_shape = "[2,2],\"shape\":[2,2]"}), "tensor field", "each once", "weight: shape");
  expect_refused(foreign({.weight_dtype = R"("F32","stride":[2,1])"}), "tensor field", "each once", "weight: stride");
  expect_refused(foreign({.more = R"(,"x":{"dtype":"F32","shape":[1]})"}), "tensor field", "each once", "x: }");
}

TEST(ModelRefusal, OffsetsThatLie) {
  constexpr std::string_view kWeight = "weight";
  expect_refused(foreign({.weight_offsets = "[8,20]"}), "tensor data_offsets", "the shape needs", kWeight);
  expect_refused(foreign({.weight_shape = "[2,1]"}), "tensor data_offsets", "the shape needs", kWeight);
  expect_refused(foreign({.weight_offsets = "[24,8]"}), "tensor data_offsets", "an end behind", kWeight);
  expect_refused(foreign({.weight_offsets = "[4,20]"}), "tensor data_offsets", "no overlap", kWeight);
  expect_refused(foreign({.weight_offsets = "[0,16]"}), "tensor data_offsets", "no overlap");
  expect_refused(foreign({.weight_offsets = "[12,28]", .data = 7}), "tensor data_offsets", "no hole", kWeight);
  expect_refused(foreign({.weight_offsets = "[12,28]", .bias_offsets = "[4,12]", .data = 7}), "tensor data_offsets",
                 "no hole");
  expect_refused(foreign({.data = 7}), "file size", "nothing behind");
  expect_refused(foreign({.data = 5}), "file size", "cut short");
  expect_refused(foreign({.weight_offsets = "[9007199254740993,24]"}), "tensor data_offsets", "2^53", kWeight);
  expect_refused(foreign({.weight_offsets = "[18446744073709551615,7]"}), "tensor data_offsets", "2^53", kWeight);
  expect_refused(foreign({.weight_offsets = "[9007199254740976,9007199254740992]"}), "tensor data_offsets", "no hole",
                 kWeight);
}

TEST(ModelRefusal, ShapesThatLie) {
  expect_refused(foreign({.weight_shape = "[4194305,4194305,211106198978564]"}), "tensor shape", "2^64", "weight");
  expect_refused(foreign({.weight_shape = "[2147483648,2147483648]"}), "tensor shape", "2^64");
  expect_refused(foreign({.weight_shape = "[9223372036854775808,2]"}), "tensor shape", "2^53");
  expect_refused(foreign({.weight_shape = "[2147483647,2147483647]"}), "tensor data_offsets", "the shape needs");
  expect_refused(foreign({.weight_shape = "[4294967297,1]"}), "tensor data_offsets", "the shape needs");
  expect_refused(foreign({.weight_shape = "[0,2]", .weight_offsets = "[8,8]", .data = 2}), "tensor shape",
                 "no dimension");
  expect_refused(foreign({.weight_shape = "[0,4194305,4194305,211106198978564]"}), "tensor shape", "no dimension");
  expect_refused(foreign({.weight_shape = "[1,1,1,1,1,1,1,1,4]"}), "tensor shape", "at most 8");
  expect_refused(foreign({.weight_shape = "[]", .weight_offsets = "[8,12]", .data = 3}), "shape of weight", "[classes",
                 "[]");
  expect_refused(foreign({.weight_shape = "[4]"}), "shape of weight", "[classes, features]", "[4]");
  expect_refused(foreign({.weight_shape = "[2,2,1]"}), "shape of weight", "[classes, features]", "[2, 2, 1]");
  expect_refused(foreign({.bias_shape = "[1,2]"}), "shape of bias", "[classes]", "[1, 2]");
  expect_refused(foreign({.weight_shape = "[4,1]"}), "shape of weight", "as many classes", "[4, 1]");
  expect_refused(foreign({.weight_shape = "[3,2]", .weight_offsets = "[8,32]", .data = 8}), "shape of weight",
                 "transpose", "[3, 2]");
}

TEST(ModelRefusal, TensorsThatAreNotAModel) {
  const std::string weight = R"("weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]})";
  const std::string bias = R"("bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_refused(file_of("{" + weight + "}", floats({1})), "tensor bias", "present");
  expect_refused(file_of("{" + bias + "}", floats({1})), "tensor weight", "present");
  const Pieces extra{.more = R"(,"fc2.weight":{"dtype":"F32","shape":[1],"data_offsets":[24,28]})", .data = 7};
  expect_refused(foreign(extra), "tensor", "no tensor but weight and bias", "fc2.weight");
  std::string many = "{";
  for (int i = 0; i < 129; ++i) {
    const std::string offset = std::to_string(4 * i);
    many += "\"t" + std::to_string(i) + R"(":{"dtype":"F32","shape":[1],"data_offsets":[)" + offset + "," +
            std::to_string(4 * i + 4) + "]},";
  }
  many.back() = '}';
  expect_refused(file_of(many, Bytes(129 * 4)), "tensors", "at most 128", "t128");
}

TEST(ModelRefusal, NumbersThatAreNone) {
  constexpr float kNan = Limits::quiet_NaN();
  constexpr float kInfinity = Limits::infinity();
  const auto with = [](std::vector<float> numbers) {
    Bytes file = foreign({});
    const Bytes data = floats(std::move(numbers));
    std::memcpy(file.data() + file.size() - 24, data.data(), 24);
    return file;
  };
  expect_refused(with({0, 0, 1, 2, kNan, 4}), "weight", "finite", "nan");
  expect_refused(with({0, 0, 1, 2, 3, -kInfinity}), "weight", "finite", "-inf");
  expect_refused(with({0, kInfinity, 1, 2, 3, 4}), "bias", "-inf for a masked class", "inf");
  expect_refused(with({kNan, 0, 1, 2, 3, 4}), "bias", "finite", "nan");
  expect_refused(with({-kInfinity, -kInfinity, 1, 2, 3, 4}), "bias", "not masked");
  Model model;
  EXPECT_TRUE(from_bytes(with({0, -kInfinity, 1, 2, 3, 4}), model).ok());

  const Bytes file = with({0, 0, 1, 2, kNan, 4});
  const Status status = from_bytes(file, model);
  EXPECT_EQ(status.row, 1);
  EXPECT_EQ(status.column, 0);
  EXPECT_EQ(status.byte, static_cast<std::int64_t>(file.size()) - 8);
}

TEST(ModelRefusal, OurMetadata) {
  expect_refused(edited("format\":\"1", "format\":\"3"), "lanemax_format", "newer", "3");
  for (const char* bad : {"x", "", "0", "01", "1.0", "-1", " 1", "2 ", "02"}) {
    expect_refused(edited("format\":\"1", "format\":\"" + std::string{bad}), "lanemax_format", "1 or 2", bad);
  }
  expect_refused(edited("lanemax_format", "lanemax_farmat"), "lanemax_format", "present");
  expect_refused(edited("\"loss\"", "\"lass\""), "loss", "present");
  expect_refused(edited("class_labels", "class_babels"), "class_labels", "present");
  expect_refused(edited("\"training.l2\"", "\"running.l2\""), "metadata key", "format 1 knows", "running.l2");
  expect_refused(edited("\"training.l2\"", "\"training.\""), "metadata key", "format 1 knows");
  expect_refused(edited("\"softmax\"", "\"sparsemax\""), "loss", "hinge", "sparsemax");
  expect_refused(edited("\"softmax\"", "\"logistic\""), "bias", "one row");
  expect_refused(edited(R"(,\"yes\")", ""), "class_labels", "as many", "1");
  expect_refused(edited(R"(,\"yes\")", R"(,\"yes\",\"maybe\")"), "class_labels", "as many", "maybe");
  expect_refused(edited(R"(\"yes\")", R"(\"no\")"), "class_labels", "every label once", "no");
  expect_refused(edited(R"(\"yes\")", "17"), "class_labels", "list of strings", "17");
  expect_refused(edited(R"(\"yes\")", R"([\"yes\"])"), "class_labels", "list of strings");
  expect_refused(edited(R"(\"yes\")", R"(\"a\\u0000b\")"), "class_labels", "no NUL", "a");
  expect_refused(edited(R"(\"yes\"])", R"(\"yes\"]\u0000)"), "class_labels", "no NUL");
  expect_refused(edited(R"(,\"yes\"])", R"(,\"yes\")"), "class_labels", "valid JSON");
  expect_refused(edited(R"([\"no\",\"yes\"])", R"(\"no\")"), "class_labels", "list of strings");
  expect_refused(edited(R"(,\"c\")", ""), "feature_names", "as many");
  for (const char* list : {"", "[]", "[0,0.1]", "[0,0.1,2,3]", "[0,0.1,]", "[0,0.1,x]", "[0,,2]", "[0,0.1,1e99]",
                           "0,1,2", "[0;1;2]", "[0,1, 2]"}) {
    expect_refused(edited("[-0,0.1,16777216]", list), "scaling_centre", "one number per feature");
  }
  expect_refused(edited("[-0,0.1,16777216]", "[-0,nan,1]"), "scaling_centre", "finite", "nan");
}

TEST(ModelRefusal, Columns) {
  const Model model = model_of_a_table();
  const auto with = [&](std::string_view from, std::string_view to) { return edited(from, to, model); };
  Model read;
  ASSERT_TRUE(from_bytes(with("\"2\"", "\"2\""), read).ok());
  expect_same(read, model);
  expect_refused(with("format\":\"2", "format\":\"1"), "metadata key", "format 1 knows", "columns");
  expect_refused(with("feature:b", "feature b"), "columns", "before each name", "feature b");
  expect_refused(with("feature:b", "Feature:b"), "columns", "before each name");
  expect_refused(with("feature:b", ""), "columns", "before each name");
  expect_refused(with("feature:b", "feature:x"), "columns", "in their order", "x");
  expect_refused(with("weight:", "id:"), "columns", "at most one", "caf\xC3\xA9");
  expect_refused(with(R"(\"dropped:\"])", R"(\"feature:d\"])"), "columns", "as many features", "d");
  expect_refused(with(R"(\"feature:b\",)", ""), "columns", "in their order", "c");
  expect_refused(with(R"(\"feature:b\")", "7"), "columns", "list of strings", "7");
  expect_refused(with(R"(\"dropped:\"])", R"(\"dropped:\")"), "columns", "valid JSON");
}

TEST(ModelRefusal, Thresholds) {
  const auto with = [](std::string_view from, std::string_view to) { return edited(from, to, abstaining_model()); };
  constexpr std::string_view kEntry = R"("threshold":"0.1")";
  expect_refused(with("format\":\"2", "format\":\"1"), "metadata key", "format 1 knows", "threshold");
  expect_refused(with(kEntry, R"("Threshold":"0.1")"), "metadata key", "format 2 knows", "Threshold");
  expect_refused(with(kEntry, R"("training.threshold":"0.1")"), "lanemax_format", "nothing in the file needs", "2");
  expect_refused(with("\"loss\":\"softmax\"", "\"loss\":\"hinge\""), "threshold", "no probabilities", "0.1");
  for (const std::string bad : {"", "0", "-0", "-0.1", "1.0000000000000002", "2", "1e-999", "inf", "nan", "0,1", " 0.1",
                                "0.1 ", "+0.1", "0x1", "0.1.2", "[0.1]", "half"}) {
    expect_refused(with(kEntry, "\"threshold\":\"" + bad + "\""), "threshold", "above 0, at most 1", bad);
  }
}

// The centre's tensor: no other type, shape, name, place or format than its own.
TEST(ModelRefusal, Centres) {
  const Model model = centred_model();
  const auto with = [&](std::string_view from, std::string_view to) { return edited(from, to, model); };
  Model read;
  ASSERT_TRUE(from_bytes(with("\"2\"", "\"2\""), read).ok());
  expect_refused(with("format\":\"2", "format\":\"1"), "tensor", "no tensor but weight and bias", "centre");
  expect_refused(with("format\":\"2", "format\":\"3"), "lanemax_format", "newer", "3");
  expect_refused(edited("format\":\"1", "format\":\"2"), "lanemax_format", "1: nothing in the file", "2");
  expect_refused(with("\"training.l2\"", "\"running.l2\""), "metadata key", "format 2 knows", "running.l2");
  expect_refused(with("\"centre\":", "\"center\":"), "tensor dtype", "F32", "center: F64");
  expect_refused(with(R"("centre":{"dtype":"F64","shape":[3])", R"("center":{"dtype":"F32","shape":[6])"), "tensor",
                 "no tensor but weight, bias and centre", "center");
  expect_refused(with(R"("F64","shape":[3])", R"("F32","shape":[6])"), "tensor dtype", "F64", "centre: F32");
  expect_refused(with(R"("F64")", R"("U64")"), "tensor dtype", "F64", "centre: U64");
  expect_refused(with(R"("F64")", R"("BF16")"), "tensor dtype", "F64", "centre: BF16");
  expect_refused(with(R"("F64","shape":[3])", R"("F64","shape":[6])"), "tensor data_offsets", "the shape needs",
                 "centre");
  expect_refused(with(R"("F64","shape":[3])", R"("F64","shape":[1,3])"), "shape of centre", "[features]", "[1, 3]");
  expect_refused(with(R"("F64","shape":[3])", R"("F64","shape":[3,1])"), "shape of centre", "[features]", "[3, 1]");
  expect_refused(with(R"("F64","shape":[3])", R"("F64","shape":[0,3])"), "tensor shape", "no dimension", "centre");
  expect_refused(with(R"("F64","shape":[3])", R"("F64","shape":[2305843009213693952,8])"), "tensor shape", "2^53");
  expect_refused(with(R"("F64","shape":[3])", R"("F64","shape":[4503599627370496,512])"), "tensor shape", "2^64");
  expect_refused(with(R"("data_offsets":[0,24])", R"("data_offsets":[8,32])"), "tensor data_offsets", "no overlap");
  expect_refused(with(R"("data_offsets":[0,24])", R"("data_offsets":[24,0])"), "tensor data_offsets", "an end behind");
  expect_refused(with(R"("centre":)", R"("bias":)"), "tensor dtype", "F32", "bias: F64");
  expect_refused(with(R"("weight":{"dtype":"F32","shape":[2,3])", R"("weight":{"dtype":"F64","shape":[1,3])"),
                 "tensor dtype", "F32", "weight: F64");

  const Bytes longer = foreign({.metadata = R"("__metadata__":{"lanemax_format":"2","checksum":"0000000000000000"},)",
                                .more = R"(,"centre":{"dtype":"F64","shape":[3],"data_offsets":[24,48]})",
                                .data = 12});
  expect_refused(with_right_checksum(longer), "shape of centre", "as many as weight has columns", "[3]");

  // Somebody else's file says nothing about what its tensors are for.
  const Pieces unmarked{.more = R"(,"centre":{"dtype":"F64","shape":[2],"data_offsets":[24,40]})", .data = 10};
  expect_refused(foreign(unmarked), "tensor", "no tensor but weight and bias", "centre");
}

TEST(ModelRefusal, CentresThatAreNoNumbers) {
  const Bytes file = to_bytes(centred_model());
  const std::size_t data = 8 + header_length(file);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    for (std::size_t d = 0; d < 3; ++d) {
      Bytes broken = file;
      std::memcpy(broken.data() + data + 8 * d, &bad, 8);
      broken = with_right_checksum(broken);
      expect_refused(broken, "centre", "a finite number");
      Model model;
      const Status status = from_bytes(broken, model);
      EXPECT_EQ(status.column, static_cast<std::int64_t>(d));
      EXPECT_EQ(status.byte, static_cast<std::int64_t>(data + 8 * d));
    }
  }
}

TEST(ModelRefusal, ChecksumItself) {
  const Bytes file = to_bytes(small_model());
  const std::string digits(file.begin() + static_cast<std::ptrdiff_t>(checksum_position(file)),
                           file.begin() + static_cast<std::ptrdiff_t>(checksum_position(file)) + 16);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string header = header_of(file);
    header.replace(header.find(from), from.size(), to);
    return file_of(header, Bytes(file.begin() + 8 + static_cast<std::ptrdiff_t>(header_length(file)), file.end()));
  };
  expect_refused(with(digits, "0000000000000000"), "checksum", "damaged", "0000000000000000");
  expect_refused(with(digits, digits.substr(1)), "checksum", "16 hexadecimal digits");
  expect_refused(with(digits, "\\u0030" + digits.substr(1)), "checksum", "16 hexadecimal digits");
  expect_refused(with("\"checksum\":", "\"checksum\" :"), "checksum", "16 hexadecimal digits");
  expect_refused(with("\"checksum\":\"" + digits + "\",", ""), "checksum", "16 hexadecimal digits");
}

// A newer version may bring what this one refuses; its number explains it better than its details.
TEST(ModelRefusal, ANewerVersionIsNamedFirst) {
  const Bytes newer = foreign({.metadata = R"("__metadata__":{"lanemax_format":"3"},)", .weight_dtype = "\"BF16\""});
  expect_refused(newer, "lanemax_format", "newer", "3");
  // Not so what is wrong in a format that is known.
  const Bytes known = foreign({.metadata = R"("__metadata__":{"lanemax_format":"2"},)", .weight_dtype = "\"BF16\""});
  expect_refused(known, "tensor dtype", "F32", "weight: BF16");
}

}  // namespace
}  // namespace lanemax::test
