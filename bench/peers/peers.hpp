// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_PEERS_PEERS_HPP
#define LANEMAX_BENCH_PEERS_PEERS_HPP

#include <lanemax/isa.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lanemax::bench {

/// A library that multiplies matrices. Row-major, `ld` elements from row to row.
struct GemmPeer {
  struct Matrix {
    const float* data;
    std::size_t ld;
    bool transposed;
  };
  const char* name;
  const char* version;
  const char* pool;  ///< whose threads it uses
  void (*set_threads)(int threads);
  /// c (m x n) = a (m x k) b (k x n)
  void (*multiply)(std::size_t m, std::size_t n, std::size_t k, const Matrix& a, const Matrix& b, float* c,
                   std::size_t ldc);
  /// y (rows) = a (rows x cols) x
  void (*multiply_vector)(std::size_t rows, std::size_t cols, const float* a, const float* x, float* y);
};

/// A library of elementary functions, one thread. Logits are row-major, rows x classes.
struct FunctionPeer {
  const char* name;
  const char* version;
  void (*prepare)();  ///< called when it follows something else; may be null
  /// Null if it has none. What lanemax's step does: losses out, and the residual in place of the logits.
  void (*softmax_loss)(float* logits, std::size_t rows, std::size_t classes, const std::int32_t* labels, float* losses);
  void (*exp)(const float* x, float* y, std::size_t count);
  void (*log1p)(const float* x, float* y, std::size_t count);
};

struct Peers {
  std::vector<GemmPeer> gemm;
  std::vector<FunctionPeer> functions;
  std::vector<std::string> skipped;  ///< name and reason
};
[[nodiscard]] const Peers& peers();

// What peers.cpp puts together. The files with Eigen, SLEEF and plain loops are compiled for peer_isa(): plain data
// only, because inline functions of the standard library from there could end up in the rest of the program.
[[nodiscard]] GemmPeer eigen_peer();
[[nodiscard]] FunctionPeer sleef_peer();

/// Step 2 as somebody without lanemax would write it, around a library's products: plain loops for the compiler to
/// vectorise. Adds the bias, leaves scale * (p - t) in place; returns the sum of the losses.
double plain_softmax_loss(float* logits, std::size_t rows, std::size_t classes, const float* bias,
                          const std::int32_t* labels, float scale);
/// The class of the highest logit.
std::size_t plain_argmax(const float* logits, std::size_t classes);

/// The variant whose instructions the files of peers/ that are compiled here may use.
[[nodiscard]] Isa peer_isa();

}  // namespace lanemax::bench

#endif
