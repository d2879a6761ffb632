// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/predictor.hpp>

#include "engine/dispatch/select_isa.hpp"
#include "engine/fail.hpp"
#include "engine/float_environment.hpp"
#include "engine/parallel.hpp"
#include "engine/pass/checks.hpp"
#include "engine/pass/plan.hpp"
#include "engine/pass/weights.hpp"
#include "engine/predict/block_predictor.hpp"
#include "engine/predict/predictor_state.hpp"
#include "engine/workspace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

namespace lanemax {

template <class T>
BasicPredictor<T>::BasicPredictor() noexcept = default;
template <class T>
BasicPredictor<T>::~BasicPredictor() = default;
template <class T>
BasicPredictor<T>::BasicPredictor(BasicPredictor&&) noexcept = default;
template <class T>
BasicPredictor<T>& BasicPredictor<T>::operator=(BasicPredictor&&) noexcept = default;

template <class T>
Status BasicPredictor<T>::create(const Model& model, Isa isa, BasicPredictor& predictor) noexcept {
  const FloatEnvironment environment;
  Status status = check_model(model);
  auto made = std::unique_ptr<PredictorState<T>>(new (std::nothrow) PredictorState<T>);
  if (made == nullptr) return fail(StatusCode::out_of_memory, "predictor", "memory for a copy of the model");
  if (status.ok()) status = select_kernels({.isa = isa}, made->table);
  if (!status.ok()) return status;
  return without_exceptions("predictor", "memory for a copy of the model", [&] {
    made->labels = model.class_labels;
    made->threshold = model.threshold;
    if constexpr (std::is_same_v<T, float>) {
      status = made->take(model.loss, {model.weights(), model.bias}, model.centre);
    } else {
      const std::vector<T> weights(model.weight.begin(), model.weight.end()),
          bias(model.bias.begin(), model.bias.end());
      status = made->take(model.loss, {{weights.data(), bias.size(), model.features}, bias}, model.centre);
    }
    if (status.ok()) predictor.state_ = std::move(made);
    return status;
  });
}

template <class T>
Status BasicPredictor<T>::create(Loss loss, const WeightsView<const T>& weights, Isa isa,
                                 BasicPredictor& predictor) noexcept {
  const FloatEnvironment environment;
  const auto& w = weights.weights;
  if (w.empty() || w.rows == 0 || w.cols == 0) return fail(StatusCode::shape_mismatch, "weights", "a row and a column");
  if (loss == Loss::logistic && w.rows != 1) {
    return fail(StatusCode::shape_mismatch, "weights", "one row for the logistic loss");
  }
  Status status = check_weights(weights);
  auto made = std::unique_ptr<PredictorState<T>>(new (std::nothrow) PredictorState<T>);
  if (made == nullptr) return fail(StatusCode::out_of_memory, "predictor", "memory for a copy of the weights");
  if (status.ok()) status = select_kernels({.isa = isa}, made->table);
  if (!status.ok()) return status;
  return without_exceptions("predictor", "memory for a copy of the weights", [&] {
    status = made->take(loss, weights, {});
    if (status.ok()) predictor.state_ = std::move(made);
    return status;
  });
}

template <class T>
Status BasicPredictor<T>::load(const char* path, Isa isa, BasicPredictor& predictor) noexcept {
  return without_exceptions("predictor", "memory for a model", [&] {
    Model model;
    const Status status = load_model(path, model);
    return status.ok() ? create(model, isa, predictor) : status;
  });
}
template <class T>
std::size_t BasicPredictor<T>::features() const noexcept {
  return state_ == nullptr ? 0 : state_->features;
}
template <class T>
std::size_t BasicPredictor<T>::classes() const noexcept {
  return state_ == nullptr ? 0 : state_->classes;
}

template <class T>
std::size_t BasicPredictor<T>::scores() const noexcept {
  return state_ == nullptr ? 0 : state_->rows;
}
template <class T>
std::string_view BasicPredictor<T>::label(std::int64_t class_index) const noexcept {
  const auto c = static_cast<std::size_t>(class_index);
  return state_ == nullptr || class_index < 0 || c >= state_->labels.size() ? std::string_view() : state_->labels[c];
}

template <class T>
double BasicPredictor<T>::threshold() const noexcept {
  return state_ == nullptr ? 0 : state_->threshold;
}

template <class T>
Status PredictorState<T>::take(Loss the_loss, const WeightsView<const T>& view, std::span<const double> the_centre) {
  loss = the_loss;
  features = view.weights.cols;
  rows = view.weights.rows;
  classes = loss == Loss::logistic ? 2 : rows;
  masked = static_cast<std::size_t>(std::ranges::count(view.bias, -std::numeric_limits<T>::infinity()));
  form = logits_form<T>(*table, features, rows);
  const bool centred = !the_centre.empty();
  Arena measure;
  lay_out(measure, centred);
  memory = Workspace(measure.bytes());
  if (measure.bytes() == 0 || memory.empty()) throw std::bad_alloc();
  Arena arena(memory);
  lay_out(arena, centred);
  if (centred) std::ranges::copy(the_centre, centre);
  row_form = form == LogitsForm::sample ? LogitsForm::panel : form;
  row_weights = row_panels == nullptr ? weights : row_panels;
  const Status status = import_weights<T>(view, weights, bias);
  if (row_panels != nullptr) std::fill_n(row_panels, panel_count(rows) * features * kPanel, T(0));  // padding stays
  fill_row_panels();
  return status;
}

template <class T>
void PredictorState<T>::replace_weights(const Parameters<T>& parameters) noexcept {
  std::copy_n(weights_of(parameters), weight_count(features, rows), weights);
  std::copy_n(bias_of(parameters), bias_count(rows), bias);
  masked = static_cast<std::size_t>(std::count(bias, bias + rows, -std::numeric_limits<T>::infinity()));
  fill_row_panels();
}

template <class T>
void PredictorState<T>::fill_row_panels() noexcept {
  for (std::size_t c = 0; row_panels != nullptr && c < rows; ++c) {
    for (std::size_t d = 0; d < features; ++d) {
      row_panels[(c / kPanel * features + d) * kPanel + c % kPanel] = weights[weight_index(features, rows, c, d)];
    }
  }
}

// ---- many ----

namespace {

template <class T>
BlockShape shape_of(const auto& state) {
  // The cut into blocks does not touch the bits of a row's answer.
  constexpr std::size_t kManyRows = std::size_t{1} << 20;
  return {state.features,
          state.rows,
          state.classes,
          state.masked,
          make_plan<T>(kManyRows, state.features, state.rows).block_rows,
          state.threshold};
}

}  // namespace

template <class T>
std::size_t BasicPredictor<T>::batch_workspace_bytes(int threads) const noexcept {
  if (state_ == nullptr) return 0;
  Arena arena;
  for (int thread = 0; thread < std::max(threads, 1); ++thread) {
    BlockPredictor<T>(shape_of<T>(*state_), arena);
  }
  return arena.bytes();
}

template <class T>
Status BasicPredictor<T>::predict_batch(const FeaturesView& features, int threads, std::span<std::byte> workspace,
                                        const BasicPredictions<T>& out) const noexcept {
  const FloatEnvironment environment;
  if (state_ == nullptr) return fail(StatusCode::invalid_argument, "predictor", "one made by create()");
  const PredictorState<T>& s = *state_;
  const std::size_t n = features.samples;
  const auto fits = [n](const auto& m, std::size_t cols) { return m.empty() || (m.rows == n && m.cols == cols); };
  if (features.features != s.features) {
    return fail(StatusCode::shape_mismatch, "features", "as many columns as the model has features");
  }
  if (n > 0 && features.data == nullptr) return fail(StatusCode::invalid_argument, "features", "data");
  if (const Status strides = check_strides(features); !strides.ok()) return strides;
  if (!out.classes.empty() && out.classes.size() != n) {
    return fail(StatusCode::shape_mismatch, "classes", "one per sample");
  }
  if (!fits(out.logits, s.rows)) return fail(StatusCode::shape_mismatch, "logits", "samples x score rows");
  if (!fits(out.probabilities, s.classes)) {
    return fail(StatusCode::shape_mismatch, "probabilities", "samples x classes");
  }
  if (!fits(out.log_probabilities, s.classes)) {
    return fail(StatusCode::shape_mismatch, "log_probabilities", "samples x classes");
  }
  const std::size_t k = std::max(out.top_classes.cols, out.top_probabilities.cols);
  if (!fits(out.top_classes, k) || !fits(out.top_probabilities, k)) {
    return fail(StatusCode::shape_mismatch, "top_k", "samples x k, of the classes as of their probabilities");
  }
  if ((!out.top_classes.empty() || !out.top_probabilities.empty()) && (k < 1 || k > s.classes)) {
    return fail(StatusCode::invalid_argument, "top_k", "a number from 1 to the number of classes");
  }
  const bool wanted = !out.probabilities.empty() || !out.log_probabilities.empty() || !out.top_probabilities.empty();
  if (s.loss == Loss::hinge && wanted) {
    return fail(StatusCode::invalid_argument, "probabilities", "a softmax or logistic model: hinge has none");
  }
  if (threads < 1) return fail(StatusCode::invalid_argument, "threads", "at least 1");
  const Status status = check_workspace(workspace, batch_workspace_bytes(threads));
  if (!status.ok() || n == 0) return status;

  const BlockShape shape = shape_of<T>(s);
  Batch batch;
  batch.features = features;
  if (s.centre != nullptr) batch.scaling.centre = {s.centre, s.features};
  const Objective objective;
  const RowSource<T> source(batch, objective, kernels<T>(*s.table));
  LogitsArgs<T> args;
  args.features = s.features;
  args.classes = s.rows;
  args.weights = s.weights;
  args.bias = s.bias;
  args.form = s.form;
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(s.features) * static_cast<double>(s.rows);
  parallel(usable_threads(threads, flops, s.table->blocks.serial_flops), [&](const Team& team) {
    Arena arena(workspace);
    for (std::size_t before = 0; before < team.rank(); ++before) BlockPredictor<T>(shape, arena);
    BlockPredictor<T> block(shape, arena);
    team.for_each((n + shape.capacity - 1) / shape.capacity, [&](std::size_t index) {
      const std::size_t first = index * shape.capacity, end = std::min(first + shape.capacity, n);
      LogitsArgs<T> of_block = args;
      ReadAhead ahead;
      if (s.form == LogitsForm::dot && end < n) {
        ahead = source.memory_of(end, std::min(end + shape.capacity, n));
        ahead.rows = std::min(ahead.rows, s.table->pass.most_ahead(ahead.rows, s.rows));
        of_block.ahead = &ahead;
      }
      block.predict(block.load(source, first, end), first, of_block, kernels<T>(*s.table), s.loss, out);
    });
  });
  return {};
}

template struct PredictorState<float>;
template struct PredictorState<double>;
template class BasicPredictor<float>;
template class BasicPredictor<double>;

}  // namespace lanemax
