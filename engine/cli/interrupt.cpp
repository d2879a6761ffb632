// SPDX-License-Identifier: BSD-3-Clause
#include "engine/cli/interrupt.hpp"

#include <signal.h>

#include <atomic>

namespace lanemax::cli {
namespace {

std::atomic<int> noted{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void note_signal(int number) {
  int none = 0;
  noted.compare_exchange_strong(none, number);
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &by_default, nullptr);
  ::sigaction(SIGTERM, &by_default, nullptr);
}

void note(int number) {
  struct sigaction before{};
  if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) return;
  struct sigaction action{};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  // Two signals at once come one after the other, so that the second finds its default action.
  ::sigemptyset(&action.sa_mask);
  ::sigaddset(&action.sa_mask, SIGINT);
  ::sigaddset(&action.sa_mask, SIGTERM);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

void note_interrupts() noexcept {
  note(SIGINT);
  note(SIGTERM);
}

int noted_interrupt() noexcept {
  return noted.load();
}

}  // namespace lanemax::cli
