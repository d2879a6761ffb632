// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_ONLINE_NEWEST_SLOT_HPP
#define LANEMAX_ENGINE_ONLINE_NEWEST_SLOT_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lanemax {

/// Which of some slots is the newest, and which of the others nobody looks at any more: one thread writes, any number
/// read, nobody waits.
///
/// One word holds the newest slot and how often it has been taken since it became that, so that a reader takes it and
/// says so in one operation. The writer learns the count when it puts another slot in its place; from then on the slot
/// is free once it has been given back as often.
class NewestSlot {
 public:
  /// May throw std::bad_alloc. Slot 0 is the newest.
  explicit NewestSlot(std::size_t slots) : slots_(slots) {}
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

  /// A reader's: the newest slot, which stays as it is until it is given back.
  [[nodiscard]] std::size_t take() noexcept { return slot_of(newest_.fetch_add(1, std::memory_order_acquire)); }
  void give_back(std::size_t slot) noexcept { slots_[slot].returned.fetch_add(1, std::memory_order_release); }

  /// The writer's: a slot to write to; size() if there is none.
  [[nodiscard]] std::size_t find_free() const noexcept {
    const std::size_t newest = slot_of(newest_.load(std::memory_order_relaxed));
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      if (slot == newest) continue;
      if (slots_[slot].returned.load(std::memory_order_acquire) == slots_[slot].taken) return slot;
    }
    return slots_.size();
  }
  /// The slot that has been written to becomes the newest.
  void put(std::size_t slot) noexcept {
    const std::uint64_t before = newest_.exchange(std::uint64_t{slot} << kCountBits, std::memory_order_acq_rel);
    slots_[slot_of(before)].taken += before & kCount;
  }

 private:
  static constexpr int kCountBits = 48;  // a reader a nanosecond would need three days
  static constexpr std::uint64_t kCount = (std::uint64_t{1} << kCountBits) - 1;
  [[nodiscard]] static std::size_t slot_of(std::uint64_t word) noexcept { return word >> kCountBits; }

  struct alignas(64) Slot {
    std::atomic<std::uint64_t> returned{0};
    std::uint64_t taken = 0;  // the writer's: while it was the newest before
  };
  std::vector<Slot> slots_;
  alignas(64) std::atomic<std::uint64_t> newest_{0};
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
};

}  // namespace lanemax

#endif
