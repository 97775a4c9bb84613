// Fork without exec. The child has copies of everything but the threads: mappings, descriptors with their locks,
// mutexes as they were held. Whoever has such things registers here, and gives them up in the child before fork()
// returns there. No operation has to ask whether it is in a child.
//
// Seen are fork() and what calls it; not _Fork(), a bare clone(), nor vfork() and posix_spawn(), which exec at once.
#pragma once

#include <cstdint>

namespace sealog {

// Calls `handler(context)` in every child that is forked while this lives, on the only thread that it has. The handler
// must wait for nothing: what it would wait for is not there.
class ForkWatch {
 public:
  using Handler = void (*)(void* context);
  ForkWatch(Handler handler, void* context);
  ~ForkWatch();
  ForkWatch(const ForkWatch&) = delete;
  ForkWatch& operator=(const ForkWatch&) = delete;

 private:
  friend struct ForkWatches;
  Handler handler_;
  void* context_;
  ForkWatch* next_ = nullptr;
  ForkWatch* previous_ = nullptr;
};

// How many forks this process is away from one that was started by exec, counted since the first ForkWatch or Thread.
uint32_t ForkGeneration();

}  // namespace sealog
