// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_DISPATCH_PRODUCTS_HPP
#define LANEMAX_ENGINE_DISPATCH_PRODUCTS_HPP

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"

namespace lanemax {

// The arguments of the two products where all of W, or of its gradient, takes part.

/// logits = X W' + b.
template <class T>
[[nodiscard]] LogitsArgs<T> logits_product(const RowBlock<T>& x, std::size_t features, std::size_t classes,
                                           const T* weights, const T* bias, LogitsForm form, T* logits,
                                           std::size_t capacity) noexcept {
  LogitsArgs<T> args;
  args.x = x;
  args.features = features;
  args.classes = classes;
  args.weights = weights;
  args.bias = bias;
  args.logits = logits;
  args.capacity = capacity;
  args.form = form;
  return args;
}

/// Rows times a matrix in panels of 16 columns, of which there are a multiple of 16, into panels of `capacity` rows.
/// `zeros`: as many as columns.
template <class T>
[[nodiscard]] LogitsArgs<T> panel_product(const RowBlock<T>& x, std::size_t length, std::size_t columns,
                                          const T* matrix, const T* zeros, T* out, std::size_t capacity) noexcept {
  return logits_product(x, length, columns, matrix, zeros, LogitsForm::panel, out, capacity);
}

/// dweights (+)= dlogits' X.
template <class T>
[[nodiscard]] GradientArgs<T> gradient_product(const RowBlock<T>& x, const T* dlogits, std::size_t capacity,
                                               std::size_t features, std::size_t classes, T* dweights,
                                               bool accumulate) noexcept {
  GradientArgs<T> args;
  args.x = x;
  args.dlogits = dlogits;
  args.capacity = capacity;
  args.features = args.feature_end = features;
  args.classes = classes;
  args.panel_end = is_class_major(classes) ? 1 : panel_count(classes);
  args.dweights = dweights;
  args.accumulate = accumulate;
  return args;
}

}  // namespace lanemax

#endif
