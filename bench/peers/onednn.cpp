// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

#include <dlfcn.h>
#include <dnnl.h>

namespace lanemax::bench {
namespace {

dnnl_dim_t size(std::size_t n) {
  return static_cast<dnnl_dim_t>(n);
}

void multiply(std::size_t m, std::size_t n, std::size_t k, const GemmPeer::Matrix& a, const GemmPeer::Matrix& b,
              float* c, std::size_t ldc) {
  const auto op = [](bool transposed) { return transposed ? 'T' : 'N'; };
  const dnnl_status_t status = dnnl_sgemm(op(a.transposed), op(b.transposed), size(m), size(n), size(k), 1.0f, a.data,
                                          size(a.ld), b.data, size(b.ld), 0.0f, c, size(ldc));
  static_cast<void>(status);  // a product that was not made fails the check
}

void multiply_vector(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
  multiply(1, rows, cols, {x, cols, false}, {a, cols, true}, y, rows);
}

/// oneDNN has no call for this: it asks the OpenMP run time that it was linked with.
void set_threads(int threads) {
  using Set = void (*)(int);
  static const Set set = reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (set != nullptr) set(threads);
}

}  // namespace

GemmPeer onednn_peer() {
  const dnnl_version_t* v = dnnl_version();
  static const std::string version =
      std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  return {"onednn", version.c_str(), "openmp", set_threads, multiply, multiply_vector};
}

}  // namespace lanemax::bench
