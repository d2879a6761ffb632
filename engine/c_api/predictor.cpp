// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/predictor.hpp>

#include "engine/c_api/call.hpp"
#include "engine/c_api/handles.hpp"

namespace lanemax::c_api {
namespace {

static_assert(LANEMAX_NO_CLASS_NOT_FINITE == kNotFinite && LANEMAX_NO_CLASS_ABSTAINED == kAbstained &&
              LANEMAX_NO_CLASS_WRONG_SIZE == kWrongSize);

/// One sample as C hands it over, for calls that have no status and no time.
struct Sample {
  const lanemax_predictor* predictor;
  const void* data;
  std::int32_t type;
  std::size_t size;

  [[nodiscard]] bool is_good() const noexcept {
    return predictor != nullptr && is_there(data, size) && type >= LANEMAX_F32 && type <= LANEMAX_BF16;
  }
  [[nodiscard]] static bool is_there(const void* memory, std::size_t size) noexcept {
    return memory != nullptr || size == 0;
  }
  [[nodiscard]] SampleView view() const noexcept { return {data, static_cast<FeatureType>(type), size}; }
  [[nodiscard]] const Predictor& by() const noexcept { return predictor->predictor; }
};

std::span<std::byte> bytes_at(void* memory, std::size_t size) noexcept {
  return {static_cast<std::byte*>(memory), size};
}

}  // namespace
}  // namespace lanemax::c_api

using namespace lanemax;
using namespace lanemax::c_api;

int32_t lanemax_predictor_create(const lanemax_model* model, int32_t isa, lanemax_predictor** predictor,
                                 lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(model, "model");
    const Isa variant = take.isa(isa);
    take.place(predictor, "predictor");
    if (!take.ok()) return take.status();
    return make(predictor,
                [&](lanemax_predictor& made) { return Predictor::create(model->model, variant, made.predictor); });
  });
}
int32_t lanemax_predictor_load(const char* path, int32_t isa, lanemax_predictor** predictor, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.text(path, "path");
    const Isa variant = take.isa(isa);
    take.place(predictor, "predictor");
    if (!take.ok()) return take.status();
    return make(predictor, [&](lanemax_predictor& made) { return Predictor::load(path, variant, made.predictor); });
  });
}
int32_t lanemax_predictor_from_weights(int32_t loss, const lanemax_const_weights* weights, int32_t isa,
                                       lanemax_predictor** predictor, lanemax_status* status) {
  return call(status, [&](Taker& take) {
    const Loss of = take.loss(loss);
    const WeightsView<const float> view = take.weights(weights, "weights");
    const Isa variant = take.isa(isa);
    take.place(predictor, "predictor");
    if (!take.ok()) return take.status();
    return make(predictor,
                [&](lanemax_predictor& made) { return Predictor::create(of, view, variant, made.predictor); });
  });
}
void lanemax_predictor_free(lanemax_predictor* predictor) {
  delete predictor;
}

size_t lanemax_predictor_features(const lanemax_predictor* predictor) {
  return predictor == nullptr ? 0 : predictor->predictor.features();
}
size_t lanemax_predictor_classes(const lanemax_predictor* predictor) {
  return predictor == nullptr ? 0 : predictor->predictor.classes();
}
size_t lanemax_predictor_scores(const lanemax_predictor* predictor) {
  return predictor == nullptr ? 0 : predictor->predictor.scores();
}
const char* lanemax_predictor_label(const lanemax_predictor* predictor, int32_t class_index) {
  return predictor == nullptr ? nullptr : predictor->predictor.label(class_index).data();  // of a std::string, or null
}
double lanemax_predictor_threshold(const lanemax_predictor* predictor) {
  return predictor == nullptr ? 0 : predictor->predictor.threshold();
}

int32_t lanemax_predict(const lanemax_predictor* predictor, const void* sample, int32_t type, size_t size) {
  const Sample one{predictor, sample, type, size};
  return one.is_good() ? one.by().predict(one.view()) : LANEMAX_NO_CLASS_BAD_ARGUMENT;
}
int32_t lanemax_predict_logits(const lanemax_predictor* predictor, const void* sample, int32_t type, size_t size,
                               float* logits, size_t count) {
  const Sample one{predictor, sample, type, size};
  if (!one.is_good() || !Sample::is_there(logits, count)) return LANEMAX_NO_CLASS_BAD_ARGUMENT;
  return one.by().logits(one.view(), {logits, count});
}
int32_t lanemax_predict_probabilities(const lanemax_predictor* predictor, const void* sample, int32_t type, size_t size,
                                      void* workspace, size_t workspace_size, float* probabilities, size_t count) {
  const Sample one{predictor, sample, type, size};
  if (!one.is_good() || !Sample::is_there(workspace, workspace_size) || !Sample::is_there(probabilities, count)) {
    return LANEMAX_NO_CLASS_BAD_ARGUMENT;
  }
  return one.by().probabilities(one.view(), bytes_at(workspace, workspace_size), {probabilities, count});
}
int32_t lanemax_predict_log_probabilities(const lanemax_predictor* predictor, const void* sample, int32_t type,
                                          size_t size, void* workspace, size_t workspace_size, float* log_probabilities,
                                          size_t count) {
  const Sample one{predictor, sample, type, size};
  if (!one.is_good() || !Sample::is_there(workspace, workspace_size) || !Sample::is_there(log_probabilities, count)) {
    return LANEMAX_NO_CLASS_BAD_ARGUMENT;
  }
  return one.by().log_probabilities(one.view(), bytes_at(workspace, workspace_size), {log_probabilities, count});
}
int32_t lanemax_predict_top_k(const lanemax_predictor* predictor, const void* sample, int32_t type, size_t size,
                              void* workspace, size_t workspace_size, int32_t* classes, float* probabilities,
                              size_t k) {
  const Sample one{predictor, sample, type, size};
  if (!one.is_good() || !Sample::is_there(workspace, workspace_size) || !Sample::is_there(classes, k)) {
    return LANEMAX_NO_CLASS_BAD_ARGUMENT;
  }
  const std::span<float> wanted = probabilities == nullptr ? std::span<float>() : std::span(probabilities, k);
  return one.by().top_k(one.view(), bytes_at(workspace, workspace_size), {classes, k}, wanted);
}
size_t lanemax_predictor_workspace_bytes(const lanemax_predictor* predictor) {
  return predictor == nullptr ? 0 : predictor->predictor.workspace_bytes();
}

int32_t lanemax_predict_batch(const lanemax_predictor* predictor, const lanemax_features* features, int32_t threads,
                              void* workspace, size_t workspace_size, const lanemax_predictions* out,
                              lanemax_status* status) {
  return call(status, [&](Taker& take) {
    take.handle(predictor, "predictor");
    take.need(features != nullptr, "features", "data, not NULL");
    take.place(out, "out");
    const lanemax_predictions places = take.sized(out, "out");
    const std::span<std::byte> scratch = take.memory(workspace, workspace_size, "workspace");
    if (!take.ok()) return take.status();
    const FeaturesView x = take.features(*features);
    Predictions predictions;
    predictions.classes = take.array(places.classes, places.class_count, "classes");
    predictions.logits = take.matrix(places.logits, "logits");
    predictions.probabilities = take.matrix(places.probabilities, "probabilities");
    predictions.log_probabilities = take.matrix(places.log_probabilities, "log_probabilities");
    predictions.top_classes = take.matrix(places.top_classes, "top_classes");
    predictions.top_probabilities = take.matrix(places.top_probabilities, "top_probabilities");
    if (!take.ok()) return take.status();
    return predictor->predictor.predict_batch(x, threads, scratch, predictions);
  });
}
size_t lanemax_predictor_batch_workspace_bytes(const lanemax_predictor* predictor, int32_t threads) {
  return predictor == nullptr ? 0 : predictor->predictor.batch_workspace_bytes(threads);
}
