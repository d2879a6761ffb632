// SPDX-License-Identifier: BSD-3-Clause
//
// One epoch of mini-batches, 256 rows each in a shuffled order, by the public train_step(): what fit() does between two
// looks at the loss.
#include "bench/pass_case.hpp"
#include "bench/training.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::bench {
namespace {

constexpr Shape kShape = {60000, 784, 10};
constexpr std::size_t kBatch = 256;
constexpr double kRate = 0.05;

/// W after the epoch, C x D, in plain double.
const std::vector<double>& expected_weights(const Problem& problem, const Buffer<std::uint32_t>& order) {
  static const std::vector<double> made = [&] {
    const auto [rows, features, classes, large] = problem.shape;
    std::vector<double> w(problem.transposed.data(), problem.transposed.data() + features * classes);  // D x C
    std::vector<double> b(problem.bias.data(), problem.bias.data() + classes), dw(w.size()), db(classes), z(classes);
    for (std::size_t first = 0; first < rows; first += kBatch) {
      const std::size_t count = std::min(kBatch, rows - first);
      std::fill(dw.begin(), dw.end(), 0.0);
      std::fill(db.begin(), db.end(), 0.0);
      for (std::size_t i = first; i < first + count; ++i) {
        const float* x = problem.x.data() + order[i] * features;
        z = b;
        for (std::size_t d = 0; d < features; ++d) {
          for (std::size_t c = 0; c < classes; ++c) z[c] += static_cast<double>(x[d]) * w[d * classes + c];
        }
        const double max = *std::max_element(z.begin(), z.end());
        double sum = 0;
        for (double& value : z) sum += value = std::exp(value - max);
        for (double& value : z) value /= sum;
        z[static_cast<std::size_t>(problem.labels[order[i]])] -= 1;
        for (std::size_t d = 0; d < features; ++d) {
          for (std::size_t c = 0; c < classes; ++c) dw[d * classes + c] += static_cast<double>(x[d]) * z[c];
        }
        for (std::size_t c = 0; c < classes; ++c) db[c] += z[c];
      }
      const double step = kRate / static_cast<double>(count);
      for (std::size_t i = 0; i < w.size(); ++i) w[i] -= step * dw[i];
      for (std::size_t c = 0; c < classes; ++c) b[c] -= step * db[c];
    }
    std::vector<double> result(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) result[i % classes * features + i / classes] = w[i];
    return result;
  }();
  return made;
}

class EpochCase : public Training {
 public:
  EpochCase(const KernelTable& table, int threads)
      : Training(table, kShape, kBatch, threads), order_(shuffled_rows(kShape.rows)) {
    options_.learning_rate = kRate;
  }

  [[nodiscard]] Work work() const override { return work_of(kShape, 2); }

  std::string check() override {
    start_again();
    run();
    std::string error = read_weights();
    const std::vector<double>& expected = expected_weights(*problem_, order_);
    double largest = 0;
    for (const double w : expected) largest = std::max(largest, std::abs(w));
    for (std::size_t i = 0; i < expected.size() && error.empty(); ++i) {
      error = mismatch("weight " + std::to_string(i), static_cast<double>(weights_[i]), expected[i], 1e-4 * largest);
    }
    return error;
  }

  void run() override {
    for (std::size_t first = 0; first < kShape.rows; first += kBatch) {
      batch_.selection = {order_.data() + first, std::min(kBatch, kShape.rows - first)};
      step();
    }
  }

 private:
  Buffer<std::uint32_t> order_;
};

}  // namespace

void add_epoch() {
  for (const Variant& v : variants()) {
    for (const int threads : settings().threads) {
      add_case({"epoch", v.name, kShape.text(), threads, v.isa, "openmp"},
               [&v, threads] { return std::make_unique<EpochCase>(*v.table, threads); });
    }
  }
}

}  // namespace lanemax::bench
