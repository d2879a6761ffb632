// SPDX-License-Identifier: BSD-3-Clause
#include "engine/c_api/taker.hpp"

namespace lanemax::c_api {
namespace {

/// The constants are the enumerators' numbers.
template <class Enum>
constexpr bool same(std::int32_t constant, Enum enumerator) {
  return constant == static_cast<std::int32_t>(enumerator);
}
static_assert(same(LANEMAX_ISA_DEFAULT, Isa::process_default) && same(LANEMAX_ISA_SSE2, Isa::sse2) &&
              same(LANEMAX_ISA_AVX2_FMA, Isa::avx2_fma) && same(LANEMAX_ISA_AVX512, Isa::avx512) &&
              same(LANEMAX_ISA_NEON, Isa::neon));
static_assert(same(LANEMAX_F32, FeatureType::f32) && same(LANEMAX_F64, FeatureType::f64) &&
              same(LANEMAX_U8, FeatureType::u8) && same(LANEMAX_F16, FeatureType::f16) &&
              same(LANEMAX_BF16, FeatureType::bf16));
static_assert(same(LANEMAX_LABELS_I8, LabelType::i8) && same(LANEMAX_LABELS_U8, LabelType::u8) &&
              same(LANEMAX_LABELS_I16, LabelType::i16) && same(LANEMAX_LABELS_U16, LabelType::u16) &&
              same(LANEMAX_LABELS_I32, LabelType::i32) && same(LANEMAX_LABELS_U32, LabelType::u32) &&
              same(LANEMAX_LABELS_I64, LabelType::i64) && same(LANEMAX_LABELS_U64, LabelType::u64));
static_assert(same(LANEMAX_SOFTMAX, Loss::softmax) && same(LANEMAX_HINGE, Loss::hinge) &&
              same(LANEMAX_LOGISTIC, Loss::logistic));
static_assert(same(LANEMAX_MEAN, Reduction::mean) && same(LANEMAX_SUM, Reduction::sum));

}  // namespace

std::vector<std::string> Taker::texts(const char* const* data, std::size_t count, const char* what) {
  std::vector<std::string> taken;
  for (const char* const one : array(data, count, what)) {
    text(one, what);
    if (!ok()) break;
    taken.emplace_back(one);
  }
  return taken;
}

WeightsView<const float> Taker::weights(const lanemax_const_weights* weights, const char* what) noexcept {
  need(weights != nullptr, what, "weights, not NULL");
  if (!ok()) return {};
  return {matrix(weights->weights, what), array(weights->bias, weights->bias_count, "bias")};
}

WeightsView<float> Taker::weights(const lanemax_weights* weights, const char* what) noexcept {
  need(weights != nullptr, what, "weights, not NULL");
  if (!ok()) return {};
  return {matrix(weights->weights, what), array(weights->bias, weights->bias_count, "bias")};
}

FeaturesView Taker::features(const lanemax_features& features) noexcept {
  const FeatureType type = choice(features.type, FeatureType::bf16, "features.type");
  need(features.data != nullptr || features.samples == 0, "features", "data, not NULL");
  reserved(features.reserved);
  return {features.data,
          type,
          features.samples,
          features.features,
          stride(features.row_stride, features.features),
          stride(features.col_stride)};
}

LabelsView Taker::labels(const lanemax_labels& labels, const char* what) noexcept {
  const auto of = [&]<class T>(T) { return LabelsView(static_cast<const T*>(labels.data), labels.count); };
  const LabelType type = choice(labels.type, LabelType::u64, what);
  need(labels.data != nullptr || labels.count == 0, what, "data, not NULL");
  reserved(labels.reserved);
  switch (type) {
    case LabelType::i8: return of(std::int8_t{});
    case LabelType::u8: return of(std::uint8_t{});
    case LabelType::i16: return of(std::int16_t{});
    case LabelType::u16: return of(std::uint16_t{});
    case LabelType::i32: return of(std::int32_t{});
    case LabelType::u32: return of(std::uint32_t{});
    case LabelType::i64: return of(std::int64_t{});
    case LabelType::u64: return of(std::uint64_t{});
  }
  return {};
}

FeatureScaling Taker::scaling(const lanemax_scaling& scaling) noexcept {
  return {array(scaling.centre, scaling.centre_count, "scaling centre"),
          array(scaling.factor, scaling.factor_count, "scaling factor")};
}

Batch Taker::batch(const lanemax_batch* batch) noexcept {
  need(batch != nullptr, "batch", "data, not NULL");
  const lanemax_batch given = sized(batch, "batch");
  Batch taken;
  taken.features = features(given.features);
  taken.labels = labels(given.labels, "labels");
  taken.target_probabilities = matrix(given.target_probabilities, "target_probabilities");
  taken.sample_weights = array(given.sample_weights, given.sample_weight_count, "sample_weights");
  const auto selection = array(given.selection, given.selection_count, "selection");
  if (given.selection != nullptr) taken.selection = selection;
  taken.scaling = scaling(given.scaling);
  return taken;
}

Objective Taker::objective(const lanemax_objective& objective) noexcept {
  Objective taken;
  taken.loss = loss(objective.loss);
  taken.reduction = choice(objective.reduction, Reduction::sum, "reduction");
  taken.l2 = unless_unset(objective.l2);
  taken.label_smoothing = objective.label_smoothing;
  taken.ignored_label = objective.ignored_label;
  reserved(objective.reserved);
  return taken;
}

Execution Taker::execution(std::int32_t threads, std::int32_t variant) noexcept {
  return {.threads = threads, .isa = isa(variant)};
}

}  // namespace lanemax::c_api
