// SPDX-License-Identifier: BSD-3-Clause
#include "engine/c_api/model.hpp"

#include "engine/c_api/call.hpp"
#include "engine/c_api/handles.hpp"

#include <utility>

namespace lanemax::c_api {

std::vector<std::string> numbered_classes(Loss loss, std::size_t scores) {
  std::vector<std::string> labels(loss == Loss::logistic ? 2 : scores);
  for (std::size_t c = 0; c < labels.size(); ++c) labels[c] = std::to_string(c);
  return labels;
}

namespace {

/// The text at this place, or NULL behind the last.
const char* text_at(const std::vector<std::string>& texts, std::size_t index) noexcept {
  return index < texts.size() ? texts[index].c_str() : nullptr;
}

Status make_model(Taker& take, const lanemax_model_parts& parts, Model& model) {
  const WeightsView<const float> weights = take.weights(&parts.weights, "weights");
  const MatrixView<const float>& w = weights.weights;
  const std::span<const double> centre = take.array(parts.centre, parts.centre_count, "centre");
  model.loss = take.loss(parts.loss);
  model.class_labels = take.texts(parts.class_labels, parts.class_count, "class_labels");
  model.feature_names = take.texts(parts.feature_names, parts.feature_name_count, "feature_names");
  take.reserved(parts.reserved);
  if (!take.ok()) return take.status();
  if (w.empty() || w.rows == 0 || w.cols == 0) return fail(StatusCode::shape_mismatch, "weights", "a row and a column");
  if (!weights.bias.empty() && weights.bias.size() != w.rows) {
    return fail(StatusCode::shape_mismatch, "bias", "one entry per row of the weights, or none");
  }
  std::size_t numbers = 0;
  if (__builtin_mul_overflow(w.rows, w.cols, &numbers)) throw std::bad_alloc();

  model.features = w.cols;
  if (model.class_labels.empty()) model.class_labels = numbered_classes(model.loss, w.rows);
  model.bias.assign(weights.bias.begin(), weights.bias.end());
  model.bias.resize(w.rows);
  model.centre.assign(centre.begin(), centre.end());
  model.weight.resize(numbers);
  for (std::size_t c = 0; c < w.rows; ++c) {
    for (std::size_t d = 0; d < w.cols; ++d) model.weight[c * w.cols + d] = w.at(c, d);
  }
  return check_model(model);
}

}  // namespace
}  // namespace lanemax::c_api

using namespace lanemax;
using namespace lanemax::c_api;

int32_t lanemax_model_create(const lanemax_model_parts* parts, lanemax_model** model, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.need(parts != nullptr, "parts", "what the model is made of, not NULL");
    take.place(model, "model");
    const lanemax_model_parts given = take.sized(parts, "parts");
    if (!take.ok()) return take.status();
    return make(model, [&](lanemax_model& made) { return make_model(take, given, made.model); });
  });
}
int32_t lanemax_model_load(const char* path, lanemax_model** model, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.text(path, "path");
    take.place(model, "model");
    if (!take.ok()) return take.status();
    return make(model, [&](lanemax_model& made) { return load_model(path, made.model); });
  });
}
int32_t lanemax_model_save(const lanemax_model* model, const char* path, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(model, "model");
    take.text(path, "path");
    return take.ok() ? save_model(model->model, path) : take.status();
  });
}
int32_t lanemax_model_from_bytes(const void* bytes, size_t size, lanemax_model** model, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const auto given = take.array(static_cast<const std::uint8_t*>(bytes), size, "bytes");
    take.place(model, "model");
    if (!take.ok()) return take.status();
    return make(model, [&](lanemax_model& made) { return model_from_bytes(given.data(), given.size(), made.model); });
  });
}
int32_t lanemax_model_to_bytes(const lanemax_model* model, lanemax_bytes** bytes, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(model, "model");
    take.place(bytes, "bytes");
    if (!take.ok()) return take.status();
    return make(bytes, [&](lanemax_bytes& made) { return model_to_bytes(model->model, made.bytes); });
  });
}
void lanemax_model_free(lanemax_model* model) {
  delete model;
}

int32_t lanemax_model_loss(const lanemax_model* model) {
  return model == nullptr ? LANEMAX_SOFTMAX : static_cast<int32_t>(model->model.loss);
}
size_t lanemax_model_features(const lanemax_model* model) {
  return model == nullptr ? 0 : model->model.features;
}
size_t lanemax_model_classes(const lanemax_model* model) {
  return model == nullptr ? 0 : model->model.classes();
}
size_t lanemax_model_scores(const lanemax_model* model) {
  return model == nullptr ? 0 : model->model.rows();
}
const char* lanemax_model_class_label(const lanemax_model* model, size_t class_index) {
  return model == nullptr ? nullptr : text_at(model->model.class_labels, class_index);
}
const char* lanemax_model_feature_name(const lanemax_model* model, size_t feature) {
  return model == nullptr ? nullptr : text_at(model->model.feature_names, feature);
}
const float* lanemax_model_weights(const lanemax_model* model) {
  return model == nullptr ? nullptr : model->model.weight.data();
}
const float* lanemax_model_bias(const lanemax_model* model) {
  return model == nullptr ? nullptr : model->model.bias.data();
}
const double* lanemax_model_centre(const lanemax_model* model) {
  return model == nullptr || model->model.centre.empty() ? nullptr : model->model.centre.data();
}
double lanemax_model_threshold(const lanemax_model* model) {
  return model == nullptr ? 0 : model->model.threshold;
}
int32_t lanemax_model_set_threshold(lanemax_model* model, double threshold, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(model, "model");
    if (!take.ok()) return take.status();
    std::swap(model->model.threshold, threshold);
    const Status outcome = check_model(model->model);
    if (!outcome.ok()) std::swap(model->model.threshold, threshold);
    return outcome;
  });
}
int32_t lanemax_model_set_feature_names(lanemax_model* model, const char* const* names, size_t count,
                                        lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(model, "model");
    std::vector<std::string> wanted = take.texts(names, count, "names");
    if (!take.ok()) return take.status();
    std::swap(model->model.feature_names, wanted);
    const Status outcome = check_model(model->model);
    if (!outcome.ok()) std::swap(model->model.feature_names, wanted);
    return outcome;
  });
}

const char* lanemax_loss_name(int32_t loss) {
  return loss >= LANEMAX_SOFTMAX && loss <= LANEMAX_LOGISTIC ? name_of(static_cast<Loss>(loss)) : "unknown";
}
