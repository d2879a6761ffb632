// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_OBJECTIVE_HPP
#define LANEMAX_OBJECTIVE_HPP

#include <lanemax/isa.hpp>
#include <lanemax/parameters.hpp>
#include <lanemax/status.hpp>
#include <lanemax/views.hpp>

#include <optional>
#include <span>

// g++ does not apply this to function templates, which say it themselves.
#pragma GCC visibility push(default)
namespace lanemax {

/// softmax: cross-entropy of softmax(z), labels or target probabilities, C >= 1 classes.
/// hinge: multiclass hinge (Weston-Watkins), `sum over j != y of max(0, z_j - z_y + 1)`, labels only.
/// logistic: one score, two classes: `max(z, 0) - t z + log1p(exp(-|z|))`, labels 0 and 1 or targets in [0, 1].
enum class Loss : std::uint8_t { softmax, hinge, logistic };

/// mean: divided by the sum of the kept rows' weights. sum: that mean times the same sum, the log-likelihood's scale.
enum class Reduction : std::uint8_t { mean, sum };

/// What is minimised: `L = (1/S) sum_i s_i loss_i + (l2/2) |W|^2`, or S L with Reduction::sum. The bias is not
/// penalised. S is the sum of the sample weights of the kept rows. Logarithms are natural: losses are in nats.
struct Objective {
  Loss loss = Loss::softmax;
  Reduction reduction = Reduction::mean;
  std::optional<double> l2 = {};    ///< >= 0; unset: 1/S in fit() and fit_path(), 0 in loss() and train_step()
  double label_smoothing = 0;       ///< e in [0, 1]: targets (1-e) onehot + e/C over unmasked classes; softmax labels
  std::int32_t ignored_label = -1;  ///< rows with this label take no part; no class index, so < 0
};

struct LossResult {
  double objective = 0;     ///< L, penalty included, reduced as asked
  double data_loss = 0;     ///< the same without the penalty
  double total_weight = 0;  ///< S
  std::size_t rows = 0;     ///< rows that took part (weight > 0, label not ignored)
  int threads = 1;  ///< that were at work: no more than were asked for, fewer if there is little to do, or where
                    ///< the system gives no more
};

/// What else to write, per row of the batch; nothing where empty. Rows that take no part get zeros.
template <class T>
struct SampleOutputs {
  std::span<T> losses = {};          ///< rows: s_i is not in it
  MatrixView<T> probabilities = {};  ///< rows x C: softmax(z); logistic: rows x 1, sigmoid(z); hinge: an error
  MatrixView<T> dfeatures = {};      ///< rows x D, of loss_and_gradient() on features that are not scaled
};

/// Bytes of scratch that loss() and loss_and_gradient() need for these shapes, for any thread count up to `threads`.
/// T is the scalar of the pass. 0 if the shapes overflow.
template <class T>
[[nodiscard]] std::size_t loss_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes,
                                               int threads) noexcept __attribute__((visibility("default")));

/// The loss over a batch. With float weights it is computed in f32, with double ones in f64; sums of losses are in
/// double either way. All weights are finite; a bias of -infinity masks its class, no other infinity is accepted; no
/// bias at all stands for 0. Weights are for the features as Batch::scaling makes them. On an error nothing is written.
[[nodiscard]] Status loss(const Objective& objective, const WeightsView<const float>& weights, const Batch& batch,
                          const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                          const SampleOutputs<float>& outputs = {}) noexcept;
[[nodiscard]] Status loss(const Objective& objective, const WeightsView<const double>& weights, const Batch& batch,
                          const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                          const SampleOutputs<double>& outputs = {}) noexcept;

/// Loss and gradient from one pass that shares the work: X comes from memory once.
/// dL/dz_i = (s_i/S) (tau_i p_i - t_i), dW = dZ' X + l2 W, db = sum_i dz_i, dX = dZ W; times S with Reduction::sum.
[[nodiscard]] Status loss_and_gradient(const Objective& objective, const WeightsView<const float>& weights,
                                       const Batch& batch, const Execution& execution, std::span<std::byte> workspace,
                                       LossResult& result, const WeightsView<float>& gradient,
                                       const SampleOutputs<float>& outputs = {}) noexcept;
[[nodiscard]] Status loss_and_gradient(const Objective& objective, const WeightsView<const double>& weights,
                                       const Batch& batch, const Execution& execution, std::span<std::byte> workspace,
                                       LossResult& result, const WeightsView<double>& gradient,
                                       const SampleOutputs<double>& outputs = {}) noexcept;

/// The same on weights, and into a gradient, that are in the engine's layout already: nothing is copied in or out. Of
/// 64 rows x 768 features x 1000 classes the copies are a third of the call. On an error what `gradient` holds is
/// undefined; all else is as it was.
[[nodiscard]] Status loss(const Objective& objective, const Parameters<float>& weights, const Batch& batch,
                          const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                          const SampleOutputs<float>& outputs = {}) noexcept;
[[nodiscard]] Status loss(const Objective& objective, const Parameters<double>& weights, const Batch& batch,
                          const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                          const SampleOutputs<double>& outputs = {}) noexcept;
[[nodiscard]] Status loss_and_gradient(const Objective& objective, const Parameters<float>& weights, const Batch& batch,
                                       const Execution& execution, std::span<std::byte> workspace, LossResult& result,
                                       Parameters<float>& gradient, const SampleOutputs<float>& outputs = {}) noexcept;
[[nodiscard]] Status loss_and_gradient(const Objective& objective, const Parameters<double>& weights,
                                       const Batch& batch, const Execution& execution, std::span<std::byte> workspace,
                                       LossResult& result, Parameters<double>& gradient,
                                       const SampleOutputs<double>& outputs = {}) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
