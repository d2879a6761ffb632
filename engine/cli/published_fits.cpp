// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/published_fits.hpp"

#include "engine/cli/command_error.hpp"
#include "engine/cli/published_data.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/text_table.hpp"

#include <lanemax/fit.hpp>
#include <lanemax/objective.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

namespace lanemax::cli {
namespace {

/// Weights of a fit in double, [C][D], and what the fit says of them.
struct Fitted {
  std::vector<double> weights, bias;
  FitResult result;
  [[nodiscard]] double weight(std::size_t c, std::size_t d) const {
    return weights[c * (weights.size() / bias.size()) + d];
  }
};

class Fits {
 public:
  Fits(std::string directory, int threads, Isa isa, std::vector<std::string>& missing)
      : directory_(std::move(directory)), missing_(missing) {
    execution_ = {threads, isa};
  }

  std::vector<ComputedValue> run() {
    el_salvador();
    spector();
    three_scores();
    zero_weights();
    if (!directory_.empty()) {
      high_school();
      iris();
      for (const char* set : {"iris", "letter", "pendigits", "mfeat-pixel", "waveform"}) optima(set, true);
      for (const char* set : {"segment", "glass"}) optima(set, false);
      images("mnist", directory_, "mnist-train-", "mnist-t10k-");
      const std::string beside = directory_ + "/fashion-mnist";
      images("fashion_mnist", std::filesystem::exists(beside) ? beside : "/usr/share/datasets/fashion-mnist", "train-",
             "t10k-");
    }
    return std::move(values_);
  }

 private:
  void say_value(const std::string& name, double value) { values_.push_back({name, value}); }

  // ---- fits ----

  [[nodiscard]] FitOptions to_the_optimum(double l2) const {
    FitOptions options;
    options.objective.l2 = l2;
    options.solver = Solver::newton;
    options.tolerance = 0;  // as far as double goes
    options.execution = execution_;
    return options;
  }

  [[nodiscard]] static Fitted fit_all(const Batch& data, const FitOptions& options, std::size_t rows) {
    Fitted fitted;
    fitted.weights.resize(rows * data.features.features);
    fitted.bias.resize(rows);
    check(fit(data, options, {fitted.weights.data(), rows, data.features.features}, fitted.bias.data(), fitted.result));
    return fitted;
  }

  // ---- embedded ----

  void el_salvador() {
    std::vector<double> x;
    std::vector<float> couples;
    std::vector<std::int32_t> choices;
    for (int group = 1; group <= 7; ++group) {
      for (int choice = 0; choice < 3; ++choice) {
        const double age = 12.5 + 5.0 * group;
        x.insert(x.end(), {age, age * age});
        couples.push_back(static_cast<float>(kElSalvador[group - 1][choice]));
        choices.push_back(choice);
      }
    }
    Batch data;
    data.features = {x.data(), choices.size(), 2};
    data.labels = choices.data();
    data.sample_weights = couples.data();
    double total = 0;
    for (const float n : couples) total += static_cast<double>(n);
    const Fitted fitted = fit_all(data, to_the_optimum(0), 3);
    say_value("el_salvador.log_likelihood", -total * fitted.result.data_loss);
    const char* names[] = {"sterilised", "other"};
    for (std::size_t c = 0; c < 2; ++c) {
      const std::string name = std::string("el_salvador.") + names[c];
      say_value(name + ".age", fitted.weight(c, 0) - fitted.weight(2, 0));
      say_value(name + ".age^2", fitted.weight(c, 1) - fitted.weight(2, 1));
      say_value(name + ".constant", fitted.bias[c] - fitted.bias[2]);
    }
    std::fill(x.begin(), x.end(), 0.0);
    say_value("el_salvador.null_log_likelihood", -total * fit_all(data, to_the_optimum(0), 3).result.data_loss);
  }

  void spector() {
    std::vector<float> x;
    std::vector<std::int32_t> grades;
    for (const SpectorRow& row : kSpector) {
      x.insert(x.end(), {row.gpa, static_cast<float>(row.tuce), static_cast<float>(row.psi)});
      grades.push_back(row.grade);
    }
    Batch data;
    data.features = {x.data(), grades.size(), 3};
    data.labels = grades.data();
    FitOptions options = to_the_optimum(0);
    options.objective.loss = Loss::logistic;
    const Fitted fitted = fit_all(data, options, 1);
    say_value("spector.log_likelihood", -static_cast<double>(grades.size()) * fitted.result.data_loss);
    say_value("spector.gpa", fitted.weights[0]);
    say_value("spector.tuce", fitted.weights[1]);
    say_value("spector.psi", fitted.weights[2]);
    say_value("spector.constant", fitted.bias[0]);
    int counts[2][2] = {};
    for (std::size_t i = 0; i < grades.size(); ++i) {
      double z = fitted.bias[0];
      for (std::size_t d = 0; d < 3; ++d) z += fitted.weights[d] * static_cast<double>(x[i * 3 + d]);
      ++counts[grades[i]][z > 0 ? 1 : 0];
    }
    for (int truth = 0; truth < 2; ++truth) {
      for (int predicted = 0; predicted < 2; ++predicted) {
        say_value("spector.predicted_" + std::to_string(predicted) + "_of_" + std::to_string(truth),
                  counts[truth][predicted]);
      }
    }
  }

  // The loss of one row whose only feature is 1: the weights are the scores.
  [[nodiscard]] double loss_of_scores(const double* scores, std::size_t classes, Loss kind) const {
    const double one = 1;
    const std::int32_t label = 0;
    Batch data;
    data.features = {&one, 1, 1};
    data.labels = &label;
    Objective objective;
    objective.loss = kind;
    const std::size_t bytes = loss_workspace_bytes<double>(1, 1, classes, 1);
    std::vector<std::byte> memory(bytes + kWorkspaceAlignment);
    void* aligned = memory.data();
    std::size_t room = memory.size();
    if (std::align(kWorkspaceAlignment, bytes, aligned, room) == nullptr) throw std::bad_alloc();
    LossResult result;
    check(
        loss<double>(objective, {{scores, classes, 1}, nullptr}, data, {1, execution_.isa}, {aligned, bytes}, result));
    return result.data_loss;
  }

  void three_scores() {
    for (int row = 0; row < 3; ++row) {
      const std::string name = "scores_" + std::to_string(row + 1);
      const double nats = loss_of_scores(kScores[row], 3, Loss::softmax);
      say_value(name + ".softmax_loss", nats);
      say_value(name + ".softmax_loss_log10", nats / std::log(10.0));
      say_value(name + ".hinge_loss", loss_of_scores(kScores[row], 3, Loss::hinge));
    }
  }

  void zero_weights() {
    for (const std::size_t classes : {std::size_t{3}, std::size_t{10}}) {
      const std::vector<double> zeros(classes);
      say_value("zero_weights.exp_loss." + std::to_string(classes) + "_classes",
                std::exp(loss_of_scores(zeros.data(), classes, Loss::softmax)));
    }
  }

  // ---- from files ----

  [[nodiscard]] bool is_there(const std::string& path) {
    if (std::filesystem::exists(path)) return true;
    missing_.push_back(path);
    return false;
  }

  [[nodiscard]] static Dataset read(const std::string& file, const std::string& labels = {}) {
    Dataset data;
    check(read_dataset({file}, labels, {}, data));
    return data;
  }
  [[nodiscard]] static Batch batch_of(const Dataset& data) {
    Batch batch;
    batch.features = data.view();
    batch.labels = data.labels.data();
    return batch;
  }

  // prog ~ ses + write, with "academic" and "low" for reference.
  void high_school() {
    const std::string path = directory_ + "/hsbdemo.csv";
    if (!is_there(path)) return;
    std::vector<std::vector<std::string>> rows = read_text_table(path);
    const auto column = [&](const char* name) {
      const auto at = std::find(rows[0].begin(), rows[0].end(), name);
      if (at == rows[0].end()) give_up(kBadData, path + ": no column " + name + "; expected UCLA's hsbdemo");
      return static_cast<std::size_t>(at - rows[0].begin());
    };
    const std::size_t prog = column("prog"), ses = column("ses"), write = column("write");
    std::vector<float> x;
    std::vector<std::int32_t> programmes;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const std::vector<std::string>& row = rows[i];
      x.insert(x.end(), {row[ses] == "middle" ? 1.0F : 0.0F, row[ses] == "high" ? 1.0F : 0.0F, std::stof(row[write])});
      programmes.push_back(row[prog] == "academic" ? 0 : row[prog] == "general" ? 1 : 2);
    }
    Batch data;
    data.features = {x.data(), programmes.size(), 3};
    data.labels = programmes.data();
    const Fitted fitted = fit_all(data, to_the_optimum(0), 3);
    const double log_likelihood = -static_cast<double>(programmes.size()) * fitted.result.data_loss;
    say_value("hsbdemo.log_likelihood", log_likelihood);
    say_value("hsbdemo.deviance", -2 * log_likelihood);
    const char* names[] = {"", "general", "vocation"};
    const char* features[] = {"ses_middle", "ses_high", "write"};
    for (std::size_t c = 1; c < 3; ++c) {
      const std::string name = std::string("hsbdemo.") + names[c] + ".";
      say_value(name + "constant", fitted.bias[c] - fitted.bias[0]);
      for (std::size_t d = 0; d < 3; ++d) say_value(name + features[d], fitted.weight(c, d) - fitted.weight(0, d));
    }
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> read_text_table(const std::string& path) {
    std::vector<std::vector<std::string>> rows;
    const auto keep = [&](const std::vector<std::string>& row) {
      rows.push_back(row);
      if (row.size() != rows[0].size()) give_up(kBadData, path + ": rows of different lengths; expected a table");
      return Status();
    };
    check(lanemax::read_text_table(path, 0, keep), path);
    if (rows.size() < 2) give_up(kBadData, path + ": no rows; expected a table");
    return rows;
  }

  void iris() {
    const std::string path = directory_ + "/iris.csv";
    if (!is_there(path)) return;
    const Dataset data = read(path);
    const double rows = static_cast<double>(data.samples);
    const Fitted narrow = fit_all(batch_of(data), to_the_optimum(1 / rows), 3);
    say_value("iris.sum_objective.f32_features", rows * narrow.result.objective);
    say_value("iris.correct", correct(batch_of(data), narrow));
    // The file has one digit after the point: tenths in double are what it says.
    std::vector<double> x;
    for (const float v : data.values) x.push_back(std::round(static_cast<double>(v) * 10) / 10);
    Batch wide = batch_of(data);
    wide.features = {x.data(), data.samples, data.features};
    say_value("iris.sum_objective.f64_features", rows * fit_all(wide, to_the_optimum(1 / rows), 3).result.objective);
    // scikit-learn's copy differs in two rows: Fisher's article has these values.
    x[34 * 4 + 3] = 0.2;
    x[37 * 4 + 1] = 3.6;
    x[37 * 4 + 2] = 1.4;
    const Fitted other = fit_all(wide, to_the_optimum(1 / rows), 3);
    say_value("iris.scikit_rows.sum_objective", rows * other.result.objective);
    double z[3], sum = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      z[c] = other.bias[c];
      for (std::size_t d = 0; d < 4; ++d) z[c] += other.weight(c, d) * x[d];
    }
    const double most = *std::max_element(z, z + 3);
    for (double& value : z) sum += value = std::exp(value - most);
    for (std::size_t c = 0; c < 3; ++c) say_value("iris.scikit_rows.probability_" + std::to_string(c), z[c] / sum);
  }

  [[nodiscard]] static double correct(const Batch& data, const Fitted& fitted) {
    const std::size_t features = data.features.features, classes = fitted.bias.size();
    const auto* values = static_cast<const float*>(data.features.data);
    double count = 0;
    for (std::size_t i = 0; i < data.features.samples; ++i) {
      std::size_t best = 0;
      double most = 0;
      for (std::size_t c = 0; c < classes; ++c) {
        double z = fitted.bias[c];
        for (std::size_t d = 0; d < features; ++d)
          z += fitted.weight(c, d) * static_cast<double>(values[i * features + d]);
        if (c == 0 || z > most) best = c, most = z;
      }
      if (static_cast<std::int32_t>(best) == data.labels[i]) ++count;
    }
    return count;
  }

  void optima(const std::string& set, bool raw) {
    const std::string path = directory_ + "/" + set + ".csv";
    if (!is_there(path)) return;
    const Dataset data = read(path);
    const std::size_t classes = data.class_labels.size();
    FitOptions options = to_the_optimum(1 / static_cast<double>(data.samples));
    options.solver = Solver::automatic;
    options.tolerance = 1e-10;
    if (raw) say_value(set + ".objective", fit_all(batch_of(data), options, classes).result.objective);
    options.standardise = true;
    say_value(set + ".objective.standard", fit_all(batch_of(data), options, classes).result.objective);
  }

  void images(const std::string& set, const std::string& directory, const std::string& training,
              const std::string& test) {
    const auto file = [&](const std::string& part, const char* what) { return directory + "/" + part + what; };
    const std::string images = "images-idx3-ubyte.gz", labels = "labels-idx1-ubyte.gz";
    for (const std::string& path : {file(training, images.c_str()), file(training, labels.c_str()),
                                    file(test, images.c_str()), file(test, labels.c_str())}) {
      if (!is_there(path)) return;
    }
    const Dataset data = read(file(training, images.c_str()), file(training, labels.c_str()));
    const std::vector<float> factor(data.features, 1.0F / 255.0F);
    Batch batch = batch_of(data);
    batch.scaling.factor = factor.data();
    FitOptions options = to_the_optimum(1 / static_cast<double>(data.samples));
    options.solver = Solver::automatic;
    options.tolerance = 1e-7;
    const Fitted fitted = fit_all(batch, options, data.class_labels.size());
    say_value(set + ".objective", fitted.result.objective);

    const Dataset unseen = read(file(test, images.c_str()), file(test, labels.c_str()));
    const std::vector<float> pixels(unseen.bytes.begin(), unseen.bytes.end());
    Batch seen = batch_of(unseen);
    seen.features = {pixels.data(), unseen.samples, unseen.features};
    say_value(set + ".test_accuracy", correct(seen, fitted) / static_cast<double>(unseen.samples));
  }

  std::string directory_;
  Execution execution_;
  std::vector<std::string>& missing_;
  std::vector<ComputedValue> values_;
};

}  // namespace

std::vector<ComputedValue> compute_published_fits(const std::string& data_directory, int threads, Isa isa,
                                                  std::vector<std::string>& missing) {
  return Fits(data_directory, threads, isa, missing).run();
}

}  // namespace lanemax::cli
