// SPDX-License-Identifier: BSD-3-Clause
#include "engine/fit/training_record.hpp"

#include "engine/fit/number_text.hpp"
#include "engine/fit/space/caller_side.hpp"

#include <algorithm>

namespace lanemax {

std::vector<std::pair<std::string, std::string>> training_record(const FitOptions& options, const FitResult& result,
                                                                 std::size_t samples) {
  std::vector<std::pair<std::string, std::string>> record = {
      {"samples", std::to_string(samples)},
      {"l2", text_of(result.l2)},
      {"label_smoothing", text_of(options.objective.label_smoothing)},
      {"solver", name_of(result.solver)},
  };
  if (is_over_all_rows(result.solver)) {
    record.emplace_back("preconditioner", name_of(result.preconditioner));
  } else {
    const MiniBatches used = resolve(options, {1, 1}).mini_batches;
    record.emplace_back("epochs", std::to_string(*used.epochs));
    record.emplace_back("batch_size", std::to_string(std::min(*used.batch_size, samples)));
    record.emplace_back("learning_rate", text_of(result.learning_rate));
    record.emplace_back("schedule", name_of(*used.schedule));
  }
  record.emplace_back("tolerance", text_of(options.stopping.tolerance));
  record.emplace_back("seed", std::to_string(options.seed));
  record.emplace_back("isa",
                      name_of(options.execution.isa == Isa::process_default ? active_isa() : options.execution.isa));
  record.emplace_back("reason", name_of(result.reason));
  record.emplace_back("iterations", std::to_string(result.iterations));
  return record;
}

}  // namespace lanemax
