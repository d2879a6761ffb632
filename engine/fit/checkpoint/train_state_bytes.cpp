// SPDX-License-Identifier: BSD-3-Clause
//
// A state of train_step() as the bytes of a checkpoint file.
#include "engine/fail.hpp"
#include "engine/fit/checkpoint/checkpoint.hpp"
#include "engine/float_environment.hpp"
#include "engine/train_state.hpp"

namespace lanemax {
namespace {

const char* name_of(Optimiser optimiser) {
  switch (optimiser) {
    case Optimiser::momentum: return "momentum";
    case Optimiser::adam: return "adam";
    case Optimiser::adagrad: return "adagrad";
    case Optimiser::gradient_descent: break;
  }
  return "gradient descent";
}

template <class T>
FitIdentity identity_of(const TrainStateData<T>& data) {
  return {{"scalar", sizeof(T) == sizeof(float) ? "f32" : "f64"},
          {"features", std::to_string(data.parameters.features())},
          {"classes", std::to_string(data.parameters.classes())},
          {"optimiser", name_of(data.optimiser)}};
}

template <class T>
class Kept final : public Resumable {
 public:
  explicit Kept(TrainStateData<T>& data) : data_(data) {}
  void exchange(Archive& archive) override {
    const std::size_t count = data_.parameters.values().size(), features = data_.parameters.features();
    archive.array("parameters", data_.parameters.values().data(), count);
    if (data_.velocity != nullptr) archive.array("velocity", data_.velocity, count);
    if (data_.squares != nullptr) archive.array("squares", data_.squares, count);
    archive.count("steps", data_.steps);
    archive.choice("scaling", data_.scaling, TrainStateData<T>::Scaling::some);
    archive.array("centre", data_.centre, features);
    archive.array("factor", data_.factor, features);
  }

 private:
  TrainStateData<T>& data_;
};

}  // namespace

template <class T>
Status TrainState<T>::to_bytes(std::vector<std::uint8_t>& bytes) const noexcept {
  const FloatEnvironment environment;
  if (data_ == nullptr) return fail(StatusCode::invalid_argument, "state", "one made by create()");
  return without_exceptions("state", "memory for its bytes", [&] {
    std::vector<std::uint8_t> made;
    Kept<T> kept(*data_);
    const Status status = checkpoint_to_bytes(identity_of(*data_), kept, made);
    if (status.ok()) bytes = std::move(made);
    return status;
  });
}

template <class T>
Status TrainState<T>::from_bytes(std::span<const std::uint8_t> bytes) noexcept {
  const FloatEnvironment environment;
  if (data_ == nullptr) return fail(StatusCode::invalid_argument, "state", "one made by create()");
  return without_exceptions("state", "memory to read it", [&] {
    Kept<T> kept(*data_);
    return checkpoint_from_bytes(bytes, identity_of(*data_), kept);
  });
}

template Status TrainState<float>::to_bytes(std::vector<std::uint8_t>&) const noexcept;
template Status TrainState<double>::to_bytes(std::vector<std::uint8_t>&) const noexcept;
template Status TrainState<float>::from_bytes(std::span<const std::uint8_t>) noexcept;
template Status TrainState<double>::from_bytes(std::span<const std::uint8_t>) noexcept;

}  // namespace lanemax
