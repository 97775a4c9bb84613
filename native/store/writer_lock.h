// The writer's lock. Who finds it taken spins for a moment, since it is held for microseconds, before it sleeps; who
// holds it in a long run of short pieces of work sees that somebody waits, and lets go.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

namespace sealog {

class WriterLock {
 public:
  void lock() {
    if (mutex_.try_lock()) [[likely]]
      return;
    waiting_.fetch_add(1, std::memory_order_relaxed);
    static const bool alone = std::thread::hardware_concurrency() < 2;
    bool locked = false;
    for (int i = 0; i < kSpins && !locked && !alone; ++i) {
      for (int k = 0; k < kPauses; ++k) Pause();
      locked = mutex_.try_lock();
    }
    if (!locked) mutex_.lock();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

  // Lets those go first who wait for it now, or for a moment at least. REQUIRES: not held.
  void GiveWay() const {
    for (int i = 0; i < kSpins * kPauses && waiting_.load(std::memory_order_relaxed) != 0; ++i) Pause();
  }

 private:
  static constexpr int kSpins = 200, kPauses = 4;  // 30 us or so

  static void Pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex mutex_;
  std::atomic<int> waiting_{0};
};

}  // namespace sealog
