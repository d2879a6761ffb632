// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/status.hpp>
#include <lanemax/version.hpp>

#include <cstring>

namespace lanemax {

const char* version() noexcept {
  return LANEMAX_VERSION;  // of version.h, by way of CMake
}

const char* name_of(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::ok: return "ok";
    case StatusCode::invalid_argument: return "invalid_argument";
    case StatusCode::isa_unknown: return "isa_unknown";
    case StatusCode::isa_not_compiled: return "isa_not_compiled";
    case StatusCode::isa_not_supported: return "isa_not_supported";
    case StatusCode::workspace_too_small: return "workspace_too_small";
    case StatusCode::shape_mismatch: return "shape_mismatch";
    case StatusCode::label_out_of_range: return "label_out_of_range";
    case StatusCode::not_finite: return "not_finite";
    case StatusCode::out_of_range: return "out_of_range";
    case StatusCode::no_rows: return "no_rows";
    case StatusCode::bad_data: return "bad_data";
    case StatusCode::bad_model: return "bad_model";
    case StatusCode::bad_checkpoint: return "bad_checkpoint";
    case StatusCode::overflow: return "overflow";
    case StatusCode::diverged: return "diverged";
    case StatusCode::interrupted: return "interrupted";
    case StatusCode::missing_file: return "missing_file";
    case StatusCode::io_error: return "io_error";
    case StatusCode::out_of_memory: return "out_of_memory";
  }
  return "unknown";
}

namespace {

// What the code says where `what` alone does not.
const char* complaint(StatusCode code) {
  switch (code) {
    case StatusCode::isa_unknown: return "unknown instruction set";
    case StatusCode::isa_not_compiled: return "instruction set not part of this build";
    case StatusCode::isa_not_supported: return "instruction set not supported by this processor";
    case StatusCode::not_finite: return "not a finite number";
    case StatusCode::out_of_range: return "too large or too small";
    case StatusCode::label_out_of_range: return "label out of range";
    case StatusCode::overflow: return "left the range of the number type";
    case StatusCode::no_rows: return "nothing to work on";
    case StatusCode::out_of_memory: return "out of memory";
    default: return "";
  }
}

}  // namespace

std::string message(const Status& status) {
  if (status.ok()) return "ok";
  std::string text = status.file;
  if (!text.empty()) text += ": ";
  if (status.code == StatusCode::bad_checkpoint) text += "checkpoint: ";
  text += status.what[0] != '\0' ? status.what : name_of(status.code);
  if (const char* more = complaint(status.code); more[0] != '\0') text.append(": ").append(more);
  if (status.found[0] != '\0') {
    text += " '";
    for (const char c : status.found) {
      if (c == '\0') break;
      text += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    }
    text += '\'';
  }
  if (status.line >= 0) text.append(", line ").append(std::to_string(status.line));
  if (status.row >= 0) text.append(", row ").append(std::to_string(status.row));
  if (status.column >= 0) text.append(", column ").append(std::to_string(status.column));
  if (status.byte >= 0) text.append(", byte ").append(std::to_string(status.byte));
  if (status.system_error != 0) text.append(": ").append(std::strerror(status.system_error));
  if (status.expected[0] != '\0') text.append("; expected ").append(status.expected);
  return text;
}

}  // namespace lanemax
