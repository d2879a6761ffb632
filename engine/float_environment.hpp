// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FLOAT_ENVIRONMENT_HPP
#define LANEMAX_ENGINE_FLOAT_ENVIRONMENT_HPP

#include <cstdint>

namespace lanemax {

/// While it lives, this thread computes as every result here is defined: to the nearest, subnormals kept, no traps.
/// Then the thread has again what its program wants of it: audio and games flush subnormals to 0, others round up or
/// down. Every public call that computes has one, and every thread that works for it.
class FloatEnvironment {
 public:
  FloatEnvironment() noexcept : callers_(get()) {
    if (!is_default(callers_)) set(kDefault);
  }
  ~FloatEnvironment() {
    if (!is_default(callers_)) set(callers_);
  }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
#if defined(__x86_64__)
  using Control = std::uint32_t;  // MXCSR, whose last six bits say what has happened
  static constexpr Control kDefault = 0x1F80, kHappened = 0x3F;
  static Control get() noexcept { return __builtin_ia32_stmxcsr(); }
  static void set(Control control) noexcept { __builtin_ia32_ldmxcsr(control); }
#elif defined(__aarch64__)
  using Control = std::uint64_t;  // FPCR
  static constexpr Control kDefault = 0, kHappened = 0;
  static Control get() noexcept {
    Control control;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void set(Control control) noexcept { asm volatile("msr fpcr, %0" : : "r"(control)); }
#endif
  static bool is_default(Control control) noexcept { return (control & ~kHappened) == kDefault; }

  Control callers_;
};

}  // namespace lanemax

#endif
