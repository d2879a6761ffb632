// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_C_API_FIT_REQUEST_HPP
#define LANEMAX_ENGINE_C_API_FIT_REQUEST_HPP

#include <lanemax/fit.hpp>

#include "engine/c_api/taker.hpp"

namespace lanemax::c_api {

/// A fit as it is asked for from C: the options, and what they point to.
class FitRequest {
 public:
  /// May throw std::bad_alloc.
  FitRequest(Taker& take, const lanemax_fit_options* options);
  FitRequest(const FitRequest&) = delete;
  FitRequest& operator=(const FitRequest&) = delete;

  [[nodiscard]] const FitOptions& options() const noexcept { return options_; }
  /// A model to begin from, or an empty one.
  [[nodiscard]] const Model& initial() const noexcept;

 private:
  static bool tell_progress(const FitProgress& progress, void* request) noexcept;
  static bool ask_whether_cancelled(void* request) noexcept;

  lanemax_fit_options given_;
  FitOptions options_;
  Batch validation_;
};

[[nodiscard]] lanemax_fit_result in_c(const FitResult& result) noexcept;

}  // namespace lanemax::c_api

#endif
