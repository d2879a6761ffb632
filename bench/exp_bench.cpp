// SPDX-License-Identifier: BSD-3-Clause
//
// exp and log1p over arrays, in L1 and in L2. FLOP are nominal: what the shortest known expression of that accuracy
// takes.
#include "bench/peers/peers.hpp"
#include "bench/support.hpp"

#include <cmath>

namespace lanemax::bench {
namespace {

using Function = void (*)(const float* x, float* y, std::size_t count);

struct Kind {
  const char* name;
  double flops;
  float largest;  // arguments lie between 0 and this
  double (*exact)(double x);
  double tolerance;  // relative
};
// exp: 2 for the exponent, 4 for the reduction, 10 for the polynomial, 3 to put it together. log1p: 1 + x, the part it
// lost, a division, a polynomial of the square, two products with the exponent.
constexpr Kind kExp = {"exp", 19, -80.0f, [](double x) { return std::exp(x); }, 0x1p-23};
constexpr Kind kLog1p = {"log1p", 22, 1000.0f, [](double x) { return std::log1p(x); }, 0x1p-22};

class ArrayCase : public Case {
 public:
  ArrayCase(const Kind& kind, Function function, void (*before)(), std::size_t count)
      : kind_(kind), function_(function), prepare_(before), x_(count), y_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      x_[i] = kind.largest * static_cast<float>(random_at(i, 9) >> 8) * 0x1p-24f;
    }
  }

  [[nodiscard]] Work work() const override {
    const double count = static_cast<double>(x_.size());
    return {kind_.flops * count, 8 * count, 8 * count, 0};
  }
  void count(benchmark::State& state) override { state.counters["elements"] = static_cast<double>(x_.size()); }

  void prepare() override {
    if (prepare_ != nullptr) prepare_();
  }
  std::string check() override {
    run();
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const double expected = kind_.exact(static_cast<double>(x_[i]));
      std::string error = mismatch(std::string(kind_.name) + "(" + std::to_string(x_[i]) + ")",
                                   static_cast<double>(y_[i]), expected, kind_.tolerance * std::abs(expected));
      if (!error.empty()) return error;
    }
    return {};
  }
  void run() override { function_(x_.data(), y_.data(), x_.size()); }

 private:
  const Kind& kind_;
  Function function_;
  void (*prepare_)();
  Buffer<float> x_, y_;
};

void add(const Kind& kind, const char* variant, Isa bound_isa, Function function, void (*prepare)() = nullptr) {
  for (const std::size_t count : {std::size_t{2048}, std::size_t{65536}}) {
    add_case({kind.name, variant, std::to_string(count), 1, bound_isa, ""},
             [&kind, function, prepare, count] { return std::make_unique<ArrayCase>(kind, function, prepare, count); });
  }
}

}  // namespace

void add_exp() {
  for (const Kind* kind : {&kExp, &kLog1p}) {
    const bool is_exp = kind == &kExp;
    for (const Variant& v : variants())
      add(*kind, v.name.c_str(), v.isa, is_exp ? v.table->f32.exp : v.table->f32.log1p);
    for (const FunctionPeer& peer : peers().functions) {
      add(*kind, peer.name, variants().front().isa, is_exp ? peer.exp : peer.log1p, peer.prepare);
    }
  }
}

}  // namespace lanemax::bench
