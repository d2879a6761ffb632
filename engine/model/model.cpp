// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/model.hpp>

#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/model/atomic_file.hpp"
#include "engine/model/json_text.hpp"
#include "engine/model/sealed_file.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <system_error>

namespace lanemax {
namespace {

using safetensors::find_entry;
using safetensors::kChecksumKey;

static_assert(std::endian::native == std::endian::little, "the file's numbers are copied as they are");
static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4);

// ---- what a file holds ----

constexpr std::string_view kFormatKey = safetensors::kModelKey;
constexpr std::string_view kLossKey = "loss";
constexpr std::string_view kClassLabelsKey = "class_labels";
constexpr std::string_view kTrainingPrefix = "training.";

constexpr const char* name_of_loss(Loss loss) {
  switch (loss) {
    case Loss::softmax: return "softmax";
    case Loss::hinge: return "hinge";
    case Loss::logistic: return "logistic";
  }
  return nullptr;
}

// ---- numbers: shortest text that gives the same number back; no locale takes part ----

std::string write_number(auto number) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof(digits), number).ptr};
}

std::string write_numbers(std::span<const float> numbers) {
  std::string json = "[";
  for (const float number : numbers) {
    if (json.size() > 1) json += ',';
    json += write_number(number);
  }
  return json += ']';
}

// Refuses anything but a list of exactly `count` numbers, written without blanks.
Status read_numbers(std::string_view json, const char* field, std::size_t count, std::vector<float>& numbers) {
  const Status bad = fail(StatusCode::bad_model, field, "a JSON list with one number per feature", json.substr(0, 40));
  if (json.size() < 2 || json.front() != '[' || json.back() != ']') return bad;
  const char* at = json.data() + 1;
  const char* const last = json.data() + json.size() - 1;
  while (at < last) {
    float number = 0;
    const auto [end, error] = std::from_chars(at, last, number);
    if (error != std::errc{} || numbers.size() == count || (end < last && (*end != ',' || end + 1 == last))) return bad;
    numbers.push_back(number);
    at = end < last ? end + 1 : end;
  }
  return numbers.size() == count ? Status{} : bad;
}

// 0 is for models without one, whose files do not have the entry.
Status read_threshold(std::string_view text, double& threshold) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threshold);
  if (error == std::errc{} && end == text.data() + text.size() && threshold > 0 && threshold <= 1) return {};
  return fail(StatusCode::bad_model, "threshold", "a number above 0, at most 1", text.substr(0, 40));
}

// ---- columns: a list of texts "role:name" ----

constexpr std::string_view kRoles[] = {"feature", "label", "weight", "id", "dropped"};  // by ColumnRole

std::string write_columns(const std::vector<Column>& columns) {
  std::vector<std::string> texts;
  for (const Column& column : columns) {
    texts.push_back(std::string(kRoles[static_cast<std::size_t>(column.role)]) + ':' + column.name);
  }
  return write_string_list(texts);
}

Status read_columns(std::string_view json, std::vector<Column>& columns) {
  std::vector<std::string> texts;
  const Status status = safetensors::read_string_list(json, "columns", safetensors::kAnyCount, texts);
  if (!status.ok()) return status;
  for (const std::string& text : texts) {
    const std::size_t end = std::min(text.find(':'), text.size());
    const auto* const role = std::ranges::find(kRoles, std::string_view(text).substr(0, end));
    if (end == text.size() || role == std::end(kRoles)) {
      return fail(StatusCode::bad_model, "columns", "feature:, label:, weight:, id: or dropped: before each name",
                  text);
    }
    columns.push_back({text.substr(end + 1), static_cast<ColumnRole>(role - std::begin(kRoles))});
  }
  return {};
}

// ---- what a file holds only where the model has it ----

struct OptionalEntry {
  std::string_view key;
  int format;  // the first to have it
  bool (*is_in)(const Model&);
  std::string (*write)(const Model&);
  Status (*read)(std::string_view, Model&);
};

constexpr OptionalEntry kOptionalEntries[] = {
    {"feature_names", 1, [](const Model& model) { return !model.feature_names.empty(); },
     [](const Model& model) { return write_string_list(model.feature_names); },
     [](std::string_view text, Model& model) {
       return safetensors::read_string_list(text, "feature_names", model.features, model.feature_names);
     }},
    {"columns", 2, [](const Model& model) { return !model.columns.empty(); },
     [](const Model& model) { return write_columns(model.columns); },
     [](std::string_view text, Model& model) { return read_columns(text, model.columns); }},
    {"threshold", 2, [](const Model& model) { return model.threshold != 0; },
     [](const Model& model) { return write_number(model.threshold); },
     [](std::string_view text, Model& model) { return read_threshold(text, model.threshold); }},
    {"scaling_centre", 1, [](const Model& model) { return !model.scaling_centre.empty(); },
     [](const Model& model) { return write_numbers(model.scaling_centre); },
     [](std::string_view text, Model& model) {
       return read_numbers(text, "scaling_centre", model.features, model.scaling_centre);
     }},
    {"scaling_factor", 1, [](const Model& model) { return !model.scaling_factor.empty(); },
     [](const Model& model) { return write_numbers(model.scaling_factor); },
     [](std::string_view text, Model& model) {
       return read_numbers(text, "scaling_factor", model.features, model.scaling_factor);
     }},
};
constexpr int kForeign = 0;  // the format of a file without our metadata: two tensors, as in format 1
constexpr int kNewestFormat = 2;
constexpr int kCentreFormat = 2;

// The lowest format that can hold the model.
int format_of(const Model& model) {
  int format = model.centre.empty() ? 1 : kCentreFormat;
  for (const OptionalEntry& entry : kOptionalEntries) {
    if (entry.is_in(model)) format = std::max(format, entry.format);
  }
  return format;
}

// Null if the format has no such entry.
const OptionalEntry* find_optional(std::string_view key, int format) {
  const auto* const found = std::ranges::find(kOptionalEntries, key, &OptionalEntry::key);
  return found == std::end(kOptionalEntries) || found->format > format ? nullptr : found;
}

bool is_own_key(std::string_view key, int format) {
  return key == kFormatKey || key == kChecksumKey || key == kLossKey || key == kClassLabelsKey ||
         find_optional(key, format) != nullptr ||
         (key.starts_with(kTrainingPrefix) && key.size() > kTrainingPrefix.size());
}

// ---- a file's header to a model ----

// The format by its number in the metadata.
Status read_version(const safetensors::Metadata& metadata, int& format) {
  if (find_entry(metadata, safetensors::kCheckpointKey) != nullptr) {
    return fail(StatusCode::bad_model, "file", "a model; this looks like the checkpoint of a fit");
  }
  format = kForeign;
  const std::string* version = find_entry(metadata, kFormatKey);
  if (version != nullptr) {
    for (int known = 1; known <= kNewestFormat; ++known) {
      if (*version == std::to_string(known)) format = known;
    }
    if (format != kForeign) return {};
    const bool newer = safetensors::is_version(*version);
    return fail(StatusCode::bad_model, "lanemax_format",
                newer ? "1 or 2: this file was written by a newer lanemax" : "1 or 2", *version);
  }
  const auto ours =
      std::ranges::find_if(metadata, [](const auto& entry) { return is_own_key(entry.first, kNewestFormat); });
  if (ours == metadata.end()) return {};
  return fail(StatusCode::bad_model, "lanemax_format", "present where other metadata of lanemax is", ours->first);
}

safetensors::Dtype dtype_of(std::string_view tensor) {
  return tensor == "centre" ? safetensors::Dtype::f64 : safetensors::Dtype::f32;
}

// The tensors of a model; the shapes they must have towards each other.
Status take_tensors(std::span<const std::uint8_t> file, const safetensors::Header& header, int format, Model& model) {
  const safetensors::Tensor* weight = nullptr;
  const safetensors::Tensor* bias = nullptr;
  const safetensors::Tensor* centre = nullptr;
  for (const safetensors::Tensor& tensor : header.tensors) {
    if (tensor.name == "weight") {
      weight = &tensor;
    } else if (tensor.name == "bias") {
      bias = &tensor;
    } else if (tensor.name == "centre" && format >= kCentreFormat) {
      centre = &tensor;
    } else {
      return fail(StatusCode::bad_model, "tensor",
                  format < kCentreFormat ? "no tensor but weight and bias" : "no tensor but weight, bias and centre",
                  tensor.name);
    }
  }
  if (weight == nullptr) return fail(StatusCode::bad_model, "tensor weight", "present, shape [classes, features]");
  if (bias == nullptr) return fail(StatusCode::bad_model, "tensor bias", "present, shape [classes]");
  const auto bad_shape = [](const safetensors::Tensor& tensor, const char* what, const char* expected) {
    std::string shape = "[";
    for (const std::uint64_t n : tensor.shape) shape += (shape.size() > 1 ? ", " : "") + std::to_string(n);
    return fail(StatusCode::bad_model, what, expected, shape + "]");
  };
  if (bias->shape.size() != 1) return bad_shape(*bias, "shape of bias", "[classes]");
  if (weight->shape.size() != 2) return bad_shape(*weight, "shape of weight", "[classes, features]");
  if (weight->shape[0] != bias->shape[0]) {
    const bool transposed = weight->shape[1] == bias->shape[0];
    return bad_shape(*weight, "shape of weight",
                     transposed ? "[classes, features]; by the length of bias this is the transpose"
                                : "[classes, features] with as many classes as bias has numbers");
  }
  if (centre != nullptr && (centre->shape.size() != 1 || centre->shape[0] != weight->shape[1])) {
    return bad_shape(*centre, "shape of centre", "[features], as many as weight has columns");
  }
  const auto take = [&]<class T>(const safetensors::Tensor& tensor, std::vector<T>& numbers) {
    const auto bytes = static_cast<std::size_t>(tensor.end - tensor.begin);
    numbers.resize(bytes / sizeof(T));
    std::memcpy(numbers.data(), file.data() + header.data_begin + tensor.begin, bytes);
  };
  model.features = static_cast<std::size_t>(weight->shape[1]);
  take(*weight, model.weight);
  take(*bias, model.bias);
  if (centre != nullptr) take(*centre, model.centre);
  return {};
}

Status take_metadata(const safetensors::Metadata& metadata, int format, Model& model) {
  const std::string* loss = find_entry(metadata, kLossKey);
  const std::string* labels = find_entry(metadata, kClassLabelsKey);
  if (loss == nullptr) return fail(StatusCode::bad_model, "loss", "present in the metadata");
  if (labels == nullptr) return fail(StatusCode::bad_model, "class_labels", "present in the metadata");
  if (*loss == "softmax")
    model.loss = Loss::softmax;
  else if (*loss == "hinge")
    model.loss = Loss::hinge;
  else if (*loss == "logistic")
    model.loss = Loss::logistic;
  else
    return fail(StatusCode::bad_model, "loss", "softmax, hinge or logistic", *loss);

  const std::size_t classes = model.loss == Loss::logistic ? 2 : model.rows();
  Status status = safetensors::read_string_list(*labels, "class_labels", classes, model.class_labels);
  for (const auto& [key, value] : metadata) {
    if (!status.ok()) return status;
    if (const OptionalEntry* entry = find_optional(key, format); entry != nullptr) {
      status = entry->read(value, model);
    } else if (!is_own_key(key, format)) {
      return fail(StatusCode::bad_model, "metadata key",
                  format == 1 ? "one that format 1 knows" : "one that format 2 knows", key);
    } else if (key.starts_with(kTrainingPrefix)) {
      model.training.emplace_back(key.substr(kTrainingPrefix.size()), value);
    }
  }
  return status;
}

// Somebody else's file says nothing about classes.
void name_classes_by_index(Model& model) {
  model.loss = model.rows() == 1 ? Loss::logistic : Loss::softmax;
  const std::size_t classes = model.rows() == 1 ? 2 : model.rows();
  for (std::size_t c = 0; c < classes; ++c) model.class_labels.push_back(std::to_string(c));
}

// What check_model() found wrong is here a fault of the file.
Status as_bad_model(Status status, const safetensors::Header& header, std::size_t features) {
  if (status.ok() || status.code == StatusCode::out_of_memory) return status;
  status.code = StatusCode::bad_model;
  const std::string_view what = status.what;
  for (const safetensors::Tensor& tensor : header.tensors) {
    if (tensor.name != what || status.row < 0) continue;
    const std::int64_t index = status.row * static_cast<std::int64_t>(what == "weight" ? features : 1) +
                               std::max<std::int64_t>(status.column, 0);
    status.byte = static_cast<std::int64_t>(header.data_begin + tensor.begin) +
                  static_cast<std::int64_t>(safetensors::size_of(tensor.dtype)) * index;
  }
  return status;
}

Status from_bytes(std::span<const std::uint8_t> file, Model& model) {
  safetensors::Header header;
  const Status read = safetensors::read_header(file, dtype_of, header);
  // First of all: what a newer version wrote may well break today's rules, and its number says why.
  int format = kForeign;
  if (const Status status = read_version(header.metadata, format); !status.ok()) {
    const std::string* version = find_entry(header.metadata, kFormatKey);
    const bool checkpoint = find_entry(header.metadata, safetensors::kCheckpointKey) != nullptr;
    if (read.ok() || checkpoint || (version != nullptr && !version->empty())) return status;
  }
  if (!read.ok()) return read;
  if (format != kForeign) {
    if (const Status status = safetensors::check_checksum(file, header); !status.ok()) return status;
  }
  Model result;
  if (const Status status = take_tensors(file, header, format, result); !status.ok()) return status;
  if (format == kForeign) {
    name_classes_by_index(result);
  } else {
    if (const Status status = take_metadata(header.metadata, format, result); !status.ok()) return status;
    // Weights around a centre that got lost would be taken for those of raw features.
    if (format > format_of(result)) {
      return fail(StatusCode::bad_model, "lanemax_format", "1: nothing in the file needs a newer format",
                  std::to_string(format));
    }
  }
  if (const Status status = check_model(result); !status.ok()) return as_bad_model(status, header, result.features);
  model = std::move(result);
  return {};
}

// ---- a model to a file ----

safetensors::Metadata metadata_of(const Model& model) {
  safetensors::Metadata metadata;
  metadata.emplace_back(kFormatKey, std::to_string(format_of(model)));
  metadata.emplace_back(kChecksumKey, safetensors::kNoChecksum);
  metadata.emplace_back(kLossKey, name_of_loss(model.loss));
  metadata.emplace_back(kClassLabelsKey, write_string_list(model.class_labels));
  for (const OptionalEntry& entry : kOptionalEntries) {
    if (entry.is_in(model)) metadata.emplace_back(entry.key, entry.write(model));
  }
  for (const auto& [name, value] : model.training) metadata.emplace_back(std::string{kTrainingPrefix} + name, value);
  return metadata;
}

Status to_bytes(const Model& model, std::vector<std::uint8_t>& bytes) {
  if (const Status status = check_model(model); !status.ok()) return status;
  std::vector<safetensors::Tensor> tensors;
  std::vector<const void*> numbers;
  const auto add = [&](const char* name, std::vector<std::uint64_t> shape, const auto& values) {
    const std::uint64_t begin = tensors.empty() ? 0 : tensors.back().end;
    const std::uint64_t end = begin + values.size() * sizeof(values[0]);
    tensors.push_back({name, std::move(shape), begin, end, dtype_of(name)});
    numbers.push_back(values.data());
  };
  // The longer numbers first: all are aligned then, and stand as safetensors' own library would put them.
  if (!model.centre.empty()) add("centre", {model.features}, model.centre);
  add("bias", {model.rows()}, model.bias);
  add("weight", {model.rows(), model.features}, model.weight);
  std::vector<std::uint8_t> file;
  std::size_t data = 0;
  const Status status = safetensors::begin_file(metadata_of(model), tensors, file, data);
  if (!status.ok()) return status;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::memcpy(file.data() + data + tensors[i].begin, numbers[i], tensors[i].end - tensors[i].begin);
  }
  safetensors::write_checksum(file, data);
  bytes.swap(file);
  return {};
}

// The body of a public call. Numbers become text and back, too, as they are elsewhere, whatever the host has set.
template <class Body>
Status computed(const Body& body) noexcept {
  const FloatEnvironment environment;
  return without_exceptions("model", "", body);
}

}  // namespace

Status model_to_bytes(const Model& model, std::vector<std::uint8_t>& bytes) noexcept {
  return computed([&] { return to_bytes(model, bytes); });
}

Status model_from_bytes(const std::uint8_t* bytes, std::size_t size, Model& model) noexcept {
  if (bytes == nullptr && size > 0) return fail(StatusCode::invalid_argument, "bytes", "not null");
  return computed([&] { return from_bytes({bytes, size}, model); });
}

Status save_model(const Model& model, const char* path) noexcept {
  if (path == nullptr) return fail(StatusCode::invalid_argument, "path", "not null");
  return computed([&] {
    std::vector<std::uint8_t> bytes;
    if (const Status status = to_bytes(model, bytes); !status.ok()) return status;
    return of_file(path, write_file_atomically(path, bytes));
  });
}

Status load_model(const char* path, Model& model) noexcept {
  if (path == nullptr) return fail(StatusCode::invalid_argument, "path", "not null");
  return of_file(path, computed([&] {
                   std::vector<std::uint8_t> bytes;
                   const Status status = read_regular_file(path, safetensors::check_beginning, bytes);
                   return status.ok() ? from_bytes(bytes, model) : status;
                 }));
}

}  // namespace lanemax
