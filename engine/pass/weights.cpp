// SPDX-License-Identifier: BSD-3-Clause
#include "engine/pass/weights.hpp"

#include "engine/fail.hpp"
#include "engine/layout.hpp"

#include <cmath>
#include <limits>

namespace lanemax {

template <class T>
Status import_weights(const WeightsView<T>& view, T* weights, T* bias) noexcept {
  const MatrixView<const T>& w = view.weights;
  for (std::size_t c = 0; c < w.rows; ++c) {
    for (std::size_t d = 0; d < w.cols; ++d) {
      if (std::isfinite(w.at(c, d))) continue;
      return fail_at(StatusCode::not_finite, "weights", "finite numbers", at(c, d), static_cast<double>(w.at(c, d)));
    }
    if (view.bias != nullptr && !(view.bias[c] <= std::numeric_limits<T>::max())) {
      return fail_at(StatusCode::not_finite, "bias", "finite numbers, or -infinity for a masked class", at_row(c),
                     static_cast<double>(view.bias[c]));
    }
  }
  // Padding first, then the elements: each is written once more at most.
  const std::size_t padded_features = is_class_major(w.rows) ? round_up(w.cols, kPanel) : w.cols;
  const std::size_t padded_classes = is_class_major(w.rows) ? w.rows : bias_count(w.rows);
  for (std::size_t c = 0; c < padded_classes; ++c) {
    for (std::size_t d = 0; d < padded_features; ++d) {
      weights[weight_index(w.cols, w.rows, c, d)] = c < w.rows && d < w.cols ? w.at(c, d) : T(0);
    }
  }
  for (std::size_t c = 0; c < bias_count(w.rows); ++c) {
    bias[c] = c >= w.rows ? -std::numeric_limits<T>::infinity() : view.bias == nullptr ? T(0) : view.bias[c];
  }
  return {};
}

template <class T>
void export_weights(const T* weights, MatrixView<T> view) noexcept {
  for (std::size_t c = 0; c < view.rows; ++c) {
    for (std::size_t d = 0; d < view.cols; ++d) view.at(c, d) = weights[weight_index(view.cols, view.rows, c, d)];
  }
}

template <class T>
double squared_norm(const T* weights, std::size_t count) noexcept {
  double sum[8] = {};
  for (std::size_t i = 0; i < count; i += 8) {  // count is a multiple of 16; padding is 0
    for (std::size_t j = 0; j < 8; ++j) {
      sum[j] += static_cast<double>(weights[i + j]) * static_cast<double>(weights[i + j]);
    }
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

template Status import_weights<float>(const WeightsView<float>&, float*, float*) noexcept;
template Status import_weights<double>(const WeightsView<double>&, double*, double*) noexcept;
template void export_weights<float>(const float*, MatrixView<float>) noexcept;
template void export_weights<double>(const double*, MatrixView<double>) noexcept;
template double squared_norm<float>(const float*, std::size_t) noexcept;
template double squared_norm<double>(const double*, std::size_t) noexcept;

}  // namespace lanemax
