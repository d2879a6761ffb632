// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

#include <cblas.h>

namespace lanemax::bench {
namespace {

blasint size(std::size_t n) {
  return static_cast<blasint>(n);
}

void multiply(std::size_t m, std::size_t n, std::size_t k, const GemmPeer::Matrix& a, const GemmPeer::Matrix& b,
              float* c, std::size_t ldc) {
  const auto op = [](bool transposed) { return transposed ? CblasTrans : CblasNoTrans; };
  cblas_sgemm(CblasRowMajor, op(a.transposed), op(b.transposed), size(m), size(n), size(k), 1.0f, a.data, size(a.ld),
              b.data, size(b.ld), 0.0f, c, size(ldc));
}

void multiply_vector(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
  cblas_sgemv(CblasRowMajor, CblasNoTrans, size(rows), size(cols), 1.0f, a, size(cols), x, 1, 0.0f, y, 1);
}

}  // namespace

GemmPeer openblas_peer() {
  static const std::string version = std::string(openblas_get_config()) + ", core " + openblas_get_corename();
  const char* pool = openblas_get_parallel() == 2 ? "openmp" : "openblas";
  return {"openblas", version.c_str(), pool, openblas_set_num_threads, multiply, multiply_vector};
}

}  // namespace lanemax::bench
