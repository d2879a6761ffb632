// SPDX-License-Identifier: BSD-3-Clause
//
// Statuses in C, the instruction sets, the version: what needs no handle.
#include <lanemax/isa.hpp>
#include <lanemax/version.hpp>

#include "engine/c_api/call.hpp"
#include "engine/c_api/handles.hpp"

namespace lanemax::c_api {
namespace {

static_assert(LANEMAX_OK == int(StatusCode::ok) && LANEMAX_INVALID_ARGUMENT == int(StatusCode::invalid_argument) &&
              LANEMAX_ISA_UNKNOWN == int(StatusCode::isa_unknown) &&
              LANEMAX_ISA_NOT_COMPILED == int(StatusCode::isa_not_compiled) &&
              LANEMAX_ISA_NOT_SUPPORTED == int(StatusCode::isa_not_supported) &&
              LANEMAX_WORKSPACE_TOO_SMALL == int(StatusCode::workspace_too_small) &&
              LANEMAX_SHAPE_MISMATCH == int(StatusCode::shape_mismatch) &&
              LANEMAX_LABEL_OUT_OF_RANGE == int(StatusCode::label_out_of_range) &&
              LANEMAX_NOT_FINITE == int(StatusCode::not_finite) &&
              LANEMAX_OUT_OF_RANGE == int(StatusCode::out_of_range) && LANEMAX_NO_ROWS == int(StatusCode::no_rows) &&
              LANEMAX_BAD_DATA == int(StatusCode::bad_data) && LANEMAX_BAD_MODEL == int(StatusCode::bad_model) &&
              LANEMAX_BAD_CHECKPOINT == int(StatusCode::bad_checkpoint) &&
              LANEMAX_OVERFLOW == int(StatusCode::overflow) && LANEMAX_DIVERGED == int(StatusCode::diverged) &&
              LANEMAX_INTERRUPTED == int(StatusCode::interrupted) &&
              LANEMAX_MISSING_FILE == int(StatusCode::missing_file) && LANEMAX_IO_ERROR == int(StatusCode::io_error) &&
              LANEMAX_OUT_OF_MEMORY == int(StatusCode::out_of_memory));
static_assert(sizeof(lanemax_status) == 768, "callers have this much room for it, for ever");

constexpr StatusCode kNoCode{255};
StatusCode code_of(std::int32_t code) noexcept {
  return code >= LANEMAX_OK && code <= LANEMAX_OUT_OF_MEMORY ? static_cast<StatusCode>(code) : kNoCode;
}

/// A text of bounded size, ended where the caller has not ended it.
template <std::size_t N>
std::string text_in(const char (&text)[N]) {
  return {text, std::find(text, text + N, '\0')};
}

}  // namespace

lanemax_status in_c(const Status& status) noexcept {
  lanemax_status made = {};
  made.code = static_cast<std::int32_t>(status.code);
  made.system_error = status.system_error;
  made.line = status.line;
  made.row = status.row;
  made.column = status.column;
  made.byte = status.byte;
  copy_shown(status.what, made.what, sizeof made.what);
  copy_shown(status.expected, made.expected, sizeof made.expected);
  copy_shown(status.found, made.found, sizeof made.found);
  copy_shown(status.file, made.file, sizeof made.file);
  return made;
}

void tell(const Status& status, lanemax_status* out) noexcept {
  if (out != nullptr) *out = in_c(status);
}

}  // namespace lanemax::c_api

using namespace lanemax;
using namespace lanemax::c_api;

int32_t lanemax_version_number(void) {
  return LANEMAX_VERSION_NUMBER;
}
const char* lanemax_version_string(void) {
  return version();
}

size_t lanemax_status_message(const lanemax_status* status, char* buffer, size_t size) {
  if (status == nullptr) return 0;
  try {
    const std::string what = text_in(status->what), expected = text_in(status->expected);
    Status said;
    said.code = code_of(status->code);
    said.what = what.c_str();
    said.expected = expected.c_str();
    said.line = status->line;
    said.row = status->row;
    said.column = status->column;
    said.byte = status->byte;
    said.system_error = status->system_error;
    set_found(said, text_in(status->found));
    const std::string file = text_in(status->file);
    copy_shown(file, said.file, sizeof said.file);
    const std::string text = message(said);
    if (buffer != nullptr && size > 0) copy_shown(text, buffer, size);
    return text.size();
  } catch (...) {  // not even the memory for a line
    const std::string_view text = lanemax_code_name(status->code);
    if (buffer != nullptr && size > 0) copy_shown(text, buffer, size);
    return text.size();
  }
}
const char* lanemax_code_name(int32_t code) {
  return name_of(code_of(code));
}

int32_t lanemax_initialize(int32_t isa, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const Isa wanted = take.isa(isa);
    return take.ok() ? initialize(wanted) : take.status();
  });
}
int32_t lanemax_active_isa(void) {
  return static_cast<int32_t>(active_isa());
}
int32_t lanemax_known_isa(size_t index) {
  std::size_t count = 0;
  const IsaInfo* const infos = known_isas(count);
  return index < count ? static_cast<int32_t>(infos[index].isa) : LANEMAX_ISA_DEFAULT;
}
int32_t lanemax_check_isa(int32_t isa, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const Isa asked = take.isa(isa);
    return take.ok() ? check_isa(asked) : take.status();
  });
}
int32_t lanemax_isa_from_name(const char* name, int32_t* isa, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.text(name, "name");
    take.place(isa, "isa");
    if (!take.ok()) return take.status();
    Isa found{};
    const Status outcome = isa_from_name(name, found);
    if (outcome.ok()) *isa = static_cast<int32_t>(found);
    return outcome;
  });
}
const char* lanemax_isa_name(int32_t isa) {
  return isa > LANEMAX_ISA_DEFAULT && isa <= LANEMAX_ISA_NEON ? name_of(static_cast<Isa>(isa)) : "unknown";
}

const uint8_t* lanemax_bytes_data(const lanemax_bytes* bytes) {
  return bytes == nullptr ? nullptr : bytes->bytes.data();
}
size_t lanemax_bytes_size(const lanemax_bytes* bytes) {
  return bytes == nullptr ? 0 : bytes->bytes.size();
}
void lanemax_bytes_free(lanemax_bytes* bytes) {
  delete bytes;
}
