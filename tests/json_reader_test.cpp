// SPDX-License-Identifier: BSD-3-Clause
// The reader of a header's JSON beside nlohmann-json: both accept a text or both refuse it, and both find the same in
// it.
#include "engine/model/json_reader.hpp"

#include "engine/model/safetensors.hpp"
#include "engine/utf8.hpp"
#include "tests/support/model_bytes.hpp"

#include <nlohmann/json.hpp>

#include <random>

namespace lanemax::test {
namespace {

using Json = nlohmann::json;

// A text as a list of its tokens, with their kinds: "{", "k:name", "s:text", "i:17", "w" for any other value.
struct Reading {
  bool accepted = false;
  std::vector<std::string> tokens;
};

class Events final : public nlohmann::json_sax<Json> {
 public:
  explicit Events(std::vector<std::string>& tokens) : tokens_(tokens) {}

  bool null() override { return add("w"); }
  bool boolean(bool) override { return add("w"); }
  bool number_integer(number_integer_t) override { return add("w"); }
  bool number_unsigned(number_unsigned_t value) override { return add("i:" + std::to_string(value)); }
  bool number_float(number_float_t, const string_t&) override { return add("w"); }
  bool string(string_t& value) override { return add("s:" + value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return add("{"); }
  bool key(string_t& name) override { return add("k:" + name); }
  bool end_object() override { return add("}"); }
  bool start_array(std::size_t) override { return add("["); }
  bool end_array() override { return add("]"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool add(std::string token) {
    tokens_.push_back(std::move(token));
    return true;
  }
  std::vector<std::string>& tokens_;
};

Reading nlohmann_reading(std::string_view text) {
  Reading reading;
  Events events(reading.tokens);
  reading.accepted = Json::sax_parse(text, &events);
  return reading;
}

Reading our_reading(std::string_view text) {
  Reading reading;
  JsonReader reader(text);
  for (;;) {
    const JsonToken token = reader.next();
    switch (token) {
      case JsonToken::end: reading.accepted = true; return reading;
      case JsonToken::malformed: EXPECT_LT(reader.last_byte(), std::max<std::size_t>(text.size(), 1)); return reading;
      case JsonToken::key: reading.tokens.push_back("k:" + reader.token()); break;
      case JsonToken::string: reading.tokens.push_back("s:" + reader.token()); break;
      case JsonToken::integer: reading.tokens.push_back("i:" + std::to_string(reader.integer())); break;
      case JsonToken::word: reading.tokens.push_back("w"); break;
      default: reading.tokens.push_back(reader.token());
    }
  }
}

// What nlohmann-json does differently by design, and a header must not have.
bool is_comparable(std::string_view text) {
  const bool byte_order_mark = text.starts_with('\xEF');
  const bool ends_early = text.find('\0') != std::string_view::npos;  // taken for the end of the text
  const bool beyond_doubles = text.find("e9") != std::string_view::npos || text.find("E9") != std::string_view::npos;
  return !byte_order_mark && !ends_early && !beyond_doubles;
}

void expect_same_reading(std::string_view text, bool accepted) {
  const Reading ours = our_reading(text);
  EXPECT_EQ(ours.accepted, accepted) << text;
  const Reading theirs = nlohmann_reading(text);
  EXPECT_EQ(theirs.accepted, accepted) << text;
  if (accepted) {
    EXPECT_EQ(ours.tokens, theirs.tokens) << text;
  }
}

TEST(JsonReader, WhatIsJson) {
  for (const char* text : {"{}",
                           "[]",
                           "\"\"",
                           "0",
                           "-0",
                           "18446744073709551615",
                           "18446744073709551616",
                           "-1",
                           "1.5",
                           "-0.5e+3",
                           "1E2",
                           "1e-2",
                           "true",
                           "false",
                           "null",
                           " [ 1 , 2 ] ",
                           "\t{\n\"a\"\r:\t1\n}",
                           "[[],{},[{}]]",
                           "{\"\":\"\",\"\":0}",
                           R"({"a":{"b":[1,{"c":[]}]},"d":[[2],"e"]})",
                           R"("\"\\\/\b\f\n\r\t")",
                           R"("\u0041\u00e9\u20AC\ud83d\ude00")",
                           R"("\u0000\u001f\u007f\uFFFF")",
                           R"("\uDBFF\uDFFF\ud800\udc00")",
                           "\"\x7F\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                           "\"\xEF\xBF\xBF\xF4\x8F\xBF\xBF\""}) {
    expect_same_reading(text, true);
  }
}

TEST(JsonReader, WhatIsNot) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "]",
                           "{]",
                           "[}",
                           ",",
                           ":",
                           "\"",
                           "\"a",
                           "'a'",
                           "{a:1}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\" 1}",
                           "{\"a\",1}",
                           "{\"a\":1,}",
                           "{,}",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\"::1}",
                           "{1:2}",
                           "{null:2}",
                           "[,]",
                           "[1,]",
                           "[1 2]",
                           "[1,,2]",
                           "[1:2]",
                           "[\"a\":1]",
                           "1 2",
                           "{}{}",
                           "[]]",
                           "{}}",
                           "00",
                           "01",
                           "-",
                           "-01",
                           "+1",
                           ".5",
                           "1.",
                           "1.e2",
                           "1e",
                           "1e+",
                           "1..2",
                           "0x10",
                           "1_000",
                           "1a",
                           "NaN",
                           "Infinity",
                           "nul",
                           "nulll",
                           "True",
                           "TRUE",
                           "truefalse",
                           "// a\n1",
                           "1 // a",
                           "/**/1",
                           "\x0B[]",
                           "\x0C[]",
                           "\xC2\xA0[]",
                           R"("\a")",
                           R"("\")",
                           R"("\)",
                           R"("\u12")",
                           R"("\u12g4")",
                           R"("\u+123")",
                           R"("\U0041")",
                           R"("\ud800")",
                           R"("\udc00")",
                           R"("\ud800\n")",
                           R"("\ud800x")",
                           R"("\ud800\ud800")",
                           R"("\ud800\u0041")",
                           R"("\ud800\u12")",
                           R"("\udc00\ud800")",
                           R"("\ud800)",
                           "\"\x01\"",
                           "\"\n\"",
                           "\"\t\"",
                           "\"\x1F\"",
                           "\"\x80\"",
                           "\"\xC0\x80\"",
                           "\"\xC1\xBF\"",
                           "\"\xC3\"",
                           "\"\xC3(\"",
                           "\"\xE0\x80\x80\"",
                           "\"\xE2\x82\"",
                           "\"\xED\xA0\x80\"",
                           "\"\xF0\x80\x80\x80\"",
                           "\"\xF4\x90\x80\x80\"",
                           "\"\xF5\x80\x80\x80\"",
                           "\"\xFF\"",
                           "\"\xE2\x82",
                           "{\"\xFF\":1}"}) {
    expect_same_reading(text, false);
  }
  EXPECT_FALSE(our_reading("\xEF\xBB\xBF{}").accepted);
  EXPECT_FALSE(our_reading({"{}\0", 3}).accepted);
  EXPECT_FALSE(our_reading({"\"a\0b\"", 5}).accepted);
}

TEST(JsonReader, EveryEscapedUnitAndEveryCharacter) {
  for (std::uint32_t unit = 0; unit < 0x10000; ++unit) {
    char text[16];
    std::snprintf(text, sizeof text, "\"\\u%04x\"", unit);
    const bool half = unit >= 0xD800 && unit < 0xE000;
    JsonReader reader(text);
    ASSERT_EQ(reader.next(), half ? JsonToken::malformed : JsonToken::string) << text;
    if (!half) {
      ASSERT_EQ(reader.token(), Json::parse(text).get<std::string>()) << text;
    }
  }
  for (std::uint32_t point = 0x10000; point < 0x110000; point += 17) {
    char text[16];
    std::snprintf(text, sizeof text, "\"\\u%04x\\u%04X\"", 0xD800 + ((point - 0x10000) >> 10),
                  0xDC00 + (point & 0x3FF));
    JsonReader escaped(text);
    ASSERT_EQ(escaped.next(), JsonToken::string) << text;
    ASSERT_EQ(escaped.token(), Json::parse(text).get<std::string>()) << text;
    const std::string quoted = '"' + escaped.token() + '"';
    JsonReader plain(quoted);
    ASSERT_EQ(plain.next(), JsonToken::string) << text;
    ASSERT_EQ(plain.token(), escaped.token()) << text;
  }
}

TEST(JsonReader, SaysWhereTheFaultIs) {
  const auto fault = [](std::string_view text) {
    JsonReader reader(text);
    for (;;) {
      const JsonToken token = reader.next();
      if (token == JsonToken::malformed) return std::pair{reader.last_byte(), reader.token()};
      if (token == JsonToken::end) return std::pair{text.size(), std::string{"none"}};
    }
  };
  EXPECT_EQ(fault("{}"), std::pair(std::size_t{2}, std::string{"none"}));
  EXPECT_EQ(fault(""), std::pair(std::size_t{0}, std::string{}));
  EXPECT_EQ(fault("{\"a\";1}"), std::pair(std::size_t{4}, std::string{";"}));
  EXPECT_EQ(fault("[1, 2; 3]"), std::pair(std::size_t{5}, std::string{";"}));
  EXPECT_EQ(fault("[8, 024]"), std::pair(std::size_t{6}, std::string{"024"}));
  EXPECT_EQ(fault("[\"one\\x\"]"), std::pair(std::size_t{6}, std::string{"\"one\\x"}));
  EXPECT_EQ(fault("[\"one\xFF\"]"), std::pair(std::size_t{5}, std::string{"\"one\xFF"}));
  EXPECT_EQ(fault("[\"one"), std::pair(std::size_t{4}, std::string{"\"one"}));
  JsonReader reader("[12,\"\\u0061\\u0062\"]");
  EXPECT_EQ(reader.next(), JsonToken::list);
  EXPECT_EQ(reader.last_byte(), 0u);
  EXPECT_EQ(reader.next(), JsonToken::integer);
  EXPECT_EQ(reader.last_byte(), 2u);
  EXPECT_EQ(reader.next(), JsonToken::string);
  EXPECT_EQ(reader.token(), "ab");
  EXPECT_EQ(reader.last_byte(), 17u);
}

TEST(JsonReader, NestingHasALimit) {
  constexpr std::size_t kMost = JsonReader::kMaxDepth;
  const auto nested = [](std::size_t depth, std::string_view open, std::string_view close) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += open;
    for (std::size_t i = 0; i < depth; ++i) text += i + 1 == depth && close == "}" ? "}" : close;
    return text;
  };
  EXPECT_TRUE(our_reading(nested(kMost, "[", "]")).accepted);
  EXPECT_FALSE(our_reading(nested(kMost + 1, "[", "]")).accepted);
  EXPECT_FALSE(our_reading(nested(1'000'000, "[", "]")).accepted);
  // Lists and objects in turn: the kind of every level is remembered.
  std::string text;
  std::string ends;
  for (std::size_t i = 0; i < kMost; ++i) {
    text += i % 3 == 0 ? "{\"a\":" : "[";
    ends.insert(ends.begin(), i % 3 == 0 ? '}' : ']');
  }
  expect_same_reading(text + "7" + ends, true);
  expect_same_reading(text + "7," + ends, false);
  std::swap(ends[20], ends[21]);
  expect_same_reading(text + "7" + ends, ends[20] == ends[21]);
}

// ---- mutated headers ----

// Pieces that make a difference to a reader.
constexpr std::string_view kPieces =
    "{|}|[|]|,|:|\"|\\| "
    "|\n|\t|0|1|-|.|e|E+|17|00|null|true|\"a\"|\\u|\\u0061|\\ud83d|\\ude00|\\n|\\/|\x80|\xC3|\xC3\xA9|\xED|\xA0|"
    "\xF0\x9F|\x01|\x7F|\"shape\":|[1,2]|{\"a\":1}|\"F32\"|9007199254740993|18446744073709551615|18446744073709551616";

std::vector<std::string> pieces() {
  std::vector<std::string> list{""};
  for (const char c : kPieces) {
    if (c == '|') {
      list.emplace_back();
    } else {
      list.back() += c;
    }
  }
  return list;
}

// `text` with one to four pieces put in, left out, put in another's place or doubled.
std::string mutated(std::string text, std::mt19937& random) {
  static const std::vector<std::string> kAll = pieces();
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (std::size_t count = 1 + below(4); count > 0 && !text.empty(); --count) {
    const std::size_t at = below(text.size());
    const std::size_t length = std::min(below(2) == 0 ? 1 : below(30), text.size() - at);
    switch (below(4)) {
      case 0: text.insert(at, kAll[below(kAll.size())]); break;
      case 1: text.erase(at, length); break;
      case 2: text.replace(at, length, kAll[below(kAll.size())]); break;
      default: text.insert(below(text.size() + 1), text.substr(at, length));
    }
  }
  return text;
}

// The header's numbers and names as nlohmann-json has them.
void expect_same_content(const safetensors::Header& header, const Json& json) {
  std::size_t tensors = 0;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") continue;
    ++tensors;
    const auto found = std::ranges::find(header.tensors, name, &safetensors::Tensor::name);
    ASSERT_NE(found, header.tensors.end()) << name;
    EXPECT_EQ(value.size(), 3u);
    EXPECT_EQ(value.at("shape").get<std::vector<std::uint64_t>>(), found->shape);
    EXPECT_EQ(value.at("data_offsets"), Json({found->begin, found->end}));
    EXPECT_EQ(value.at("dtype"), found->dtype == safetensors::Dtype::f32 ? "F32" : "F64");
  }
  EXPECT_EQ(header.tensors.size(), tensors);
  const Json metadata = json.value("__metadata__", Json::object());
  EXPECT_EQ(header.metadata.size(), metadata.size());
  for (const auto& [name, value] : header.metadata) EXPECT_EQ(metadata.at(name), value);
}

TEST(JsonReader, MutatedHeaders) {
  const Bytes files[] = {to_bytes(small_model()), to_bytes(centred_model()), to_bytes(model_of_a_table()),
                         foreign({.metadata = "\"__metadata__\":{\"caf\xC3\xA9 \\ud83d\\ude00\":\"\\u0041\\/ b\"} , "}),
                         file_of("{ }", {})};
  std::mt19937 random(20261127);
  std::size_t accepted = 0;
  std::size_t json = 0;
  for (int i = 0; i < 60'000; ++i) {
    const Bytes& file = files[static_cast<std::size_t>(i) % std::size(files)];
    const std::string text = mutated(header_of(file), random);
    if (!is_comparable(text)) continue;

    const Reading ours = our_reading(text);
    const Reading theirs = nlohmann_reading(text);
    ASSERT_EQ(ours.accepted, theirs.accepted) << text;
    if (ours.accepted) {
      ++json;
      ASSERT_EQ(ours.tokens, theirs.tokens) << text;
    }

    Bytes bytes = file_of(text, Bytes(file.begin() + 8 + static_cast<std::ptrdiff_t>(header_length(file)), file.end()));
    safetensors::Header header;
    const Status status = safetensors::read_header(bytes, nullptr, header);
    ASSERT_TRUE(ours.accepted || !status.ok()) << text;
    if (status.ok()) {
      ++accepted;
      ASSERT_NO_FATAL_FAILURE(expect_same_content(header, Json::parse(text))) << text;
    } else {
      ASSERT_EQ(status.code, StatusCode::bad_model);
      ASSERT_LE(status.byte, static_cast<std::int64_t>(bytes.size()));
      ASSERT_TRUE(!theirs.accepted || std::string_view{status.expected} != "valid JSON") << text;
    }
    if (HasFailure()) FAIL() << text;
  }
  EXPECT_GT(json, 5'000u);
  EXPECT_GT(accepted, 1'000u);
}

TEST(JsonReader, MutatedListsOfStrings) {
  std::mt19937 random(7);
  std::size_t accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string text = mutated(R"([ "a","b \u00e9","","\\\"", "caf)"
                                     "\xC3\xA9"
                                     R"(" ])",
                                     random);
    if (!is_comparable(text)) continue;
    std::vector<std::string> list;
    const Status status = safetensors::read_string_list(text, "names", safetensors::kAnyCount, list);
    const Json json = Json::parse(text, nullptr, false);
    const bool strings = json.is_array() && std::ranges::all_of(json, [](const Json& j) { return j.is_string(); });
    ASSERT_EQ(status.ok(), strings) << text;
    if (!strings) continue;
    ++accepted;
    ASSERT_EQ(json, Json(list)) << text;
  }
  EXPECT_GT(accepted, 300u);
}

}  // namespace
}  // namespace lanemax::test
