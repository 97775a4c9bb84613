// Reads beside the writer of the same store, and the lock that lets them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "platform/syscall.h"
#include "region/create.h"
#include "store/writer_lock.h"
#include "support/recovery_twin.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

constexpr uint32_t kSegmentBytes = 64 << 10;
constexpr auto kTooLong = std::chrono::seconds(60);

// Runs `f` on a thread of its own; a deadlock ends the test.
template <class F>
void Finishes(const char* what, F&& f) {
  auto done = std::async(std::launch::async, f);
  if (done.wait_for(kTooLong) == std::future_status::ready) return;
  fprintf(stderr, "%s does not end\n", what);
  abort();
}

std::unique_ptr<Store> Created(const Scratch& scratch, uint32_t segments, uint64_t checkpoint_bytes,
                               const GrowthOptions& growth = {}) {
  CreateOptions options;
  options.segment_bytes = kSegmentBytes;
  options.capacity_bytes = uint64_t{segments} * kSegmentBytes;
  const std::string path = scratch.File("a");
  EXPECT_TRUE(CreateStore(path, options).ok());
  OpenResult opened = OpenStore(path, {}, BestFlush(false), checkpoint_bytes, false, true, growth);
  EXPECT_TRUE(opened.failure.ok()) << opened.failure.detail;
  return std::move(opened.store);
}

Status Put(Store& store, const std::string& key, const std::string& value, uint64_t* version = nullptr) {
  uint64_t ignored = 0;
  return store.Put(kTreeUser, BytesOf(key), BytesOf(value), false, version != nullptr ? version : &ignored);
}

std::string Get(Store& store, const std::string& key, uint64_t snapshot = 0) {
  std::string value(4096, '\0');
  const GetResult r =
      store.Get(snapshot, kTreeUser, BytesOf(key), reinterpret_cast<uint8_t*>(value.data()), value.size());
  value.resize(r.status == Status::kOk ? r.bytes : 0);
  return r.status == Status::kOk ? value : "status " + std::to_string(static_cast<int>(r.status));
}

GetManyResult GetBoth(Store& store, const Bytes (&keys)[2], uint8_t* out, size_t out_bytes, int32_t* answers) {
  GetManyRequest many;
  many.keys = keys;
  many.count = 2;
  many.out = out;
  many.out_bytes = out_bytes;
  return store.GetMany(many, answers);
}

// A device that does not answer.
std::atomic<bool> device_stuck{false}, device_asked{false}, gave_up{false};
int StuckHook(const char* name) {
  if (strcmp(name, "pwritev2") != 0 && strcmp(name, "fdatasync") != 0) return 0;
  device_asked = true;
  const auto end = std::chrono::steady_clock::now() + kTooLong / 2;
  while (device_stuck) {
    if (std::chrono::steady_clock::now() > end) {
      gave_up = true;
      break;
    }
    std::this_thread::yield();
  }
  return 0;
}

TEST(ConcurrentReads, DoNotWaitForADeviceThatIsStuck) {
  Scratch scratch(true);
  std::unique_ptr<Store> store = Created(scratch, 64, 1 << 20);
  if (!store->needs_device_sync()) GTEST_SKIP() << "the temporary folder is not on a disk";
  const std::string key = "key", old = std::string(3000, 'o');
  uint64_t before = 0;
  ASSERT_EQ(Put(*store, "a", "1"), Status::kOk);
  ASSERT_EQ(Put(*store, "b", "2"), Status::kOk);
  ASSERT_EQ(Put(*store, key, old, &before), Status::kOk);

  device_stuck = true;
  device_asked = gave_up = false;
  SetSyscallHook(StuckHook);
  uint64_t written = 0;
  std::thread writer([&] { EXPECT_EQ(Put(*store, key, "new", &written), Status::kOk); });
  while (!device_asked) std::this_thread::yield();

  // What is not durable yet is not seen, by any kind of read.
  EXPECT_EQ(Get(*store, key), old);
  EXPECT_EQ(store->Has(kTreeUser, BytesOf(key)), Status::kOk);
  uint64_t count = 0;
  EXPECT_EQ(store->Count({}, &count), Status::kOk);
  EXPECT_EQ(count, 3u);
  uint8_t out[4096];
  const std::string other = "b";
  const Bytes keys[2] = {BytesOf(key), BytesOf(other)};
  int32_t answers[2] = {0, 0};
  EXPECT_EQ(GetBoth(*store, keys, out, sizeof out, answers).done, 2u);
  EXPECT_EQ(answers[0], static_cast<int32_t>(old.size()));
  EXPECT_EQ(store->GetPart(0, kTreeUser, BytesOf(key), 0, out, sizeof out).bytes, old.size());
  RangeRequest range;
  range.limit = 1;
  range.out = out;
  range.out_bytes = sizeof out;
  const RangeResult first = store->FillRange(range);
  EXPECT_EQ(first.status, Status::kOk);
  EXPECT_EQ(first.entries, 1u);
  ASSERT_NE(first.snapshot, 0u);
  uint64_t lsn = 0;
  const uint64_t snapshot = store->OpenSnapshot(&lsn);
  EXPECT_EQ(lsn, before);
  const ViewResult view = store->BeginView(snapshot, kTreeUser, BytesOf(key), 1);
  ASSERT_EQ(view.status, Status::kOk);
  store->ReleaseSnapshot(first.snapshot);
  EXPECT_EQ(Get(*store, key, snapshot), old);
  EXPECT_FALSE(gave_up) << "a read has waited for the device";

  device_stuck = false;
  writer.join();
  SetSyscallHook(nullptr);
  EXPECT_GT(written, lsn);
  EXPECT_EQ(Get(*store, key), "new");
  EXPECT_EQ(Get(*store, key, snapshot), old);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.data), view.bytes), old);
  EXPECT_EQ(store->EndView(view), Status::kOk);
  store->ReleaseSnapshot(snapshot);
  StoreStats stats;
  store->Stats(&stats);
  EXPECT_EQ(stats.snapshots, 0);
  EXPECT_EQ(store->Close(), Status::kOk);
}

// A read that a SIGBUS has cut off is not inside any more, whoever's it was.
// The first write of a session waits for more than its own frame: once, or twice where the last one was cut off.
TEST(ConcurrentReads, DoNotWaitForADeviceThatIsStuckAtTheFirstWrite) {
  for (const bool closed : {true, false}) {
    Scratch scratch(true);
    std::unique_ptr<Store> store = Created(scratch, 64, 1 << 20);
    if (!store->needs_device_sync()) GTEST_SKIP() << "the temporary folder is not on a disk";
    ASSERT_EQ(Put(*store, "key", "old"), Status::kOk);
    if (closed) {
      ASSERT_EQ(store->Close(), Status::kOk);
    }
    store.reset();
    OpenResult opened = OpenStore(scratch.File("a"), {}, BestFlush(false), 1 << 20, false, true, {});
    ASSERT_TRUE(opened.failure.ok()) << opened.failure.detail;
    store = std::move(opened.store);

    device_stuck = true;
    device_asked = gave_up = false;
    SetSyscallHook(StuckHook);
    std::thread writer([&] { EXPECT_EQ(Put(*store, "key", "new"), Status::kOk); });
    while (!device_asked) std::this_thread::yield();
    EXPECT_EQ(Get(*store, "key"), "old");
    uint64_t lsn = 0;
    const uint64_t snapshot = store->OpenSnapshot(&lsn);
    EXPECT_EQ(Get(*store, "key", snapshot), "old");
    EXPECT_FALSE(gave_up) << "a read has waited for the device";
    device_stuck = false;
    writer.join();
    SetSyscallHook(nullptr);
    EXPECT_EQ(Get(*store, "key"), "new");
    EXPECT_EQ(Get(*store, "key", snapshot), "old");
    store->ReleaseSnapshot(snapshot);
    store->Release();
    store = OpenStore(scratch.File("a")).store;
    EXPECT_EQ(Get(*store, "key"), "new");
    EXPECT_EQ(store->Close(), Status::kOk);
  }
}

TEST(ConcurrentReads, ASigbusInAThreadLetsTheNextWriterIn) {
  Scratch scratch;
  std::unique_ptr<Store> store = Created(scratch, 64, 16 << 20);
  for (int i = 0; i < 400; ++i) ASSERT_EQ(Put(*store, "key" + std::to_string(i), std::string(1000, 'v')), Status::kOk);
  ASSERT_EQ(truncate(scratch.File("a").c_str(), 4096), 0);
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const std::string key = "key" + std::to_string(i);
        uint8_t out[2000];
        EXPECT_EQ(store->Get(kTreeUser, BytesOf(key), out, sizeof out).status, Status::kMedia);
        EXPECT_EQ(store->Has(kTreeUser, BytesOf(key)), Status::kMedia);
        RangeRequest range;
        range.limit = 10;
        range.out = out;
        range.out_bytes = sizeof out;
        EXPECT_EQ(store->FillRange(range).status, Status::kMedia);
        EXPECT_EQ(store->BeginView(0, kTreeUser, BytesOf(key), 1).status, Status::kMedia);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  Finishes("a write", [&] {
    EXPECT_NE(Put(*store, "later", "x"), Status::kOk);
    StoreStats stats;
    store->Stats(&stats);
  });
  store->Release();
}

// On tmpfs, and on a disk, where pages that a checkpoint has written are dropped.
class BesideWriters : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(ConcurrentReads, BesideWriters, ::testing::Bool(),
                         [](const auto& on) { return on.param ? "Disk" : "Memory"; });

constexpr int kPairs = 40;

// Each pair is always written as one batch.
Status PutPair(Store& store, int pair, uint64_t n, bool deferred) {
  const std::string left = "l" + std::to_string(pair), right = "r" + std::to_string(pair);
  std::string value(200 + n % 1500, static_cast<char>('a' + n % 26));
  memcpy(value.data(), &n, sizeof n);
  const Change changes[2] = {{kRecordPut, 0, kTreeUser, BytesOf(left), BytesOf(value)},
                             {kRecordPut, 0, kTreeUser, BytesOf(right), BytesOf(value)}};
  uint64_t version = 0;
  return store.Batch(changes, 2, deferred, &version);
}

// Both of a pair at once, of the newest state. False once the store is closed.
bool GetPair(Store& store, const std::string& left, const std::string& right) {
  uint8_t out[8192];
  const Bytes keys[2] = {BytesOf(left), BytesOf(right)};
  int32_t answers[2] = {0, 0};
  const GetManyResult r = GetBoth(store, keys, out, sizeof out, answers);
  if (r.status == Status::kClosed) return false;
  EXPECT_EQ(r.status, Status::kOk);
  EXPECT_EQ(answers[0], answers[1]);
  if (answers[0] != answers[1]) return true;
  const auto bytes = static_cast<size_t>(answers[0]);
  EXPECT_EQ(memcmp(out, out + (bytes + 7) / 8 * 8, bytes), 0);
  return true;
}

// A snapshot, as a caller or as a range takes it; 0 once the store is closed.
uint64_t TakeSnapshot(Store& store, bool by_range) {
  uint64_t lsn = 0;
  if (!by_range) return store.OpenSnapshot(&lsn);
  uint8_t out[4096];
  RangeRequest range;
  range.limit = 1;
  range.out = out;
  range.out_bytes = sizeof out;
  return store.FillRange(range).snapshot;
}

bool LookAtPair(Store& store, int pair, int how) {
  const std::string left = "l" + std::to_string(pair), right = "r" + std::to_string(pair);
  if (how % 3 == 0) return GetPair(store, left, right);
  const uint64_t snapshot = TakeSnapshot(store, how % 3 == 1);
  if (snapshot == 0) return false;
  const std::string a = Get(store, left, snapshot);
  std::this_thread::yield();
  const std::string b = Get(store, right, snapshot);
  const ViewResult view = store.BeginView(snapshot, kTreeUser, BytesOf(right), 1);
  store.ReleaseSnapshot(snapshot);
  if (view.status == Status::kClosed) return false;
  EXPECT_EQ(a, b);
  if (view.status == Status::kOk) {
    // The snapshot is gone, the view's pin is not.
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(view.data), view.bytes), a);
    EXPECT_EQ(store.EndView(view), Status::kOk);
  } else {
    EXPECT_EQ(view.status, Status::kValueOutside) << "or it is not in the file yet";
  }
  return true;
}

// Space is used again all the time: cleaning, checkpoints, growth; and at last the store is closed beside its readers.
TEST_P(BesideWriters, SeeWholeCommitsDuringGrowthAndClose) {
  Scratch scratch(GetParam());
  GrowthOptions growth;
  growth.step_bytes = 4 * kSegmentBytes;
  growth.max_bytes = 128 * kSegmentBytes;
  std::unique_ptr<Store> store = Created(scratch, 24, 128 << 10, growth);
  for (int pair = 0; pair < kPairs; ++pair) ASSERT_EQ(PutPair(*store, pair, 0, true), Status::kOk);
  ASSERT_EQ(store->Commit(), Status::kOk);
  std::atomic<uint64_t> looks{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      for (int i = t; LookAtPair(*store, i % kPairs, i); ++i) ++looks;
    });
  }
  uint64_t written = 0;
  const uint64_t least = GetParam() ? 1500 : 4000;
  for (uint64_t n = 1; n < least || looks < 3000; ++n) {
    const Status status = PutPair(*store, static_cast<int>(n % kPairs), n, GetParam() ? n % 16 != 0 : n % 2 == 0);
    // Snapshots may hold all that there is for a moment.
    EXPECT_TRUE(status == Status::kOk || status == Status::kFull) << static_cast<int>(status);
    written += status == Status::kOk;
    // Entries that stay, so that it grows.
    if (n % 4 == 0 && n < least) static_cast<void>(Put(*store, "more" + std::to_string(n), std::string(3000, 'm')));
  }
  EXPECT_GT(written, 500u);
  GrowthReport grown;
  store->Growth(&grown);
  EXPECT_GT(grown.count, 0u);
  EXPECT_EQ(store->Close(), Status::kOk);
  store->Release();
  Finishes("a reader", [&] {
    for (std::thread& reader : readers) reader.join();
  });
}

// Neither side starves: each has so many turns, however eager the other is.
TEST(ConcurrentReads, ThreadsOfEitherKindGetTheLock) {
  constexpr int kTurns = 5000;
  WriterLock lock;
  uint64_t left = 0, right = 0;
  std::atomic<int> reads[3] = {}, writes[2] = {};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (std::atomic<int>& n : reads) {
    threads.emplace_back([&] {
      while (!stop) {
        lock.lock_shared();
        EXPECT_EQ(left, right);
        ++n;
        lock.unlock_shared();
      }
    });
  }
  for (std::atomic<int>& n : writes) {
    threads.emplace_back([&] {
      while (!stop) {
        lock.lock();
        ++left;
        ++right;
        if (left % 8 == 0) {
          lock.LetReadersIn();
          if (left % 64 == 0) std::this_thread::yield();
          lock.KeepReadersOut();
        }
        ++left;
        ++right;
        ++n;
        lock.unlock();
      }
    });
  }
  Finishes("a turn", [&] {
    for (std::atomic<int>* n : {&reads[0], &reads[1], &reads[2], &writes[0], &writes[1]}) {
      while (*n < kTurns) std::this_thread::yield();
    }
  });
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(left, right);
  EXPECT_EQ(left, 2u * static_cast<uint64_t>(writes[0] + writes[1]));
}

}  // namespace
}  // namespace sealog::test
