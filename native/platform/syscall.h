// The gate: every system call of this layer is counted here, and a test can make any of them fail.
// Not: those of the SIGBUS handler itself, and what the C library does on its own account.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "base/status.h"

namespace sealog {

// How many system calls went through this layer since the process began. A test takes the difference around an
// operation to prove that it made none.
uint64_t SyscallCount();

// A fault point: called before each system call with its name (a static string, "pwrite"); the answer is the errno to
// fail with instead of making the call, 0 to go on. close, munmap and unlink are made all the same, as their callers
// rely on it. Called on whatever thread makes the call. Returns the hook that was there; nullptr removes it.
using SyscallHook = int (*)(const char* syscall);
SyscallHook SetSyscallHook(SyscallHook hook);

// What the caller is told when `syscall` (a static string) failed with `error_number`.
Failure SystemFailure(const char* syscall, int error_number, std::string detail = {});

namespace internal {

// Counts, and asks the hook. Returns the errno to inject, 0 for none.
int EnterSyscall(const char* name);

// Makes `call` unless a fault is injected. -1 and errno on failure, whatever the integer type.
template <class Call>
auto Syscall(const char* name, Call&& call) -> decltype(call()) {
  if (int injected = EnterSyscall(name); __builtin_expect(injected != 0, 0)) {
    errno = injected;
    return static_cast<decltype(call())>(-1);
  }
  return std::forward<Call>(call)();
}

// The same, made again for as long as it fails with EINTR. An injected EINTR is seen by the caller's loop like a real
// one.
template <class Call>
auto RestartedSyscall(const char* name, Call&& call) -> decltype(call()) {
  for (;;) {
    auto result = Syscall(name, call);
    if (result != static_cast<decltype(result)>(-1) || errno != EINTR) return result;
  }
}

}  // namespace internal
}  // namespace sealog
