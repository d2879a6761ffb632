// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_LANEMAX_HPP
#define LANEMAX_LANEMAX_HPP

#include <lanemax/fit.hpp>
#include <lanemax/fit_path.hpp>
#include <lanemax/isa.hpp>
#include <lanemax/model.hpp>
#include <lanemax/objective.hpp>
#include <lanemax/online.hpp>
#include <lanemax/parameters.hpp>
#include <lanemax/predictor.hpp>
#include <lanemax/status.hpp>
#include <lanemax/train_step.hpp>
#include <lanemax/version.hpp>
#include <lanemax/views.hpp>
#include <lanemax/workspace.hpp>

#endif
