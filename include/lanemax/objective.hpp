// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_OBJECTIVE_HPP
#define LANEMAX_OBJECTIVE_HPP

#include <lanemax/isa.hpp>
#include <lanemax/status.hpp>
#include <lanemax/views.hpp>

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
  double l2 = 0;                    ///< >= 0
  double label_smoothing = 0;       ///< e in [0, 1]: targets (1-e) onehot + e/C over unmasked classes; softmax labels
  std::int32_t ignored_label = -1;  ///< rows with this label take no part; no class index, so < 0
};

/// Weights W (C x D; rows are classes) and bias b (C). `logistic` has one row. All weights are finite; a bias of
/// -infinity masks its class, no other infinity is accepted. loss() and loss_and_gradient() take W, and give dW, for
/// the features as Batch::scaling makes them; all that trains takes and gives weights for raw ones.
template <class T>
struct WeightsView {
  MatrixView<const T> weights;
  const T* bias = nullptr;  ///< null: all 0
};

struct LossResult {
  double objective = 0;     ///< L, penalty included, reduced as asked
  double data_loss = 0;     ///< the same without the penalty
  double total_weight = 0;  ///< S
  std::size_t rows = 0;     ///< rows that took part (weight > 0, label not ignored)
  int threads = 1;  ///< that were at work: no more than were asked for, fewer if there is little to do, or where
                    ///< the system gives no more
};

/// What else to write. Entries are left as they are when null. Rows that take no part get zeros.
template <class T>
struct LossOutputs {
  T* sample_losses = nullptr;   ///< one per row of the batch: s_i is not in it
  MatrixView<T> probabilities;  ///< rows x C: softmax(z); logistic: rows x 1, sigmoid(z); hinge: an error
};

/// Where the gradient goes. `dfeatures` is optional and needs unscaled features.
template <class T>
struct GradientOutputs {
  MatrixView<T> dweights;   ///< C x D
  T* dbias = nullptr;       ///< C
  MatrixView<T> dfeatures;  ///< rows x D
};

/// Bytes of scratch that loss() and loss_and_gradient() need for these shapes, for any thread count up to `threads`.
/// T is the scalar of the pass. 0 if the shapes overflow.
template <class T>
[[nodiscard]] std::size_t loss_workspace_bytes(std::size_t rows, std::size_t features, std::size_t classes,
                                               int threads) noexcept __attribute__((visibility("default")));

/// The loss over a batch (seed: one call, vectorised, log-sum-exp). T = float computes in f32, T = double in f64; sums
/// of losses are in double either way. On an error nothing is written.
template <class T>
[[nodiscard]] Status loss(const Objective& objective, const WeightsView<T>& weights, const Batch& batch,
                          const Execution& execution, const Workspace& workspace, LossResult& result,
                          const LossOutputs<T>& outputs = {}) noexcept __attribute__((visibility("default")));

/// Loss and gradient from one pass that shares the work: X comes from memory once.
/// dL/dz_i = (s_i/S) (tau_i p_i - t_i), dW = dZ' X + l2 W, db = sum_i dz_i, dX = dZ W; times S with Reduction::sum.
template <class T>
[[nodiscard]] Status loss_and_gradient(const Objective& objective, const WeightsView<T>& weights, const Batch& batch,
                                       const Execution& execution, const Workspace& workspace, LossResult& result,
                                       const GradientOutputs<T>& gradient, const LossOutputs<T>& outputs = {}) noexcept
    __attribute__((visibility("default")));

}  // namespace lanemax
#pragma GCC visibility pop

#endif
