// SPDX-License-Identifier: BSD-3-Clause
#include "engine/thread_pool.hpp"

#include "engine/float_environment.hpp"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <cstddef>
#include <new>

namespace lanemax {
namespace {

inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns when `value` is no longer `old`. What other threads of a pass do in the meantime takes some microseconds if
/// they have a processor; to be woken takes up to 200, on a virtual one. If they have none, it takes milliseconds, and
/// this one's may be what they lack.
void wait_while(const std::atomic<int>& value, int old) noexcept {
  using Clock = std::chrono::steady_clock;
  constexpr auto kPatience = std::chrono::microseconds(200);
  constexpr int kLooks = 64;
  const Clock::time_point begin = Clock::now();
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      relax();
    }
  } while (Clock::now() - begin < kPatience);
  value.wait(old, std::memory_order_acquire);
}

/// A thread that outlives the calls that it works for.
struct Worker {
  enum State : int { idle, working, leaving };
  std::atomic<int> state{idle};
  pthread_t thread = {};
  Worker* next = nullptr;  // among those that are idle
  // of the work at hand
  void (*work)(void*, int, Crew&) = nullptr;
  void* context = nullptr;
  Crew* crew = nullptr;
  int rank = 0;

  void set(State now) noexcept {
    state.store(now, std::memory_order_release);
    state.notify_one();
  }
};

void* run_worker(void* self) noexcept {
  Worker& worker = *static_cast<Worker*>(self);
  for (;;) {
    wait_while(worker.state, Worker::idle);
    if (worker.state.load(std::memory_order_acquire) == Worker::leaving) return nullptr;
    {
      const FloatEnvironment environment;  // it has that of the thread that made it
      worker.work(worker.context, worker.rank, *worker.crew);
    }
    worker.set(Worker::idle);  // the crew may be gone from here on
  }
}

/// The idle workers of the process.
class Pool {
 public:
  /// An idle worker, or a new one; null where there can be none.
  Worker* take() noexcept {
    lock();
    Worker* worker = idle_;
    if (worker != nullptr) idle_ = worker->next;
    unlock();
    return worker != nullptr ? worker : make();
  }
  void give_back(Worker* worker) noexcept {
    lock();
    worker->next = idle_;
    idle_ = worker;
    unlock();
  }
  void lock() noexcept { pthread_mutex_lock(&mutex_); }
  void unlock() noexcept { pthread_mutex_unlock(&mutex_); }
  /// In a child after fork, where no worker is.
  void forget() noexcept { idle_ = nullptr; }
  /// Ends those that are idle.
  void close() noexcept {
    lock();
    Worker* worker = idle_;
    idle_ = nullptr;
    unlock();
    while (worker != nullptr) {
      Worker* const next = worker->next;
      worker->set(Worker::leaving);
      pthread_join(worker->thread, nullptr);
      delete worker;
      worker = next;
    }
  }

 private:
  static Worker* make() noexcept {
    Worker* const worker = new (std::nothrow) Worker;
    if (worker == nullptr) return nullptr;
    // The default, 8 MB, would leave a host with little memory none.
    constexpr std::size_t kStack = std::size_t{1} << 20;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    int failed = pthread_attr_init(&attributes);
    if (failed == 0) {
      pthread_attr_setstacksize(&attributes, kStack);
      pthread_sigmask(SIG_SETMASK, &all, &before);
      failed = pthread_create(&worker->thread, &attributes, run_worker, worker);
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      pthread_attr_destroy(&attributes);
    }
    if (failed == 0) return worker;
    delete worker;
    return nullptr;
  }

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  Worker* idle_ = nullptr;
};

constinit Pool pool;

// A fork between two instructions of take() would leave the child a locked pool.
const int at_fork_registered = pthread_atfork([] { pool.lock(); }, [] { pool.unlock(); },
                                              [] {
                                                pool.forget();
                                                pool.unlock();
                                              });

// When the process ends or the library is unloaded.
struct AtUnload {
  ~AtUnload() { pool.close(); }
} const at_unload;

}  // namespace

void Crew::meet() noexcept {
  const int meeting = meetings_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < size_) return wait_while(meetings_, meeting);
  next_.store(0, std::memory_order_relaxed);
  arrived_.store(0, std::memory_order_relaxed);
  meetings_.store(meeting + 1, std::memory_order_release);
  meetings_.notify_all();
}

void run_crew(int threads, void (*work)(void*, int, Crew&), void* context) noexcept {
  constexpr int kMost = 1024;
  Worker* hired[kMost];
  int count = 0;
  while (count + 1 < threads && count < kMost) {
    Worker* const worker = pool.take();
    if (worker == nullptr) break;
    hired[count++] = worker;
  }
  Crew crew(count + 1);
  for (int i = 0; i < count; ++i) {
    Worker& worker = *hired[i];
    worker.work = work;
    worker.context = context;
    worker.crew = &crew;
    worker.rank = i + 1;
    worker.set(Worker::working);
  }
  work(context, 0, crew);
  for (int i = 0; i < count; ++i) {
    wait_while(hired[i]->state, Worker::working);
    pool.give_back(hired[i]);
  }
}

}  // namespace lanemax
