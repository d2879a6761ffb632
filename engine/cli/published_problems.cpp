// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_problems.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/data/number.hpp"
#include "engine/data/text_table.hpp"
#include "engine/fail.hpp"
#include "engine/workspace.hpp"

#include <lanemax/objective.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace lanemax::cli {
namespace {

// ---- embedded data ----

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

// Its only feature is 1: weights are scores.
FileStatus one_row(const std::string&, Samples& samples) {
  samples.training.doubles = {1};
  samples.training.labels = {0};
  complete(samples.training, {});
  return {};
}

FileStatus el_salvador(const std::string&, Samples& samples) {
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

FileStatus el_salvador_without_age(const std::string& path, Samples& samples) {
  FileStatus result = el_salvador(path, samples);
  std::fill(samples.training.doubles.begin(), samples.training.doubles.end(), 0.0);
  return result;
}

FileStatus spector(const std::string&, Samples& samples) {
  Dataset& data = samples.training;
  for (const SpectorRow& row : kSpector) {
    data.values.insert(data.values.end(), {row.gpa, static_cast<float>(row.tuce), static_cast<float>(row.psi)});
    data.labels.push_back(row.grade);
  }
  complete(data, {"0", "1"});
  return {};
}

// ---- data files ----

FileStatus table(const std::string& path, Samples& samples) {
  return read_dataset({path}, {}, {}, samples.training);
}

FileStatus table_f64(const std::string& path, Samples& samples) {
  return read_dataset({path}, {}, {.precision = TextPrecision::f64}, samples.training);
}

FileStatus iris_of_scikit_learn(const std::string& path, Samples& samples) {
  FileStatus result = table_f64(path, samples);
  LargeVector<double>& x = samples.training.doubles;
  if (!result.ok() || x.size() != 150 * 4) return result;
  x[34 * 4 + 3] = 0.2;  // Fisher's article has these values
  x[37 * 4 + 1] = 3.6;
  x[37 * 4 + 2] = 1.4;
  return result;
}

// prog ~ ses + write, as UCLA has them.
FileStatus high_school(const std::string& path, Samples& samples) {
  const std::vector<std::string> classes = {"academic", "general", "vocation"};
  Dataset& data = samples.training;
  std::vector<std::string> names;
  const auto use = [&](const std::vector<std::string>& row) {
    if (names.empty()) {
      names = row;
      return Status();
    }
    const auto cell = [&](const char* name) {
      const auto column = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
      return column < row.size() ? row[column] : std::string();
    };
    const auto programme = std::find(classes.begin(), classes.end(), cell("prog"));
    const std::string ses = cell("ses");
    double write = 0;
    if (programme == classes.end() || parse_number(cell("write"), write) != NumberError::none) {
      return fail(StatusCode::bad_data, "row", "prog, ses and write of UCLA's hsbdemo");
    }
    data.values.insert(data.values.end(),
                       {ses == "middle" ? 1.0F : 0.0F, ses == "high" ? 1.0F : 0.0F, static_cast<float>(write)});
    data.labels.push_back(static_cast<std::int32_t>(programme - classes.begin()));
    return Status();
  };
  const Status status = read_text_table(path, 0, use);
  complete(data, classes);
  return {status, path, ""};
}

FileStatus images(const std::string& training, const std::string& test, Samples& samples) {
  const auto read = [](const std::string& begin, Dataset& data) {
    return read_dataset({begin + "images-idx3-ubyte.gz"}, begin + "labels-idx1-ubyte.gz", {}, data);
  };
  const FileStatus result = read(training, samples.training);
  return result.ok() ? read(test, samples.unseen) : result;
}

FileStatus mnist(const std::string& path, Samples& samples) {
  return images(path + "-train-", path + "-t10k-", samples);
}

// Beside the others, or where Debian's package puts it.
FileStatus fashion_mnist(const std::string& path, Samples& samples) {
  const std::string place = std::filesystem::exists(path) ? path : "/usr/share/datasets/fashion-mnist";
  return images(place + "/train-", place + "/t10k-", samples);
}

// ---- solving ----

double loss_of_scores(const std::vector<double>& scores, const Batch& data, Loss kind, Isa isa) {
  Objective objective;
  objective.loss = kind;
  const Workspace workspace(loss_workspace_bytes<double>(1, 1, scores.size(), 1));
  LossResult result;
  check(loss(objective, WeightsView<const double>{{scores.data(), scores.size(), 1}, {}}, data, {1, isa}, workspace,
             result));
  return result.data_loss;
}

double value_of(const Dataset& data, std::size_t row, std::size_t feature) {
  const std::size_t at = row * data.features + feature;
  switch (data.type) {
    case FeatureType::u8: return static_cast<double>(data.bytes[at]);
    case FeatureType::f64: return data.doubles[at];
    default: return static_cast<double>(data.values[at]);
  }
}

}  // namespace

const Problem kElSalvador{.read = el_salvador};
const Problem kElSalvadorWithoutAge{.read = el_salvador_without_age};
const Problem kSpector{.read = spector, .loss = Loss::logistic};
const Problem kHighSchool{.read = high_school, .file = "hsbdemo.csv"};
const Problem kIris{.read = table, .file = "iris.csv", .penalised = true};
const Problem kIrisF64{.read = table_f64, .file = "iris.csv", .penalised = true};
const Problem kIrisOfScikitLearn{.read = iris_of_scikit_learn, .file = "iris.csv", .penalised = true};
const Problem kMnist{.read = mnist, .file = "mnist", .penalised = true, .tolerance = 1e-7};
const Problem kFashionMnist{.read = fashion_mnist, .file = "fashion-mnist", .penalised = true, .tolerance = 1e-7};

Problem raw(const char* file) {
  return {.read = table, .file = file, .penalised = true, .tolerance = 1e-10};
}
Problem standardised(const char* file) {
  Problem problem = raw(file);
  problem.standardise = true;
  return problem;
}
Problem softmax_of(std::vector<double> scores) {
  return {.read = one_row, .scores = std::move(scores)};
}
Problem hinge_of(std::vector<double> scores) {
  return {.read = one_row, .loss = Loss::hinge, .scores = std::move(scores)};
}

double Solution::weight(std::size_t c, std::size_t feature) const {
  return feature == kConstant ? bias[c] : weights[c * (weights.size() / bias.size()) + feature];
}

std::vector<double> Solution::scores_of(const Dataset& data, std::size_t row) const {
  std::vector<double> z = bias;
  for (std::size_t c = 0; c < z.size(); ++c) {
    for (std::size_t d = 0; d < data.features; ++d) z[c] += weight(c, d) * value_of(data, row, d);
  }
  return z;
}

std::size_t Solution::class_of(const Dataset& data, std::size_t row) const {
  const std::vector<double> z = scores_of(data, row);
  if (z.size() == 1) return z[0] > 0 ? 1 : 0;
  return static_cast<std::size_t>(std::max_element(z.begin(), z.end()) - z.begin());
}

Solution solve(const Problem& problem, Samples samples, const Execution& execution) {
  Solution solution;
  solution.samples = std::move(samples);
  const Dataset& data = solution.samples.training;
  Batch batch;
  batch.features = data.view();
  batch.labels = data.labels;
  batch.sample_weights = data.sample_weights;
  if (!problem.scores.empty()) {
    solution.result.data_loss = loss_of_scores(problem.scores, batch, problem.loss, execution.isa);
    return solution;
  }
  std::vector<float> factor;
  if (data.type == FeatureType::u8) factor.assign(data.features, 1.0F / 255.0F);
  batch.scaling.factor = factor;
  FitOptions options;
  options.objective.loss = problem.loss;
  options.objective.l2 = problem.penalised ? 1 / static_cast<double>(data.samples) : 0;
  options.solver = problem.tolerance == 0 ? Solver::newton : Solver::automatic;
  options.stopping.tolerance = problem.tolerance;
  options.standardise = problem.standardise;
  options.execution = execution;
  const std::size_t rows = problem.loss == Loss::logistic ? 1 : data.class_labels.size();
  solution.weights.resize(rows * data.features);
  solution.bias.resize(rows);
  check(fit(batch, options, WeightsView<double>{{solution.weights.data(), rows, data.features}, solution.bias},
            solution.result));
  return solution;
}

}  // namespace lanemax::cli
