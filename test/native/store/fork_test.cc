// A child that was forked without exec has copies of its parent's stores. It gets an answer, changes nothing, waits for
// nothing, and neither takes the parent's lock away nor keeps it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "platform/lock_holder.h"
#include "store/registry.h"
#include "support/store_test.h"

namespace sealog::test {
namespace {

// The first of these that does not hold, counted from 1, is the child's exit status. Whoever hangs is killed.
class Checks {
 public:
  void That(bool holds) {
    ++count_;
    if (!holds && failed_ == 0) failed_ = count_;
  }
  int failed() const { return failed_; }

 private:
  int count_ = 0, failed_ = 0;
};

int InChild(const std::function<void(Checks*)>& body) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    Checks checks;
    body(&checks);
    _exit(checks.failed());
  }
  int status = -1;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

Status StatusOfOpening(const std::string& path) {
  std::unique_ptr<Region> region;
  return Region::Open(path, {}, &region).status;
}

class Fork : public StoreTest {
 protected:
  void SetUp() override {
    Create(16 << 20);
    ASSERT_EQ(Put("before", "1"), Status::kOk);
  }
  Status Put(const std::string& key, const std::string& value) {
    uint64_t version;
    return store_->Put(kTreeUser, BytesOf(key), BytesOf(value), false, &version);
  }
  Status Get(const std::string& key) {
    uint8_t value[16];
    return store_->Get(kTreeUser, BytesOf(key), value, sizeof value).status;
  }
};

TEST_F(Fork, TheChildIsRefusedAndTheParentGoesOn) {
  uint64_t lsn, value, pinned;
  const uint64_t snapshot = store_->OpenSnapshot(&lsn);
  ASSERT_EQ(store_->BeginValue(kTreeUser, BytesOf("streamed"), &value), Status::kOk);
  ASSERT_EQ(store_->AppendValue(value, BytesOf("piece")), Status::kOk);
  ASSERT_EQ(store_->PinState(&pinned), Status::kOk);
  const int failed = InChild([&](Checks* checks) {
    uint64_t version, pin, count;
    Removed removed;
    checks->That(store_->forked());
    checks->That(Put("child", "1") == Status::kForked);
    checks->That(store_->Remove(kTreeUser, BytesOf("before"), false, &version) == Status::kForked);
    checks->That(store_->Commit() == Status::kForked);
    checks->That(store_->Checkpoint() == Status::kForked);
    checks->That(store_->Sweep(UINT64_MAX, 10, false, &removed) == Status::kForked);
    checks->That(store_->Grow(32 << 20, nullptr).status == Status::kForked);
    checks->That(Get("before") == Status::kForked);
    checks->That(store_->Count(KeyRange{}, &count) == Status::kForked);
    checks->That(store_->OpenSnapshot(&version) == 0);
    checks->That(store_->PinState(&pin) == Status::kForked);
    // What was there before the fork is refused as well.
    uint8_t out[64];
    RangeRequest range;
    range.snapshot = snapshot;
    range.limit = 1;
    range.out = out;
    range.out_bytes = sizeof out;
    checks->That(store_->FillRange(range).status == Status::kForked);
    checks->That(store_->Has(snapshot, kTreeUser, BytesOf("before")) == Status::kForked);
    checks->That(store_->GetPart(0, kTreeUser, BytesOf("before"), 0, out, sizeof out).status == Status::kForked);
    checks->That(store_->BeginView(0, kTreeUser, BytesOf("before"), 1).status == Status::kForked);
    checks->That(store_->AppendValue(value, BytesOf("piece")) == Status::kForked);
    checks->That(store_->FinishValue(value, {}, false, &version) == Status::kForked);
    checks->That(store_->FinishValue(value, {}, false, &version) == Status::kForked);
    checks->That(store_->AwaitPinned(pinned) == Status::kForked);
    checks->That(store_->WithPinned(pinned, [](const PinnedState&) {}) == Status::kForked);
    checks->That(store_->Close() == Status::kOk);
    store_.reset();
  });
  EXPECT_EQ(failed, 0);
  store_->ReleaseSnapshot(snapshot);
  store_->AbortValue(value);
  store_->Unpin(pinned);
  EXPECT_FALSE(store_->forked());
  EXPECT_EQ(Put("after", "1"), Status::kOk);
  Reopen();
  EXPECT_EQ(Get("before"), Status::kOk);
  EXPECT_EQ(Get("after"), Status::kOk);
  EXPECT_EQ(Get("child"), Status::kNotFound);
}

TEST_F(Fork, TheParentsLockStaysWhateverTheChildDoes) {
  EXPECT_EQ(InChild([this](Checks*) { store_.reset(); }), 0);
  EXPECT_EQ(InChild([](Checks*) {}), 0);
  EXPECT_EQ(StatusOfOpening(path_), Status::kLocked);
  // Nor can the child open it beside the parent.
  EXPECT_EQ(InChild([this](Checks* checks) { checks->That(StatusOfOpening(path_) == Status::kLocked); }), 0);
  EXPECT_EQ(StatusOfOpening(path_), Status::kLocked);
}

TEST_F(Fork, TheLockGoesWithTheParent) {
  store_.reset();
  // A process that opens the store, forks, and ends; the child lives on with all that it was given.
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  const int failed = InChild([&](Checks* checks) {
    Open();
    uint8_t value[16];
    checks->That(store_->Get(kTreeUser, BytesOf("before"), value, sizeof value).status == Status::kOk);
    const pid_t child = fork();
    checks->That(child >= 0);
    if (child == 0) {
      alarm(10);
      // Only now is it certain to have given the store up.
      const pid_t own = getpid();
      if (write(pipes[1], &own, sizeof own) != sizeof own) _exit(1);
      for (;;) pause();
    }
  });
  EXPECT_EQ(failed, 0);
  pid_t orphan = 0;
  ASSERT_EQ(read(pipes[0], &orphan, sizeof orphan), static_cast<ssize_t>(sizeof orphan));
  ASSERT_EQ(kill(orphan, 0), 0);
  LockHolder holder;
  EXPECT_TRUE(FindLockHolder(path_, &holder).ok());
  EXPECT_EQ(holder.pid, 0);
  Open();
  EXPECT_EQ(Get("before"), Status::kOk);
  kill(orphan, SIGKILL);
  close(pipes[0]);
  close(pipes[1]);
}

// Locks that other threads hold at that moment are held by nobody in the child.
TEST_F(Fork, WhileOtherThreadsAreAtWork) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> puts{0};
  std::thread writer([&] {
    for (uint64_t i = 0; !stop; ++i) {
      ASSERT_EQ(Put("key" + std::to_string(i % 1000), std::to_string(i)), Status::kOk);
      ++puts;
    }
  });
  for (int i = 0; i < 40; ++i) {
    const uint64_t seen = puts;
    while (puts == seen) std::this_thread::yield();
    EXPECT_EQ(InChild([this](Checks* checks) {
                checks->That(Put("child", "1") == Status::kForked);
                checks->That(Get("before") == Status::kForked);
                checks->That(store_->Close() == Status::kOk);
                store_->Release();
              }),
              0);
  }
  stop = true;
  writer.join();
  EXPECT_EQ(store_->Close(), Status::kOk);
  Reopen();
  EXPECT_EQ(Get("before"), Status::kOk);
  EXPECT_EQ(Get("child"), Status::kNotFound);
}

TEST_F(Fork, TheRegistryOfTheChildIsEmpty) {
  StoreRegistry& registry = StoreRegistry::OfProcess();
  std::shared_ptr<SharedStore> shared;
  constexpr FileId kId{7, 7};
  ASSERT_EQ(registry.Enter(kId, false, &shared), StoreRegistry::Turn::kFirst);
  EXPECT_EQ(InChild([&](Checks* checks) {
              std::shared_ptr<SharedStore> own, other;
              checks->That(registry.Enter(kId, true, &own) == StoreRegistry::Turn::kFirst);
              registry.Share(own.get(), nullptr, {});
              // The handle that it was forked with goes; its own stays.
              checks->That(registry.Leave(shared.get()));
              registry.Gone(shared.get());
              checks->That(registry.Enter(kId, true, &other) == StoreRegistry::Turn::kJoined);
            }),
            0);
  EXPECT_TRUE(registry.Leave(shared.get()));
  registry.Gone(shared.get());
}

}  // namespace
}  // namespace sealog::test
