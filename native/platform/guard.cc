#include "platform/guard.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <csignal>
#include <cstring>
#include <mutex>
#include <new>

#include "platform/mapping.h"
#include "platform/syscall.h"

namespace sealog {

namespace internal {
constinit thread_local GuardFrame* volatile guard_frame SEALOG_GUARD_TLS = nullptr;
}  // namespace internal

namespace {

// Who handled SIGBUS before us; immutable once published, so that the handler reads it without a lock. Never freed.
struct Previous {
  struct sigaction action;
  const Previous* older;
};
std::atomic<const Previous*> previous{nullptr};

// The chaining under way on this thread, to notice a handler that was installed over ours and chains back to us.
struct Chaining {
  siginfo_t* info;
  uintptr_t frame;
};
constinit thread_local volatile Chaining chaining SEALOG_GUARD_TLS = {nullptr, 0};

// As if nobody handled SIGBUS. For a fault: returns to it, and it kills. Not through the gate: this is the end.
void Default(const siginfo_t* info) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGBUS, &action, nullptr);
  if (info->si_code <= 0) raise(SIGBUS);  // sent by kill: nothing raises it again
}

__attribute__((noinline)) void Chain(const Previous* to, int signal, siginfo_t* info, void* context) {
  auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  // The same signal again, further down the stack: whom we called called us. (One that jumped out instead leaves
  // `chaining` behind; but then a later signal has its siginfo elsewhere, or is not deeper.) Skip it, for whoever was
  // there before it.
  if (to != nullptr && chaining.info == info && here < chaining.frame) to = to->older;
  if (to == nullptr) return Default(info);
  const struct sigaction& action = to->action;
  if ((action.sa_flags & SA_SIGINFO) == 0) {
    if (action.sa_handler == SIG_DFL) return Default(info);
    if (action.sa_handler == SIG_IGN) {
      if (info->si_code > 0) Default(info);  // the kernel does not ignore faults either
      return;
    }
  }
  chaining.info = info;
  chaining.frame = here;
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
  chaining.info = nullptr;
}

// The mask of the code that faulted. Ours blocks nothing (SA_NODEFER), but who was called first and chained to us may
// have: left blocked, the next fault would kill.
void RestoreMask(const void* context) {
  sigset_t mask;
  sigemptyset(&mask);
  memcpy(&mask, &static_cast<const ucontext_t*>(context)->uc_sigmask, 8);  // all that the kernel wrote
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

// Newest first. Entries are added, and used again, never taken out.
std::atomic<Forgiven*> forgiven{nullptr};

// Whether the fault was in what is forgiven. mmap is a system call and nothing else here, so a handler may make it.
bool ForgiveFault(uintptr_t address) {
  for (Forgiven* f = forgiven.load(std::memory_order_acquire); f != nullptr; f = f->older) {
    if (address - f->first.load(std::memory_order_relaxed) >= f->bytes.load(std::memory_order_acquire)) continue;
    const uintptr_t page_bytes = PageBytes();
    void* page = reinterpret_cast<void*>(address & ~(page_bytes - 1));
    const int saved = errno;
    void* mapped = mmap(page, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
    if (mapped == MAP_FAILED) return false;
    f->faults.fetch_add(1, std::memory_order_release);
    return true;
  }
  return false;
}

void OnSigbus(int signal, siginfo_t* info, void* context) {
  if (info->si_code > 0) {  // from the kernel, with an address
    auto address = reinterpret_cast<uintptr_t>(info->si_addr);
    for (internal::GuardFrame* frame = internal::guard_frame; frame != nullptr; frame = frame->outer) {
      if (address - frame->first < frame->bytes) {
        internal::guard_frame = frame->outer;
        RestoreMask(context);
        siglongjmp(frame->resume, 1);
      }
    }
    if (ForgiveFault(address)) return;
  }
  Chain(previous.load(std::memory_order_acquire), signal, info, context);
}

bool IsOurs(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == OnSigbus;
}

}  // namespace

bool Forgive(void* base, size_t bytes, Forgiven** entry) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  Forgiven* f = *entry;
  if (bytes == 0) {
    if (f != nullptr) f->bytes.store(0, std::memory_order_release);
    *entry = nullptr;
    return true;
  }
  // One that is not used, or a new one.
  if (f == nullptr) {
    for (f = forgiven.load(std::memory_order_relaxed); f != nullptr && f->bytes != 0;) f = f->older;
  }
  const bool fresh = f == nullptr;
  if (fresh) f = new (std::nothrow) Forgiven;
  if (f == nullptr) return false;
  f->faults = 0;
  f->first.store(reinterpret_cast<uintptr_t>(base), std::memory_order_relaxed);
  f->bytes.store(bytes, std::memory_order_release);
  if (fresh) {
    f->older = forgiven.load(std::memory_order_relaxed);
    forgiven.store(f, std::memory_order_release);
  }
  static_cast<void>(PageBytes());  // known before a handler asks
  *entry = f;
  return true;
}

Failure EnsureGuardHandler() {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  struct sigaction current;
  if (internal::Syscall("sigaction", [&] { return sigaction(SIGBUS, nullptr, &current); }) != 0) {
    return SystemFailure("sigaction", errno);
  }
  if (IsOurs(current)) return {};
  // Known before it can be called: a fault right after the switch must find whom to chain to.
  const Previous* last = previous.load(std::memory_order_relaxed);
  const bool known = last != nullptr && last->action.sa_flags == current.sa_flags &&
                     ((current.sa_flags & SA_SIGINFO) != 0 ? last->action.sa_sigaction == current.sa_sigaction
                                                           : last->action.sa_handler == current.sa_handler);
  if (!known) {
    const auto* entry = new (std::nothrow) Previous{current, last};
    if (entry == nullptr) return SystemFailure("sigaction", ENOMEM);
    previous.store(entry, std::memory_order_release);
  }
  struct sigaction action = {};
  action.sa_sigaction = OnSigbus;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (internal::Syscall("sigaction", [&] { return sigaction(SIGBUS, &action, nullptr); }) != 0) {
    return SystemFailure("sigaction", errno);
  }
  return {};
}

}  // namespace sealog
