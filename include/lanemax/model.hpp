// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_MODEL_HPP
#define LANEMAX_MODEL_HPP

#include <lanemax/columns.hpp>
#include <lanemax/objective.hpp>
#include <lanemax/status.hpp>
#include <lanemax/views.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)
namespace lanemax {

/// A trained classifier: what a model file holds. Weights act on raw features x, or on x - centre if there is a centre:
/// where a feature's mean is large beside its spread (a time in seconds), f32 weights of x could not tell its values
/// apart. Whoever applies the weights subtracts it first, in f64. Other scaling used in training is folded in when the
/// model is made, and its record here is never applied again.
struct Model {
  Loss loss = Loss::softmax;
  std::size_t features = 0;
  std::vector<float> weight = {};              ///< [rows][features], row-major; rows = classes, or 1 for Loss::logistic
  std::vector<float> bias = {};                ///< [rows]
  std::vector<double> centre = {};             ///< what the weights are around: one per feature, or empty
  std::vector<std::string> class_labels = {};  ///< one per class in class order; logistic: {negative, positive}
  std::vector<std::string> feature_names = {};  ///< one per feature, or empty
  /// Of the tables that it was trained on, in their order: whoever reads others finds the features by name, or where
  /// there are no names by position. Empty: the features, and perhaps a label behind them.
  std::vector<Column> columns = {};
  /// Predictors abstain where the probability of the best class is below it: above 0, at most 1; 0: they never do. Not
  /// for Loss::hinge, which has no probabilities.
  double threshold = 0;
  std::vector<float> scaling_centre = {};  ///< record of the scaling: one per feature, or empty
  std::vector<float> scaling_factor = {};
  /// How it was trained: name and value pairs in file order. Nothing in it depends on threads, clock, host or paths.
  std::vector<std::pair<std::string, std::string>> training = {};

  /// Score rows: classes, or 1 for logistic.
  [[nodiscard]] std::size_t rows() const noexcept { return bias.size(); }
  [[nodiscard]] std::size_t classes() const noexcept { return class_labels.size(); }
  [[nodiscard]] MatrixView<const float> weights() const noexcept { return {weight.data(), rows(), features}; }
  /// Both, as calls take them; to be filled, once `features` is set and both have their size.
  [[nodiscard]] WeightsView<const float> view() const noexcept { return {weights(), bias}; }
  [[nodiscard]] WeightsView<float> view() noexcept { return {{weight.data(), rows(), features}, bias}; }
};

/// Ok if the sizes fit together, the numbers are legal (weights, centre and scaling finite, biases finite or -infinity,
/// at least one of them finite), the threshold is a probability or 0, columns hold all features under their names and
/// at most one label, weight and id, and the texts can be stored: UTF-8 without NUL, no two class labels equal, no two
/// of the at most 1000 `training` names equal or empty.
[[nodiscard]] Status check_model(const Model& model) noexcept;

/// The model as the bytes of a safetensors file: `weight` [C, D] and `bias` [C] in f32, `centre` [D] in f64 if there is
/// one, everything else as strings in the metadata, with a CRC-64/XZ over the whole file. Equal models give equal
/// bytes. Its format (`lanemax_format` in the metadata) is the lowest that can hold the model: 2 with a centre, columns
/// or a threshold, else 1.
[[nodiscard]] Status model_to_bytes(const Model& model, std::vector<std::uint8_t>& bytes) noexcept;

/// Reads such bytes; trusts nothing in them. On an error `model` is left as it was and the status names the place.
/// bad_model: a broken rule of the format, a tensor of another name or type than those above, a checksum that is not
/// the file's (also after another tool has edited it), a format newer than 2, a format 1 with what only 2 has, a format
/// 2 without anything that needs it.
/// A safetensors file without lanemax's metadata is accepted if its two tensors fit; it has no checksum. Its classes
/// are named 0, 1, ... and its loss is softmax; with a single row it is logistic with classes 0 and 1.
[[nodiscard]] Status model_from_bytes(const std::uint8_t* bytes, std::size_t size, Model& model) noexcept;

/// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the directory: whoever reads
/// `path` sees the old file or the new one, whole. A symbolic link is followed. On io_error the old file is as it was,
/// unless the directory could not be synced: then the new one is in place but might not outlive a power cut.
[[nodiscard]] Status save_model(const Model& model, const char* path) noexcept;

/// Reads a regular file; missing_file, io_error or bad_model otherwise, with the file's path in the status. Never waits
/// on a FIFO or reads a device.
[[nodiscard]] Status load_model(const char* path, Model& model) noexcept;

}  // namespace lanemax
#pragma GCC visibility pop

#endif
