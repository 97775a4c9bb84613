#include "platform/thread.h"

#include <csignal>
#include <memory>

#include "platform/fork.h"
#include "platform/syscall.h"

namespace sealog {
namespace {

struct Start {
  std::string name;
  std::function<void()> body;
};

void* Run(void* argument) {
  std::unique_ptr<Start> start(static_cast<Start*>(argument));
  pthread_setname_np(pthread_self(), start->name.c_str());
  start->body();
  return nullptr;
}

}  // namespace

Failure Thread::Start(const char* name, std::function<void()> body) {
  if (running_) return SystemFailure("clone", EBUSY);
  if (int injected = internal::EnterSyscall("clone"); injected != 0) return SystemFailure("clone", injected);
  auto start = std::make_unique<sealog::Start>();
  start->name = std::string(name).substr(0, 15);
  start->body = std::move(body);
  // The new thread inherits the mask. Faults stay: blocked ones would kill in spite of a guard.
  sigset_t all, before;
  sigfillset(&all);
  for (int fault : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread_, nullptr, Run, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return SystemFailure("clone", error);
  start.release();
  generation_ = ForkGeneration();
  running_ = true;
  return {};
}

void Thread::Join() {
  if (!running_) return;
  if (generation_ == ForkGeneration()) pthread_join(thread_, nullptr);
  running_ = false;
}

}  // namespace sealog
