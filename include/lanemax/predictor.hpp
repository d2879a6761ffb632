// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_PREDICTOR_HPP
#define LANEMAX_PREDICTOR_HPP

#include <lanemax/isa.hpp>
#include <lanemax/model.hpp>
#include <lanemax/views.hpp>

#include <memory>

#pragma GCC visibility push(default)
namespace lanemax {

/// Where predictions go; null entries are skipped. All have one row per sample. A sample with a NaN or an infinity, or
/// whose scores overflow, gets class -1 and NaN scores.
struct Predictions {
  std::int32_t* classes = nullptr;      ///< highest score; the lowest index wins a tie
  MatrixView<float> logits;             ///< samples x score rows
  MatrixView<float> probabilities;      ///< samples x classes; not for hinge
  std::int32_t* top_classes = nullptr;  ///< samples x top_k, best first; ties in class order
  float* top_probabilities = nullptr;   ///< samples x top_k
  std::size_t top_k = 0;                ///< <= classes
};

/// Answers "which class?" from a model's weights in the engine's own layout. Const calls may run in any number of
/// threads; none allocates. A sample's answer has the same bits alone and in any batch.
///
/// Samples are raw features of any type. Products are in f32: values are rounded to it, with a model's centre as
/// `float(double(x) - centre)`. Where a model has one, samples in f32 have usually lost what the centre is for.
class Predictor {
 public:
  Predictor() noexcept;
  ~Predictor();
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  /// Copies what it needs of `model`. Uses `isa` for all later calls.
  [[nodiscard]] static Status create(const Model& model, Isa isa, Predictor& predictor) noexcept;

  [[nodiscard]] std::size_t features() const noexcept;
  [[nodiscard]] std::size_t classes() const noexcept;

  /// The class of one sample of features() values, or -1 if the row, less the centre, or its scores are not finite in
  /// f32.
  [[nodiscard]] std::int32_t predict(const float* sample) const noexcept;
  [[nodiscard]] std::int32_t predict(const double* sample) const noexcept;

  /// Scratch that predict_batch() needs; independent of the number of samples.
  [[nodiscard]] std::size_t workspace_bytes(int threads) const noexcept;

  /// Predicts every row of `features`.
  [[nodiscard]] Status predict_batch(const FeaturesView& features, const Workspace& workspace, int threads,
                                     const Predictions& out) const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lanemax
#pragma GCC visibility pop

#endif
