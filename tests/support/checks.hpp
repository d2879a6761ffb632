// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_CHECKS_HPP
#define LANEMAX_TESTS_SUPPORT_CHECKS_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "tests/support/verdict.hpp"

// The checks of single kernels. Each takes a kernel table and looks at its kernels for scalar T (float or double) only
// through the table, so that any other table can be put in its place.
namespace lanemax::checks {

// ---- simd_checks.cpp ----
struct UlpReport {
  Verdict verdict;
  double max_ulp = 0;
  double at = 0;  ///< where
};
/// exp on every `stride`-th float of [-87.3365, 0], against the limit of 1 ulp.
UlpReport check_exp_f32(const KernelTable& table, std::uint32_t stride);
UlpReport check_exp_f64(const KernelTable& table);
/// exp at 0, below the range, at the cut, at NaN, and for all small counts of elements.
template <class T>
Verdict check_exp_edges(const KernelTable& table);
/// log1p on every `stride`-th float of [0, 2^24], against the limit of 1 ulp.
UlpReport check_log1p_f32(const KernelTable& table, std::uint32_t stride);
UlpReport check_log1p_f64(const KernelTable& table);
template <class T>
Verdict check_log1p_edges(const KernelTable& table);

// ---- logits_checks.cpp ----
/// Every form, all rows x features in 1..33 and classes in 1..36, every placement, against the oracle.
template <class T>
Verdict check_logits_small(const KernelTable& table);
/// The large shapes with all kinds of values; inputs unchanged.
template <class T>
Verdict check_logits_large(const KernelTable& table);
/// A row has the same bits alone as in any block, at any position.
template <class T>
Verdict check_logits_rows(const KernelTable& table);
/// A bias of -infinity masks its class and nothing else; NaN and infinity reach their own logits only.
template <class T>
Verdict check_logits_special(const KernelTable& table);
/// In slices of the features, each in memory of its own, the bits are those of one call.
template <class T>
Verdict check_logits_slices(const KernelTable& table);

// ---- gradient_checks.cpp ----
template <class T>
Verdict check_gradient_small(const KernelTable& table);
template <class T>
Verdict check_gradient_large(const KernelTable& table);
/// Ranges of features and panels give the bits of the whole and touch nothing else; reading ahead changes nothing.
template <class T>
Verdict check_gradient_parts(const KernelTable& table);
/// Columns of dlogits that are 0 are left out, exactly, and no others.
template <class T>
Verdict check_gradient_zeros(const KernelTable& table);
template <class T>
Verdict check_bias_gradient(const KernelTable& table);
template <class T>
Verdict check_feature_gradient(const KernelTable& table);

// ---- softmax_checks.cpp ----
enum class TargetKind { labels, smoothed, probabilities };
inline constexpr TargetKind kAllTargetKinds[] = {TargetKind::labels, TargetKind::smoothed, TargetKind::probabilities};

/// Classes 1..36 and a few hundred to ten thousand, all fills, against the oracle.
template <class T>
Verdict check_softmax(const KernelTable& table, TargetKind kind);
/// Integer logits: adding an integer to a row changes no bit.
template <class T>
Verdict check_softmax_shift(const KernelTable& table);
/// Logits 0: the loss is log C to 1 ulp.
template <class T>
Verdict check_softmax_zero(const KernelTable& table);
/// dlogits of a row sum to 0, probabilities to 1, and these stay within the published tolerance of a few eps.
template <class T>
Verdict check_softmax_sums(const KernelTable& table);
/// Losses and residuals next to 0 keep their digits.
template <class T>
Verdict check_softmax_tiny(const KernelTable& table);
/// NaN or +infinity anywhere in a row: its loss is not finite, and no other row changes.
template <class T>
Verdict check_softmax_not_finite(const KernelTable& table);

// ---- choice_checks.cpp ----
/// Both layouts, ties, masked classes, NaN and infinity.
template <class T>
Verdict check_choice(const KernelTable& table);

// ---- score_checks.cpp: hinge and logistic ----
template <class T>
Verdict check_hinge(const KernelTable& table);
template <class T>
Verdict check_hinge_not_finite(const KernelTable& table);
template <class T>
Verdict check_logistic(const KernelTable& table);
template <class T>
Verdict check_logistic_not_finite(const KernelTable& table);

// ---- probability_checks.cpp ----
/// Against the oracle, bit for bit what the losses say, and the logits stay as they are.
template <class T>
Verdict check_probabilities(const KernelTable& table);
/// NaN anywhere in a row, or nothing but masked classes: all of it is NaN, and no other row changes.
template <class T>
Verdict check_probabilities_not_finite(const KernelTable& table);
template <class T>
Verdict check_logistic_probabilities(const KernelTable& table);

// ---- update_checks.cpp ----
template <class T>
Verdict check_add(const KernelTable& table);
template <class T>
Verdict check_finish_gradient(const KernelTable& table);
/// The finite flag, with NaN or infinity in turn at every position.
template <class T>
Verdict check_finish_not_finite(const KernelTable& table);
template <class T>
Verdict check_update(const KernelTable& table);
template <class T>
Verdict check_adam(const KernelTable& table);
template <class T>
Verdict check_adagrad(const KernelTable& table);
/// What counts as 0 below the smallest normal number, and nothing above; no decay leaves a subnormal number behind.
template <class T>
Verdict check_least(const KernelTable& table);

// ---- load_checks.cpp ----
/// Every value of the small types, and many of the large ones, converted exactly.
template <class T>
Verdict check_load_values(const KernelTable& table);
/// Gathered rows, strides, scaling; the same values in every format give the same bits.
template <class T>
Verdict check_load_rows(const KernelTable& table);
/// Differences of values and centres of all sizes are those of f64, rounded once.
template <class T>
Verdict check_load_centres(const KernelTable& table);

}  // namespace lanemax::checks

#endif
