// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_BATCH_CALLS_HPP
#define LANEMAX_TESTS_SUPPORT_BATCH_CALLS_HPP

#include <lanemax/predictor.hpp>

#include "tests/support/fitting.hpp"
#include "tests/support/testing.hpp"

#include <array>
#include <cstring>
#include <vector>

// Features of all types in all strides, and the calls that take them.
namespace lanemax::checks {

/// Random finite numbers of a type, all its digits used, row after row.
class RandomFeatures {
 public:
  RandomFeatures(Rng& rng, FeatureType type, std::size_t rows, std::size_t cols) : bytes_(rows * cols * size_of(type)) {
    for (std::size_t i = 0; i < rows * cols; ++i) store(rng, type, &bytes_[i * size_of(type)]);
    view = {bytes_.data(), type, rows, cols, cols};
  }
  FeaturesView view;

 private:
  static void store(Rng& rng, FeatureType type, std::byte* to) {
    const auto put = [to](auto number) { std::memcpy(to, &number, sizeof number); };
    const std::uint64_t bits = rng.bits();
    switch (type) {
      case FeatureType::f32: return put(static_cast<float>(rng.between(-2, 2)));
      case FeatureType::f64: return put(rng.between(-2, 2));
      case FeatureType::u8: return put(static_cast<std::uint8_t>(bits % 8 == 0 ? 255 : bits % 5));
      case FeatureType::f16: return put(static_cast<std::uint16_t>(bits & 0xbfff));  // below 2, subnormal ones too
      case FeatureType::bf16: return put(static_cast<std::uint16_t>((bits & 0x81ff) | 0x3e00));
    }
  }
  std::vector<std::byte> bytes_;
};

struct Strides {
  std::size_t row, column;
};
/// Column after column, with room between columns, and with room between all elements.
[[nodiscard]] inline std::array<Strides, 5> strides_of(std::size_t rows, std::size_t cols) {
  return {{{1, rows}, {1, rows + 5}, {3, 3 * rows + 7}, {7 * cols + 3, 7}, {cols + 2, 1}}};
}

/// The same numbers in other strides, all bits 1 in between, up to an unmapped page.
class StridedFeatures {
 public:
  StridedFeatures(const FeaturesView& from, Strides strides) {
    const std::size_t size = size_of(from.type);
    const std::size_t count = (from.samples - 1) * strides.row + (from.features - 1) * strides.column + 1;
    data = buffer_.ending_at_guard<std::byte>(count * size, std::byte{0xff});
    view = {data, from.type, from.samples, from.features, strides.row, strides.column};
    for (std::size_t n = 0; n < from.samples; ++n) {
      for (std::size_t d = 0; d < from.features; ++d) {
        std::memcpy(data + (n * strides.row + d * strides.column) * size,
                    static_cast<const std::byte*>(from.data) + (n * from.row_stride + d * from.col_stride) * size,
                    size);
      }
    }
  }
  void set_nan(std::size_t row, std::size_t column) {  // all bits 1 are one in every type but u8
    const std::size_t size = size_of(view.type);
    std::memset(data + (row * view.row_stride + column * view.col_stride) * size, 0xff, size);
  }
  [[nodiscard]] std::string name() const {
    return text(view.samples, " x ", view.features, ", type ", static_cast<int>(view.type), ", strides ",
                view.row_stride, " and ", view.col_stride);
  }
  FeaturesView view;
  std::byte* data;

 private:
  GuardedBuffer buffer_;
};

/// Targets and weights of some rows, whatever their features.
enum Uses : unsigned { kSelection = 1, kScaling = 2, kSampleWeights = 4, kIgnored = 8, kAll = 15 };
struct Setting {
  Setting(Rng& rng, const Shape& s) : shape(s) {
    for (std::size_t n = 0; n < s.rows; ++n) {
      labels.push_back(static_cast<std::int32_t>(rng.below(s.classes)));
      some_ignored.push_back(n % 5 == 3 ? -1 : labels.back());
      weights.push_back(n % 7 == 4 ? 0.0F : static_cast<float>(rng.between(0.5, 2)));
      selection.insert(selection.end(), 1 + n % 3 % 2, static_cast<std::uint32_t>(s.rows - 1 - n));  // some twice
    }
    for (std::size_t d = 0; d < s.features; ++d) {
      centre.push_back(rng.between(-1, 1));
      factor.push_back(static_cast<float>(rng.between(0.5, 2)));
    }
    w = make_values<float>(rng, s.classes * s.features, Values::ordinary);
    for (double& value : w) value /= 4;
  }
  [[nodiscard]] Batch batch(const FeaturesView& x, unsigned uses) const {
    Batch b{.features = x, .labels = (uses & kIgnored) != 0 ? some_ignored : labels};
    if ((uses & kSelection) != 0) b.selection = selection;
    if ((uses & kScaling) != 0) b.scaling = {centre, factor};
    if ((uses & kSampleWeights) != 0) b.sample_weights = weights;
    return b;
  }
  Shape shape;
  std::vector<std::int32_t> labels, some_ignored;
  std::vector<float> weights, factor;
  std::vector<std::uint32_t> selection;
  std::vector<double> centre, w;
};

/// All calls that take a batch or features.
class BatchCalls : public IsaTest {
 protected:
  template <class T>
  [[nodiscard]] CallOutputs<T> call_on(const Setting& s, const Batch& batch, int threads, bool with_gradient = true,
                                       const Objective& objective = {}) const {
    const std::vector<T> w(s.w.begin(), s.w.end());
    const CallOptions options{.isa = GetParam(), .threads = threads};
    return call<T>(objective, {{w.data(), s.shape.classes, s.shape.features}, {}}, batch, options, with_gradient);
  }
  /// All that loss() and loss_and_gradient() give, in f32 and in f64.
  [[nodiscard]] std::vector<double> losses_on(const Setting& s, const Batch& batch, int threads) const {
    std::vector<double> all;
    const auto add = [&all](const auto& out) {
      EXPECT_TRUE(out.status.ok()) << message(out.status);
      all.insert(all.end(), {out.result.objective, out.result.total_weight, static_cast<double>(out.result.rows)});
      for (const auto* values : {&out.sample_losses, &out.probabilities, &out.dweights, &out.dbias, &out.dfeatures}) {
        all.insert(all.end(), values->begin(), values->end());
      }
    };
    for (const bool with_gradient : {false, true}) {
      add(call_on<float>(s, batch, threads, with_gradient));
      add(call_on<double>(s, batch, threads, with_gradient));
    }
    return all;
  }
  /// All that a fit gives.
  [[nodiscard]] std::vector<double> fit_on(const Batch& data, FitOptions options, std::size_t classes) const {
    const std::size_t features = data.features.features;
    options.execution.isa = GetParam();
    std::vector<float> w(features * classes), b(classes), factor(features);
    std::vector<double> centre(features);
    FitResult r;
    const Status status = fit(data, options, view_of(w, b), r, {.centre_used = centre, .factor_used = factor});
    EXPECT_TRUE(status.ok()) << message(status);
    std::vector<double> all{r.objective, r.data_loss, r.gradient_norm, r.passes, static_cast<double>(r.iterations)};
    for (const std::vector<float>* values : {&w, &b, &factor}) all.insert(all.end(), values->begin(), values->end());
    all.insert(all.end(), centre.begin(), centre.end());
    return all;
  }
  /// All that a predictor gives.
  [[nodiscard]] std::vector<float> predict_on(const Predictor& p, const FeaturesView& x, int threads) {
    const std::size_t n = x.samples;
    std::vector<std::int32_t> classes(n), top(n);
    std::vector<float> logits(n * p.scores()), probabilities(n * p.classes());
    Predictions out{.classes = classes,
                    .logits = {logits.data(), n, p.scores()},
                    .probabilities = {probabilities.data(), n, p.classes()},
                    .top_classes = {top.data(), n, 1}};
    const Status status = p.predict_batch(x, threads, scratch_(p.batch_workspace_bytes(threads)), out);
    EXPECT_TRUE(status.ok()) << message(status);
    std::vector<float> all(classes.begin(), classes.end());
    all.insert(all.end(), top.begin(), top.end());
    all.insert(all.end(), logits.begin(), logits.end());
    all.insert(all.end(), probabilities.begin(), probabilities.end());
    return all;
  }
  /// A predictor of random weights.
  [[nodiscard]] Predictor predictor_of(Rng& rng, std::size_t features, std::size_t classes, bool centred) const {
    Model model{.loss = classes == 1 ? Loss::logistic : Loss::softmax, .features = features};
    const std::vector<double> w = make_values<float>(rng, classes * features, Values::ordinary);
    for (const double v : w) model.weight.push_back(static_cast<float>(v));
    model.bias.assign(classes, 0.25F);
    for (std::size_t d = 0; centred && d < features; ++d) model.centre.push_back(rng.between(-1, 1));
    for (std::size_t c = 0; c < std::max<std::size_t>(classes, 2); ++c) model.class_labels.push_back(std::to_string(c));
    Predictor predictor;
    EXPECT_TRUE(Predictor::create(model, GetParam(), predictor).ok());
    return predictor;
  }
  /// Every call that takes a batch must say the same of it, and write nothing.
  void expect_refused(const Setting& s, const Batch& batch, const Status& want, const Objective& objective = {}) {
    const auto judge = [&](const char* call, const Status& got, bool untouched) {
      SCOPED_TRACE(text(call, ": ", message(got)));
      EXPECT_EQ(name_of(got.code), std::string(name_of(want.code)));
      EXPECT_EQ(got.what, std::string(want.what));
      EXPECT_TRUE(got.row == want.row && got.column == want.column);
      EXPECT_TRUE(want.found[0] == 0 || got.found == std::string(want.found)) << got.found;
      EXPECT_TRUE(untouched);
    };
    const CallOutputs<float> of_loss = call_on<float>(s, batch, 1, false, objective);
    judge("loss", of_loss.status, of_loss.untouched());
    const CallOutputs<double> of_gradient = call_on<double>(s, batch, 3, true, objective);
    judge("gradient", of_gradient.status, of_gradient.untouched());
    OwnedState<float> owned(s.shape.features, s.shape.classes, Optimiser::adam);
    const std::vector<std::byte> before = owned.memory();
    LossResult result{.objective = kUntouched};
    const Status of_step = owned.step(objective, batch, {}, {1, GetParam()}, result);
    judge("step", of_step, owned.memory() == before && result.objective == kUntouched);
    for (const Solver solver : {Solver::automatic, Solver::lbfgs, Solver::momentum}) {
      FitOptions options{.objective = objective, .solver = solver};
      options.execution.isa = GetParam();
      std::vector<float> w(s.shape.classes * s.shape.features, 7), b(s.shape.classes, 7);
      FitResult fitted{.objective = kUntouched};
      const Status of_fit = fit(batch, options, view_of(w, b), fitted);
      judge("fit", of_fit, std::ranges::count(w, 7.0F) == std::ssize(w) && fitted.objective == kUntouched);
    }
  }
  static Status status_of(StatusCode code, const char* what, std::int64_t row = -1, std::int64_t column = -1,
                          const std::string& found = {}) {
    Status status{.code = code, .what = what, .row = row, .column = column};
    found.copy(status.found, sizeof status.found - 1);
    return status;
  }

 private:
  Scratch scratch_;
};

}  // namespace lanemax::checks

#endif
