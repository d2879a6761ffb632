// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peers/peers.hpp"

#include <Eigen/Core>

namespace lanemax::bench {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Input = Eigen::Map<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;
using Output = Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;

Eigen::Index size(std::size_t n) {
  return static_cast<Eigen::Index>(n);
}

void multiply(std::size_t m, std::size_t n, std::size_t k, const GemmPeer::Matrix& a, const GemmPeer::Matrix& b,
              float* c, std::size_t ldc) {
  const auto view = [](const GemmPeer::Matrix& matrix, std::size_t rows, std::size_t cols) {
    const bool t = matrix.transposed;
    return Input(matrix.data, size(t ? cols : rows), size(t ? rows : cols), Eigen::OuterStride<>(size(matrix.ld)));
  };
  const Input left = view(a, m, k), right = view(b, k, n);
  Output out(c, size(m), size(n), Eigen::OuterStride<>(size(ldc)));
  if (a.transposed && b.transposed) {
    out.noalias() = left.transpose() * right.transpose();
  } else if (a.transposed) {
    out.noalias() = left.transpose() * right;
  } else if (b.transposed) {
    out.noalias() = left * right.transpose();
  } else {
    out.noalias() = left * right;
  }
}

void multiply_vector(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y) {
  const Eigen::Map<const RowMajor> matrix(a, size(rows), size(cols));
  const Eigen::Map<const Eigen::VectorXf> vector(x, size(cols));
  Eigen::Map<Eigen::VectorXf>(y, size(rows)).noalias() = matrix * vector;
}

}  // namespace

#define LANEMAX_BENCH_TEXT(token) #token
#define LANEMAX_BENCH_VERSION(a, b, c) LANEMAX_BENCH_TEXT(a) "." LANEMAX_BENCH_TEXT(b) "." LANEMAX_BENCH_TEXT(c)
GemmPeer eigen_peer() {
  static constexpr const char* kVersion =
      LANEMAX_BENCH_VERSION(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION);
  return {"eigen", kVersion, "openmp", Eigen::setNbThreads, multiply, multiply_vector};
}

}  // namespace lanemax::bench
