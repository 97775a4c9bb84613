// The store's lock: one writer, alone in the store but for the time in which it waits for the device, and readers,
// any number at once.
//
// A reader marks a counter of its own thread, in a cache line of its own, and looks whether readers are kept out; the
// writer keeps them out, and waits until all counters are zero (a big-reader lock, as brlock in Linux). Either sees the
// other, since each stores before it loads, sequentially consistent. So readers share no line that any of them writes.
//
// Who finds it taken spins for a moment, since it is held for microseconds, before it sleeps. Nobody starves: a writer
// keeps out the readers that come after it; and readers that have fallen asleep go before the next writer.
//
// A thread that reads must not lock in any way: it would wait for itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "platform/guard.h"

namespace sealog {

namespace internal {
// Which counter is this thread's, and one more; 0: not chosen yet.
extern constinit thread_local uint32_t reader_slot SEALOG_GUARD_TLS;
}  // namespace internal

class WriterLock {
 public:
  // --- the writer
  void lock() {
    uint32_t free = 0;
    if (!word_.compare_exchange_strong(free, kHeld | kShut)) [[unlikely]]
      LockSlowly();
    AwaitReaders();
  }
  bool try_lock() {
    uint32_t free = 0;
    if (!word_.compare_exchange_strong(free, kHeld | kShut)) return false;
    AwaitReaders();
    return true;
  }
  void unlock() {
    word_.fetch_and(~(kHeld | kShut));
    if (sleeping_.load() != 0) [[unlikely]]
      Wake();
  }
  // Between these two readers are inside, and the lock is still the writer's. REQUIRES: what readers look at is whole,
  // and left alone meanwhile. The second may be called without the first.
  void LetReadersIn();
  void KeepReadersOut() {
    word_.fetch_or(kShut);
    AwaitReaders();
  }
  // Lets those go first who wait for it now, or for a moment at least. REQUIRES: not held.
  void GiveWay() const;

  // --- a reader
  void lock_shared() {
    Slot* slot = MySlot();
    slot->inside.fetch_add(1);
    if ((word_.load() & kShut) != 0) [[unlikely]]
      EnterSlowly(slot);
  }
  void unlock_shared() {
    MySlot()->inside.fetch_sub(1);
    if ((word_.load() & kAwaited) != 0) [[unlikely]]
      Left();
  }

 private:
  // Of `word_`: a writer has it; readers are kept out; it sleeps until they have left; and no writer may take it before
  // the readers that are asleep.
  static constexpr uint32_t kHeld = 1, kShut = 2, kAwaited = 4, kReadersFirst = 8;
  // Threads beyond this number share counters.
  static constexpr uint32_t kSlots = 16;
  struct alignas(128) Slot {  // lines come in pairs
    std::atomic<uint32_t> inside{0};
  };

  Slot* MySlot() {
    const uint32_t slot = internal::reader_slot;
    return &slots_[slot != 0 ? slot - 1 : ChooseSlot()];
  }
  // A thread that is counted in `reader_threads` after this has looked sees that readers are kept out.
  void AwaitReaders() {
    const uint32_t used = std::min(reader_threads.load(), kSlots);
    for (uint32_t i = 0; i < used; ++i) {
      if (slots_[i].inside.load() != 0) [[unlikely]]
        AwaitSlowly(slots_[i]);
    }
  }
  static uint32_t ChooseSlot();
  void LockSlowly();
  void AwaitSlowly(const Slot& slot);
  void EnterSlowly(Slot* slot);
  void Left();
  void Wake();

  static std::atomic<uint32_t> reader_threads;  // that there have ever been

  alignas(128) std::atomic<uint32_t> word_{0};
  std::atomic<uint32_t> sleeping_{0};  // readers and writers
  std::atomic<int> waiting_{0};        // the same, and those who spin
  std::mutex sleep_;
  std::condition_variable readers_, writers_, left_;
  uint32_t readers_asleep_ = 0, writers_asleep_ = 0;
  Slot slots_[kSlots];
};

}  // namespace sealog
