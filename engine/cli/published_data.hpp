// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PUBLISHED_DATA_HPP
#define LANEMAX_ENGINE_CLI_PUBLISHED_DATA_HPP

#include "engine/data/dataset.hpp"

#include <string>

/// The data of published fits: a handful of numbers here, or files.
namespace lanemax::cli {

struct Samples {
  Dataset training;
  Dataset unseen;  ///< to test on; no samples: none
};

/// Reads `file`, or the files of that name, in `directory`. Embedded data look at neither.
using ReadSamples = FileStatus (*)(const std::string& directory, const std::string& file, Samples& samples);

// ---- embedded ----

/// A single row, whose only feature is 1: weights are its scores. Its class is 0.
FileStatus one_row(const std::string& directory, const std::string& file, Samples& samples);
/// Contraceptive choice, El Salvador 1985: couples by age, age^2 and choice (sterilised, other method, none).
FileStatus el_salvador(const std::string& directory, const std::string& file, Samples& samples);
/// The same with features that are 0.
FileStatus el_salvador_without_age(const std::string& directory, const std::string& file, Samples& samples);
/// Grades by GPA, TUCE and PSI.
FileStatus spector(const std::string& directory, const std::string& file, Samples& samples);

// ---- of files ----

/// CSV, in f32 or f64.
FileStatus table(const std::string& directory, const std::string& file, Samples& samples);
FileStatus table_f64(const std::string& directory, const std::string& file, Samples& samples);
/// UCI's iris with the two rows that differ in scikit-learn's copy as they are there, in f64.
FileStatus iris_of_scikit_learn(const std::string& directory, const std::string& file, Samples& samples);
/// UCLA's table: the programme (academic, general, vocation) by ses middle, ses high and the score in writing.
FileStatus high_school(const std::string& directory, const std::string& file, Samples& samples);
/// The images to train on and to test on.
FileStatus mnist(const std::string& directory, const std::string& file, Samples& samples);
/// In the directory `file`, or else where Debian's package puts them.
FileStatus fashion_mnist(const std::string& directory, const std::string& file, Samples& samples);

}  // namespace lanemax::cli

#endif
