// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/model.hpp>

#include "engine/model/atomic_file.hpp"
#include "engine/model/json_text.hpp"
#include "engine/model/refuse.hpp"
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

// ---- what the metadata is called ----

constexpr std::string_view kFormatKey = safetensors::kModelKey;
constexpr std::string_view kFormatVersion = "1";
constexpr std::string_view kLossKey = "loss";
constexpr std::string_view kClassLabelsKey = "class_labels";
constexpr std::string_view kFeatureNamesKey = "feature_names";
constexpr std::string_view kScalingCentreKey = "scaling_centre";
constexpr std::string_view kScalingFactorKey = "scaling_factor";
constexpr std::string_view kTrainingPrefix = "training.";

constexpr const char* name_of_loss(Loss loss) {
  switch (loss) {
    case Loss::softmax: return "softmax";
    case Loss::hinge: return "hinge";
    case Loss::logistic: return "logistic";
  }
  return nullptr;
}

// ---- lists of numbers: shortest text that gives the same float back; no locale takes part ----

std::string write_numbers(std::span<const float> numbers) {
  std::string json = "[";
  for (const float number : numbers) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    if (json.size() > 1) json += ',';
    json.append(digits, end);
  }
  return json += ']';
}

// Refuses anything but a list of exactly `count` numbers, written without blanks.
Status read_numbers(std::string_view json, const char* field, std::size_t count, std::vector<float>& numbers) {
  const Status bad =
      refuse(StatusCode::bad_model, field, "a JSON list with one number per feature", json.substr(0, 40));
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

// ---- a file's header to a model ----

bool is_own_key(std::string_view key) {
  return key == kFormatKey || key == kChecksumKey || key == kLossKey || key == kClassLabelsKey ||
         key == kFeatureNamesKey || key == kScalingCentreKey || key == kScalingFactorKey ||
         (key.starts_with(kTrainingPrefix) && key.size() > kTrainingPrefix.size());
}

// Ok for format 1 and for a file without any of our metadata.
Status check_version(const safetensors::Metadata& metadata) {
  if (find_entry(metadata, safetensors::kCheckpointKey) != nullptr) {
    return refuse(StatusCode::bad_model, "file", "a model; this looks like the checkpoint of a fit");
  }
  const std::string* version = find_entry(metadata, kFormatKey);
  if (version != nullptr && *version == kFormatVersion) return {};
  if (version != nullptr) {
    return refuse(StatusCode::bad_model, "lanemax_format",
                  safetensors::is_version(*version) ? "1: this file was written by a newer lanemax" : "1", *version);
  }
  const auto ours = std::ranges::find_if(metadata, [](const auto& entry) { return is_own_key(entry.first); });
  if (ours == metadata.end()) return {};
  return refuse(StatusCode::bad_model, "lanemax_format", "present where other metadata of lanemax is", ours->first);
}

// The two tensors of a model; the shapes they must have towards each other.
Status take_tensors(std::span<const std::uint8_t> file, const safetensors::Header& header, Model& model) {
  const safetensors::Tensor* weight = nullptr;
  const safetensors::Tensor* bias = nullptr;
  for (const safetensors::Tensor& tensor : header.tensors) {
    if (tensor.name != "weight" && tensor.name != "bias") {
      return refuse(StatusCode::bad_model, "tensor", "no tensor but weight and bias", tensor.name);
    }
    (tensor.name == "weight" ? weight : bias) = &tensor;
  }
  if (weight == nullptr) return refuse(StatusCode::bad_model, "tensor weight", "present, shape [classes, features]");
  if (bias == nullptr) return refuse(StatusCode::bad_model, "tensor bias", "present, shape [classes]");
  const auto bad_shape = [](const safetensors::Tensor& tensor, const char* what, const char* expected) {
    std::string shape = "[";
    for (const std::uint64_t n : tensor.shape) shape += (shape.size() > 1 ? ", " : "") + std::to_string(n);
    return refuse(StatusCode::bad_model, what, expected, shape + "]");
  };
  if (bias->shape.size() != 1) return bad_shape(*bias, "shape of bias", "[classes]");
  if (weight->shape.size() != 2) return bad_shape(*weight, "shape of weight", "[classes, features]");
  if (weight->shape[0] != bias->shape[0]) {
    const bool transposed = weight->shape[1] == bias->shape[0];
    return bad_shape(*weight, "shape of weight",
                     transposed ? "[classes, features]; by the length of bias this is the transpose"
                                : "[classes, features] with as many classes as bias has numbers");
  }
  const auto take = [&](const safetensors::Tensor& tensor, std::vector<float>& numbers) {
    const auto bytes = static_cast<std::size_t>(tensor.end - tensor.begin);
    numbers.resize(bytes / sizeof(float));
    std::memcpy(numbers.data(), file.data() + header.data_begin + tensor.begin, bytes);
  };
  model.features = static_cast<std::size_t>(weight->shape[1]);
  take(*weight, model.weight);
  take(*bias, model.bias);
  return {};
}

Status take_metadata(const safetensors::Metadata& metadata, Model& model) {
  const std::string* loss = find_entry(metadata, kLossKey);
  const std::string* labels = find_entry(metadata, kClassLabelsKey);
  if (loss == nullptr) return refuse(StatusCode::bad_model, "loss", "present in the metadata");
  if (labels == nullptr) return refuse(StatusCode::bad_model, "class_labels", "present in the metadata");
  if (*loss == "softmax")
    model.loss = Loss::softmax;
  else if (*loss == "hinge")
    model.loss = Loss::hinge;
  else if (*loss == "logistic")
    model.loss = Loss::logistic;
  else
    return refuse(StatusCode::bad_model, "loss", "softmax, hinge or logistic", *loss);

  const std::size_t classes = model.loss == Loss::logistic ? 2 : model.rows();
  Status status = safetensors::read_string_list(*labels, "class_labels", classes, model.class_labels);
  for (const auto& [key, value] : metadata) {
    if (!status.ok()) return status;
    if (!is_own_key(key)) return refuse(StatusCode::bad_model, "metadata key", "one that format 1 knows", key);
    if (key == kFeatureNamesKey) {
      status = safetensors::read_string_list(value, "feature_names", model.features, model.feature_names);
    } else if (key == kScalingCentreKey) {
      status = read_numbers(value, "scaling_centre", model.features, model.scaling_centre);
    } else if (key == kScalingFactorKey) {
      status = read_numbers(value, "scaling_factor", model.features, model.scaling_factor);
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
    status.byte = static_cast<std::int64_t>(header.data_begin + tensor.begin) + 4 * index;
  }
  return status;
}

Status from_bytes(std::span<const std::uint8_t> file, Model& model) {
  safetensors::Header header;
  const Status read = safetensors::read_header(file, safetensors::Accepted::f32, header);
  // First of all: what a newer version wrote may well break today's rules, and its number says why.
  if (const Status status = check_version(header.metadata); !status.ok()) {
    const std::string* version = find_entry(header.metadata, kFormatKey);
    const bool checkpoint = find_entry(header.metadata, safetensors::kCheckpointKey) != nullptr;
    if (read.ok() || checkpoint || (version != nullptr && !version->empty())) return status;
  }
  if (!read.ok()) return read;
  const bool own = find_entry(header.metadata, kFormatKey) != nullptr;
  if (own) {
    if (const Status status = safetensors::check_checksum(file, header); !status.ok()) return status;
  }
  Model result;
  if (const Status status = take_tensors(file, header, result); !status.ok()) return status;
  if (own) {
    if (const Status status = take_metadata(header.metadata, result); !status.ok()) return status;
  } else {
    name_classes_by_index(result);
  }
  if (const Status status = check_model(result); !status.ok()) return as_bad_model(status, header, result.features);
  model = std::move(result);
  return {};
}

// ---- a model to a file ----

safetensors::Metadata metadata_of(const Model& model) {
  safetensors::Metadata metadata;
  metadata.emplace_back(kFormatKey, kFormatVersion);
  metadata.emplace_back(kChecksumKey, safetensors::kNoChecksum);
  metadata.emplace_back(kLossKey, name_of_loss(model.loss));
  metadata.emplace_back(kClassLabelsKey, write_string_list(model.class_labels));
  if (!model.feature_names.empty()) {
    metadata.emplace_back(kFeatureNamesKey, write_string_list(model.feature_names));
  }
  if (!model.scaling_centre.empty()) metadata.emplace_back(kScalingCentreKey, write_numbers(model.scaling_centre));
  if (!model.scaling_factor.empty()) metadata.emplace_back(kScalingFactorKey, write_numbers(model.scaling_factor));
  for (const auto& [name, value] : model.training) metadata.emplace_back(std::string{kTrainingPrefix} + name, value);
  return metadata;
}

Status to_bytes(const Model& model, std::vector<std::uint8_t>& bytes) {
  if (const Status status = check_model(model); !status.ok()) return status;
  const std::size_t bias_bytes = model.bias.size() * sizeof(float);
  const std::size_t weight_bytes = model.weight.size() * sizeof(float);
  const std::vector<safetensors::Tensor> tensors{
      {"bias", {model.rows()}, 0, bias_bytes},
      {"weight", {model.rows(), model.features}, bias_bytes, bias_bytes + weight_bytes}};
  std::vector<std::uint8_t> file;
  std::size_t data = 0;
  const Status status = safetensors::begin_file(metadata_of(model), tensors, file, data);
  if (!status.ok()) return status;
  std::memcpy(file.data() + data, model.bias.data(), bias_bytes);
  std::memcpy(file.data() + data + bias_bytes, model.weight.data(), weight_bytes);
  safetensors::write_checksum(file, data);
  bytes.swap(file);
  return {};
}

}  // namespace

Status model_to_bytes(const Model& model, std::vector<std::uint8_t>& bytes) noexcept {
  return without_exceptions([&] { return to_bytes(model, bytes); });
}

Status model_from_bytes(const std::uint8_t* bytes, std::size_t size, Model& model) noexcept {
  if (bytes == nullptr && size > 0) return refuse(StatusCode::invalid_argument, "bytes", "not null");
  return without_exceptions([&] { return from_bytes({bytes, size}, model); });
}

Status save_model(const Model& model, const char* path) noexcept {
  if (path == nullptr) return refuse(StatusCode::invalid_argument, "path", "not null");
  return without_exceptions([&] {
    std::vector<std::uint8_t> bytes;
    if (const Status status = to_bytes(model, bytes); !status.ok()) return status;
    return write_file_atomically(path, bytes);
  });
}

Status load_model(const char* path, Model& model) noexcept {
  if (path == nullptr) return refuse(StatusCode::invalid_argument, "path", "not null");
  return without_exceptions([&] {
    std::vector<std::uint8_t> bytes;
    if (const Status status = read_regular_file(path, safetensors::check_beginning, bytes); !status.ok()) return status;
    return from_bytes(bytes, model);
  });
}

}  // namespace lanemax
