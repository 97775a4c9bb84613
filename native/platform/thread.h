// A background thread that the process's signals never reach, and whose failure to start is an answer.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <functional>

#include "base/status.h"

namespace sealog {

class Thread {
 public:
  Thread() = default;
  ~Thread() { Join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Runs `body` on a new thread called `name` (at most 15 bytes). All signals but the synchronous ones are blocked in
  // it. REQUIRES: not running.
  Failure Start(const char* name, std::function<void()> body);
  // Waits for the end of it. Nothing happens if it is not running, nor in a forked child, which has only the thread
  // that forked.
  void Join();
  bool running() const { return running_; }

 private:
  pthread_t thread_{};
  uint32_t generation_ = 0;  // of forks
  bool running_ = false;
};

}  // namespace sealog
