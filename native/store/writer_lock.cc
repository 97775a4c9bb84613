#include "store/writer_lock.h"

#include <thread>

namespace sealog {

namespace internal {
constinit thread_local uint32_t reader_slot SEALOG_GUARD_TLS = 0;
}  // namespace internal

namespace {

constexpr int kSpins = 200, kPauses = 4;  // 30 us or so

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Whether `ready()` comes true within a moment.
template <class F>
bool Spin(F&& ready) {
  static const bool alone = std::thread::hardware_concurrency() < 2;
  for (int i = 0; i < kSpins && !alone; ++i) {
    for (int k = 0; k < kPauses; ++k) Pause();
    if (ready()) return true;
  }
  return false;
}

}  // namespace

constinit std::atomic<uint32_t> WriterLock::reader_threads{0};

uint32_t WriterLock::ChooseSlot() {
  const uint32_t slot = reader_threads.fetch_add(1) % kSlots;
  internal::reader_slot = slot + 1;
  return slot;
}

void WriterLock::LockSlowly() {
  const auto take = [this] {
    uint32_t free = 0;
    return word_.load(std::memory_order_relaxed) == 0 && word_.compare_exchange_strong(free, kHeld | kShut);
  };
  waiting_.fetch_add(1, std::memory_order_relaxed);
  if (!Spin(take)) {
    std::unique_lock<std::mutex> guard(sleep_);
    ++writers_asleep_;
    sleeping_.fetch_add(1);
    writers_.wait(guard, [this] {
      uint32_t free = 0;
      return word_.compare_exchange_strong(free, kHeld | kShut);
    });
    sleeping_.fetch_sub(1);
    --writers_asleep_;
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
}

void WriterLock::AwaitSlowly(const Slot& slot) {
  const auto empty = [&slot] { return slot.inside.load() == 0; };
  if (Spin(empty)) return;
  std::unique_lock<std::mutex> guard(sleep_);
  word_.fetch_or(kAwaited);
  left_.wait(guard, empty);
  word_.fetch_and(~kAwaited);
}

// REQUIRES: counted, and readers are kept out.
void WriterLock::EnterSlowly(Slot* slot) {
  const auto enter = [this, slot] {
    if ((word_.load(std::memory_order_relaxed) & kShut) != 0) return false;
    slot->inside.fetch_add(1);
    if ((word_.load() & kShut) == 0) return true;
    unlock_shared();
    return false;
  };
  unlock_shared();
  waiting_.fetch_add(1, std::memory_order_relaxed);
  if (!Spin(enter)) {
    std::unique_lock<std::mutex> guard(sleep_);
    ++readers_asleep_;
    sleeping_.fetch_add(1);
    for (;;) {
      slot->inside.fetch_add(1);
      if ((word_.load() & kShut) == 0) break;
      slot->inside.fetch_sub(1);
      left_.notify_one();
      readers_.wait(guard);
    }
    sleeping_.fetch_sub(1);
    if (--readers_asleep_ == 0) {
      word_.fetch_and(~kReadersFirst);
      if (writers_asleep_ != 0) writers_.notify_one();
    }
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
}

void WriterLock::Left() {
  std::lock_guard<std::mutex> guard(sleep_);
  left_.notify_one();
}

void WriterLock::Wake() {
  std::lock_guard<std::mutex> guard(sleep_);
  if (readers_asleep_ != 0) {
    // The last of them to wake lets writers go on.
    word_.fetch_or(kReadersFirst);
    readers_.notify_all();
  } else if (writers_asleep_ != 0) {
    writers_.notify_one();
  }
}

void WriterLock::LetReadersIn() {
  word_.fetch_and(~kShut);
  if (sleeping_.load() == 0) return;
  std::lock_guard<std::mutex> guard(sleep_);
  readers_.notify_all();
}

void WriterLock::GiveWay() const {
  for (int i = 0; i < kSpins * kPauses && waiting_.load(std::memory_order_relaxed) != 0; ++i) Pause();
}

}  // namespace sealog
