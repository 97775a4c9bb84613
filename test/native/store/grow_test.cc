// A store that grows: what is in it stays, at every point at which it may be cut off, and whatever fails meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "platform/syscall.h"
#include "support/recovery_twin.h"
#include "support/scan.h"
#include "support/scratch.h"

namespace sealog::test {
namespace {

constexpr uint32_t kSegmentBytes = 64 << 10;
constexpr uint64_t kSmallBytes = 1 << 20;
constexpr uint64_t kLargeBytes = 3 << 20;
constexpr uint64_t kCheckpointBytes = 64 << 10;

std::string KeyOf(uint32_t i) { return "key" + std::to_string(i); }
std::string ValueOf(uint32_t i) { return std::string(500, static_cast<char>('a' + i % 26)); }

OpenResult Opened(const std::string& path, const GrowthOptions& growth = {}) {
  OpenResult result = OpenStore(path, {}, BestFlush(false), kCheckpointBytes, false, true, growth);
  EXPECT_TRUE(result.failure.ok()) << result.failure.detail;
  return result;
}

void Create(const std::string& path) {
  CreateOptions create;
  create.segment_bytes = kSegmentBytes;
  create.capacity_bytes = kSmallBytes;
  Failure failure = CreateStore(path, create);
  ASSERT_TRUE(failure.ok()) << failure.detail;
}

Status Put(Store& store, uint32_t i, bool deferred = false) {
  uint64_t version;
  const std::string key = KeyOf(i), value = ValueOf(i);
  return store.Put(kTreeUser, BytesOf(key), BytesOf(value), deferred, &version);
}

void Fill(Store& store, uint32_t first, uint32_t end) {
  for (uint32_t i = first; i < end; ++i) ASSERT_EQ(Put(store, i, true), Status::kOk) << i;
  ASSERT_EQ(store.Commit(), Status::kOk);
}

// Empty if the store has just the first `count` entries.
std::string Wrong(Store& store, uint32_t count) {
  uint32_t seen = 0;
  std::string wrong = ScanEntries(store, false, [&](Bytes key, Bytes value) -> std::string {
    const std::string k(reinterpret_cast<const char*>(key.data), key.size);
    const uint32_t i = static_cast<uint32_t>(std::stoul(k.substr(3)));
    ++seen;
    if (i >= count) return k + " was never there";
    return std::string(reinterpret_cast<const char*>(value.data), value.size) == ValueOf(i) ? "" : k + " has changed";
  });
  return wrong.empty() && seen != count ? std::to_string(seen) + " of " + std::to_string(count) : wrong;
}

// It has the first `count` entries now, and when it was closed and is opened again.
void ExpectKept(std::unique_ptr<Store> store, const std::string& path, uint32_t count) {
  EXPECT_EQ(Wrong(*store, count), "");
  ASSERT_EQ(store->Close(), Status::kOk);
  store.reset();
  EXPECT_EQ(Wrong(*Opened(path).store, count), "");
}

uint64_t Segments(Store& store) {
  StoreStats stats;
  store.Stats(&stats);
  return static_cast<uint64_t>(stats.segments);
}

void WriteImage(const std::string& path, const std::vector<uint8_t>& image) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
}

// On tmpfs (domain memory), and on the disk.
class Grow : public testing::TestWithParam<bool> {
 protected:
  Scratch scratch_{GetParam()};
  std::string path_ = scratch_.File("store");
};

TEST_P(Grow, TakesMoreThanTheOldSizeHadRoomFor) {
  Create(path_);
  auto store = Opened(path_).store;
  uint32_t count = 0;
  while (Put(*store, count, true) == Status::kOk) ++count;
  Failure failure = store->Grow(kLargeBytes, nullptr);
  ASSERT_TRUE(failure.ok()) << failure.detail;
  EXPECT_EQ(Segments(*store), kLargeBytes / kSegmentBytes);
  EXPECT_EQ(std::filesystem::file_size(path_), kLargeBytes);
  Fill(*store, count, count * 2);
  EXPECT_EQ(Wrong(*store, count * 2), "");
  // Unclean: the log is replayed from segments that no checkpoint need know.
  store->Release();
  OpenResult again = Opened(path_);
  EXPECT_EQ(Wrong(*again.store, count * 2), "");
  EXPECT_FALSE(again.settled);
  ASSERT_EQ(again.store->Close(), Status::kOk);
  again = {};
  again = Opened(path_);
  EXPECT_TRUE(again.clean);
  EXPECT_EQ(Wrong(*again.store, count * 2), "");
}

TEST_P(Grow, FewerBytesAreNoChangeAndTooManyAreRefused) {
  Create(path_);
  auto store = Opened(path_).store;
  EXPECT_TRUE(store->Grow(1, nullptr).ok());
  EXPECT_EQ(Segments(*store), kSmallBytes / kSegmentBytes);
  Failure failure = store->Grow(uint64_t{1} << 40, nullptr);
  EXPECT_EQ(failure.status, Status::kCapacity);
  EXPECT_LT(failure.offset, uint64_t{1} << 40);
  // What it says it has room for it has.
  EXPECT_TRUE(store->Grow(failure.offset, nullptr).ok());
  EXPECT_EQ(Segments(*store), failure.offset / kSegmentBytes);
  EXPECT_EQ(store->Grow(failure.offset + 1, nullptr).status, Status::kCapacity);
}

// The states of the file while it grows, put together from what it was before and after.
TEST_P(Grow, CutOffAtAnyPointLeavesTheOldSizeOrTheNewOne) {
  constexpr uint32_t kEntries = 400;
  Create(path_);
  auto store = Opened(path_).store;
  Fill(*store, 0, kEntries);
  ASSERT_EQ(store->Checkpoint(), Status::kOk);  // or one may be written just now
  const std::vector<uint8_t> before = ReadFile(path_);
  ASSERT_TRUE(store->Grow(kLargeBytes, nullptr).ok());
  const std::vector<uint8_t> grown = ReadFile(path_);
  store->Release();
  ASSERT_EQ(before.size(), kSmallBytes);
  ASSERT_EQ(grown.size(), kLargeBytes);

  struct State {
    const char* name;
    std::vector<uint8_t> image;
    uint64_t bytes;
  };
  std::vector<State> states;
  auto image = before;
  auto take = [&](uint64_t offset, uint64_t bytes) {
    std::copy_n(grown.begin() + static_cast<int64_t>(offset), bytes, image.begin() + static_cast<int64_t>(offset));
  };
  image.resize(kLargeBytes);
  states.push_back({"longer", image, kSmallBytes});
  take(kSealRecordOffset[0], kSealRecordBytes);
  take(kSealRecordOffset[1], kSealRecordBytes);
  states.push_back({"sealed", image, kSmallBytes});
  const uint64_t first = SegmentHalfOffset(kSmallBytes / kSegmentBytes, 0);
  const uint64_t end = SegmentHalfOffset(kLargeBytes / kSegmentBytes, 0);
  take(first, (end - first) / 2);
  states.push_back({"half of the entries", image, kSmallBytes});
  take(first, end - first);
  states.push_back({"entries", image, kSmallBytes});
  // Within a line nothing tears.
  take(kSuperblockOffset[1], 64);
  states.push_back({"a line of superblock B", image, kSmallBytes});
  take(kSuperblockOffset[1], kSuperblockBytes);
  states.push_back({"superblock B", image, kLargeBytes});
  take(kSuperblockOffset[0], 64);
  states.push_back({"a line of superblock A", image, kLargeBytes});
  take(kSuperblockOffset[0], kSuperblockBytes);
  states.push_back({"both superblocks", image, kLargeBytes});
  EXPECT_EQ(memcmp(image.data(), grown.data(), kSlotAlignBytes * 2), 0);

  RegionOptions read_only_options;
  read_only_options.read_only = true;
  for (const State& state : states) {
    SCOPED_TRACE(state.name);
    const std::string path = scratch_.File("state");
    WriteImage(path, state.image);
    {
      OpenResult read_only = OpenStore(path, read_only_options);
      ASSERT_TRUE(read_only.failure.ok()) << read_only.failure.detail;
      EXPECT_EQ(Wrong(*read_only.store, kEntries), "");
    }
    EXPECT_EQ(ReadFile(path), state.image);
    OpenResult opened = Opened(path);
    ASSERT_NE(opened.store, nullptr);
    EXPECT_EQ(opened.settled, &state != &states.back());
    EXPECT_EQ(Segments(*opened.store), state.bytes / kSegmentBytes);
    EXPECT_EQ(std::filesystem::file_size(path), state.bytes);
    EXPECT_EQ(Wrong(*opened.store, kEntries), "");
    // As good as new: it takes what a store of this size takes, closes, and grows on.
    Fill(*opened.store, kEntries, kEntries * 2);
    ASSERT_EQ(opened.store->Close(), Status::kOk);
    opened = {};
    opened = Opened(path);
    ASSERT_NE(opened.store, nullptr);
    EXPECT_FALSE(opened.settled);
    ASSERT_TRUE(opened.store->Grow(kLargeBytes + kSmallBytes, nullptr).ok());
    Fill(*opened.store, kEntries * 2, kEntries * 4);
    ASSERT_EQ(opened.store->Checkpoint(), Status::kOk);
    opened.store->Release();
    opened = {};
    opened = Opened(path);
    ASSERT_NE(opened.store, nullptr);
    EXPECT_EQ(Wrong(*opened.store, kEntries * 4), "");
  }
}

// What a power cut makes of META: each write is behind the drain of the one before, and any of its lines may be lost.
TEST_P(Grow, AnyLinesOfTheWriteUnderWayMayBeLost) {
  constexpr uint32_t kEntries = 200;
  Create(path_);
  auto store = Opened(path_).store;
  Fill(*store, 0, kEntries);
  ASSERT_EQ(store->Checkpoint(), Status::kOk);
  std::vector<uint8_t> image = ReadFile(path_);
  ASSERT_TRUE(store->Grow(kLargeBytes, nullptr).ok());
  const std::vector<uint8_t> grown = ReadFile(path_);
  store->Release();
  image.resize(kLargeBytes);
  const uint64_t first = SegmentHalfOffset(kSmallBytes / kSegmentBytes, 0);
  const uint64_t end = SegmentHalfOffset(kLargeBytes / kSegmentBytes, 0);
  const struct {
    uint64_t offset, bytes;
  } writes[] = {
      {first, end - first}, {kSuperblockOffset[1], kSuperblockBytes}, {kSuperblockOffset[0], kSuperblockBytes}};
  std::mt19937_64 random(1);
  const std::string path = scratch_.File("state");
  for (const auto& write : writes) {
    for (uint32_t n = 0; n < 12; ++n) {
      SCOPED_TRACE(std::to_string(write.offset) + " " + std::to_string(n));
      std::vector<uint8_t> torn = image;
      for (uint64_t at = write.offset; at < write.offset + write.bytes; at += kLineBytes) {
        if (random() % 2 == 0) continue;
        std::copy_n(grown.begin() + static_cast<int64_t>(at), kLineBytes, torn.begin() + static_cast<int64_t>(at));
      }
      const bool a_is_new = memcmp(&torn[0], &grown[0], kSuperblockBytes) == 0;
      const bool b_is_new = memcmp(&torn[kSuperblockBytes], &grown[kSuperblockBytes], kSuperblockBytes) == 0;
      WriteImage(path, torn);
      OpenResult opened = Opened(path);
      ASSERT_NE(opened.store, nullptr);
      EXPECT_EQ(Segments(*opened.store), (a_is_new || b_is_new ? kLargeBytes : kSmallBytes) / kSegmentBytes);
      EXPECT_EQ(Wrong(*opened.store, kEntries), "");
      Fill(*opened.store, kEntries, kEntries + 50);
      ASSERT_EQ(opened.store->Close(), Status::kOk);
      opened = {};
      opened = Opened(path);
      ASSERT_NE(opened.store, nullptr);
      EXPECT_EQ(Wrong(*opened.store, kEntries + 50), "");
    }
    std::copy_n(grown.begin() + static_cast<int64_t>(write.offset), write.bytes,
                image.begin() + static_cast<int64_t>(write.offset));
  }
  EXPECT_EQ(memcmp(image.data(), grown.data(), kSlotAlignBytes * 2), 0);
}

// The table knows the new segments by a checkpoint whose slot is lost: the slot before it does not know them.
TEST_P(Grow, ASlotFromBeforeGrowthIsEnough) {
  constexpr uint32_t kEntries = 300;
  Create(path_);
  auto store = Opened(path_).store;
  Fill(*store, 0, kEntries);
  ASSERT_EQ(store->Checkpoint(), Status::kOk);
  ASSERT_TRUE(store->Grow(kLargeBytes, nullptr).ok());
  std::vector<uint8_t> slots = ReadFile(path_);
  slots.resize(kSealRecordOffset[0]);
  Fill(*store, kEntries, kEntries + 10);
  ASSERT_EQ(store->Checkpoint(), Status::kOk);
  store->Release();
  std::vector<uint8_t> image = ReadFile(path_);
  for (uint64_t offset : kCheckpointSlotOffset) {
    std::copy_n(slots.begin() + static_cast<int64_t>(offset), kCheckpointSlotBytes,
                image.begin() + static_cast<int64_t>(offset));
  }
  WriteImage(path_, image);
  for (uint32_t round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    OpenResult opened = Opened(path_);
    ASSERT_NE(opened.store, nullptr);
    EXPECT_EQ(Wrong(*opened.store, kEntries + 10 + round * 400), "");
    Fill(*opened.store, kEntries + 10 + round * 400, kEntries + 10 + (round + 1) * 400);
    ASSERT_EQ(opened.store->Close(), Status::kOk);
  }
}

int calls_until_fault;
int fault;
int FailOnce(const char*) { return --calls_until_fault == 0 ? fault : 0; }

TEST_P(Grow, AnySystemCallMayFail) {
  constexpr uint32_t kEntries = 200;
  Create(path_);
  {
    auto store = Opened(path_).store;
    Fill(*store, 0, kEntries);
    ASSERT_EQ(store->Close(), Status::kOk);
  }
  const std::vector<uint8_t> before = ReadFile(path_);
  uint32_t failed = 0, poisoned = 0;
  for (int error : {ENOSPC, EIO}) {
    for (int n = 1;; ++n) {
      SCOPED_TRACE(n);
      WriteImage(path_, before);
      auto store = Opened(path_).store;
      calls_until_fault = n;
      fault = error;
      SetSyscallHook(FailOnce);
      Failure failure = store->Grow(kLargeBytes, nullptr);
      SetSyscallHook(nullptr);
      const bool through = calls_until_fault > 0;
      uint32_t count = kEntries;
      if (!failure.ok()) {
        ++failed;
        const Status put = Put(*store, count);
        if (put == Status::kOk) {
          ++count;
          EXPECT_EQ(Segments(*store), kSmallBytes / kSegmentBytes);
          EXPECT_EQ(std::filesystem::file_size(path_), kSmallBytes);
          // And it may try again.
          Failure again = store->Grow(kLargeBytes, nullptr);
          EXPECT_TRUE(again.ok()) << again.detail << again.syscall;
        } else {
          EXPECT_EQ(put, Status::kPoisoned);
          ++poisoned;
        }
      }
      EXPECT_EQ(Wrong(*store, count), "");
      store.reset();
      store = Opened(path_).store;
      ASSERT_NE(store, nullptr);
      EXPECT_EQ(Wrong(*store, count), "");
      if (through) break;
      ASSERT_LT(n, 1000);
    }
  }
  EXPECT_GT(failed, 5u);
  printf("%s: %u faults failed the growth, %u of them left the size to the next open\n", scratch_.path().c_str(),
         failed, poisoned);
}

TEST_P(Grow, GoesOnBesideWritesReadsAndSnapshots) {
  Create(path_);
  auto store = Opened(path_).store;
  Fill(*store, 0, 100);
  uint64_t lsn;
  const uint64_t snapshot = store->OpenSnapshot(&lsn);
  std::atomic<bool> done{false};
  std::atomic<uint32_t> written{100};
  std::thread writer([&] {
    for (uint32_t i = 100; !done; ++i) {
      const Status status = Put(*store, i);
      if (status == Status::kFull) {
        --i;
        continue;
      }
      ASSERT_EQ(status, Status::kOk);
      written = i + 1;
    }
  });
  std::thread reader([&] {
    std::vector<uint8_t> out(4096);
    for (uint32_t i = 0; !done; ++i) {
      const uint32_t at = i % written;
      const std::string key = KeyOf(at);
      ASSERT_EQ(store->Get(kTreeUser, BytesOf(key), out.data(), out.size()).status, Status::kOk) << at;
      StoreStats stats;
      store->Stats(&stats);
      GrowthReport report;
      store->Growth(&report);
    }
  });
  for (uint64_t bytes = kSmallBytes; bytes <= 4 * kLargeBytes; bytes += kSmallBytes) {
    Failure failure = store->Grow(bytes, nullptr);
    EXPECT_TRUE(failure.ok()) << bytes << failure.detail;
  }
  done = true;
  writer.join();
  reader.join();
  uint64_t in_snapshot = 0;
  EXPECT_EQ(store->Count(snapshot, kTreeUser, {}, &in_snapshot), Status::kOk);
  EXPECT_EQ(in_snapshot, 100u);
  ExpectKept(std::move(store), path_, written);
}

TEST_P(Grow, ByItselfUpToItsMaximum) {
  Create(path_);
  const uint64_t max = 4 * kSmallBytes + kSegmentBytes / 2;  // what is less than a segment does not count
  auto store = Opened(path_, {kSmallBytes, max, 1}).store;
  uint32_t count = 0;
  while (Put(*store, count, true) == Status::kOk) ++count;
  ASSERT_EQ(store->Commit(), Status::kOk);
  EXPECT_EQ(Segments(*store), 4 * kSmallBytes / kSegmentBytes);
  EXPECT_GT(count * 560, 3 * kSmallBytes);
  GrowthReport report;
  store->Growth(&report);
  EXPECT_EQ(report.count, 3u);
  EXPECT_TRUE(report.failure.ok());
  ExpectKept(std::move(store), path_, count);
}

TEST_P(Grow, CloseTakesBackWhatIsUnderWay) {
  Create(path_);
  for (uint32_t round = 0; round < 20; ++round) {
    auto store = Opened(path_).store;
    Fill(*store, round * 10, round * 10 + 10);
    const uint64_t before = Segments(*store);
    const uint64_t wanted = (before + 24) * kSegmentBytes;
    Failure failure;
    std::thread thread([&] { failure = store->Grow(wanted, nullptr); });
    std::this_thread::sleep_for(std::chrono::microseconds(round * 200));
    EXPECT_EQ(store->Close(), Status::kOk);
    store->Release();
    thread.join();
    const uint64_t bytes = std::filesystem::file_size(path_);
    if (failure.ok()) {
      EXPECT_EQ(bytes, wanted);
    } else {
      EXPECT_TRUE(failure.status == Status::kAborted || failure.status == Status::kClosed) << failure.detail;
      EXPECT_EQ(bytes, before * kSegmentBytes);
    }
    store.reset();
    store = Opened(path_).store;
    EXPECT_EQ(Wrong(*store, round * 10 + 10), "");
    EXPECT_EQ(Segments(*store), bytes / kSegmentBytes);
    ASSERT_EQ(store->Close(), Status::kOk);
  }
}

INSTANTIATE_TEST_SUITE_P(On, Grow, testing::Values(false, true),
                         [](const auto& suite) { return suite.param ? "Disk" : "Memory"; });

}  // namespace
}  // namespace sealog::test
