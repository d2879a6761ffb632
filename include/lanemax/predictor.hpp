// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_PREDICTOR_HPP
#define LANEMAX_PREDICTOR_HPP

#include <lanemax/isa.hpp>
#include <lanemax/model.hpp>
#include <lanemax/views.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <span>
#include <string_view>

#pragma GCC visibility push(default)
namespace lanemax {

/// One sample: D values of any feature type next to each other.
struct SampleView {
  const void* data = nullptr;
  std::size_t size = 0;
  FeatureType type = FeatureType::f32;

  /// f16 and bf16 are given as the address of their 16 bits.
  constexpr SampleView(const void* data_, FeatureType type_, std::size_t size_) noexcept
      : data(data_), size(size_), type(type_) {}
  /// A vector, an array, a span: of float, double or std::uint8_t.
  template <std::ranges::contiguous_range Range>
    requires(std::ranges::sized_range<Range> && (std::same_as<std::ranges::range_value_t<Range>, float> ||
                                                 std::same_as<std::ranges::range_value_t<Range>, double> ||
                                                 std::same_as<std::ranges::range_value_t<Range>, std::uint8_t>))
  constexpr SampleView(const Range& values) noexcept
      : data(std::ranges::data(values)), size(std::ranges::size(values)), type(type_of(std::ranges::data(values))) {}

 private:
  static constexpr FeatureType type_of(const float*) noexcept { return FeatureType::f32; }
  static constexpr FeatureType type_of(const double*) noexcept { return FeatureType::f64; }
  static constexpr FeatureType type_of(const std::uint8_t*) noexcept { return FeatureType::u8; }
};

/// Why a sample has no class: below 0, never an index.
inline constexpr std::int32_t kNotFinite = -1;  ///< the sample, less the centre, or its scores are not finite
inline constexpr std::int32_t kAbstained = -2;  ///< the best class is less probable than the model's threshold
inline constexpr std::int32_t kWrongSize = -3;  ///< of the sample, of an output or of the workspace; or no model

/// Where the predictions of many samples go; what is empty is skipped. A sample with a NaN or an infinity, or whose
/// scores overflow, gets class kNotFinite and NaN scores. One that the model abstains from gets class kAbstained, and
/// everything else as any other.
template <class T>
struct BasicPredictions {
  /// One per sample: highest score, the lowest index wins a tie; kAbstained if its probability is below the threshold.
  std::span<std::int32_t> classes = {};
  MatrixView<T> logits = {};                  ///< samples x score rows
  MatrixView<T> probabilities = {};           ///< samples x classes; not for hinge
  MatrixView<T> log_probabilities = {};       ///< samples x classes; not for hinge
  MatrixView<std::int32_t> top_classes = {};  ///< samples x k, k <= classes, best first; ties in class order
  MatrixView<T> top_probabilities = {};       ///< samples x k; not for hinge
};
using Predictions = BasicPredictions<float>;

template <class T>
struct PredictorState;  // the engine's own

/// Answers "which class?" from weights in the engine's own layout. Const calls may run in any number of threads; none
/// allocates. A sample's answer has the same bits alone and in any batch.
///
/// Samples are raw features of any type. Predictor computes in f32: values are rounded to it, with a model's centre as
/// `float(double(x) - centre)`. Where a model has one, samples in f32 have usually lost what the centre is for.
/// PredictorF64 computes in f64, whatever the weights were.
///
/// With a model that has a threshold, each of the calls below answers kAbstained where the largest of the sample's
/// probabilities, as probabilities() would give it, is below the threshold rounded to T. Scores, probabilities and best
/// classes are given all the same. That takes the sum of exponentials, and predict() and logits() of more than 4096
/// classes go over the weights twice.
template <class T>
class BasicPredictor {
 public:
  BasicPredictor() noexcept;
  ~BasicPredictor();
  BasicPredictor(BasicPredictor&&) noexcept;
  BasicPredictor& operator=(BasicPredictor&&) noexcept;
  BasicPredictor(const BasicPredictor&) = delete;
  BasicPredictor& operator=(const BasicPredictor&) = delete;

  /// Checks the model, as check_model() does, and copies what it needs of it. Uses `isa` for all later calls; {} is the
  /// process's.
  [[nodiscard]] static Status create(const Model& model, Isa isa, BasicPredictor& predictor) noexcept;
  /// Of weights in memory, for raw features and of as many classes as they have rows, or two for logistic; which have
  /// no names.
  [[nodiscard]] static Status create(Loss loss, const WeightsView<const T>& weights, Isa isa,
                                     BasicPredictor& predictor) noexcept;
  /// Of the model in a file: load_model(), create().
  [[nodiscard]] static Status load(const char* path, Isa isa, BasicPredictor& predictor) noexcept;

  /// Of a predictor that was not created, all sizes are 0 and all samples of the wrong size.
  [[nodiscard]] std::size_t features() const noexcept;
  [[nodiscard]] std::size_t classes() const noexcept;
  /// Scores of a sample: as many as classes, or 1 for logistic.
  [[nodiscard]] std::size_t scores() const noexcept;
  /// The name of a class; empty if it is none.
  [[nodiscard]] std::string_view label(std::int64_t class_index) const noexcept;
  /// The model's; 0: none, as of weights in memory.
  [[nodiscard]] double threshold() const noexcept;

  /// The class of one sample, or kNotFinite, kAbstained, kWrongSize.
  [[nodiscard]] std::int32_t predict(const SampleView& sample) const noexcept;
  /// The same, and the sample's scores() scores; NaN if they are not finite.
  [[nodiscard]] std::int32_t logits(const SampleView& sample, std::span<T> out) const noexcept;
  /// The same with the probabilities of all classes. `workspace` is of workspace_bytes(); {} for up to 4096 classes.
  /// kWrongSize for hinge, which has none.
  [[nodiscard]] std::int32_t probabilities(const SampleView& sample, std::span<std::byte> workspace,
                                           std::span<T> out) const noexcept;
  /// The same with their logarithms, each to its own relative precision, and -infinity for a masked class.
  [[nodiscard]] std::int32_t log_probabilities(const SampleView& sample, std::span<std::byte> workspace,
                                               std::span<T> out) const noexcept;
  /// The same with the k best classes and, unless empty, as many probabilities: k from 1 to classes(), else kWrongSize.
  [[nodiscard]] std::int32_t top_k(const SampleView& sample, std::span<std::byte> workspace,
                                   std::span<std::int32_t> classes, std::span<T> probabilities) const noexcept;
  /// Scratch for one sample: 0 for up to 4096 classes.
  [[nodiscard]] std::size_t workspace_bytes() const noexcept;

  /// Predicts every row of `features`, by the variant that the predictor was created for. A sample without a class is
  /// no error.
  [[nodiscard]] Status predict_batch(const FeaturesView& features, int threads, std::span<std::byte> workspace,
                                     const BasicPredictions<T>& out) const noexcept;
  /// Scratch that it needs; independent of the number of samples.
  [[nodiscard]] std::size_t batch_workspace_bytes(int threads) const noexcept;

 private:
  friend struct PredictorState<T>;
  std::unique_ptr<PredictorState<T>> state_;
};
using Predictor = BasicPredictor<float>;
using PredictorF64 = BasicPredictor<double>;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
