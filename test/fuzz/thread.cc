// Thread for the fuzzers, in place of native/platform/thread.cc: threads are kept from one input to the next. A body
// that was not begun when it is joined runs where it is joined.
#include "platform/thread.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

// Coverage is that of the core.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

namespace sealog {
namespace {

class Worker {
 public:
  Worker() {
    std::thread([this] { Serve(); }).detach();
  }

  void Start(std::function<void()> body) {
    const std::lock_guard guard(lock_);
    body_ = std::move(body);
    change_.notify_all();
  }
  void Join() {
    std::unique_lock guard(lock_);
    if (std::function<void()> body = std::exchange(body_, nullptr)) {
      guard.unlock();
      body();
      return;
    }
    change_.wait(guard, [this] { return !busy_; });
  }

 private:
  [[noreturn]] void Serve() {
    std::unique_lock guard(lock_);
    for (;;) {
      change_.wait(guard, [this] { return body_ != nullptr; });
      std::function<void()> body = std::exchange(body_, nullptr);
      busy_ = true;
      guard.unlock();
      body();
      guard.lock();
      busy_ = false;
      change_.notify_all();
    }
  }

  std::mutex lock_;
  std::condition_variable change_;
  std::function<void()> body_;
  bool busy_ = false;
};

// Stores are opened and closed by one thread.
std::vector<Worker*> idle;

}  // namespace

static_assert(sizeof(pthread_t) == sizeof(Worker*));

Failure Thread::Start(const char*, std::function<void()> body) {
  if (idle.empty()) idle.push_back(new Worker);
  Worker* worker = idle.back();
  idle.pop_back();
  worker->Start(std::move(body));
  thread_ = reinterpret_cast<pthread_t>(worker);
  running_ = true;
  return {};
}

void Thread::Join() {
  if (!running_) return;
  auto* worker = reinterpret_cast<Worker*>(thread_);
  worker->Join();
  idle.push_back(worker);
  running_ = false;
}

}  // namespace sealog

#pragma clang attribute pop
