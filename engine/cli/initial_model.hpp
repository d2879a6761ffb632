// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_INITIAL_MODEL_HPP
#define LANEMAX_ENGINE_CLI_INITIAL_MODEL_HPP

#include <lanemax/model.hpp>

#include <string>

namespace lanemax::cli {

/// Copies weights and bias of the model in a file into `model`, class by class and feature by feature by their names;
/// classes that the file's model has not stay as they are. Gives up where its loss, its classes or its features are not
/// among those of `model`.
void begin_from(const std::string& file, Model& model);

}  // namespace lanemax::cli

#endif
