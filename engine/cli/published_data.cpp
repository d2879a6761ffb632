// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_data.hpp"

#include "engine/data/number.hpp"
#include "engine/data/text_table.hpp"
#include "engine/fail.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace lanemax::cli {
namespace {

// Contraceptive choice, El Salvador 1985: couples by age group and choice (sterilised, other method, none).
// G. Rodriguez, Princeton WWS 509. Age is 12.5 + 5 times the group, counted from 1.
constexpr int kElSalvador[7][3] = {{3, 61, 232},   {80, 137, 400}, {216, 131, 301}, {268, 76, 203},
                                   {197, 50, 188}, {150, 24, 164}, {91, 10, 183}};

// Effect of the Personalised System of Instruction on grades: GPA, TUCE, PSI, GRADE. Spector and Mazzeo 1980.
struct SpectorRow {
  float gpa;  // Stata stores it so
  int tuce, psi, grade;
};
constexpr SpectorRow kSpector[32] = {
    {2.66f, 20, 0, 0}, {2.89f, 22, 0, 0}, {3.28f, 24, 0, 0}, {2.92f, 12, 0, 0}, {4.0f, 21, 0, 1},  {2.86f, 17, 0, 0},
    {2.76f, 17, 0, 0}, {2.87f, 21, 0, 0}, {3.03f, 25, 0, 0}, {3.92f, 29, 0, 1}, {2.63f, 20, 0, 0}, {3.32f, 23, 0, 0},
    {3.57f, 23, 0, 0}, {3.26f, 25, 0, 1}, {3.53f, 26, 0, 0}, {2.74f, 19, 0, 0}, {2.75f, 25, 0, 0}, {2.83f, 19, 0, 0},
    {3.12f, 23, 1, 0}, {3.16f, 25, 1, 1}, {2.06f, 22, 1, 0}, {3.62f, 28, 1, 1}, {2.89f, 14, 1, 0}, {3.51f, 26, 1, 0},
    {3.54f, 24, 1, 1}, {2.83f, 27, 1, 1}, {3.39f, 17, 1, 1}, {2.67f, 24, 1, 0}, {3.65f, 21, 1, 1}, {4.0f, 23, 1, 1},
    {3.1f, 21, 1, 0},  {2.39f, 19, 1, 1}};

// The rest of a data set whose values and labels are there.
void complete(Dataset& data, std::vector<std::string> classes) {
  data.samples = data.labels.size();
  data.features = (data.values.size() + data.doubles.size()) / std::max<std::size_t>(data.samples, 1);
  data.type = data.doubles.empty() ? FeatureType::f32 : FeatureType::f64;
  data.class_labels = std::move(classes);
}

std::string path_of(const std::string& directory, const std::string& file) {
  return directory + "/" + file;
}

FileStatus images(const std::string& training, const std::string& test, Samples& samples) {
  const auto read = [](const std::string& begin, Dataset& data) {
    return read_dataset({begin + "images-idx3-ubyte.gz"}, begin + "labels-idx1-ubyte.gz", {}, data);
  };
  const FileStatus result = read(training, samples.training);
  return result.ok() ? read(test, samples.unseen) : result;
}

}  // namespace

FileStatus one_row(const std::string&, const std::string&, Samples& samples) {
  samples.training.doubles = {1};
  samples.training.labels = {0};
  complete(samples.training, {});
  return {};
}

FileStatus el_salvador(const std::string&, const std::string&, Samples& samples) {
  Dataset& data = samples.training;
  for (int group = 1; group <= 7; ++group) {
    for (int choice = 0; choice < 3; ++choice) {
      const double age = 12.5 + 5.0 * group;
      data.doubles.insert(data.doubles.end(), {age, age * age});
      data.sample_weights.push_back(static_cast<float>(kElSalvador[group - 1][choice]));
      data.labels.push_back(choice);
    }
  }
  complete(data, {"sterilised", "other", "none"});
  return {};
}

FileStatus el_salvador_without_age(const std::string& directory, const std::string& file, Samples& samples) {
  FileStatus result = el_salvador(directory, file, samples);
  std::fill(samples.training.doubles.begin(), samples.training.doubles.end(), 0.0);
  return result;
}

FileStatus spector(const std::string&, const std::string&, Samples& samples) {
  Dataset& data = samples.training;
  for (const SpectorRow& row : kSpector) {
    data.values.insert(data.values.end(), {row.gpa, static_cast<float>(row.tuce), static_cast<float>(row.psi)});
    data.labels.push_back(row.grade);
  }
  complete(data, {"0", "1"});
  return {};
}

FileStatus table(const std::string& directory, const std::string& file, Samples& samples) {
  return read_dataset({path_of(directory, file)}, {}, {}, samples.training);
}

FileStatus table_f64(const std::string& directory, const std::string& file, Samples& samples) {
  return read_dataset({path_of(directory, file)}, {}, {.precision = TextPrecision::f64}, samples.training);
}

FileStatus iris_of_scikit_learn(const std::string& directory, const std::string& file, Samples& samples) {
  FileStatus result = table_f64(directory, file, samples);
  std::vector<double>& x = samples.training.doubles;
  if (!result.ok() || x.size() != 150 * 4) return result;
  x[34 * 4 + 3] = 0.2;  // Fisher's article has these values
  x[37 * 4 + 1] = 3.6;
  x[37 * 4 + 2] = 1.4;
  return result;
}

FileStatus high_school(const std::string& directory, const std::string& file, Samples& samples) {
  const std::vector<std::string> classes = {"academic", "general", "vocation"};
  Dataset& data = samples.training;
  std::vector<std::string> names;
  std::array<std::size_t, 3> at{};  // prog, ses, write
  const auto use = [&](const std::vector<std::string>& row) {
    if (names.empty()) {
      names = row;
      for (std::size_t i = 0; i < 3; ++i) {
        const auto found = std::find(names.begin(), names.end(), std::array{"prog", "ses", "write"}[i]);
        if (found == names.end()) return fail(StatusCode::bad_data, "header", "prog, ses and write, as UCLA's has");
        at[i] = static_cast<std::size_t>(found - names.begin());
      }
      return Status();
    }
    if (row.size() != names.size()) return fail(StatusCode::bad_data, "number of columns", "as many as names");
    const auto programme = std::find(classes.begin(), classes.end(), row[at[0]]);
    const std::string& ses = row[at[1]];
    double write = 0;
    if (programme == classes.end()) return fail(StatusCode::bad_data, "prog", "one of UCLA's", row[at[0]]);
    if (parse_number(row[at[2]], write) != NumberError::none) {
      return fail(StatusCode::bad_data, "write", "a number", row[at[2]]);
    }
    data.values.insert(data.values.end(),
                       {ses == "middle" ? 1.0F : 0.0F, ses == "high" ? 1.0F : 0.0F, static_cast<float>(write)});
    data.labels.push_back(static_cast<std::int32_t>(programme - classes.begin()));
    return Status();
  };
  const std::string path = path_of(directory, file);
  const Status status = read_text_table(path, 0, use);
  complete(data, classes);
  return {status, path, ""};
}

FileStatus mnist(const std::string& directory, const std::string& file, Samples& samples) {
  const std::string begin = path_of(directory, file);
  return images(begin + "-train-", begin + "-t10k-", samples);
}

FileStatus fashion_mnist(const std::string& directory, const std::string& file, Samples& samples) {
  const std::string beside = path_of(directory, file);
  const std::string place = std::filesystem::exists(beside) ? beside : "/usr/share/datasets/fashion-mnist";
  return images(place + "/train-", place + "/t10k-", samples);
}

}  // namespace lanemax::cli
