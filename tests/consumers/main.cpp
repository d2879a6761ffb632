// SPDX-License-Identifier: BSD-3-Clause
// A user's program: it trains, saves to memory, loads and predicts, and is told about a NaN and about a broken model.
#include <lanemax/lanemax.hpp>

#include <cstdio>
#include <limits>
#include <vector>

// Takes a function from the library, as a call would.
template <class Function>
bool there(Function* function) {
  Function* volatile taken = function;
  return taken != nullptr;
}

template <class Member>
bool has_members(Member member) {
  volatile Member taken = member;
  return const_cast<const Member&>(taken) != nullptr;
}

// All that is a template in the public headers: a shared library must export each instance.
template <class T>
bool instances_are_there() {
  using lanemax::BasicPredictor, lanemax::Parameters, lanemax::TrainState;
  return there(&lanemax::loss_workspace_bytes<T>) && there(&lanemax::train_step_workspace_bytes<T>) &&
         there(&lanemax::train_step<T>) && there(&TrainState<T>::bytes) && there(&TrainState<T>::create) &&
         there(&Parameters<T>::bytes) && there(&Parameters<T>::create) && there(&BasicPredictor<T>::load) &&
         has_members(&TrainState<T>::to_bytes) && has_members(&TrainState<T>::from_bytes) &&
         has_members(&TrainState<T>::get_weights) && has_members(&Parameters<T>::get) &&
         has_members(&BasicPredictor<T>::probabilities) && has_members(&BasicPredictor<T>::predict_batch);
}

int main() {
  if (!instances_are_there<float>() || !instances_are_there<double>()) return std::puts("a call is missing"), 6;

  std::vector<float> x{0, 0, 0, 1, 3, 0, 3, 1, 0, 4, 1, 4};
  const std::vector<std::int32_t> y{0, 0, 1, 1, 2, 2};
  lanemax::Batch data;
  data.features = {x.data(), y.size(), 2};
  data.labels = y;
  lanemax::Model model;
  lanemax::FitResult result;
  lanemax::Status status = fit(data, {}, {"here", "right", "above"}, model, result);

  std::vector<std::uint8_t> bytes;
  lanemax::Model loaded;
  lanemax::Predictor predictor;
  if (status.ok()) status = model_to_bytes(model, bytes);
  if (status.ok()) status = lanemax::model_from_bytes(bytes.data(), bytes.size(), loaded);
  if (status.ok()) status = lanemax::Predictor::create(loaded, {}, predictor);
  if (!status.ok()) return std::puts(message(status).c_str()), 1;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (predictor.predict(std::span(x).subspan(2 * i, 2)) != y[i]) return std::puts("a wrong class"), 2;
  }

  x[5] = std::numeric_limits<float>::quiet_NaN();
  if (predictor.predict(std::span(x).subspan(4, 2)) != lanemax::kNotFinite) return std::puts("a NaN has a class"), 3;
  if (fit(data, {}, {}, model, result).ok()) return std::puts("a NaN is fitted"), 4;
  bytes[20] ^= 1;
  if (lanemax::model_from_bytes(bytes.data(), bytes.size(), loaded).ok()) return std::puts("a broken model"), 5;
  std::puts("as it should be");
}
