// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_PASS_SAMPLE_WRITER_HPP
#define LANEMAX_ENGINE_PASS_SAMPLE_WRITER_HPP

#include "engine/pass/pass.hpp"

namespace lanemax {

/// The outputs of a pass that are as long as the batch: losses, probabilities and dfeatures of the samples, as far as
/// the caller wants them. Written part by part of a block; rows that are left out get 0.
template <class T>
class SampleWriter {
 public:
  SampleWriter(const PassInput<T>& input, const PassPlan& plan, const SampleOutputs<T>& outputs,
               const Kernels<T>& kernel) noexcept
      : in_(input), plan_(plan), out_(outputs), kernel_(kernel) {}

  [[nodiscard]] bool wants_probabilities() const noexcept { return !out_.probabilities.empty(); }
  [[nodiscard]] bool wants_dfeatures() const noexcept { return !out_.dfeatures.empty(); }

  void clear(std::size_t begin, std::size_t end) const noexcept {
    for (std::size_t row = begin; row < end; ++row) {
      if (!out_.losses.empty()) out_.losses[row] = T(0);
      for (const MatrixView<T>& output : {out_.probabilities, out_.dfeatures}) {
        for (std::size_t i = 0; i < output.cols && !output.empty(); ++i) output.at(row, i) = T(0);
      }
    }
  }

  /// Row i of the part is row first + positions[i] of the batch.
  void write(std::size_t first, const std::uint32_t* positions, const LossArgs<T>& part) const noexcept {
    for (std::size_t i = 0; i < part.rows; ++i) {
      const std::size_t row = first + positions[i];
      if (!out_.losses.empty()) out_.losses[row] = part.losses[i];
      for (std::size_t c = 0; c < plan_.classes && wants_probabilities(); ++c) {
        out_.probabilities.at(row, c) = part.probabilities[logit_index(part.part_capacity, plan_.classes, i, c)];
      }
      if (!out_.dfeatures.empty()) write_dfeatures(row, part.logits + logit_index(plan_.capacity, plan_.classes, i, 0));
    }
  }

 private:
  void write_dfeatures(std::size_t row, const T* dlogits) const noexcept {
    FeatureGradientArgs<T> args;
    args.dlogits = dlogits;
    args.capacity = plan_.capacity;
    args.rows = 1;
    args.features = plan_.features;
    args.classes = plan_.classes;
    args.weights = in_.weights;
    args.scale = static_cast<T>(in_.objective->reduction == Reduction::mean ? 1.0 / in_.total_weight : 1.0);
    args.dfeatures = &out_.dfeatures.at(row, 0);
    kernel_.feature_gradient(args);
  }

  const PassInput<T>& in_;
  const PassPlan& plan_;
  const SampleOutputs<T>& out_;
  const Kernels<T>& kernel_;
};

}  // namespace lanemax

#endif
