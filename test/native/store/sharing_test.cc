// Threads that open, use and close the same store: by the registry, as the addon does it.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "region/create.h"
#include "store/registry.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

constexpr FileId kFile{1, 2};

// A handle as the addon has one.
class Handle {
 public:
  Handle(const std::string& path, std::atomic<int>* openings) {
    StoreRegistry& registry = StoreRegistry::OfProcess();
    if (registry.Enter(kFile, true, &shared_) == StoreRegistry::Turn::kFirst) {
      ++*openings;
      RegionOptions options;
      OpenResult opened = OpenStore(path, options, BestFlush(false), 1 << 16);
      EXPECT_TRUE(opened.failure.ok()) << opened.failure.detail;
      registry.Share(shared_.get(), std::move(opened.store), {1, 2, 3});
    }
    EXPECT_EQ(shared_->facts().size(), 3u);
    store_ = shared_->store();
  }
  void Close(bool clean) {
    StoreRegistry& registry = StoreRegistry::OfProcess();
    // Before it leaves: afterwards another thread's handle may be the last one, and close the store.
    if (clean) {
      EXPECT_EQ(store_->Commit(), Status::kOk);
    }
    if (registry.Leave(shared_.get())) {
      if (clean) {
        EXPECT_EQ(store_->Close(), Status::kOk);
      }
      store_->Release();
      registry.Gone(shared_.get());
    }
    store_.reset();
  }
  Store& store() { return *store_; }

 private:
  std::shared_ptr<SharedStore> shared_;
  std::shared_ptr<Store> store_;
};

std::string Create(const Scratch& scratch) {
  CreateOptions options;
  options.segment_bytes = 65536;
  options.capacity_bytes = 128 * 65536;
  const std::string path = scratch.File("a");
  EXPECT_TRUE(CreateStore(path, options).ok());
  return path;
}

uint64_t CounterOf(Store& store, const std::string& key, uint64_t* version) {
  uint64_t value = 0;
  const GetResult found = store.Get(kTreeUser, BytesOf(key), reinterpret_cast<uint8_t*>(&value), sizeof value);
  EXPECT_TRUE(found.status == Status::kOk || found.status == Status::kNotFound);
  *version = found.status == Status::kOk ? found.version : 0;
  return value;
}

// One more, by a conditional batch.
void Increment(Store& store, const std::string& key, bool deferred) {
  for (;;) {
    uint64_t version = 0, next = CounterOf(store, key, &version) + 1;
    const Change change{kRecordPut, 0, kTreeUser, BytesOf(key), {reinterpret_cast<uint8_t*>(&next), sizeof next}};
    const Check check{kTreeUser, BytesOf(key), version};
    const Status status = store.Batch({&change, 1, &check, 1}, deferred, &version);
    if (status == Status::kOk) return;
    ASSERT_EQ(status, Status::kConflict);
  }
}

TEST(Sharing, ThreadsOpenAndCloseOneStore) {
  Scratch scratch;
  const std::string path = Create(scratch);
  constexpr int kThreads = 4, kRounds = 40, kWrites = 20;
  std::atomic<int> openings{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        Handle handle(path, &openings);
        Store& store = handle.store();
        uint64_t lsn = 0;
        const uint64_t snapshot = store.OpenSnapshot(&lsn);
        for (int i = 0; i < kWrites; ++i) {
          Increment(store, "all", i % 2 == 0);
          const std::string mine = "t" + std::to_string(t);
          Increment(store, mine, true);
          uint64_t version = 0;
          EXPECT_EQ(CounterOf(store, mine, &version), static_cast<uint64_t>(round * kWrites + i + 1));
        }
        uint64_t waits = 0;
        if (store.CommitWaits(&waits)) {
          EXPECT_EQ(store.CommitInBackground(waits), Status::kOk);
        }
        StoreStats stats;
        store.Stats(&stats);
        uint64_t pin = 0;
        if (round % 8 == 0 && store.PinState(&pin) == Status::kOk) {
          EXPECT_EQ(store.AwaitPinned(pin), Status::kOk);
          // Given back while it is read.
          EXPECT_EQ(store.WithPinned(pin, [&](const PinnedState&) { store.Unpin(pin); }), Status::kOk);
          EXPECT_EQ(store.WithPinned(pin, [](const PinnedState&) {}), Status::kClosed);
        }
        store.ReleaseSnapshot(snapshot);
        handle.Close(round % 5 != 0 || t != 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(openings.load(), 1);
  Handle handle(path, &openings);
  uint64_t version = 0;
  EXPECT_EQ(CounterOf(handle.store(), "all", &version), static_cast<uint64_t>(kThreads * kRounds * kWrites));
  handle.Close(true);
}

TEST(Sharing, WhoIsAloneStaysAlone) {
  std::shared_ptr<SharedStore> first, second;
  StoreRegistry& registry = StoreRegistry::OfProcess();
  ASSERT_EQ(registry.Enter({3, 4}, true, &first), StoreRegistry::Turn::kFirst);
  EXPECT_FALSE(registry.BeginAlone(first.get()));
  EXPECT_EQ(registry.Enter({3, 4}, true, &second), StoreRegistry::Turn::kBusy) << "waits for itself";
  registry.Share(first.get(), nullptr, {});
  ASSERT_TRUE(registry.BeginAlone(first.get()));
  EXPECT_EQ(registry.Enter({3, 4}, true, &second), StoreRegistry::Turn::kBusy);
  std::atomic<bool> joined{false};
  std::thread other([&] {
    EXPECT_EQ(registry.Enter({3, 4}, true, &second), StoreRegistry::Turn::kJoined);
    joined = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(joined);
  registry.EndAlone(first.get());
  other.join();
  EXPECT_FALSE(registry.BeginAlone(first.get()));
  EXPECT_FALSE(registry.Leave(second.get()));
  EXPECT_TRUE(registry.Leave(first.get()));
  EXPECT_EQ(registry.Enter({3, 4}, false, &second), StoreRegistry::Turn::kBusy) << "it is being closed";
  registry.Gone(first.get());
  ASSERT_EQ(registry.Enter({3, 4}, false, &second), StoreRegistry::Turn::kFirst);
  EXPECT_TRUE(registry.Leave(second.get()));
  registry.Gone(second.get());
}

}  // namespace
}  // namespace sealog::test
