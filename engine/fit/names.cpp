// SPDX-License-Identifier: BSD-3-Clause
#include <lanemax/fit.hpp>

namespace lanemax {

const char* name_of(Solver solver) noexcept {
  switch (solver) {
    case Solver::automatic: return "auto";
    case Solver::lbfgs: return "lbfgs";
    case Solver::newton: return "newton";
    case Solver::sgd: return "sgd";
    case Solver::momentum: return "momentum";
    case Solver::adam: return "adam";
    case Solver::adagrad: return "adagrad";
  }
  return "";
}
const char* name_of(Preconditioner preconditioner) noexcept {
  switch (preconditioner) {
    case Preconditioner::automatic: return "auto";
    case Preconditioner::none: return "none";
    case Preconditioner::diagonal: return "diagonal";
    case Preconditioner::gram: return "gram";
    case Preconditioner::blocks: return "blocks";
    case Preconditioner::full: return "full";
  }
  return "";
}
const char* name_of(Schedule schedule) noexcept {
  switch (schedule) {
    case Schedule::constant: return "constant";
    case Schedule::cosine: return "cosine";
    case Schedule::step: return "step";
  }
  return "";
}
const char* name_of(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::none: return "none";
    case StopReason::tolerance: return "tolerance";
    case StopReason::epochs: return "epochs";
    case StopReason::max_iterations: return "max_iterations";
    case StopReason::time_limit: return "time_limit";
    case StopReason::early_stopping: return "early_stopping";
    case StopReason::no_progress: return "no_progress";
    case StopReason::interrupted: return "interrupted";
    case StopReason::diverged: return "diverged";
  }
  return "";
}
const char* name_of(Loss loss) noexcept {
  switch (loss) {
    case Loss::softmax: return "softmax";
    case Loss::hinge: return "hinge";
    case Loss::logistic: return "logistic";
  }
  return "";
}

}  // namespace lanemax
