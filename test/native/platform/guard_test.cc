// SIGBUS: a truncated file costs an answer, not the process; a fault that is not ours still kills.
#include "platform/guard.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "platform/mapping.h"
#include "platform/scratch.h"

namespace sealog::test {
namespace {

constexpr size_t kBytes = 64 << 10;

class GuardTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(EnsureGuardHandler().ok());
    file_ = MakeFile(dir_ / "f", kBytes, 7);
    ASSERT_TRUE(Mapping::Reserve(kBytes, &mapping_).ok());
    ASSERT_TRUE(mapping_.Map(file_, 0, kBytes, MapMode::kShared).ok());
  }
  void Truncate() { ASSERT_TRUE(file_.Truncate(4096).ok()); }
  GuardScope scope() const { return {mapping_.base(), kBytes}; }
  volatile uint8_t* base() const { return mapping_.base(); }

  TempDirectory dir_{MemoryDirectory()};
  File file_;
  Mapping mapping_;
};

// What a child that runs `body` ends with: a signal number, or 1000 + its exit code. An endless loop ends by SIGALRM.
template <class Body>
int FateOf(Body body) {
  fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    alarm(10);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 1000 + WEXITSTATUS(status);
}

// Under ASan the handler there before ours reports and exits; without, the default kills.
void ExpectKilled(int fate) { EXPECT_TRUE(fate == SIGBUS || fate == SIGABRT || (fate > 1000 && fate != 1007)) << fate; }

TEST_F(GuardTest, WithoutAFaultItIsTransparent) {
  int sum = 0;
  EXPECT_TRUE(Guarded(scope(), [&] { sum = base()[0] + base()[kBytes - 1]; }));
  EXPECT_EQ(sum, 14);
  EXPECT_EQ(internal::guard_frame, nullptr);
}

TEST_F(GuardTest, TruncationUnderTheMappingIsAnAnswer) {
  Truncate();
  for (int i = 0; i < 1000; ++i) {
    volatile int reached = 0;
    EXPECT_FALSE(Guarded(scope(), [&] {
      reached = 1;
      (void)base()[8192];
      reached = 2;
    }));
    EXPECT_EQ(reached, 1);
    EXPECT_FALSE(Guarded(scope(), [&] { base()[8192] = 1; }));
    EXPECT_TRUE(Guarded(scope(), [&] { base()[0] = 1; }));
  }
  EXPECT_EQ(internal::guard_frame, nullptr);
}

TEST_F(GuardTest, WorksInEveryThread) {
  Truncate();
  std::atomic<int> caught{0};
  auto body = [&](size_t offset) {
    for (int i = 0; i < 200; ++i) {
      if (!Guarded(scope(), [&] { base()[offset] = 1; })) caught.fetch_add(1);
    }
  };
  std::thread one(body, 8192), two(body, 16384);
  one.join();
  two.join();
  EXPECT_EQ(caught.load(), 400);
}

TEST_F(GuardTest, WorksOnAnAlternateStack) {
  std::vector<uint8_t> memory(64 << 10);
  stack_t stack = {}, before;
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  ASSERT_EQ(sigaltstack(&stack, &before), 0);
  Truncate();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(Guarded(scope(), [&] { base()[8192] = 1; }));
  sigaltstack(&before, nullptr);
}

TEST_F(GuardTest, NestsAndTheInnermostThatCoversTheAddressEnds) {
  Truncate();
  int after_inner = 0;
  EXPECT_TRUE(Guarded(scope(), [&] {
    if (!Guarded(scope(), [&] { base()[8192] = 1; })) after_inner = 1;
  }));
  EXPECT_EQ(after_inner, 1);

  File other_file = MakeFile(dir_ / "g", kBytes, 1);
  Mapping other;
  ASSERT_TRUE(Mapping::Reserve(kBytes, &other).ok());
  ASSERT_TRUE(other.Map(other_file, 0, kBytes, MapMode::kShared).ok());
  volatile int after_other = 0;
  EXPECT_FALSE(Guarded(scope(), [&] {
    (void)Guarded({other.base(), kBytes}, [&] { base()[8192] = 1; });
    after_other = 1;
  }));
  EXPECT_EQ(after_other, 0);
  EXPECT_EQ(internal::guard_frame, nullptr);
}

TEST_F(GuardTest, AFaultOutsideAnyGuardKills) {
  Truncate();
  ExpectKilled(FateOf([&] { base()[8192] = 1; }));
}

TEST_F(GuardTest, AFaultOutsideTheScopeKills) {
  Truncate();
  ExpectKilled(FateOf([&] { _exit(Guarded({mapping_.base(), 4096}, [&] { base()[8192] = 1; }) ? 7 : 7); }));
}

TEST_F(GuardTest, ASignalSentByKillIsNotAFault) {
  ExpectKilled(FateOf([&] { (void)Guarded(scope(), [&] { raise(SIGBUS); }); }));
}

void ExitWithFortyTwo(int) { _exit(42); }
void ExitIfInfo(int, siginfo_t* info, void*) { _exit(info->si_addr != nullptr ? 43 : 1); }

TEST_F(GuardTest, ChainsToTheHandlerThatWasThere) {
  Truncate();
  EXPECT_EQ(FateOf([&] {
              signal(SIGBUS, ExitWithFortyTwo);
              if (!EnsureGuardHandler().ok() || Guarded(scope(), [&] { base()[8192] = 1; })) _exit(1);
              base()[8192] = 1;
            }),
            1042);
  EXPECT_EQ(FateOf([&] {
              struct sigaction action = {};
              action.sa_sigaction = ExitIfInfo;
              action.sa_flags = SA_SIGINFO;
              sigaction(SIGBUS, &action, nullptr);
              if (!EnsureGuardHandler().ok() || Guarded(scope(), [&] { base()[8192] = 1; })) _exit(1);
              base()[8192] = 1;
            }),
            1043);
}

TEST_F(GuardTest, ComesBackAfterSomebodyTookTheSignal) {
  Truncate();
  EXPECT_EQ(FateOf([&] {
              signal(SIGBUS, SIG_DFL);
              if (!EnsureGuardHandler().ok()) _exit(1);
              _exit(Guarded(scope(), [&] { base()[8192] = 1; }) ? 2 : 0);
            }),
            1000);
  const uint64_t before = SyscallCount();
  ASSERT_TRUE(EnsureGuardHandler().ok());
  EXPECT_EQ(SyscallCount() - before, 1u);  // in place: one look
}

struct sigaction below_theirs;
void TheirsChainingToOurs(int signal, siginfo_t* info, void* context) {
  below_theirs.sa_sigaction(signal, info, context);
}

TEST_F(GuardTest, TwoHandlersThatChainToEachOtherDoNotLoop) {
  Truncate();
  ExpectKilled(FateOf([&] {
    struct sigaction action = {};
    action.sa_sigaction = TheirsChainingToOurs;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGBUS, &action, &below_theirs);
    if (!EnsureGuardHandler().ok() || Guarded(scope(), [&] { base()[8192] = 1; })) _exit(7);
    base()[8192] = 1;
    _exit(7);
  }));
}

TEST_F(GuardTest, AHandlerOverOursThatBlocksSignalsDoesNotLeaveThemBlocked) {
  Truncate();
  EXPECT_EQ(FateOf([&] {
              struct sigaction action = {};
              action.sa_sigaction = TheirsChainingToOurs;
              action.sa_flags = SA_SIGINFO;  // without SA_NODEFER
              sigfillset(&action.sa_mask);
              sigaction(SIGBUS, &action, &below_theirs);
              for (volatile int round = 0; round < 5;) {
                round = round + 1;
                if (Guarded(scope(), [&] { base()[8192] = 1; })) _exit(1);
              }
              sigset_t mask;
              pthread_sigmask(SIG_SETMASK, nullptr, &mask);
              _exit(sigismember(&mask, SIGTERM) ? 2 : 0);
            }),
            1000);
}

sigjmp_buf their_resume;
void TheirsJumpingOut(int) { siglongjmp(their_resume, 1); }

TEST_F(GuardTest, AHandlerThatJumpsOutKeepsWorkingBelowOurs) {
  Truncate();
  EXPECT_EQ(FateOf([&] {
              struct sigaction action = {};
              action.sa_handler = TheirsJumpingOut;
              action.sa_flags = SA_NODEFER;
              sigaction(SIGBUS, &action, nullptr);
              if (!EnsureGuardHandler().ok()) _exit(1);
              volatile int caught = 0;
              for (volatile int round = 0; round < 5;) {
                round = round + 1;
                if (sigsetjmp(their_resume, 1) == 0) {  // TSan blocks signals in every handler
                  base()[8192] = 1;
                } else {
                  caught = caught + 1;
                }
              }
              _exit(caught == 5 ? 0 : 2);
            }),
            1000);
}

TEST_F(GuardTest, CostsNanosecondsAndNoSystemCall) {
  constexpr int kRounds = 1000000;
  const uint64_t calls = SyscallCount();
  uint64_t sum = 0;
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) {
    if (!Guarded(scope(), [&] { sum += base()[i & 4095]; })) break;
  }
  double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kRounds;
  printf("a guard costs %.1f ns\n", ns);
  EXPECT_EQ(sum, 7ull * kRounds);
  EXPECT_EQ(SyscallCount(), calls);
  EXPECT_LT(ns, 1000);  // a save of the signal mask would show; the rest is for benches
}

}  // namespace
}  // namespace sealog::test
