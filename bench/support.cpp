// SPDX-License-Identifier: BSD-3-Clause
#include "bench/support.hpp"

#include "bench/limits/limits.hpp"
#include "bench/recent.hpp"
#include "engine/dispatch/select_isa.hpp"
#include "engine/pass/weights.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <thread>
#include <utility>

namespace lanemax::bench {

const std::vector<Variant>& variants() {
  static const std::vector<Variant> found = [] {
    std::vector<Variant> list;
    std::size_t count = 0;
    const IsaInfo* known = known_isas(count);
    for (std::size_t i = 0; i < count; ++i) {
      const KernelTable* table = nullptr;
      if (!select_kernels({.isa = known[i].isa}, table).ok()) continue;
      if (!settings().schedules) {
        list.push_back({known[i].isa, known[i].name, table});
        continue;
      }
      for (std::size_t s = 1; s <= kKernelSchedules; ++s) {
        const auto schedule = static_cast<KernelSchedule>(s);
        if (!select_kernels({.isa = known[i].isa, .schedule = schedule}, table).ok()) continue;
        list.push_back({known[i].isa, std::string(known[i].name) + ':' + name_of(schedule), table});
      }
    }
    return list;
  }();
  return found;
}

Settings& settings() {
  static Settings the_settings;
  return the_settings;
}

double Shape::flops_per_product() const {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(features) * static_cast<double>(classes);
}
double Shape::feature_bytes() const {
  return 4.0 * static_cast<double>(rows) * static_cast<double>(features);
}
std::string Shape::text() const {
  return std::to_string(rows) + "x" + std::to_string(features) + "x" + std::to_string(classes);
}

std::vector<Shape> product_shapes() {
  static constexpr Shape kShapes[] = {
      {32, 784, 10},
      {256, 784, 10},
      {4096, 784, 10},
      {60000, 784, 10},
      {65536, 54, 7},
      {256, 768, 1000},
      {4096, 768, 1000},
      {2048, 2048, 2048},
      {1797, 64, 10},
      {581012, 54, 7, true},
      {11000000, 28, 2, true},
      {50000, 3072, 10, true},
      {1000000, 128, 10, true},
      {100000, 4096, 100, true},
      {1000000, 768, 1000, true},
      {512, 1024, 32000, true},
      {4096, 1024, 32000, true},
  };
  std::vector<Shape> shapes;
  for (const Shape& shape : kShapes) {
    if (settings().large || !shape.large) shapes.push_back(shape);
  }
  return shapes;
}

// ---- data ----

std::uint32_t random_at(std::uint64_t index, std::uint64_t seed) {  // splitmix64
  std::uint64_t z = (index + seed * 0x632be59bd9b4e019U) * 0x9e3779b97f4a7c15U + 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<std::uint32_t>(z >> 32);
}

namespace {

float symmetric(std::uint64_t index, std::uint64_t seed) {  // in [-1, 1)
  return static_cast<float>(static_cast<std::int32_t>(random_at(index, seed))) * 0x1p-31f;
}

std::shared_ptr<const Problem> make_problem(const Shape& shape) {
  auto problem = std::make_shared<Problem>();
  Problem& p = *problem;
  const auto [rows, features, classes, large] = shape;
  p.shape = shape;
  p.x = Buffer<float>(rows * features);
  for (std::size_t i = 0; i < p.x.size(); i += 4) {
    std::uint32_t four = random_at(i, 1);
    for (std::size_t k = i; k < std::min(i + 4, p.x.size()); ++k, four >>= 8) {
      p.x[k] = static_cast<float>(four & 255U) * Problem::kFactor;
    }
  }
  const float scale = 2.0f / std::sqrt(static_cast<float>(features));
  p.weights = Buffer<float>(classes * features);
  p.transposed = Buffer<float>(classes * features);
  for (std::size_t c = 0; c < classes; ++c) {
    for (std::size_t d = 0; d < features; ++d) {
      p.weights[c * features + d] = p.transposed[d * classes + c] = scale * symmetric(c * features + d, 2);
    }
  }
  p.bias = Buffer<float>(classes);
  for (std::size_t c = 0; c < classes; ++c) p.bias[c] = 0.1f * symmetric(c, 3);
  p.labels = Buffer<std::int32_t>(round_up(rows, 16));
  for (std::size_t n = 0; n < rows; ++n) p.labels[n] = static_cast<std::int32_t>(random_at(n, 4) % classes);
  return problem;
}

}  // namespace

std::shared_ptr<const Problem> problem_of(const Shape& shape) {
  static Recent<Problem> recent;
  return recent.get(
      shape.text(), 1e9, [&] { return make_problem(shape); },
      [](const Problem& p) { return 4.0 * static_cast<double>(p.x.size() + 2 * p.weights.size()); });
}

EngineWeights::EngineWeights(const Problem& problem)
    : weights(weight_count(problem.shape.features, problem.shape.classes)), bias(bias_count(problem.shape.classes)) {
  const WeightsView<const float> view{{problem.weights.data(), problem.shape.classes, problem.shape.features},
                                      {problem.bias.data(), problem.shape.classes}};
  if (!import_weights(view, weights.data(), bias.data()).ok()) std::abort();
}

// ---- checks ----

std::vector<std::size_t> sample_of(std::size_t count, std::size_t most) {
  std::vector<std::size_t> sample;
  if (count <= most) {
    for (std::size_t i = 0; i < count; ++i) sample.push_back(i);
    return sample;
  }
  std::set<std::size_t> chosen = {0, count - 1};
  for (std::uint64_t i = 0; chosen.size() < most; ++i) chosen.insert(random_at(i, 5) % count);
  return {chosen.begin(), chosen.end()};
}

std::string mismatch(const std::string& where, double found, double expected, double tolerance) {
  if (std::abs(found - expected) <= tolerance) return {};  // also false for NaN
  char text[160];
  std::snprintf(text, sizeof(text), "wrong result: %s is %.9g, expected %.9g +- %.2g", where.c_str(), found, expected,
                tolerance);
  return text;
}

Expected expected_logit(const Problem& problem, std::size_t row, std::size_t c, bool with_bias) {
  const std::size_t features = problem.shape.features;
  double sum = with_bias ? static_cast<double>(problem.bias[c]) : 0.0, size = std::abs(sum);
  for (std::size_t d = 0; d < features; ++d) {
    const double term =
        static_cast<double>(problem.x[row * features + d]) * static_cast<double>(problem.weights[c * features + d]);
    sum += term;
    size += std::abs(term);
  }
  return {sum, static_cast<double>(features + 2) * 0x1p-24 * size};
}

namespace {

std::string at(const char* what, std::size_t i, std::size_t j) {
  return std::string(what) + "[" + std::to_string(i) + "][" + std::to_string(j) + "]";
}

constexpr std::size_t kSampledClasses = 8, kSampledFeatures = 12;

/// What a pass over a problem gives, in double: the mean loss, and p - t of all rows for a sample of classes.
struct Reference {
  double loss = 0;
  std::vector<std::size_t> classes;
  std::vector<double> residual;  // [sampled class][row]
};

void add_rows(const Problem& problem, std::size_t begin, std::size_t end, Reference& reference, double& loss) {
  const auto [rows, features, classes, large] = problem.shape;
  constexpr std::size_t kRows = 4;
  std::vector<double> z(kRows * classes);
  for (std::size_t n0 = begin; n0 < end; n0 += kRows) {
    const std::size_t count = std::min(kRows, end - n0);
    for (std::size_t i = 0; i < kRows; ++i) std::copy_n(problem.bias.data(), classes, z.data() + i * classes);
    for (std::size_t d = 0; d < features; ++d) {
      const float* w = problem.transposed.data() + d * classes;
      const auto x_at = [&](std::size_t i) {
        return static_cast<double>(problem.x[(n0 + std::min(i, count - 1)) * features + d]);
      };
      const double x0 = x_at(0), x1 = x_at(1), x2 = x_at(2), x3 = x_at(3);
      double *z0 = z.data(), *z1 = z0 + classes, *z2 = z1 + classes, *z3 = z2 + classes;
      for (std::size_t c = 0; c < classes; ++c) {
        const double wc = static_cast<double>(w[c]);
        z0[c] += x0 * wc;
        z1[c] += x1 * wc;
        z2[c] += x2 * wc;
        z3[c] += x3 * wc;
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double* row = z.data() + i * classes;
      const double max = *std::max_element(row, row + classes);
      double sum = 0;
      for (std::size_t c = 0; c < classes; ++c) sum += std::exp(row[c] - max);
      const auto label = static_cast<std::size_t>(problem.labels[n0 + i]);
      loss += std::log(sum) + (max - row[label]);
      for (std::size_t k = 0; k < reference.classes.size(); ++k) {
        const std::size_t c = reference.classes[k];
        reference.residual[k * rows + n0 + i] = std::exp(row[c] - max) / sum - (c == label ? 1.0 : 0.0);
      }
    }
  }
}

std::shared_ptr<const Reference> reference_of(const Problem& problem) {
  static Recent<Reference> recent;
  const auto make = [&] {
    auto reference = std::make_shared<Reference>();
    const std::size_t rows = problem.shape.rows;
    reference->classes = sample_of(problem.shape.classes, kSampledClasses);
    reference->residual.resize(reference->classes.size() * rows);
    double first = 0, second = 0;
    std::thread other([&] { add_rows(problem, 0, rows / 2, *reference, first); });
    add_rows(problem, rows / 2, rows, *reference, second);
    other.join();
    reference->loss = (first + second) / static_cast<double>(rows);
    return reference;
  };
  return recent.get(problem.shape.text(), 20, make, [](const Reference&) { return 1.0; });
}

}  // namespace

std::string check_product_gradient(const Problem& problem, const Entry& dlogits, const Entry& found) {
  const auto [rows, features, classes, large] = problem.shape;
  for (const std::size_t c : sample_of(classes, kSampledClasses)) {
    std::vector<double> g(rows);
    for (std::size_t n = 0; n < rows; ++n) g[n] = static_cast<double>(dlogits(c, n));
    for (const std::size_t d : sample_of(features, kSampledFeatures)) {
      double sum = 0, size = 0;
      for (std::size_t n = 0; n < rows; ++n) {
        const double term = g[n] * static_cast<double>(problem.x[n * features + d]);
        sum += term;
        size += std::abs(term);
      }
      // Rounding errors add up like a random walk, on partial sums far below the sum of sizes.
      const double tolerance = 32 * 0x1p-24 * size;
      std::string error = mismatch(at("dweights", c, d), static_cast<double>(found(c, d)), sum, tolerance);
      if (!error.empty()) return error;
    }
  }
  return {};
}

std::string check_pass(const Problem& problem, double loss, const Entry& dweights,
                       const std::function<float(std::size_t c)>& dbias) {
  const auto [rows, features, classes, large] = problem.shape;
  const std::shared_ptr<const Reference> expected = reference_of(problem);
  const double n_rows = static_cast<double>(rows);
  std::string error = mismatch("loss", loss, expected->loss, 2e-6 * expected->loss);
  for (std::size_t k = 0; k < expected->classes.size() && error.empty(); ++k) {
    const std::size_t c = expected->classes[k];
    const double* residual = expected->residual.data() + k * rows;
    const auto compare = [&](const std::string& where, double found, const auto& x_at) {
      double sum = 0, size = 0;
      for (std::size_t n = 0; n < rows; ++n) {
        const double term = residual[n] * x_at(n);
        sum += term;
        size += std::abs(term);
      }
      return mismatch(where, found, sum / n_rows, 2e-5 * size / n_rows);
    };
    for (const std::size_t d : sample_of(features, kSampledFeatures)) {
      if (!error.empty()) break;
      error = compare(at("dweights", c, d), static_cast<double>(dweights(c, d)),
                      [&](std::size_t n) { return static_cast<double>(problem.x[n * features + d]); });
    }
    if (error.empty() && dbias) {
      error = compare(at("dbias", c, 0), static_cast<double>(dbias(c)), [](std::size_t) { return 1.0; });
    }
  }
  return error;
}

std::string check_softmax(std::size_t rows, std::size_t classes, const std::int32_t* labels, const Entry& z,
                          const Entry& dz, const float* losses) {
  std::vector<double> e(classes);
  const double relative = std::max(4e-6, 4 * std::sqrt(static_cast<double>(classes)) * 0x1p-24);
  for (const std::size_t n : sample_of(rows, 64)) {
    const auto label = static_cast<std::size_t>(labels[n]);
    double max = -INFINITY, sum = 0;
    for (std::size_t c = 0; c < classes; ++c) max = std::max(max, static_cast<double>(z(c, n)));
    for (std::size_t c = 0; c < classes; ++c) sum += e[c] = std::exp(static_cast<double>(z(c, n)) - max);
    const double loss = std::log(sum) + (max - static_cast<double>(z(label, n)));
    std::string error =
        mismatch("loss of row " + std::to_string(n), static_cast<double>(losses[n]), loss, relative * loss);
    for (std::size_t c = 0; c < classes && error.empty(); ++c) {
      const double residual = e[c] / sum - (c == label ? 1.0 : 0.0);
      error =
          mismatch(at("dlogits", n, c), static_cast<double>(dz(c, n)), residual, relative * std::abs(residual) + 1e-12);
    }
    if (!error.empty()) return error;
  }
  return {};
}

// ---- cases ----

Work work_of(const Shape& shape, int products, double bytes_per_feature) {
  const double bytes = shape.feature_bytes() / 4 * bytes_per_feature;
  return {products * shape.flops_per_product(), bytes, bytes, static_cast<double>(shape.rows)};
}
Work work_of_step(const Shape& shape) {
  Work work = work_of(shape, 2);
  const double weight_bytes = 4.0 * static_cast<double>(shape.features) * static_cast<double>(shape.classes);
  work.bytes += 2 * weight_bytes;
  work.working_set += 2 * weight_bytes;  // W and its gradient
  return work;
}

namespace {

constexpr double kLongRun = 0.02;    // seconds; what is cold at the start does not matter then
constexpr double kMostShare = 1.02;  // more of the bound means that the bound, or the time, is wrong

/// The case in use, and what is known of all.
struct Bench {
  std::string open_name;
  std::unique_ptr<Case> open;
  std::string last_pool;                  // whose threads may be spinning; none after a case of one thread
  std::map<std::string, double> checked;  // with the seconds of a run
};
Bench& the_bench() {
  static Bench bench;
  return bench;
}

std::string open_case(const CaseName& name, const std::string& full_name,
                      const std::function<std::unique_ptr<Case>()>& make) {
  Bench& bench = the_bench();
  if (bench.open_name == full_name) return {};
  bench.open.reset();
  bench.open_name.clear();
  std::unique_ptr<Case> made = make();
  made->prepare();
  if (!bench.last_pool.empty() && bench.last_pool != name.pool) {
    // OpenBLAS's threads look for work during 2^26 cycles, libgomp's for some milliseconds.
    std::this_thread::sleep_for(std::chrono::milliseconds(bench.last_pool == "openmp" ? 5 : 30));
  }
  bench.last_pool = name.threads > 1 ? name.pool : "";
  const auto known = bench.checked.find(full_name);
  if (known == bench.checked.end()) {
    std::string error = made->check();
    if (!error.empty()) return error;
    bench.checked.emplace(full_name, 0.0);
  } else if (known->second < kLongRun) {
    made->run();
  }
  bench.open = std::move(made);
  bench.open_name = full_name;
  return {};
}

void measure(benchmark::State& state, const CaseName& name, const std::string& full_name,
             const std::function<std::unique_ptr<Case>()>& make) {
  const std::string error = open_case(name, full_name, make);
  if (!error.empty()) {
    state.SkipWithError(error.c_str());
    return;
  }
  Case& the_case = *the_bench().open;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) the_case.run();  // NOLINT(clang-analyzer-deadcode.DeadStores): the library's idiom
  const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double seconds = the_case.seconds(total / static_cast<double>(state.iterations()));

  the_bench().checked[full_name] = seconds;

  const Work work = the_case.work();
  const Level level = level_of(work.working_set, name.threads);
  const auto share_of = [&](const Limits& limits) {
    const double bandwidth = limits.gbytes[static_cast<std::size_t>(level)];
    return std::max(work.flops / limits.gflops, work.bytes / bandwidth) * 1e-9 / seconds;
  };
  const bool is_sure = total > 0.05;  // a clock is no judge of less
  double share = share_of(limits_of(name.bound_isa, name.threads));
  if (share > kMostShare && is_sure) share = share_of(limits_again(name.bound_isa, name.threads));
  state.counters["GFLOPs"] = work.flops / seconds * 1e-9;
  state.counters["GB/s"] = work.bytes / seconds * 1e-9;
  state.counters["share_of_bound"] = share;
  if (work.rows > 0) state.counters["rows/s"] = work.rows / seconds;
  state.SetLabel(lanemax::bench::name_of(level));  // whose bandwidth is part of the bound
  the_case.count(state);
  if (share > kMostShare && is_sure) {
    const std::string text = "measurement wrong: " + std::to_string(share) + " of the bound";
    state.SkipWithError(text.c_str());
  }
}

}  // namespace

void add_case(const CaseName& name, std::function<std::unique_ptr<Case>()> make) {
  const std::string full_name =
      name.family + "/" + name.variant + "/" + name.shape + "/" + std::to_string(name.threads);
  benchmark::RegisterBenchmark(full_name.c_str(), [name, full_name, make = std::move(make)](benchmark::State& state) {
    measure(state, name, full_name, make);
  })->ComputeStatistics("min", [](const std::vector<double>& v) {
      return *std::min_element(v.begin(), v.end());
    })->ComputeStatistics("max", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
}

}  // namespace lanemax::bench
