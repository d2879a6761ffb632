// SPDX-License-Identifier: BSD-3-Clause
//
// Threads and processes around the calls: fork, the caller's own parallel regions, many threads at once, threads that
// cannot be made. The bits that threads must not change: same_bits_test.
#include <lanemax/lanemax.hpp>

#include "tests/support/plan_shapes.hpp"
#include "tests/support/stepping.hpp"
#include "tests/support/testing.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define LANEMAX_TEST_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LANEMAX_TEST_UNDER_TSAN 1
#endif
#endif

namespace lanemax::checks {
namespace {

#ifdef LANEMAX_TEST_UNDER_TSAN
constexpr bool kUnderTsan = true;
#else
constexpr bool kUnderTsan = false;
#endif

#ifdef LANEMAX_THREADS_NONE
constexpr bool kHasThreads = false;
#else
constexpr bool kHasThreads = true;
#endif

/// Enough work for several threads: some of it by slots, some by tiles.
class Work {
 public:
  Work() {
    for (const Shape& s : {Shape{3000, 40, 6}, Shape{700, 210, 70}}) {
      Rng rng(101);
      problems_.push_back(make_problem<float>(rng, s, {}));
      arrays_.push_back(std::make_unique<ProblemArrays<float>>(problems_.back()));
    }
  }
  /// Losses, gradients and three steps on each problem, with up to `threads` threads; empty if anything failed.
  [[nodiscard]] std::vector<std::byte> run(int threads) const {
    std::vector<std::byte> bits;
    most_at_work_ = 0;
    for (const auto& arrays : arrays_) {
      CallOptions options;
      options.threads = threads;
      const CallOutputs<float> out = call(*arrays, options, true);
      most_at_work_ = std::max(most_at_work_.load(), out.result.threads);
      const std::size_t classes = arrays->weights.weights.rows, features = arrays->weights.weights.cols;
      OwnedState<float> owned(features, classes, Optimiser::momentum);
      LossResult result;
      for (int step = 0; step < 3; ++step) {
        if (!owned
                 .step({}, arrays->batch, step_options(kRules[1], 0.125, 0.875), {threads, Isa::process_default},
                       result)
                 .ok()) {
          return {};
        }
      }
      if (!out.status.ok()) return {};
      const std::vector<std::byte> state = owned.contents();
      bits.insert(bits.end(), state.begin(), state.end());
      const std::span<const std::byte> gradient = std::as_bytes(std::span(out.dweights));
      bits.insert(bits.end(), gradient.begin(), gradient.end());
      const std::span<const std::byte> loss = std::as_bytes(std::span(&out.result.objective, 1));
      bits.insert(bits.end(), loss.begin(), loss.end());
    }
    return bits;
  }
  /// One call on the first problem.
  [[nodiscard]] CallOutputs<float> gradient(int threads) const {
    CallOptions options;
    options.threads = threads;
    return call(*arrays_.front(), options, true);
  }
  /// By the results of the last run.
  [[nodiscard]] int most_at_work() const { return most_at_work_; }

 private:
  mutable std::atomic<int> most_at_work_{0};
  std::vector<reference::Problem> problems_;
  std::vector<std::unique_ptr<ProblemArrays<float>>> arrays_;
};

/// Threads of this process, now.
std::size_t thread_count() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

/// The exit code of a child; -1 if it was still running after ten seconds (it is ended then) or died of a signal.
int wait_for(pid_t child) {
  for (int tenth = 0; tenth < 1000; ++tenth) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

constexpr int kNotTestable = 77;

/// This program again, with an argument that main() knows.
int run_alone(const char* what) {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child > 0) return wait_for(child);
  execl("/proc/self/exe", "threads_test", what, static_cast<char*>(nullptr));
  _exit(2);
}

/// In a process that may make so many more threads at first, and that makes some of them itself: calls that ask for
/// four, sixteen or a hundred run with what is left, from any thread, and while others take and give back theirs.
int run_with_few_threads(rlim_t more) {
  // Root may always make more, and the limit is on all that a user has at work: this process is a user of its own.
  const bool was_root = geteuid() == 0;
  if (was_root && setuid(uid_t{100000} + static_cast<uid_t>(getpid())) != 0) return kNotTestable;
  const rlimit few{more + 1, more + 1};
  if (setrlimit(RLIMIT_NPROC, &few) != 0) return kNotTestable;
  if (more == 0) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, [](void* p) { return p; }, nullptr) == 0) {
      pthread_join(thread, nullptr);
      return kNotTestable;
    }
  }
  const Work work;
  const std::vector<std::byte> one = work.run(1);
  if (one.empty()) return 1;
  const int all = kHasThreads ? static_cast<int>(more) + 1 : 1;
  if (work.run(100) != one || work.most_at_work() > all) return 3;
  if (was_root && work.most_at_work() < all) return 4;  // what there is, is used
  std::atomic<bool> right{true};
  const auto call_often = [&] {
    for (const int threads : {4, 16, 100, 4}) {
      if (work.run(threads) != one || work.most_at_work() > all) right.store(false);
    }
  };
  for (int round = 0; round < 3; ++round) {
    call_often();
    try {
      std::thread other(call_often);
      call_often();
      other.join();
    } catch (const std::system_error&) {  // the host has none left either
    }
  }
  return right.load() ? 0 : 1;
}

/// The same where memory is what is missing. Stacks of 8 MB, the default, would leave no room for sixteen threads.
int run_with_small_data_segment() {
  const rlimit small{rlim_t{100} << 20, rlim_t{100} << 20};
  if (setrlimit(RLIMIT_DATA, &small) != 0) return kNotTestable;
  const Work work;
  const std::vector<std::byte> one = work.run(1);
  if (one.empty() || work.run(16) != one || work.most_at_work() != (kHasThreads ? 16 : 1)) return 1;
  // Threads may take all there is: what the test needs is there before.
  const CallOutputs<float> want = work.gradient(1), got = work.gradient(300);
  if (!same_bits(got, want)) return 3;
  return got.result.threads < 300 ? 0 : kNotTestable;
}

int run_fork_first() {
  const Work work;
  const std::vector<std::byte> want = work.run(1);
  const pid_t child = fork();
  if (child > 0) return wait_for(child);
  if (child < 0 || work.run(2) != want) _exit(1);
  _exit(thread_count() == (kHasThreads ? 2 : 1) ? 0 : 3);
}

/// A call that leaves the variant to the process, at the moment when another thread chooses one.
int run_racing_choice() {
  std::size_t count = 0;
  const IsaInfo* infos = known_isas(count);
  Isa last = Isa::process_default;
  for (std::size_t i = 0; i < count; ++i) last = infos[i].supported ? infos[i].isa : last;
  std::atomic<int> ready{0};
  const auto meet = [&ready] {
    ready.fetch_add(1);
    while (ready.load() < 2) {
    }
  };
  bool chosen = false;
  std::thread other([&] {
    meet();
    chosen = initialize(last).ok();
  });
  meet();
  const bool left = initialize().ok();
  other.join();
  return left && (chosen || active_isa() != last) ? 0 : 1;
}

TEST(Threads, AChoiceLeftToTheProcessIsNeverRefused) {
  for (int i = 0; i < 400; ++i) ASSERT_EQ(run_alone("--race"), 0) << "process " << i;
}

TEST(Threads, ForkAfterParallelCalls) {
  if (kUnderTsan) GTEST_SKIP() << "ThreadSanitizer does not follow a fork of a program with threads";
  const Work work;
  const std::vector<std::byte> want = work.run(2);
  ASSERT_FALSE(want.empty());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (thread_count() != 1) _exit(2);
    if (work.run(2) != want || work.most_at_work() != (kHasThreads ? 2 : 1)) _exit(1);
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(work.run(2) == want ? 0 : 1);
    if (grandchild < 0 || wait_for(grandchild) != 0) _exit(3);
    _exit(work.run(7) == want ? 0 : 4);
  }
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(work.run(2), want) << "the parent goes on";
}

/// As every server that forks its workers does it. A child that has threads of its own afterwards used them.
TEST(Threads, ForkBeforeParallelCalls) {
  if (kUnderTsan) GTEST_SKIP() << "ThreadSanitizer makes a thread of its own";
  EXPECT_EQ(run_alone("--fork-first"), 0);
}

TEST(Threads, ResultsSayHowManyWereAtWork) {
  const Work work;
  for (const int threads : {1, 2, 5}) {
    ASSERT_FALSE(work.run(threads).empty());
    EXPECT_EQ(work.most_at_work(), kHasThreads ? threads : 1);
  }
}

TEST(Threads, InsideTheCallersParallelRegion) {
#ifdef _OPENMP
  const Work work;
  const std::vector<std::byte> want = work.run(1);
  ASSERT_FALSE(want.empty());
  omp_set_max_active_levels(4);  // regions inside regions would really be parallel
  std::atomic<int> right{0}, calls{0};
  std::atomic<std::size_t> before{0}, most{0};
  const auto run = [&] {
    const bool same = work.run(2) == want;
    calls.fetch_add(1);
    right.fetch_add(same ? 1 : 0);
    const std::size_t now = thread_count();
    std::size_t seen = most.load();
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
  };
#pragma omp parallel num_threads(3)
  {
#pragma omp single
    before = thread_count();
    run();
#pragma omp for
    for (int i = 0; i < 6; ++i) run();
  }
  omp_set_max_active_levels(1);
  EXPECT_EQ(calls, 3 + 6);
  EXPECT_EQ(right, calls);
  EXPECT_EQ(most, before) << "a call made threads inside the caller's region";
#else
  GTEST_SKIP() << "this build has no OpenMP";
#endif
}

TEST(Threads, TrainersAndPredictorsAtOnce) {
  const Work work;
  const std::vector<std::byte> want = work.run(1);
  Rng rng(102);
  const Shape shape{200, 30, 9};
  Model model;
  model.features = shape.features;
  for (const double v : make_values<float>(rng, shape.classes * shape.features, Values::ordinary)) {
    model.weight.push_back(static_cast<float>(v));
  }
  model.bias.assign(shape.classes, 0.25f);
  for (std::size_t c = 0; c < shape.classes; ++c) model.class_labels.push_back(std::to_string(c));
  Predictor made;
  ASSERT_TRUE(Predictor::create(model, Isa::process_default, made).ok());
  const Predictor& predictor = made;
  std::vector<float> x(shape.rows * shape.features);
  for (float& v : x) v = static_cast<float>(rng.between(-1, 1));
  std::vector<std::int32_t> classes;
  const auto sample = [&](std::size_t n) { return std::span(x).subspan(n * shape.features, shape.features); };
  std::vector<float> logits(shape.rows * shape.classes);
  const auto logits_of = [&](std::size_t n) { return std::span(logits).subspan(n * shape.classes, shape.classes); };
  for (std::size_t n = 0; n < shape.rows; ++n) classes.push_back(predictor.logits(sample(n), logits_of(n)));

  std::atomic<int> wrong{0};
  std::atomic<long> predictions{0};
  std::vector<std::thread> threads;
  for (int trainer = 0; trainer < 2; ++trainer) {
    threads.emplace_back([&, trainer] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        if (work.run(1 + trainer) != want) wrong.fetch_add(1);
      }
    });
  }
  for (int reader = 0; reader < 16; ++reader) {
    threads.emplace_back([&, reader] {
      Scratch scratch;
      std::vector<std::int32_t> batch(shape.rows);
      std::vector<float> one(shape.classes);
      Predictions out;
      out.classes = batch;
      for (int repeat = 0; repeat < 60; ++repeat) {
        for (std::size_t n = 0; n < shape.rows; ++n) {
          if (predictor.predict(sample(n)) != classes[n]) wrong.fetch_add(1);
          if (predictor.logits(sample(n), one) != classes[n]) wrong.fetch_add(1);
          if (!std::ranges::equal(one, logits_of(n))) wrong.fetch_add(1);
        }
        predictions.fetch_add(static_cast<long>(shape.rows));
        const int count = 1 + reader % 2;
        if (!predictor
                 .predict_batch({x.data(), shape.rows, shape.features}, count,
                                scratch(predictor.batch_workspace_bytes(count)), out)
                 .ok() ||
            batch != classes) {
          wrong.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(predictions, 16 * 60 * 200);
}

TEST(Threads, AnyNumberOfThreads) {
  const Work work;
  const std::vector<std::byte> want = work.run(1);
  ASSERT_FALSE(want.empty());
  for (const int threads : {8, 64, 300, 1'000'000}) {
    if (kUnderTsan && threads > 64) continue;
    EXPECT_EQ(work.run(threads), want) << threads;
  }
}

TEST(Threads, StartedAndEndedManyTimes) {
  const Work work;
  const std::vector<std::byte> want = work.run(2);
  ASSERT_FALSE(want.empty());
  const std::size_t before = thread_count();
  for (int cycle = 0; cycle < 30; ++cycle) {
    std::vector<std::byte> got;
    std::thread([&] { got = work.run(2); }).join();
    ASSERT_EQ(got, want) << "cycle " << cycle;
  }
  EXPECT_EQ(thread_count(), before) << "threads are left over";
}

TEST(Threads, ThreadsThatCannotBeMade) {
  if (kUnderTsan) GTEST_SKIP() << "ThreadSanitizer makes a thread of its own";
  std::size_t tested = 0;
  for (const char* limit : {"--threads-0", "--threads-1", "--threads-5", "--data-segment"}) {
    const bool of_memory = std::string(limit) == "--data-segment";
    const int code = of_memory && kUnderAsan ? kNotTestable : run_alone(limit);
    if (code == kNotTestable) {
      std::cout << "[ SKIPPED  ] " << limit << ": "
                << (of_memory && kUnderAsan ? "AddressSanitizer needs more" : "this system does not hold to the limit")
                << std::endl;
      continue;
    }
    EXPECT_EQ(code, 0) << limit;
    ++tested;
  }
  if (tested == 0) GTEST_SKIP() << "this system lets the process make threads in spite of its limits";
}

}  // namespace
}  // namespace lanemax::checks

int main(int argc, char** argv) {
  using namespace lanemax::checks;
  const std::string what = argc == 2 ? argv[1] : "";
  if (what.rfind("--threads-", 0) == 0) _exit(run_with_few_threads(static_cast<rlim_t>(std::stoi(what.substr(10)))));
  if (what == "--data-segment") _exit(run_with_small_data_segment());
  if (what == "--race") _exit(run_racing_choice());
  if (what == "--fork-first") _exit(run_fork_first());
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
