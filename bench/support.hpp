// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_SUPPORT_HPP
#define LANEMAX_BENCH_SUPPORT_HPP

#include <benchmark/benchmark.h>
#include <lanemax/isa.hpp>
#include <lanemax/views.hpp>

#include "engine/dispatch/kernel_table.hpp"
#include "engine/layout.hpp"
#include "engine/workspace.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lanemax::bench {

// ---- what runs: variants, threads, shapes ----

struct Variant {
  Isa isa = Isa::process_default;
  std::string name;
  const KernelTable* table = nullptr;
};
/// The variants this machine runs, best first; if settings() say so, each in every schedule.
[[nodiscard]] const std::vector<Variant>& variants();

struct Settings {
  std::vector<int> threads;                             ///< the counts to measure
  bool large = false;                                   ///< the shapes that need gigabytes or minutes, too
  bool sweep = false;                                   ///< the hundreds of shapes of the sweep, too
  bool schedules = false;                               ///< every schedule of a variant, side by side
  std::string peer_directory = LANEMAX_BENCH_PEER_DIR;  ///< where newer versions of the peers are looked for
};
[[nodiscard]] Settings& settings();

struct Shape {
  std::size_t rows = 0, features = 0, classes = 0;
  bool large = false;
  [[nodiscard]] double flops_per_product() const;  ///< 2 N D C
  [[nodiscard]] double feature_bytes() const;      ///< 4 N D
  [[nodiscard]] std::string text() const;          ///< 60000x784x10
};
/// The shapes of both products and of the pass that settings() admits.
[[nodiscard]] std::vector<Shape> product_shapes();

// ---- data ----

/// One number in [0, 2^32) per index, the same on every machine.
[[nodiscard]] std::uint32_t random_at(std::uint64_t index, std::uint64_t seed);

/// Bytes as of an image and the same scaled to [0, 1], random weights and labels.
struct Problem {
  Shape shape;
  Buffer<float> x;              ///< N x D
  Buffer<float> weights;        ///< C x D
  Buffer<float> transposed;     ///< D x C
  Buffer<float> bias;           ///< C
  Buffer<std::int32_t> labels;  ///< N, rounded up to 16
  static constexpr float kFactor = 1.0f / 255.0f;
};
/// Kept for the next caller as long as not too much is kept.
[[nodiscard]] std::shared_ptr<const Problem> problem_of(const Shape& shape);

/// W and bias in the engine's layout.
struct EngineWeights {
  explicit EngineWeights(const Problem& problem);
  Buffer<float> weights, bias;
};

// ---- checks: plain double, on a sample of rows and entries; an empty text says that all is well ----

[[nodiscard]] std::vector<std::size_t> sample_of(std::size_t count, std::size_t most);
[[nodiscard]] std::string mismatch(const std::string& where, double found, double expected, double tolerance);

/// One logit, and the error that any order of summation in f32 stays below.
struct Expected {
  double value = 0, tolerance = 0;
};
[[nodiscard]] Expected expected_logit(const Problem& problem, std::size_t row, std::size_t c, bool with_bias);

using Entry = std::function<float(std::size_t c, std::size_t i)>;

/// sum over rows of dlogits(c, row) x(row, d) for a sample of (c, d) against found(c, d).
[[nodiscard]] std::string check_product_gradient(const Problem& problem, const Entry& dlogits, const Entry& found);

/// Mean softmax loss and its gradient. `dbias` may be empty.
[[nodiscard]] std::string check_pass(const Problem& problem, double loss, const Entry& dweights,
                                     const std::function<float(std::size_t c)>& dbias);

/// Losses and residuals of rows of logits: z(c, row) as they were, dz(c, row) and losses as found.
[[nodiscard]] std::string check_softmax(std::size_t rows, std::size_t classes, const std::int32_t* labels,
                                        const Entry& z, const Entry& dz, const float* losses);

// ---- cases ----

/// The least work that the result takes: what share_of_bound is measured against.
struct Work {
  double flops = 0;
  double bytes = 0;        ///< that have to be read, or read and written
  double working_set = 0;  ///< bytes in use from one run to the next; decides which cache's bandwidth bounds
  double rows = 0;         ///< 0: rows a second make no sense
};

/// `products` matrix products of a shape: X is read once, whatever is done with a row while it is near.
[[nodiscard]] Work work_of(const Shape& shape, int products, double bytes_per_feature = 4);
/// Both products and an update, which reads and writes W.
[[nodiscard]] Work work_of_step(const Shape& shape);

/// One thing to measure. Made when it is first run; checked once before it is timed.
class Case {
 public:
  virtual ~Case() = default;
  [[nodiscard]] virtual Work work() const = 0;
  /// Called when this case follows another one.
  virtual void prepare() {}
  /// Runs it and compares; empty if right.
  [[nodiscard]] virtual std::string check() = 0;
  virtual void run() = 0;
  /// Seconds that count as one run, given the timed loop's mean: for cases that do something else in between.
  [[nodiscard]] virtual double seconds(double loop_mean) { return loop_mean; }
  /// More counters, after the timed loop.
  virtual void count(benchmark::State& /*state*/) {}
};

struct CaseName {
  std::string family, variant, shape;
  int threads = 1;
  Isa bound_isa = Isa::process_default;  ///< whose limits bound it
  const char* pool = "";                 ///< whose threads it uses: another pool's may still be spinning
};
void add_case(const CaseName& name, std::function<std::unique_ptr<Case>()> make);

// ---- one per file of benchmarks ----

void add_limits();
void add_logits();
void add_gradient();
void add_softmax_loss();
void add_pass();
void add_train_step();
void add_predict();
void add_exp();
void add_epoch();
void add_sweep();

}  // namespace lanemax::bench

#endif
