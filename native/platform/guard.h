// SIGBUS turned into an answer. A truncated file, a hole on a full file system and a bad line of memory all show as
// SIGBUS at the instruction that touches the mapping; inside a guard the access ends there and the process goes on.
//
//   if (!Guarded({region.base(), region.bytes()}, [&] { sum = Crc32c(seed, p, n); })) return Status::kMedia;
//
// Cost: a sigsetjmp and two stores of a thread-local pointer (7 ns), no system call. Guard a whole operation,
// not a load.
#pragma once

#include <atomic>
#include <csetjmp>
#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace sealog {

// The addresses whose faults are ours. Any other SIGBUS goes to whoever handled it before, and kills if nobody did.
struct GuardScope {
  const void* base;
  size_t bytes;
};

// Installs the handler, or finds it in place: call at every store open, since node or another addon may have replaced
// it. One sigaction when nothing changed. The handler found there is chained to, and may itself chain to ours.
Failure EnsureGuardHandler();

// Addresses that are read outside of any guard, by JavaScript: a fault there puts a page of zeros in the place of the
// one that cannot be read, is counted, and the reader goes on.
struct Forgiven {
  std::atomic<uintptr_t> first{0};
  std::atomic<size_t> bytes{0};
  std::atomic<uint64_t> faults{0};
  Forgiven* older = nullptr;
};
// Forgives faults in [base, base + bytes) from now on; with 0 bytes: no more, and `*entry` may be used by another.
// False: no memory. Entries are never freed, since a handler may be looking at them.
bool Forgive(void* base, size_t bytes, Forgiven** entry);

namespace internal {

struct GuardFrame {
  uintptr_t first;
  uintptr_t bytes;
  GuardFrame* outer;
  sigjmp_buf resume;
};

// Initial-exec, so that the handler reaches it without the allocation a lazy TLS block would need (glibc keeps room for
// libraries that are loaded late; musl does not).
#if defined(__GLIBC__)
#define SEALOG_GUARD_TLS __attribute__((tls_model("initial-exec")))
#else
#define SEALOG_GUARD_TLS
#endif
extern constinit thread_local GuardFrame* volatile guard_frame SEALOG_GUARD_TLS;

}  // namespace internal

// Runs `f()`. True if it ran to its end; false if a SIGBUS inside `scope` cut it off, anywhere, without unwinding.
// So `f` must own nothing: no lock taken inside, no destructor that matters, no allocation that is not reachable from
// outside, and whatever it was writing is half written. Variables that it changes live outside it, and their values are
// then indeterminate.
// Nests: a fault ends the innermost guard that covers the address. REQUIRES: EnsureGuardHandler() ran.
template <class F>
[[nodiscard]] __attribute__((noinline)) bool Guarded(GuardScope scope, F&& f) {
  internal::GuardFrame frame;
  frame.first = reinterpret_cast<uintptr_t>(scope.base);
  frame.bytes = scope.bytes;
  frame.outer = internal::guard_frame;
  if (sigsetjmp(frame.resume, 0) != 0) return false;  // the handler has put frame.outer back
  internal::guard_frame = &frame;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // no access of f moves out of the guard
  f();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  internal::guard_frame = frame.outer;
  return true;
}

}  // namespace sealog
