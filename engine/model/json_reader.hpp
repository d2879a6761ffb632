// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_MODEL_JSON_READER_HPP
#define LANEMAX_ENGINE_MODEL_JSON_READER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lanemax {

/// What a JSON text is made of. A `word` is every value that a header has no use for: true, false, null, a number with
/// a sign, a fraction or an exponent, or one that 64 bits do not hold.
enum class JsonToken : std::uint8_t {
  object,
  object_end,
  list,
  list_end,
  key,
  string,
  integer,
  word,
  end,       ///< of the text, behind its one value
  malformed  ///< not JSON (RFC 8259, without a byte-order mark), not UTF-8, or nested too deeply
};

/// Reads a JSON text token by token. Commas, colons and brackets are checked on the way, so that the tokens up to an
/// `end` are those of a well-formed text. Throws std::bad_alloc and nothing else.
class JsonReader {
 public:
  static constexpr std::size_t kMaxDepth = 64;

  /// `text` must outlive the reader.
  explicit JsonReader(std::string_view text) noexcept : text_(text) {}

  /// Behind `end` and `malformed` there is nothing to be read.
  [[nodiscard]] JsonToken next();

  /// The token: a key or a string as it is meant, anything else as it is written (malformed: up to the fault). May be
  /// moved from.
  [[nodiscard]] std::string& token() noexcept { return token_; }
  /// The value of an `integer`.
  [[nodiscard]] std::uint64_t integer() const noexcept { return integer_; }
  /// Position of the token's last byte, or of the fault.
  [[nodiscard]] std::size_t last_byte() const noexcept { return at_ == 0 ? 0 : at_ - 1; }

 private:
  /// What must come next, blanks aside.
  enum class Place : std::uint8_t { value, first, entry, colon, behind };

  [[nodiscard]] char skip_blanks() noexcept;
  [[nodiscard]] bool in_object() const noexcept { return depth_ > 0 && (objects_ & 1) != 0; }
  [[nodiscard]] JsonToken open(bool object);
  [[nodiscard]] JsonToken close();
  [[nodiscard]] JsonToken read_word();
  [[nodiscard]] bool read_string();
  [[nodiscard]] bool read_escape();
  [[nodiscard]] bool read_code_unit(std::uint32_t& unit) noexcept;
  [[nodiscard]] JsonToken malformed();

  std::string_view text_;
  std::size_t at_ = 0;     // first byte that is not read
  std::size_t begin_ = 0;  // of the token
  std::string token_;
  std::uint64_t integer_ = 0;
  std::uint64_t objects_ = 0;  // what is open, innermost in the lowest bit: 1 for an object, 0 for a list
  std::size_t depth_ = 0;
  Place place_ = Place::value;
};

}  // namespace lanemax

#endif
